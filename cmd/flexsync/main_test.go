package main

import (
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts in testdata/script run the real command as a process of its own
// against an embedded API of their own; -update rewrites what they compare with
// cmp. Beside testscript's commands they have those of the map in TestScript.

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

func TestMain(m *testing.M) {
	// The scripts wait more than they work: for retries, for the two seconds
	// between two listings.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"flexsync": program(main)})
}

// program is a program that the tests start: this binary, by another name. Built
// by `go test -cover`, it would end with a warning on stderr unless it has a
// place for what it covers: beside it, where testscript cleans up.
func program(main func()) func() {
	return func() {
		if testing.CoverMode() != "" && os.Getenv("GOCOVERDIR") == "" {
			self, err := os.Executable()
			if err == nil {
				dir := filepath.Join(filepath.Dir(self), "coverage")
				err = errors.Join(os.MkdirAll(dir, 0o700), os.Setenv("GOCOVERDIR", dir))
			}
			if err != nil {
				panic(err)
			}
		}
		main()
	}
}

func TestScript(t *testing.T) {
	t.Parallel() // or the tests below would wait for the last script
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		UpdateScripts:      *update,
		RequireUniqueNames: true,
		Setup:              setup,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// Running flexsync.
			"exits":   cmdExits,   // CODE flexsync ARG…: runs it and checks the exit code
			"start":   cmdStart,   // [-broken-stdout] flexsync ARG…: runs it in the background
			"signal":  cmdSignal,  // INT|TERM|KILL…: signals it
			"says":    cmdSays,    // TEXT: waits until it has written this to stderr
			"ended":   cmdEnded,   // CODE: waits for it and checks the exit code
			"serving": cmdServing, // points the environment at the `emulate` in the background

			// The account.
			"account": cmdAccount, // [FLAG…]: starts an embedded API and points the environment at it
			"fault":   cmdFault,   // METHOD[:TEXT] WHICH KIND[=ARG]…: see newFault
			"await":   cmdAwait,   // waits until a request is held
			"release": cmdRelease, // lets the held requests go on
			"edit":    cmdEdit,    // add FILE | set NAME KEY=VALUE… | delete NAME: behind the API's back
			"names":   cmdNames,   // NAME…: the friendly names in the account, sorted
			"dump":    cmdDump,    // FILE: writes the account as JSON
			"asked":   cmdAsked,   // METHOD=N…: how many requests came since it was last said
			"writes":  cmdWrites,  // WHAT…: the writes that came since it was last said, in order

			// Looking at results.
			"json":   cmdJSON,   // [!] json FILE PATH [VALUE]: see cmdJSON
			"steady": cmdSteady, // FILE OUT: copies FILE without what differs from run to run
			"mode":   cmdMode,   // MODE FILE: checks a file's permissions
			"text":   cmdText,   // FILE TEXT COUNT: writes a long text
			"subst":  cmdSubst,  // FILE OLD NEW: edits a file; NEW may be @FILE
			"yaml":   cmdYAML,   // FILE OUT: copies the YAML that a report prints to restore
			"cut":    cmdCut,    // FILE: leaves the first half of a file
			"many":   cmdMany,   // N JSON YAML: writes an account of N flows, and the same as YAML
		},
	})
}

// The marked credentials. The embedded API accepts no other password.
const (
	testAccount = "AC00000000000000000000000000000001"
	testSecret  = "5ecret0fTheTestAccount0000000001"
	testKey     = "SK00000000000000000000000000000001"
)

