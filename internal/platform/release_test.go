package platform

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// releaseConfig is what the tests look at of .goreleaser.yaml. goreleaser itself
// checks all of it: see .ci/run.
type releaseConfig struct {
	Builds []struct {
		Main         string   `json:"main"`
		Env          []string `json:"env"`
		Flags        []string `json:"flags"`
		Ldflags      []string `json:"ldflags"`
		Goos         []string `json:"goos"`
		Goarch       []string `json:"goarch"`
		ModTimestamp string   `json:"mod_timestamp"`
	} `json:"builds"`
	Archives []struct {
		NameTemplate    string   `json:"name_template"`
		Formats         []string `json:"formats"`
		FormatOverrides []struct {
			Goos    string   `json:"goos"`
			Formats []string `json:"formats"`
		} `json:"format_overrides"`
	} `json:"archives"`
	Checksum struct {
		NameTemplate string `json:"name_template"`
	} `json:"checksum"`
}

func readRelease(t *testing.T) releaseConfig {
	t.Helper()
	var c releaseConfig
	if err := yaml.Unmarshal([]byte(readText(t, filepath.Join(repository, ".goreleaser.yaml"))), &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Builds) != 1 || len(c.Archives) != 1 {
		t.Fatalf("%d builds, %d archives", len(c.Builds), len(c.Archives))
	}
	return c
}

// TestReleaseArchives holds the archives against the names that the action
// downloads.
func TestReleaseArchives(t *testing.T) {
	t.Parallel()
	c := readRelease(t)
	script := readText(t, filepath.Join(repository, actionDir, "download.sh"))
	archive := c.Archives[0]
	names := strings.NewReplacer("{{ .Version }}", "${ACTION_REF#v}", "{{ .Os }}", "${os}", "{{ .Arch }}", "$arch").Replace(archive.NameTemplate)
	if want := "archive=" + names + ".$kind\n"; !strings.Contains(script, want) {
		t.Errorf("download.sh does not say %s", want)
	}
	if !strings.Contains(script, "$release/"+c.Checksum.NameTemplate+`"`) {
		t.Errorf("download.sh does not ask for %s", c.Checksum.NameTemplate)
	}
	format := func(goos string) string {
		for _, o := range archive.FormatOverrides {
			if o.Goos == goos {
				return strings.Join(o.Formats, " ")
			}
		}
		return strings.Join(archive.Formats, " ")
	}
	var systems, architectures []string
	for _, m := range regexp.MustCompile(`os=(\w+) kind=(\S+) `).FindAllStringSubmatch(script, -1) {
		systems = append(systems, m[1])
		if m[2] != format(m[1]) {
			t.Errorf("download.sh takes a %s for %s, and the release has %s", m[2], m[1], format(m[1]))
		}
	}
	for _, m := range regexp.MustCompile(`arch=(\w+) ;;`).FindAllStringSubmatch(script, -1) {
		architectures = append(architectures, m[1])
	}
	if b := c.Builds[0]; !slices.Equal(systems, b.Goos) || !slices.Equal(architectures, b.Goarch) {
		t.Errorf("download.sh knows %q on %q, and the release has %q on %q", systems, architectures, b.Goos, b.Goarch)
	}
}

