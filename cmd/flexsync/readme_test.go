package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"flexsync/internal/emulator"

	"github.com/alecthomas/kong"
)

const repository = "../.."

// readme returns the text of a Markdown file of the repository.
func readme(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A block of a Markdown file that a test looks at: commands in a fence that
// begins with "sh run", commands that stand for what the reader does in an
// editor, in a comment that begins so, and the output of the commands above, in
// a fence that begins with its language and "output". A word behind "run" names the
// place.
var blockRE = regexp.MustCompile("(?ms)^(?:```|<!-- )(sh run|(?:text|diff|yaml|markdown) output) ?(\\w*)\n(.*?)^(?:```|-->)$")

type block struct {
	place  string // "", or "account"
	script string
	output string // what stdout has to hold
}

func blocks(t *testing.T, text string) []block {
	t.Helper()
	var found []block
	for _, m := range blockRE.FindAllStringSubmatch(text, -1) {
		if m[1] == "sh run" {
			found = append(found, block{place: m[2], script: m[3]})
			continue
		}
		if len(found) == 0 {
			t.Fatalf("an output comes before any command:\n%s", m[3])
		}
		found[len(found)-1].output = m[3]
	}
	return found
}

// readmeAccount is the account of the README's reader.
const readmeAccount = `{"flows": [
	{"sid": "FO000000000000000000000000000000a1", "friendly_name": "Support SMS", "channel_type": "sms", "contact_identity": "+15005550001",
	 "chat_service_sid": "IS00000000000000000000000000000001", "integration": {"flow_sid": "FW00000000000000000000000000000002"}},
	{"sid": "FO000000000000000000000000000000a2", "friendly_name": "Web Chat", "channel_type": "web",
	 "chat_service_sid": "IS00000000000000000000000000000001", "integration": {"flow_sid": "FW00000000000000000000000000000001"}},
	{"sid": "FO000000000000000000000000000000a4", "friendly_name": "Old Chat", "channel_type": "web",
	 "chat_service_sid": "IS00000000000000000000000000000001", "integration": {"flow_sid": "FW00000000000000000000000000000001"}}]}`

// TestREADMERuns follows the README, the pages of docs/ and the examples'
// README: every command that is marked to run does, in a copy of the repository
// or, where the account is meant, in an empty directory with an account of its own.
func TestREADMERuns(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the README's commands are for a POSIX shell")
	}
	if testing.Short() {
		t.Skip("it installs a flexsync of its own, without the race detector")
	}
	t.Parallel()
	tmp := t.TempDir()
	clone, bin := filepath.Join(tmp, "clone"), filepath.Join(tmp, "bin")
	for _, dir := range []string{clone, bin} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	linkRepository(t, clone)

	env := []string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "GOBIN=" + bin,
		// A directory that is no clone has no commit to stamp the binary with, and
		// without its path in the binary, the next run finds this one's in the cache.
		"GOFLAGS=" + strings.TrimSpace(os.Getenv("GOFLAGS")+" -buildvcs=false -trimpath"),
		"GIT_AUTHOR_NAME=reader", "GIT_AUTHOR_EMAIL=reader@example.com", "GIT_COMMITTER_NAME=reader", "GIT_COMMITTER_EMAIL=reader@example.com",
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOTOOLCHAIN"} {
		value, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(value)))
	}

	run := func(file, place, dir string, more ...string) {
		script, outputs := "set -eux\n", []string{}
		const mark = "-- the next block --\n"
		for _, b := range blocks(t, readme(t, file)) {
			if b.place == place {
				script += b.script + "echo '" + strings.TrimSpace(mark) + "'\n"
				outputs = append(outputs, b.output)
			}
		}
		if len(outputs) == 0 {
			return
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		cmd.Dir, cmd.Env = dir, append(slices.Clone(env), more...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v\nstdout:\n%s\nstderr, with the commands:\n%s", file, err, &stdout, &stderr)
		}
		printed := strings.Split(stdout.String(), mark)
		for i, want := range outputs {
			checkPrinted(t, file, want, printed[i])
		}
	}
	files := documents(t)
	// The README comes first: it installs the command that the others run.
	slices.SortStableFunc(files, func(a, b string) int {
		return cmp.Compare(strings.Count(a, "/"), strings.Count(b, "/"))
	})
	for _, file := range files {
		home := filepath.Join(t.TempDir(), "home")
		if err := os.Mkdir(home, 0o700); err != nil {
			t.Fatal(err)
		}
		account, err := emulator.New(emulator.Options{Seed: []byte(readmeAccount)})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(account)
		t.Cleanup(server.Close)
		run(file, "", clone, "HOME="+home)
		run(file, "account", home, "HOME="+home, "FLEXSYNC_BASE_URL="+server.URL,
			"TWILIO_ACCOUNT_SID="+emulator.DefaultAccountSID, "TWILIO_AUTH_TOKEN=any")
	}
}

// checkPrinted holds what a page says that a block of commands prints against what it
// prints.
func checkPrinted(t *testing.T, file, want, printed string) {
	t.Helper()
	switch {
	case strings.Contains(printed, want):
	case *update:
		text := strings.Replace(readme(t, file), " output\n"+want+"```", " output\n"+printed+"```", 1)
		writeText(t, filepath.Join(repository, file), text)
	default:
		t.Errorf("%s says that a command prints\n%s\nand it prints\n%s", file, want, printed)
	}
}

