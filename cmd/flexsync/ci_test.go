package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"

	"gopkg.in/yaml.v3"
)

// What flexsync offers to CI platforms: the action's scripts and those inside of
// the examples run with the real bash against the embedded API, with the inputs
// set as the platform sets them, in the environment; and the files are held
// against what the pages say of them. Whether a platform accepts the files is for
// its own tools to say: see internal/platform.

const (
	actionDir      = ".github/actions/flexsync"
	gitlabFile     = "examples/ci/gitlab/.gitlab-ci.yml"
	kubernetesFile = "examples/ci/kubernetes/cronjob.yaml"
	fleetCronJob   = "examples/ci/kubernetes/fleet-cronjob.yaml"
	ownAction      = "your-organisation/flexsync/" + actionDir + "@"
)

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
func ciServer(t *testing.T, fault func(*http.Request, int) emutest.Fault) (*emutest.Server, string) {
	t.Helper()
	server, err := emutest.New(emulator.Options{Seed: fmt.Appendf(nil, ciAccount, hostileName), AuthToken: testSecret}, fault)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	return server, "FLEXSYNC_BASE_URL=" + web.URL
}

// ghStep is a step of a workflow or of the action, as far as the tests look.
type ghStep struct {
	ID, Name, If, Uses, Run, Shell string
	Env                            map[string]string
	With                           map[string]any
}

type ghWorkflow struct {
	Permissions map[string]string
	Concurrency any
	Jobs        map[string]*struct {
		Timeout     int `yaml:"timeout-minutes"`
		Permissions map[string]string
		Concurrency any
		Strategy    struct{ Matrix map[string][]string }
		Steps       []*ghStep
	}
}

type ghAction struct {
	Inputs  map[string]struct{ Default string }
	Outputs map[string]any
	Runs    struct{ Steps []*ghStep }
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readme(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// needs skips a test without the programs that it is about.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}

// machine is a directory in which scripts run, with programs and variables of its
// own.
type machine struct {
	t   *testing.T
	dir string
	env []string
	log bytes.Buffer // what all scripts said
}

func newMachine(t *testing.T, programs ...string) *machine {
	t.Helper()
	if testing.Short() {
		t.Skip("scripts start no goroutine")
	}
	needs(t, append([]string{"bash", "jq"}, programs...)...)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	binary, err := exec.LookPath("flexsync")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(dir, "bin/flexsync")); err != nil {
		t.Fatal(err)
	}
	env := []string{
		"PATH=" + filepath.Join(dir, "bin") + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "GORACE=atexit_sleep_ms=0", "CI=true",
		"TWILIO_ACCOUNT_SID=" + testAccount, "TWILIO_API_KEY=" + testKey, "TWILIO_API_SECRET=" + testSecret,
	}
	if cover := os.Getenv("GOCOVERDIR"); cover != "" {
		env = append(env, "GOCOVERDIR="+cover)
	}
	return &machine{t: t, dir: dir, env: env}
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

func (m *machine) write(name, text string) {
	m.t.Helper()
	writeText(m.t, m.path(name), text)
}

// read is a file's text, "" when it is not there.
func (m *machine) read(name string) string {
	m.t.Helper()
	data, err := os.ReadFile(m.path(name))
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	return string(data)
}

// program puts a shell script into the PATH.
func (m *machine) program(name, script string) {
	m.t.Helper()
	if err := os.WriteFile(m.path("bin/"+name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		m.t.Fatal(err)
	}
}

// command is a script as a platform starts it.
func (m *machine) command(script string, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(m.t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	cmd.Dir = m.dir
	cmd.Env = append(slices.Clone(m.env), env...)
	return cmd
}

// run runs a script and holds what every log promises: no secret, no command that
// is not ours, and nothing that a name made run.
func (m *machine) run(script string, env ...string) (said string, exit int) {
	m.t.Helper()
	cmd := m.command(script, env...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		m.t.Fatal(err)
	}
	said = string(out)
	m.log.WriteString(said)
	for line := range strings.Lines(said) {
		if command.MatchString(line) && !annotation.MatchString(line) && !ownCommand.MatchString(line) {
			m.t.Errorf("the log holds the command %q", line)
		}
	}
	if strings.Contains(said, testSecret) {
		m.t.Error("the log holds the secret")
	}
	for _, place := range []string{"pwned", "in here/pwned"} {
		if _, err := os.Lstat(m.path(place)); err == nil {
			m.t.Error("a name was run")
		}
	}
	return said, cmd.ProcessState.ExitCode()
}

// ownCommand is what the action's scripts themselves tell the runner.
var ownCommand = regexp.MustCompile(`^::error title=flexsync (?:(?:plan|apply): exit \d+|action)::[A-Za-z0-9_ .,;:'()-]*\n?$`)

// action is the action on a machine that stands for a runner of GitHub's.
type action struct {
	*machine
	file    ghAction
	account *emutest.Server
}

func newAction(t *testing.T, fault func(*http.Request, int) emutest.Fault) *action {
	t.Helper()
	a := &action{machine: newMachine(t)}
	readYAML(t, actionDir+"/action.yml", &a.file)
	dir, err := filepath.Abs(filepath.Join(repository, actionDir))
	if err != nil {
		t.Fatal(err)
	}
	server, env := ciServer(t, fault)
	a.account = server
	a.env = append(a.env, env, "GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=octo/flows", "GITHUB_SERVER_URL=https://github.com", "GITHUB_RUN_ID=42",
		"GITHUB_ACTION_PATH="+dir, "GITHUB_OUTPUT="+a.path("outputs"), "GITHUB_STEP_SUMMARY="+a.path("summary.md"), "RUNNER_TEMP="+a.dir, "INPUT_BINARY=flexsync")
	return a
}

// step is a step of the action, by what its script is.
func (a *action) step(script string) *ghStep {
	a.t.Helper()
	for _, s := range a.file.Runs.Steps {
		if strings.Contains(s.Run, "/"+script) {
			return s
		}
	}
	a.t.Fatalf("no step of the action runs %s", script)
	return nil
}

// inputs is the environment of the step that runs flexsync: each input as the
// workflow gives it, or else its default.
func (a *action) inputs(with map[string]string) []string {
	a.t.Helper()
	var env []string
	for variable, value := range a.step("run.sh").Env {
		name, ok := strings.CutPrefix(value, "${{ inputs.")
		name, closed := strings.CutSuffix(name, " }}")
		if variable == "INPUT_BINARY" {
			continue
		}
		_, known := a.file.Inputs[name]
		if !ok || !closed || !known || variable != "INPUT_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")) {
			a.t.Errorf("the step's %s is %s", variable, value)
		}
		env = append(env, variable+"="+a.input(with, name))
	}
	return env
}

// input is the value of an input: as the workflow gives it, or else its default.
func (a *action) input(with map[string]string, name string) string {
	if given, ok := with[name]; ok {
		return given
	}
	return a.file.Inputs[name].Default
}

// flexsync runs the action's steps that run flexsync and tell its result. It
// returns the outputs and the exit code of the action.
func (a *action) flexsync(with map[string]string) (outputs map[string]string, exit int) {
	a.t.Helper()
	a.write("outputs", "")
	a.write("summary.md", "")
	_, exit = a.run(a.step("run.sh").Run, a.inputs(with)...)
	outputs = make(map[string]string)
	for line := range strings.Lines(a.read("outputs")) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if _, known := a.file.Outputs[name]; !ok || !known {
			a.t.Errorf("output %q", line)
		}
		outputs[name] = value
	}
	if code := outputs["exit-code"]; code != "" {
		_, exit = a.run(a.step("result.sh").Run, "COMMAND="+a.input(with, "command"), "FLEET="+a.input(with, "fleet"), "CODE="+code)
	}
	return outputs, exit
}

// checkOutputs reports the outputs that are not as wanted; "*" is any but none.
func checkOutputs(t *testing.T, have, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if have[name] != value && (value != "*" || have[name] == "") {
			t.Errorf("output %s is %q, want %q", name, have[name], value)
		}
	}
}

