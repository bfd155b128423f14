package yamldoc

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

// Input is one file to read.
type Input struct {
	Name  string // as it is shown
	Path  string // as it is opened; "-" for standard input
	stdin bool
}

// finder turns paths into inputs, each file once, however many links lead to
// it. The keys of its maps are real paths.
type finder struct {
	inputs   []Input
	problems Problems
	seen     map[string]bool  // inputs
	skip     map[string]bool  // files that are not inputs
	walked   map[string]*walk // directories
}

// walk is the state of a directory's search.
type walk struct {
	path  string // by which it was reached
	done  bool
	found bool // has YAML, new or not
}

// FindInputs lists the files that paths name, in their order: files, directories
// (all YAML files below them, sorted; links are followed, hidden files and those in
// except are skipped), and "-" for standard input. Without paths, exactly one of
// defaults must exist in dir; a default that ends in a slash is a directory.
func FindInputs(paths []string, dir string, defaults, except []string) ([]Input, Problems) {
	f := &finder{seen: map[string]bool{}, skip: map[string]bool{}, walked: map[string]*walk{}}
	if len(paths) == 0 {
		path, problem := defaultPath(dir, defaults)
		if problem != nil {
			return nil, Problems{*problem}
		}
		paths = []string{path}
	}
	for _, path := range except {
		f.skip[realPath(path)] = true
	}
	for _, path := range paths {
		if path == "-" {
			f.add(Input{Name: "<stdin>", Path: "-", stdin: true})
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			f.unreadable(path, err, "pass a file, a directory, or - for standard input")
		case info.IsDir():
			problems := len(f.problems)
			if found := f.walk(path); !found && len(f.problems) == problems {
				f.problem(path, "the directory has no *.yaml or *.yml file", "hidden files and directories are skipped")
			}
		default:
			f.add(Input{Name: path, Path: path})
		}
	}
	return f.inputs, f.problems
}

// defaultPath is the path that is meant when none is given.
func defaultPath(dir string, defaults []string) (string, *Problem) {
	var found []string
	for _, name := range defaults {
		name, isDir := strings.CutSuffix(name, "/")
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil { // a link that leads nowhere is there
			if _, err := os.Lstat(path); err == nil {
				found = append(found, name)
			}
			continue
		}
		if info.IsDir() == isDir {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 1:
		return filepath.Join(dir, found[0]), nil
	case 0:
		return "", &Problem{Pos: Pos{File: filepath.Clean(dir)}, Message: fmt.Sprintf("no path is given, and none of %s exists", strings.Join(defaults, ", ")),
			Hint: "pass the files or directories to read"}
	}
	return "", &Problem{Pos: Pos{File: filepath.Clean(dir)}, Message: fmt.Sprintf("no path is given, and several exist: %s", strings.Join(found, ", ")),
		Hint: "pass the one to read, or all of them"}
}

// walk adds the YAML files below a directory, following links, and reports whether
// there are any. What may hold YAML and cannot be read is a problem: flows that no
// file declares may be deleted, so only hidden files and those with other names are
// skipped silently.
func (f *finder) walk(dir string) (found bool) {
	real := realPath(dir)
	if f.walked[real] != nil {
		return f.walked[real].found
	}
	here := &walk{path: dir}
	f.walked[real] = here
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		f.unreadable(dir, err, "")
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path, kind := filepath.Join(dir, e.Name()), e.Type()
		if kind&fs.ModeSymlink != 0 {
			info, err := os.Stat(path)
			if err != nil {
				f.unreadable(path, err, "") // its name does not tell what it would lead to
				continue
			}
			kind = info.Mode().Type()
		}
		switch {
		case kind.IsDir():
			if above := f.walked[realPath(path)]; above != nil && !above.done {
				f.cycle(path, above.path, e.Type()&fs.ModeSymlink != 0)
				continue
			}
			here.found = f.walk(path) || here.found
		case !IsYAML(path) || f.skip[realPath(path)]:
		case !kind.IsRegular():
			f.problem(path, fmt.Sprintf("expected a file, found a %s", typeName(kind)), "remove it, or pass it as a path of its own")
		default:
			here.found = true
			f.add(Input{Name: path, Path: path})
		}
	}
	here.done = true
	return here.found
}

// IsYAML reports whether a file's name says that it is YAML.
func IsYAML(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	return ext == ".yaml" || ext == ".yml"
}

// typeName names anything but a regular file or a directory.
func typeName(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "FIFO"
	case mode&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}

// cycle reports a directory that a link puts below itself.
func (f *finder) cycle(path, above string, isLink bool) {
	message := fmt.Sprintf("this is %s again, through a link above it", above)
	if isLink {
		message = fmt.Sprintf("the link leads back to %s, which contains it", above)
	}
	f.problem(path, message, "remove the link")
}

// unreadable reports a path that the operating system refuses.
func (f *finder) unreadable(path string, err error, hint string) {
	f.problems = append(f.problems, unreadablePath(path, err, hint))
}

func unreadablePath(path string, err error, hint string) Problem {
	message := reason(err)
	if target, notLink := os.Readlink(path); notLink == nil {
		message, hint = fmt.Sprintf("the link points to %s, which cannot be read: %s", target, message), "fix the link, or remove it"
	}
	if errors.Is(err, fs.ErrPermission) {
		hint = "make it readable for the user that runs flexsync"
	}
	return Problem{Pos: Pos{File: path}, Message: message, Hint: hint}
}

// add adds an input unless it has it, under whatever path.
func (f *finder) add(in Input) {
	key := "-"
	if !in.stdin {
		key = realPath(in.Path)
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
func (in Input) read(stdin io.Reader) ([]byte, *Problem, error) {
	r := stdin
	var buf bytes.Buffer
	if in.stdin {
		if r == nil {
			return nil, &Problem{Pos: Pos{File: in.Name}, Message: "there is no standard input"}, nil
		}
	} else {
		file, err := os.Open(in.Path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			problem := unreadablePath(in.Path, err, "")
			return nil, &problem, nil
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
			return nil, &Problem{Pos: Pos{File: in.Name}, Message: "expected a file, found a directory"}, nil
		}
		buf.Grow(int(min(info.Size(), maxFileSize)) + bytes.MinRead)
		r = file
	}
	if _, err := buf.ReadFrom(io.LimitReader(r, maxFileSize+1)); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", in.Name, err)
	}
	return buf.Bytes(), nil, nil
}
