package contract

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
)

const (
	fleet  = "../../examples/fleet"
	setups = "../../cmd/flexsync/testdata/setups"
)

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestClient holds what flexsync sends, and what it is answered, against the
// document. It is here and not beside the command, whose tests start it often:
// the OpenAPI library takes each process a while.
func TestClient(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "flexsync")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "flexsync/cmd/flexsync").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	server, err := emutest.New(emulator.Options{Seed: []byte(readText(t, fleet+"/emulated/staging.json")), MaxPageSize: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	held, err := New(server.Transport())
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
	flexsync := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Env = append(os.Environ(), "FLEXSYNC_BASE_URL="+web.URL, "TWILIO_ACCOUNT_SID="+server.AccountSID(), "TWILIO_AUTH_TOKEN=any")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}

	// One account is brought to one set-up after the other: everything is created,
	// changed and deleted at some time.
	flexsync("apply", fleet+"/flows", fleet+"/accounts/staging.yaml", "--var-file", fleet+"/vars/staging.yaml", "--check-refs", "--yes", "--max-deletes", "100%")
	flexsync("export", "--names")
	flexsync("list")
	file := filepath.Join(t.TempDir(), "flows.yaml")
	found, err := filepath.Glob(setups + "/*.json")
	if err != nil || len(found) < 5 {
		t.Errorf("%v, %d set-ups", err, len(found))
	}
	for _, set := range found {
		writeText(t, file, fmt.Sprintf(`{"version": 1, "flows": %s}`, readText(t, set))) // JSON is YAML
		flexsync("apply", file, "--yes", "--max-deletes", "100%")
		flexsync("plan", file, "--detailed-exitcode")
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
	for i, values := range [][]string{
		{"DIGIT", "1", "SID", strings.Repeat("0", 31) + "1", "BOOL", "true", "OLD", "", "CHANNEL", "sms", "TYPE", "external\n    integration: {url: https://example.org/}"},
		{"DIGIT", "2", "SID", strings.Repeat("0", 31) + "2", "BOOL", "false", "OLD", "renamed_from: [Name1],", "CHANNEL", "line", "TYPE", "studio\n    integration: {flow_sid: FW00000000000000000000000000000009}"},
	} {
		writeText(t, file, strings.NewReplacer(values...).Replace(fields))
		before := len(server.Flows())
		flexsync("apply", file, "--yes", "--max-deletes", "100%")
		if n := len(server.Flows()); i > 0 && n != before {
			t.Errorf("%d flows became %d: they were not changed in place", before, n)
		}
	}

	const addresses = `version: 1
addresses:
  - address: "+15550001111"
    type: sms
    friendly_name: SMS DIGIT
    auto_creation: {enabled: BOOL, type: studio, conversation_service_sid: ISSID, studio_flow_sid: FW00000000000000000000000000000a23, studio_retry_count: DIGIT}
  - address: "12345"
    type: sms
    address_country: US
    auto_creation: {type: webhook, webhook_url: "https://example.org/DIGIT", webhook_method: METHOD, webhook_filters: FILTERS}
`
	for _, values := range [][]string{
		{"DIGIT", "1", "SID", strings.Repeat("0", 31) + "1", "BOOL", "true", "METHOD", "get", "FILTERS", "[onMessageAdded]"},
		{"DIGIT", "2", "SID", strings.Repeat("0", 31) + "2", "BOOL", "false", "METHOD", "post", "FILTERS", "[onMessageRemoved, onMessageAdded]"},
	} {
		writeText(t, file, strings.NewReplacer(values...).Replace(addresses))
		flexsync("apply", file, "--yes", "--max-deletes", "100%")
	}
	writeText(t, file, "version: 1\naddresses: [{address: \"12345\", type: sms, auto_creation: {type: default}}]\n")
	flexsync("apply", file, "--yes", "--max-deletes", "100%")

	for _, unused := range held.Unused() {
		// A flow or an address is fetched alone only where a listing is late.
		late := unused == "GET /v1/FlexFlows/{Sid}" || unused == "GET /v1/Configuration/Addresses/{Sid}"
		if operation := strings.Count(unused, " ") == 1; operation && !late || strings.Contains(unused, " form.") {
			t.Errorf("no command sends %s", unused)
		}
	}
}
