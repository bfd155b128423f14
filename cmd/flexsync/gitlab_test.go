package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const gitlabFile = "examples/ci/gitlab/.gitlab-ci.yml"

type gitlabJob struct {
	Stage        string
	Rules        []map[string]any
	Needs        []string
	BeforeScript []string `yaml:"before_script"`
	Script       []string
	Artifacts    struct {
		When     string
		Paths    []string
		Access   string
		ExpireIn string `yaml:"expire_in"`
		Reports  map[string]string
	}
	Cache struct {
		Key   string
		Paths []string
	}
	Environment   string
	ResourceGroup string `yaml:"resource_group"`
	Interruptible *bool
}

// script is what the shell of GitLab's runner gets, but for the installation of
// Debian packages.
func (j *gitlabJob) script() string { return strings.Join(j.Script, "\n") + "\n" }

type gitlabCI struct {
	stages    []string
	variables map[string]string
	jobs      map[string]*gitlabJob
}

func readGitLab(t *testing.T) *gitlabCI {
	t.Helper()
	var nodes map[string]yaml.Node
	readYAML(t, gitlabFile, &nodes)
	ci := &gitlabCI{jobs: map[string]*gitlabJob{}}
	for name, node := range nodes {
		var into any
		switch name {
		case "stages":
			into = &ci.stages
		case "variables":
			into = &ci.variables
		case "workflow", "default":
			continue
		default:
			ci.jobs[name] = &gitlabJob{}
			into = ci.jobs[name]
		}
		if err := node.Decode(into); err != nil {
			t.Fatalf("%s: %s: %v", gitlabFile, name, err)
		}
	}
	for name, job := range ci.jobs {
		if !slices.Contains(ci.stages, job.Stage) || len(job.Script) == 0 {
			t.Errorf("job %s: stage %q, %d commands", name, job.Stage, len(job.Script))
		}
		if job.Artifacts.ExpireIn == "" && len(job.Artifacts.Paths) > 0 {
			t.Errorf("job %s: its artifacts stay for ever", name)
		}
	}
	return ci
}

// gitlabNotes plays GitLab's API for the notes of merge request 5.
type gitlabNotes struct {
	t     *testing.T
	notes []map[string]any
	calls []string
}

const gitlabToken = "glpat-t0ken"

func (g *gitlabNotes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Private-Token") != gitlabToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	g.calls = append(g.calls, r.Method+" "+r.URL.Path)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		g.t.Error(err)
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	if err := r.ParseForm(); err != nil {
		g.t.Error(err)
	}
	const notes = "/api/v4/projects/9/merge_requests/5/notes"
	var answer any
	switch id, one := strings.CutPrefix(r.URL.Path, notes+"/"); {
	case r.URL.Path == "/api/v4/user":
		answer = map[string]any{"id": 77}
	case r.URL.Path == notes && r.Method == http.MethodGet:
		// Two a page, whatever is asked for.
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		from := min(2*(page-1), len(g.notes))
		answer = g.notes[from:min(from+2, len(g.notes))]
	case r.URL.Path == notes && r.Method == http.MethodPost:
		note := map[string]any{"id": 100 + len(g.notes), "body": r.PostForm.Get("body"), "author": map[string]any{"id": 77}}
		g.notes = append(g.notes, note)
		answer = note
	case one && r.Method == http.MethodPut:
		for _, n := range g.notes {
			if fmt.Sprint(n["id"]) == id {
				n["body"] = r.PostForm.Get("body")
				answer = n
			}
		}
	}
	if answer == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		g.t.Error(err)
	}
}

