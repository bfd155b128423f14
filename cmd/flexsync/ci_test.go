package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"flexsync/internal/emulator"
)

// The action, the workflows and the other files of examples/ci, run as the
// platforms would run them, against the embedded API.

var workflows = []string{
	"examples/ci/github/pull-request.yml", "examples/ci/github/deploy.yml", "examples/ci/github/drift.yml", "examples/fleet/workflow.yml",
}

const hostileName = "$(touch pwned) `id` ${{ secrets.X }} ::error::no\n<!-- flexsync:plan --> @everyone | ``` </details>"

// ciAccount is the account of these tests, and ciFlows a file that makes one
// change of each kind to it.
const (
	ciAccount = `{"account_sid": "` + testAccount + `", "flows": [
	{"sid": "FO000000000000000000000000000000a1", "friendly_name": "Support SMS", "channel_type": "sms", "contact_identity": "+15005550001",
	 "chat_service_sid": "IS00000000000000000000000000000001", "integration": {"flow_sid": "FW00000000000000000000000000000002"}},
	{"sid": "FO000000000000000000000000000000a2", "friendly_name": %q, "channel_type": "web",
	 "chat_service_sid": "IS00000000000000000000000000000001", "integration": {"flow_sid": "FW00000000000000000000000000000001"}}],
	"services": [{"sid": "IS00000000000000000000000000000001", "friendly_name": "Flex Chat Service"}],
	"studio_flows": [{"sid": "FW00000000000000000000000000000002", "friendly_name": "A", "status": "published"}]}`
	ciFlows = `version: 1
flows:
  - friendly_name: Support SMS
    channel_type: sms
    contact_identity: "+15005550009"
    chat_service_sid: IS00000000000000000000000000000001
    integration_type: studio
    integration: {flow_sid: FW00000000000000000000000000000002}
  - friendly_name: "New: $(touch pwned) ` + "`touch pwned`" + ` ::warning::no"
    channel_type: web
    chat_service_sid: IS00000000000000000000000000000001
    integration_type: studio
    integration: {flow_sid: FW00000000000000000000000000000002}
`
)

// ciServer serves the account, with the tests' credentials, and points the
// runner at it.
func ciServer(t *testing.T, fault func(*http.Request, int) emulator.Fault) (*emulator.Server, string) {
	t.Helper()
	server, err := emulator.New(emulator.Options{Seed: fmt.Appendf(nil, ciAccount, hostileName), AuthToken: testSecret, Fault: fault})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	return server, "FLEXSYNC_BASE_URL=" + web.URL
}

// actionRun runs the action on its own.
func (r *runner) action(with map[string]any) (outputs map[string]any, ran []string, exit int) {
	r.t.Helper()
	if with["paths"] == nil && with["plan-file"] == nil {
		with["paths"] = "flows.yaml"
	}
	job := &ghJob{
		Steps: []*ghStep{
			{Name: "Get the files", Uses: "actions/checkout@x"},
			{ID: "it", Name: "It", Uses: ownAction + "x", With: with, Env: map[string]string{
				"TWILIO_ACCOUNT_SID": "${{ secrets.TWILIO_ACCOUNT_SID }}", "TWILIO_API_KEY": "${{ secrets.TWILIO_API_KEY }}", "TWILIO_API_SECRET": "${{ secrets.TWILIO_API_SECRET }}",
			}},
		},
		Outputs: map[string]string{},
	}
	for name := range readAction(r.t).Outputs {
		job.Outputs[name] = "${{ steps.it.outputs." + name + " }}"
	}
	res := r.job(&ghWorkflow{Jobs: map[string]*ghJob{"it": job}}, "it", nil, nil)
	r.checkLog()
	return res.outputs, res.ran, res.exit
}

// ownCommand is what the action's scripts themselves tell the runner.
var ownCommand = regexp.MustCompile(`^::error title=flexsync (?:(?:plan|apply): exit \d+|action)::[A-Z a-z.,;:-]*$`)

// checkLog holds what every log promises: no secret, no command that is not
// ours, and nothing that a name made run.
func (r *runner) checkLog() {
	r.t.Helper()
	log := r.log.String()
	for _, line := range strings.Split(log, "\n") {
		if command.MatchString(line) && !annotation.MatchString(line) && !ownCommand.MatchString(line) {
			r.t.Errorf("the log holds the command %q", line)
		}
	}
	if strings.Contains(log, testSecret) {
		r.t.Error("the log holds the secret")
	}
	if pwned, _ := filepath.Glob(filepath.Join(r.dir, "*", "*", "pwned")); len(pwned) > 0 {
		r.t.Errorf("a name was run: %v", pwned)
	}
}

