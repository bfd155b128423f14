package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// input is one file to read.
type input struct {
	name  string // as it is shown
	path  string // as it is opened
	stdin bool
}

// defaultPaths are looked at when no path is given.
var defaultPaths = []string{"flows.yaml", "flows.yml", "flows"}

// finder turns paths into inputs, each file once.
type finder struct {
	inputs   []input
	problems Problems
	seen     map[string]bool // resolved paths
}

// findInputs lists the files that paths stand for, in their order. Those in
// except are left out of directories.
func findInputs(paths []string, dir string, except []string) ([]input, Problems, error) {
	f := &finder{seen: map[string]bool{}}
	if len(paths) == 0 {
		path, problem := defaultPath(dir)
		if problem != nil {
			return nil, Problems{*problem}, nil
		}
		paths = []string{path}
	}
	skip := map[string]bool{}
	for _, path := range except {
		skip[realPath(path)] = true
	}
	for _, path := range paths {
		if path == "-" {
			f.add(input{name: "<stdin>", path: "-", stdin: true})
			continue
		}
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return nil, nil, err
		case err != nil:
			f.problem(path, reason(err), "give a file, a directory, or - for standard input")
		case info.IsDir():
			before, problems := len(f.inputs), len(f.problems)
			found, err := f.walk(path, skip)
			if err != nil {
				return nil, nil, err
			}
			if !found && len(f.inputs) == before && len(f.problems) == problems {
				f.problem(path, "the directory has no *.yaml or *.yml file", "hidden files and folders do not count")
			}
		default:
			f.add(input{name: path, path: path})
		}
	}
	return f.inputs, f.problems, nil
}

// defaultPath is the path that is meant when none is given.
func defaultPath(dir string) (string, *Problem) {
	var found []string
	for _, name := range defaultPaths {
		info, err := os.Stat(filepath.Join(dir, name))
		if err == nil && info.IsDir() == (name == "flows") {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 1:
		return filepath.Join(dir, found[0]), nil
	case 0:
		return "", &Problem{Pos: Pos{File: filepath.Clean(dir)}, Message: "no path is given, and none of flows.yaml, flows.yml, flows/ is here",
			Hint: "name the files or directories to read"}
	}
	return "", &Problem{Pos: Pos{File: filepath.Clean(dir)}, Message: fmt.Sprintf("no path is given, and all of %s are here", strings.Join(found, ", ")),
		Hint: "name the one to read, or all of them"}
}

// walk adds the YAML files below a directory. Links to directories are not
// followed, so that it ends.
func (f *finder) walk(dir string, skip map[string]bool) (found bool, err error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			below, err := f.walk(path, skip)
			if err != nil {
				return false, err
			}
			found = found || below
			continue
		}
		if ext := filepath.Ext(path); ext != ".yaml" && ext != ".yml" {
			continue
		}
		if skip[realPath(path)] {
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			f.problem(path, reason(err), "remove the broken link")
		case info.Mode().IsRegular():
			found = true
			f.add(input{name: path, path: path})
		}
	}
	return found, nil
}

// add adds an input unless it is there, under whatever path.
func (f *finder) add(in input) {
	key := "-"
	if !in.stdin {
		key = realPath(in.path)
	}
	if !f.seen[key] {
		f.seen[key] = true
		f.inputs = append(f.inputs, in)
	}
}

func (f *finder) problem(path, message, hint string) {
	f.problems = append(f.problems, Problem{Pos: Pos{File: path}, Message: message, Hint: hint})
}

// realPath is a path that is the same for the same file.
func realPath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return path
}

// reason is what is wrong with a path, without the path.
func reason(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// read reads an input whole, up to one byte more than a file may have.
func (in input) read(stdin io.Reader) ([]byte, *Problem, error) {
	r := stdin
	var buf bytes.Buffer
	if in.stdin {
		if r == nil {
			return nil, &Problem{Pos: Pos{File: in.name}, Message: "there is no standard input"}, nil
		}
	} else {
		file, err := os.Open(in.path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &Problem{Pos: Pos{File: in.name}, Message: reason(err)}, nil
		}
		if err != nil {
			return nil, nil, err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return nil, nil, err
		}
		if info.IsDir() {
			return nil, &Problem{Pos: Pos{File: in.name}, Message: "this is a directory, not a file"}, nil
		}
		buf.Grow(int(min(info.Size(), maxFileSize)) + bytes.MinRead)
		r = file
	}
	if _, err := buf.ReadFrom(io.LimitReader(r, maxFileSize+1)); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", in.name, err)
	}
	return buf.Bytes(), nil, nil
}
