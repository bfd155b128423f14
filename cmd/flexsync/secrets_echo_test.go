package main

import (
	"bytes"
	"html"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
)

// TestSecretsEchoed runs every command that may show a value of the YAML, in every
// format, loud and in a GitHub job, against accounts that have the values and APIs that
// give them back. Only exports, snapshots and backups have them.
func TestSecretsEchoed(t *testing.T) {
	t.Parallel()
	const variable, password = "xyzzy&plugh-42\"", "l1teral-pw"
	hook := "https://me:" + password + "@example.com/?t=" + variable
	quoted, inJSON := strconv.Quote(hook), `xyzzy&plugh-42\"`
	echo := `{"code": 20001, "message": "the URL is not good", "more_info": "https://example.com/?` + url.QueryEscape(variable) + `", "details": ` + quoted + `}`
	echo = strings.Replace(echo, "the URL is not good", "the URL "+quoted[1:len(quoted)-1]+" is not good", 1)
	writes := func(f emutest.Fault) func(*http.Request, int) emutest.Fault {
		return func(r *http.Request, _ int) emutest.Fault {
			if r.Method == http.MethodGet {
				return emutest.Fault{}
			}
			return f
		}
	}
	faults := map[string]func(*http.Request, int) emutest.Fault{
		"none":    writes(emutest.Fault{}),
		"refused": writes(emutest.Fault{Status: 400, Body: echo}),
		"html":    writes(emutest.Fault{Status: 403, Body: "<html>" + html.EscapeString(hook), ContentType: "text/html"}),
		"cut":     writes(emutest.Fault{Status: 404, Body: strings.Repeat(" ", 170) + hook}),
		"wrong":   writes(emutest.Fault{Status: 201, Body: `{"sid": "FO0123456789abcdef0123456789abcdef", "friendly_name": "A", "integration_type": "external", "integration": {"url": ` + quoted + `}}`}),
		"listing": func(*http.Request, int) emutest.Fault { return emutest.Fault{Status: 400, Body: echo} },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, command := range []string{
				"plan", "plan --compact", "plan --format json", "plan --format markdown --step-summary", "plan --check-refs", "apply --dry-run",
				"plan --no-delete", "plan --max-deletes 0", "validate", "validate --format json", "validate --code-quality quality.json",
				"apply --yes", "apply --yes --format json", "apply --yes --format markdown --step-summary", "apply", "apply --format json",
				"apply --yes --plan plan.json", "apply --yes --format json --plan plan.json",
				"list", "list --format json", "show FO00000000000000000000000000000001", "show Gone",
			} {
				dir := t.TempDir()
				seed := `{"flows": [
					{"sid": "FO00000000000000000000000000000001", "friendly_name": "Gone", "channel_type": "custom", "contact_identity": "gone", "chat_service_sid": "IS00000000000000000000000000000001", "integration_type": "external", "integration": {"url": "https://me:` + password + `@example.com/"}},
					{"friendly_name": "B", "channel_type": "custom", "contact_identity": "b", "chat_service_sid": "IS00000000000000000000000000000001", "integration_type": "external", "integration": {"url": "https://me:` + password + `@example.com/old"}}]}`
				reads := command[0] != 'l' && command[0] != 's'
				if reads { // those that read YAML know the variable
					seed = strings.Replace(seed, `@example.com/"`, "@example.com/?t="+url.PathEscape(variable)+`"`, 1)
					seed = strings.Replace(seed, `"contact_identity": "b"`, `"contact_identity": "was `+inJSON+`"`, 1)
				}
				server, err := emutest.New(emulator.Options{AuthToken: testSecret, Seed: []byte(seed)}, fault)
				if err != nil {
					t.Fatal(err)
				}
				web := httptest.NewUnstartedServer(server)
				web.Config.ErrorLog = log.New(io.Discard, "", 0)
				web.Start()
				t.Cleanup(web.Close)
				flows := filepath.Join(dir, "flows.yaml")
				writeText(t, flows, `version: 1
defaults: {chat_service_sid: IS00000000000000000000000000000001, channel_type: custom, integration_type: external, contact_identity: "${t}"}
flows:
  - {friendly_name: A, integration: {url: "https://me:`+password+`@example.com/?t=${t}"}, enabled: false}
  - {friendly_name: B, integration: {url: "https://me:${p}@example.com/new"}}
`)
				if strings.Contains(command, "plan.json") { // which a written-out password could not be in
					yaml, err := os.ReadFile(flows)
					if err != nil {
						t.Fatal(err)
					}
					writeText(t, flows, strings.ReplaceAll(string(yaml), password, "${p}"))
				}
				env := map[string]string{
					"FLEXSYNC_BASE_URL": web.URL, "TWILIO_ACCOUNT_SID": testAccount, "TWILIO_AUTH_TOKEN": testSecret,
					"FLEXSYNC_SECRET_t": variable, "FLEXSYNC_SECRET_p": password,
					"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary.md"),
				}
				lookup := func(name string) (string, bool) { value, ok := env[name]; return value, ok }
				var out output // of two streams
				do := func(command string) {
					args := strings.Fields(command)
					for i, arg := range args {
						if strings.HasSuffix(arg, ".json") {
							args[i] = filepath.Join(dir, arg)
						}
					}
					if reads && !strings.Contains(command, "--plan ") {
						args = append(args, flows)
					}
					run(t.Context(), args, strings.NewReader(""), &out, &out, lookup)
				}
				if strings.Contains(command, "plan.json") {
					do("plan --out plan.json")
				}
				do(command + " -v --log-format json")
				if len(out.String()) == 0 || name == "none" && command == "plan" && !strings.Contains(out.String(), "sha256:") {
					t.Errorf("%s says nothing of a secret:\n%s", command, &out)
				}
				texts := [][]byte{[]byte(out.String())}
				for _, file := range []string{"plan.json", "summary.md", "quality.json"} {
					if data, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
						texts = append(texts, data)
					}
				}
				for _, text := range texts {
					for _, secret := range []string{"l1teral", "xyzzy", "plugh"} {
						if !reads && secret != "l1teral" { // they do not know the variable
							break
						}
						if bytes.Contains(text, []byte(secret)) {
							t.Errorf("%s shows %s:\n%s", command, secret, text)
							break
						}
					}
				}
			}
		})
	}
}