func pullRequest(number int) map[string]any {
	return map[string]any{"event_name": "pull_request", "event": map[string]any{"pull_request": map[string]any{
		"number": number, "base": map[string]any{"sha": "ba5e"}, "head": map[string]any{"repo": map[string]any{"full_name": "octo/flows"}},
	}}}
}

func wantOutputs(t *testing.T, have map[string]any, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if display(have[k]) != v {
			t.Errorf("output %s is %q, want %q", k, have[k], v)
		}
	}
}

func TestActionPlan(t *testing.T) {
	t.Parallel()
	r := newRunner(t, pullRequest(7))
	server, env := ciServer(t, nil)
	r.env = append(r.env, env)
	writeText(t, filepath.Join(r.checkout, "flows.yaml"), ciFlows)
	marker := "<!-- flexsync:plan " + testAccount + " -->"

	// Comments of others, one of them with the marker, fill more than a page.
	var known fakeIssues
	for i, login := range []string{"ann", "mallory", "github-actions[bot]", "bob"} {
		c := fakeComment{ID: i + 1, Issue: 7, Body: "hello"}
		c.User.Login = login
		if login == "mallory" {
			c.Body = marker + "\nall is well"
		}
		known.Comments = append(known.Comments, c)
	}
	r.setGH(&known)

	outputs, _, exit := r.action(map[string]any{"comment": true, "args": "--max-deletes=100%\n\n--check-refs\r\n"})
	if exit != 0 {
		t.Fatalf("exit %d\n%s", exit, &r.log)
	}
	want := map[string]string{"exit-code": "2", "has-changes": "true", "creates": "1", "updates": "1", "deletes": "1", "report-file": ""}
	wantOutputs(t, outputs, want)
	var plan struct {
		Changes []any `json:"changes"`
	}
	data, err := os.ReadFile(display(outputs["plan-file"]))
	if err != nil || json.Unmarshal(data, &plan) != nil || len(plan.Changes) != 3 {
		t.Errorf("plan file: %v, %d changes", err, len(plan.Changes))
	}
	summary, err := os.ReadFile(r.summary)
	if err != nil || !strings.HasPrefix(string(summary), marker) {
		t.Errorf("summary: %v\n%s", err, summary)
	}
	gh := r.gh()
	if len(gh.Comments) != 5 || gh.Comments[4].Body != string(summary) || gh.Comments[1].Body != marker+"\nall is well" {
		t.Fatalf("comments: %+v", gh.Comments)
	}
	for _, want := range []string{"1 to create, 1 to update, 1 to delete", "touch pwned"} {
		if !strings.Contains(gh.Comments[4].Body, want) {
			t.Errorf("the comment does not say %q:\n%s", want, gh.Comments[4].Body)
		}
	}
	if log := r.log.String(); !strings.Contains(log, "- delete ") || !strings.Contains(log, "https://github.com/octo/flows/") {
		t.Errorf("the log shows no plan or no address:\n%s", log)
	}

	// The next run replaces its own comment, and no other.
	writeText(t, filepath.Join(r.checkout, "flows.yaml"), "version: 1\nignore: [\"*\"]\nflows: []\n")
	outputs, _, exit = r.action(map[string]any{"comment": true})
	if exit != 0 {
		t.Fatalf("exit %d\n%s", exit, &r.log)
	}
	wantOutputs(t, outputs, map[string]string{"exit-code": "0", "has-changes": "false", "creates": "0", "updates": "0", "deletes": "0"})
	gh = r.gh()
	if len(gh.Comments) != 5 || !strings.Contains(gh.Comments[4].Body, "no changes") || gh.Comments[1].Body != marker+"\nall is well" {
		t.Errorf("comments: %+v", gh.Comments)
	}

	// What is refused or invalid replaces it, too, and turns the job red.
	writeText(t, filepath.Join(r.checkout, "flows.yaml"), "version: 1\nflows: []\n")
	outputs, ran, exit := r.action(map[string]any{"comment": "true"})
	if exit != exitRefused || !slices.Contains(ran, "Comment on the pull request") || !strings.Contains(r.gh().Comments[4].Body, "refused") {
		t.Errorf("exit %d after %q; the comment is\n%s", exit, ran, r.gh().Comments[4].Body)
	}
	wantOutputs(t, outputs, map[string]string{"exit-code": "4", "has-changes": "true", "deletes": "2"})

	writeText(t, filepath.Join(r.checkout, "flows.yaml"), "version: 1\nflows:\n  - friendly_nam: \"```` <b> @x\"\n")
	outputs, _, exit = r.action(map[string]any{"comment": "true"})
	gh = r.gh()
	if exit != exitInput || len(gh.Comments) != 5 || !strings.HasPrefix(gh.Comments[4].Body, marker+"\n### flexsync plan: the input is not valid (exit 3)\n\n    flexsync: flows.yaml:3:5: ") {
		t.Errorf("exit %d; the comment is\n%s", exit, gh.Comments[4].Body)
	}
	wantOutputs(t, outputs, map[string]string{"exit-code": "3", "has-changes": "", "creates": "", "plan-file": ""})
	if !strings.Contains(r.log.String(), "\n::error file=flows.yaml,line=3,col=5,") {
		t.Errorf("no annotation:\n%s", &r.log)
	}

	// A comment that could not be written is an error: the pull request shows an
	// older plan.
	gh.Refuse = "PATCH"
	r.setGH(gh)
	writeText(t, filepath.Join(r.checkout, "flows.yaml"), ciFlows)
	if _, _, exit = r.action(map[string]any{"comment": "true", "args": "--max-deletes=1"}); exit != 1 {
		t.Errorf("without permission: exit %d", exit)
	}
	for _, request := range server.Requests() {
		if request.Method != http.MethodGet {
			t.Errorf("plan sent %s", request.Method)
		}
	}
}

