package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
)

// fleetExample is the directory of examples/ about many accounts.
const fleetExample = "fleet"

var fleetAccounts = []string{"development", "staging", "production"}

// servedAccount is an embedded account behind HTTP, which tells what it was
// asked for.
type servedAccount struct {
	t      *testing.T
	server *emutest.Server
	url    string
	seen   int
}

// serve starts an account. Every listing is held until as many are under way
// as atOnce says; 0 holds none.
func serve(t *testing.T, seed string, atOnce int) *servedAccount {
	t.Helper()
	server, err := emutest.New(emulator.Options{Seed: []byte(seed)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan struct{}, atOnce)
	all := make(chan struct{})
	if atOnce > 0 {
		go func() {
			for range atOnce {
				<-arrived
			}
			close(all)
		}()
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if atOnce > 0 {
			select {
			case arrived <- struct{}{}:
			case <-all:
			}
			select {
			case <-all:
			case <-time.After(30 * time.Second):
				t.Errorf("%s waited for the other listings in vain", r.URL.Path)
			case <-r.Context().Done():
			}
		}
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	return &servedAccount{t: t, server: server, url: web.URL}
}

// run runs flexsync against the account.
func (s *servedAccount) run(want int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	env := map[string]string{"FLEXSYNC_BASE_URL": s.url, "TWILIO_ACCOUNT_SID": s.server.AccountSID(), "TWILIO_AUTH_TOKEN": "any"}
	var out, conversation bytes.Buffer
	code := run(context.WithoutCancel(s.t.Context()), args, strings.NewReader(""), &out, &conversation, func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	})
	if code != want {
		s.t.Fatalf("flexsync %s: exit %d, want %d\nstdout:\n%s\nstderr:\n%s", strings.Join(args, " "), code, want, &out, &conversation)
	}
	return out.String(), conversation.String()
}

// asked returns the paths that were listed since it was last called, sorted.
func (s *servedAccount) asked() []string {
	var paths []string
	requests := s.server.Requests()
	for _, r := range requests[s.seen:] {
		if r.Method == http.MethodGet {
			paths = append(paths, r.Path)
		}
	}
	s.seen = len(requests)
	slices.Sort(paths)
	return paths
}

// namedAccount has one of each product, with SIDs that end in its number, and
// what has no unique name.
func namedAccount(n int, flows string) string {
	return strings.NewReplacer("#", fmt.Sprintf("%031x", n), "FLOWS", flows).Replace(`{
	"account_sid": "AC#0", "flows": [FLOWS],
	"services": [{"sid": "IS#1", "friendly_name": "Flex Chat Service"}, {"sid": "IS#2", "friendly_name": "Twice"}, {"sid": "IS#3", "friendly_name": "Twice"},
		{"sid": "IS#4", "friendly_name": "two\nlines"}, {"sid": "IS#5", "friendly_name": null}, {"sid": "IS#6", "friendly_name": " yes: ${x} \u0023 \"quoted\" "}],
	"studio_flows": [{"sid": "FW#1", "friendly_name": "Messaging IVR"}, {"sid": "FW#2", "friendly_name": "Next IVR", "status": "draft"}],
	"workspaces": [
		{"sid": "WS#1", "friendly_name": "Flex", "workflows": [{"sid": "WW#1", "friendly_name": "Anyone"}, {"sid": "WW#2", "friendly_name": "Members"}],
			"task_channels": [{"sid": "TC#1", "unique_name": "default"}, {"sid": "TC#2", "unique_name": "sms"}]},
		{"sid": "WS#2", "friendly_name": "Back Office", "workflows": [{"sid": "WW#3", "friendly_name": "Anyone"}]}]}`)
}

func nsid(prefix string, account, n int) string { return fmt.Sprintf("%s%031x%x", prefix, account, n) }

// yamlFile writes a file of flows, each given in JSON.
func yamlFile(t *testing.T, flows ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flows.yaml")
	var b strings.Builder
	b.WriteString("version: 1\nflows:\n")
	for _, f := range flows {
		b.WriteString("  - " + f + "\n")
	}
	writeText(t, path, b.String())
	return path
}

const (
	bySID   = `{friendly_name: A, channel_type: sms, chat_service_sid: IS00000000000000000000000000000011, integration_type: studio, integration: {flow_sid: FW00000000000000000000000000000011}}`
	byName  = `{friendly_name: B, channel_type: sms, chat_service: Flex Chat Service, integration_type: studio, integration: {studio_flow: Messaging IVR}}`
	ofTasks = `{friendly_name: C, channel_type: sms, chat_service: Flex Chat Service, integration_type: task, integration: {workflow: Anyone, workspace: Flex, channel: sms}}`
)

var (
	pathFlows      = "/v1/FlexFlows"
	pathServices   = "/v1/Services"
	pathStudio     = "/v2/Flows"
	pathWorkspaces = "/v1/Workspaces"
	pathWorkflows  = "/v1/Workspaces/" + nsid("WS", 1, 1) + "/Workflows"
	pathChannels   = "/v1/Workspaces/" + nsid("WS", 1, 1) + "/TaskChannels"
)

// A workflow's name is looked up in the workspace that the flow ends up in.
func TestNamesWorkspaceInEffect(t *testing.T) {
	t.Parallel()
	task := fmt.Sprintf(`{"sid": "FO00000000000000000000000000000001", "friendly_name": "C", "channel_type": "sms", "chat_service_sid": %q, "enabled": true,
		"integration_type": "task", "integration": {"workspace_sid": %q, "workflow_sid": %q, "channel": "sms"}}`, nsid("IS", 1, 1), nsid("WS", 1, 2), nsid("WW", 1, 9))
	s := serve(t, namedAccount(1, task), 0)
	path := filepath.Join(t.TempDir(), "flows.yaml")
	for workflow, code := range map[string]int{"Anyone": exitOK, "Members": exitInput} {
		writeText(t, path, `version: 1
defaults: {chat_service: Flex Chat Service, integration: {workspace: Flex, channel: sms}}
flows:
  - friendly_name: C
    channel_type: sms
    integration_type: task
    integration: {workflow: `+workflow+`}
    ignore_changes: [integration.workspace_sid]
`)
		s.asked()
		_, stderr := s.run(code, "apply", "--yes", path)
		if code == exitInput && !strings.Contains(stderr, `flows.yaml:7:29: integration.workflow: flow "C": workspace `+nsid("WS", 1, 2)+` has no workflow named "Members"`) {
			t.Error(stderr)
		}
		asked := s.asked()
		for path, want := range map[string]bool{pathWorkflows: false, "/v1/Workspaces/" + nsid("WS", 1, 2) + "/Workflows": true, pathServices: true} {
			if slices.Contains(asked, path) != want {
				t.Errorf("asked for %q", asked)
			}
		}
	}
	integration := s.server.Flows()[0]["integration"].(map[string]any)
	if integration["workspace_sid"] != nsid("WS", 1, 2) || integration["workflow_sid"] != nsid("WW", 1, 3) {
		t.Errorf("integration %v", integration)
	}
}

// A listing of names that is another account's is refused like the flows, and
// the plan is printed.
func TestNamesOfAnotherAccount(t *testing.T) {
	t.Parallel()
	s := serve(t, namedAccount(1, ""), 0)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Accept-Encoding")
		answer := httptest.NewRecorder()
		s.server.ServeHTTP(answer, r)
		body := answer.Body.String()
		if r.URL.Path == pathStudio {
			body = strings.ReplaceAll(body, s.server.AccountSID(), nsid("AC", 7, 0))
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.Code)
		fmt.Fprint(w, body)
	}))
	defer web.Close()
	s.url = web.URL
	stdout, _ := s.run(exitRefused, "plan", yamlFile(t, byName))
	if !strings.Contains(stdout, "refused (wrong-account)") || !strings.Contains(stdout, nsid("AC", 7, 0)) || !strings.Contains(stdout, "Plan: ") {
		t.Error(stdout)
	}
}