// ciUpdate is ciFlows without its deletion.
var ciUpdate = strings.Replace(ciFlows, "version: 1", "version: 1\nignore: [FO000000000000000000000000000000a2]", 1)

func TestActionPlan(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		flows  string
		args   string
		exit   int
		want   map[string]string
		says   []string // the summary
		logged string
	}{
		"changes": {
			ciFlows, "--max-deletes=100%\n\n--check-refs\r\n", 0,
			map[string]string{"exit-code": "2", "has-changes": "true", "creates": "1", "updates": "1", "deletes": "1", "plan-file": "*", "report-file": ""},
			[]string{"1 to create, 1 to update, 1 to delete", "touch pwned"}, "- delete ",
		},
		"none": {
			"version: 1\nignore: [\"*\"]\nflows: []\n", "--check-refs", 0,
			map[string]string{"exit-code": "0", "has-changes": "false", "creates": "0", "updates": "0", "deletes": "0"},
			[]string{"no changes"}, "No changes",
		},
		"refused": {
			"version: 1\nflows: []\n", "--check-refs", exitRefused,
			map[string]string{"exit-code": "4", "has-changes": "true", "deletes": "2"},
			[]string{"refused"}, "::error title=flexsync plan: exit 4::Refused",
		},
		"invalid": {
			"version: 1\nflows:\n  - friendly_nam: \"```` <b> @x\"\n", "--check-refs", exitInput,
			map[string]string{"exit-code": "3", "has-changes": "", "creates": "", "plan-file": ""},
			[]string{"\n### flexsync plan: the input is not valid (exit 3)\n\n    flexsync: flows.yaml:3:5: "}, "\n::error file=flows.yaml,line=3,col=5,",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAction(t, nil)
			a.write("flows.yaml", test.flows)
			outputs, exit := a.flexsync(map[string]string{"paths": "flows.yaml", "args": test.args})
			if exit != test.exit || !strings.Contains("\n"+a.log.String(), test.logged) {
				t.Errorf("exit %d, want %d and %q in\n%s", exit, test.exit, test.logged, &a.log)
			}
			checkOutputs(t, outputs, test.want)
			summary := a.read("summary.md")
			if markdown, err := os.ReadFile(outputs["markdown-file"]); err != nil || string(markdown) != summary {
				t.Errorf("the Markdown is not the summary: %v\n%s", err, markdown)
			}
			for _, want := range append(test.says, "<!-- flexsync:plan "+testAccount+" -->\n") {
				if !strings.Contains(summary, want) {
					t.Errorf("the summary does not say %q:\n%s", want, summary)
				}
			}
			for _, request := range a.account.Requests() {
				if request.Method != http.MethodGet {
					t.Errorf("plan sent %s", request.Method)
				}
			}
		})
	}
}

// fakeGH stands for GitHub's command: it lists the comments in the file listed, and
// writes down in asked what it is asked.
const fakeGH = `[ "$GH_TOKEN $GH_HOST $1" = "ghs_t0ken github.com api" ] || exit 9
shift
echo "$*" >>asked
case $1 in --paginate) cat listed ;; *) test -z "$GH_REFUSES" && echo done ;; esac
`