// TestActionInputs holds the inputs against what flexsync gets.
func TestActionInputs(t *testing.T) {
	t.Parallel()
	r := newRunner(t, map[string]any{"event_name": "push"})
	writeText(t, filepath.Join(r.checkout, "a b.yaml"), "")
	tool := filepath.Join(r.dir, "tool")
	writeText(t, tool, `#!/bin/sh
for arg; do printf '<%s>' "$arg"; done
echo
test -n "$INPUT_STOP" && exit 0
for arg; do case $arg in --out=*) echo '{"changes":[],"summary":{"create":0,"update":0,"delete":0}}' > "${arg#--out=}" ;; esac; done
`)
	if err := os.Chmod(tool, 0o700); err != nil {
		t.Fatal(err)
	}
	hostile := "x y\n$(touch pwned)\n;touch pwned\n'\"`touch pwned`\n-- --yes"
	var all string
	for line := range strings.SplitSeq(hostile, "\n") {
		all += "<--only=" + line + ">"
	}
	if err := os.Mkdir(filepath.Join(r.checkout, "in here"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeText(t, filepath.Join(r.checkout, "in here", "file"), "")
	outputs, _, exit := r.action(map[string]any{
		"binary": tool, "paths": "a b.yaml\n--yes", "var-file": "v 1\nv2", "only": hostile, "ignore": "i", "args": "--no-delete\n--var=a=b c", "working-directory": "in here", "plan-file": "p.json",
	})
	want := "<--var-file=v 1><--var-file=v2>" + all + "<--ignore=i><--no-delete><--var=a=b c><--step-summary><--><a b.yaml><--yes>\n"
	if exit != 0 || !strings.Contains(r.log.String(), want) || !strings.HasPrefix(lastLine(r.log.String(), "<plan>"), "<plan><--detailed-exitcode><--out=/") {
		t.Errorf("exit %d; want\n%s\nhave\n%s", exit, want, &r.log)
	}
	if path := display(outputs["plan-file"]); !strings.HasSuffix(path, "/in here/p.json") {
		t.Errorf("plan file %q", path)
	}

	for name, with := range map[string]map[string]any{
		"command":           {"command": "$(touch pwned)"},
		"working directory": {"working-directory": "nowhere"},
		"snapshot":          {"local": "nowhere.json"},
		"binary":            {"binary": "no-such-flexsync"},
		"output":            {"binary": tool, "plan-file": "a\nhas-changes=true"},
	} {
		outputs, _, exit := r.action(with)
		if exit != exitInput || display(outputs["has-changes"]) == "true" {
			t.Errorf("%s: exit %d, outputs %v", name, exit, outputs)
		}
	}
}

func lastLine(text, prefix string) string {
	last := ""
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			last = line
		}
	}
	return last
}

