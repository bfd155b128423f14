package yamldoc

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"flexsync/internal/nearest"
)

// Variables is where ${name} is looked up: in Flags, then in Files (the last file
// first), then in the environment. It must not change while files are read, since
// several are read at once.
type Variables struct {
	Flags map[string]string
	Files []VarFile
	// Fleet says that Flags and Files are those of an account in a fleet file, and not of
	// the command line.
	Fleet bool
	// LookupEnv is called with a prefix and the name, and nothing else. It may be nil.
	LookupEnv func(string) (string, bool)
	EnvPrefix string

	// Secrets names the variables that are secret. So is one that LookupEnv has with
	// SecretPrefix in place of EnvPrefix, wherever its value is from.
	Secrets      map[string]bool
	SecretPrefix string

	// Lenient accepts a variable that is not set without reporting it: because the
	// caller asked for that, or because a variable file could not be read.
	Lenient bool
}

// VarFile is one variable file: a flat YAML mapping of names to values.
type VarFile struct {
	name   string
	values map[string]string
}

func (v *Variables) lookup(name string) (value string, secret, set bool) {
	hidden := ""
	if v.LookupEnv != nil && v.SecretPrefix != "" {
		hidden, secret = v.LookupEnv(v.SecretPrefix + name)
	}
	fromEnv := secret
	secret = secret || v.Secrets[name]
	if value, ok := v.Flags[name]; ok {
		return value, secret, true
	}
	for _, f := range slices.Backward(v.Files) {
		if value, ok := f.values[name]; ok {
			return value, secret, true
		}
	}
	if fromEnv {
		return hidden, true, hidden != "" // a CI system sets a secret that it does not have to ""
	}
	if v.LookupEnv != nil {
		value, set = v.LookupEnv(v.EnvPrefix + name)
	}
	return value, secret, set
}

// unset says where a variable was looked for.
func (v *Variables) unset(name string) Complaint {
	places := []string{"--var"}
	if v.Fleet {
		places[0] = "the account's vars"
	}
	known := slices.Collect(maps.Keys(v.Flags))
	for _, f := range slices.Backward(v.Files) {
		places = append(places, f.name)
		known = slices.AppendSeq(known, maps.Keys(f.values))
	}
	c := Complaint{
		fmt.Sprintf("variable %q is not set: none of %s, %s%s has it", name, strings.Join(places, ", "), v.EnvPrefix, name),
		v.howToSet(name) + "; write $${ for a literal ${",
	}
	if v.LookupEnv != nil && v.SecretPrefix != "" {
		if value, ok := v.LookupEnv(v.SecretPrefix + name); ok && value == "" {
			return Complaint{fmt.Sprintf("variable %q is not set: %s%s is empty", name, v.SecretPrefix, name), "check that the job has the secret"}
		}
	}
	slices.Sort(known)
	if near := nearest.Word(name, known); near != "" {
		c.Message += "; did you mean ${" + near + "}?"
	}
	return c
}

// howToSet is what to do about a variable that is not set.
func (v *Variables) howToSet(name string) string {
	where := fmt.Sprintf("with --var %s=VALUE, in a --var-file", name)
	if v.Fleet {
		where = "in vars or var_files of the account in the fleet file"
	}
	how := fmt.Sprintf("set it %s, or in %s%s", where, v.EnvPrefix, name)
	if v.SecretPrefix != "" {
		how += fmt.Sprintf(" (a secret: in %s%s, not empty)", v.SecretPrefix, name)
	}
	return how
}

// Expanded is a scalar whose variables are replaced.
type Expanded struct {
	Text  string
	Whole bool // the scalar is one reference and nothing else
	// Template is, of a text that holds secrets, the text with ${name} in place of
	// each secret, for [Fill]; otherwise "".
	Template string
	// Secrets are the names and values of the secrets in the text.
	Secrets map[string]string
}

// Expand replaces the variables in a scalar. It reports each reference that is
// malformed or not set, at its position, and then is not ok.
func (v *Variables) Expand(src *Source, n *Node, report func(Pos, Complaint)) (x Expanded, ok bool) {
	refs := references(n.Value)
	const many = 100 // finding the column of each would take too long
	pos := func(i int) Pos {
		if i < many {
			return src.posIn(n, refs[i].offset, "${")
		}
		return src.Pos(n)
	}
	values, hidden := make([]string, len(refs)), make([]string, len(refs))
	ok = true
	for i, r := range refs {
		value, secret, set := "${", false, true // of a literal one
		if r.name != "" && r.problem.Message == "" {
			value, secret, set = v.lookup(r.name)
		}
		values[i], hidden[i] = value, Escape(value)
		switch {
		case r.problem.Message != "":
			ok = false
			report(pos(i), r.problem)
		case !set:
			if ok = false; !v.Lenient {
				report(pos(i), v.unset(r.name))
			}
		case secret:
			hidden[i] = "${" + r.name + "}"
			if x.Secrets == nil {
				x.Secrets = make(map[string]string)
			}
			x.Secrets[r.name] = value
		}
	}
	x.Text = replace(n.Value, refs, values)
	x.Whole = len(refs) == 1 && refs[0].name != "" && refs[0].offset == 0 && refs[0].end == len(n.Value)
	if x.Secrets != nil {
		x.Template = replace(n.Value, refs, hidden)
	}
	return x, ok
}

