package migrate

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"flexsync/internal/glob"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fataler is a test, or a check of rapid.
type fataler interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// run migrates texts, each a file of its own.
func run(t fataler, only []string, texts ...string) Result {
	t.Helper()
	var sources []*yamldoc.Source
	for i, text := range texts {
		src, problem := yamldoc.NewSource(string(rune('a'+i))+".yaml", []byte(text))
		if problem != nil {
			t.Fatal(problem)
		}
		sources = append(sources, src)
	}
	globs, err := glob.CompileAll(only)
	if err != nil {
		t.Fatal(err)
	}
	result, err := Run(sources, globs)
	if err != nil {
		t.Fatalf("%v\nof\n%s", err, strings.Join(texts, "---\n"))
	}
	return result
}

// valid reports whether the flows of a text are valid.
func valid(text string) bool {
	_, err := schema.Load([]string{"-"}, schema.Options{AllowUnset: true, Stdin: strings.NewReader(text)})
	return err == nil
}

// cases are YAML texts by name: those of testdata, the examples, and set-ups of real
// accounts.
func cases(t testing.TB) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	read := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for name, pattern := range map[string]string{
		"example-contact-centre": "../../examples/contact-centre/flows/*.yaml",
		"example-environments":   "../../examples/environments/flows/*.yaml",
		"example-fleet":          "../../examples/fleet/flows/*.yaml",
		"example-fleet-accounts": "../../examples/fleet/accounts/*.yaml",
		"example-quickstart":     "../../examples/quickstart/*.yaml",
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %q %v", pattern, paths, err)
		}
		for _, path := range paths {
			all[name] = append(all[name], read(path))
		}
	}
	setups, err := filepath.Glob("../../cmd/flexsync/testdata/setups/*.json")
	if err != nil || len(setups) == 0 {
		t.Fatal(setups, err)
	}
	for _, path := range setups {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		all["setup-"+name] = []string{"{\"version\": 1, \"flows\": " + strings.TrimSpace(read(path)) + "}\n"}
	}
	inputs, err := filepath.Glob("testdata/in/*.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatal(inputs, err)
	}
	for _, path := range inputs {
		all[strings.TrimSuffix(filepath.Base(path), ".yaml")] = []string{read(path)}
	}
	return all
}