// TestActionApply runs apply to its exit codes.
func TestActionApply(t *testing.T) {
	t.Parallel()
	status := func(code int) func(*http.Request, int) emulator.Fault {
		return func(r *http.Request, _ int) (f emulator.Fault) {
			if r.Method == http.MethodPost {
				f.Status = code
			}
			return f
		}
	}
	for name, test := range map[string]struct {
		fault func(*http.Request, int) emulator.Fault
		args  string
		exit  int
		says  string
		want  map[string]string
	}{
		"done":    {nil, "--max-deletes=1", 0, "3 results", map[string]string{"has-changes": "true", "creates": "1", "updates": "1", "deletes": "1"}},
		"refused": {nil, "--max-deletes=0", exitRefused, "Refused by a guard", map[string]string{"has-changes": "", "creates": "", "report-file": "*"}},
		"partial": {status(http.StatusBadRequest), "--max-deletes=1", exitPartial, "A write failed", map[string]string{"has-changes": "true", "creates": "0", "updates": "0", "deletes": "0"}},
		"login": {func(*http.Request, int) emulator.Fault { return emulator.Fault{Status: http.StatusUnauthorized} }, "", exitError, "An error. The log has more.",
			map[string]string{"has-changes": "", "creates": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, map[string]any{"event_name": "push"})
			_, env := ciServer(t, test.fault)
			r.env = append(r.env, env)
			writeText(t, filepath.Join(r.checkout, "flows.yaml"), ciFlows)
			outputs, _, exit := r.action(map[string]any{"command": "apply", "args": test.args})
			if exit != test.exit {
				t.Fatalf("exit %d\n%s", exit, &r.log)
			}
			test.want["exit-code"] = fmt.Sprint(test.exit)
			for k, v := range test.want {
				if v == "*" {
					v = display(outputs[k])
					if v == "" {
						t.Errorf("no output %s", k)
					}
				}
				wantOutputs(t, outputs, map[string]string{k: v})
			}
			if test.exit != 0 && !strings.Contains(r.log.String(), "::error title=flexsync apply: exit "+fmt.Sprint(test.exit)+"::"+test.says) {
				t.Errorf("the log does not say %q:\n%s", test.says, &r.log)
			}
			summary, err := os.ReadFile(r.summary)
			if err != nil || !strings.Contains(string(summary), " "+testAccount+" -->\n### flexsync ") {
				t.Errorf("summary: %v\n%s", err, summary)
			}
		})
	}
}

// TestActionCancelled stops the job while flexsync writes: it is told, and says
// what it has done.
func TestActionCancelled(t *testing.T) {
	t.Parallel()
	r := newRunner(t, map[string]any{"event_name": "push"})
	begun := make(chan struct{}, 10)
	goOn := make(chan struct{})
	server, err := emulator.New(emulator.Options{Seed: fmt.Appendf(nil, ciAccount, "Other")})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost {
			begun <- struct{}{}
			<-goOn
		}
		server.ServeHTTP(w, req)
	}))
	t.Cleanup(web.Close)
	writeText(t, filepath.Join(r.dir, "flows.yaml"), ciFlows)
	binary, err := exec.LookPath("flexsync")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs(filepath.Join(repository, ".github/actions/flexsync"))
	if err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(r.dir, "output")
	// As the step does it: with exec.
	cmd := exec.CommandContext(t.Context(), "bash", "-c", `exec bash "$GITHUB_ACTION_PATH/run.sh"`)
	cmd.Dir = r.dir
	cmd.Env = append(r.env, "FLEXSYNC_BASE_URL="+web.URL, "TWILIO_ACCOUNT_SID="+testAccount, "TWILIO_AUTH_TOKEN="+testSecret,
		"GITHUB_ACTION_PATH="+dir, "GITHUB_OUTPUT="+output, "GITHUB_STEP_SUMMARY="+r.summary, "RUNNER_TEMP="+r.dir, "INPUT_BINARY="+binary,
		"INPUT_COMMAND=apply", "INPUT_PATHS=flows.yaml", "INPUT_VAR_FILE=", "INPUT_ONLY=", "INPUT_IGNORE=", "INPUT_ARGS=--max-deletes=1\n--parallelism=1",
		"INPUT_PLAN_FILE=", "INPUT_LOCAL=", "INPUT_WORKING_DIRECTORY=.", "INPUT_STEP_SUMMARY=true")
	cmd.Stdout, cmd.Stderr = &r.log, &r.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-begun:
	case <-time.After(30 * time.Second):
		t.Fatalf("nothing was written\n%s", &r.log)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second) // for the signal to arrive; without it the run ends as if there were none
	close(goOn)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &r.log)
	}
	text, err := os.ReadFile(output)
	if err != nil || !strings.Contains(string(text), "exit-code=130\n") || !strings.Contains(string(text), "updates=1\n") || !strings.Contains(string(text), "creates=0\n") {
		t.Errorf("%v, outputs\n%s\n%s", err, text, &r.log)
	}
}