// TestActionComment has the script find its own comment, in what gh lists, and
// replace it.
func TestActionComment(t *testing.T) {
	t.Parallel()
	const marker = "<!-- flexsync:plan " + testAccount + " -->"
	comment := func(id int, login, body string) string {
		return fmt.Sprintf(`{"id": %d, "user": {"login": %q}, "body": %q}`, id, login, body)
	}
	others := comment(1, "ann", "hello") + "," + comment(2, "mallory", marker+"\nall is well") + "," + comment(3, "github-actions[bot]", "x\n"+marker)
	for name, test := range map[string]struct {
		listed string // gh prints the pages of a list one behind the other
		env    []string
		exit   int
		asks   string // the last request
		says   string
	}{
		"first":     {"[" + others + "][]", nil, 0, "--method POST repos/octo/flows/issues/7/comments -F body=@comment.md --jq .html_url", "done"},
		"next":      {"[" + others + "][" + comment(4, "github-actions[bot]", marker+"\r\nold") + "]", nil, 0, "--method PATCH repos/octo/flows/issues/comments/4 -F body=@comment.md --jq .html_url", "done"},
		"forbidden": {"[]", []string{"GH_REFUSES=1"}, 1, "--method POST repos/octo/flows/issues/7/comments -F body=@comment.md --jq .html_url", "pull-requests: write"},
		"nowhere":   {"[]", []string{"INPUT_PULL_REQUEST="}, 1, "", "no pull request"},
		"nothing":   {"[]", []string{"INPUT_MARKDOWN=flows.yaml"}, 1, "", "does not begin with a marker"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAction(t, nil)
			a.program("gh", fakeGH)
			a.write("listed", test.listed)
			a.write("flows.yaml", ciFlows)
			a.write("comment.md", marker+"\n### $(touch pwned)\n")
			env := []string{"GH_TOKEN=ghs_t0ken", "INPUT_AUTHOR=" + a.file.Inputs["comment-author"].Default, "INPUT_MARKDOWN=comment.md", "INPUT_PULL_REQUEST=7"}
			said, exit := a.run(a.step("comment.sh").Run, append(env, test.env...)...)
			if exit != test.exit || !strings.Contains(said, test.says) {
				t.Errorf("exit %d\n%s", exit, said)
			}
			want := ""
			if test.asks != "" {
				want = "--paginate repos/octo/flows/issues/7/comments?per_page=100\n" + test.asks + "\n"
			}
			if asked := a.read("asked"); asked != want {
				t.Errorf("it asks\n%s\nwant\n%s", asked, want)
			}
		})
	}
}

// TestActionInputs holds the inputs against what flexsync gets.
func TestActionInputs(t *testing.T) {
	t.Parallel()
	a := newAction(t, nil)
	a.program("tool", `for arg; do printf '<%s>' "$arg"; done
echo
for arg; do case $arg in --out=*) echo '{"plan_digest":"","changes":[],"summary":{"create":0,"update":0,"delete":0}}' > "${arg#--out=}" ;; esac; done
`)
	a.env = append(a.env, "INPUT_BINARY=tool")
	if err := os.Mkdir(a.path("in here"), 0o700); err != nil {
		t.Fatal(err)
	}
	hostile := "x y\n$(touch pwned)\n;touch pwned\n'\"`touch pwned`\n-- --yes"
	var all string
	for line := range strings.SplitSeq(hostile, "\n") {
		all += "<--only=" + line + ">"
	}
	outputs, exit := a.flexsync(map[string]string{
		"paths": "a b.yaml\n--yes", "var-file": "v 1\nv2", "only": hostile, "ignore": "i", "args": "--no-delete\n--var=a=b c", "working-directory": "in here", "plan-file": "p.json",
	})
	want := "<--var-file=v 1><--var-file=v2>" + all + "<--ignore=i><--no-delete><--var=a=b c><--step-summary><--><a b.yaml><--yes>\n"
	if said := a.log.String(); exit != 0 || !strings.Contains(said, "<plan><--detailed-exitcode><--out=/") || !strings.Contains(said, want) {
		t.Errorf("exit %d; want\n%s\nhave\n%s", exit, want, said)
	}
	if path := outputs["plan-file"]; !strings.HasSuffix(path, "/in here/p.json") {
		t.Errorf("plan file %q", path)
	}

	for name, with := range map[string]map[string]string{
		"command":           {"command": "$(touch pwned)"},
		"working directory": {"working-directory": "nowhere"},
		"snapshot":          {"local": "nowhere.json"},
		"output":            {"plan-file": "a\nhas-changes=true"},
	} {
		outputs, exit := a.flexsync(with)
		if exit != exitInput || outputs["has-changes"] == "true" {
			t.Errorf("%s: exit %d, outputs %v", name, exit, outputs)
		}
	}
	a.env = append(a.env, "INPUT_BINARY=no-such-flexsync")
	if _, exit := a.flexsync(nil); exit != exitInput {
		t.Errorf("no binary: exit %d", exit)
	}
}

// TestActionApply runs apply to its exit codes.
func TestActionApply(t *testing.T) {
	t.Parallel()
	post := func(code int) func(*http.Request, int) emutest.Fault {
		return func(r *http.Request, _ int) (f emutest.Fault) {
			if r.Method == http.MethodPost {
				f.Status = code
			}
			return f
		}
	}
	login := func(*http.Request, int) emutest.Fault { return emutest.Fault{Status: http.StatusUnauthorized} }
	for name, test := range map[string]struct {
		fault func(*http.Request, int) emutest.Fault
		args  string
		exit  int
		says  string
		want  map[string]string
	}{
		"done":    {nil, "--max-deletes=1", 0, "3 results", map[string]string{"has-changes": "true", "creates": "1", "updates": "1", "deletes": "1"}},
		"refused": {nil, "--max-deletes=0", exitRefused, "Refused by a guard", map[string]string{"has-changes": "", "creates": "", "report-file": "*"}},
		"partial": {post(http.StatusBadRequest), "--max-deletes=1", exitPartial, "A write failed", map[string]string{"has-changes": "true", "creates": "0", "updates": "0", "deletes": "0"}},
		"login":   {login, "", exitError, "Failed. See the log.", map[string]string{"has-changes": "", "creates": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAction(t, test.fault)
			a.write("flows.yaml", ciFlows)
			with := map[string]string{"command": "apply"}
			if test.args != "" {
				with["args"] = test.args
			}
			outputs, exit := a.flexsync(with)
			if exit != test.exit {
				t.Fatalf("exit %d\n%s", exit, &a.log)
			}
			checkOutputs(t, outputs, test.want)
			if test.exit != 0 && !strings.Contains(a.log.String(), fmt.Sprintf("::error title=flexsync apply: exit %d::%s", test.exit, test.says)) {
				t.Errorf("the log does not say %q:\n%s", test.says, &a.log)
			}
			if summary := a.read("summary.md"); !strings.Contains(summary, " "+testAccount+" -->\n### flexsync ") {
				t.Errorf("summary:\n%s", summary)
			}
		})
	}
}

