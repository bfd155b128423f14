package platform

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const gitlabFile = repository + "/examples/ci/gitlab/.gitlab-ci.yml"

// gitlabScripts is the script of each job that has one.
func gitlabScripts(t *testing.T) map[string]string {
	t.Helper()
	var file map[string]any
	if err := yaml.Unmarshal([]byte(readText(t, gitlabFile)), &file); err != nil {
		t.Fatal(err)
	}
	scripts := make(map[string]string)
	for name, value := range file {
		job, _ := value.(map[string]any)
		lines, _ := job["script"].([]any)
		for _, line := range lines {
			scripts[name] += line.(string) + "\n"
		}
	}
	return scripts
}

// TestGitLabSchema holds the file against GitLab's schema, and the jobs of each
// kind of pipeline against what the page says.
func TestGitLabSchema(t *testing.T) {
	t.Parallel()
	needs(t, "git")
	local := node(t, "gitlab-ci-local/src/index.js")
	text := readText(t, gitlabFile)
	list := func(t *testing.T, text string, variables ...string) (string, error) {
		dir := t.TempDir()
		must(t, dir, nil, "git", "init", "-q", "-b", "main")
		writeText(t, filepath.Join(dir, ".gitlab-ci.yml"), text)
		command := append(slices.Clone(local), "--list-csv")
		for _, v := range variables {
			command = append(command, "--variable", v)
		}
		return output(t, dir, []string{"HOME=" + t.TempDir()}, command...)
	}
	for name, test := range map[string]struct {
		variables []string
		want      []string
	}{
		"main":          {[]string{"CI_PIPELINE_SOURCE=push", "CI_COMMIT_BRANCH=main"}, []string{"apply", "flexsync", "plan-main", "validate"}},
		"schedule":      {[]string{"CI_PIPELINE_SOURCE=schedule", "CI_COMMIT_BRANCH=main"}, []string{"drift", "flexsync", "validate"}},
		"merge request": {[]string{"CI_PIPELINE_SOURCE=merge_request_event", "CI_COMMIT_BRANCH=", "CI_MERGE_REQUEST_PROJECT_ID=9", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID=9"}, []string{"flexsync", "plan", "validate"}},
		"fork":          {[]string{"CI_PIPELINE_SOURCE=merge_request_event", "CI_COMMIT_BRANCH=", "CI_MERGE_REQUEST_PROJECT_ID=9", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID=8"}, []string{"flexsync", "plan-fork", "validate"}},
		"fleet, fork":   {[]string{"CI_PIPELINE_SOURCE=merge_request_event", "CI_COMMIT_BRANCH=", "CI_MERGE_REQUEST_PROJECT_ID=9", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID=8", "FLEXFLOWS_FLEET=fleet.yaml"}, []string{"flexsync", "validate"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := list(t, text, append(test.variables, "CI_DEFAULT_BRANCH=main")...)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
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
				t.Errorf("jobs %q, want %q\n%s", jobs, test.want, out)
			}
		})
	}
	t.Run("wrong key", func(t *testing.T) {
		t.Parallel()
		if out, err := list(t, strings.Replace(text, "expire_in: 1 day", "expires: 1 day", 1)); err == nil {
			t.Errorf("the schema accepts it:\n%s", out)
		}
	})
}

// TestGitLabBuild runs the job that gets flexsync from its repository, twice: the
// second time from the cache.
func TestGitLabBuild(t *testing.T) {
	t.Parallel()
	needs(t, "bash", "git", "tar")
	origin, dir := t.TempDir(), t.TempDir()
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	// A repository of the files as they are here, committed or not.
	const commit = `git init -q -b main "$1" && cd "$2"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do if [ -f "$file" ]; then printf '%s\0' "$file"; fi; done |
	tar -cf - --null -T - | tar -xf - -C "$1"
cd "$1" && git add . && git -c user.name=x -c user.email=x@example.com commit -q -m x && git tag "$3"`
	must(t, "", nil, "bash", "-euo", "pipefail", "-c", commit, "-", origin, root, release)
	script := gitlabScripts(t)["flexsync"]
	for _, from := range []string{"file://" + origin, "file:///nowhere"} {
		out := must(t, dir, []string{"FLEXSYNC_REPOSITORY=" + from, "FLEXSYNC_VERSION=" + release}, "bash", "-eo", "pipefail", "-c", script)
		if !strings.Contains(out, "flexsync "+release+"\n") {
			t.Fatalf("built from %s:\n%s", from, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "bin/flexsync")); err != nil {
		t.Error(err)
	}
}
