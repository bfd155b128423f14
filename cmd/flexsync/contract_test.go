package main

import (
	"bytes"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flexsync/internal/contract"
	"flexsync/internal/emulator"
)

// TestContract holds what the commands send, and what they are answered, against
// the OpenAPI document of the emulated API.
func TestContract(t *testing.T) {
	t.Parallel()
	seed, err := os.ReadFile(filepath.Join(examplesDir, fleetExample, "emulated", "staging.json"))
	if err != nil {
		t.Fatal(err)
	}
	server, err := emulator.New(emulator.Options{Seed: seed, AuthToken: testSecret, MaxPageSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	held, err := contract.New(server.Transport())
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(&httputil.ReverseProxy{
		Transport: held,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.Host
			r.Out.Header.Del("Accept-Encoding")
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			t.Error(err)
			w.WriteHeader(http.StatusTeapot)
		},
		ErrorLog: log.New(t.Output(), "", 0),
	})
	t.Cleanup(web.Close)
	env := map[string]string{"FLEXSYNC_BASE_URL": web.URL, "TWILIO_ACCOUNT_SID": server.AccountSID(), "TWILIO_AUTH_TOKEN": testSecret}
	flexsync := func(want int, args ...string) {
		t.Helper()
		var out bytes.Buffer
		code := run(t.Context(), args, strings.NewReader(""), &out, &out, func(name string) (string, bool) {
			value, ok := env[name]
			return value, ok
		})
		if code != want {
			t.Errorf("%q: exit %d, want %d\n%s", args, code, want, &out)
		}
	}

	// One account is brought to one set-up after the other: everything is created,
	// changed and deleted at some time.
	fleet := filepath.Join(examplesDir, fleetExample)
	flexsync(exitOK, "apply", filepath.Join(fleet, "flows"), filepath.Join(fleet, "accounts/staging.yaml"), "--var-file", filepath.Join(fleet, "vars/staging.yaml"), "--check-refs", "--yes", "--max-deletes", "100%")
	flexsync(exitOK, "export", "--names")
	flexsync(exitOK, "list")
	for _, set := range setups(t) {
		flexsync(exitOK, "apply", set.yaml(t), "--yes", "--max-deletes", "100%")
		flexsync(exitOK, "plan", set.yaml(t), "--detailed-exitcode")
	}
	// Every field is created, then changed; the type of integration and the channel
	// too.
	const fields = `version: 1
defaults: {enabled: BOOL, long_lived: BOOL, janitor_enabled: BOOL, chat_service_sid: ISSID}
flows:
  - {friendly_name: NameDIGIT, OLD channel_type: CHANNEL, contact_identity: "+1500555000DIGIT", integration_type: studio, integration: {flow_sid: FWSID, retry_count: DIGIT}}
  - {friendly_name: Hook, channel_type: custom, contact_identity: hookDIGIT, integration_type: external, integration: {url: "https://example.org/DIGIT", retry_count: DIGIT}}
  - friendly_name: Turned
    channel_type: custom
    contact_identity: turned
    integration_type: TYPE
  - friendly_name: Task
    channel_type: custom
    contact_identity: taskDIGIT
    integration_type: task
    integration: {workspace_sid: WSSID, workflow_sid: WWSID, channel: chatDIGIT, timeout: 6DIGIT, priority: DIGIT, creation_on_message: BOOL}
`
	file := filepath.Join(t.TempDir(), "fields.yaml")
	for i, values := range [][]string{
		{"DIGIT", "1", "SID", strings.Repeat("0", 31) + "1", "BOOL", "true", "OLD", "", "CHANNEL", "sms", "TYPE", "external\n    integration: {url: https://example.org/}"},
		{"DIGIT", "2", "SID", strings.Repeat("0", 31) + "2", "BOOL", "false", "OLD", "renamed_from: [Name1],", "CHANNEL", "line", "TYPE", "studio\n    integration: {flow_sid: FW00000000000000000000000000000009}"},
	} {
		writeText(t, file, strings.NewReplacer(values...).Replace(fields))
		before := len(server.Flows())
		flexsync(exitOK, "apply", file, "--yes", "--max-deletes", "100%")
		if n := len(server.Flows()); i > 0 && n != before {
			t.Errorf("%d flows became %d: they were not changed in place", before, n)
		}
	}

	for _, unused := range held.Unused() {
		// flexsync lists, and fetches no flow alone.
		if operation := strings.Count(unused, " ") == 1; operation && unused != "GET /v1/FlexFlows/{Sid}" || strings.Contains(unused, " form.") {
			t.Errorf("no command sends %s", unused)
		}
	}
}
