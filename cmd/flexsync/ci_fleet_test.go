package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
	"flexsync/internal/fleet"
)

// ciFleet is a fleet of the account that ciServer serves and of two embedded ones,
// and ciFleetMarker the first line of its comment.
const (
	ciFleet = `version: 1
accounts:
  remote: {paths: [flows.yaml], credentials: REMOTE}
  early: {paths: [flows.yaml], local: early.json}
  late: {paths: [flows.yaml], local: late.json, wave: 2}
`
	ciFleetMarker = "<!-- flexsync:plan fleet fleet.yaml -->"
)

// fleet writes the files of the fleet. Its credentials are in the environment, beside
// those of an account that is not meant.
func (m *machine) fleet() {
	m.t.Helper()
	m.write("fleet.yaml", ciFleet)
	m.write("flows.yaml", ciUpdate)
	for _, name := range []string{"early", "late"} {
		m.write(name+".json", `{"flows": []}`)
	}
	m.env = append(m.env, "REMOTE_TWILIO_ACCOUNT_SID="+testAccount, "REMOTE_TWILIO_API_KEY="+testKey, "REMOTE_TWILIO_API_SECRET="+testSecret,
		"TWILIO_ACCOUNT_SID=AC"+strings.Repeat("f", 32), "TWILIO_API_KEY=SK"+strings.Repeat("f", 32), "TWILIO_API_SECRET=nobodys-secret-nobodys-secret")
}

// TestActionFleetPlan plans a fleet in one step: whatever happens, one comment with one
// marker says so, and the outputs count all accounts.
func TestActionFleetPlan(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		with   map[string]string
		before func(*action)
		exit   int
		want   map[string]string
		says   string // the comment
		logged string
	}{
		"changes": {
			nil, nil, 0,
			map[string]string{"exit-code": "2", "has-changes": "true", "creates": "5", "updates": "1", "deletes": "0", "plan-file": "*"},
			"### flexsync plan of a fleet: 3 accounts with changes\n", "Fleet: 3 accounts: 3 with changes. Plan: 5 to create, 1 to update, ",
		},
		"some accounts": {
			map[string]string{"account": "ea*\nla*"}, nil, 0,
			map[string]string{"exit-code": "2", "creates": "4", "updates": "0", "plan-file": "*"},
			"2 accounts with changes", "early, late: 2 accounts\n",
		},
		"no changes": {
			map[string]string{"only": "Support SMS", "account": "remote"},
			func(a *action) { a.write("flows.yaml", strings.Replace(ciUpdate, "5550009", "5550001", 1)) }, 0,
			map[string]string{"exit-code": "0", "has-changes": "false", "creates": "0", "plan-file": "*"},
			"### flexsync plan of a fleet: no changes\n", "No changes: remote.",
		},
		"an account is refused": {
			map[string]string{"args": "--max-deletes=0"}, func(a *action) { a.write("flows.yaml", ciFlows) }, exitRefused,
			map[string]string{"exit-code": "4", "has-changes": "true", "deletes": "1"},
			"❌ refused", "::error title=flexsync plan: exit 4::Refused by a guard. The accounts that this is about were not changed.",
		},
		"an account cannot be planned": {
			nil, func(a *action) { a.write("late.json", "{") }, exitError,
			map[string]string{"exit-code": "1", "has-changes": "", "plan-file": ""},
			"| `late` |  |  |  |  | ❌ failed |\n", "flexsync: late: ",
		},
		"the fleet file is wrong": {
			nil, func(a *action) { a.write("fleet.yaml", "version: 2\n") }, exitInput,
			map[string]string{"exit-code": "3", "has-changes": "", "plan-file": ""},
			"### flexsync plan: the input is not valid (exit 3)\n\n    flexsync: fleet.yaml:1:", "",
		},
		"paths too": {
			map[string]string{"paths": "flows.yaml"}, nil, exitInput, map[string]string{"plan-file": ""},
			"    flexsync: --fleet cannot be used with a PATH", "",
		},
		"accounts without a fleet": {
			map[string]string{"account": "early", "fleet": "(none)", "paths": "flows.yaml"}, nil, exitInput, map[string]string{"plan-file": ""},
			"    flexsync: --account needs --fleet", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAction(t, nil)
			a.fleet()
			if test.before != nil {
				test.before(a)
			}
			with := map[string]string{"fleet": "fleet.yaml"}
			for k, v := range test.with {
				with[k] = v
			}
			outputs, exit := a.flexsync(with)
			if exit != test.exit || !strings.Contains(a.log.String(), test.logged) {
				t.Errorf("exit %d, want %d and %q in\n%s", exit, test.exit, test.logged, &a.log)
			}
			checkOutputs(t, outputs, test.want)
			summary := a.read("summary.md")
			if with["fleet"] == "fleet.yaml" && !strings.HasPrefix(summary, ciFleetMarker+"\n") {
				t.Errorf("the comment does not begin with its marker:\n%s", summary)
			}
			if !strings.Contains(summary, test.says) {
				t.Errorf("the comment does not say %q:\n%s", test.says, summary)
			}
			for _, request := range a.account.Requests() {
				if request.Method != http.MethodGet {
					t.Errorf("plan sent %s", request.Method)
				}
			}

			// The comment of an earlier push is found, whatever that one said.
			a.program("gh", fakeGH)
			a.write("listed", `[{"id": 4, "user": {"login": "github-actions[bot]"}, "body": "`+strings.SplitN(summary, "\n", 2)[0]+`\nold"}]`)
			if said, exit := a.run(a.step("comment.sh").Run, "GH_TOKEN=ghs_t0ken", "INPUT_AUTHOR=github-actions[bot]", "INPUT_PULL_REQUEST=7",
				"INPUT_MARKDOWN="+outputs["markdown-file"]); exit != 0 {
				t.Errorf("the comment: exit %d\n%s", exit, said)
			}
			if asked := a.read("asked"); strings.Count(asked, "--method") != 1 || !strings.Contains(asked, "--method PATCH repos/octo/flows/issues/comments/4 ") {
				t.Errorf("it asks\n%s", asked)
			}
		})
	}
}

