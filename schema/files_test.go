package schema

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"flexsync/internal/yamldoc"
)

// flowNamed is a file that declares one flow.
func flowNamed(name string) string {
	return "version: 1\nflows:\n  - {friendly_name: " + name + ", channel_type: web, chat_service_sid: IS00000000000000000000000000000001}\n"
}

func namesOf(c *Config) (names []string) {
	for _, f := range c.Resources {
		names = append(names, f.ID())
	}
	return names
}

func TestPaths(t *testing.T) {
	dir := write(t, map[string]string{
		"one.yaml":              flowNamed("one"),
		"d/b.yml":               flowNamed("b"),
		"d/a.yaml":              flowNamed("a"),
		"d/sub/c.yaml":          flowNamed("c"),
		"d/.hidden.yaml":        "no: flows",
		"d/.git/config.yaml":    "no: flows",
		"d/notes.txt":           "no flows",
		"d/vars.yaml":           "x: y",
		"empty/sub/read.me":     "",
		"only-comments.yaml":    "# nothing\n",
		"d2/sub.yaml/deep.yaml": flowNamed("deep"),
		"case/A.YAML":           flowNamed("A"),
		"case/sub/B.Yml":        flowNamed("B"),
		"shared/e.yaml":         flowNamed("e"),
		"linked/here.yaml":      flowNamed("here"),
		".kept/f.yaml":          flowNamed("f"),
	})
	if runtime.GOOS != "windows" {
		for link, target := range map[string]string{
			"d/z.yaml": "../one.yaml", "d/sub/a-again.yaml": "../a.yaml", "link": "d",
			"linked/far": "../shared", "linked/far-again": "../shared", "linked/one.yml": "../one.yaml", "linked/f": "../.kept", "linked/.away": "../d",
		} {
			if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
		}
	} else {
		t.Skip("needs symbolic links")
	}
	tests := []struct {
		name  string
		paths []string
		want  string // names of flows, or the error
		files int
	}{
		{"file", []string{"one.yaml"}, "one", 1},
		{"directory", []string{"d"}, "a b c one", 4},
		{"link to a directory", []string{"link"}, "a b c one", 4},
		{"twice", []string{"one.yaml", "./one.yaml", "d", "d/sub/../a.yaml"}, "one a b c", 4},
		{"order given", []string{"d/b.yml", "d/a.yaml"}, "b a", 2},
		{"directory with an extension", []string{"d2"}, "deep", 1},
		{"extensions in capitals", []string{"case"}, "A B", 2},
		{"links below a directory", []string{"linked"}, "f e here one", 4},
		{"a directory by two ways", []string{"linked", "shared"}, "f e here one", 4},
		{"comments beside", []string{"only-comments.yaml", "one.yaml"}, "one", 2},
		{"stdin", []string{"-", "one.yaml", "-"}, "stdin one", 2},
		{"absent", []string{"absent.yaml", "one.yaml/x"}, "absent.yaml: no such file or directory\none.yaml/x: not a directory", 0},
		{"no YAML", []string{"empty"}, "empty: the directory has no *.yaml or *.yml file", 0},
		{"only comments", []string{"only-comments.yaml"}, "only-comments.yaml: flows: the files declare neither flows nor addresses", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var paths []string
			for _, p := range tt.paths {
				if p != "-" {
					p = dir + "/" + p
				}
				paths = append(paths, p)
			}
			config, err := Load(paths, Options{Stdin: strings.NewReader(flowNamed("stdin")), VarFiles: []string{filepath.Join(dir, "d", "vars.yaml")}})
			if err != nil {
				if _, ok := err.(yamldoc.Problems); !ok {
					t.Fatalf("%v is no Problems", err)
				}
				if got := strings.ReplaceAll(err.Error(), dir+"/", ""); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				return
			}
			if got := strings.Join(namesOf(config), " "); got != tt.want || config.Files != tt.files {
				t.Errorf("got %s from %d files, want %s from %d", got, config.Files, tt.want, tt.files)
			}
		})
	}
}