// TestNamesAskLittle counts the listings of whole runs.
func TestNamesAskLittle(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		flows []string
		args  []string
		want  []string
	}{
		"SIDs only":       {[]string{bySID}, nil, []string{pathFlows}},
		"names":           {[]string{bySID, byName}, nil, []string{pathFlows, pathServices, pathStudio}},
		"tasks":           {[]string{byName, ofTasks}, nil, []string{pathFlows, pathServices, pathWorkspaces, pathWorkflows, pathStudio}},
		"only":            {[]string{bySID, byName, ofTasks}, []string{"--only", "A"}, []string{pathFlows}},
		"ignore":          {[]string{bySID, byName, ofTasks}, []string{"--ignore", "C"}, []string{pathFlows, pathServices, pathStudio}},
		"check":           {[]string{bySID}, []string{"--check-refs"}, []string{pathFlows, pathServices, pathStudio}},
		"check all":       {[]string{bySID, ofTasks}, []string{"--check-refs"}, []string{pathFlows, pathServices, pathWorkspaces, pathChannels, pathWorkflows, pathStudio}},
		"check what only": {[]string{bySID, ofTasks}, []string{"--check-refs", "--only", "A"}, []string{pathFlows, pathServices, pathStudio}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			acct := serve(t, namedAccount(1, ""), 0)
			file := yamlFile(t, test.flows...)
			acct.run(exitOK, append([]string{"plan", file}, test.args...)...)
			if have := acct.asked(); !slices.Equal(have, test.want) {
				t.Errorf("plan asked for\n%q, want\n%q", have, test.want)
			}
			acct.run(exitOK, append([]string{"apply", file, "--yes"}, test.args...)...)
			// Beside the flow listings of its own, apply asks for no more than plan.
			have := slices.DeleteFunc(acct.asked(), func(p string) bool { return p == pathFlows })
			if want := slices.DeleteFunc(slices.Clone(test.want), func(p string) bool { return p == pathFlows }); !slices.Equal(have, want) {
				t.Errorf("apply asked for\n%q, want\n%q", have, want)
			}
			acct.run(exitOK, append([]string{"plan", file, "--detailed-exitcode"}, test.args...)...)
		})
	}
}

