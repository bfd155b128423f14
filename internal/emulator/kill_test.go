package emulator_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
)

// TestMain turns the test binary into a process that does nothing but write to
// a file, for TestKilled to kill.
func TestMain(m *testing.M) {
	if path := os.Getenv("EMULATOR_TEST_WRITE"); path != "" {
		if err := writeForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeForever creates flows, and says so of each once it was answered.
func writeForever(path string) error {
	s, err := emutest.New(emulator.Options{File: path}, nil)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		err := s.Edit(func(flows []map[string]any) []map[string]any {
			return append(flows, map[string]any{"friendly_name": fmt.Sprint(i), "channel_type": "web"})
		})
		if err != nil {
			return err
		}
		fmt.Println(i)
	}
}

// TestKilled kills a process while it writes: the file is whole, and has all
// that was answered and at most one write more.
func TestKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	for round := range 5 {
		path := filepath.Join(t.TempDir(), "account.json")
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), "EMULATOR_TEST_WRITE="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		answered := 0
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if answered++; answered == 20+round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed, and says so

		s, err := emulator.New(emulator.Options{File: path})
		if err != nil {
			t.Fatalf("after %d answers: %v", answered, err)
		}
		c := newClient(t, s)
		if got := len(c.flows()); got < answered || got > answered+1 {
			t.Errorf("%d flows after %d answers", got, answered)
		}
		// What the kill interrupted does not stop the next writer.
		if got := c.do("POST", "/v1/FlexFlows", form("after")); got.status != 201 {
			t.Errorf("a write afterwards: %d %s", got.status, got.raw)
		}
	}
}