func setup(env *testscript.Env) error {
	env.Setenv("HOME", filepath.Join(env.WorkDir, ".home"))
	env.Setenv("AC", testAccount)
	env.Setenv("SECRET", testSecret)
	env.Setenv("KEY", testKey)
	if os.Getenv("GORACE") == "" {
		env.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise each process takes a second to end
	}
	env.Values[fixtureKey{}] = &fixture{}
	return nil
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[1] != "flexsync" {
		ts.Fatalf("usage: exits CODE flexsync ARG...")
	}
	err := ts.Exec("flexsync", args[2:]...)
	checkExit(ts, args[0], err)
	checkOutput(ts, args[2:], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
}

func checkExit(ts *testscript.TestScript, want string, err error) {
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}

// command is workflow commands of GitHub's runner: "::" at a line's start, also
// after spaces, and "##[" anywhere.
var command = regexp.MustCompile(`(?m)^\s*::|##\[`)

// annotation is what a command of ours begins with, in a GitHub job.
var annotation = regexp.MustCompile(`(?m)^::(?:error|warning) (?:file=[^,:\n]+,(?:line=\d+,)?(?:col=\d+,)?)?title=flexsync[^,:\n]*::`)

// checkOutput holds every run against what is promised of all output: no
// secret, nothing that a terminal or a job runner would obey, and with --format
// json exactly one document.
func checkOutput(ts *testscript.TestScript, args []string, stdout, stderr string) {
	line := " " + strings.Join(args, " ") + " "
	if ts.Getenv("GITHUB_ACTIONS") == "true" {
		stderr = annotation.ReplaceAllString(stderr, "") // leaves the message
	}
	for name, text := range map[string]string{"stdout": stdout, "stderr": stderr} {
		checkSecret(ts, name, text)
		if m := command.FindString(text); m != "" {
			ts.Fatalf("%s holds a workflow command, %q", name, m)
		}
		for _, r := range text {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) && !(r == '\x1b' && strings.Contains(line, "--color")) {
				ts.Fatalf("%s holds %U", name, r)
			}
		}
	}
	for name, text := range writtenFiles(ts) {
		checkSecret(ts, name, text)
	}
	if strings.Contains(line, " --format json ") || strings.Contains(line, " --format=json ") {
		if v, ok := parseJSON(ts, "stdout", stdout).(map[string]any); !ok || v["format_version"] != float64(1) {
			ts.Fatalf("stdout is not a document of format_version 1")
		}
	}
}

func checkSecret(ts *testscript.TestScript, where, text string) {
	for _, user := range []string{testAccount, testKey} {
		if strings.Contains(text, testSecret) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(user+":"+testSecret))) {
			ts.Fatalf("%s holds the secret", where)
		}
	}
}

// writtenFiles is every file below the script's directory, but for what the
// script itself gives a secret to.
func writtenFiles(ts *testscript.TestScript) map[string]string {
	files := make(map[string]string)
	err := filepath.WalkDir(ts.Getenv("WORK"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(path, ".twilio-cli") {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	ts.Check(err)
	return files
}

// process is a flexsync in the background.
type process struct {
	*exec.Cmd
	args           []string
	stdout, stderr output
}

// output is what a process in the background has written so far.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	broken := len(args) > 0 && args[0] == "-broken-stdout"
	if broken {
		args = args[1:]
	}
	if neg || len(args) < 1 || args[0] != "flexsync" {
		ts.Fatalf("usage: start [-broken-stdout] flexsync ARG...")
	}
	path, err := exec.LookPath("flexsync") // the test's own PATH has it, too
	ts.Check(err)
	p := &process{Cmd: exec.Command(path, args[1:]...), args: args[1:]}
	p.Dir = ts.MkAbs(".")
	for _, name := range []string{"HOME", "TMPDIR", "PATH", "GORACE", "FLEXSYNC_BASE_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "DEV_TWILIO_ACCOUNT_SID", "DEV_TWILIO_AUTH_TOKEN"} {
		if v := ts.Getenv(name); v != "" {
			p.Env = append(p.Env, name+"="+v)
		}
	}
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	if broken {
		r, w, err := os.Pipe()
		ts.Check(err)
		ts.Check(r.Close())
		defer w.Close()
		p.Stdout = w
	}
	ts.Check(p.Start())
	f := fixtureOf(ts)
	f.process = p
	ts.Defer(func() {
		if f.process == p {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	})
}

func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}
	for _, name := range args {
		s, ok := signals[name]
		if !ok || neg {
			ts.Fatalf("usage: signal INT|TERM|KILL...")
		}
		ts.Check(fixtureOf(ts).process.Process.Signal(s))
	}
}

func cmdSays(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: says TEXT")
	}
	p := fixtureOf(ts).process
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(p.stderr.String(), args[0]); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("it does not say %q, but %s", args[0], p.stderr.String())
		}
	}
}

