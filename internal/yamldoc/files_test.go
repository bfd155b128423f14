package yamldoc

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"weak"
)

// write writes files below a new directory, and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestPathsRefused is what stands below a directory of flows and cannot be
// read: what it declares would be taken for deleted.
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
			t.Chdir(write(t, map[string]string{"d/a.yaml": "", "d/sub/c.yaml": ""}))
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
			files := new(Files)
			inputs, problems := files.Find([]string{"d"}, "", nil, nil)
			for _, in := range inputs {
				if _, problem, err := files.Read(in, nil); err != nil {
					t.Fatal(err)
				} else if problem != nil {
					problems = append(problems, *problem)
				}
			}
			if len(problems) != 1 {
				t.Fatalf("got %v, want %s", problems, tt.want)
			}
			if got := problems[0].String() + "\n    " + problems[0].Hint; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
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
				files[f] = ""
			}
			dir := write(t, files)
			for name, target := range links {
				if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
					t.Skip(err)
				}
			}
			inputs, problems := new(Files).Find(nil, dir, []string{"flows.yaml", "flows.yml", "flows/"}, nil)
			if len(problems) > 0 {
				if len(problems) != 1 || !strings.Contains(problems.Error(), tt.want) {
					t.Errorf("got %v, want %s", problems, tt.want)
				}
				return
			}
			if len(inputs) != 1 || inputs[0].Name != filepath.Join(dir, filepath.FromSlash(tt.want)) {
				t.Errorf("got %v, want %s", inputs, tt.want)
			}
		})
	}
}

// TestNotText is input that is not text of YAML.
func TestNotText(t *testing.T) {
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
		if _, problem := NewSource("<stdin>", []byte(tt.text)); problem == nil || problem.String() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, problem, tt.want)
		}
	}

}

// TestFilesOnce: what is held is opened, read and parsed once, by whatever name, and a
// problem has the name by which its file was reached.
func TestFilesOnce(t *testing.T) {
	dir := write(t, map[string]string{"d/a.yaml": "a: b\n", "d/bad.yaml": "a: [\n"})
	good, bad := filepath.Join(dir, "d", "a.yaml"), filepath.Join(dir, "d", "bad.yaml")
	t.Chdir(dir)
	files := new(Files)
	read := func(path string) (roots []*Node, problems Problems) {
		t.Helper()
		src, problem, err := files.Read(Input{Name: path, Path: path}, nil)
		if err != nil || problem != nil {
			t.Fatal(problem, err)
		}
		problems = src.Documents(func(root *Node) { roots = append(roots, root) })
		return roots, problems
	}
	first := files.Hold(Input{Path: good}, Input{Path: bad})
	second := files.Hold(Input{Path: "d/a.yaml"})
	before, _ := read(good)
	if err := os.WriteFile(good, []byte("a: c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, end := range []func(){func() {}, first, first} {
		if end(); files.Known(good) == nil || files.Known(bad) != nil {
			t.Error("what is read and held is not known, or what is not read is")
		}
		if after, _ := read("d/a.yaml"); len(after) != 1 || after[0] != before[0] {
			t.Error("a file is parsed again while it is held")
		}
	}
	second()
	if after, _ := read(good); len(after) != 1 || after[0].Content[1].Value != "c" {
		t.Error("a file is kept when nobody holds it any more")
	}
	for _, path := range []string{bad, "d/bad.yaml", bad} {
		if _, problems := read(path); len(problems) != 1 || problems[0].File != path {
			t.Errorf("got %v, want a problem in %s", problems, path)
		}
	}
	for _, path := range []string{"gone.yaml", "./gone.yaml"} {
		if _, problem, err := files.Read(Input{Name: path, Path: path}, nil); err != nil || problem == nil || problem.File != path {
			t.Errorf("got %v, %v, want a problem of %s", problem, err, path)
		}
	}
}

// TestFindOnce: a directory is listed once.
func TestFindOnce(t *testing.T) {
	dir := write(t, map[string]string{"a.yaml": "", "sub/b.yaml": ""})
	files := new(Files)
	for range 2 {
		if inputs, problems := files.Find([]string{dir}, "", nil, nil); len(inputs) != 2 || problems != nil {
			t.Errorf("got %v, %v", inputs, problems)
		}
		if err := os.WriteFile(filepath.Join(dir, "sub", "new.yaml"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHoldEnds: what nobody holds any more takes no memory, though whoever held it still
// has what ends the hold.
func TestHoldEnds(t *testing.T) {
	in := Input{Path: filepath.Join(write(t, map[string]string{"a.yaml": "a: b\n"}), "a.yaml")}
	files := new(Files)
	release := files.Hold(in)
	src, _, err := files.Read(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := weak.Make(src.text)
	runtime.GC()
	if text.Value() == nil {
		t.Error("what is held is gone")
	}
	release()
	runtime.GC()
	if text.Value() != nil {
		t.Error("the text is still there")
	}
	runtime.KeepAlive(files)
	release()
}
