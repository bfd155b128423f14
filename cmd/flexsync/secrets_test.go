package main

import (
	"bytes"
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
)

// TestSecrets runs every command, quiet and loud, against an API that gives the
// credentials back in every way it has, and finds them nowhere.
func TestSecrets(t *testing.T) {
	t.Parallel()
	header := "Basic " + base64.StdEncoding.EncodeToString([]byte(testAccount+":"+testSecret))
	echo := `{"code": 20400, "message": "got ` + testSecret + ` and ` + header + `", "more_info": "https://example.com/?` + testSecret + `", "details": {"a": "` + testSecret + `"}}`
	faults := map[string]emutest.Fault{
		"none":     {},
		"json":     {Status: 400, Body: echo},
		"401":      {Status: 401, Body: echo, Header: http.Header{"Twilio-Request-Id": {testSecret}}},
		"html":     {Status: 403, Body: "<html>" + testSecret + header, ContentType: "text/html"},
		"redirect": {Redirect: "http://" + testSecret + ".example.com/" + testSecret},
		"cut":      {Status: 404, Body: strings.Repeat(" ", 190) + testSecret},
		"shape":    {Status: 200, Body: `{"meta": {"next_page_url": "http://` + testSecret + `/"}, "flex_flows": []}`},
	}
	commands := []string{
		"plan", "plan --format json --out plan.json", "plan --format markdown",
		"apply --yes --backup backup.yaml", "apply --yes --format json", "apply --yes --format markdown", "apply --dry-run",
		"export", "export --names", "export --out export.yaml", "show A", "show FO0123456789abcdef0123456789abcdef", "whoami", "whoami --format json",
		"export --snapshot snapshot.json", "list", "list --format json", "list --format env",
		"validate", "validate --format json", "version",
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := emutest.New(emulator.Options{AuthToken: testSecret}, func(*http.Request, int) emutest.Fault { return fault })
			if err != nil {
				t.Fatal(err)
			}
			web := httptest.NewUnstartedServer(server)
			web.Config.ErrorLog = log.New(io.Discard, "", 0)
			web.Start()
			t.Cleanup(web.Close)
			dir := t.TempDir()
			yaml := "version: 1\nflows: [{friendly_name: A, channel_type: web, chat_service_sid: IS00000000000000000000000000000001}]\n"
			flows := filepath.Join(dir, "flows.yaml")
			writeText(t, flows, yaml)
			env := map[string]string{"FLEXSYNC_BASE_URL": web.URL, "TWILIO_ACCOUNT_SID": testAccount, "TWILIO_AUTH_TOKEN": testSecret}
			for _, command := range commands {
				for _, loud := range []string{"", " -v", " -v --log-format json"} {
					args := strings.Fields(command + loud)
					for i, arg := range args {
						if strings.Contains(arg, ".") {
							args[i] = filepath.Join(dir, arg)
						}
					}
					if args[0] == "plan" || args[0] == "apply" || args[0] == "validate" {
						args = append(args, flows)
					}
					var out output // of two streams
					run(t.Context(), args, strings.NewReader(""), &out, &out, func(name string) (string, bool) {
						value, ok := env[name]
						return value, ok
					})
					leaked(t, command+loud, []byte(out.String()))
				}
			}
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				leaked(t, file, data)
			}
		})
	}
}

// leaked fails the test if a part of the secret that gives it away is there.
func leaked(t *testing.T, where string, data []byte) {
	t.Helper()
	encoded := base64.StdEncoding.EncodeToString([]byte(testAccount + ":" + testSecret))
	for _, secret := range []string{testSecret, testSecret[:12], encoded, encoded[len(encoded)-24:]} {
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("%s shows the secret:\n%s", where, data)
			return
		}
	}
}

// TestSecretVariables applies a URL that holds a secret variable to accounts that
// repeat it: in errors, in answers, and as a flow that is deleted.
func TestSecretVariables(t *testing.T) {
	t.Parallel()
	const url = "https://hooks.example.com/?t=" + testSecret
	echo := `{"code": 20400, "message": "Url ` + url + ` is invalid", "more_info": "https://example.com/?` + testSecret + `", "details": {"a": "` + url + `"}}`
	for name, fault := range map[string]emutest.Fault{
		"none":  {},
		"json":  {Status: 400, Body: echo},
		"html":  {Status: 403, Body: "<html>" + url, ContentType: "text/html"},
		"other": {Rewrite: func(body []byte) []byte { return bytes.ReplaceAll(body, []byte(url), []byte(url+"2")) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := `{"account_sid": "` + testAccount + `", "flows": [{"friendly_name": "Gone", "channel_type": "custom", "chat_service_sid": "IS00000000000000000000000000000001",
				"integration_type": "external", "integration": {"url": "` + url + `"}}]}`
			server, err := emutest.New(emulator.Options{Seed: []byte(seed)}, func(r *http.Request, _ int) emutest.Fault {
				if r.Method == http.MethodPost {
					return fault
				}
				return emutest.Fault{}
			})
			if err != nil {
				t.Fatal(err)
			}
			web := httptest.NewServer(server)
			t.Cleanup(web.Close)
			dir := t.TempDir()
			flows := filepath.Join(dir, "flows.yaml")
			writeText(t, flows, "version: 1\nflows: [{friendly_name: A, channel_type: custom, chat_service_sid: IS00000000000000000000000000000001, integration_type: external, integration: {url: \"https://hooks.example.com/?t=${token}\"}}]\n")
			env := map[string]string{"FLEXSYNC_BASE_URL": web.URL, "TWILIO_ACCOUNT_SID": testAccount, "TWILIO_AUTH_TOKEN": "any", "FLEXSYNC_SECRET_token": testSecret, "GITHUB_ACTIONS": "true"}
			saved := filepath.Join(dir, "plan.json")
			for _, args := range [][]string{
				{"validate", flows}, {"validate", flows, "--format", "json"}, {"plan", flows}, {"plan", flows, "--compact"}, {"plan", flows, "--format", "markdown"},
				{"plan", flows, "--format", "json", "--out", saved, "--check-refs"}, {"apply", flows, "--dry-run", "--format", "json"},
				{"apply", "--plan", saved, "--yes", "--format", "json", "-v"}, {"apply", flows, "--yes", "-v"}, {"apply", flows, "--yes", "--format", "markdown"},
				{"apply", "--plan", saved, "--yes"},
			} {
				var out output // of two streams
				run(t.Context(), args, strings.NewReader(""), &out, &out, func(name string) (string, bool) {
					value, ok := env[name]
					return value, ok
				})
				leaked(t, strings.Join(args, " "), []byte(out.String()))
			}
			data, err := os.ReadFile(saved)
			if err != nil {
				t.Fatal(err)
			}
			leaked(t, "saved plan", data)
		})
	}
}
