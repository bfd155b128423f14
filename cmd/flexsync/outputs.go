package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"flexsync/internal/yamldoc"
	"flexsync/schema"
)

// What names a file on the command line says with the tag "file" what becomes
// of it:
//
//	in       it is read
//	vars     it is read, and is no YAML of flows
//	plan     it is read in place of the YAML
//	yaml     it is a file, a directory or "-", read as YAML; none is the default
//	account  it is read and written; FLEXSYNC_LOCAL is the same
//	profile  not a file: the name of a profile in twilio-cli's
//	out      it is written

// named is a file that a command line names.
type named struct {
	by, path string      // "--local", "account.json"
	real     string      // absolute, without links
	info     fs.FileInfo // nil: there is none yet
}

func nameFile(by, path string) named {
	n := named{by: by, path: path, real: path}
	if abs, err := filepath.Abs(path); err == nil {
		n.real = abs
	}
	if real, err := resolve(n.real); err == nil {
		n.real = real
	}
	if info, err := os.Stat(n.real); err == nil {
		n.info = info
	}
	return n
}

// same reports whether two names lead to one file. What is no file that could
// be replaced (a device, a FIFO) is never the same.
func (n named) same(m named) bool {
	if n.info == nil || m.info == nil {
		return n.info == nil && m.info == nil && n.real == m.real
	}
	return n.info.Mode().IsRegular() && os.SameFile(n.info, m.info)
}

// checkOutputs refuses a command line of which an output would replace an
// input, or become one of the next run. It opens nothing.
func (a *app) checkOutputs(command *kong.Node) error {
	var ins, outs []named
	var paths, varFiles []string
	reads := false // YAML
	for _, v := range slices.Concat(command.Positional, valuesOf(command)) {
		texts := textsOf(v)
		kind := v.Tag.Get("file")
		switch kind {
		case "yaml":
			paths, reads = texts, true
			continue
		case "profile":
			if len(texts) > 0 {
				ins = append(ins, nameFile("--"+v.Name, a.profilePath()))
			}
			continue
		}
		for _, path := range texts {
			file := nameFile("--"+v.Name, path)
			switch kind {
			case "plan":
				reads = false
			case "vars":
				varFiles = append(varFiles, path)
			}
			if kind == "out" || kind == "account" {
				outs = append(outs, file)
			}
			if kind != "" && kind != "out" {
				ins = append(ins, file)
			}
		}
	}
	if f, ok := command.Target.Addr().Interface().(interface {
		place(*app) (string, string, error)
	}); ok {
		// An error is the command's to say.
		if _, local, _ := f.place(a); local != "" && !slices.ContainsFunc(ins, func(n named) bool { return n.by == "--local" }) {
			file := nameFile("FLEXSYNC_LOCAL", local)
			ins, outs = append(ins, file), append(outs, file)
		}
	}
	if reads {
		for _, path := range schema.Files(paths, schema.Options{VarFiles: varFiles}) {
			if path != "-" {
				ins = append(ins, nameFile("the YAML", path))
			} else if f := fileOf(a.stdin); f != nil {
				if info, err := f.Stat(); err == nil {
					ins = append(ins, named{by: "standard input", path: path, info: info})
				}
			}
		}
	}
	for _, out := range outs {
		for _, in := range ins {
			if out.by != in.by && out.same(in) {
				return inputError(fmt.Errorf("%s %s would overwrite %s, an input of this run (%s)", out.by, out.path, in.path, in.by), "write to another file")
			}
		}
		for _, dir := range dirsOf(paths) {
			if reads && out.becomesYAML(dir) {
				return inputError(fmt.Errorf("%s %s is in %s: the next run would read it as flows", out.by, out.path, dir),
					"write to another directory, or to a name that does not end in .yaml or .yml")
			}
		}
	}
	return nil
}

// valuesOf are the values of a command's flags.
func valuesOf(command *kong.Node) (values []*kong.Value) {
	for _, flag := range command.Flags {
		values = append(values, flag.Value)
	}
	return values
}

// textsOf is what was given for a text or a list of texts.
func textsOf(v *kong.Value) []string {
	switch {
	case v.IsSlice() && v.Target.Type().Elem().Kind() == reflect.String:
		return slices.Clone(v.Target.Interface().([]string))
	case v.Target.Kind() == reflect.String && v.Target.String() != "":
		return []string{v.Target.String()}
	}
	return nil
}

// dirsOf are the directories among the paths of a command that reads YAML.
func dirsOf(paths []string) (dirs []string) {
	if len(paths) == 0 {
		paths = []string{"flows"} // the only one that is read without a path
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			dirs = append(dirs, path)
		}
	}
	return dirs
}

// becomesYAML reports whether a file would be read with a directory.
func (n named) becomesYAML(dir string) bool {
	rel, err := filepath.Rel(nameFile("", dir).real, n.real)
	return err == nil && filepath.IsLocal(rel) && yamldoc.IsYAML(rel) &&
		!slices.ContainsFunc(strings.Split(rel, string(filepath.Separator)), func(part string) bool { return strings.HasPrefix(part, ".") })
}
