package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flexsync/plan"
)

// baseRepository makes the repository "$BASE.git": main has a commit that the pull
// request does not know, branch is the pull request, and merge is what GitHub makes
// of both. The pull request edits flows and a variable file, which fleet.yaml has, too.
const baseRepository = `git init -q -b main "$BASE.git"
cd "$BASE.git"
git config user.name x; git config user.email x@example.com
git config uploadpack.allowAnySHA1InWant true
mkdir -p sub hooks module
printf '%s\n' '[submodule "module"]' 'path = module' 'url = file:///nowhere' >.gitmodules
printf %s "$OLD" >flows.yaml
printf %s "$OLD" >sub/flows.yaml
printf '%s\n' 'version: 1' 'ignore: [FO000000000000000000000000000000a2]' 'flows:' '  - friendly_name: Support SMS' '    channel_type: sms' \
  '    contact_identity: "+15005550001"' '    chat_service_sid: IS00000000000000000000000000000001' '    integration_type: studio' '    integration: {flow_sid: "${ivr}"}' >vary.yaml
echo 'ivr: FW00000000000000000000000000000002' >vars.yaml
printf '%s\n' 'version: 1' 'accounts:' '  remote: {paths: [vary.yaml], var_files: [vars.yaml], credentials: REMOTE}' >fleet.yaml
git add . && git update-index --add --cacheinfo 160000,0123456789abcdef0123456789abcdef01234567,module && git commit -q -m old
git checkout -q -b branch
printf %s "$NEW" >flows.yaml
printf %s "$NEW" >sub/flows.yaml
echo 'ivr: FW00000000000000000000000000000001' >vars.yaml
git commit -q -a -m new
git checkout -q main
echo x >other && git add . && git commit -q -m other
git checkout -q -b merge && git merge -q --no-ff -m merge branch
git rev-parse main >"$BASE.main"
`

