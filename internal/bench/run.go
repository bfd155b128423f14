package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// programs are the binaries that are measured.
type programs struct{ flexsync, parse, empty, imports, accounts string }

// build builds them as a release would be.
func build(dir string) (p programs, err error) {
	for _, b := range []struct {
		path *string
		pkg  string
	}{
		{&p.flexsync, "flexsync/cmd/flexsync"}, {&p.parse, "flexsync/internal/bench/parse"}, {&p.empty, "flexsync/internal/bench/empty"},
		{&p.imports, "flexsync/internal/bench/imports"}, {&p.accounts, "flexsync/internal/bench/accounts"},
	} {
		*b.path = filepath.Join(dir, filepath.Base(b.pkg))
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", *b.path, b.pkg)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return p, fmt.Errorf("build %s: %w", b.pkg, err)
		}
	}
	return p, nil
}

// sample is one run of a process.
type sample struct {
	wall, cpu time.Duration
	peak      int64 // bytes
	requests  int
	refused   int // requests answered 429
}

// measure runs a command to its end. The requests are counted in flexsync's log
// (-v --log-format json), which goes to a file.
func measure(dir string, env []string, name string, args ...string) (s sample, err error) {
	log, err := os.CreateTemp(dir, "stderr-*")
	if err != nil {
		return s, err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = log
	began := time.Now()
	err = cmd.Run()
	s.wall = time.Since(began)
	if _, seekErr := log.Seek(0, io.SeekStart); seekErr != nil {
		return s, seekErr
	}
	if err != nil {
		text, _ := io.ReadAll(io.LimitReader(log, 4096))
		return s, fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, text)
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	s.peak = peakMemory(cmd.ProcessState)
	for lines := bufio.NewScanner(log); lines.Scan(); {
		var record struct {
			Msg    string `json:"msg"`
			Status int    `json:"status"`
		}
		if !bytes.HasPrefix(lines.Bytes(), []byte("{")) || json.Unmarshal(lines.Bytes(), &record) != nil || record.Msg != "request" {
			continue
		}
		s.requests++
		if record.Status == 429 {
			s.refused++
		}
	}
	return s, nil
}

// samples are the runs of one command.
type samples []sample

func median[T int64 | time.Duration | int](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

func of[T any](ss samples, field func(sample) T) []T {
	values := make([]T, len(ss))
	for i, s := range ss {
		values[i] = field(s)
	}
	return values
}

func (ss samples) wall() time.Duration {
	return median(of(ss, func(s sample) time.Duration { return s.wall }))
}
func (ss samples) cpu() time.Duration {
	return median(of(ss, func(s sample) time.Duration { return s.cpu }))
}
func (ss samples) peak() int64   { return median(of(ss, func(s sample) int64 { return s.peak })) }
func (ss samples) requests() int { return median(of(ss, func(s sample) int { return s.requests })) }
func (ss samples) refused() int  { return median(of(ss, func(s sample) int { return s.refused })) }

// interleaved runs each of the commands n times, in turn, so that what slows
// the machine down for a while slows all of them down.
func interleaved(n int, commands ...func() (sample, error)) ([]samples, error) {
	all := make([]samples, len(commands))
	for range n {
		for i, run := range commands {
			s, err := run()
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], s)
		}
	}
	return all, nil
}

// server is a server of its own process, which prints its URL.
type server struct {
	cmd *exec.Cmd
	url string
}

func serve(program string, args ...string) (*server, error) {
	s := &server{cmd: exec.Command(program, args...)}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("%s %s: it did not start: %w", filepath.Base(program), strings.Join(args, " "), err)
	}
	s.url = strings.TrimSpace(line)
	return s, nil
}

// env points flexsync at the server.
func (s *server) env() []string {
	return []string{"FLEXSYNC_BASE_URL=" + s.url, "TWILIO_ACCOUNT_SID=" + accountSID, "TWILIO_AUTH_TOKEN=any"}
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill() // this process and no other; nothing of it is kept
	_ = s.cmd.Wait()
}
