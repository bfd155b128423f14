// Package platform holds what flexsync offers to CI platforms and to editors
// against tools of others: actionlint, the schemas of GitHub's and GitLab's
// files, the types of the Kubernetes API, yaml-language-server. It is a module of
// its own, since these come from the network: npm installs some of them. What
// the scripts do is tested beside the command, without any of this.
package platform

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// repository is flexsync's own, from here.
const repository = "../.."

// release is the version that the examples name.
const release = "v0.1.0"

// nodeModules names a directory in which npm has installed what testdata asks
// for. Without it, the tests install that themselves.
const nodeModules = "FLEXSYNC_NODE_MODULES"

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range made {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// made is what the tests share, and TestMain removes.
var (
	madeMu sync.Mutex
	made   []string
)

// shared makes a directory for all tests and fills it.
func shared(fill func(dir string) error) (string, error) {
	dir, err := os.MkdirTemp("", "flexsync-platform-")
	if err != nil {
		return "", err
	}
	madeMu.Lock()
	made = append(made, dir)
	madeMu.Unlock()
	return dir, fill(dir)
}

var installed = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv(nodeModules); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := shared(func(dir string) error {
		if err := os.CopyFS(dir, os.DirFS("testdata")); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("npm ci: %w\n%s", err, out)
		}
		return nil
	})
	return filepath.Join(dir, "node_modules"), err
})

// node is the command line that runs a file of an npm package. It skips the test
// where there is no Node.js.
func node(t *testing.T, file string) []string {
	t.Helper()
	needs(t, "node", "npm")
	dir, err := installed()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, file)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("npm has not installed it: %v", err)
	}
	return []string{"node", path}
}

// needs skips a test without the programs that it is about.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := shared(func(dir string) error {
		if out, err := exec.Command("go", "build", "-C", repository, "-o", dir, "./cmd/flexsync").CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
		return nil
	})
	return filepath.Join(dir, "flexsync"), err
})

// flexsync builds the command and returns its path.
func flexsync(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// output runs a command and returns what it says.
func output(t *testing.T, dir string, env []string, command ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is output of a command that has to succeed.
func must(t *testing.T, dir string, env []string, command ...string) string {
	t.Helper()
	out, err := output(t, dir, env, command...)
	if err != nil {
		t.Fatalf("%q: %v\n%s", command, err, out)
	}
	return out
}

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
