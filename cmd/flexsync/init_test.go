package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestInitExample is that the example in the comments of flows.yaml is valid once
// its marks are removed.
func TestInitExample(t *testing.T) {
	t.Parallel()
	mark := regexp.MustCompile(`(?m)^# (account_sid:|ignore:|defaults:|flows:|  )`)
	text := mark.ReplaceAllString(strings.Replace(string(initFlows), "\nflows: []\n", "\n", 1), "$1")
	if !strings.Contains(text, "\nflows:\n  - friendly_name:") {
		t.Fatalf("no flows:\n%s", text)
	}
	stdout, stderr := runOfflineWith(t, text, exitOK, "validate", "-")
	if !strings.HasPrefix(stdout, "1 flow ") || stderr != "" {
		t.Errorf("%s%s", stdout, stderr)
	}
}

// TestInitFiles is that the files for CI are those of the examples, which have
// tests of their own.
func TestInitFiles(t *testing.T) {
	t.Parallel()
	for platform, examples := range map[string]map[string]string{
		"gitlab": {".gitlab-ci.yml": gitlabFile},
		"github": {
			".github/workflows/flexflows-pull-request.yml": "examples/ci/github/pull-request.yml",
			".github/workflows/flexflows-deploy.yml":       "examples/ci/github/deploy.yml",
			".github/workflows/flexflows-drift.yml":        "examples/ci/github/drift.yml",
		},
	} {
		dir := t.TempDir()
		runOffline(t, exitOK, "init", dir, "--ci", platform)
		for path, example := range examples {
			have := contents(t, filepath.Join(dir, path))
			if head, ok := strings.CutSuffix(readme(t, example), have); !ok || strings.Count(head, "\n") != 2 {
				t.Errorf("%s is not %s without its first two lines", path, example)
			}
		}
	}
}
