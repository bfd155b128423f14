package schema

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flexsync/internal/yamldoc"
)

var update = flag.Bool("update", false, "write what comes out into testdata")

// testVars are the variables that the files in testdata use.
var testVars = map[string]string{
	"account": "AC00000000000000000000000000000001",
	"service": "IS00000000000000000000000000000001",
	"name":    "Support",
	"yes":     "yes",
	"off":     "false",
	"maybe":   "maybe",
	"three":   "3.0",
	"two":     "2",
	"control": "line\nbreak",
	"yaml":    "{a: [b, *c]} # \"'",
	"dollar":  "${name} $${name}",
	"null":    "null",
	"number":  "+15551230000",
}

var wantRE = regexp.MustCompile(`(?m)^# want: (.*)\n`)

// TestInvalid loads files that say at their end what is wrong with them.
func TestInvalid(t *testing.T) {
	paths, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			_, err := Load([]string{path}, Options{Vars: testVars})
			problems, ok := err.(yamldoc.Problems)
			if !ok {
				t.Fatalf("got %v, want Problems", err)
			}
			var got []string
			for _, p := range problems {
				s := strings.TrimPrefix(p.String(), path+":")
				if p.Hint != "" {
					s += " (" + p.Hint + ")"
				}
				got = append(got, strings.ReplaceAll(s, path, "FILE"))
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				data = wantRE.ReplaceAll(data, nil)
				for _, line := range got {
					data = fmt.Appendf(data, "# want: %s\n", line)
				}
				if err := os.WriteFile(path, data, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			var want []string
			for _, m := range wantRE.FindAllSubmatch(data, -1) {
				want = append(want, string(m[1]))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSizeDoesNotMatter is that a large file is read like a small one. A tag
// directive is what tells: with this one, !!str is no string.
func TestSizeDoesNotMatter(t *testing.T) {
	const head = "%TAG !! tag:example.com,2026:\n--- \nversion: 1\ndefaults: {chat_service_sid: IS00000000000000000000000000000001, channel_type: web}\nflows:\n"
	const want = "<stdin>:6:20: flows[0].friendly_name: the tag \"tag:example.com,2026:str\" is not supported"
	for _, flows := range []int{1, 20_000} {
		var b strings.Builder
		b.WriteString(head)
		for i := range flows {
			tag := ""
			if i == 0 {
				tag = "!!str "
			}
			fmt.Fprintf(&b, "  - friendly_name: %sFlow %d\n    long_lived: true\n", tag, i)
		}
		if _, err := loadText(b.String(), Options{}); err == nil || err.Error() != want {
			t.Errorf("%d flows: got %v, want %s", flows, err, want)
		}
	}
}

// TestValid loads files and compares what they declare with the JSON beside
// them.
func TestValid(t *testing.T) {
	paths, err := filepath.Glob("testdata/valid/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			config, err := Load([]string{path}, Options{Vars: testVars})
			if err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(render(t, config), path+":", "")
			golden := strings.TrimSuffix(path, ".yaml") + ".json"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
		})
	}
}

// render writes everything that a config says.
func render(t *testing.T, c *Config) string {
	t.Helper()
	type flow struct {
		Pos           string            `json:"pos"`
		SID           string            `json:"sid,omitempty"`
		Flow          Object            `json:"flow"`
		RenamedFrom   []string          `json:"renamed_from,omitempty"`
		IgnoreChanges []string          `json:"ignore_changes,omitempty"`
		Names         map[string]string `json:"names,omitempty"`
	}
	out := struct {
		AccountSID string   `json:"account_sid,omitempty"`
		Ignore     []string `json:"ignore,omitempty"`
		Flows      []flow   `json:"flows"`
		Warnings   []string `json:"warnings,omitempty"`
	}{AccountSID: c.AccountSID}
	for _, g := range c.Ignore {
		out.Ignore = append(out.Ignore, g.String())
	}
	for _, d := range c.Resources {
		f := flow{Pos: d.Pos.String(), SID: d.SID, Flow: d.Object, RenamedFrom: d.RenamedFrom}
		for row := range d.Kind.In(d.IgnoreChanges) {
			f.IgnoreChanges = append(f.IgnoreChanges, row.Path)
		}
		for _, n := range d.Names {
			if f.Names == nil {
				f.Names = map[string]string{}
			}
			f.Names[n.Field.Path] = n.Name + " @ " + n.Pos.String()
		}
		out.Flows = append(out.Flows, f)
	}
	for _, w := range c.Warnings {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%s: %s: %s", w.Pos, w.Code, w.Message))
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