// replace puts values in the place of references.
func replace(text string, refs []reference, values []string) string {
	var b strings.Builder
	last := 0
	for i, r := range refs {
		b.WriteString(text[last:r.offset] + values[i])
		last = r.end
	}
	return b.String() + text[last:]
}

// Fill replaces the variables of an [Expanded] template. missing is the names that
// lookup does not have.
func Fill(template string, lookup func(name string) (string, bool)) (text string, missing []string) {
	refs := references(template)
	values := make([]string, len(refs))
	for i, r := range refs {
		set := true
		if values[i] = "${"; r.name != "" {
			values[i], set = lookup(r.name)
		}
		if !set {
			missing = append(missing, r.name)
		}
	}
	return replace(template, refs, values), missing
}

// Escape makes a text literal: Expand returns it unchanged.
func Escape(s string) string { return strings.ReplaceAll(s, "${", "$${") }

// reference is one place of a text that stands for something else.
type reference struct {
	offset, end int // bytes in the text, from ${ to behind the }
	name        string
	problem     Complaint // the reference is malformed
}

// references finds the ${name} of a text, in order. A literal $${ is a
// reference without a name.
func references(s string) []reference {
	var refs []reference
	for i := 0; ; {
		at := strings.Index(s[i:], "${")
		if at < 0 {
			return refs
		}
		r := reference{offset: i + at, end: i + at + 2}
		if r.offset > i && s[r.offset-1] == '$' {
			r.offset-- // $${
			refs = append(refs, r)
			i = r.end
			continue
		}
		length := strings.IndexByte(s[r.end:], '}')
		switch {
		case length < 0:
			r.problem = Complaint{"a ${ is not closed", "write ${name}, or $${ for a literal ${"}
			return append(refs, r)
		case length == 0:
			r.problem = Complaint{"${} names no variable", "write ${name}, or $${ for a literal ${"}
		default:
			r.name = s[r.end : r.end+length]
			r.problem = checkVariable(r.name)
		}
		r.end += length + 1
		refs = append(refs, r)
		i = r.end
	}
}

// checkVariable is the rule for variable names.
func checkVariable(name string) Complaint {
	for i, c := range name {
		switch {
		case c == '_', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', i > 0 && c >= '0' && c <= '9':
			continue
		case i > 0 && strings.ContainsRune(":-=?+", c) && !(c == '-' && checkVariable(strings.ReplaceAll(name, "-", "_")).Message == ""):
			return Complaint{fmt.Sprintf("%s is not supported: a variable has no default in the YAML", Quote("${"+name+"}")),
				fmt.Sprintf("write ${%s}, and put the default in a --var-file", name[:i])}
		}
		return notVariable(name)
	}
	return Complaint{}
}

// notVariable says that a name is none, and which one it could be.
func notVariable(name string) Complaint {
	if near := strings.ReplaceAll(name, "-", "_"); near != name && name[0] != '-' && checkVariable(near).Message == "" {
		return Complaint{fmt.Sprintf("%s is not a variable name: it may have only letters, digits and _", Quote(name)),
			fmt.Sprintf("write ${%s}, and rename the variable", near)}
	}
	return Complaint{fmt.Sprintf("%s is not a variable name", Quote(name)),
		"a variable name is letters, digits and _, and does not begin with a digit; write $${ for a literal ${"}
}

// CheckVariable is the rule for the name of a variable that is set.
func CheckVariable(name string) Complaint {
	if name == "" || checkVariable(name).Message != "" {
		return Complaint{Quote(name) + " is not a variable name", "a variable name is letters, digits and _, and does not begin with a digit"}
	}
	return Complaint{}
}

// ReadVars reads variable files, each a flat mapping, see [Mappings.Variables]. The
// error is one of the operating system.
func (f *Files) ReadVars(paths []string) (read []VarFile, problems Problems, err error) {
	more := Complaint{"a variable file must be a single document", "put the other document in a --var-file of its own"}
	for _, path := range paths {
		src, root, found, err := f.Single(path, more)
		if err != nil {
			return nil, nil, err
		}
		problems = append(problems, found...)
		file := VarFile{name: path}
		if root != nil {
			file.values = NewMappings(src).Variables(root, "a variable file", func(n *Node, _ string, c Complaint) {
				problems = append(problems, Problem{Pos: src.Pos(n), Message: c.Message, Hint: c.Hint})
			})
		}
		read = append(read, file)
	}
	return read, problems, nil
}
