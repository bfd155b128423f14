package platform

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
)

const (
	ownAction = "your-organisation/flexsync/.github/actions/flexsync@"
	actionDir = ".github/actions/flexsync"
)

// workflowTree is a repository that uses the workflows, with the action in
// place, and flexsync's own workflows. It returns the files.
func workflowTree(t *testing.T) (dir string, workflows []string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, actionDir), os.DirFS(filepath.Join(repository, actionDir))); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{".git", ".github/workflows"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range []string{"examples/ci/github/*.yml", "examples/fleet/workflow.yml", "examples/environments/workflow.yml", ".github/workflows/*.yml"} {
		files, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %d files", pattern, err, len(files))
		}
		for _, file := range files {
			name := strings.ReplaceAll(strings.TrimPrefix(filepath.ToSlash(file), repository+"/"), "/", "-")
			path := filepath.Join(dir, ".github/workflows", name)
			writeText(t, path, strings.ReplaceAll(readText(t, file), ownAction+release, "./"+actionDir))
			workflows = append(workflows, path)
		}
	}
	return dir, workflows
}

// lint runs actionlint, which also knows the action's inputs and outputs, and has
// shellcheck look at the scripts where that is installed.
func lint(t *testing.T, dir string) []*actionlint.Error {
	t.Helper()
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{Shellcheck: "shellcheck", WorkingDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	found, err := linter.LintRepository(dir)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestWorkflowsLint(t *testing.T) {
	t.Parallel()
	dir, workflows := workflowTree(t)
	for _, found := range lint(t, dir) {
		t.Error(found)
	}
	// It would say so.
	wrong := 0
	for _, file := range workflows {
		text := strings.Replace(readText(t, file), "plan-file: ", "plan-fil: ", 1)
		writeText(t, file, text)
		wrong += strings.Count(text, "plan-fil: ")
	}
	found := lint(t, dir)
	for _, f := range found {
		if !strings.Contains(f.Message, `input "plan-fil" is not defined`) {
			t.Error(f)
		}
	}
	if wrong == 0 || len(found) != wrong {
		t.Errorf("actionlint says of %d wrong inputs: %v", wrong, found)
	}
}

// TestWorkflowsSchema holds the action and the workflows against the schemas of
// SchemaStore.
func TestWorkflowsSchema(t *testing.T) {
	t.Parallel()
	validator := node(t, "@action-validator/cli/cli.mjs")
	dir, files := workflowTree(t)
	for _, file := range append(files, filepath.Join(dir, actionDir, "action.yml")) {
		if out, err := output(t, dir, nil, append(validator, file)...); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// TestActionBuilds runs the script with which the action builds flexsync.
func TestActionBuilds(t *testing.T) {
	t.Parallel()
	needs(t, "bash")
	temp := t.TempDir()
	action, err := filepath.Abs(filepath.Join(repository, actionDir))
	if err != nil {
		t.Fatal(err)
	}
	outputs := filepath.Join(temp, "outputs")
	out := must(t, temp, []string{"RUNNER_TEMP=" + temp, "GITHUB_ACTION_PATH=" + action, "GITHUB_OUTPUT=" + outputs}, "bash", filepath.Join(action, "build.sh"))
	binary, ok := strings.CutPrefix(readText(t, outputs), "binary=")
	if !ok || !strings.Contains(out, "flexsync ") {
		t.Fatalf("outputs %q\n%s", binary, out)
	}
	must(t, temp, nil, strings.TrimSpace(binary), "version")
}

// TestShellScripts has shellcheck look at the scripts of the repository; actionlint
// looks at those inside the workflows.
func TestShellScripts(t *testing.T) {
	t.Parallel()
	needs(t, "shellcheck")
	var scripts []string
	for _, pattern := range []string{actionDir + "/*.sh", ".ci/*"} {
		found, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err, len(found))
		}
		scripts = append(scripts, found...)
	}
	for name, script := range gitlabScripts(t) {
		path := filepath.Join(t.TempDir(), "gitlab-"+name+".sh")
		writeText(t, path, "#!/usr/bin/env bash\nset -eo pipefail\n"+script)
		scripts = append(scripts, path)
	}
	must(t, "", nil, append([]string{"shellcheck", "--severity=style"}, scripts...)...)
}