// TestActionSavedPlan carries out the plan of an earlier step, and nothing else.
func TestActionSavedPlan(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before func(*action) // the approval
		with   map[string]string
		exit   int
		writes int
		says   string
	}{
		"reviewed": {nil, nil, 0, 2, ""},
		"stale": {func(a *action) {
			err := a.account.Edit(func(flows []map[string]any) []map[string]any {
				flows[0]["enabled"] = false
				return flows
			})
			if err != nil {
				a.t.Fatal(err)
			}
		}, nil, exitStale, 0, "### flexsync apply: the saved plan is stale (exit 5)"},
		"lost": {func(a *action) {
			if err := os.Remove(a.path("reviewed.json")); err != nil {
				a.t.Fatal(err)
			}
		}, nil, exitInput, 0, "### flexsync apply: the input is not valid (exit 3)"},
		// The output of an earlier step that has not run, say.
		"none":                {nil, map[string]string{"plan-file": ""}, exitInput, 0, ""},
		"none, and there are": {nil, map[string]string{"plan-file": "", "paths": "flows.yaml"}, exitInput, 0, ""},
		"blank":               {nil, map[string]string{"plan-file": " \n"}, exitInput, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAction(t, nil)
			a.write("flows.yaml", ciUpdate)
			if outputs, exit := a.flexsync(map[string]string{"plan-file": "reviewed.json"}); exit != 0 || outputs["has-changes"] != "true" {
				t.Fatalf("plan: exit %d\n%s", exit, &a.log)
			}
			if test.before != nil {
				test.before(a)
			}
			with := map[string]string{"command": "apply", "plan-file": "reviewed.json"}
			maps.Copy(with, test.with)
			_, exit := a.flexsync(with)
			if exit != test.exit || !strings.Contains(a.read("summary.md"), test.says) {
				t.Errorf("exit %d, want %d\n%s", exit, test.exit, &a.log)
			}
			writes := 0
			for _, request := range a.account.Requests() {
				if request.Method != http.MethodGet {
					writes++
				}
			}
			if writes != test.writes {
				t.Errorf("%d writes, want %d", writes, test.writes)
			}
		})
	}
}

// TestActionEmptyInputs gives every input that says what to do an empty value, as
// the output of a step that has not run is. It does not count as not given, which
// would widen what is done.
func TestActionEmptyInputs(t *testing.T) {
	t.Parallel()
	a := newAction(t, nil)
	a.write("flows.yaml", ciUpdate)
	for _, input := range []string{"paths", "fleet", "account", "var-file", "only", "ignore", "args", "plan-file", "local", "working-directory"} {
		outputs, exit := a.flexsync(map[string]string{"command": "apply", input: ""})
		if exit != exitInput || outputs["report-file"] != "" {
			t.Errorf("%s: exit %d, outputs %v\n%s", input, exit, outputs, &a.log)
		}
	}
	for _, value := range []string{"", "\r\n\n"} {
		if outputs, exit := a.flexsync(map[string]string{"plan-file": value}); exit != exitInput || outputs["plan-file"] != "" {
			t.Errorf("plan-file %q: exit %d, outputs %v\n%s", value, exit, outputs, &a.log)
		}
	}
	if outputs, exit := a.flexsync(map[string]string{"base": ""}); exit != exitInput || outputs["plan-file"] != "" {
		t.Errorf("base: exit %d, outputs %v\n%s", exit, outputs, &a.log)
	}
	if requests := a.account.Requests(); len(requests) > 0 {
		t.Errorf("%d requests were sent", len(requests))
	}
}

// TestActionPlanOverInput saves the plan where an input is: flexsync refuses
// that, and the input is still there, whereas a plan of an earlier run is not.
func TestActionPlanOverInput(t *testing.T) {
	t.Parallel()
	a := newAction(t, nil)
	snapshot := `{"account_sid": "` + testAccount + `"}`
	a.write("flows.yaml", ciFlows)
	a.write("account.json", snapshot)
	for path, want := range map[string]string{"flows.yaml": ciFlows, "account.json": snapshot} {
		outputs, exit := a.flexsync(map[string]string{"paths": "flows.yaml", "local": "account.json", "plan-file": path})
		if exit != exitInput || outputs["plan-file"] != "" {
			t.Errorf("%s: exit %d, outputs %v\n%s", path, exit, outputs, &a.log)
		}
		if have := a.read(path); have != want {
			t.Errorf("%s is now %q", path, have)
		}
	}

	with := map[string]string{"plan-file": "plan.json"}
	if outputs, exit := a.flexsync(with); exit != 0 || outputs["plan-file"] == "" {
		t.Fatalf("exit %d, outputs %v\n%s", exit, outputs, &a.log)
	}
	a.write("flows.yaml", "version: 2")
	outputs, exit := a.flexsync(with)
	if _, err := os.Stat(a.path("plan.json")); exit != exitInput || outputs["plan-file"] != "" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("exit %d, outputs %v, %v", exit, outputs, err)
	}
}

// TestActionSnapshot plans without an account, and shows nothing that nobody asked
// for.
func TestActionSnapshot(t *testing.T) {
	t.Parallel()
	a := newAction(t, nil)
	a.env = append(a.env, "FLEXSYNC_BASE_URL=", "TWILIO_ACCOUNT_SID=", "TWILIO_API_KEY=", "TWILIO_API_SECRET=")
	a.write("flows.yaml", ciUpdate)
	a.write("snapshot.json", fmt.Sprintf(ciAccount, "Old"))
	outputs, exit := a.flexsync(map[string]string{"local": "snapshot.json", "step-summary": "false"})
	if exit != 0 {
		t.Fatalf("exit %d\n%s", exit, &a.log)
	}
	checkOutputs(t, outputs, map[string]string{"exit-code": "2", "creates": "1", "updates": "1", "deletes": "0"})
	if summary := a.read("summary.md"); summary != "" {
		t.Errorf("there is a summary:\n%s", summary)
	}
}