// TestActionFleetApply carries out the saved plan of a fleet: the outputs count what was
// done in all accounts, and an error says what is true of a run that goes on without an
// account.
func TestActionFleetApply(t *testing.T) {
	t.Parallel()
	stale := func(a *action) {
		a.write("late.json", `{"flows": [{"friendly_name": "Support SMS", "channel_type": "sms"}]}`)
	}
	for name, test := range map[string]struct {
		fault   func(*http.Request, int) emutest.Fault
		before  func(*action) // the approval
		with    map[string]string
		exit    int
		want    map[string]string
		flows   map[string]int // what the accounts have in the end
		summary string
		logged  string
	}{
		"reviewed": {
			nil, nil, nil, 0,
			map[string]string{"exit-code": "0", "has-changes": "true", "creates": "5", "updates": "1", "deletes": "0", "plan-file": "*", "report-file": "*"},
			map[string]int{"remote": 3, "early": 2, "late": 2}, "3 applied", "",
		},
		"some accounts": {
			nil, nil, map[string]string{"account": "early"}, 0,
			map[string]string{"has-changes": "true", "creates": "2", "updates": "0"},
			map[string]int{"remote": 2, "early": 2, "late": 0}, "1 applied", "",
		},
		"the YAML": {
			nil, stale, map[string]string{"plan-file": "(none)"}, 0,
			map[string]string{"has-changes": "true", "creates": "4", "updates": "2", "plan-file": ""},
			map[string]int{"remote": 3, "early": 2, "late": 2}, "3 applied", "",
		},
		"stale": {
			nil, stale, nil, exitStale,
			map[string]string{"exit-code": "5", "has-changes": "", "creates": "", "report-file": "*"},
			map[string]int{"remote": 2, "early": 0, "late": 1}, "| ❌ stale |",
			"::error title=flexsync apply: exit 5::The saved plan is stale: an account has changed since it was made. The accounts that this is about were not changed.",
		},
		"stale, going on": {
			nil, stale, map[string]string{"args": "--keep-going"}, exitStale,
			map[string]string{"exit-code": "5", "has-changes": "true", "creates": "3", "updates": "1"},
			map[string]int{"remote": 3, "early": 2, "late": 1}, "2 applied", "The accounts that this is about were not changed.",
		},
		"partial": {
			func(r *http.Request, _ int) (f emutest.Fault) {
				if r.Method == http.MethodPost {
					f.Status = http.StatusBadRequest
				}
				return f
			}, nil, nil, exitPartial,
			map[string]string{"exit-code": "6", "has-changes": "true", "creates": "2", "updates": "0"},
			map[string]int{"remote": 2, "early": 2, "late": 0}, "1 skipped", "exit 6::A write failed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAction(t, test.fault)
			a.fleet()
			with := map[string]string{"fleet": "fleet.yaml", "plan-file": "reviewed.json"}
			if outputs, exit := a.flexsync(with); exit != 0 || outputs["has-changes"] != "true" {
				t.Fatalf("plan: exit %d\n%s", exit, &a.log)
			}
			if test.before != nil {
				test.before(a)
			}
			with["command"] = "apply"
			maps.Copy(with, test.with)
			outputs, exit := a.flexsync(with)
			if exit != test.exit || !strings.Contains(a.log.String(), test.logged) {
				t.Errorf("exit %d, want %d and %q in\n%s", exit, test.exit, test.logged, &a.log)
			}
			checkOutputs(t, outputs, test.want)
			if summary := a.read("summary.md"); !strings.HasSuffix(strings.SplitN(summary, "\n", 2)[0], " fleet fleet.yaml -->") || !strings.Contains(summary, test.summary) {
				t.Errorf("the summary does not say %q:\n%s", test.summary, summary)
			}
			for account, want := range test.flows {
				have := len(a.account.Flows())
				if account != "remote" {
					have = len(localAccount{t, a.path(account + ".json")}.flows())
				}
				if have != want {
					t.Errorf("%s has %d flows, want %d", account, have, want)
				}
			}
		})
	}
}