// taggedClone is a repository with one commit, which is what the working tree
// holds, and a tag.
func taggedClone(t *testing.T, tag string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "flexsync")
	for name := range strings.SplitSeq(must(t, repository, nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"), "\x00") {
		data, err := os.ReadFile(filepath.Join(repository, name))
		if name == "" || os.IsNotExist(err) { // deleted, and not committed
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git := []string{"git", "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"commit", "-q", "-m", "All"}, {"tag", tag}} {
		must(t, dir, nil, append(git, args...)...)
	}
	return dir
}

// TestReleaseIsReproducible builds a tag as a release is built, in two clones, and
// gets the same bytes, which say the tag and the commit and name no directory.
func TestReleaseIsReproducible(t *testing.T) {
	t.Parallel()
	needs(t, "git")
	const tag = "v1.2.3"
	b := readRelease(t).Builds[0]
	if b.ModTimestamp != "{{ .CommitTimestamp }}" {
		t.Errorf("the binaries have the time %s", b.ModTimestamp)
	}
	ldflags := strings.ReplaceAll(strings.Join(b.Ldflags, " "), "{{ .Version }}", strings.TrimPrefix(tag, "v"))
	if strings.Contains(ldflags, "{{") {
		t.Fatalf("more than the version is linked in: %s", ldflags)
	}
	rebuild := "CGO_ENABLED=0 GOOS=linux GOARCH=amd64 GOFLAGS=-buildvcs=auto \\\n  go build -trimpath -ldflags '" + strings.ReplaceAll(ldflags, tag, release) + "' "
	if !strings.Contains(readText(t, filepath.Join(repository, "SECURITY.md")), rebuild) {
		t.Errorf("SECURITY.md does not rebuild a release with %q", rebuild)
	}
	first := taggedClone(t, tag)
	second := filepath.Join(t.TempDir(), "a", "longer", "path", "to", "flexsync")
	must(t, "", nil, "git", "clone", "-q", first, second)

	env := append([]string{"GOFLAGS=-buildvcs=auto"}, b.Env...)
	build := func(dir string, args ...string) (path string, binary []byte) {
		path = filepath.Join(t.TempDir(), "flexsync")
		must(t, dir, env, slices.Concat([]string{"go", "build", "-o", path}, args, []string{b.Main})...)
		binary, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return path, binary
	}
	release := append(slices.Clone(b.Flags), "-ldflags="+ldflags)
	path, binary := build(first, release...)
	if _, other := build(second, release...); !bytes.Equal(binary, other) {
		t.Error("two clones of one commit give different binaries")
	}
	for _, dir := range append(strings.Fields(must(t, "", nil, "go", "env", "GOROOT", "GOMODCACHE", "GOCACHE")), first, second) {
		if bytes.Contains(binary, []byte(dir)) {
			t.Errorf("the binary names %s", dir)
		}
	}
	commit := strings.TrimSpace(must(t, first, nil, "git", "rev-parse", "HEAD"))
	want := "flexsync " + tag + "\ncommit " + commit + "\n"
	if said := must(t, "", nil, path, "version"); !strings.HasPrefix(said, want) {
		t.Errorf("the release says\n%swant\n%s", said, want)
	}

	// Without the flags of a release, it is the clone that tells.
	path, _ = build(first)
	if said := must(t, "", nil, path, "version"); !strings.HasPrefix(said, want) {
		t.Errorf("built from a clone of the tag, it says\n%swant\n%s", said, want)
	}
	writeText(t, filepath.Join(first, "LICENSE"), "changed")
	path, _ = build(first)
	if said := must(t, "", nil, path, "version"); !strings.HasPrefix(said, "flexsync "+tag+"+dirty\ncommit "+commit+" (modified)\n") {
		t.Errorf("built from a changed clone, it says\n%s", said)
	}
}

// TestReleaseNotes takes the notes of a release from the changelog, and refuses a
// tag that is not ready.
func TestReleaseNotes(t *testing.T) {
	t.Parallel()
	needs(t, "bash")
	const changelog = "# Changelog\n\n## [Unreleased]\n\n- Next.\n\n## [1.2.3] - 2026-01-02\n\n### Added\n\n- This.\n\n## [1.2.2] - 2026-01-01\n\n- Before.\n"
	for name, test := range map[string]struct{ tag, source, changelog, says string }{
		"ready":      {"v1.2.3", "v1.2.3", changelog, "\n### Added\n\n- This.\n"},
		"last":       {"v1.2.2", "v1.2.2", changelog, "\n- Before.\n"},
		"source":     {"v1.2.3", "v1.2.2", changelog, "release: the tag is v1.2.3, but cmd/flexsync/version.go says: const release = \"v1.2.2\"\n"},
		"no section": {"v1.2.4", "v1.2.4", changelog, "release: CHANGELOG.md has no section \"## [1.2.4] - YYYY-MM-DD\"\n"},
		"no date":    {"v1.2.3", "v1.2.3", strings.Replace(changelog, "2026-01-02", "unreleased", 1), "release: CHANGELOG.md has no section \"## [1.2.3] - YYYY-MM-DD\"\n"},
		"no version": {"v1", "v1", changelog, "release: the tag \"v1\" is not a version such as v1.2.3\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, d := range []string{".ci", "cmd/flexsync"} {
				if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			writeText(t, filepath.Join(dir, ".ci/release-notes"), readText(t, filepath.Join(repository, ".ci/release-notes")))
			writeText(t, filepath.Join(dir, "cmd/flexsync/version.go"), "package main\n\nconst release = \""+test.source+"\"\n")
			writeText(t, filepath.Join(dir, "CHANGELOG.md"), test.changelog)
			out, err := output(t, dir, nil, "bash", ".ci/release-notes", test.tag)
			if refused := strings.HasPrefix(test.says, "release: "); out != test.says || (err != nil) != refused {
				t.Errorf("%v\n%q\nwant\n%q", err, out, test.says)
			}
		})
	}
}

// TestGoreleaserDownload has the script refuse a download with a wrong checksum,
// and tell it from one that it cannot reach.
func TestGoreleaserDownload(t *testing.T) {
	t.Parallel()
	needs(t, "bash", "tar")
	script, err := filepath.Abs(filepath.Join(repository, ".ci/goreleaser"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		curl string
		exit int
	}{
		"altered":     {`for arg; do case $last in --output) echo altered >"$arg" ;; esac; last=$arg; done`, 1},
		"unreachable": {"exit 6", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "curl"), []byte("#!/bin/sh\n"+test.curl+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "bash", script, filepath.Join(dir, "to"))
			cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != test.exit {
				t.Errorf("exit %d, want %d\n%s", code, test.exit, out)
			}
			if _, err := os.Stat(filepath.Join(dir, "to/goreleaser")); err == nil {
				t.Error("it was unpacked")
			}
		})
	}
}