// TestActionCancelled stops the step while a command runs: the command is told,
// waited for, and its report and exit code are the outputs.
func TestActionCancelled(t *testing.T) {
	t.Parallel()
	a := newAction(t, nil)
	a.program("tool", `trap 'echo "{\"results\": [1], \"summary\": {\"created\": 0, \"updated\": 1, \"deleted\": 0}}"; exit 130' TERM
echo begun >&2
while :; do sleep 0.05; done
`)
	r, w := io.Pipe()
	cmd := a.command(a.step("run.sh").Run, append(a.inputs(map[string]string{"command": "apply"}), "INPUT_BINARY=tool")...)
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(r); lines.Scan(); {
			fmt.Fprintln(&a.log, lines.Text())
			if lines.Text() == "begun" {
				if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
					t.Error(err)
				}
			}
		}
	})
	err := cmd.Wait()
	w.Close()
	reading.Wait()
	if err != nil {
		t.Errorf("%v\n%s", err, &a.log)
	}
	for _, want := range []string{"exit-code=130\n", "updates=1\n", "creates=0\n", "report-file="} {
		if outputs := a.read("outputs"); !strings.Contains(outputs, want) {
			t.Errorf("no %q in the outputs\n%s\n%s", want, outputs, &a.log)
		}
	}
}

// TestWorkflowDrift runs the script of the workflow that keeps an issue, on what
// gh lists.
func TestWorkflowDrift(t *testing.T) {
	t.Parallel()
	var w ghWorkflow
	readYAML(t, "examples/ci/github/drift.yml", &w)
	steps := w.Jobs["drift"].Steps
	script := steps[len(steps)-1].Run
	const marker = "<!-- flexsync:plan " + testAccount + " -->"
	issue := func(number int, login, more string) string {
		return fmt.Sprintf(`{"number": %d, "user": {"login": %q}, "body": %q%s}`, number, login, marker+"\nx", more)
	}
	// Somebody else's issue with the marker, and a pull request.
	others := "[" + issue(1, "mallory", "") + "," + issue(2, "github-actions[bot]", `, "pull_request": {"url": "x"}`) + "]"
	own := "[" + issue(3, "github-actions[bot]", "") + "]"
	for name, test := range map[string]struct{ listed, changes, asks string }{
		"opened":  {others + "[]", "true", "--method POST repos/octo/flows/issues -f title=The Flex Flows are not as main says -F body=@plan.md --jq .html_url\n"},
		"updated": {others + own, "true", "--method PATCH repos/octo/flows/issues/3 -F body=@plan.md --jq .html_url\n"},
		"closed":  {others + own, "false", "--method PATCH repos/octo/flows/issues/3 -f state=closed --jq .html_url\n"},
		"none":    {others, "false", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.program("gh", "shift\necho \"$*\" >>asked\ncase $1 in --paginate) cat listed ;; esac\n")
			m.write("listed", test.listed)
			m.write("plan.md", marker+"\n$(touch pwned)\n")
			said, exit := m.run(script, "GITHUB_REPOSITORY=octo/flows", "CHANGES="+test.changes, "MARKDOWN=plan.md")
			want := "--paginate repos/octo/flows/issues?state=open&per_page=100\n" + test.asks
			if asked := m.read("asked"); exit != 0 || asked != want {
				t.Errorf("exit %d\n%s\nit asks\n%s\nwant\n%s", exit, said, asked, want)
			}
		})
	}
}

// TestWorkflowsAreCareful holds what a reviewer of a workflow looks for.
func TestWorkflowsAreCareful(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^[\w-]+/[\w-]+(?:/[\w-]+)?@[0-9a-f]{40}$`)
	inputs := func(file string, s *ghStep, known map[string]struct{ Default string }) {
		for name := range s.With {
			if _, ok := known[name]; !ok {
				t.Errorf("%s: the action has no input %s", file, name)
			}
		}
	}
	var action ghAction
	readYAML(t, actionDir+"/action.yml", &action)
	steps := func(file string, steps []*ghStep) {
		for _, s := range steps {
			own := s.Uses == ownAction+release
			if s.Uses != "" && !own && !pinned.MatchString(s.Uses) {
				t.Errorf("%s: %s is not pinned", file, s.Uses)
			}
			if own {
				inputs(file, s, action.Inputs)
			}
			if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
				t.Errorf("%s: a checkout keeps the token", file)
			}
			if strings.Contains(s.Run, "${{") {
				t.Errorf("%s: step %q has an expression in its script", file, s.Name)
			}
			if s.Run != "" && s.Shell != "bash" {
				t.Errorf("%s: step %q has the shell %q", file, s.Name, s.Shell)
			}
		}
	}
	files := []string{"examples/ci/github/pull-request.yml", "examples/ci/github/deploy.yml", "examples/ci/github/drift.yml", "examples/fleet/workflow.yml", "examples/environments/workflow.yml", ".github/workflows/ci.yml", ".github/workflows/release.yml"}
	writes := map[string][]string{".github/workflows/release.yml": {"contents", "packages", "id-token"}}
	for _, file := range files {
		var w ghWorkflow
		readYAML(t, file, &w)
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
				if level == "write" && what != "pull-requests" && what != "issues" && !slices.Contains(writes[file], what) {
					t.Errorf("%s: job %s may write %s", file, name, what)
				}
			}
			for _, s := range job.Steps {
				if s.With["command"] == "apply" && s.With["plan-file"] == nil && s.With["paths"] == nil {
					t.Errorf("%s: job %s does not say what it applies", file, name)
				}
			}
		}
		for _, m := range regexp.MustCompile(`@[0-9a-f]{40}(.*)`).FindAllStringSubmatch(readme(t, file), -1) {
			if !regexp.MustCompile(`^ # v\d+\.\d+\.\d+$`).MatchString(m[1]) {
				t.Errorf("%s: a pin does not say its version: %q", file, m[0])
			}
		}
	}
	steps("action.yml", action.Runs.Steps)
}

