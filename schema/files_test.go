package schema

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"flexsync/internal/yamldoc"
)

// flowNamed is a file that declares one flow.
func flowNamed(name string) string {
	return "version: 1\nflows:\n  - {friendly_name: " + name + ", channel_type: web, chat_service_sid: IS00000000000000000000000000000001}\n"
}

func namesOf(c *Config) (names []string) {
	for _, f := range c.Flows {
		names = append(names, f.Flow.FriendlyName)
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
		{"only comments", []string{"only-comments.yaml"}, "only-comments.yaml: flows: the files declare no flows", 0},
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

// TestPathsRefused is what stands below a directory of flows and cannot be
// read: to pass over it would be to delete the flows that it may hold.
func TestPathsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs symbolic links")
	}
	const link, fifo, socket, closed = "link", "fifo", "socket", "closed"
	const leave = "\n    fix the link, or remove it"
	tests := []struct {
		name, kind, path, target string
		want                     string // path: message, and the hint
	}{
		{"broken link to a file", link, "d/b.yaml", "gone.yaml", "d/b.yaml: the link points to gone.yaml, which cannot be read: no such file or directory" + leave},
		{"broken link to a directory", link, "d/team", "../../team", "d/team: the link points to ../../team, which cannot be read: no such file or directory" + leave},
		{"link to itself", link, "d/b.yaml", "b.yaml", "d/b.yaml: the link points to b.yaml, which cannot be read: too many levels of symbolic links" + leave},
		{"cycle", link, "d/sub/up", "..", "d/sub/up: the link leads back to d, which contains it" + "\n    remove the link"},
		{"cycle by way of the directory above", link, "d/up", "..", "d/up/d: this is d again, through a link above it" + "\n    remove the link"},
		{"FIFO", fifo, "d/b.yaml", "", "d/b.yaml: expected a file, found a FIFO\n    remove it, or pass it as a path of its own"},
		{"FIFO in capitals", fifo, "d/b.YML", "", "d/b.YML: expected a file, found a FIFO\n    remove it, or pass it as a path of its own"},
		{"socket", socket, "d/b.yaml", "", "d/b.yaml: expected a file, found a socket\n    remove it, or pass it as a path of its own"},
		{"device", link, "d/b.yaml", os.DevNull, "d/b.yaml: expected a file, found a device\n    remove it, or pass it as a path of its own"},
		{"closed directory", closed, "d/sub", "", "d/sub: permission denied\n    make it readable for the user that runs flexsync"},
		{"closed file", closed, "d/sub/c.yaml", "", "d/sub/c.yaml: permission denied\n    make it readable for the user that runs flexsync"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(write(t, map[string]string{"d/a.yaml": flowNamed("a"), "d/sub/c.yaml": flowNamed("c")}))
			var err error
			switch tt.kind {
			case link:
				err = os.Symlink(tt.target, tt.path)
			case fifo:
				err = exec.Command("mkfifo", tt.path).Run()
			case socket:
				var l net.Listener
				if l, err = net.Listen("unix", tt.path); err == nil {
					defer l.Close()
				}
			case closed:
				if os.Geteuid() == 0 {
					t.Skip("root reads everything")
				}
				info, err := os.Stat(tt.path)
				if err != nil {
					t.Fatal(err)
				}
				defer os.Chmod(tt.path, info.Mode())
				if err := os.Chmod(tt.path, 0); err != nil {
					t.Fatal(err)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = Load([]string{"d"}, Options{})
			problems, ok := err.(yamldoc.Problems)
			if !ok || len(problems) != 1 {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if got := problems[0].String() + "\n    " + problems[0].Hint; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
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
	if err != nil || len(config.Flows) != 1 {
		t.Errorf("got %v, %v", config, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestDefaultPath(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  string
	}{
		{"yaml", []string{"flows.yaml", "other.yaml"}, "flows.yaml"},
		{"yml", []string{"flows.yml"}, "flows.yml"},
		{"directory", []string{"flows/x.yaml"}, "flows/x.yaml"},
		{"none", []string{"other.yaml", "flows"}, "none of flows.yaml, flows.yml, flows/"},
		{"several", []string{"flows.yaml", "flows/x.yaml"}, "several exist: flows.yaml, flows"},
		{"a broken link", []string{"flows.yml -> gone", "flows/x.yaml"}, "several exist: flows.yml, flows"},
		{"a broken link alone", []string{"flows.yaml -> gone"}, "flows.yaml: the link points to gone, which cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{}
			links := map[string]string{}
			for _, f := range tt.files {
				if name, target, ok := strings.Cut(f, " -> "); ok {
					links[name] = target
					continue
				}
				files[f] = flowNamed("x")
			}
			dir := write(t, files)
			for name, target := range links {
				if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
					t.Skip(err)
				}
			}
			config, err := Load(nil, Options{Dir: dir})
			if err != nil {
				if problems, ok := err.(yamldoc.Problems); !ok || len(problems) != 1 || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				return
			}
			if got := config.Flows[0].Pos.File; got != filepath.Join(dir, filepath.FromSlash(tt.want)) {
				t.Errorf("read %s, want %s", got, tt.want)
			}
		})
	}
}

// TestUnreadable is input that is no text, or too much of it.
func TestUnreadable(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"UTF-8", "version: 1\nflows: \"\xff\"\n", "<stdin>:2:9: byte 0xff is not valid UTF-8"},
		{"UTF-16", "\xff\xfev\x00e\x00", "<stdin>:1:1: byte 0xff is not valid UTF-8"},
		{"control", "version: 1\n# é\x1b[31m\n", "<stdin>:2:4: control character U+001B is not allowed in YAML"},
		{"NUL", "version: 1\r\n\x00", "<stdin>:2:1: control character U+0000 is not allowed in YAML"},
		{"C1", "a: \u009b", "<stdin>:1:4: control character U+009B is not allowed in YAML"},
		{"cut", "a: \xe2\x82", "<stdin>:1:4: byte 0xe2 is not valid UTF-8"},
		{"NEL in quotes", "a: b\nc: \"d\u0085e\"\n", "<stdin>:2:6: the character U+0085 is a line break in YAML 1.1 but not in YAML 1.2"},
		{"NEL in single quotes", "a: '\u0085'\n", "<stdin>:1:5: the character U+0085 is a line break in YAML 1.1 but not in YAML 1.2"},
		{"NEL in a comment", "# x\u0085version: 1\n", "<stdin>:1:4: the character U+0085 is a line break in YAML 1.1 but not in YAML 1.2"},
		{"NEL in a block", "a: |\r\n  x\r  y\u0085z\n", "<stdin>:3:4: the character U+0085 is a line break in YAML 1.1 but not in YAML 1.2"},
		{"LS", "{\"a\": \"b \u2028 c\"}\n", "<stdin>:1:10: the character U+2028 is a line break in YAML 1.1 but not in YAML 1.2"},
		{"PS", "a: b \u2029c: d\n", "<stdin>:1:6: the character U+2029 is a line break in YAML 1.1 but not in YAML 1.2"},
	}
	for _, tt := range tests {
		if _, err := loadText(tt.text, Options{}); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}

	// The hint is true: an escape gets the character to where its field's rule is.
	if config, err := loadText(flowNamed(`"a\u2028b"`), Options{}); err != nil || config.Flows[0].Flow.FriendlyName != "a\u2028b" {
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
