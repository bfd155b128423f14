package main

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"flexsync/internal/nearest"
	"flexsync/internal/safetext"
)

// meantCommands maps the commands of other tools to ours.
var meantCommands = map[string]string{
	"diff": "plan", "preview": "plan", "sync": "apply", "deploy": "apply", "push": "apply", "up": "apply",
	"check": "validate", "lint": "validate", "test": "validate", "dump": "export", "pull": "export", "import": "export",
	"describe": "show", "cat": "show", "login": "whoami", "auth": "whoami", "doctor": "whoami", "new": "init", "start": "init",
	"ls": "list", "get": "list", "serve": "emulate", "server": "emulate",
}

// kong's messages, which speak of its types.
var (
	unknownFlagRE  = regexp.MustCompile(`(?s)^unknown flag (--?[^=\s,]+)`)
	unexpectedRE   = regexp.MustCompile(`(?s)^unexpected argument (.*?)(?:, did you mean .*)?$`)
	needsValueRE   = regexp.MustCompile(`(?s)^(--?\S+): (?:expected .* value but got "EOL"|missing value)`)
	wrongEnumRE    = regexp.MustCompile(`(?s)^(\S+) must be one of (.*) but got (".*")$`)
	wrongNumberRE  = regexp.MustCompile(`(?s)^(--\S+): expected a (?:valid \d+ bit )?(int|float) but got (".*")`)
	wrongBoolRE    = regexp.MustCompile(`(?s)^(--\S+): bool value must be .* but got (".*")`)
	wrongPeriodRE  = regexp.MustCompile(`(?s)^(--\S+): expected duration but got (".*"):`)
	missingArgRE   = regexp.MustCompile(`(?s)^expected "<(.*)>"$`)
	quotedOrBareRE = regexp.MustCompile(`"([^"]*)"`)
)

// usageError rewords an error of the parser, and adds what was probably meant.
func usageError(program *kong.Application, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) || errors.Is(err, errInterrupted) {
		return written(err) // printing the help failed
	}
	node := program.Node
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		node = parse.Context.Selected()
	}
	see := fmt.Sprintf("see `%s --help`", node.FullPath())
	message := err.Error()
	var empty *emptyValueError
	if errors.As(err, &empty) {
		if empty.value.Required {
			return inputError(empty, "is a shell variable unset?")
		}
		return inputError(empty, "is a shell variable unset? to use the default, omit it")
	}
	fail := func(hint, format string, args ...any) error { return inputError(fmt.Errorf(format, args...), hint) }
	if m := unknownFlagRE.FindStringSubmatch(message); m != nil {
		return unknownFlag(program.Node, node, m[1], see)
	}
	if m := unexpectedRE.FindStringSubmatch(message); m != nil {
		if node != program.Node {
			return fail(see, "%s takes no argument %s", node.Name, safetext.Quote(m[1]))
		}
		return unknownCommand(program.Node, m[1])
	}
	if m := needsValueRE.FindStringSubmatch(message); m != nil {
		return fail(see, "%s needs a value", m[1])
	}
	if m := wrongEnumRE.FindStringSubmatch(message); m != nil {
		var words []string
		for _, w := range quotedOrBareRE.FindAllStringSubmatch(m[2], -1) {
			words = append(words, w[1])
		}
		hint := see
		if near := nearest.Find(strings.Trim(m[3], `"`), words, 1); len(near) > 0 {
			hint = "did you mean " + near[0] + "?"
		}
		name := m[1]
		if !strings.HasPrefix(name, "-") {
			name = strings.ToUpper(strings.Trim(name, "<>"))
		}
		return fail(hint, "%s must be %s, not %s", name, alternatives(words), m[3])
	}
	if m := wrongNumberRE.FindStringSubmatch(message); m != nil {
		number := "number"
		if m[2] == "int" {
			number = "whole number"
		}
		return fail(see, "%s must be a %s, not %s", m[1], number, m[3])
	}
	if m := wrongBoolRE.FindStringSubmatch(message); m != nil {
		return fail(see, "%s must be true or false, not %s", m[1], m[2])
	}
	if m := wrongPeriodRE.FindStringSubmatch(message); m != nil {
		return fail("write it as 30s or 2m", "%s must be a duration, not %s", m[1], m[2])
	}
	if m := missingArgRE.FindStringSubmatch(message); m != nil {
		return fail(see, "%s needs the argument %s", node.Name, strings.ToUpper(m[1]))
	}
	return inputError(err, see)
}

// alternatives is "a", "a or b" or "a, b or c".
func alternatives(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func commandNames(program *kong.Node) (names []string) {
	for _, n := range program.Children {
		if !n.Hidden {
			names = append(names, n.Name)
		}
	}
	return names
}

func unknownCommand(program *kong.Node, word string) error {
	names := commandNames(program)
	meant := nearest.Find(word, names, 1)
	if len(meant) == 0 && len(word) > 1 {
		for _, name := range names {
			if strings.HasPrefix(name, word) {
				meant = append(meant, name)
			}
		}
	}
	if to, ok := meantCommands[strings.ToLower(word)]; ok && len(meant) == 0 {
		meant = []string{to}
	}
	err := fmt.Errorf("unknown command %s", safetext.Quote(word))
	if len(meant) > 0 {
		err = fmt.Errorf("%w; did you mean %s?", err, alternatives(meant))
	}
	return inputError(err, "the commands are "+strings.Join(names, ", ")+"; see `flexsync --help`")
}

// unknownFlag finds the flag that was meant: a similar one of this command, or the
// same one of another command.
func unknownFlag(program, node *kong.Node, word, see string) error {
	flagsOf := func(n *kong.Node) (names []string) {
		for _, f := range (&commandLine{node: n}).known() {
			names = append(names, "--"+f.Name)
			if f.Short != 0 {
				names = append(names, "-"+string(f.Short))
			}
		}
		return names
	}
	what := "unknown flag " + safetext.Quote(word)
	if node != program {
		what = fmt.Sprintf("%s has no flag %s", node.Name, safetext.Quote(word))
	}
	var owners []string
	for _, n := range program.Children {
		if !n.Hidden && n != node && slices.Contains(flagsOf(n), word) {
			owners = append(owners, n.Name)
		}
	}
	switch near := nearest.Find(word, flagsOf(node), 1); {
	case len(owners) > 0 && node == program:
		return inputError(errors.New(what+" before the command"), "write it after the command: "+strings.Join(owners, ", "))
	case len(owners) > 0:
		return inputError(errors.New(what), fmt.Sprintf("%s belongs to %s; %s", word, strings.Join(owners, ", "), see))
	case len(near) > 0 && len(word) > 3:
		return inputError(fmt.Errorf("%s; did you mean %s?", what, near[0]), see)
	}
	return inputError(errors.New(what), see)
}
