package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// A small runner of GitHub's workflows: as much of it as the examples need. The
// steps' scripts run for real, with bash; the actions of others are played.

type ghWorkflow struct {
	Name        string
	On          yaml.Node
	Permissions map[string]string
	Concurrency any
	Jobs        map[string]*ghJob
}

type ghJob struct {
	If          string
	Needs       string
	Environment string
	Timeout     int `yaml:"timeout-minutes"`
	Permissions map[string]string
	Concurrency any
	Strategy    struct {
		FailFast    bool `yaml:"fail-fast"`
		MaxParallel int  `yaml:"max-parallel"`
		Matrix      map[string][]string
	}
	Outputs map[string]string
	Env     map[string]string
	Steps   []*ghStep
	RunsOn  string `yaml:"runs-on"`
	Name    string
}

type ghStep struct {
	ID, Name, If, Uses, Run, Shell string
	Env                            map[string]string
	With                           map[string]any
}

type ghAction struct {
	Name, Description string
	Inputs            map[string]struct {
		Description string
		Default     string
		Required    bool
	}
	Outputs map[string]struct{ Description, Value string }
	Runs    struct {
		Using string
		Steps []*ghStep
	}
}

// runner is what a repository's workflows run on.
type runner struct {
	t         *testing.T
	dir       string
	github    map[string]any // the context
	secrets   map[string]any
	env       []string // of the machine
	checkout  string   // what actions/checkout brings
	base      string   // the same of the pull request's base
	build     bool     // build flexsync, in place of taking the test's own
	artifacts string
	summary   string // where the summaries of all steps go
	log       bytes.Buffer
}

func newRunner(t *testing.T, github map[string]any) *runner {
	t.Helper()
	needs(t, "bash", "jq")
	dir := t.TempDir()
	r := &runner{t: t, dir: dir, github: github, artifacts: filepath.Join(dir, "artifacts"), summary: filepath.Join(dir, "summary.md")}
	r.checkout = filepath.Join(dir, "repository")
	r.base = filepath.Join(dir, "base")
	for _, d := range []string{r.checkout, r.base, r.artifacts} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	github["repository"], github["server_url"], github["run_id"], github["run_attempt"] = "octo/flows", "https://github.com", "42", "1"
	github["token"] = "ghs_t0ken"
	r.secrets = map[string]any{"TWILIO_ACCOUNT_SID": testAccount, "TWILIO_API_KEY": testKey, "TWILIO_API_SECRET": testSecret}
	r.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "GORACE=atexit_sleep_ms=0", "FAKE_GH=" + filepath.Join(dir, "gh.json"),
		"CI=true", "GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=octo/flows", "GITHUB_SERVER_URL=https://github.com", "GITHUB_RUN_ID=42",
	}
	if cover := os.Getenv("GOCOVERDIR"); cover != "" {
		r.env = append(r.env, "GOCOVERDIR="+cover)
	}
	return r
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

// jobRun is one job while it runs.
type jobRun struct {
	*runner
	workspace, temp string
	contexts        map[string]any
	env             map[string]string
	failed          bool
	exit            int // of the first step that failed
	ran             []string
}

// jobResult is how a job ended.
type jobResult struct {
	result  string // success, failure, skipped
	exit    int
	outputs map[string]any
	ran     []string // the names of the steps that ran
}