// TestGitLab runs the jobs' scripts as GitLab's runner does, against the embedded
// API and an API of GitLab's that plays the notes.
func TestGitLab(t *testing.T) {
	t.Parallel()
	needs(t, "bash", "jq", "curl", "git")
	ci := readGitLab(t)
	notes := &gitlabNotes{t: t}
	gitlab := httptest.NewServer(notes)
	t.Cleanup(gitlab.Close)
	server, env := ciServer(t, nil)

	dir := t.TempDir()
	binary, err := exec.LookPath("flexsync")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(dir, "bin/flexsync")); err != nil {
		t.Fatal(err)
	}
	flows := filepath.Join(dir, "flows.yaml")
	job := func(name string, more ...string) (string, int) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "bash", "-eo", "pipefail", "-c", ci.jobs[name].script())
		cmd.Dir = dir
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GORACE=atexit_sleep_ms=0", "GOCOVERDIR=" + os.Getenv("GOCOVERDIR"), env,
			"TWILIO_ACCOUNT_SID=" + testAccount, "TWILIO_API_KEY=" + testKey, "TWILIO_API_SECRET=" + testSecret, "FLEXFLOWS_NOTE_TOKEN=" + gitlabToken,
			"CI=true", "GITLAB_CI=true", "CI_PROJECT_DIR=" + dir, "CI_API_V4_URL=" + gitlab.URL + "/api/v4", "CI_MERGE_REQUEST_PROJECT_ID=9", "CI_MERGE_REQUEST_IID=5",
			"CI_JOB_URL=https://gitlab.example.com/jobs/1",
		}
		for k, v := range ci.variables {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		cmd.Env = append(cmd.Env, more...)
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if strings.Contains(string(out), testSecret) || strings.Contains(string(out), gitlabToken) {
			t.Errorf("%s prints a secret", name)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	expect := func(want int, name string, more ...string) string {
		t.Helper()
		out, code := job(name, more...)
		if code != want {
			t.Fatalf("%s: exit %d, want %d\n%s", name, code, want, out)
		}
		return out
	}

	// The merge request.
	const ignored = "version: 1\nignore: [FO000000000000000000000000000000a2]"
	declared := strings.Replace(ciFlows, "version: 1", ignored, 1)
	writeText(t, flows, strings.Replace(declared, "channel_type: sms", "chanel_type: sms", 1))
	expect(exitInput, "validate")
	var report []issue
	data, err := os.ReadFile(filepath.Join(dir, ci.jobs["validate"].Artifacts.Reports["codequality"]))
	if err != nil || json.Unmarshal(data, &report) != nil || len(report) == 0 || report[0].Location.Path != "flows.yaml" {
		t.Errorf("%v, the code-quality report is %s", err, data)
	}
	marker := "<!-- flexsync:plan " + testAccount + " -->\n"
	for i, author := range []int{1, 77, 2} {
		notes.notes = append(notes.notes, map[string]any{"id": i, "body": "hello", "author": map[string]any{"id": author}})
	}
	notes.notes[0]["body"] = marker + "all is well"
	expect(exitInput, "plan")
	if len(notes.notes) != 4 || !strings.HasPrefix(notes.notes[3]["body"].(string), marker+"### flexsync plan: failed (exit 3)") {
		t.Fatalf("notes %v", notes.notes)
	}
	writeText(t, flows, declared)
	expect(exitOK, "validate")
	expect(exitOK, "plan")
	if body := notes.notes[3]["body"].(string); len(notes.notes) != 4 || !strings.Contains(body, "1 to create, 1 to update") || !strings.Contains(body, "$(touch pwned)") {
		t.Errorf("notes %v", notes.notes)
	}
	if notes.notes[0]["body"] != marker+"all is well" {
		t.Error("somebody else's note was replaced")
	}
	if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
		t.Error("a name was run")
	}
	expect(22, "plan", "FLEXFLOWS_NOTE_TOKEN=wrong") // curl's: the merge request shows an older plan

	// From a fork, against the base's snapshot.
	base := t.TempDir()
	writeText(t, filepath.Join(base, "snapshot.json"), fmt.Sprintf(ciAccount, "Old"))
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "-m", "x"}} {
		if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", base}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if err := os.Symlink(base, base+".git"); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "git", "-C", dir, "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out := expect(exitOK, "plan-fork", "FLEXSYNC_BASE_URL=", "TWILIO_ACCOUNT_SID=", "TWILIO_API_KEY=", "TWILIO_API_SECRET=",
		"CI_MERGE_REQUEST_PROJECT_URL=file://"+base, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main")
	if !strings.Contains(out, "1 to create, 1 to update, 0 to delete") {
		t.Errorf("the fork's plan:\n%s", out)
	}

	// main, and the schedule.
	expect(exitChanges, "drift")
	expect(exitOK, "plan-main")
	if err := server.Edit(func(flows []map[string]any) []map[string]any {
		flows[0]["enabled"] = false
		return flows
	}); err != nil {
		t.Fatal(err)
	}
	if out := expect(exitStale, "apply"); !strings.Contains(out, "The plan is stale") {
		t.Errorf("stale:\n%s", out)
	}
	expect(exitOK, "plan-main")
	expect(exitOK, "apply")
	for _, path := range ci.jobs["apply"].Artifacts.Paths {
		if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
			t.Error(err)
		}
	}
	expect(exitOK, "drift")
	if n := len(server.Flows()); n != 3 {
		t.Errorf("%d flows", n)
	}
}

