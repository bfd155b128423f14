package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestFleetCredentials holds that each account's requests carry its own credentials
// and no other's, also when an answer leads elsewhere, and that no output has any.
func TestFleetCredentials(t *testing.T) {
	t.Parallel()
	names := []string{"plain", "redirect", "page", "refused"}
	env := map[string]string{"TWILIO_ACCOUNT_SID": "AC" + strings.Repeat("f", 32), "TWILIO_AUTH_TOKEN": "nobodys-secret-nobodys-secret"}
	file := "version: 1\naccounts:\n"
	sids := make(map[string]string)
	for i, name := range names {
		prefix := strings.ToUpper(name)
		sids[name] = fmt.Sprintf("AC%032d", i+1)
		env[prefix+"_TWILIO_ACCOUNT_SID"] = sids[name]
		env[prefix+"_TWILIO_API_KEY"] = fmt.Sprintf("SK%032d", i+1)
		env[prefix+"_TWILIO_API_SECRET"] = name + "-secret-0123456789abcdef"
		file += fmt.Sprintf("  %s: {paths: [flows.yaml], credentials: %s}\n", name, prefix)
	}
	var mu sync.Mutex
	asked := make(map[string]int)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("a request went elsewhere: %s", r.URL)
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		for i, name := range names {
			if user != fmt.Sprintf("SK%032d", i+1) {
				continue
			}
			if password != name+"-secret-0123456789abcdef" {
				t.Errorf("%s: the key of one account with the secret of another", name)
			}
			mu.Lock()
			asked[name]++
			mu.Unlock()
			w.Header().Set("Content-Type", "application/json")
			next := "null"
			switch name {
			case "redirect":
				http.Redirect(w, r, elsewhere.URL+"/v1/FlexFlows", http.StatusFound)
				return
			case "refused":
				w.WriteHeader(http.StatusUnauthorized)
				fmt.Fprintf(w, `{"code": 20003, "message": "not %s:%s", "status": 401}`, user, password)
				return
			case "page":
				next = `"` + elsewhere.URL + `/v1/FlexFlows?Page=1"`
			}
			fmt.Fprintf(w, `{"flex_flows": [], "meta": {"key": "flex_flows", "page": 0, "page_size": 1000, "next_page_url": %s}}`, next)
			return
		}
		t.Errorf("a request of %q", user)
	}))
	defer server.Close()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, "fleet.yaml"), file)
	writeText(t, filepath.Join(dir, "flows.yaml"), "version: 1\nflows: [{friendly_name: A, channel_type: web, chat_service_sid: IS0123456789abcdef0123456789abcdef}]\n")
	for _, format := range []string{"text", "json", "markdown"} {
		code, stdout, stderr := runWith(t, env, "plan", "-v", "--fleet", filepath.Join(dir, "fleet.yaml"), "--base-url", server.URL, "--format", format)
		if code != exitError {
			t.Errorf("%s: exit %d\n%s", format, code, stderr)
		}
		if out := stdout + stderr; strings.Contains(out, "-secret-") {
			t.Errorf("%s: a secret in the output:\n%s", format, out)
		}
		for _, name := range names[1:] {
			if !strings.Contains(stderr, "flexsync: "+name+": ") || !strings.Contains(stderr, " account="+name) {
				t.Errorf("%s: nothing is said of %s:\n%s", format, name, stderr)
			}
		}
		if !strings.Contains(stdout, sids["plain"]) {
			t.Errorf("%s: the healthy account is not shown:\n%s", format, stdout)
		}
	}
	for _, name := range names {
		if asked[name] == 0 {
			t.Errorf("%s was not asked", name)
		}
	}
}