// TestNamesAtOnce holds every listing until the flows and three products are
// all under way; with one after the other this would never end.
func TestNamesAtOnce(t *testing.T) {
	t.Parallel()
	acct := serve(t, namedAccount(1, ""), 4)
	acct.run(exitOK, "plan", yamlFile(t, byName, ofTasks))
	if n := len(acct.asked()); n != 5 {
		t.Errorf("%d listings, want 5", n)
	}
}

// TestNamesProblems is what is said of a name that the account does not have.
func TestNamesProblems(t *testing.T) {
	t.Parallel()
	acct := serve(t, namedAccount(1, ""), 0)
	file := filepath.Join(t.TempDir(), "flows.yaml")
	writeText(t, file, `version: 1
defaults:
  chat_service: flex chat service
flows:
  - friendly_name: A
    channel_type: web
    integration_type: task
    integration:
      workspace_sid: WS000000000000000000000000000000ff
      workflow: Anyone
  - friendly_name: B
    channel_type: web
    chat_service: Twice
  - {friendly_name: C, channel_type: web}
`)
	stdout, stderr := acct.run(exitInput, "plan", file, "--format", "json")
	for _, want := range []string{
		file + `:3:17: chat_service: flow "A" and 1 more: the account has no chat service named "flex chat service"`,
		`names are case-sensitive: there is "Flex Chat Service"`,
		file + `:10:17: integration.workflow: flow "A": the account has no workspace WS000000000000000000000000000000ff`,
		file + `:13:19: chat_service: flow "B": the account has 2 chat services named "Twice": ` + nsid("IS", 1, 2) + ", " + nsid("IS", 1, 3),
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr does not say %q:\n%s", want, stderr)
		}
	}
	var doc struct {
		Status   string
		Problems []struct {
			File         string
			Line, Column int
			Path         string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &doc); err != nil || doc.Status != "error" || len(doc.Problems) != 3 {
		t.Fatalf("%v, document %s", err, stdout)
	}
	if p := doc.Problems[1]; p.File != file || p.Line != 10 || p.Column != 17 || p.Path != "integration.workflow" {
		t.Errorf("problem %+v", p)
	}
	if len(acct.server.Flows()) > 0 {
		t.Error("something was written")
	}
	acct.run(exitInput, "apply", file, "--yes")
	if len(acct.server.Flows()) > 0 {
		t.Error("something was written")
	}
}

