package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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

// TestFleetSameAccount holds that a fleet with two entries for one account is refused
// as a whole, also if one of them cannot be read, and that this hides no other error.
func TestFleetSameAccount(t *testing.T) {
	t.Parallel()
	f := serveFleet(t, map[string]int{"a": 1, "b": 1, "bad": 1, "other": 2}, nil, nil)
	saved := filepath.Join(f.dir, "fleet.plan")
	if code, _, stderr := runWith(t, f.env, f.args("plan", "--out", saved)...); code != exitOK {
		t.Fatalf("plan: exit %d\n%s", code, stderr)
	}
	f.env["BAD_TWILIO_AUTH_TOKEN"] = "another-token"
	for name, token := range map[string]string{"right": f.env["A_TWILIO_AUTH_TOKEN"], "wrong": "another-token"} {
		f.env["B_TWILIO_ACCOUNT_SID"], f.env["B_TWILIO_AUTH_TOKEN"] = f.env["A_TWILIO_ACCOUNT_SID"], token
		for _, args := range [][]string{{"plan"}, {"apply", "--dry-run"}, {"apply", "--yes"}, {"apply", "--yes", "--keep-going"}} {
			code, stdout, stderr := runWith(t, f.env, f.args(append(args, "--format", "json")...)...)
			if code != exitRefused || !strings.Contains(stdout, `"code": "same-account"`) {
				t.Errorf("%s token, %q: exit %d\n%s", name, args, code, stdout)
			}
			if !strings.Contains(stderr, "flexsync: bad: ") || !strings.Contains(stderr, "fleet.yaml:4: refused (same-account): a and b are the same account: "+f.env["A_TWILIO_ACCOUNT_SID"]+"; nothing was changed\n    correct ") {
				t.Errorf("%s token, %q: it says\n%s", name, args, stderr)
			}
		}
	}
	// With a saved plan, the wrong account is one more thing that is wrong.
	code, _, stderr := runWith(t, f.env, f.args("apply", "--yes", "--keep-going", "--plan", saved)...)
	if code != exitRefused || !strings.Contains(stderr, "refused (same-account)") {
		t.Errorf("a saved plan: exit %d\n%s", code, stderr)
	}
	for name := range f.accounts {
		if n := f.writes(name); n > 0 {
			t.Errorf("%s got %d writes", name, n)
		}
	}
}

// TestFleetConnections holds that a run over many accounts keeps connections only to
// those under way, also when it fails.
func TestFleetConnections(t *testing.T) {
	t.Parallel()
	const accounts, atOnce = 64, 2
	waves := make(map[string]int)
	for i := range accounts {
		waves[fmt.Sprintf("a%d", i)] = 1
	}
	f := serveFleet(t, waves, nil, nil)
	saved := filepath.Join(f.dir, "fleet.plan")
	for _, args := range [][]string{{"list"}, {"plan", "--out", saved}, {"apply", "--plan", saved, "--yes"}, {"apply", "--yes"}, {"plan", "--only", "None"}, {"list", "wrong token"}, {"plan", "wrong token"}, {"apply", "--yes", "wrong token"}, {"apply", "--plan", saved, "--yes", "wrong token"}} {
		what := fmt.Sprint(args)
		if last := len(args) - 1; args[last] == "wrong token" {
			args = args[:last]
			for name := range f.env {
				if strings.HasSuffix(name, "TOKEN") {
					f.env[name] = "another-token"
				}
			}
		}
		f.most.Store(0)
		_, _, stderr := runWith(t, f.env, f.args(append(args, "--at-once", strconv.Itoa(atOnce))...)...)
		if n := f.most.Load(); n == 0 || n > accounts/2 {
			t.Errorf("%s: %d connections at once\n%.300s", what, n, stderr)
		}
	}
}

// TestFleetOfOne holds that one account of a fleet is in every byte as the same account
// alone, but for its heading.
func TestFleetOfOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	account, _ := manyFlows(2)
	fleetFile := filepath.Join(dir, "fleet.yaml")
	flows := filepath.Join(dir, "flows.yaml")
	writeText(t, flows, `version: 1
defaults: {chat_service_sid: IS00000000000000000000000000000001, channel_type: web}
flows:
  - {friendly_name: Many 0, long_lived: true, contact_identity: visitor}
  - {friendly_name: New}
`)
	writeText(t, fleetFile, "version: 1\naccounts:\n  one: {paths: [flows.yaml], local: account.json}\n")
	file := filepath.Join(dir, "account.json")
	const sids = `FO[0-9a-f]{32}`
	steady := func(text string) string {
		for with, re := range unsteady {
			text = re.ReplaceAllLiteralString(text, with)
		}
		return regexp.MustCompile(sids).ReplaceAllString(text, "FO")
	}
	for _, command := range [][]string{
		{"plan"}, {"plan", "--max-deletes", "0"}, {"apply", "--yes", "--parallelism", "1"}, {"apply", "--yes", "--max-deletes", "0"}, {"apply", "--dry-run"}, {"validate"}, {"list"},
	} {
		formats := []string{"text", "json"}
		switch command[0] {
		case "plan", "apply":
			formats = append(formats, "markdown")
		case "list":
			formats = []string{"table", "json"}
		}
		for _, format := range formats {
			var outs, errs [2]string
			var codes [2]int
			for i := range outs {
				writeText(t, file, account)
				args := append(slices.Clone(command), "--format", format)
				switch {
				case i == 1:
					args = append(args, "--fleet", fleetFile)
				case command[0] == "list":
					args = append(args, "--local", file)
				case command[0] == "validate":
					args = append(args, flows)
				default:
					args = append(args, flows, "--local", file)
				}
				codes[i], outs[i], errs[i] = runWith(t, nil, args...)
				outs[i], errs[i] = steady(outs[i]), steady(errs[i])
			}
			alone, fleet := outs[0], outs[1]
			what := strings.Join(command, " ") + " --format " + format
			if codes[0] != codes[1] {
				t.Errorf("%s: exit %d alone and %d in a fleet", what, codes[0], codes[1])
			}
			var parts []string // of the output alone, that the fleet has in this order
			switch format {
			case "json":
				parts = []string{`  "one": ` + strings.TrimSuffix(alone, "\n") + "}"}
			case "markdown":
				// The head and the foot are of the fleet.
				parts = regexp.MustCompile(`(?m)^(?:- |❌ |⚠️ |\| [^A]|\*\*[a-z]|[-+] |`+"```"+`).*\n`).FindAllString(alone, -1)
				if len(parts) == 0 {
					t.Errorf("%s: nothing to compare:\n%s", what, alone)
				}
			default:
				body := alone
				if command[0] == "plan" || command[0] == "apply" {
					var found bool
					if _, body, found = strings.Cut(alone, "\n\n"); !found { // below the account
						t.Errorf("%s: no account:\n%s", what, alone)
					}
				}
				if command[0] == "apply" && codes[0] == exitOK && command[1] == "--yes" {
					i := strings.LastIndex(body, "\nPlan: ")
					i += 1 + strings.IndexByte(body[i+1:], '\n') + 1
					parts = []string{body[:i], body[i:]} // the plan is that of all accounts, before any report
				} else {
					parts = []string{body}
				}
			}
			rest := fleet
			for _, part := range parts {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Errorf("%s: the fleet does not have\n%s\nbut\n%s", what, part, rest)
					break
				}
				rest = after
			}
		}
	}
}