// TestGitLabBuild runs the job that gets flexsync from its repository, twice: the
// second time from the cache.
func TestGitLabBuild(t *testing.T) {
	t.Parallel()
	needs(t, "bash", "git")
	ci := readGitLab(t)
	origin, dir := t.TempDir(), t.TempDir()
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	// A repository with the command's sources.
	script := `git init -q -b main "$1" && cd "$2" && find go.mod go.sum apply cmd plan schema state internal -name '*.go' -o -name 'go.*' -o -path '*/completion/*' -type f | grep -v '/twiliosdk/' |
tar -cf - --exclude='*_test.go' -T - | tar -xf - -C "$1" && cd "$1" && git add . && git -c user.name=x -c user.email=x@example.com commit -q -m x && git tag "$3"`
	if out, err := exec.CommandContext(t.Context(), "bash", "-c", script, "-", origin, root, ci.variables["FLEXSYNC_VERSION"]).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, repository := range []string{"file://" + origin, "file:///nowhere"} {
		cmd := exec.CommandContext(t.Context(), "bash", "-eo", "pipefail", "-c", ci.jobs["flexsync"].script())
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "FLEXSYNC_REPOSITORY="+repository, "FLEXSYNC_VERSION="+ci.variables["FLEXSYNC_VERSION"])
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "flexsync "+release+"\n") {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ci.jobs["flexsync"].Artifacts.Paths[0])); err != nil {
		t.Error(err)
	}
}

// TestGitLabSchema holds the file against GitLab's schema, and the jobs of each
// kind of pipeline against what the README says.
func TestGitLabSchema(t *testing.T) {
	t.Parallel()
	needs(t, "git")
	bin := npm(t, "gitlab-ci-local@4.61.1")
	dir := t.TempDir()
	data, err := os.ReadFile(filepath.Join(repository, gitlabFile))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "git", "-C", dir, "init", "-q", "-b", "main").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	list := func(text string, variables ...string) (string, error) {
		writeText(t, filepath.Join(dir, ".gitlab-ci.yml"), text)
		args := []string{"--list-csv"}
		for _, v := range variables {
			args = append(args, "--variable", v)
		}
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "gitlab-ci-local"), args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for name, test := range map[string]struct {
		variables []string
		want      []string
	}{
		"main":          {[]string{"CI_PIPELINE_SOURCE=push", "CI_COMMIT_BRANCH=main"}, []string{"apply", "flexsync", "plan-main", "validate"}},
		"schedule":      {[]string{"CI_PIPELINE_SOURCE=schedule", "CI_COMMIT_BRANCH=main"}, []string{"drift", "flexsync", "validate"}},
		"merge request": {[]string{"CI_PIPELINE_SOURCE=merge_request_event", "CI_COMMIT_BRANCH=", "CI_MERGE_REQUEST_PROJECT_ID=9", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID=9"}, []string{"flexsync", "plan", "validate"}},
		"fork":          {[]string{"CI_PIPELINE_SOURCE=merge_request_event", "CI_COMMIT_BRANCH=", "CI_MERGE_REQUEST_PROJECT_ID=9", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID=8"}, []string{"flexsync", "plan-fork", "validate"}},
	} {
		out, err := list(string(data), append(test.variables, "CI_DEFAULT_BRANCH=main")...)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
			continue
		}
		_, csv, _ := strings.Cut(out, "name;")
		var jobs []string
		for i, line := range strings.Split(csv, "\n") {
			if job, _, ok := strings.Cut(line, ";"); ok && i > 0 {
				jobs = append(jobs, job)
			}
		}
		slices.Sort(jobs)
		if !slices.Equal(jobs, test.want) {
			t.Errorf("%s: jobs %q, want %q\n%s", name, jobs, test.want, out)
		}
	}
	if out, err := list(strings.Replace(string(data), "expire_in: 1 day", "expires: 1 day", 1)); err == nil {
		t.Errorf("the schema accepts a wrong key:\n%s", out)
	}
}
