package main

import (
	"net/http"
	"strings"
	"testing"
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
	g.job(exitChanges, "drift")
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