// TestWorkflowDriftFleet compares a fleet with main as the nightly workflow does: one
// issue has what was changed by hand in each account, and the YAML that keeps it.
func TestWorkflowDriftFleet(t *testing.T) {
	t.Parallel()
	needs(t, "git")
	var w ghWorkflow
	readYAML(t, "examples/ci/github/drift.yml", &w)
	steps := w.Jobs["drift"].Steps
	a := newAction(t, nil)
	a.program("gh", "shift\ncase $1 in --paginate) echo '[]' ;; esac\nfor arg; do case $arg in body=@*) cp \"${arg#body=@}\" issue.md ;; esac; done\n")
	a.fleet()
	if said, exit := a.run("git init -q\ngit add fleet.yaml flows.yaml\ngit -c user.name=x -c user.email=x@example.com commit -q -m main\n"); exit != 0 {
		t.Fatal(said)
	}
	with := map[string]string{"fleet": "fleet.yaml"}
	for name, value := range steps[len(steps)-2].With {
		if name != "paths" {
			with[name] = fmt.Sprint(value)
		}
	}
	outputs, exit := a.flexsync(with)
	if exit != exitOK || outputs["has-changes"] != "true" {
		t.Fatalf("exit %d\n%s", exit, &a.log)
	}
	if said, exit := a.run(steps[len(steps)-1].Run, "CHANGES=true", "MARKDOWN="+outputs["markdown-file"]); exit != 0 {
		t.Fatal(said)
	}
	issue := a.read("issue.md")
	if !strings.HasPrefix(issue, ciFleetMarker+"\n") {
		t.Errorf("no marker:\n%s", issue)
	}
	for _, want := range []string{"\nOrigin: 6 drift.\n", "| `early` |", "| `late` |", "<summary>YAML that adopts the drift: remote</summary>"} {
		if !strings.Contains(issue, want) {
			t.Errorf("the issue has no %q:\n%s", want, issue)
		}
	}
}

// TestActionFleetMarker holds that the marker of a run without a plan is that of one
// with a plan, whatever the fleet file is called.
func TestActionFleetMarker(t *testing.T) {
	t.Parallel()
	a := newAction(t, nil)
	a.fleet()
	for _, name := range []string{"a b.yaml", "a---b<x>.yaml", "$(touch pwned).yaml", "./" + strings.Repeat("long", 30) + ".yaml"} {
		var markers []string
		for _, text := range []string{ciFleet, "version: 2\n"} {
			a.write(name, text)
			outputs, _ := a.flexsync(map[string]string{"fleet": name, "account": "early"})
			marker, _, _ := strings.Cut(readText(t, outputs["markdown-file"]), "\n")
			markers = append(markers, marker)
		}
		if markers[0] != markers[1] || !strings.HasPrefix(markers[0], "<!-- flexsync:plan fleet ") {
			t.Errorf("%s: the markers are %q", name, markers)
		}
	}
}

