//go:build !windows

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
)

// stalls is how long a test waits for a command that is to end by itself.
const stalls = time.Minute

// interruptedRun runs a command whose first Ctrl-C comes when the test calls
// the cancel function that begin gets; begin may also have come and gone.
func interruptedRun(t *testing.T, env map[string]string, stdout, stderr io.Writer, begin func(context.CancelFunc), args ...string) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, args, strings.NewReader(""), stdout, stderr, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	}()
	begin(cancel)
	select {
	case code := <-code:
		return code
	case <-time.After(stalls):
		t.Fatalf("%q goes on after the interruption", args)
		return 0
	}
}

// TestInterruptedFIFO is Ctrl-C while a FIFO has no other end.
func TestInterruptedFIFO(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, account := filepath.Join(dir, "flows.yaml"), filepath.Join(dir, "account.json")
	writeText(t, file, "version: 1\nflows: [{friendly_name: A, chat_service_sid: IS00000000000000000000000000000001, channel_type: web}]\n")
	writeText(t, account, "{}")
	for _, line := range []string{
		"validate FIFO",
		"plan FIFO --local ACCOUNT",
		"validate FILE --var-file FIFO",
		"apply --plan FIFO --yes --local ACCOUNT",
		"emulate --seed FIFO",
		"plan FILE --local ACCOUNT --out FIFO",
		"apply FILE --local ACCOUNT --yes --backup FIFO",
		"validate FILE --code-quality FIFO",
		"export --local ACCOUNT --snapshot FIFO",
		"plan FILE --local ACCOUNT --step-summary",
		"plan FIFO --local ACCOUNT --format json",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			fifo := filepath.Join(t.TempDir(), "fifo") // of its own: another would be its other end
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			args := strings.Fields(strings.NewReplacer("FIFO", fifo, "FILE", file, "ACCOUNT", account).Replace(line))
			var stdout, stderr bytes.Buffer
			code := interruptedRun(t, map[string]string{"GITHUB_STEP_SUMMARY": fifo}, &stdout, &stderr, func(cancel context.CancelFunc) { cancel() }, args...)
			if code != exitInterrupted || !strings.Contains(stderr.String(), "Interrupted: nothing was changed.\n") {
				t.Errorf("exit %d\n%s", code, &stderr)
			}
			if strings.Contains(line, "json") && !strings.Contains(stdout.String(), `"status": "interrupted"`) {
				t.Errorf("stdout: %s", &stdout)
			}
		})
	}
	t.Cleanup(func() {
		if data, err := os.ReadFile(account); err != nil || string(data) != "{}" {
			t.Errorf("the account was changed: %v\n%s", err, data)
		}
	})
}

// A FIFO that has another end is read and written as ever.
func TestFIFO(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in, out, account := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "account.json")
	for _, path := range []string{in, out} {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writeText(t, account, "{}")
	go func() {
		_ = os.WriteFile(in, []byte("version: 1\nflows: [{friendly_name: A, chat_service_sid: IS00000000000000000000000000000001, channel_type: web}]\n"), 0)
	}()
	saved := make(chan []byte)
	go func() {
		data, _ := os.ReadFile(out)
		saved <- data
	}()
	if code, _, stderr := runWith(t, nil, "plan", in, "--local", account, "--out", out); code != exitOK {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	if data := <-saved; !bytes.Contains(data, []byte(`"format_version"`)) {
		t.Errorf("the FIFO got %q", data)
	}
}

// TestInterruptedStdout is Ctrl-C while the reader of stdout, or of stderr, stalls.
func TestInterruptedStdout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, account := filepath.Join(dir, "flows.yaml"), filepath.Join(dir, "account.json")
	writeText(t, file, "version: 1\nflows: [{friendly_name: A, chat_service_sid: IS00000000000000000000000000000001, channel_type: web}]\n")
	writeText(t, account, `{"flows": [{"friendly_name": "Old", "channel_type": "web"}]}`)
	for _, line := range []string{
		"plan FILE --local ACCOUNT", "plan FILE --local ACCOUNT --format json", "plan FILE --local ACCOUNT --max-deletes 0",
		"apply FILE --local ACCOUNT --yes --max-deletes 100%", "apply FILE --local ACCOUNT --yes --max-deletes 0",
		"export --local ACCOUNT", "list --local ACCOUNT", "list --local ACCOUNT --format env", "schema", "version", "validate FILE", "completion bash", "plan --help",
		"stderr: validate absent.yaml", "stderr: list -v --local ACCOUNT",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			args, onStderr := strings.CutPrefix(strings.NewReplacer("FILE", file, "ACCOUNT", account).Replace(line), "stderr: ")
			r, w := io.Pipe()
			defer r.Close()
			var other bytes.Buffer
			stdout, stderr := io.Writer(w), io.Writer(&other)
			if onStderr {
				stdout, stderr = stderr, stdout
			}
			code := interruptedRun(t, nil, stdout, stderr, func(cancel context.CancelFunc) {
				if _, err := io.ReadFull(r, make([]byte, 1)); err != nil { // a write is under way
					t.Error(err)
				}
				cancel()
			}, strings.Fields(args)...)
			want := exitInterrupted
			switch args { // where only stderr is lost, the result stands
			case "validate absent.yaml":
				want = exitInput
			case "list -v --local " + account:
				want = exitOK
			}
			if code != want {
				t.Errorf("exit %d\n%s", code, &other)
			}
		})
	}
	t.Cleanup(func() {
		if data, err := os.ReadFile(account); err != nil || !strings.Contains(string(data), "Old") || strings.Contains(string(data), `"A"`) {
			t.Errorf("the account was changed: %v\n%s", err, data)
		}
	})
}