// TestActionBuilds lets the action build flexsync, as it does without the input
// binary.
func TestActionBuilds(t *testing.T) {
	t.Parallel()
	r := newRunner(t, map[string]any{"event_name": "push"})
	r.build = true
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOTOOLCHAIN", "GOFLAGS"} {
		value, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		r.env = append(r.env, name+"="+strings.TrimSpace(string(value)))
	}
	writeText(t, filepath.Join(r.checkout, "flows.yaml"), ciFlows)
	writeText(t, filepath.Join(r.checkout, "snapshot.json"), fmt.Sprintf(ciAccount, "Old"))
	outputs, ran, exit := r.action(map[string]any{"local": "snapshot.json", "args": "--max-deletes=1", "step-summary": false})
	if exit != 0 || !slices.Contains(ran, "Build flexsync") {
		t.Fatalf("exit %d after %q\n%s", exit, ran, &r.log)
	}
	wantOutputs(t, outputs, map[string]string{"exit-code": "2", "deletes": "1"})
	if _, err := os.Stat(r.summary); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a summary that nobody asked for: %v", err)
	}
}

func TestWorkflowPullRequest(t *testing.T) {
	t.Parallel()
	w := readWorkflow(t, workflows[0])
	r := newRunner(t, pullRequest(12))
	_, env := ciServer(t, nil)
	r.env = append(r.env, env)
	writeText(t, filepath.Join(r.checkout, "flows.yaml"), strings.Replace(ciFlows, "version: 1", "version: 1\nignore: [FO000000000000000000000000000000a2]", 1))
	if res := r.job(w, "plan", nil, nil); res.result != "success" || len(r.gh().Comments) != 1 || r.gh().Comments[0].Issue != 12 {
		t.Errorf("%+v, %+v\n%s", res, r.gh(), &r.log)
	}
	if res := r.job(w, "plan-fork", nil, nil); res.result != "skipped" {
		t.Errorf("the job for forks: %+v", res)
	}
	snapshot := filepath.Join(r.dir, "snapshot.json")
	export := exec.CommandContext(t.Context(), "flexsync", "export", "--snapshot", snapshot)
	export.Env = append(os.Environ(), env, "TWILIO_ACCOUNT_SID="+testAccount, "TWILIO_AUTH_TOKEN="+testSecret, "GORACE=atexit_sleep_ms=0")
	if out, err := export.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	// From a fork: no secrets, no comment, and the base's snapshot.
	github := pullRequest(13)
	github["event"].(map[string]any)["pull_request"].(map[string]any)["head"] = map[string]any{"repo": map[string]any{"full_name": "mallory/flows"}}
	r = newRunner(t, github)
	r.secrets = map[string]any{}
	writeText(t, filepath.Join(r.checkout, "flows.yaml"), strings.Replace(ciFlows, "version: 1", "version: 1\nignore: [FO000000000000000000000000000000a2]", 1))
	writeText(t, filepath.Join(r.checkout, "snapshot.json"), `{"flows": []}`)
	data, err := os.ReadFile(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	writeText(t, filepath.Join(r.base, "snapshot.json"), string(data))
	if res := r.job(w, "plan", nil, nil); res.result != "skipped" {
		t.Errorf("a fork's plan with secrets: %+v", res)
	}
	res := r.job(w, "plan-fork", nil, nil)
	summary, _ := os.ReadFile(r.summary)
	if res.result != "success" || !strings.Contains(string(summary), "1 to create, 1 to update, 0 to delete") || len(r.gh().Calls) > 0 {
		t.Errorf("%+v, %+v\n%s\n%s", res, r.gh(), summary, &r.log)
	}
	r.checkLog()
}

func TestWorkflowDeploy(t *testing.T) {
	t.Parallel()
	w := readWorkflow(t, workflows[1])
	deploy := func(between func(*emulator.Server)) (*runner, map[string]jobResult) {
		r := newRunner(t, map[string]any{"event_name": "push", "ref": "refs/heads/main"})
		server, env := ciServer(t, nil)
		r.env = append(r.env, env)
		writeText(t, filepath.Join(r.checkout, "flows.yaml"), strings.Replace(ciFlows, "version: 1", "version: 1\nignore: [FO000000000000000000000000000000a2]", 1))
		done := map[string]jobResult{"plan": r.job(w, "plan", nil, nil)}
		between(server)
		done["apply"] = r.job(w, "apply", nil, done)
		r.checkLog()
		if done["plan"].result != "success" || display(done["plan"].outputs["has-changes"]) != "true" {
			t.Fatalf("%+v\n%s", done, &r.log)
		}
		return r, done
	}
	r, done := deploy(func(*emulator.Server) {})
	if done["apply"].result != "success" {
		t.Fatalf("%+v\n%s", done, &r.log)
	}
	for _, name := range []string{"report.json", "before.yaml"} {
		if _, err := os.Stat(filepath.Join(r.artifacts, "flexflows-report-1", name)); err != nil {
			t.Error(err)
		}
	}
	// Once more: there is nothing to do, and nothing to approve.
	again := map[string]jobResult{"plan": r.job(w, "plan", nil, nil)}
	if res := r.job(w, "apply", nil, again); again["plan"].result != "success" || res.result != "skipped" {
		t.Errorf("again: %+v, then %+v", again, res)
	}
	r.github["ref"] = "refs/heads/other"
	if res := r.job(w, "plan", nil, nil); res.result != "skipped" {
		t.Errorf("another branch: %+v", res)
	}

	// Somebody changes the account before the approval.
	r, done = deploy(func(server *emulator.Server) {
		if err := server.Edit(func(flows []map[string]any) []map[string]any {
			flows[0]["enabled"] = false
			return flows
		}); err != nil {
			t.Fatal(err)
		}
	})
	summary, _ := os.ReadFile(r.summary)
	if done["apply"].exit != exitStale || !strings.Contains(string(summary), "### flexsync apply: the saved plan is stale (exit 5)") || !strings.Contains(string(summary), "    flexsync: the saved plan is stale") ||
		!strings.Contains(string(summary), `"Support SMS"`) {
		t.Errorf("%+v\n%s", done, summary)
	}
	if !strings.Contains(r.log.String(), "::error title=flexsync apply: exit 5::The saved plan is stale") {
		t.Errorf("the log does not say it:\n%s", &r.log)
	}
}

func TestWorkflowDrift(t *testing.T) {
	t.Parallel()
	w := readWorkflow(t, workflows[2])
	r := newRunner(t, map[string]any{"event_name": "schedule"})
	server, env := ciServer(t, nil)
	r.env = append(r.env, env)
	flows := filepath.Join(r.checkout, "flows.yaml")
	night := func() *fakeIssues {
		t.Helper()
		if res := r.job(w, "drift", nil, nil); res.result != "success" {
			t.Fatalf("%+v\n%s", res, &r.log)
		}
		r.checkLog()
		return r.gh()
	}
	const ignored = "version: 1\nignore: [FO000000000000000000000000000000a2]"
	same := strings.Replace(strings.Replace(ciFlows[:strings.Index(ciFlows, "  - friendly_name: \"New")], "version: 1", ignored, 1), "550009", "550001", 1)
	writeText(t, flows, same)
	if gh := night(); len(gh.Issues) != 0 {
		t.Errorf("no drift: %+v", gh)
	}

	edit := func(number string) {
		if err := server.Edit(func(flows []map[string]any) []map[string]any {
			flows[0]["contact_identity"] = number
			return flows
		}); err != nil {
			t.Fatal(err)
		}
	}
	// Somebody else's issue with the marker stays as it is, and so does a pull
	// request.
	var known fakeIssues
	for i, login := range []string{"mallory", "github-actions[bot]", "ann"} {
		c := fakeComment{ID: i + 1, Number: i + 1, Body: "<!-- flexsync:plan " + testAccount + " -->\nx"}
		c.User.Login = login
		if i == 1 {
			c.PullRequest = map[string]any{"url": "x"}
		}
		known.Issues = append(known.Issues, c)
	}
	r.setGH(&known)
	edit("+15005550007")
	gh := night()
	if len(gh.Issues) != 4 || gh.Issues[3].Title != "The Flex Flows are not as main says" || !strings.Contains(gh.Issues[3].Body, "+15005550007") {
		t.Fatalf("drift: %+v", gh)
	}
	edit("+15005550008")
	if gh = night(); len(gh.Issues) != 4 || !strings.Contains(gh.Issues[3].Body, "+15005550008") || gh.Issues[3].State == "closed" {
		t.Errorf("drift, the second night: %+v", gh)
	}
	edit("+15005550001")
	if gh = night(); len(gh.Issues) != 4 || gh.Issues[3].State != "closed" || gh.Issues[0].State == "closed" {
		t.Errorf("no drift any more: %+v", gh)
	}

	// A refused plan is drift, and red; invalid YAML says nothing of the account.
	writeText(t, flows, "version: 1\nflows: []\n")
	if res := r.job(w, "drift", nil, nil); res.exit != exitRefused || len(r.gh().Issues) != 5 {
		t.Errorf("refused: %+v, %+v", res, r.gh())
	}
	calls := len(r.gh().Calls)
	writeText(t, flows, "version: 2\n")
	if res := r.job(w, "drift", nil, nil); res.exit != exitInput || len(r.gh().Calls) != calls {
		t.Errorf("invalid: %+v, %+v", res, r.gh())
	}
}

// TestWorkflowFleet runs the workflow over many accounts for each of them.
func TestWorkflowFleet(t *testing.T) {
	t.Parallel()
	w := readWorkflow(t, workflows[3])
	for _, name := range []string{"plan", "apply"} {
		if have := w.Jobs[name].Strategy.Matrix["account"]; !slices.Equal(have, fleetAccounts) {
			t.Errorf("job %s is over %q", name, have)
		}
	}
	r := newRunner(t, pullRequest(3))
	if err := os.CopyFS(r.checkout, os.DirFS(filepath.Join(examplesDir, fleetExample))); err != nil {
		t.Fatal(err)
	}
	r.secrets = map[string]any{"TWILIO_ACCOUNT_SID": "", "TWILIO_API_KEY": "", "TWILIO_API_SECRET": ""}
	machine := r.env
	for _, name := range fleetAccounts {
		r.env = append(slices.Clone(machine), "FLEXSYNC_LOCAL="+filepath.Join(r.checkout, "emulated", name+".json"))
		matrix := map[string]any{"account": name}
		for _, event := range []string{"pull_request", "push"} {
			r.github["event_name"] = event
			for job, only := range map[string]string{"plan": "pull_request", "apply": "push"} {
				want := "skipped"
				if event == only {
					want = "success"
				}
				if res := r.job(w, job, matrix, nil); res.result != want {
					t.Errorf("%s, %s on %s: %+v\n%s", name, job, event, res, &r.log)
				}
			}
		}
	}
	if gh := r.gh(); len(gh.Comments) != len(fleetAccounts) {
		t.Errorf("%d comments, want one for each account: %+v", len(gh.Comments), gh.Comments)
	}
	r.checkLog()
}

// TestWorkflowsAreCareful holds what a reviewer of a workflow looks for.
func TestWorkflowsAreCareful(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40}$`)
	steps := func(file string, steps []*ghStep) {
		for _, s := range steps {
			if s.Uses != "" && !pinned.MatchString(s.Uses) && s.Uses != ownAction+release {
				t.Errorf("%s: %s is not pinned", file, s.Uses)
			}
			if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
				t.Errorf("%s: a checkout keeps the token", file)
			}
			if strings.Contains(s.Run, "${{") {
				t.Errorf("%s: step %q has an expression in its script", file, s.Name)
			}
		}
	}
	for _, file := range workflows {
		w := readWorkflow(t, file)
		if !maps.Equal(w.Permissions, map[string]string{"contents": "read"}) {
			t.Errorf("%s: permissions %v", file, w.Permissions)
		}
		for name, job := range w.Jobs {
			steps(file, job.Steps)
			if w.Concurrency == nil && job.Concurrency == nil {
				t.Errorf("%s: job %s may overlap with itself", file, name)
			}
			if job.Timeout == 0 {
				t.Errorf("%s: job %s has no timeout", file, name)
			}
			for what, level := range job.Permissions {
				if level == "write" && what != "pull-requests" && what != "issues" {
					t.Errorf("%s: job %s may write %s", file, name, what)
				}
			}
		}
		data, err := os.ReadFile(filepath.Join(repository, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`@[0-9a-f]{40}(.*)`).FindAllStringSubmatch(string(data), -1) {
			if !regexp.MustCompile(`^ # v\d+\.\d+\.\d+$`).MatchString(m[1]) {
				t.Errorf("%s: a pin does not say its version: %q", file, m[0])
			}
		}
	}
	action := readAction(t)
	steps("action.yml", action.Runs.Steps)
	for _, s := range action.Runs.Steps {
		if s.Run != "" && s.Shell != "bash" {
			t.Errorf("action.yml: step %q has the shell %q", s.Name, s.Shell)
		}
	}
}

