package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestFileTags holds that whatever names a file says what becomes of it.
func TestFileTags(t *testing.T) {
	t.Parallel()
	kinds := []string{"in", "out", "plan", "yaml", "vars", "account"}
	for _, command := range model(t).Children {
		for _, v := range slices.Concat(command.Positional, valuesOf(command)) {
			names := v.Name == "path" || v.Flag != nil && (v.Flag.PlaceHolder == "FILE" || strings.HasPrefix(v.Flag.PlaceHolder, "FILE|") || v.Flag.PlaceHolder == "DIR" || v.Flag.PlaceHolder == "PATH")
			if kind := v.Tag.Get("file"); names != slices.Contains(kinds, kind) {
				t.Errorf("%s: %s has the tag file:%q", command.Name, v.Summary(), kind)
			}
		}
	}
}

// TestOutputsOverInputs gives every output of every command the file of each of
// its inputs: by its own name, by a detour, by a link and by a hard link.
func TestOutputsOverInputs(t *testing.T) {
	t.Parallel()
	const content = "version: 1\nflows: []\n"
	tried := 0
	for _, command := range model(t).Children {
		values := slices.Concat(command.Positional, valuesOf(command))
		for _, out := range values {
			if kind := out.Tag.Get("file"); kind != "out" && kind != "account" {
				continue
			}
			for _, in := range values {
				kind := in.Tag.Get("file")
				if in == out || kind == "" || kind == "out" {
					continue
				}
				for name, path := range map[string]string{"name": "in.yaml", "detour": "sub/../in.yaml", "link": "link", "link to a link": "links/again", "hard link": "hard"} {
					tried++
					dir := t.TempDir()
					file := filepath.Join(dir, "in.yaml")
					if kind == "profile" {
						file = filepath.Join(dir, ".twilio-cli", "config.json")
						path = strings.ReplaceAll(path, "in.yaml", ".twilio-cli/config.json")
					}
					for _, d := range []string{"sub", "links", ".twilio-cli"} {
						if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
							t.Fatal(err)
						}
					}
					writeText(t, file, content)
					for link, to := range map[string]string{"link": file, "links/again": "../link"} {
						if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
							t.Skip(err)
						}
					}
					if err := os.Link(file, filepath.Join(dir, "hard")); err != nil {
						t.Skip(err)
					}
					args := append([]string{command.Name}, flagFor(in, file)...)
					for _, arg := range command.Positional {
						if arg.Required {
							args = append(args, "x")
						}
					}
					// Not filepath.Join, which would undo the detour.
					args = append(args, flagFor(out, dir+"/"+path)...)
					code, _, stderr := runWith(t, map[string]string{"HOME": dir}, args...)
					if code != exitInput || !strings.Contains(stderr, "would overwrite") {
						t.Errorf("%s: %q: exit %d\n%s", name, args, code, stderr)
					}
					if data, err := os.ReadFile(file); err != nil || string(data) != content {
						t.Errorf("%s: %q: the input is %q, %v", name, args, data, err)
					}
				}
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d were tried", tried)
	}
}

// flagFor gives a file to a flag or as an argument.
func flagFor(v *kong.Value, file string) []string {
	switch {
	case v.Tag.Get("file") == "profile":
		return []string{"--" + v.Name + "=x"}
	case v.Flag == nil:
		return []string{file}
	}
	return []string{"--" + v.Name + "=" + file}
}