// TestInterruptedApply is Ctrl-C while an apply cannot tell of its writes: those
// that are under way are finished, and the whole report goes to stderr.
func TestInterruptedApply(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var yaml strings.Builder
			yaml.WriteString("version: 1\ndefaults: {chat_service_sid: IS00000000000000000000000000000001, channel_type: web}\nflows:\n")
			for i := range 20 {
				fmt.Fprintf(&yaml, "  - friendly_name: F%02d\n", i)
			}
			file := filepath.Join(t.TempDir(), "flows.yaml")
			writeText(t, file, yaml.String())
			server, err := emutest.New(emulator.Options{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			web := httptest.NewServer(server)
			t.Cleanup(web.Close)
			env := map[string]string{"FLEXSYNC_BASE_URL": web.URL, "TWILIO_ACCOUNT_SID": server.AccountSID(), "TWILIO_AUTH_TOKEN": "any"}
			r, w := io.Pipe()
			defer r.Close()
			var stderr bytes.Buffer
			code := interruptedRun(t, env, w, &stderr, func(cancel context.CancelFunc) {
				defer cancel()
				b := bufio.NewReaderSize(r, 16)
				for line := ""; format == "text" && !strings.HasPrefix(line, "Plan: "); {
					if line, err = b.ReadString('\n'); err != nil {
						t.Error(err)
						return
					}
				}
				if _, err := b.ReadByte(); err != nil { // the first result, or the report
					t.Error(err)
				}
			}, "apply", file, "--yes", "--parallelism", "4", "--format", format)
			if code != exitInterrupted {
				t.Errorf("exit %d", code)
			}
			flows := server.Flows()
			if format == "text" && (len(flows) == 0 || len(flows) >= 20) {
				t.Errorf("%d flows were created", len(flows))
			}
			for _, f := range flows {
				if want := fmt.Sprintf("+ created %q  %v\n", f["friendly_name"], f["sid"]); strings.Count(stderr.String(), want) != 1 {
					t.Errorf("stderr does not have %s:\n%s", want, &stderr)
				}
			}
			if want := fmt.Sprintf(": %d created", len(flows)); !strings.Contains(stderr.String(), want) {
				t.Errorf("stderr does not have %q:\n%s", want, &stderr)
			}
		})
	}
}

// TestSecondInterrupt is a second Ctrl-C while nobody reads stderr.
func TestSecondInterrupt(t *testing.T) {
	t.Parallel()
	flexsync, err := exec.LookPath("flexsync")
	if err != nil {
		t.Fatal(err)
	}
	arrived, goOn := make(chan struct{}), make(chan struct{})
	server, err := emutest.New(emulator.Options{}, func(r *http.Request, _ int) emutest.Fault {
		if r.Method != http.MethodPost {
			return emutest.Fault{}
		}
		return emutest.Fault{Rewrite: func(b []byte) []byte {
			close(arrived)
			<-goOn
			return b
		}}
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	t.Cleanup(func() { close(goOn) })
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, "flows.yaml"), "version: 1\nflows: [{friendly_name: A, chat_service_sid: IS00000000000000000000000000000001, channel_type: web}]\n")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for err == nil { // until it is full
		_, err = w.Write(make([]byte, 4096))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	cmd := exec.Command(flexsync, "apply", "--yes", "--base-url", web.URL)
	cmd.Dir, cmd.Stderr = dir, w
	cmd.Env = []string{"HOME=" + dir, "TWILIO_ACCOUNT_SID=" + server.AccountSID(), "TWILIO_AUTH_TOKEN=any", "GORACE=atexit_sleep_ms=0"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	<-arrived
	for range 2 {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // two signals at once may arrive as one
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(stalls):
		_ = cmd.Process.Kill()
		t.Fatal("it goes on after the second interruption")
	}
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit %d", code)
	}
}
