package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
	"flexsync/internal/render"
)

// These tests run the real command on a pseudo terminal, and look at what a
// person would see there.

// screen is what a terminal of some width shows: as much of one as the output
// of flexsync needs.
type screen struct {
	width   int
	rows    [][]glyph
	x       int
	style   string
	wrapped map[int]bool // rows that go on from the row before
	broken  []string     // what a terminal would not do as meant
}

type glyph struct {
	r     rune
	style string // the escape that is in force
}

func newScreen(width int) *screen {
	return &screen{width: width, rows: [][]glyph{nil}, wrapped: map[int]bool{}}
}

var escapeRE = regexp.MustCompile(`^\x1b\[([0-9;]*)([A-Za-z])`)

func (s *screen) write(text string) {
	for text != "" {
		y := len(s.rows) - 1
		if m := escapeRE.FindStringSubmatch(text); m != nil {
			switch {
			case m[2] == "m" && (m[1] == "0" || m[1] == ""):
				s.style = ""
			case m[2] == "m":
				s.style += m[0]
			case m[2] == "K" && m[1] == "":
				if s.wrapped[y] {
					s.broken = append(s.broken, "a line is taken back that had wrapped")
				}
				s.rows[y] = s.rows[y][:min(s.x, len(s.rows[y]))]
			default:
				s.broken = append(s.broken, fmt.Sprintf("the escape %q", m[0]))
			}
			text = text[len(m[0]):]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch {
		case r == '\r':
			s.x = 0
		case r == '\n':
			s.rows = append(s.rows, nil)
		case r < 0x20 || r == 0x7f || r == utf8.RuneError:
			s.broken = append(s.broken, fmt.Sprintf("the character %U", r))
		default:
			n := render.Width(string(r))
			if s.x+n > s.width {
				s.rows = append(s.rows, nil)
				s.x, y = 0, y+1
				s.wrapped[y] = true
			}
			for len(s.rows[y]) < s.x {
				s.rows[y] = append(s.rows[y], glyph{r: ' '})
			}
			s.rows[y] = append(s.rows[y][:s.x:s.x], append([]glyph{{r, s.style}}, s.rows[y][min(s.x+1, len(s.rows[y])):]...)...)
			for range n - 1 { // the other half of a wide one
				s.rows[y] = append(s.rows[y], glyph{})
			}
			s.x += n
		}
	}
}

// String is the rows, with their colours as escapes.
func (s *screen) String() string {
	var b strings.Builder
	for _, row := range s.rows {
		style := ""
		var line strings.Builder
		for _, g := range row {
			if g.r == 0 {
				continue
			}
			if g.style != style {
				if style != "" {
					line.WriteString("\x1b[0m")
				}
				line.WriteString(g.style)
				style = g.style
			}
			line.WriteRune(g.r)
		}
		if style != "" {
			line.WriteString("\x1b[0m")
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// terminal is a flexsync that runs on a pseudo terminal.
type terminal struct {
	t     *testing.T
	cmd   *exec.Cmd
	width int
	pty   *os.File
	ended chan struct{} // when all output is read

	mu  sync.Mutex
	raw []byte
}

// startTerminal runs flexsync in a directory. env is added to an environment
// that has nothing but HOME.
func startTerminal(t *testing.T, width int, dir string, env []string, args ...string) *terminal {
	t.Helper()
	pty, tty, err := openPTY(width, 50)
	if err != nil {
		t.Skipf("no pseudo terminal: %v", err)
	}
	flexsync, err := exec.LookPath("flexsync") // see TestMain
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(flexsync, args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, tty, tty, tty
	cmd.Env = append([]string{"HOME=" + dir, "TERM=xterm-256color", "GORACE=atexit_sleep_ms=0"}, env...)
	control(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	x := &terminal{t: t, cmd: cmd, width: width, pty: pty, ended: make(chan struct{})}
	go func() {
		defer close(x.ended)
		buf := make([]byte, 4096)
		for {
			n, err := pty.Read(buf)
			x.mu.Lock()
			x.raw = append(x.raw, buf[:n]...)
			x.mu.Unlock()
			if err != nil { // EIO, once the program has gone
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		<-x.ended
		pty.Close()
	})
	return x
}

func (x *terminal) output() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return string(x.raw)
}

// await waits until a text has been written.
func (x *terminal) await(text string) {
	x.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(x.output(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			x.t.Fatalf("%q does not come:\n%s", text, x.output())
		}
	}
}

// typed sends what a person types.
func (x *terminal) typed(keys string) {
	x.t.Helper()
	if _, err := x.pty.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

const (
	ctrlC = "\x03"
	ctrlD = "\x04"
)

// ends waits for the program, checks its exit code, and returns what the
// terminal shows then.
func (x *terminal) ends(code int) string {
	x.t.Helper()
	select {
	case <-x.ended:
	case <-time.After(30 * time.Second):
		x.t.Fatalf("it does not end:\n%s", x.output())
	}
	err := x.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		x.t.Fatal(err)
	}
	s := newScreen(x.width)
	s.write(x.output())
	for _, what := range s.broken {
		x.t.Errorf("width %d: %s:\n%q", x.width, what, x.output())
	}
	if have := x.cmd.ProcessState.ExitCode(); have != code {
		x.t.Errorf("exit %d, want %d:\n%s", have, code, s)
	}
	return s.String()
}

// screenAccount has something of every kind to show.
const screenAccount = `{"account_sid": "AC00000000000000000000000000000001", "flows": [
	{"sid": "FO00000000000000000000000000000001", "friendly_name": "Support SMS", "channel_type": "sms", "contact_identity": "+15005550001",
	 "chat_service_sid": "IS00000000000000000000000000000001", "integration": {"flow_sid": "FW00000000000000000000000000000002"}},
	{"sid": "FO00000000000000000000000000000002", "friendly_name": "Web Chat", "channel_type": "web",
	 "chat_service_sid": "IS00000000000000000000000000000001", "integration": {"flow_sid": "FW00000000000000000000000000000001"}},
	{"sid": "FO00000000000000000000000000000003", "friendly_name": "WhatsApp of the whole company, in German 日本語", "channel_type": "whatsapp",
	 "contact_identity": "whatsapp:+15005550002",
	 "chat_service_sid": "IS00000000000000000000000000000001", "integration": {"flow_sid": "FW00000000000000000000000000000001"}},
	{"sid": "FO00000000000000000000000000000004", "friendly_name": "Old Chat", "channel_type": "web",
	 "chat_service_sid": "IS00000000000000000000000000000001", "integration": {"flow_sid": "FW00000000000000000000000000000001"}}]}`

const screenYAML = `version: 1
defaults:
  chat_service_sid: IS00000000000000000000000000000001
  integration_type: studio
  integration:
    flow_sid: FW00000000000000000000000000000001
flows:
  - friendly_name: Support SMS
    channel_type: sms
    contact_identity: "+15005550001"
    integration: {flow_sid: FW00000000000000000000000000000003, retry_count: 1}
  - friendly_name: Web Chat
    channel_type: web
  - friendly_name: WhatsApp of the whole company, in German 日本語
    channel_type: whatsapp
    contact_identity: "whatsapp:+15005550002"
    enabled: false
  - friendly_name: Web Chat of the shop
    channel_type: web
    contact_identity: "shop"
    integration_type: external
    integration: {url: "https://hooks.example.com/a/path/that/is/long/enough/for/any/terminal/there/is?token=none"}
`

var newSID = regexp.MustCompile(`FO[0-9a-f]{32}`)

// TestScreens compares what a person sees with golden files. They hold colours
// as escapes: cat shows them.
func TestScreens(t *testing.T) {
	t.Parallel()
	for _, screen := range []struct {
		name string
		code int
		args string
		keys []string // what is typed: each behind the question that it answers
	}{
		{"help", exitOK, "--help", nil},
		{"help-plan", exitOK, "plan --help", nil},
		{"help-apply", exitOK, "apply --help", nil},
		{"help-export", exitOK, "export --help", nil},
		{"list", exitOK, "list", nil},
		{"plan", exitOK, "plan", nil},
		{"plan-refused", exitRefused, "plan --max-deletes 0", nil},
		{"plan-compact", exitOK, "plan --compact", nil},
		{"plan-none", exitOK, "plan same.yaml", nil},
		{"apply", exitOK, "apply --parallelism 1", []string{"yes\r"}},
		{"apply-no", exitRefused, "apply", []string{"well\r", "no\r"}},
		{"validate", exitInput, "validate wrong.yaml", nil},
		{"usage", exitInput, "aply", nil},
	} {
		for _, width := range []int{80, 120} {
			name := fmt.Sprintf("%s-%d", screen.name, width)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				writeText(t, filepath.Join(dir, "account.json"), screenAccount)
				writeText(t, filepath.Join(dir, "flows.yaml"), screenYAML)
				writeText(t, filepath.Join(dir, "wrong.yaml"), "version: 1\nflows:\n  - friendly_name: A\n    chanel_type: sms\n    contact_identity: +15005550001\n    enabled: yes\n")
				same, _ := runOffline(t, exitOK, "export", "--local", filepath.Join(dir, "account.json"))
				writeText(t, filepath.Join(dir, "same.yaml"), same)
				x := startTerminal(t, width, dir, []string{"FLEXSYNC_LOCAL=account.json"}, strings.Fields(screen.args)...)
				for i, keys := range screen.keys {
					x.await([]string{"[yes/no] ", "Answer yes or no: "}[i])
					x.typed(keys)
				}
				have := newSID.ReplaceAllStringFunc(x.ends(screen.code), func(sid string) string {
					if strings.Contains(screenAccount, sid) {
						return sid
					}
					return "FO" + strings.Repeat("x", 32) // the API makes it up
				})
				golden := filepath.Join("testdata", "screen", name+".txt")
				if *update {
					writeText(t, golden, have)
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatalf("%v; run the test with -update", err)
				}
				if have != string(want) {
					t.Errorf("the screen has changed (look at it, then run the test with -update):\n%s\nwant:\n%s", have, want)
				}
			})
		}
	}
}

// TestScreenColor is when a plan on a terminal has colours.
func TestScreenColor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env, flag string
		colored   bool
	}{
		{"TERM=xterm", "--color=auto", true},
		{"TERM=dumb", "--color=auto", false},
		{"TERM=dumb", "--color=always", true},
		{"NO_COLOR=1", "--color=auto", false},
		{"NO_COLOR=", "--color=auto", true},
		{"TERM=xterm", "--color=never", false},
	} {
		dir := t.TempDir()
		writeText(t, filepath.Join(dir, "account.json"), screenAccount)
		writeText(t, filepath.Join(dir, "flows.yaml"), screenYAML)
		x := startTerminal(t, 80, dir, []string{test.env}, "plan", "--local", "account.json", test.flag)
		x.ends(exitOK)
		if have := strings.Contains(x.output(), "\x1b["); have != test.colored {
			t.Errorf("%s %s: colours %v", test.env, test.flag, have)
		}
	}
}

// TestScreenProgress looks at an apply that takes its time: at every moment the
// status line fits the terminal, and in the end nothing of it is left.
func TestScreenProgress(t *testing.T) {
	t.Parallel()
	const flows = 24
	text := "version: 1\ndefaults: {chat_service_sid: IS00000000000000000000000000000001, channel_type: web}\nflows:\n"
	for i := range flows {
		text += fmt.Sprintf("  - friendly_name: Flow %d\n", i)
	}
	for _, test := range []struct {
		width int
		args  string
		live  string // what a line has to match at some moment
		until string // what Ctrl-C is typed at
	}{
		{80, "apply --yes", `^Applying: \d+ of 24, \d+ s left$`, ""},
		{120, "apply --yes --format json", `^Applying: \d+ of 24, \d+ s left$`, ""},
		{16, "apply --yes", `^Applying: \d+ …$`, ""},
		{80, "apply --yes", `^Interrupted: finishing 1 write in flight. Press Ctrl-C again to stop immediately.$`, "5 of 24"},
		{80, "apply --yes --format json", `^Interrupted: finishing 1 write in flight. Press Ctrl-C again to stop immediately.$`, "5 of 24"},
		{80, "apply --yes -v", `^Applying: \d+ of 24, \d+ s left$`, ""},
	} {
		t.Run(fmt.Sprint(test.width, test.args, test.until), func(t *testing.T) {
			t.Parallel()
			server, err := emulator.New(emulator.Options{Latency: 110 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			web := httptest.NewServer(server)
			t.Cleanup(web.Close)
			dir := t.TempDir()
			writeText(t, filepath.Join(dir, "flows.yaml"), text)
			env := []string{"FLEXSYNC_BASE_URL=" + web.URL, "TWILIO_ACCOUNT_SID=" + server.AccountSID(), "TWILIO_AUTH_TOKEN=any"}
			x := startTerminal(t, test.width, dir, env, append(strings.Fields(test.args), "--parallelism", "1")...)
			code := exitOK
			if test.until != "" {
				x.await(test.until)
				x.typed(ctrlC)
				code = exitInterrupted
			}
			have := x.ends(code)
			if line := regexp.MustCompile(`Reading|Applying|Verifying|\^C`).FindString(have); line != "" {
				t.Errorf("%s is left:\n%s", line, have)
			}
			live := regexp.MustCompile(test.live)
			seen := false
			for _, line := range regexp.MustCompile(`[\r\n]+|\x1b\[K`).Split(x.output(), -1) {
				seen = seen || live.MatchString(line)
			}
			if !seen {
				t.Errorf("no line matches %s:\n%q", test.live, x.output())
			}
		})
	}
}

// TestScreenNoTerminal is that nothing is written over where nobody looks.
func TestScreenNoTerminal(t *testing.T) {
	t.Parallel()
	flexsync, err := exec.LookPath("flexsync")
	if err != nil {
		t.Fatal(err)
	}
	for _, term := range []string{"xterm", "dumb"} {
		dir := t.TempDir()
		writeText(t, filepath.Join(dir, "flows.yaml"), screenYAML)
		cmd := exec.Command(flexsync, "apply", "--yes", "--local", "account.json")
		cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "TERM=" + term, "GORACE=atexit_sleep_ms=0"}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.Output()
		if err != nil || stderr.Len() > 0 || bytes.Contains(stdout, []byte("\x1b")) || !bytes.Contains(stdout, []byte("Applied: 4 created")) {
			t.Errorf("%v\nstdout: %q\nstderr: %q", err, stdout, &stderr)
		}

	}
}

// TestScreenWithoutStatus is a run that takes its time where no line may be
// written over: on a terminal that cannot clear one, and in a job's log.
func TestScreenWithoutStatus(t *testing.T) {
	t.Parallel()
	server, err := emulator.New(emulator.Options{Latency: 1300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	dir := t.TempDir()
	for env, shown := range map[string]bool{"TERM=xterm": true, "TERM=dumb": false, "CI=true": false} {
		x := startTerminal(t, 80, dir, []string{"FLEXSYNC_BASE_URL=" + web.URL, "TWILIO_ACCOUNT_SID=" + server.AccountSID(), "TWILIO_AUTH_TOKEN=any", env}, "list", "--timeout", "10s")
		x.ends(exitOK)
		if have := strings.Contains(x.output(), "Reading the account"); have != shown || strings.Contains(x.output(), takeBack) != shown {
			t.Errorf("%s: there is a status line: %v\n%q", env, have, x.output())
		}
	}
}

// TestScreenSilent is Ctrl-C, and what the terminal shows then, while the API is
// silent.
func TestScreenSilent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ method, args, line, want string }{
		{http.MethodGet, "plan", "Reading the account: 1 request, 1 s", "Interrupted: nothing was changed.\n"},
		{http.MethodPost, "apply --yes --format json", "Applying: 0 of 1", "Interrupted: finishing 1 write in flight. Press Ctrl-C again to stop immediately.\n" +
			"flexsync: stopped immediately; a write in progress may still take effect: run `flexsync plan` to see\n"},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			server, err := emutest.New(emulator.Options{}, func(r *http.Request, _ int) emutest.Fault {
				return emutest.Fault{Hang: r.Method == test.method}
			})
			if err != nil {
				t.Fatal(err)
			}
			web := httptest.NewServer(server)
			t.Cleanup(web.Close)
			dir := t.TempDir()
			writeText(t, filepath.Join(dir, "flows.yaml"), "version: 1\nflows: [{friendly_name: A, chat_service_sid: IS00000000000000000000000000000001, channel_type: web}]\n")
			env := []string{"FLEXSYNC_BASE_URL=" + web.URL, "TWILIO_ACCOUNT_SID=" + server.AccountSID(), "TWILIO_AUTH_TOKEN=any"}
			x := startTerminal(t, 120, dir, env, strings.Fields(test.args)...)
			x.await(test.line)
			x.typed(ctrlC)
			if test.method == http.MethodPost {
				x.await("stop immediately.")
				x.typed(ctrlC)
			}
			if have := x.ends(exitInterrupted); have != test.want {
				t.Errorf("the terminal shows:\n%s", have)
			}
		})
	}
}

// TestScreenInterrupted is Ctrl-C wherever flexsync waits for a person.
func TestScreenInterrupted(t *testing.T) {
	t.Parallel()
	local := []string{"FLEXSYNC_LOCAL=account.json"}
	start := func(t *testing.T, args ...string) (*terminal, func()) {
		dir := t.TempDir()
		file := filepath.Join(dir, "account.json")
		writeText(t, file, screenAccount)
		writeText(t, filepath.Join(dir, "flows.yaml"), screenYAML)
		return startTerminal(t, 80, dir, local, args...), func() {
			t.Helper()
			if data, err := os.ReadFile(file); err != nil || string(data) != screenAccount {
				t.Errorf("the account was changed: %v\n%s", err, data)
			}
		}
	}
	for _, args := range []string{"apply", "apply --format json", "apply --backup backup.yaml"} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			x, unchanged := start(t, strings.Fields(args)...)
			x.await("\x1b[1;31mThis DELETES 1 flow and DISABLES 1 flow.\x1b[0m\r\nApply these changes to account AC00000000000000000000000000000001 (embedded:\r\naccount.json)? [yes/no] ")
			x.typed(ctrlC)
			if have := x.ends(exitInterrupted); !strings.Contains(have, "\nInterrupted: nothing was changed.\n") {
				t.Errorf("it says:\n%s", have)
			}
			unchanged()
		})
	}
	for _, args := range []string{"plan -", "apply -", "validate -"} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			x, unchanged := start(t, strings.Fields(args)...)
			x.await("press Ctrl-D to end")
			x.typed("version: 1\rflows: [")
			x.typed(ctrlC)
			if have := x.ends(exitInterrupted); !strings.Contains(have, "\nInterrupted: nothing was changed.\n") {
				t.Errorf("it says:\n%s", have)
			}
			unchanged()
		})
	}
	t.Run("the end", func(t *testing.T) {
		t.Parallel()
		x, unchanged := start(t, "validate", "-")
		x.await("press Ctrl-D to end")
		x.typed("version: 1\rflows: []\r" + ctrlD)
		x.ends(exitOK)
		unchanged()
	})
	t.Run("no answer", func(t *testing.T) {
		t.Parallel()
		x, unchanged := start(t, "apply")
		x.await("[yes/no] ")
		x.typed(ctrlD)
		if have := x.ends(exitRefused); !strings.Contains(have, "\nflexsync: not confirmed; nothing was changed") {
			t.Errorf("it says:\n%s", have)
		}
		unchanged()
	})
}