func TestGolden(t *testing.T) {
	for name, texts := range cases(t) {
		t.Run(name, func(t *testing.T) {
			if !valid(strings.Join(texts, "\n---\n")) {
				t.Error("the input is not valid")
			}
			got := run(t, nil, texts...)
			if !valid(string(got.Text)) {
				t.Error("the output is not valid")
			}
			path := filepath.Join("testdata/golden", name+".yaml")
			if *update {
				if err := os.WriteFile(path, got.Text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got.Text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			check(t, texts, got)
		})
	}
}

// check holds the laws that any output keeps.
func check(t fataler, texts []string, got Result) {
	t.Helper()
	out := string(got.Text)
	again := run(t, nil, out)
	if diff := cmp.Diff(out, string(again.Text)); diff != "" {
		t.Errorf("a second run changes the output (-first +second):\n%s\nof\n%s", diff, strings.Join(texts, "\n---\n"))
	}
	if again.Moved+again.Dropped > 0 {
		t.Errorf("a second run moves flows: %+v", again)
	}
	for _, line := range strings.Split(out, "\n") {
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "::") || runnerRE.MatchString(line) {
			t.Errorf("a job runner takes this line for a command: %q", line)
		}
	}
	// What is left of the flows is valid without the addresses.
	if got.Stayed > 0 && !strings.Contains(strings.Join(texts, "\n"), "addresses:") && !valid(withoutAddresses(out)) {
		t.Errorf("the flows that stay are not valid:\n%s", out)
	}
	before, after := map[string]string{}, flowsOf(t, out)
	for _, text := range texts {
		maps.Copy(before, flowsOf(t, text))
	}
	for name, flow := range after {
		if before[name] != flow {
			t.Errorf("the flow %q is not what it was:\nbefore %s\nafter  %s", name, before[name], flow)
		}
	}
	if len(before) != len(after)+got.Moved+got.Dropped {
		t.Errorf("of %d flows, %d are left: %+v", len(before), len(after), got)
	}
	if got.Dropped == 0 {
		for _, m := range variableRE.FindAllString(strings.Join(texts, "\n"), -1) {
			if !strings.Contains(out, m) {
				t.Errorf("%s is lost:\n%s", m, out)
			}
		}
	}
	for _, text := range texts {
		for _, comment := range commentsOf(t, text) {
			if !strings.Contains(out, comment) {
				t.Errorf("the comment %q is lost:\n%s", comment, out)
			}
		}
	}
}

// flowsOf is what each flow of a text says with its defaults, by name.
func flowsOf(t fataler, text string) map[string]string {
	t.Helper()
	src, problem := yamldoc.NewSource("f", []byte(text))
	if problem != nil {
		t.Fatal(problem)
	}
	all := map[string]string{}
	problems := src.Trees(func(tree *yamldoc.Node) {
		if !yamldoc.IsMapping(tree.Content[0]) {
			return
		}
		for _, f := range newDocument(src, tree, tree.Content[0], nil).flows {
			var fields []string
			for _, layer := range []entries{f.own, f.below, f.doc.base, f.doc.integration} {
				for _, e := range layer {
					fields = append(fields, fmt.Sprintf("%s=%q%q %s", e.key.Value, e.value.Value, texts(e.value), e.value.Tag))
				}
				slices.Sort(fields)
				fields = append(fields, "|")
			}
			all[f.name] = strings.Join(fields, " ")
		}
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return all
}

var (
	runnerRE   = regexp.MustCompile(`##\w*\[`)
	variableRE = regexp.MustCompile(`\$\{[a-z_]+\}`)
)

// commentsOf are the comments that a file's nodes have, line by line, but those that
// migrate writes itself.
func commentsOf(t fataler, text string) []string {
	t.Helper()
	src, problem := yamldoc.NewSource("f", []byte(text))
	if problem != nil {
		t.Fatal(problem)
	}
	var all []string
	src.Trees(func(tree *yamldoc.Node) {
		for line := range strings.Lines(leftovers(nil, tree)) {
			line = strings.TrimSpace(line)
			own := slices.ContainsFunc([]string{summaryMark, staysMark, "# Lost: "}, func(mark string) bool { return strings.HasPrefix(line, mark) })
			if !own && !runnerRE.MatchString(line) && !strings.ContainsRune(line, '\u202e') {
				all = append(all, line)
			}
		}
	})
	return all
}

// withoutAddresses cuts the addresses out of a text of block style.
func withoutAddresses(text string) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		if line[0] != ' ' && line[0] != '\n' {
			inside = strings.HasPrefix(line, "addresses:") || strings.HasPrefix(line, "address_defaults:")
		}
		if !inside {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestOnly moves channel by channel, and ends where one step would.
func TestOnly(t *testing.T) {
	for name, texts := range cases(t) {
		if len(texts) > 1 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			first := run(t, []string{"*S*", "*"}, texts...)
			all := run(t, nil, texts...)
			if !bytes.Equal(first.Text, all.Text) {
				t.Error("a pattern that matches all is not the same as none")
			}
			step := run(t, []string{"*S*"}, texts...)
			last := run(t, nil, string(step.Text))
			if step.Moved+last.Moved != all.Moved {
				t.Errorf("%d flows move in two steps, and %d in one", step.Moved+last.Moved, all.Moved)
			}
			check(t, []string{string(step.Text)}, last)
		})
	}
}

func TestUnmatched(t *testing.T) {
	got := run(t, []string{"A", "B*"}, "version: 1\nflows: [{friendly_name: A}]\n")
	if len(got.Unmatched) != 1 || got.Unmatched[0].String() != "B*" {
		t.Errorf("got %v", got.Unmatched)
	}
}

// TestExample holds that the steps of examples/migration are what migrate makes of
// one another, and that what is left after the last cannot move.
func TestExample(t *testing.T) {
	const dir = "../../examples/migration/"
	before, err := os.ReadFile(dir + "flows.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for i, only := range []string{"Support SMS*", "Support WhatsApp", "*"} {
		got := run(t, []string{only}, string(before))
		path := fmt.Sprintf("%sstep-%d.yaml", dir, i+1)
		if *update {
			if err := os.WriteFile(path, got.Text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if before, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(before), string(got.Text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// FuzzRun holds the laws for any valid YAML.
func FuzzRun(f *testing.F) {
	for _, texts := range cases(f) {
		for _, text := range texts {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		src, problem := yamldoc.NewSource("f", []byte(text))
		if problem != nil || !valid(text) {
			return
		}
		got, err := Run([]*yamldoc.Source{src}, nil)
		if err != nil {
			t.Fatal(err)
		}
		again := run(t, nil, string(got.Text))
		if !valid(string(got.Text)) {
			t.Errorf("the output is not valid:\n%s\nof\n%s", got.Text, text)
		}
		if diff := cmp.Diff(string(got.Text), string(again.Text)); diff != "" {
			t.Errorf("a second run changes the output (-first +second):\n%s\nof\n%s", diff, text)
		}
	})
}

// TestComments holds the laws with comments and empty lines anywhere.
func TestComments(t *testing.T) {
	all := cases(t)
	names := slices.Sorted(maps.Keys(all))
	rapid.Check(t, func(r *rapid.T) {
		name := rapid.SampledFrom(names).Draw(r, "case")
		lines := strings.SplitAfter(rapid.SampledFrom(all[name]).Draw(r, "file"), "\n")
		for i := range rapid.IntRange(1, 6).Draw(r, "comments") {
			at := rapid.IntRange(0, len(lines)-1).Draw(r, "line")
			comment := fmt.Sprintf("# comment %d", i)
			switch line := strings.TrimSuffix(lines[at], "\n"); rapid.IntRange(0, 3).Draw(r, "kind") {
			case 0:
				lines = slices.Insert(lines, at, "\n")
			case 1:
				if !strings.Contains(line, "#") {
					lines[at] = line + " " + comment + "\n"
				}
			default:
				indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
				lines = slices.Insert(lines, at, indent+comment+"\n")
			}
		}
		text := strings.Join(lines, "")
		src, problem := yamldoc.NewSource("f", []byte(text))
		if problem != nil || name != "declared" && !valid(text) {
			r.Skip()
		}
		got, err := Run([]*yamldoc.Source{src}, nil)
		if err != nil {
			r.Fatal(err)
		}
		check(r, []string{text}, got)
	})
}