func cmdEnded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ended CODE")
	}
	f := fixtureOf(ts)
	p := f.process
	err := p.Wait()
	f.process = nil
	_, _ = ts.Stdout().Write([]byte(p.stdout.String()))
	_, _ = ts.Stderr().Write([]byte(p.stderr.String()))
	checkExit(ts, args[0], err)
	if p.stdout.String() != "" {
		checkOutput(ts, p.args, p.stdout.String(), p.stderr.String())
	}
}

func cmdServing(ts *testscript.TestScript, neg bool, args []string) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		if address, _, ok := strings.Cut(fixtureOf(ts).process.stdout.String(), "\n"); ok {
			ts.Setenv("FLEXSYNC_BASE_URL", address)
			ts.Setenv("TWILIO_ACCOUNT_SID", testAccount)
			ts.Setenv("TWILIO_AUTH_TOKEN", testSecret)
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("it does not say where it serves")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode MODE FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if have := strconv.FormatUint(uint64(info.Mode().Perm()), 8); have != strings.TrimLeft(args[0], "0") {
		ts.Fatalf("%s has mode %s, want %s", args[1], have, args[0])
	}
}

func cmdText(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: text FILE TEXT COUNT")
	}
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(args[1], n)), 0o600))
}

func cmdMany(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: many N JSON YAML")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	seed, yaml := manyFlows(n)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(seed), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(yaml), 0o600))
}

// manyFlows is an account of n flows, and the same as YAML.
func manyFlows(n int) (account, config string) {
	var seed, yaml strings.Builder
	seed.WriteString(`{"flows": [`)
	yaml.WriteString("version: 1\ndefaults: {chat_service_sid: IS00000000000000000000000000000001, channel_type: web}\nflows:\n")
	for i := range n {
		if i > 0 {
			seed.WriteString(",")
		}
		fmt.Fprintf(&seed, "\n{\"friendly_name\": \"Many %d\", \"channel_type\": \"web\", \"chat_service_sid\": \"IS00000000000000000000000000000001\"}", i)
		fmt.Fprintf(&yaml, "  - friendly_name: Many %d\n", i)
	}
	seed.WriteString("]}")
	return seed.String(), yaml.String()
}

func cmdSubst(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: subst FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	with := args[2]
	if file, ok := strings.CutPrefix(with, "@"); ok {
		with = ts.ReadFile(file)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], with)), 0o600))
}

func cmdYAML(ts *testscript.TestScript, neg bool, args []string) {
	_, text, ok := strings.Cut(ts.ReadFile(args[0]), "\n# What was deleted")
	end := strings.LastIndex(text, "\n\n")
	if !ok || end < 0 {
		ts.Fatalf("%s has nothing to restore", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte("#"+text[:end+1]), 0o600))
}

func cmdCut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: cut FILE")
	}
	text := ts.ReadFile(args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text[:len(text)/2]), 0o600))
}

// unsteady is what differs from run to run.
var unsteady = map[string]*regexp.Regexp{
	"http://127.0.0.1:PORT":        regexp.MustCompile(`http://127\.0\.0\.1:\d+`),
	`"created_at": "TIME"`:         regexp.MustCompile(`"created_at": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"`),
	`"flexsync_version": "v0.0.0"`: regexp.MustCompile(`"flexsync_version": "[^"]+"`),
	`sha256:DIGEST`:                regexp.MustCompile(`sha256:[0-9a-f]{64}`),
	`"request_id":"RQ"`:            regexp.MustCompile(`"request_id":"RQ[0-9a-f]{32}"`),
	`RQ`:                           regexp.MustCompile(`RQ[0-9a-f]{32}`),
}

func cmdSteady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: steady FILE OUT")
	}
	text := ts.ReadFile(args[0])
	for _, with := range slices.Sorted(maps.Keys(unsteady)) {
		text = unsteady[with].ReplaceAllLiteralString(text, with)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}