// job runs one job of a workflow, for one value of its matrix.
func (r *runner) job(w *ghWorkflow, name string, matrix map[string]any, done map[string]jobResult) jobResult {
	r.t.Helper()
	job := w.Jobs[name]
	if job == nil {
		r.t.Fatalf("%s has no job %s", w.Name, name)
	}
	dir, err := os.MkdirTemp(r.dir, "job-"+name+"-")
	if err != nil {
		r.t.Fatal(err)
	}
	j := &jobRun{runner: r, workspace: filepath.Join(dir, "work"), temp: filepath.Join(dir, "temp"), env: map[string]string{}}
	for _, d := range []string{j.workspace, j.temp} {
		if err := os.Mkdir(d, 0o700); err != nil {
			r.t.Fatal(err)
		}
	}
	needed := map[string]any{}
	for n, d := range done {
		needed[n] = map[string]any{"result": d.result, "outputs": d.outputs}
		if n == job.Needs && d.result != "success" {
			return jobResult{result: "skipped"}
		}
	}
	j.contexts = map[string]any{
		"github": r.github, "secrets": r.secrets, "matrix": matrix, "needs": needed,
		"runner": map[string]any{"temp": j.temp, "os": "Linux"}, "steps": map[string]any{},
	}
	if job.If != "" && !truthy(j.expr(job.If)) {
		return jobResult{result: "skipped"}
	}
	for k, v := range job.Env {
		j.env[k] = j.expand(v)
	}
	j.steps(job.Steps, j.contexts, j.env, "")
	res := jobResult{result: "success", exit: j.exit, ran: j.ran, outputs: map[string]any{}}
	if j.failed {
		res.result = "failure"
	}
	for k, v := range job.Outputs {
		res.outputs[k] = j.expand(v)
	}
	return res
}

// steps runs the steps of a job or of a composite action.
func (j *jobRun) steps(steps []*ghStep, contexts map[string]any, env map[string]string, actionPath string) {
	outer := j.contexts
	j.contexts = contexts
	defer func() { j.contexts = outer }()
	for i, s := range steps {
		cond := s.If
		if !regexp.MustCompile(`\b(always|success|failure|cancelled)\(\)`).MatchString(cond) {
			if j.failed {
				continue
			}
		}
		if cond != "" && !truthy(j.expr(cond)) {
			continue
		}
		j.ran = append(j.ran, s.Name)
		stepEnv := maps.Clone(env)
		for k, v := range s.Env {
			stepEnv[k] = j.expand(v)
		}
		outputs := map[string]any{}
		ok, code := true, 0
		if s.Run != "" {
			ok, code = j.script(s, stepEnv, actionPath, outputs)
		} else {
			with := map[string]string{}
			for k, v := range s.With {
				with[k] = j.expand(fmt.Sprint(v))
			}
			ok, code = j.use(s.Uses, with, stepEnv, outputs)
		}
		if !ok && !j.failed {
			j.failed, j.exit = true, code
		}
		if id := s.ID; id != "" {
			contexts["steps"].(map[string]any)[id] = map[string]any{"outputs": outputs}
		} else if s.Name == "" && s.Uses == "" {
			j.t.Errorf("step %d has no name", i)
		}
	}
}

// script runs a step's script as GitHub does.
func (j *jobRun) script(s *ghStep, env map[string]string, actionPath string, outputs map[string]any) (bool, int) {
	if strings.Contains(s.Run, "${{") {
		j.t.Errorf("step %q holds an expression in its script", s.Name)
	}
	dir, err := os.MkdirTemp(j.temp, "step-")
	if err != nil {
		j.t.Fatal(err)
	}
	script, output := filepath.Join(dir, "script.sh"), filepath.Join(dir, "output")
	writeText(j.t, script, s.Run)
	writeText(j.t, output, "")
	args := []string{"-e", script}
	if s.Shell == "bash" {
		args = []string{"--noprofile", "--norc", "-eo", "pipefail", script}
	}
	cmd := exec.CommandContext(j.t.Context(), "bash", args...)
	cmd.Dir = j.workspace
	cmd.Env = append(slices.Clone(j.runner.env), "GITHUB_WORKSPACE="+j.workspace, "RUNNER_TEMP="+j.temp, "GITHUB_OUTPUT="+output,
		"GITHUB_STEP_SUMMARY="+j.summary, "GITHUB_ENV="+filepath.Join(dir, "env"), "GITHUB_PATH="+filepath.Join(dir, "path"), "GITHUB_ACTION_PATH="+actionPath)
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Stdout, cmd.Stderr = &j.log, &j.log
	err = cmd.Run()
	text, rerr := os.ReadFile(output)
	if rerr != nil {
		j.t.Fatal(rerr)
	}
	for line := range strings.Lines(string(text)) {
		k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			j.t.Errorf("step %q: output %q", s.Name, line)
		}
		outputs[k] = v
	}
	if err != nil {
		return false, cmd.ProcessState.ExitCode()
	}
	return true, 0
}

