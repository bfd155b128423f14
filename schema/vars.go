package schema

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"flexsync/internal/nearest"
)

// envPrefix begins the only environment variables that YAML can read.
const envPrefix = "FLEXSYNC_VAR_"

// variables is where ${name} is looked up. It does not change once the files
// are read, so that it serves all of them at once.
type variables struct {
	flags map[string]string
	files []varFile // the one that wins is last
	env   func(string) (string, bool)

	// lenient accepts a variable that is not set, without a word: because the
	// caller asked for it, or because a file of variables could not be read.
	lenient bool
}

type varFile struct {
	name   string
	values map[string]string
}

func (v *variables) lookup(name string) (string, bool) {
	if value, ok := v.flags[name]; ok {
		return value, true
	}
	for _, f := range slices.Backward(v.files) {
		if value, ok := f.values[name]; ok {
			return value, true
		}
	}
	if v.env != nil {
		return v.env(envPrefix + name)
	}
	return "", false
}

// unset says where a variable was looked for.
func (v *variables) unset(name string) complaint {
	places := []string{"--var"}
	known := slices.Collect(maps.Keys(v.flags))
	for _, f := range slices.Backward(v.files) {
		places = append(places, f.name)
		known = slices.AppendSeq(known, maps.Keys(f.values))
	}
	c := complaint{
		fmt.Sprintf("variable %q is not set: it is in none of %s, %s%s", name, strings.Join(places, ", "), envPrefix, name),
		fmt.Sprintf("give --var %s=VALUE, a --var-file that has it, or %s%s; a literal ${ is $${", name, envPrefix, name),
	}
	slices.Sort(known)
	if near := nearest.Word(name, known); near != "" {
		c.message += "; did you mean ${" + near + "}?"
	}
	return c
}

// reference is one place of a text that stands for something else.
type reference struct {
	offset, end int // bytes in the text, from ${ to behind the }
	name        string
	problem     complaint // the reference is malformed
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
			r.problem = complaint{"a ${ is not closed", "write ${name}; a literal ${ is $${"}
			return append(refs, r)
		case length == 0:
			r.problem = complaint{"${} names no variable", "write ${name}; a literal ${ is $${"}
		default:
			r.name = s[r.end : r.end+length]
			r.problem = checkVariable(r.name)
		}
		r.end += length + 1
		refs = append(refs, r)
		i = r.end
	}
}

// checkVariable is the rule on the names of variables.
func checkVariable(name string) complaint {
	for i, c := range name {
		switch {
		case c == '_', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', i > 0 && c >= '0' && c <= '9':
			continue
		case i > 0 && strings.ContainsRune(":-=?+", c):
			return complaint{fmt.Sprintf("%s is more than a name: a variable has no default in the YAML", quote("${"+name+"}")),
				fmt.Sprintf("write ${%s}, and put the default into a --var-file", name[:i])}
		}
		return complaint{fmt.Sprintf("%s is not the name of a variable", quote(name)),
			"a name is letters, digits and _, and begins with no digit; a literal ${ is $${"}
	}
	return complaint{}
}

// readVarFiles reads the files of variables: each a flat mapping of names to
// values, which are taken as they are written. Kinds do not matter: 0123 and
// +1555 are texts.
func readVarFiles(paths []string) ([]varFile, Problems, error) {
	var files []varFile
	var problems Problems
	for _, path := range paths {
		src, problem, err := readSource(input{name: path, path: path}, nil)
		if err != nil {
			return nil, nil, err
		}
		if problem != nil {
			problems = append(problems, *problem)
			continue
		}
		f := varFile{name: path, values: map[string]string{}}
		complain := func(n *node, message, hint string) {
			problems = append(problems, Problem{Pos: src.pos(n), Message: message, Hint: hint})
		}
		count := 0
		problems = append(problems, src.documents(func(root *node) {
			root = resolved(root)
			if isNull(root) {
				return
			}
			if count++; count > 1 {
				complain(root, "a file of variables is one document", "give the other one in a --var-file of its own")
				return
			}
			f.read(root, complain)
		})...)
		files = append(files, f)
	}
	return files, problems, nil
}

func (f *varFile) read(root *node, complain func(n *node, message, hint string)) {
	if !isMapping(root) {
		complain(root, fmt.Sprintf("a file of variables is a mapping of names to values, not %s", kindOf(root)), "write name: value, one a line")
		return
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := resolved(root.Content[i]), resolved(root.Content[i+1])
		if !isScalar(key) {
			complain(root.Content[i], "the name of a variable is plain text", "write name: value")
			continue
		}
		name := key.Value
		if c := checkVariable(name); name == "" || c.message != "" {
			complain(root.Content[i], fmt.Sprintf("%s is not the name of a variable", quote(name)), "a name is letters, digits and _, and begins with no digit")
			continue
		}
		if _, twice := f.values[name]; twice {
			complain(root.Content[i], fmt.Sprintf("variable %q is here twice", name), "remove one")
			continue
		}
		switch {
		case !isScalar(value):
			complain(value, fmt.Sprintf("variable %q is %s", name, kindOf(value)), "the value of a variable is one text, number or bool")
		case hasTag(value):
			complain(value, fmt.Sprintf("variable %q has the tag %s", name, quote(value.Tag)), "write the value without a tag")
		case isNull(value):
			complain(value, fmt.Sprintf("variable %q has no value", name), `write "" for an empty one`)
		default:
			f.values[name] = value.Value
		}
	}
}

// readSource reads one input whole. The problem is one of the input, the error
// is one of the machine.
func readSource(in input, stdin io.Reader) (*source, *Problem, error) {
	data, problem, err := in.read(stdin)
	if problem != nil || err != nil {
		return nil, problem, err
	}
	src, problem := newSource(in.name, data)
	return src, problem, nil
}
