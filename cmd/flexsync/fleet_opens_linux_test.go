package main

import (
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestFleetOpensOnce counts how often the files of a fleet are opened: each once, though
// all accounts share them, and though one of them is no YAML.
func TestFleetOpensOnce(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"plan", "--at-once", "1"}, {"plan", "--at-once", "64"}, {"validate", "--at-once", "1"}, {"validate", "--at-once", "64"}} {
		for _, broken := range []string{"", "flows: [\n"} {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "flows"), 0o700); err != nil {
				t.Fatal(err)
			}
			text := "version: 1\naccounts:\n"
			want := map[string]int{"fleet.yaml": 1, "shared.yaml": 1, "vars.yaml": 1}
			own := "version: 1\nflows: [{friendly_name: NAME, channel_type: web, chat_service_sid: \"${service}\"}]\n" + broken
			for i := range 20 {
				name := fmt.Sprint("a", i)
				text += fmt.Sprintf("  %s: {paths: [flows, %[1]s.yaml], var_files: [vars.yaml], local: %[1]s.json}\n", name)
				writeText(t, filepath.Join(dir, name+".yaml"), strings.ReplaceAll(own, "NAME", name))
				writeText(t, filepath.Join(dir, name+".json"), `{"flows": []}`)
				want[name+".yaml"] = 1
			}
			writeText(t, filepath.Join(dir, "fleet.yaml"), text)
			writeText(t, filepath.Join(dir, "vars.yaml"), "service: IS0123456789abcdef0123456789abcdef\n")
			writeText(t, filepath.Join(dir, "flows/shared.yaml"), own)
			watched := []string{dir, filepath.Join(dir, "flows")}
			args := append(args, "--fleet", filepath.Join(dir, "fleet.yaml"))
			if args[0] == "plan" && broken == "" {
				base := t.TempDir()
				if err := os.CopyFS(base, os.DirFS(dir)); err != nil {
					t.Fatal(err)
				}
				watched = append(watched, base, filepath.Join(base, "flows"))
				args = append(args, "--base", filepath.Join(base, "fleet.yaml"))
				for name := range want {
					want[name]++ // the base has one, too
				}
			}
			opened := watchOpens(t, watched...)
			code, stdout, stderr := runWith(t, nil, args...)
			got := opened()
			if wantCode := map[bool]int{true: exitOK, false: exitInput}[broken == ""]; code != wantCode {
				t.Fatalf("%q: exit %d\n%s%s", args, code, stdout, stderr)
			}
			if !maps.Equal(got, want) {
				for _, name := range slices.Sorted(maps.Keys(want)) {
					t.Errorf("%q: %s is opened %d times, want %d", args, name, got[name], want[name])
				}
			}
		}
	}
}

// watchOpens returns a function that counts how often each YAML file in some directories
// was opened since.
func watchOpens(t *testing.T, dirs ...string) func() map[string]int {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	for _, dir := range dirs {
		// Events that repeat the one before are dropped, so opens alone would count too few.
		if _, err := syscall.InotifyAddWatch(fd, dir, syscall.IN_OPEN|syscall.IN_CLOSE_NOWRITE); err != nil {
			t.Fatal(err)
		}
	}
	return func() map[string]int {
		opened := make(map[string]int)
		buf := make([]byte, 1<<20)
		for {
			n, err := syscall.Read(fd, buf)
			if err != nil {
				return opened // there are no more
			}
			const head = syscall.SizeofInotifyEvent
			for rest := buf[:n]; len(rest) >= head; {
				mask, length := binary.NativeEndian.Uint32(rest[4:]), int(binary.NativeEndian.Uint32(rest[12:]))
				name := strings.TrimRight(string(rest[head:head+length]), "\x00")
				if mask&syscall.IN_OPEN != 0 && filepath.Ext(name) == ".yaml" {
					opened[name]++
				}
				rest = rest[head+length:]
			}
		}
	}
}