// ciNew is ciUpdate with a change of its own: another flow.
var ciNew = ciUpdate + `  - friendly_name: Under review
    channel_type: web
    chat_service_sid: IS00000000000000000000000000000001
    integration_type: studio
    integration: {flow_sid: FW00000000000000000000000000000002}
`

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestActionBase has the action find the base of a pull request with git, in clones
// of all depths, without running a hook or asking for the submodule, which is nowhere.
func TestActionBase(t *testing.T) {
	t.Parallel()
	needs(t, "git")
	const (
		hook  = "mkdir -p clone/.git/hooks\nfor h in post-checkout post-index-change reference-transaction; do printf '#!/bin/sh\\ntouch \"$HOOKED\"\\n' >clone/.git/hooks/$h; chmod +x clone/.git/hooks/$h; done\n"
		alone = "git -C clone remote remove origin\n"
	)
	mixed := plan.Origins{Config: 1, Drift: 2}
	base := filepath.Join(t.TempDir(), "base") // all clone it, and change their clones only
	if said, exit := newAction(t, nil).run(baseRepository, "BASE="+base, "OLD="+ciUpdate, "NEW="+ciNew); exit != 0 {
		t.Fatal(said)
	}
	for name, test := range map[string]struct {
		clone string
		with  map[string]string
		env   []string
		want  *plan.Origins
		says  string
	}{
		"the merge":                   {"git clone -q --depth 2 -b merge \"file://$BASE.git\" clone\n" + alone + hook, nil, nil, &mixed, ""},
		"the merge, in a directory":   {"git clone -q --depth 2 -b merge \"file://$BASE.git\" clone\n" + alone + hook, map[string]string{"working-directory": "clone/sub", "paths": "(none)"}, nil, &mixed, ""},
		"the merge, fetched":          {"git clone -q --depth 1 -b merge \"file://$BASE.git\" clone\n" + hook, nil, nil, &mixed, ""},
		"the merge, out of reach":     {"git clone -q --depth 1 -b merge \"file://$BASE.git\" clone\n" + alone, nil, nil, nil, "is not in the clone; set fetch-depth: 2"},
		"the branch":                  {"git clone -q -b branch \"file://$BASE.git\" clone\n" + hook, nil, nil, &mixed, ""},
		"the branch, shallow":         {"git clone -q --depth 1 -b branch \"file://$BASE.git\" clone\n", nil, nil, nil, "too shallow to have the merge base; set fetch-depth: 0"},
		"no pull request":             {"git clone -q -b branch \"file://$BASE.git\" clone\n", nil, []string{"GITHUB_BASE_REF="}, nil, ""},
		"no base":                     {"git clone -q -b merge \"file://$BASE.git\" clone\n", map[string]string{"base": "(none)"}, nil, nil, ""},
		"itself":                      {"git clone -q --depth 1 -b merge \"file://$BASE.git\" clone\n" + hook, map[string]string{"base": "HEAD"}, []string{"GITHUB_BASE_REF="}, &plan.Origins{Drift: 3}, ""},
		"a flag in place of a commit": {"git clone -q -b merge \"file://$BASE.git\" clone\n", map[string]string{"base": "--upload-pack=touch pwned"}, nil, nil, "is not a commit"},
		"no repository":               {"mkdir clone && printf %s \"$NEW\" >clone/flows.yaml\n", nil, []string{"GIT_CEILING_DIRECTORIES=/"}, nil, "no git repository"},
		"a variable file":             {"git clone -q -b merge \"file://$BASE.git\" clone\necho 'made: here' >clone/made.yaml\n", map[string]string{"paths": "vary.yaml", "var-file": "vars.yaml\nmade.yaml"}, nil, &plan.Origins{Config: 1}, ""},
		"a fleet":                     {"git clone -q -b merge \"file://$BASE.git\" clone\n", map[string]string{"paths": "(none)", "fleet": "fleet.yaml"}, nil, &plan.Origins{Config: 1}, ""},
		"a new fleet":                 {"git clone -q -b merge \"file://$BASE.git\" clone\ncp clone/fleet.yaml clone/new.yaml\n", map[string]string{"paths": "(none)", "fleet": "new.yaml"}, nil, nil, "the base has none of the paths"},
		"the file is new":             {"git clone -q -b merge \"file://$BASE.git\" clone\ncp clone/flows.yaml clone/new.yaml\n", map[string]string{"paths": "new.yaml"}, nil, nil, "the base has none of the paths"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAction(t, nil)
			hooked := a.path("hooked")
			if said, exit := a.run(test.clone, "BASE="+base, "NEW="+ciNew, "HOOKED="+hooked); exit != 0 {
				t.Fatal(said)
			}
			a.write("event.json", `{"pull_request": {"base": {"sha": "`+strings.TrimSpace(readText(t, base+".main"))+`"}}}`)
			a.env = append(a.env, "GITHUB_BASE_REF=main", "GITHUB_EVENT_PATH="+a.path("event.json"), "HOOKED="+hooked)
			a.env = append(a.env, "REMOTE_TWILIO_ACCOUNT_SID="+testAccount, "REMOTE_TWILIO_API_KEY="+testKey, "REMOTE_TWILIO_API_SECRET="+testSecret)
			a.env = append(a.env, test.env...)
			with := map[string]string{"working-directory": "clone", "paths": "flows.yaml"}
			for k, v := range test.with {
				with[k] = v
			}
			a.log.Reset()
			outputs, exit := a.flexsync(with)
			if exit != 0 || outputs["plan-file"] == "" {
				t.Fatalf("exit %d\n%s", exit, &a.log)
			}
			var p struct {
				Origins  *plan.Origins
				Accounts map[string]struct{ Origins *plan.Origins }
			}
			if err := json.Unmarshal([]byte(readText(t, outputs["plan-file"])), &p); err != nil {
				t.Fatal(err)
			}
			if one, ok := p.Accounts["remote"]; ok {
				p.Origins = one.Origins
			}
			switch {
			case (p.Origins == nil) != (test.want == nil), p.Origins != nil && *p.Origins != *test.want:
				t.Errorf("the origins are %+v, want %+v\n%s", p.Origins, test.want, &a.log)
			case !strings.Contains(a.log.String(), test.says), test.says == "" && strings.Contains(a.log.String(), "cannot tell drift"):
				t.Errorf("it does not say %q:\n%s", test.says, &a.log)
			}
			if _, err := os.Stat(hooked); err == nil {
				t.Error("a hook was run")
			}
		})
	}
}