// TestGitLabFleet takes a fleet through the jobs: checked, shown in one note, approved,
// applied, and compared with main.
func TestGitLabFleet(t *testing.T) {
	t.Parallel()
	g := newGitLab(t)
	g.fleet()
	g.env = append(g.env, "FLEXFLOWS_FLEET=fleet.yaml")
	if out := g.job(exitOK, "validate"); !strings.Contains(out, "remote:\n2 flows in 1 file: valid\n") {
		t.Errorf("validate:\n%s", out)
	}
	for text, want := range map[string]struct {
		exit int
		says string
	}{
		ciFleet:        {exitOK, "### flexsync plan of a fleet: 3 accounts with changes\n"},
		"version: 2\n": {exitInput, "### flexsync plan: failed (exit 3)\n"},
	} {
		g.write("fleet.yaml", text)
		notes := newNotes(t, []any{note(7, 1, ciFleetMarker), note(8, 77, ciFleetMarker+"\nold")})
		g.job(want.exit, "plan", notes.env...)
		if notes.asked != "PUT "+notesPath+"/8" || !strings.HasPrefix(notes.body, ciFleetMarker+"\n"+want.says) {
			t.Errorf("it asks %s; the note is\n%s", notes.asked, notes.body)
		}
	}
	g.write("fleet.yaml", ciFleet)
	if out := g.job(exitChanges, "drift"); !strings.Contains(out, "# Account remote\n") || !strings.Contains(out, "\nOrigin: 6 drift.\n") {
		t.Errorf("drift:\n%s", out)
	}
	g.job(exitOK, "plan-main")
	g.write("late.json", `{"flows": [{"friendly_name": "Support SMS", "channel_type": "sms"}]}`)
	if out := g.job(exitStale, "apply"); !strings.Contains(out, "The plan is stale") {
		t.Errorf("stale:\n%s", out)
	}
	for _, request := range g.account.Requests() {
		if request.Method != http.MethodGet {
			t.Errorf("a stale plan of another account sent %s", request.Method)
		}
	}
	g.job(exitOK, "plan-main")
	g.job(exitOK, "apply")
	g.checkArtifacts("apply")
	for _, path := range []string{"before/remote/*.yaml", "before/late/*.yaml"} {
		if len(globbed(t, g.path(path))) != 1 {
			t.Errorf("there is no %s", path)
		}
	}
	g.job(exitOK, "drift")
	if n := len(g.account.Flows()); n != 3 {
		t.Errorf("%d flows", n)
	}
}

// readFleet reads the fleet file of the example.
func readFleet(t *testing.T, name string) []fleet.Account {
	t.Helper()
	f, err := fleet.Read(filepath.Join(examplesDir, fleetExample, name))
	if err != nil {
		t.Fatal(err)
	}
	return f.Accounts
}

// secretsOf are the variables of the accounts' credentials.
func secretsOf(accounts []fleet.Account) (names []string) {
	for _, a := range accounts {
		for _, name := range []string{"TWILIO_ACCOUNT_SID", "TWILIO_API_KEY", "TWILIO_API_SECRET"} {
			names = append(names, a.Credentials+"_"+name)
		}
	}
	return names
}

// TestWorkflowFleet holds the workflow over many accounts against the example's fleet
// file: one job for each step of the way, with the secrets of all accounts.
func TestWorkflowFleet(t *testing.T) {
	t.Parallel()
	var w ghWorkflow
	readYAML(t, "examples/fleet/workflow.yml", &w)
	secrets := secretsOf(readFleet(t, "fleet.yaml"))
	if len(secrets) != 9 {
		t.Errorf("the fleet has the secrets %q", secrets)
	}
	runs := 0
	for name, job := range w.Jobs {
		if len(job.Strategy.Matrix) > 0 {
			t.Errorf("job %s is a matrix", name)
		}
		for _, s := range job.Steps {
			if s.Uses != ownAction+release {
				continue
			}
			runs++
			if s.With["fleet"] != "fleet.yaml" {
				t.Errorf("job %s is about %v", name, s.With["fleet"])
			}
			compareSets(t, "secret", slices.Sorted(maps.Keys(s.Env)), secrets)
			for variable, value := range s.Env {
				if value != "${{ secrets."+variable+" }}" {
					t.Errorf("job %s: %s is %s", name, variable, value)
				}
			}
		}
	}
	if runs != 2 || w.Jobs["plan"].Steps[0].With["fetch-depth"] != 2 {
		t.Errorf("%d jobs, and the plan's checkout is %v", runs, w.Jobs["plan"].Steps[0].With)
	}
}