const ownAction = "your-organisation/flexsync/.github/actions/flexsync@"

// use carries out an action: this repository's for real.
func (j *jobRun) use(uses string, with, env map[string]string, outputs map[string]any) (bool, int) {
	j.t.Helper()
	name, _, _ := strings.Cut(uses, "@")
	switch {
	case strings.HasPrefix(uses, ownAction):
		return j.composite(filepath.Join(repository, ".github/actions/flexsync"), with, env, outputs)
	case name == "actions/setup-go":
		if _, err := os.Stat(with["go-version-file"]); err != nil {
			j.t.Error(err)
		}
		return true, 0
	case name == "actions/checkout":
		from := j.checkout
		if with["ref"] == "ba5e" {
			from = j.base
		}
		if err := os.CopyFS(filepath.Join(j.workspace, with["path"]), os.DirFS(from)); err != nil {
			j.t.Fatal(err)
		}
		return true, 0
	case name == "actions/upload-artifact":
		dir := filepath.Join(j.artifacts, with["name"])
		if err := os.MkdirAll(dir, 0o700); err != nil {
			j.t.Fatal(err)
		}
		for path := range strings.Lines(with["path"]) {
			path = strings.TrimSpace(path)
			if !filepath.IsAbs(path) {
				path = filepath.Join(j.workspace, path)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				if with["if-no-files-found"] == "error" {
					return false, 1
				}
				continue
			}
			writeText(j.t, filepath.Join(dir, filepath.Base(path)), string(data))
		}
		return true, 0
	case name == "actions/download-artifact":
		if err := os.CopyFS(filepath.Join(j.workspace, with["path"]), os.DirFS(filepath.Join(j.artifacts, with["name"]))); err != nil {
			j.t.Error(err)
			return false, 1
		}
		return true, 0
	}
	j.t.Errorf("nobody plays the action %s", uses)
	return false, 1
}