// lintTree is a directory as a repository that uses the workflows has it, with
// the action in place.
func lintTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, ".github/actions/flexsync"), os.DirFS(filepath.Join(repository, ".github/actions/flexsync"))); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{".git", ".github/workflows"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range workflows {
		data, err := os.ReadFile(filepath.Join(repository, file))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), ownAction+release, "./.github/actions/flexsync")
		writeText(t, filepath.Join(dir, ".github/workflows", strings.ReplaceAll(file, "/", "-")), text)
	}
	return dir
}

// unreachable is what the tools say when a module or package cannot be fetched.
var unreachable = regexp.MustCompile(`(?i)dial tcp|no such host|lookup |i/o timeout|connection refused|module lookup disabled|ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|40[34] (Forbidden|Not Found)|410 Gone|proxyconnect`)

// fetched skips a test whose tool cannot be fetched.
func fetched(t *testing.T, what string, out []byte, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if unreachable.Match(out) {
		t.Skipf("%s cannot be fetched:\n%s", what, out)
	}
	t.Fatalf("%s: %v\n%s", what, err, out)
}

const actionlintModule = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"

// TestWorkflowsLint runs actionlint, which also knows the action's inputs and
// outputs, and has shellcheck look at the scripts where that is installed.
func TestWorkflowsLint(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	install := exec.CommandContext(t.Context(), "go", "install", actionlintModule)
	install.Env = append(os.Environ(), "GOBIN="+bin)
	out, err := install.CombinedOutput()
	fetched(t, "actionlint", out, err)
	dir := lintTree(t)
	lint := exec.CommandContext(t.Context(), filepath.Join(bin, "actionlint"), "-no-color")
	lint.Dir = dir
	if out, err := lint.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// It would say so.
	file := filepath.Join(dir, ".github/workflows/examples-ci-github-deploy.yml")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeText(t, file, strings.Replace(string(data), "plan-file: ", "plan-fil: ", 1))
	lint = exec.CommandContext(t.Context(), filepath.Join(bin, "actionlint"), "-no-color")
	lint.Dir = dir
	if out, err := lint.CombinedOutput(); err == nil || !bytes.Contains(out, []byte(`input "plan-fil" is not defined`)) {
		t.Errorf("actionlint does not find a wrong input: %v\n%s", err, out)
	}
}