// TestEmulatedFleet holds that the file to try the fleet with is the fleet, but for
// where the accounts are.
func TestEmulatedFleet(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, name := range []string{"fleet.yaml", "emulated.yaml"} {
		data, err := os.ReadFile(filepath.Join(examplesDir, fleetExample, name))
		if err != nil {
			t.Fatal(err)
		}
		text := string(data[strings.Index(string(data), "version: 1"):])
		for _, a := range readFleet(t, name) {
			text = strings.Replace(text, "credentials: "+strings.ToUpper(a.Name), "local: "+a.Name+".json", 1)
		}
		texts = append(texts, text)
	}
	if texts[0] != texts[1] {
		t.Errorf("fleet.yaml, with embedded accounts, is\n%s\nand emulated.yaml is\n%s", texts[0], texts[1])
	}
}

// TestWorkflowPerAccount holds the workflow with a job for each account against the
// example's files of variables.
func TestWorkflowPerAccount(t *testing.T) {
	t.Parallel()
	const dir = "environments"
	var w ghWorkflow
	readYAML(t, "examples/"+dir+"/workflow.yml", &w)
	for name, job := range w.Jobs {
		var files []string
		for _, s := range job.Steps {
			for _, account := range job.Strategy.Matrix["account"] {
				if file, ok := s.With["var-file"].(string); ok {
					files = append(files, filepath.Join(examplesDir, dir, strings.ReplaceAll(file, "${{ matrix.account }}", account)))
				}
			}
			if s.Uses != ownAction+release {
				continue
			}
			if _, err := os.Stat(filepath.Join(examplesDir, dir, s.With["paths"].(string))); err != nil {
				t.Errorf("job %s: %v", name, err)
			}
		}
		compareSets(t, "account of job "+name, globbed(t, filepath.Join(examplesDir, dir, "vars", "*.yaml")), files)
	}
}

// TestKubernetesFleet runs the container over the example's fleet, with a Secret for
// each account. What is wrong with one account holds the others not back.
func TestKubernetesFleet(t *testing.T) {
	t.Parallel()
	c := readCronJob(t, fleetCronJob)
	dir := filepath.Join(examplesDir, fleetExample)
	configMaps := map[string]map[string]string{"flexsync-fleet": {"fleet.yaml": readText(t, filepath.Join(dir, "fleet.yaml"))}}
	for _, name := range []string{"flows", "accounts", "vars"} {
		files := make(map[string]string)
		for _, path := range globbed(t, filepath.Join(dir, name, "*")) {
			files[filepath.Base(path)] = readText(t, path)
		}
		configMaps["flexsync-"+name] = files
	}
	root := t.TempDir()
	c.mount(t, root, configMaps)

	// All accounts are at one address, and told apart by their keys.
	secrets := make(map[string]map[string]string)
	servers := make(map[string]*emutest.Server)
	for i, account := range readFleet(t, "fleet.yaml") {
		seed := readText(t, filepath.Join(dir, "emulated", account.Name+".json"))
		var doc struct {
			SID string `json:"account_sid"`
		}
		if err := json.Unmarshal([]byte(seed), &doc); err != nil {
			t.Fatal(err)
		}
		secret := fmt.Sprintf("%s-secret-0123456789abcdef", account.Name)
		server, err := emutest.New(emulator.Options{Seed: []byte(seed), AuthToken: secret}, nil)
		if err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprintf("SK%032d", i+1)
		servers[key] = server
		secrets["flexsync-"+account.Name] = map[string]string{"TWILIO_ACCOUNT_SID": doc.SID, "TWILIO_API_KEY": key, "TWILIO_API_SECRET": secret}
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _, _ := r.BasicAuth()
		if servers[key] == nil {
			t.Errorf("a request of %q", key)
			return
		}
		servers[key].ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)

	vars := filepath.Join(root, "fleet/vars/staging.yaml")
	for i, test := range []struct {
		staging                    string // what is added to its variables
		exit                       int
		changed, unchanged, failed int
	}{
		{"unknown: [\n", exitInput, 2, 0, 1},
		{"", exitOK, 1, 2, 0},
		{"", exitOK, 0, 3, 0},
	} {
		writeText(t, vars, configMaps["flexsync-vars"]["staging.yaml"]+test.staging)
		out, exit := c.start(t, root, secrets, "FLEXSYNC_BASE_URL="+web.URL)
		want := fmt.Sprintf(`"summary": {"accounts":3,"changed":%d,"unchanged":%d,"failed":%d,`, test.changed, test.unchanged, test.failed)
		if exit != test.exit || !strings.Contains(out, want) || strings.Contains(out, "-secret-") {
			t.Errorf("run %d: exit %d, want %d and %s\n%s", i+1, exit, test.exit, want, out)
		}
	}
}