// gitlabJob is a job of the file for GitLab.
type gitlabJob struct {
	Stage     string
	Script    []string
	Artifacts struct {
		Paths    []string
		ExpireIn string `yaml:"expire_in"`
		Reports  map[string]string
	}
}

func (j *gitlabJob) script() string { return strings.Join(j.Script, "\n") + "\n" }

func readGitLab(t *testing.T) map[string]*gitlabJob {
	t.Helper()
	var nodes map[string]yaml.Node
	readYAML(t, gitlabFile, &nodes)
	jobs := make(map[string]*gitlabJob)
	for name, node := range nodes {
		if name == "stages" || name == "variables" || name == "workflow" || name == "default" {
			continue
		}
		job := &gitlabJob{}
		if err := node.Decode(job); err != nil {
			t.Fatalf("%s: %s: %v", gitlabFile, name, err)
		}
		jobs[name] = job
		if len(job.Script) == 0 {
			t.Errorf("job %s has no script", name)
		}
		if job.Artifacts.ExpireIn == "" && len(job.Artifacts.Paths) > 0 {
			t.Errorf("job %s: its artifacts stay for ever", name)
		}
	}
	return jobs
}

// gitlab is a machine on which the scripts of GitLab's jobs run.
type gitlab struct {
	*machine
	jobs    map[string]*gitlabJob
	account *emutest.Server
}

func newGitLab(t *testing.T) *gitlab {
	t.Helper()
	g := &gitlab{machine: newMachine(t, "curl", "git"), jobs: readGitLab(t)}
	server, env := ciServer(t, nil)
	g.account = server
	g.env = append(g.env, env, "FLEXFLOWS_PATHS=flows.yaml", "CI_JOB_URL=https://gitlab.example.com/jobs/1")
	return g
}

// job runs a job and returns what it said.
func (g *gitlab) job(want int, name string, env ...string) string {
	g.t.Helper()
	said, exit := g.run(g.jobs[name].script(), env...)
	if exit != want {
		g.t.Fatalf("%s: exit %d, want %d\n%s", name, exit, want, said)
	}
	return said
}

// checkArtifacts reports the artifacts that a job has not made.
func (g *gitlab) checkArtifacts(name string) {
	g.t.Helper()
	for _, path := range g.jobs[name].Artifacts.Paths {
		if strings.HasSuffix(path, "/") {
			path += "*"
		}
		if len(globbed(g.t, g.path(path))) == 0 {
			g.t.Errorf("there is no %s", path)
		}
	}
}

// gitlabNotes stands for GitLab's API: it lists the notes of a merge request, page by
// page, and takes down what is written.
type gitlabNotes struct {
	pages [][]any
	asked string // the writes
	body  string // of the last
	env   []string
}

const (
	notesToken = "glpat-t0ken"
	notesPath  = "/api/v4/projects/9/merge_requests/5/notes"
)

func note(id, author int, body string) map[string]any {
	return map[string]any{"id": id, "author": map[string]any{"id": author}, "body": body}
}