// npm installs a package in a directory of its own and returns its command.
func npm(t *testing.T, packages ...string) string {
	t.Helper()
	needs(t, "node", "npm")
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "npm", append([]string{"install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir}, packages...)...)
	out, err := cmd.CombinedOutput()
	fetched(t, packages[0], out, err)
	return filepath.Join(dir, "node_modules", ".bin")
}

// TestWorkflowsSchema holds the action and the workflows against the schemas of
// SchemaStore.
func TestWorkflowsSchema(t *testing.T) {
	t.Parallel()
	bin := npm(t, "@action-validator/cli@0.6.0", "@action-validator/core@0.6.0")
	dir := lintTree(t)
	files, err := filepath.Glob(filepath.Join(dir, ".github/workflows/*.yml"))
	if err != nil || len(files) != len(workflows) {
		t.Fatal(err, files)
	}
	for _, file := range append(files, filepath.Join(dir, ".github/actions/flexsync/action.yml")) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "action-validator"), file)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// TestShellScripts has bash read every script, and shellcheck where it is
// installed.
func TestShellScripts(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the scripts are for a POSIX system")
	}
	needs(t, "bash")
	scripts := globbed(t, filepath.Join(repository, ".github/actions/flexsync/*.sh"))
	if len(scripts) != 4 {
		t.Errorf("%d scripts", len(scripts))
	}
	dir := t.TempDir()
	add := func(name, text string) {
		path := filepath.Join(dir, name+".sh")
		writeText(t, path, "#!/usr/bin/env bash\nset -eo pipefail\n"+text)
		scripts = append(scripts, path)
	}
	for _, s := range readWorkflow(t, workflows[2]).Jobs["drift"].Steps {
		if s.Run != "" {
			add("drift", s.Run)
		}
	}
	for name, job := range readGitLab(t).jobs {
		add("gitlab-"+name, job.script())
	}
	for _, path := range scripts {
		if out, err := exec.CommandContext(t.Context(), "bash", "-n", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
	needs(t, "shellcheck")
	out, err := exec.CommandContext(t.Context(), "shellcheck", append([]string{"--severity=style"}, scripts...)...).CombinedOutput()
	if err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
}

// TestCIREADME holds the page against the files: what it links to, and the
// action's inputs and outputs.
func TestCIREADME(t *testing.T) {
	t.Parallel()
	text := readme(t, "examples/ci/README.md")
	for _, m := range regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(repository, "examples/ci", m[1])); err != nil {
			t.Error(err)
		}
	}
	action := readAction(t)
	names := func(from, to string) []string {
		_, below, _ := strings.Cut(text, from)
		below, _, _ = strings.Cut(below, to)
		var found []string
		for line := range strings.Lines(below) {
			first, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
			for _, m := range codeRE.FindAllStringSubmatch(first, -1) {
				found = append(found, m[1])
			}
		}
		return found
	}
	compareSets(t, "input", names("| Input |", "| Output |"), slices.Sorted(maps.Keys(action.Inputs)))
	compareSets(t, "output", names("| Output |", "\n\nThere is"), slices.Sorted(maps.Keys(action.Outputs)))
}
