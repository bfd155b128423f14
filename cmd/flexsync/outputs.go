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

// A flag or argument that names a file has the tag "file", which says what the
// command does with it:
//
//	in       reads it
//	vars     reads variables from it
//	plan     reads it instead of the YAML
//	yaml     reads YAML from a file, a directory or "-"; without one, the default
//	account  reads and writes it, as it does the file in FLEXSYNC_LOCAL
//	profile  names a profile in the file of twilio-cli, which it reads
//	out      writes it

// named is a file that the command line names.
type named struct {
	by, path string      // "--local", "account.json"
	real     string      // absolute, without links
	info     fs.FileInfo // nil: it does not exist
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

// same reports whether two names lead to one file. Devices and FIFOs are never the
// same: they are not replaced.
func (n named) same(m named) bool {
	if n.info == nil || m.info == nil {
		return n.info == nil && m.info == nil && n.real == m.real
	}
	return n.info.Mode().IsRegular() && os.SameFile(n.info, m.info)
}

// checkOutputs refuses a command line whose output would replace one of its inputs
// or become an input of the next run. It opens no file.
func (a *app) checkOutputs(command *kong.Node) error {
	var ins, outs []named
	var paths, bases, varFiles, fleets []string
	reads := false // the command reads YAML
	for _, v := range slices.Concat(command.Positional, valuesOf(command)) {
		texts := textsOf(v)
		kind := v.Tag.Get("file")
		switch kind {
		case "yaml":
			if v.Flag != nil { // --base
				bases = texts
			} else {
				paths, reads = texts, true
			}
			continue
		case "profile":
			if len(texts) > 0 {
				ins = append(ins, nameFile("--"+v.Name, a.profilePath()))
			}
			continue
		}
		for _, path := range texts {
			file := nameFile("--"+v.Name, path)
			if kind == "out" && isDir(path) { // a new file in it
				file = nameFile("--"+v.Name, filepath.Join(path, "new.yaml"))
				file.path = path
			}
			switch kind {
			case "in":
				if v.Name == "fleet" {
					fleets = append(fleets, path)
				}
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
		place(*app) (place, error)
	}); ok {
		// The command reports the error.
		if at, _ := f.place(a); at.by == "FLEXSYNC_LOCAL" {
			file := nameFile(at.by, at.local)
			ins, outs = append(ins, file), append(outs, file)
		}
	}
	if len(fleets) > 0 { // so --base is one, too, and an input
		for _, path := range bases {
			ins = append(ins, nameFile("--base", path))
		}
		paths, bases, fleets = nil, nil, append(fleets, bases...)
	}
	for _, path := range fleets {
		file, err := a.readFleet(path)
		if err != nil {
			reads = false // the command reports the error
			continue
		}
		for _, account := range file.Accounts {
			paths, varFiles = append(paths, account.Paths...), append(varFiles, account.VarFiles...)
			if account.Local != "" {
				local := nameFile("local", account.Local)
				ins, outs = append(ins, local), append(outs, local)
			}
		}
	}
	if len(fleets) > 0 {
		paths, varFiles = unique(paths), unique(varFiles)
		for _, path := range varFiles {
			ins = append(ins, nameFile("var_files", path))
		}
	}
	var dirs []string
	if reads {
		files := schema.Files(paths, schema.Options{VarFiles: varFiles})
		dirs = dirsOf(paths, files)
		if len(bases) > 0 {
			files = append(files, schema.Files(bases, schema.Options{VarFiles: varFiles})...)
		}
		for _, path := range files {
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
		for _, dir := range dirs {
			if out.becomesYAML(dir) {
				return inputError(fmt.Errorf("%s %s is in %s: the next run would read it as flows", out.by, out.path, dir),
					"write to another directory, or to a name that does not end in .yaml or .yml")
			}
		}
	}
	return nil
}

// unique returns the texts without repetitions, sorted.
func unique(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}

// isDir reports whether a path is that of a directory, which need not exist.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return os.IsPathSeparator(path[len(path)-1]) || err == nil && info.IsDir()
}

// valuesOf returns the values of a command's flags.
func valuesOf(command *kong.Node) (values []*kong.Value) {
	for _, flag := range command.Flags {
		values = append(values, flag.Value)
	}
	return values
}

// textsOf returns what was given for a string or a list of strings.
func textsOf(v *kong.Value) []string {
	switch {
	case v.IsSlice() && v.Target.Type().Elem().Kind() == reflect.String:
		return slices.Clone(v.Target.Interface().([]string))
	case v.Target.Kind() == reflect.String && v.Target.String() != "":
		return []string{v.Target.String()}
	}
	return nil
}

// dirsOf returns the directories that YAML is read from: those among the paths,
// and those of the files below, which may be behind links.
func dirsOf(paths, files []string) (dirs []string) {
	if len(paths) == 0 {
		paths = []string{"flows"} // the only directory that is read by default
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			dirs = append(dirs, path)
		}
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		if !slices.Contains(paths, file) && !slices.Contains(dirs, dir) && slices.ContainsFunc(dirs, func(above string) bool {
			rel, err := filepath.Rel(above, dir)
			return err == nil && filepath.IsLocal(rel)
		}) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// becomesYAML reports whether a run that reads dir would read the file as YAML.
func (n named) becomesYAML(dir string) bool {
	rel, err := filepath.Rel(nameFile("", dir).real, n.real)
	return err == nil && filepath.IsLocal(rel) && yamldoc.IsYAML(rel) &&
		!slices.ContainsFunc(strings.Split(rel, string(filepath.Separator)), func(part string) bool { return strings.HasPrefix(part, ".") })
}
