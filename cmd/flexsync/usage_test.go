package main

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// runWith is run with an environment and without a standard input.
func runWith(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	code = run(context.Background(), args, strings.NewReader(""), &out, &errs, lookup)
	return code, out.String(), errs.String()
}

// TestUsage is what mistakes in the command line are answered with.
func TestUsage(t *testing.T) {
	t.Parallel()
	const commands = "the commands are plan, apply, "
	for line, want := range map[string][]string{
		"plna":                      {`unknown command "plna"; did you mean plan?`, commands},
		"val":                       {`unknown command "val"; did you mean validate?`},
		"deploy":                    {`unknown command "deploy"; did you mean apply?`},
		"diff":                      {`did you mean plan?`},
		"help plna":                 {`unknown command "plna"; did you mean plan?`, commands},
		"help complete":             {`unknown command "complete"`}, // it is hidden
		"help plan apply":           {`help takes no argument "apply"`},
		"xyzzy":                     {`unknown command "xyzzy"` + "\n", commands},
		"comple":                    {"did you mean completion?"}, // complete is hidden
		"":                          {"Usage: flexsync <command>", "Commands:\n  plan "},
		"-v":                        {"Usage: flexsync <command>"},
		"plan --formt json":         {"plan has no flag \"--formt\"; did you mean --format?\n    see `flexsync plan --help`"},
		"plan --formt=json":         {`plan has no flag "--formt"; did you mean --format?`},
		"plan --no-deletes":         {"did you mean --no-delete?"},
		"plan --dry-run":            {`plan has no flag "--dry-run"`, "--dry-run belongs to apply"},
		"plan -y":                   {`plan has no flag "-y"`, "-y belongs to apply"},
		"plan -z":                   {`plan has no flag "-z"` + "\n"},
		"--format text":             {`unknown flag "--format" before the command`, "write it after the command: plan, apply"},
		"--colour never plan":       {`unknown flag "--colour"; did you mean --color?`},
		"plan --format yaml":        {`--format must be text, json or markdown, not "yaml"`},
		"list --format yaml":        {`--format must be table, json or env, not "yaml"`},
		"validate --format jsn":     {`--format must be text or json, not "jsn"`, "did you mean json?"},
		"plan --color blue":         {`--color must be auto, always or never, not "blue"`},
		"list --format":             {"--format needs a value"},
		"plan --max-bytes":          {"--max-bytes needs a value"},
		"apply --parallelism x":     {`--parallelism must be a whole number, not "x"`},
		"emulate --rate-limit x":    {`--rate-limit must be a number, not "x"`},
		"apply --yes=maybe":         {`--yes must be true or false, not "maybe"`},
		"plan --timeout 5":          {`--timeout must be a duration, not "5"`, "write it as 30s"},
		"version x":                 {`version takes no argument "x"`, "`flexsync version --help`"},
		"completion":                {"completion needs the argument SHELL"},
		"completion tcsh":           {`SHELL must be bash, zsh or fish, not "tcsh"`},
		"a\x1b[31m\u202e::error::b": {`unknown command "a\x1b[31m\u202e::error::b"`},
	} {
		code, stdout, stderr := runWith(t, nil, strings.Fields(line)...)
		if code != exitInput || stdout != "" {
			t.Errorf("%q: exit %d, stdout %q", line, code, stdout)
		}
		for _, w := range want {
			if !strings.Contains(stderr, w) {
				t.Errorf("%q: stderr has no %q:\n%s", line, w, stderr)
			}
		}
	}
	_, stdout, _ := runWith(t, nil, "plan", "--formt", "x", "--format", "json")
	var doc struct {
		Error struct{ Message, Hint string }
	}
	if err := json.Unmarshal([]byte(stdout), &doc); err != nil || !strings.Contains(doc.Error.Message, "did you mean --format?") {
		t.Errorf("%v %+v", err, doc)
	}
}

// TestHelpExamples is that each command's help has examples, and that each of
// them is a command line that parses.
func TestHelpExamples(t *testing.T) {
	t.Parallel()
	comment := regexp.MustCompile(`\s(#|\||>|>>)\s.*$|\).*$`)
	byName, _ := commands(t)
	for name, node := range byName {
		_, examples, ok := strings.Cut(node.Detail, "Examples:\n")
		if !ok {
			t.Errorf("%s has no examples", name)
			continue
		}
		found := 0
		for line := range strings.Lines(examples) {
			_, args, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "flexsync ")
			if !ok || strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			found++
			words := strings.Fields(strings.ReplaceAll(comment.ReplaceAllString(args, ""), `'Support *'`, "Support"))
			parser, err := kong.New(&grammar{}, kong.Name("flexsync"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(words); err != nil || words[0] != name {
				t.Errorf("%s: the example %q: %v", name, words, err)
			}
		}
		if found == 0 {
			t.Errorf("%s has no examples", name)
		}
		code, stdout, _ := runWith(t, nil, name, "--help")
		if code != exitOK || !strings.Contains(stdout, "Examples:\n\n    ") {
			t.Errorf("%s --help: exit %d\n%s", name, code, stdout)
		}
	}
}

// TestHelp is that help is --help, and that a command's flags stand below their
// headings, those of every command last.
func TestHelp(t *testing.T) {
	t.Parallel()
	help := func(args ...string) string {
		code, stdout, stderr := runWith(t, nil, args...)
		if code != exitOK || stderr != "" {
			t.Errorf("%q: exit %d, stderr %q", args, code, stderr)
		}
		return stdout
	}
	if short := help("help"); short != help("--help") || !strings.Contains(short, "Usage: flexsync <command>") {
		t.Errorf("help is not --help:\n%s", short)
	}
	byName, _ := commands(t)
	for name := range byName {
		if help("help", name) != help(name, "--help") {
			t.Errorf("help %s is not %s --help", name, name)
		}
	}
	headings := regexp.MustCompile(`(?m)^[A-Z].*:$`).FindAllString(help("help", "apply"), -1)
	if want := []string{"Examples:", "Arguments:", "Selection:", "Safety:", "Connection:", "Output:", "Global:"}; !slices.Equal(headings, want) {
		t.Errorf("headings %q, want %q", headings, want)
	}
	if v := help("--version"); v != help("version") || v != help("plan", "--version") {
		t.Errorf("--version is not version: %s", v)
	}
}
