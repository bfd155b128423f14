package main

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/alecthomas/kong"

	"flexsync/internal/glob"
)

// Completion: `completion` prints a script of a few lines for each shell. It
// passes the words of the command line to the hidden command `complete`, which
// answers from the grammar itself, so that a script never goes out of date.

//go:embed completion
var completionScripts embed.FS

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Shell: bash, zsh or fish."`
}

func (completionCmd) Help() string {
	return `
Completes commands, flags and their values, paths and, for --only and --ignore, the names of the flows and addresses in the YAML.

Examples:

	source <(flexsync completion bash)           # in ~/.bashrc
	source <(flexsync completion zsh)            # in ~/.zshrc, after compinit
	flexsync completion fish | source            # in ~/.config/fish/config.fish`
}

func (c *completionCmd) Run(a *app) error {
	script, err := completionScripts.ReadFile("completion/flexsync." + c.Shell)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(script)
	return written(err)
}

// completeCmd answers a completion script. Its first line is "words" if the lines
// that follow are the candidates, or "files" if the shell should complete a path.
// It reports no errors: a person is in the middle of typing.
type completeCmd struct {
	Shell string   `arg:"" enum:"bash,zsh,fish" help:"Shell that asks."`
	Words []string `arg:"" optional:"" typing:"" help:"Words typed after the program's name. The last one is completed."`
}

func (c *completeCmd) Run(ctx context.Context, a *app, k *kong.Kong) error {
	words := c.Words
	if c.Shell == "bash" {
		words = glue(words)
	}
	typed := "" // the last word, with its quotes
	if len(words) > 0 {
		typed = words[len(words)-1]
	} else {
		words = []string{""}
	}
	for i := range words {
		words[i] = unquote(words[i])
	}
	line := readLine(k.Model.Node, words)
	files, found := line.complete(ctx, a)
	var b strings.Builder
	b.WriteString("words\n")
	if files {
		b.Reset()
		b.WriteString("files\n")
	}
	for _, f := range found {
		if strings.HasPrefix(f.word, line.last) {
			fmt.Fprintln(&b, f.show(c.Shell, typed))
		}
	}
	_, err := a.stdout.Write([]byte(b.String()))
	return written(err)
}

// candidate is one possible completion.
type candidate struct{ word, help string }