// TestNamedFIFO is process substitution: what is given as a path is read,
// whatever it is.
func TestNamedFIFO(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := exec.Command("mkfifo", "flows").Run(); err != nil {
		t.Skip(err)
	}
	done := make(chan error, 1)
	go func() { done <- os.WriteFile("flows", []byte(flowNamed("x")), 0) }()
	config, err := Load([]string{"flows"}, Options{})
	if err != nil || len(config.Resources) != 1 {
		t.Errorf("got %v, %v", config, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestUnreadable is input that cannot be read, or is too large.
func TestUnreadable(t *testing.T) {
	// The hint is true: an escape gets the character to where its field's rule is.
	if config, err := loadText(flowNamed(`"a\u2028b"`), Options{}); err != nil || config.Resources[0].ID() != "a\u2028b" {
		t.Errorf("an escaped LS: got %v, %v", config, err)
	}
	if _, err := loadText(flowNamed(`"a\u0085b"`), Options{}); err == nil || !strings.Contains(err.Error(), "contains a control character") {
		t.Errorf("an escaped NEL in a name: got %v", err)
	}

	endless := Options{Stdin: endlessReader{}}
	if _, err := Load([]string{"-"}, endless); err == nil || err.Error() != "<stdin>: the file is larger than 64 MiB" {
		t.Errorf("endless input: got %v", err)
	}
	broken := errors.New("broken")
	if _, err := Load([]string{"-"}, Options{Stdin: iotest.ErrReader(broken)}); !errors.Is(err, broken) {
		t.Errorf("broken input: got %v", err)
	}
	if _, err := Load([]string{"-"}, Options{}); err == nil {
		t.Error("standard input is read without one")
	}
}

type endlessReader struct{}

func (endlessReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '#'
	}
	return len(p), nil
}

var _ io.Reader = endlessReader{}

// TestManyFiles is rules that hold across files.
func TestManyFiles(t *testing.T) {
	dir := write(t, map[string]string{
		"a.yaml": "version: 1\naccount_sid: AC00000000000000000000000000000001\nignore: [\"B*\"]\n" + strings.TrimPrefix(flowNamed("A"), "version: 1\n"),
		"b.yaml": "version: 1\naccount_sid: AC00000000000000000000000000000002\n" + strings.TrimPrefix(flowNamed("B"), "version: 1\n"),
		"c.yaml": "version: 1\ndefaults: {channel_type: web}\n",
		"d.yaml": "version: 1\nflows:\n  - {friendly_name: A, chat_service_sid: IS00000000000000000000000000000001, sid: FO00000000000000000000000000000001}\n",
	})
	_, err := Load([]string{dir}, Options{})
	want := []string{
		"b.yaml:2:14: account_sid: account_sid is AC00000000000000000000000000000002, but AC00000000000000000000000000000001 at a.yaml:2:14",
		"b.yaml:4:6: flows[0].friendly_name: flow \"B\" is declared, but ignore lists \"B*\" at a.yaml:3:10",
		"d.yaml:3:5: flows[0].channel_type: flow \"A\" has no channel_type", // defaults are those of one document
		"d.yaml:3:6: flows[0].friendly_name: the name \"A\" is already the name of the flow at a.yaml:5:6",
	}
	got := strings.Split(strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""), "\n")
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestFlowsOnly: the flows of an account may be listed early only where nothing else
// can be meant.
func TestFlowsOnly(t *testing.T) {
	for text, want := range map[string]int{
		"version: 1\nflows: []\n":                1,
		"version: 1\nflows: wrong\n":             1, // the files are read; that they are wrong comes later
		"version: 1\naddresses: []\n":            0,
		"version: 1\nflows: []\naddresses: []\n": 0,
		"version: 1\nflows: \x00\n":              0,
	} {
		calls := 0
		_, _ = loadText(text, Options{FlowsOnly: func() { calls++ }}) // the error is another test's
		if calls != want {
			t.Errorf("%q: %d calls, want %d", text, calls, want)
		}
	}
}

// TestSharedFiles loads configurations that share files side by side, each with
// variables of its own: each is as it is alone.
func TestSharedFiles(t *testing.T) {
	shared := "version: 1\ndefaults: &d {channel_type: web, chat_service_sid: \"${service}\"}\nflows:\n" +
		"  - {friendly_name: \"${name}\", <<: *d}\n  - {friendly_name: \"Flow ${name}\", long_lived: \"${on}\"}\n"
	dir := write(t, map[string]string{"flows/a.yaml": shared, "flows/b.yaml": strings.ReplaceAll(shared, "${name}", "b ${name}"), "vars.yaml": "service: IS00000000000000000000000000000001\n"})
	files := new(yamldoc.Files)
	options := func(i int) Options {
		vars := map[string]string{"name": fmt.Sprint("n", i), "on": fmt.Sprint(i%2 == 0)}
		if i%5 == 4 {
			delete(vars, "name")
		}
		return Options{Vars: vars, VarFiles: []string{filepath.Join(dir, "vars.yaml")}}
	}
	paths := []string{filepath.Join(dir, "flows")}
	text := func(c *Config, err error) string {
		if err != nil {
			return err.Error()
		}
		return render(t, c)
	}
	var want, got [20]string
	for i := range want {
		want[i] = text(Load(paths, options(i)))
	}
	var wg sync.WaitGroup
	for i := range got {
		opts := options(i)
		opts.Files = files
		release := Hold(paths, opts)
		wg.Go(func() {
			got[i] = text(Load(paths, opts))
			release()
		})
	}
	wg.Wait()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shared (-alone +shared):\n%s", diff)
	}
	if want[0] == want[1] || !strings.Contains(want[4], `variable "name" is not set`) {
		t.Errorf("the configurations do not differ: %s, %s", want[0], want[4])
	}
}