// linkRepository makes a directory that looks like the repository, so that
// what commands make there stays out of it.
func linkRepository(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), "go.") {
			if err := os.Symlink(filepath.Join(root, e.Name()), filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// table returns the rows of the first table below a heading, without its head.
func table(t *testing.T, file, heading string) [][]string {
	t.Helper()
	_, below, ok := strings.Cut(readme(t, file), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("%s has no heading %q", file, heading)
	}
	var rows [][]string
	for line := range strings.Lines(below) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if len(rows) > 0 {
				break
			}
			continue
		}
		cells := strings.Split(strings.ReplaceAll(strings.Trim(line, "|"), `\|`, "\x00"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(strings.ReplaceAll(cells[i], "\x00", "|"))
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("%s has no table below %q", file, heading)
	}
	return rows[2:]
}

var codeRE = regexp.MustCompile("`([^`]+)`")

// firstCode is what stands first in a cell as code.
func firstCode(t *testing.T, cell string) string {
	t.Helper()
	m := codeRE.FindStringSubmatch(cell)
	if m == nil {
		t.Fatalf("cell %q names nothing", cell)
	}
	return m[1]
}

// compareSets reports what one side has and the other has not.
func compareSets(t *testing.T, what string, documented, code []string) {
	t.Helper()
	for _, x := range code {
		if !slices.Contains(documented, x) {
			t.Errorf("the code has %s %s, and the documentation has not", what, x)
		}
	}
	for i, x := range documented {
		if !slices.Contains(code, x) {
			t.Errorf("the documentation has %s %s, and the code has not", what, x)
		}
		if slices.Contains(documented[:i], x) {
			t.Errorf("the documentation has %s %s twice", what, x)
		}
	}
}

// knownKeys asks the loader which keys there are, with one that there is not.
func knownKeys(t *testing.T, yaml string) []string {
	t.Helper()
	stdout, stderr := runOfflineWith(t, yaml, exitInput, "validate", "-")
	_, list, ok := strings.Cut(stderr, " are ")
	if !ok {
		t.Fatalf("validate does not name the keys:\n%s%s", stdout, stderr)
	}
	list, _, _ = strings.Cut(list, "\n")
	return strings.Split(list, ", ")
}

// commands are the grammar's commands by name.
func commands(t *testing.T) (map[string]*kong.Node, []*kong.Flag) {
	t.Helper()
	parser, err := kong.New(&grammar{}, kong.Name("flexsync"))
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]*kong.Node)
	for _, node := range parser.Model.Children {
		if !node.Hidden {
			byName[node.Name] = node
		}
	}
	return byName, parser.Model.Flags
}

func TestDocsCommands(t *testing.T) {
	t.Parallel()
	byName, _ := commands(t)
	rows := table(t, "docs/cli.md", "## Commands")
	var names []string
	for _, row := range rows {
		name, args, _ := strings.Cut(firstCode(t, row[0]), " ")
		names = append(names, name)
		if node := byName[name]; node != nil && (args != "") != (len(node.Positional) > 0) {
			t.Errorf("command %s has %d arguments; the documentation says %q", name, len(node.Positional), args)
		}
	}
	compareSets(t, "command", names, slices.Collect(maps.Keys(byName)))
}

// TestDocsFlags holds the table of flags against the grammar: every flag of
// every command, its short form, and its default.
func TestDocsFlags(t *testing.T) {
	t.Parallel()
	byName, global := commands(t)
	grammar := make(map[string]*kong.Flag) // "plan --out"
	for _, f := range global {
		grammar["all --"+f.Name] = f
	}
	for name, node := range byName {
		for _, f := range node.Flags {
			if !f.Hidden {
				grammar[name+" --"+f.Name] = f
			}
		}
	}
	var documented []string
	for _, row := range table(t, "docs/cli.md", "## Flags") {
		long, _, _ := strings.Cut(firstCode(t, row[0]), " ")
		for name := range strings.SplitSeq(row[1], ", ") {
			key := name + " " + long
			documented = append(documented, key)
			f := grammar[key]
			if f == nil {
				continue // compareSets says so
			}
			if short := fmt.Sprintf("`-%c`", f.Short); f.Short != 0 && !strings.Contains(row[0], short) {
				t.Errorf("the documentation does not say that %s is %s", long, short)
			}
			if f.HasDefault && !strings.Contains(row[2], f.Default) {
				t.Errorf("%s: the default is %s; the documentation says %q", key, f.Default, row[2])
			}
			for _, word := range f.EnumSlice() { // one empty word without an enum
				if word != "" && !strings.Contains(row[2], "`"+word+"`") {
					t.Errorf("%s: the documentation does not name the value %s", key, word)
				}
			}
		}
	}
	compareSets(t, "flag", documented, slices.Sorted(maps.Keys(grammar)))
}

// TestDocsExitCodes holds the table of exit codes against the constants.
func TestDocsExitCodes(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "exit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, "exit") {
			if value, ok := spec.Values[0].(*ast.BasicLit); ok {
				codes = append(codes, value.Value)
			}
		}
		return true
	})
	var documented []string
	for _, row := range table(t, "docs/cli.md", "## Exit codes") {
		documented = append(documented, row[0])
	}
	compareSets(t, "exit code", documented, codes)
}
