package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func complete(t *testing.T, shell string, words ...string) (kind string, found []string) {
	t.Helper()
	code, stdout, stderr := runWith(t, map[string]string{"FLEXSYNC_VAR_name": "From The Environment"}, append([]string{"complete", shell, "--"}, words...)...)
	if code != exitOK || stderr != "" || !strings.HasSuffix(stdout, "\n") {
		t.Fatalf("complete %s %q: exit %d, stdout %q, stderr %q", shell, words, code, stdout, stderr)
	}
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	return lines[0], lines[1:]
}

func TestComplete(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	flows, broken := filepath.Join(dir, "flows.yaml"), filepath.Join(dir, "broken.yaml")
	writeText(t, flows, `version: 1
defaults: {chat_service: S, channel_type: web}
flows:
  - {friendly_name: Support SMS}
  - {friendly_name: "it's $5 [new]: a"}
  - {friendly_name: "Text:one"}
  - {friendly_name: "${name}"}
  - {friendly_name: "${unset}"}
  - {friendly_name: "\u202eevil"}
`)
	both := filepath.Join(dir, "both.yaml")
	writeText(t, both, `version: 1
flows: [{friendly_name: Chat, channel_type: web, chat_service: S}]
addresses:
  - {address: "+15551230000", type: sms, auto_creation: {type: default}}
  - {address: "whatsapp:+15551230000", type: whatsapp, auto_creation: {type: default}}
`)
	writeText(t, broken, "version: 1\nflows: [{")
	for _, test := range []struct {
		words []string
		want  string // the kind and the candidates, in bash
	}{
		{[]string{"pl"}, "words plan"},
		{[]string{"comple"}, "words completion"},
		{[]string{"-v", "--color", "never", "va"}, "words validate"},
		{[]string{"plan", "--form"}, "words --format"},
		{[]string{"plan", "--format", ""}, "words text json markdown"},
		{[]string{"validate", "--format", ""}, "words text json"},
		{[]string{"list", "--format", "e"}, "words env"},
		{[]string{"plan", "--format=m"}, "words markdown"},
		{[]string{"plan", "--format", "=", "m"}, "words markdown"}, // as bash splits it
		{[]string{"plan", "--format", "="}, "words text json markdown"},
		{[]string{"plan", "--color", "a"}, "words auto always"},
		{[]string{"plan", "--log-format=j"}, "words json"},
		{[]string{"plan", "--no-such", "--color", "n"}, "words never"},
		{[]string{"plan", "--out", ""}, "files"},
		{[]string{"plan", "--out=x"}, "files"},
		{[]string{"plan", "--var-file", "x"}, "files"},
		{[]string{"plan", "--local", "x"}, "files"},
		{[]string{"apply", "--plan", ""}, "files"},
		{[]string{"validate", "--code-quality", ""}, "files"},
		{[]string{"plan", ""}, "files"},
		{[]string{"plan", "a.yaml", "b"}, "files"},
		{[]string{"plan", "--", "--f"}, "files"},
		{[]string{"plan", "--no-delete", ""}, "files"},
		{[]string{"plan", "--max-deletes", ""}, "words"},
		{[]string{"plan", "--timeout", ""}, "words"},
		{[]string{"plan", "--verb"}, "words --verbose"},
		{[]string{"plan", "-v", "--verb"}, "words"}, // it is there
		{[]string{"plan", "--only", "x", "--onl"}, "words --only"},
		{[]string{"version", ""}, "words"},
		{[]string{"version", "x", ""}, "words"},
		{[]string{"completion", ""}, "words bash zsh fish"},
		{[]string{"completion", "bash", ""}, "words"},
		{[]string{"help", "pl"}, "words plan"},
		{[]string{"help", "plan", ""}, "words"},
		{[]string{"nothing", "x", ""}, "words plan apply validate export migrate list show whoami init schema emulate completion version help"},
		{[]string{"plan", flows, "--only", ""}, `words From\ The\ Environment Support\ SMS Text:one it\'s\ \$5\ \\\[new\]:\ a`},
		{[]string{"plan", "--var", "name=Given", flows, "--only", "G"}, "words Given"},
		{[]string{"apply", flows, "--ignore", "Supp"}, `words Support\ SMS`},
		{[]string{"apply", flows, "--only", `Support\ S`}, `words Support\ SMS`},
		{[]string{"apply", flows, "--only", `"Support S`}, `words Support SMS`},
		{[]string{"apply", flows, "--only", `"it`}, `words it's \$5 \\[new]: a`},
		{[]string{"apply", flows, "--only", `'it`}, `words it'\''s $5 \[new]: a`},
		{[]string{"apply", flows, "--only=Supp"}, `words Support\ SMS`},
		{[]string{"apply", flows, "--only", "=", "Supp"}, `words Support\ SMS`},
		{[]string{"apply", flows, "--only", "Text", ":", "o"}, `words one`},
		{[]string{"apply", flows, "--only", "Text", ":"}, `words one`},
		{[]string{"plan", both, "--only", ""}, "words +15551230000 Chat whatsapp:+15551230000"},
		{[]string{"plan", both, "--ignore", "whatsapp", ":", "+"}, "words +15551230000"},
		{[]string{"migrate", both, "--only", "+"}, "words +15551230000"},
		{[]string{"list", "--kind", ""}, "words flows addresses all"},
		{[]string{"plan", broken, "--only", ""}, "words"},
		{[]string{"plan", "-", "--only", ""}, "words"},
		{[]string{"plan", filepath.Join(dir, "absent"), "--only", ""}, "words"},
		{nil, "words plan apply validate export migrate list show whoami init schema emulate completion version help"},
	} {
		kind, found := complete(t, "bash", test.words...)
		if have := strings.Join(append([]string{kind}, found...), " "); have != test.want {
			t.Errorf("%q:\nhave %s\nwant %s", test.words, have, test.want)
		}
	}

	if _, found := complete(t, "zsh", "plan", flows, "--only=T"); !slices.Equal(found, []string{`--only=Text\:one`}) {
		t.Errorf("zsh: %q", found)
	}
	if _, found := complete(t, "zsh", "appl"); !slices.Equal(found, []string{"apply:Make the account match the YAML."}) {
		t.Errorf("zsh: %q", found)
	}
	if _, found := complete(t, "fish", "plan", flows, "--only=T"); !slices.Equal(found, []string{"--only=Text:one"}) {
		t.Errorf("fish: %q", found)
	}
	if _, found := complete(t, "fish", "appl"); !slices.Equal(found, []string{"apply\tMake the account match the YAML."}) {
		t.Errorf("fish: %q", found)
	}
}