// TestNamesListingFails shows that a product that does not answer as it should
// is an error that says what it was asked for.
func TestNamesListingFails(t *testing.T) {
	t.Parallel()
	server, err := emutest.New(emulator.Options{Seed: []byte(namedAccount(1, ""))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == pathServices {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	acct := &servedAccount{t: t, server: server, url: web.URL}
	file := yamlFile(t, byName)
	_, stderr := acct.run(exitError, "plan", file)
	if want := "list chat services for the name at " + file + ":3:57: GET /v1/Services: HTTP 403"; !strings.Contains(stderr, want) {
		t.Errorf("stderr does not say %q:\n%s", want, stderr)
	}
	acct.run(exitOK, "plan", yamlFile(t, bySID))
}

func TestCheckRefsFlag(t *testing.T) {
	t.Parallel()
	acct := serve(t, namedAccount(1, ""), 0)
	file := yamlFile(t, strings.ReplaceAll(bySID, "IS0", "ISf"),
		`{friendly_name: D, channel_type: web, chat_service: Flex Chat Service, integration_type: studio, integration: {studio_flow: Next IVR}}`)
	text, _ := acct.run(exitOK, "plan", file, "--check-refs")
	markdown, _ := acct.run(exitOK, "plan", file, "--check-refs", "--format", "markdown")
	for _, text := range []string{text, strings.ReplaceAll(markdown, "`", "")} {
		for _, want := range []string{
			"ref-missing", `flow "A": chat_service_sid: the account has no chat service ISf`, file + ":3",
			"ref-draft", `("Next IVR") is a draft`, file + ":4",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the plan does not say %q:\n%s", want, text)
			}
		}
	}
	saved := filepath.Join(t.TempDir(), "plan.json")
	stdout, _ := acct.run(exitOK, "plan", file, "--check-refs", "--format", "json", "--out", saved)
	var doc struct {
		Warnings []struct {
			Code   string
			Source struct{ Line int }
		}
		Names map[string]string
	}
	if err := json.Unmarshal([]byte(stdout), &doc); err != nil {
		t.Fatal(err)
	}
	if w := doc.Warnings; len(w) != 2 || w[0].Code != "ref-missing" || w[0].Source.Line != 3 || w[1].Code != "ref-draft" || w[1].Source.Line != 4 {
		t.Errorf("warnings %+v", w)
	}
	if doc.Names[nsid("FW", 1, 2)] != "Next IVR" || doc.Names[nsid("FW", 1, 1)] != "Messaging IVR" {
		t.Errorf("names %v", doc.Names)
	}
	if _, stderr := acct.run(exitInput, "apply", "--plan", saved, "--check-refs", "--yes"); !strings.Contains(stderr, "--plan cannot be used with --check-refs") {
		t.Errorf("stderr:\n%s", stderr)
	}
	// The saved plan shows the names without asking again.
	acct.asked()
	if text, _ := acct.run(exitOK, "apply", "--plan", saved, "--yes"); !strings.Contains(text, nsid("FW", 1, 2)+" (Next IVR)") {
		t.Errorf("the saved plan does not show the name:\n%s", text)
	}
	if have := slices.Compact(acct.asked()); !slices.Equal(have, []string{pathFlows}) {
		t.Errorf("a saved plan asks for %q", have)
	}
}

// TestExportNames exports an account in which not everything has a name that
// will do, and takes the export to the same account and to its equal.
func TestExportNames(t *testing.T) {
	t.Parallel()
	flows := func(n int, order ...int) string {
		all := []string{
			`{"friendly_name": "Plain", "channel_type": "web", "chat_service_sid": "IS#1", "integration": {"flow_sid": "FW#1"}}`,
			`{"friendly_name": "Odd", "channel_type": "web", "chat_service_sid": "IS#6", "integration": {"flow_sid": "FW#2"}}`,
			`{"friendly_name": "Task", "channel_type": "sms", "chat_service_sid": "IS#1", "integration": {"workspace_sid": "WS#1", "workflow_sid": "WW#2", "channel": "sms"}}`,
			`{"friendly_name": "Same Name", "channel_type": "sms", "chat_service_sid": "IS#1", "integration": {"workspace_sid": "WS#2", "workflow_sid": "WW#3"}}`,
			`{"friendly_name": "None", "channel_type": "line", "chat_service_sid": "IS#1"}`,
			// What cannot be declared is ignored by its name, if that will do.
			`{"friendly_name": "No [service]", "channel_type": "line", "integration": {"flow_sid": "FW#1"}}`,
		}
		var list []string
		for _, i := range order {
			list = append(list, all[i])
		}
		return strings.ReplaceAll(strings.Join(list, ","), "#", fmt.Sprintf("%031x", n))
	}
	one := serve(t, namedAccount(1, flows(1, 0, 1, 2, 3, 4, 5)), 0)
	two := serve(t, namedAccount(2, flows(2, 5, 3, 1, 4, 2, 0)), 0)
	exports := make([]string, 2)
	for i, acct := range []*servedAccount{one, two} {
		exports[i], _ = acct.run(exitOK, "export", "--names")
		if sid := regexp.MustCompile(`\b[A-Z]{2}[0-9a-f]{32}\b`).FindString(exports[i]); sid != "" {
			t.Errorf("the export holds the SID %s:\n%s", sid, exports[i])
		}
	}
	if exports[0] != exports[1] {
		t.Errorf("equal accounts export other text:\n%s\n%s", exports[0], exports[1])
	}
	for _, want := range []string{
		"chat_service: Flex Chat Service\n", `chat_service: " yes: $${x} # \"quoted\" "`, "studio_flow: Messaging IVR", "workspace: Flex\n      workflow: Members",
		"workspace: Back Office\n      workflow: Anyone", `- "No \\[service]"`,
	} {
		if !strings.Contains(exports[0], want) {
			t.Errorf("the export does not say %q:\n%s", want, exports[0])
		}
	}
	file := filepath.Join(t.TempDir(), "export.yaml")
	writeText(t, file, exports[0])
	for _, acct := range []*servedAccount{one, two} {
		acct.run(exitOK, "plan", file, "--detailed-exitcode")
	}
	three := serve(t, namedAccount(3, ""), 0)
	three.run(exitOK, "apply", file, "--yes")
	three.run(exitOK, "plan", file, "--detailed-exitcode")

	// SIDs stay where no name says as much.
	rest := serve(t, namedAccount(4, strings.ReplaceAll(`
		{"friendly_name": "A", "channel_type": "web", "chat_service_sid": "IS#2"}, {"friendly_name": "B", "channel_type": "web", "chat_service_sid": "IS#4"},
		{"friendly_name": "C", "channel_type": "web", "chat_service_sid": "IS#5"}, {"friendly_name": "D", "channel_type": "web", "chat_service_sid": "IS#e"},
		{"friendly_name": "E", "channel_type": "web", "chat_service_sid": "IS#1", "integration": {"workspace_sid": "WS#2", "workflow_sid": "WW#1"}},
		{"friendly_name": "F", "channel_type": "web", "chat_service_sid": "IS#1", "integration": {"workspace_sid": "WS#1", "workflow_sid": "WW#1"}},
		{"friendly_name": "G", "channel_type": "web", "chat_service_sid": "IS#1", "integration": {"workspace_sid": "WS#e", "workflow_sid": "WW#e"}},
		{"friendly_name": "H", "channel_type": "web", "chat_service_sid": "IS#1"}, {"friendly_name": "H", "channel_type": "sms", "chat_service_sid": "IS#1"}`,
		"#", fmt.Sprintf("%031x", 4))), 0)
	text, _ := rest.run(exitOK, "export", "--names")
	for _, sid := range []string{nsid("IS", 4, 2), nsid("IS", 4, 4), nsid("IS", 4, 5), nsid("IS", 4, 14), nsid("WW", 4, 1), nsid("WS", 4, 14), nsid("WW", 4, 14), "sid: FO"} {
		if !strings.Contains(text, sid) {
			t.Errorf("%s is not in the export:\n%s", sid, text)
		}
	}
	writeText(t, file, text)
	rest.run(exitOK, "plan", file, "--detailed-exitcode")
}

// TestExportNamesAsksLittle shows that a plain export asks for flows only, and
// one with names for what the flows refer to.
func TestExportNamesAsksLittle(t *testing.T) {
	t.Parallel()
	acct := serve(t, namedAccount(1, `{"friendly_name": "A", "channel_type": "web", "chat_service_sid": "`+nsid("IS", 1, 1)+`"}`), 0)
	acct.run(exitOK, "export")
	if have := acct.asked(); !slices.Equal(have, []string{pathFlows}) {
		t.Errorf("export asked for %q", have)
	}
	acct.run(exitOK, "export", "--names")
	if have := acct.asked(); !slices.Equal(have, []string{pathFlows, pathServices}) {
		t.Errorf("export --names asked for %q", have)
	}
}

// fleetAccount is the example's emulated account of that name.
func fleetAccount(t *testing.T, name string) localAccount {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(examplesDir, fleetExample, "emulated", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return newLocalAccount(t, string(data))
}

// TestFleet is what the example promises: its files serve all its accounts,
// each with its own flows, numbers and SIDs.
func TestFleet(t *testing.T) {
	t.Parallel()
	fleet := filepath.Join(examplesDir, fleetExample)
	numbers := make(map[any]bool)
	for _, name := range fleetAccounts {
		acct := fleetAccount(t, name)
		input := []string{filepath.Join(fleet, "flows"), filepath.Join(fleet, "accounts", name+".yaml"), "--var-file", filepath.Join(fleet, "vars", name+".yaml")}
		runOffline(t, exitOK, append([]string{"validate"}, input...)...)
		if text := acct.run(exitChanges, append([]string{"plan", "--detailed-exitcode", "--check-refs"}, input...)...); strings.Contains(text, "ref-") {
			t.Errorf("%s lacks something:\n%s", name, text)
		}
		acct.run(exitOK, append([]string{"apply", "--yes"}, input...)...)
		acct.run(exitOK, append([]string{"plan", "--detailed-exitcode"}, input...)...)
		numbers[acct.flows()["Support SMS"]["contact_identity"]] = true

		export := filepath.Join(t.TempDir(), "export.yaml")
		writeText(t, export, acct.run(exitOK, "export", "--names"))
		acct.run(exitOK, "plan", "--detailed-exitcode", export)
	}
	if len(numbers) != len(fleetAccounts) {
		t.Errorf("the accounts have the numbers %v, want one each", numbers)
	}
}

// TestFleetOfEquals applies one directory to three accounts with other SIDs:
// nothing is left to do on any of them, and all export the same bytes.
func TestFleetOfEquals(t *testing.T) {
	t.Parallel()
	fleet := filepath.Join(examplesDir, fleetExample)
	var exports []string
	sids := make(map[any]bool)
	for _, name := range fleetAccounts {
		acct := fleetAccount(t, name)
		input := []string{filepath.Join(fleet, "flows"), "--var-file", filepath.Join(fleet, "vars", "production.yaml"),
			"--var", "account=" + acct.document()["account_sid"].(string)}
		acct.run(exitOK, append([]string{"apply", "--yes", "--ignore", "Sandbox *"}, input...)...)
		acct.run(exitOK, append([]string{"plan", "--detailed-exitcode"}, input...)...)
		sids[acct.flows()["Support SMS"]["integration"].(map[string]any)["flow_sid"]] = true
		acct.edit(func(flows []any) []any {
			return slices.DeleteFunc(flows, func(f any) bool {
				return strings.HasPrefix(f.(map[string]any)["friendly_name"].(string), "Sandbox ")
			})
		})
		exports = append(exports, acct.run(exitOK, "export", "--names"))
	}
	if len(sids) != 3 {
		t.Errorf("the accounts share SIDs: %v", sids)
	}
	if exports[0] != exports[1] || exports[1] != exports[2] {
		t.Errorf("the exports differ:\n%s", strings.Join(exports, "\n---\n"))
	}
	// The export of one is good for all.
	export := filepath.Join(t.TempDir(), "export.yaml")
	writeText(t, export, exports[0])
	for _, name := range fleetAccounts {
		acct := fleetAccount(t, name)
		acct.run(exitOK, "apply", "--yes", "--ignore", "Sandbox *", export)
		acct.run(exitOK, "plan", "--detailed-exitcode", "--ignore", "Sandbox *", export)
	}
}

// fleetShell runs a script in a copy of the example, with flexsync on PATH.
func fleetShell(t *testing.T, dir, script string, env ...string) string {
	t.Helper()
	cmd := exec.Command("sh", "-e", "-c", script)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}, env...)
	if cover := os.Getenv("GOCOVERDIR"); cover != "" {
		cmd.Env = append(cmd.Env, "GOCOVERDIR="+cover)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	return string(out)
}

func fleetCopy(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the commands are for a POSIX shell")
	}
	dir := filepath.Join(t.TempDir(), fleetExample)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(examplesDir, fleetExample))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestFleetREADME runs the page's commands, in its order, and holds what it shows
// against what they print. In the end all accounts are as the files say, the new one
// too, and the error that the page shows is the real one.
func TestFleetREADME(t *testing.T) {
	t.Parallel()
	dir := fleetCopy(t)
	const page = "examples/fleet/README.md"
	text := readme(t, page)
	if strings.Contains(text, "```sh\n") {
		t.Error("commands that no test runs: begin the block with ```sh run")
	}
	for _, b := range blocks(t, text) {
		checkPrinted(t, page, b.output, fleetShell(t, dir, b.script))
	}
	if out := fleetShell(t, dir, `flexsync plan --fleet emulated.yaml`); !strings.Contains(out, "Fleet: 4 accounts: 4 unchanged.") {
		t.Errorf("in the end:\n%s", out)
	}
	fleetShell(t, dir, `sed -i.bak 's/Webchat Flow/Webchat flow/' flows/web.yaml`)
	out := fleetShell(t, dir, `flexsync plan --fleet emulated.yaml --account staging 2>&1 >/dev/null || test $? = 3`)
	if !strings.Contains(text, "\n"+out+"```") {
		t.Errorf("the page does not show this error:\n%s", out)
	}
}