func (j *jobRun) composite(dir string, with, env map[string]string, outputs map[string]any) (bool, int) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		j.t.Fatal(err)
	}
	action := readAction(j.t)
	inputs := map[string]any{}
	for name, in := range action.Inputs {
		inputs[name] = j.expand(in.Default)
	}
	if !j.build {
		binary, err := exec.LookPath("flexsync")
		if err != nil {
			j.t.Fatal(err)
		}
		inputs["binary"] = binary
	}
	for name, value := range with {
		if _, ok := inputs[name]; !ok {
			j.t.Errorf("the action has no input %s", name)
		}
		inputs[name] = value
	}
	github := maps.Clone(j.github)
	github["action_path"] = dir
	contexts := map[string]any{"github": github, "inputs": inputs, "runner": j.contexts["runner"], "steps": map[string]any{}}
	before := j.failed
	j.failed = false
	j.steps(action.Runs.Steps, contexts, env, dir)
	failed := j.failed
	j.failed = before

	caller := j.contexts
	j.contexts = contexts
	for name, out := range action.Outputs {
		outputs[name] = j.expand(out.Value)
	}
	j.contexts = caller
	return !failed, j.exit
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, path))
	if err != nil {
		t.Fatal(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func readAction(t *testing.T) *ghAction {
	t.Helper()
	var a ghAction
	readYAML(t, ".github/actions/flexsync/action.yml", &a)
	return &a
}

func readWorkflow(t *testing.T, path string) *ghWorkflow {
	t.Helper()
	var w ghWorkflow
	readYAML(t, path, &w)
	return &w
}

// Expressions.

var expressionRE = regexp.MustCompile(`\$\{\{(.*?)\}\}`)

// expand puts the values of the expressions into a text.
func (j *jobRun) expand(s string) string {
	return expressionRE.ReplaceAllStringFunc(s, func(m string) string {
		return display(j.expr(expressionRE.FindStringSubmatch(m)[1]))
	})
}

func display(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func truthy(v any) bool { return v != nil && v != false && v != "" }

var tokenRE = regexp.MustCompile(`\s*(==|!=|&&|\|\||[!()]|'(?:[^']|'')*'|[A-Za-z_][\w.-]*|\d+)`)

type exprParser struct {
	j      *jobRun
	tokens []string
}

// expr is the value of an expression.
func (j *jobRun) expr(s string) any {
	s = strings.TrimSpace(s)
	if m := expressionRE.FindStringSubmatch(s); m != nil {
		s = m[1]
	}
	var p exprParser
	p.j = j
	for rest := s; strings.TrimSpace(rest) != ""; {
		m := tokenRE.FindStringSubmatch(rest)
		if m == nil || !strings.HasPrefix(rest, m[0]) {
			j.t.Fatalf("expression %q: cannot read %q", s, rest)
		}
		p.tokens = append(p.tokens, m[1])
		rest = rest[len(m[0]):]
	}
	v := p.or()
	if len(p.tokens) > 0 {
		j.t.Fatalf("expression %q: %q is left", s, p.tokens)
	}
	return v
}

func (p *exprParser) take(token string) bool {
	if len(p.tokens) > 0 && p.tokens[0] == token {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

func (p *exprParser) or() any {
	v := p.and()
	for p.take("||") {
		if w := p.and(); !truthy(v) {
			v = w
		}
	}
	return v
}

func (p *exprParser) and() any {
	v := p.equal()
	for p.take("&&") {
		if w := p.equal(); truthy(v) {
			v = w
		}
	}
	return v
}

func (p *exprParser) equal() any {
	v := p.unary()
	for {
		switch {
		case p.take("=="):
			v = display(v) == display(p.unary())
		case p.take("!="):
			v = display(v) != display(p.unary())
		default:
			return v
		}
	}
}

func (p *exprParser) unary() any {
	if p.take("!") {
		return !truthy(p.unary())
	}
	if p.take("(") {
		v := p.or()
		p.take(")")
		return v
	}
	if len(p.tokens) == 0 {
		p.j.t.Fatal("an expression ends too early")
	}
	token := p.tokens[0]
	p.tokens = p.tokens[1:]
	if text, ok := strings.CutPrefix(token, "'"); ok {
		return strings.ReplaceAll(strings.TrimSuffix(text, "'"), "''", "'")
	}
	if p.take("(") {
		p.take(")")
		switch token {
		case "always":
			return true
		case "success":
			return !p.j.failed
		case "failure":
			return p.j.failed
		case "cancelled":
			return false
		}
		p.j.t.Fatalf("nobody knows the function %s", token)
	}
	var v any = p.j.contexts
	for i, name := range strings.Split(token, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
		if i == 0 && v == nil {
			p.j.t.Errorf("there is no context %s here", name)
		}
	}
	return v
}

// The other side of gh.

// fakeIssues is what fakeGH knows, and what it was asked.
type fakeIssues struct {
	Calls    []string
	Comments []fakeComment // on the pull request or issue Issue
	Issues   []fakeComment
	Refuse   string // the method that is refused with 403
}

type fakeComment struct {
	ID     int    `json:"id"`
	Issue  int    `json:"issue_in_path,omitempty"`
	Number int    `json:"number,omitempty"`
	Title  string `json:"title,omitempty"`
	State  string `json:"state,omitempty"`
	Body   string `json:"body"`
	User   struct {
		Login string `json:"login"`
	} `json:"user"`
	HTMLURL     string `json:"html_url"`
	PullRequest any    `json:"pull_request,omitempty"`
}

// fakeGH stands for the command gh: `gh api` for issues and comments, kept in the
// file FAKE_GH. As the real one, it prints the pages of a listing one behind the
// other.
func fakeGH() {
	die := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "gh: "+format+"\n", args...)
		os.Exit(1)
	}
	file := os.Getenv("FAKE_GH")
	var state fakeIssues
	if data, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(data, &state); err != nil {
			die("%v", err)
		}
	}
	if os.Getenv("GH_TOKEN") != "ghs_t0ken" || os.Getenv("GH_HOST") != "github.com" && os.Getenv("GH_HOST") != "" {
		die("HTTP 401")
	}
	args := os.Args[1:]
	method, path, jq, paginate := "GET", "", "", false
	fields := map[string]string{}
	if len(args) == 0 || args[0] != "api" {
		die("only api is played")
	}
	for i := 1; i < len(args); i++ {
		switch args[i] {
		case "--method", "--jq", "-F", "-f":
			flag, value := args[i], args[i+1]
			i++
			switch flag {
			case "--method":
				method = value
			case "--jq":
				jq = value
			default:
				k, v, _ := strings.Cut(value, "=")
				if name, ok := strings.CutPrefix(v, "@"); ok && flag == "-F" {
					data, err := os.ReadFile(name)
					if err != nil {
						die("%v", err)
					}
					v = string(data)
				}
				fields[k] = v
			}
		case "--paginate":
			paginate = true
		default:
			path = args[i]
		}
	}
	state.Calls = append(state.Calls, method+" "+path)
	save := func() {
		data, err := json.Marshal(state)
		if err == nil {
			err = os.WriteFile(file, data, 0o600)
		}
		if err != nil {
			die("%v", err)
		}
	}
	if state.Refuse == method {
		save()
		die("HTTP 403: Resource not accessible by integration")
	}
	if len(fields["body"]) > 65536 {
		die("HTTP 422: body is too long")
	}
	rest, ok := strings.CutPrefix(path, "repos/octo/flows/issues")
	if !ok {
		die("HTTP 404: %s", path)
	}
	rest, _, _ = strings.Cut(rest, "?")
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	show := func(c fakeComment) {
		if jq != ".html_url" {
			die("only --jq .html_url is played")
		}
		fmt.Println(c.HTMLURL)
	}
	list := func(all []fakeComment) {
		const page = 2
		all = append([]fakeComment{}, all...) // none is [], not null
		for i := 0; i == 0 || paginate && i < len(all); i += page {
			data, _ := json.Marshal(all[i:min(i+page, len(all))])
			fmt.Println(string(data))
		}
	}
	change := func(all []fakeComment, id int) {
		for i := range all {
			if c := &all[i]; c.ID == id {
				if body, ok := fields["body"]; ok {
					c.Body = body
				}
				c.State = fields["state"]
				save()
				show(*c)
				os.Exit(0)
			}
		}
		die("HTTP 404")
	}
	add := func(all *[]fakeComment, issue int) {
		c := fakeComment{ID: len(*all) + 1000, Issue: issue, Title: fields["title"], Body: fields["body"]}
		c.Number = c.ID
		c.User.Login = "github-actions[bot]"
		c.HTMLURL = fmt.Sprintf("https://github.com/octo/flows/%d", c.ID)
		*all = append(*all, c)
		save()
		show(c)
	}
	number := func(i int) int {
		n, err := strconv.Atoi(parts[i])
		if err != nil {
			die("HTTP 404: %v", err)
		}
		return n
	}
	switch {
	case rest == "" && method == "GET":
		save()
		list(slices.DeleteFunc(slices.Clone(state.Issues), func(c fakeComment) bool { return c.State == "closed" }))
	case rest == "" && method == "POST":
		add(&state.Issues, 0)
	case len(parts) == 1 && method == "PATCH":
		change(state.Issues, number(0))
	case len(parts) == 2 && parts[0] == "comments" && method == "PATCH":
		change(state.Comments, number(1))
	case len(parts) == 2 && parts[1] == "comments" && method == "GET":
		save()
		n := number(0)
		list(slices.DeleteFunc(slices.Clone(state.Comments), func(c fakeComment) bool { return c.Issue != n }))
	case len(parts) == 2 && parts[1] == "comments" && method == "POST":
		add(&state.Comments, number(0))
	default:
		die("HTTP 404: %s %s", method, path)
	}
}

// gh is what the fake gh knows.
func (r *runner) gh() *fakeIssues {
	r.t.Helper()
	var state fakeIssues
	if data, err := os.ReadFile(filepath.Join(r.dir, "gh.json")); err == nil {
		if err := json.Unmarshal(data, &state); err != nil {
			r.t.Fatal(err)
		}
	}
	return &state
}

func (r *runner) setGH(state *fakeIssues) {
	r.t.Helper()
	data, err := json.Marshal(state)
	if err != nil {
		r.t.Fatal(err)
	}
	writeText(r.t, filepath.Join(r.dir, "gh.json"), string(data))
}