// TestCompleteGrammar is that completion knows every command, every flag and
// every enum of the grammar, and which flags take files.
func TestCompleteGrammar(t *testing.T) {
	t.Parallel()
	byName, global := commands(t)
	if _, found := complete(t, "bash", ""); len(found) != len(byName) {
		t.Errorf("%d commands, and completion has %d", len(byName), len(found))
	}
	for name, node := range byName {
		_, found := complete(t, "bash", name, "-")
		for _, f := range append(slices.Clone(global), node.Flags...) {
			if f.Hidden {
				continue
			}
			if !slices.Contains(found, "--"+f.Name) {
				t.Errorf("%s --%s is not completed", name, f.Name)
			}
			if f.IsBool() {
				continue
			}
			kind, values := complete(t, "bash", name, "--"+f.Name, "")
			if f.Enum != "" && !slices.Equal(values, f.EnumSlice()) {
				t.Errorf("%s --%s: %q, want %q", name, f.Name, values, f.EnumSlice())
			}
			if file := strings.HasPrefix(f.PlaceHolder, "FILE") || f.PlaceHolder == "DIR"; file != (kind == "files") {
				t.Errorf("%s --%s %s: completes %s", name, f.Name, f.PlaceHolder, kind)
			}
			if f.Name == "format" && f.Enum == "" {
				t.Errorf("%s --format has no enum", name)
			}
		}
	}
}

func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		want, err := os.ReadFile("completion/flexsync." + shell)
		if err != nil {
			t.Fatal(err)
		}
		if code, stdout, stderr := runWith(t, nil, "completion", shell); code != exitOK || stdout != string(want) || stderr != "" {
			t.Errorf("%s: exit %d\n%s%s", shell, code, stdout, stderr)
		}
	}
}