// show quotes a candidate for the shell.
func (c candidate) show(shell, typed string) string {
	help := func(separator string) string {
		if c.help == "" {
			return ""
		}
		return separator + c.help
	}
	switch shell {
	case "zsh":
		return strings.NewReplacer(`\`, `\\`, `:`, `\:`).Replace(c.word) + help(":")
	case "fish":
		return c.word + help("\t")
	}
	switch { // bash adds the closing quote
	case strings.HasPrefix(typed, `"`):
		return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(c.word)
	case strings.HasPrefix(typed, "'"):
		return strings.ReplaceAll(c.word, "'", `'\''`)
	}
	word := c.word
	if strings.HasPrefix(typed, "--") || strings.Contains(typed, ":") {
		// bash replaces only what follows its last word break, see glue.
		word = word[min(len(word), strings.LastIndexAny(unquote(typed), "=:")+1):]
	}
	var b strings.Builder
	for _, r := range word {
		if r < unicode.MaxASCII && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./,:=@%+", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// commandLine is what has been typed so far.
type commandLine struct {
	node  *kong.Node          // the command, or the program
	args  []string            // of the command
	flags map[string][]string // values of the flags before the last word
	value *kong.Value         // the flag or argument that the last word is a value of; nil: the word is a flag or a command
	last  string
}

// readLine reads words as the parser would, but skips mistakes.
func readLine(program *kong.Node, words []string) *commandLine {
	l := &commandLine{node: program, flags: map[string][]string{}, last: words[len(words)-1]}
	var flag *kong.Flag // the next word is its value
	onlyArgs := false
	for _, word := range words[:len(words)-1] {
		switch {
		case flag != nil:
			l.flags[flag.Name] = append(l.flags[flag.Name], word)
			flag = nil
		case onlyArgs:
			l.args = append(l.args, word)
		case word == "--":
			onlyArgs = true
		case strings.HasPrefix(word, "-") && word != "-":
			name, value, given := strings.Cut(word, "=")
			f := l.flag(name)
			switch {
			case f == nil:
			case given || f.IsBool():
				l.flags[f.Name] = append(l.flags[f.Name], value)
			default:
				flag = f
			}
		default:
			i := slices.IndexFunc(l.node.Children, func(n *kong.Node) bool { return n.Name == word })
			if i < 0 {
				l.args = append(l.args, word)
				continue
			}
			l.node = l.node.Children[i]
		}
	}
	name, _, given := strings.Cut(l.last, "=")
	switch {
	case flag != nil:
		l.value = flag.Value
	case !onlyArgs && given && l.flag(name) != nil:
		l.value = l.flag(name).Value
	case !onlyArgs && strings.HasPrefix(l.last, "-"):
	case len(l.node.Positional) > 0:
		l.value = l.node.Positional[min(len(l.args), len(l.node.Positional)-1)]
		if len(l.args) >= len(l.node.Positional) && !l.value.IsCumulative() {
			l.value = &kong.Value{Name: "nothing"}
		}
	}
	return l
}

// known returns the flags that the command takes.
func (l *commandLine) known() (flags []*kong.Flag) {
	for n := l.node; n != nil; n = n.Parent {
		for _, f := range n.Flags {
			if !f.Hidden {
				flags = append(flags, f)
			}
		}
	}
	return flags
}

func (l *commandLine) flag(word string) *kong.Flag {
	for _, f := range l.known() {
		if word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short) {
			return f
		}
	}
	return nil
}

// complete returns the completions of the last word.
func (l *commandLine) complete(ctx context.Context, a *app) (files bool, found []candidate) {
	if l.value == nil {
		if !strings.HasPrefix(l.last, "-") {
			for _, n := range l.node.Children {
				if !n.Hidden {
					found = append(found, candidate{n.Name, n.Help})
				}
			}
			return false, found
		}
		for _, f := range l.known() {
			if _, given := l.flags[f.Name]; !given || f.IsCumulative() {
				found = append(found, candidate{"--" + f.Name, f.Help})
			}
		}
		slices.SortFunc(found, func(a, b candidate) int { return cmp.Compare(a.word, b.word) })
		return false, found
	}
	prefix := "" // --flag=
	if name, _, given := strings.Cut(l.last, "="); given && l.flag(name) != nil && l.value == l.flag(name).Value {
		prefix = name + "="
	}
	add := func(word, help string) { found = append(found, candidate{prefix + word, help}) }
	placeholder := ""
	if l.value.Flag != nil {
		placeholder = l.value.Flag.PlaceHolder
	}
	switch {
	case l.value.Enum != "":
		for _, word := range l.value.EnumSlice() {
			add(word, "")
		}
	case placeholder == "GLOB":
		for _, name := range l.names(ctx, a) {
			add(name, "")
		}
	case l.value.Flag == nil && l.value.Name == "command":
		for _, name := range commandNames(l.node.Parent) {
			add(name, "")
		}
	case strings.HasPrefix(placeholder, "FILE"), placeholder == "DIR", l.value.Flag == nil && (l.value.Name == "path" || l.value.Name == "dir"):
		return true, nil
	}
	return false, found
}

// names returns a pattern for each flow and address in the YAML; none if it is not valid.
func (l *commandLine) names(ctx context.Context, a *app) (patterns []string) {
	input := inputFlags{Var: l.flags["var"], VarFile: l.flags["var-file"]}
	offline := *a
	offline.stdin = nil // it belongs to the shell
	cfg, err := input.load(ctx, &offline, l.args, true, nil)
	if err != nil {
		return nil
	}
	for i := range cfg.Resources {
		name := cfg.Resources[i].ID()
		if name != "" && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			patterns = append(patterns, glob.Quote(name))
		}
	}
	slices.Sort(patterns)
	return slices.Compact(patterns)
}

// glue joins the words that bash splits at = and :, which bash passes as words of
// their own.
func glue(words []string) (glued []string) {
	open := false // the next word belongs to the one before
	for _, word := range words {
		breaks := word != "" && strings.Trim(word, "=:") == ""
		if len(glued) > 0 && (breaks || open) {
			glued[len(glued)-1] += word
		} else {
			glued = append(glued, word)
		}
		open = breaks
	}
	return glued
}

// unquote removes the quotes of a shell's word; the closing one may be missing.
func unquote(word string) string {
	var b strings.Builder
	var quote rune
	escaped := false
	for _, r := range word {
		switch {
		case escaped:
			if quote == '"' && !strings.ContainsRune("\"\\$`", r) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