// TestWorkflowDriftIssue runs the steps of the nightly workflow in a clone of main: the
// issue names what was changed by hand, field by field, and has the YAML to paste.
// Once that is main, there is nothing left.
func TestWorkflowDriftIssue(t *testing.T) {
	t.Parallel()
	needs(t, "git")
	var w ghWorkflow
	readYAML(t, "examples/ci/github/drift.yml", &w)
	steps := w.Jobs["drift"].Steps
	plan, keep := steps[len(steps)-2], steps[len(steps)-1]
	with := map[string]string{"working-directory": "clone"}
	for name, value := range plan.With {
		with[name] = fmt.Sprint(value)
	}
	a := newAction(t, nil)
	a.program("gh", "shift\ncase $1 in --paginate) echo '[]' ;; esac\nfor arg; do case $arg in body=@*) cp \"${arg#body=@}\" issue.md ;; esac; done\n")
	night := func(flows string) (issue string) {
		t.Helper()
		if said, exit := a.run("rm -rf clone issue.md\ngit init -q clone\ncd clone\nprintf %s \"$FLOWS\" >flows.yaml\ngit add .\ngit -c user.name=x -c user.email=x@example.com commit -q -m main\n", "FLOWS="+flows); exit != 0 {
			t.Fatal(said)
		}
		outputs, _ := a.flexsync(with) // the plan deletes a flow of two, and is refused
		if outputs["has-changes"] == "" {
			t.Fatalf("no plan\n%s", &a.log)
		}
		if said, exit := a.run(keep.Run, "CHANGES="+outputs["has-changes"], "MARKDOWN="+outputs["markdown-file"]); exit != 0 {
			t.Fatal(said)
		}
		return a.read("issue.md")
	}
	issue := night(ciFlows)
	for _, want := range []string{
		"<!-- flexsync:plan " + testAccount + " -->\n",
		"\nOrigin: 3 drift.\n",
		"\n- contact_identity: +15005550001\n+ contact_identity: +15005550009\n",
		"**create** ", "**delete** ",
	} {
		if !strings.Contains(issue, want) {
			t.Errorf("the issue has no %q:\n%s", want, issue)
		}
	}
	_, adopt, ok := strings.Cut(issue, "<summary>YAML that adopts the drift</summary>\n\n````yaml\n")
	adopt, _, closed := strings.Cut(adopt, "````\n\n</details>\n")
	if !ok || !closed {
		t.Fatalf("the issue has no YAML:\n%s", issue)
	}
	const ignored = "FO000000000000000000000000000000a2" // its name has a line break
	if !strings.Contains(adopt, "# To keep it, add its SID to ignore: "+ignored+" cannot be declared: ") {
		t.Errorf("nothing is said of %s:\n%s", ignored, adopt)
	}
	if issue := night("version: 1\nignore: [" + ignored + "]\n" + adopt); issue != "" {
		t.Errorf("after\n%s\nwas pasted, there is still an issue:\n%s", adopt, issue)
	}
}

// TestGitLabBase has the job of a merge request find its base, and go on without.
func TestGitLabBase(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		clone string
		env   string
		says  []string
	}{
		"all of it": {"git clone -q -b branch \"file://$BASE.git\" clone\n", "", []string{"#### Drift: ", "2 to create, 1 to update"}},
		"shallow":   {"git clone -q --depth 1 -b branch \"file://$BASE.git\" clone\n", "", []string{"cannot tell drift from the merge request: ", "2 to create, 1 to update"}},
		"a fleet":   {"git clone -q -b branch \"file://$BASE.git\" clone\n", "FLEXFLOWS_FLEET=fleet.yaml", []string{"Origin: 1 from the change under review."}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGitLab(t)
			base := filepath.Join(t.TempDir(), "base")
			if said, exit := g.run(baseRepository+"cd \"$HOME\"\n"+test.clone, "BASE="+base, "OLD="+ciUpdate, "NEW="+ciNew); exit != 0 {
				t.Fatal(said)
			}
			// There is no API of GitLab, so the job fails once the plan is there.
			said, exit := g.run("cd clone; ln -s ../bin bin\n"+g.jobs["plan"].script(), "CI_MERGE_REQUEST_DIFF_BASE_SHA="+strings.TrimSpace(readText(t, base+".main")),
				"CI_API_V4_URL=file:///nowhere", "CI_MERGE_REQUEST_PROJECT_ID=9", "CI_MERGE_REQUEST_IID=5", "FLEXFLOWS_NOTE_TOKEN=x", test.env,
				"REMOTE_TWILIO_ACCOUNT_SID="+testAccount, "REMOTE_TWILIO_API_KEY="+testKey, "REMOTE_TWILIO_API_SECRET="+testSecret)
			for _, want := range test.says {
				if exit == 0 || !strings.Contains(said, want) {
					t.Errorf("exit %d, and it does not say %q:\n%s", exit, want, said)
				}
			}
		})
	}
}