func newNotes(t *testing.T, pages ...[]any) *gitlabNotes {
	t.Helper()
	n := &gitlabNotes{pages: pages}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer any = []any{}
		var page int
		_, _ = fmt.Sscan(r.FormValue("page"), &page)
		switch {
		case r.Header.Get("Private-Token") != notesToken:
			w.WriteHeader(http.StatusUnauthorized)
			answer = map[string]any{"message": "401 Unauthorized"}
		case r.URL.Path == "/api/v4/user":
			answer = map[string]any{"id": 77}
		case r.Method != http.MethodGet:
			n.asked, n.body = n.asked+r.Method+" "+r.URL.Path, r.PostFormValue("body")
		case r.URL.Path == notesPath && page > 0 && page <= len(n.pages):
			answer = n.pages[page-1]
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(api.Close)
	n.env = []string{"FLEXFLOWS_NOTE_TOKEN=" + notesToken, "CI_API_V4_URL=" + api.URL + "/api/v4", "CI_MERGE_REQUEST_PROJECT_ID=9", "CI_MERGE_REQUEST_IID=5"}
	return n
}

// TestGitLabNote has the script of a merge request's plan find its own note in
// what the API lists, and replace it.
func TestGitLabNote(t *testing.T) {
	t.Parallel()
	const marker = "<!-- flexsync:plan " + testAccount + " -->\n"
	for name, test := range map[string]struct {
		flows string
		pages [][]any
		exit  int
		env   []string
		asks  string // the write
		says  string
	}{
		"first":   {ciUpdate, [][]any{{note(0, 1, marker+"all is well"), note(1, 77, "hello")}}, 0, nil, "POST " + notesPath, "1 to create, 1 to update"},
		"next":    {ciUpdate, [][]any{{note(0, 1, marker)}, {note(8, 77, marker+"old")}}, 0, nil, "PUT " + notesPath + "/8", "$(touch pwned)"},
		"invalid": {"version: 2\n", nil, exitInput, nil, "POST " + notesPath, marker + "### flexsync plan: failed (exit 3)"},
		// curl's exit: the merge request goes on showing an older plan.
		"forbidden": {ciUpdate, nil, 22, []string{"FLEXFLOWS_NOTE_TOKEN=wrong"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGitLab(t)
			notes := newNotes(t, test.pages...)
			g.write("flows.yaml", test.flows)
			said := g.job(test.exit, "plan", append(notes.env, test.env...)...)
			if notes.asked != test.asks || !strings.Contains(notes.body, test.says) || strings.Contains(said, notesToken) {
				t.Errorf("it asks %s, want %s; the note is\n%s\n%s", notes.asked, test.asks, notes.body, said)
			}
		})
	}
}

// TestGitLabFork plans against the snapshot of the branch that is merged into.
func TestGitLabFork(t *testing.T) {
	t.Parallel()
	g := newGitLab(t)
	g.write("flows.yaml", ciUpdate)
	base := filepath.Join(t.TempDir(), "base.git")
	if _, exit := g.run(`git init -q .
git init -q -b main "$BASE"
printf %s "$SNAPSHOT" >"$BASE/snapshot.json"
git -C "$BASE" add .
git -C "$BASE" -c user.name=x -c user.email=x@example.com commit -q -m x`, "BASE="+base, "SNAPSHOT="+fmt.Sprintf(ciAccount, "Old")); exit != 0 {
		t.Fatal(&g.log)
	}
	out := g.job(exitOK, "plan-fork", "FLEXSYNC_BASE_URL=", "TWILIO_ACCOUNT_SID=", "TWILIO_API_KEY=", "TWILIO_API_SECRET=",
		"CI_MERGE_REQUEST_PROJECT_URL=file://"+strings.TrimSuffix(base, ".git"), "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main")
	if !strings.Contains(out, "Plan: 1 to create, 1 to update, 1 ignored.") {
		t.Errorf("the fork's plan:\n%s", out)
	}
}

// TestGitLabDeploy goes from the plan of main to the account.
func TestGitLabDeploy(t *testing.T) {
	t.Parallel()
	g := newGitLab(t)
	g.write("flows.yaml", strings.Replace(ciUpdate, "channel_type: sms", "chanel_type: sms", 1))
	g.job(exitInput, "validate")
	var report []issue
	data := g.read(g.jobs["validate"].Artifacts.Reports["codequality"])
	if err := json.Unmarshal([]byte(data), &report); err != nil || len(report) == 0 || report[0].Location.Path != "flows.yaml" {
		t.Errorf("%v, the code-quality report is %s", err, data)
	}
	g.write("flows.yaml", strings.ReplaceAll(ciFlows, "Support SMS", "Another"))
	if out := g.job(exitRefused, "drift"); !strings.Contains(out, "\nOrigin: 4 drift.\n") || !strings.Contains(out, "\n# To keep it, add its SID to ignore: ") {
		t.Errorf("drift:\n%s", out)
	}
	g.write("flows.yaml", ciUpdate)
	g.job(exitOK, "validate")
	g.job(exitChanges, "drift")
	g.job(exitOK, "plan-main")
	if err := g.account.Edit(func(flows []map[string]any) []map[string]any {
		flows[0]["enabled"] = false
		return flows
	}); err != nil {
		t.Fatal(err)
	}
	if out := g.job(exitStale, "apply"); !strings.Contains(out, "The plan is stale") {
		t.Errorf("stale:\n%s", out)
	}
	g.job(exitOK, "plan-main")
	g.job(exitOK, "apply")
	g.checkArtifacts("apply")
	g.job(exitOK, "drift")
	if n := len(g.account.Flows()); n != 3 {
		t.Errorf("%d flows", n)
	}
}

// TestShellScripts has bash read every script.
func TestShellScripts(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	for _, path := range append(globbed(t, filepath.Join(repository, actionDir, "*.sh")), globbed(t, filepath.Join(repository, ".ci/*"))...) {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		if said, exit := m.run(`bash -n "$SCRIPT"`, "SCRIPT="+path); exit != 0 {
			t.Errorf("%s\n%s", path, said)
		}
	}
	for name, job := range readGitLab(t) {
		m.write("job.sh", job.script())
		if said, exit := m.run("bash -n job.sh"); exit != 0 {
			t.Errorf("%s: %s\n%s", gitlabFile, name, said)
		}
	}
}

// cronJob is what the tests look at.
type cronJob struct {
	Kind string
	Spec struct {
		Schedule          string
		ConcurrencyPolicy string `yaml:"concurrencyPolicy"`
		JobTemplate       struct {
			Spec struct {
				BackoffLimit          *int `yaml:"backoffLimit"`
				ActiveDeadlineSeconds int  `yaml:"activeDeadlineSeconds"`
				PodFailurePolicy      struct {
					Rules []struct {
						Action      string
						OnExitCodes struct {
							ContainerName string `yaml:"containerName"`
							Operator      string
							Values        []int
						} `yaml:"onExitCodes"`
					}
				} `yaml:"podFailurePolicy"`
				Template struct {
					Spec struct {
						RestartPolicy   string         `yaml:"restartPolicy"`
						AutomountToken  *bool          `yaml:"automountServiceAccountToken"`
						SecurityContext map[string]any `yaml:"securityContext"`
						Containers      []struct {
							Name    string
							Image   string
							Args    []string
							EnvFrom []struct {
								Prefix    string
								SecretRef struct{ Name string } `yaml:"secretRef"`
							} `yaml:"envFrom"`
							VolumeMounts []struct {
								Name      string
								MountPath string `yaml:"mountPath"`
								SubPath   string `yaml:"subPath"`
								ReadOnly  bool   `yaml:"readOnly"`
							} `yaml:"volumeMounts"`
							SecurityContext map[string]any `yaml:"securityContext"`
							Resources       map[string]map[string]string
						}
						Volumes []struct {
							Name      string
							ConfigMap map[string]string `yaml:"configMap"`
						}
					}
				}
			}
		} `yaml:"jobTemplate"`
	}
}

// readCronJob reads a CronJob and holds it against what the README says of it.
func readCronJob(t *testing.T, file string) *cronJob {
	t.Helper()
	dec := yaml.NewDecoder(strings.NewReader(readme(t, file)))
	var c cronJob
	for c.Kind != "CronJob" {
		c = cronJob{}
		if err := dec.Decode(&c); err != nil {
			t.Fatal(err)
		}
	}
	job := c.Spec.JobTemplate.Spec
	pod := job.Template.Spec
	if len(pod.Containers) != 1 || len(pod.Volumes) == 0 || len(pod.Containers[0].EnvFrom) == 0 {
		t.Fatalf("%s: %d containers, %d volumes, or no Secret", file, len(pod.Containers), len(pod.Volumes))
	}
	box := pod.Containers[0]
	for what, ok := range map[string]bool{
		"runs may overlap":           c.Spec.ConcurrencyPolicy == "Forbid",
		"there is no limit of tries": job.BackoffLimit != nil && *job.BackoffLimit <= 3,
		"there is no deadline":       job.ActiveDeadlineSeconds > 0,
		"the pod starts again":       pod.RestartPolicy == "Never",
		"it has a token":             pod.AutomountToken != nil && !*pod.AutomountToken,
		"it may be root":             pod.SecurityContext["runAsNonRoot"] == true,
		"the file system is writable": box.SecurityContext["readOnlyRootFilesystem"] == true &&
			box.SecurityContext["allowPrivilegeEscalation"] == false,
		"no limit of memory":       box.Resources["limits"]["memory"] != "",
		"the image has no version": strings.HasSuffix(box.Image, ":"+release),
		"--yes is not said":        slices.Contains(box.Args, "--yes"),
	} {
		if !ok {
			t.Errorf("%s: %s", file, what)
		}
	}
	final := job.PodFailurePolicy.Rules[0]
	if final.Action != "FailJob" || final.OnExitCodes.ContainerName != box.Name || !slices.Equal(final.OnExitCodes.Values, []int{exitInput, exitRefused}) {
		t.Errorf("%s: the first rule for failures: %+v", file, final)
	}
	return &c
}

// start runs the container of a CronJob. Its files are below root, which stands for /,
// and secrets are the Secrets by name.
func (c *cronJob) start(t *testing.T, root string, secrets map[string]map[string]string, env ...string) (said string, exit int) {
	t.Helper()
	binary, err := exec.LookPath("flexsync")
	if err != nil {
		t.Fatal(err)
	}
	box := c.Spec.JobTemplate.Spec.Template.Spec.Containers[0]
	var args []string
	for _, arg := range box.Args {
		if strings.HasPrefix(arg, "/") {
			arg = filepath.Join(root, arg)
		}
		args = append(args, arg)
	}
	env = append(env, "GORACE=atexit_sleep_ms=0", "GOCOVERDIR="+os.Getenv("GOCOVERDIR"))
	for _, from := range box.EnvFrom {
		if secrets[from.SecretRef.Name] == nil {
			t.Errorf("there is no Secret %q", from.SecretRef.Name)
		}
		for key, value := range secrets[from.SecretRef.Name] {
			env = append(env, from.Prefix+key+"="+value)
		}
	}
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir, cmd.Env = "/", env
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// mount lays the ConfigMaps out below root as the kubelet does: ..data is a link to the
// directory of this version of the ConfigMap, and the files are links to those in
// ..data.
func (c *cronJob) mount(t *testing.T, root string, configMaps map[string]map[string]string) {
	t.Helper()
	pod := c.Spec.JobTemplate.Spec.Template.Spec
	volumes := make(map[string]string)
	for _, v := range pod.Volumes {
		volumes[v.Name] = v.ConfigMap["name"]
	}
	for _, m := range pod.Containers[0].VolumeMounts {
		files := configMaps[volumes[m.Name]]
		if files == nil || !m.ReadOnly {
			t.Errorf("%s is ConfigMap %q, read-only: %v", m.MountPath, volumes[m.Name], m.ReadOnly)
		}
		target := filepath.Join(root, m.MountPath)
		if m.SubPath != "" {
			makeDir(t, filepath.Dir(target))
			writeText(t, target, files[m.SubPath])
			continue
		}
		version := "..2026_01_02_03_04_05.123"
		makeDir(t, filepath.Join(target, version))
		links := map[string]string{"..data": version}
		for name, text := range files {
			writeText(t, filepath.Join(target, version, name), text)
			links[name] = "..data/" + name
		}
		for link, to := range links {
			if err := os.Symlink(to, filepath.Join(target, link)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func makeDir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

// TestKubernetes runs the container of the CronJob against the embedded API.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	c := readCronJob(t, kubernetesFile)
	server, env := ciServer(t, nil)
	root := t.TempDir()
	c.mount(t, root, map[string]map[string]string{"flexsync-flows": {"flows.yaml": ""}})
	secrets := map[string]map[string]string{"flexsync-twilio": {"TWILIO_ACCOUNT_SID": testAccount, "TWILIO_API_KEY": testKey, "TWILIO_API_SECRET": testSecret}}
	for i, test := range []struct {
		flows string
		exit  int
		says  string
	}{
		{ciFlows, 0, `"status": "applied"`},
		{ciFlows, 0, `"status": "unchanged"`},
		{"version: 1\nflows: []\n", exitRefused, `"status": "refused"`},
		{"version: 2\n", exitInput, `"status": "error"`},
	} {
		writeText(t, filepath.Join(root, "flows/flows.yaml"), test.flows)
		if out, code := c.start(t, root, secrets, env); code != test.exit || !strings.Contains(out, test.says) {
			t.Errorf("run %d: exit %d, want %d\n%s", i+1, code, test.exit, out)
		}
	}
	if n := len(server.Flows()); n != 2 {
		t.Errorf("%d flows", n)
	}
}

// TestImagesHaveTheGo holds what flexsync is built with, in images and for releases,
// against go.mod.
func TestImagesHaveTheGo(t *testing.T) {
	t.Parallel()
	mod := readme(t, "go.mod")
	_, version, _ := strings.Cut(mod, "\ngo ")
	version, _, _ = strings.Cut(version, "\n")
	version = strings.Join(strings.Split(version, ".")[:2], ".")
	for _, file := range []string{gitlabFile, "examples/ci/kubernetes/Dockerfile"} {
		if !strings.Contains(readme(t, file), "golang:"+version+"-") {
			t.Errorf("%s does not build with Go %s", file, version)
		}
	}
	const workflow = ".github/workflows/release.yml"
	if !strings.Contains(readme(t, workflow), `go-version: "`+version+`.x"`) {
		t.Errorf("%s does not build with Go %s", workflow, version)
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
	var action ghAction
	readYAML(t, actionDir+"/action.yml", &action)
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
