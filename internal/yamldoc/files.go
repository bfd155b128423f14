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
	"sync"
)

// Files reads the files of a run: it lists a directory once, and it opens, reads and
// parses a file once, whatever the number of paths and configurations that lead to it,
// as long as someone holds it. The zero value has read nothing. Several goroutines may
// use it at once.
type Files struct {
	real memo[string] // by path, see realPath
	dirs memo[listing]

	mu   sync.Mutex
	read map[string]*file // by real path; "-" is standard input
}

// memo is what a function returned for a path, which it keeps.
type memo[T any] struct{ sync.Map }

func (m *memo[T]) get(path string, find func(string) T) T {
	if v, ok := m.Load(path); ok {
		return v.(T)
	}
	v := find(path)
	m.Store(path, v)
	return v
}

type listing struct {
	entries []fs.DirEntry // sorted
	err     error
}

// file is what was read of a file.
type file struct {
	key   string
	holds int // guarded by Files.mu

	mu      sync.Mutex // held while the file is read
	done    bool
	src     *Source
	problem *Problem
	err     error
}

// at returns the file of an input, read or not, and adds holds to it.
func (f *Files) at(in Input, holds int) *file {
	key := f.key(in)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.read == nil {
		f.read = make(map[string]*file)
	}
	if f.read[key] == nil {
		f.read[key] = &file{key: key}
	}
	f.read[key].holds += holds
	return f.read[key]
}

// key is the same for all paths of a file.
func (f *Files) key(in Input) string {
	if in.stdin {
		return "-"
	}
	return f.realPath(in.Path)
}

func (f *Files) realPath(path string) string { return f.real.get(path, realPath) }

// Hold keeps what is read of some files until release is called. A file that nobody
// ever held is kept too.
func (f *Files) Hold(inputs ...Input) (release func()) {
	held := make([]*file, len(inputs))
	for i, in := range inputs {
		held[i] = f.at(in, 1)
	}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, file := range held {
			if file.holds--; file.holds == 0 {
				delete(f.read, file.key)
			}
		}
		held = nil // so that release keeps nothing, and does nothing again
	}
}

// Read reads an input to its end. The problem is one of the input, the error one of
// the operating system.
func (f *Files) Read(in Input, stdin io.Reader) (*Source, *Problem, error) {
	file := f.at(in, 0)
	file.mu.Lock()
	defer file.mu.Unlock()
	if !file.done {
		file.done = true
		var data []byte
		if data, file.problem, file.err = in.read(stdin); file.problem == nil && file.err == nil {
			file.src, file.problem = NewSource(in.Name, data)
		}
	}
	return file.src.as(in.Name), file.problem.as(in.Name), file.err
}

// Single reads a file that has one document, and returns its root; nil if it is null.
// more says what is wrong with another one.
func (f *Files) Single(path string, more Complaint) (src *Source, root *Node, problems Problems, err error) {
	src, problem, err := f.Read(Input{Name: path, Path: path}, nil)
	switch {
	case err != nil:
		return nil, nil, nil, err
	case problem != nil:
		return nil, nil, Problems{*problem}, nil
	}
	syntax := src.Documents(func(n *Node) {
		n = Resolved(n)
		switch {
		case IsNull(n):
		case root == nil:
			root = n
		default:
			problems = append(problems, Problem{Pos: src.Pos(n), Message: more.Message, Hint: more.Hint})
		}
	})
	return src, root, append(problems, syntax...), nil
}

// Known returns what is read and kept of a path, or nil.
func (f *Files) Known(path string) *Source {
	file := f.at(Input{Path: path}, 0)
	file.mu.Lock()
	defer file.mu.Unlock()
	return file.src.as(path)
}

// Input is one file to read.
type Input struct {
	Name  string // as it is shown
	Path  string // as it is opened; "-" for standard input
	stdin bool
}

// finder turns paths into inputs, each file once, however many links lead to
// it. The keys of its maps are real paths.
type finder struct {
	*Files
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

// Find lists the files that paths name, in their order: files, directories
// (all YAML files below them, sorted; links are followed, hidden files and those in
// except are skipped), and "-" for standard input. Without paths, exactly one of
// defaults must exist in dir; a default that ends in a slash is a directory.
func (f *Files) Find(paths []string, dir string, defaults, except []string) ([]Input, Problems) {
	search := &finder{Files: f, seen: map[string]bool{}, skip: map[string]bool{}, walked: map[string]*walk{}}
	if len(paths) == 0 {
		path, problem := defaultPath(dir, defaults)
		if problem != nil {
			return nil, Problems{*problem}
		}
		paths = []string{path}
	}
	for _, path := range except {
		search.skip[search.realPath(path)] = true
	}
	for _, path := range paths {
		if path == "-" {
			search.add(Input{Name: "<stdin>", Path: "-", stdin: true})
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			search.unreadable(path, err, "pass a file, a directory, or - for standard input")
		case info.IsDir():
			problems := len(search.problems)
			if found := search.walk(path); !found && len(search.problems) == problems {
				search.problem(path, "the directory has no *.yaml or *.yml file", "hidden files and directories are skipped")
			}
		default:
			search.add(Input{Name: path, Path: path})
		}
	}
	return search.inputs, search.problems
}

// defaultPath is the path that is meant when none is given.
func defaultPath(dir string, defaults []string) (string, *Problem) {
	var found []string
	for _, name := range defaults {
		name, isDir := strings.CutSuffix(name, "/")
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			_, err = os.Lstat(path) // a link that leads nowhere is there
		} else if info.IsDir() != isDir {
			continue
		}
		if err == nil {
			found = append(found, name)
		}
	}
	if len(found) == 1 {
		return filepath.Join(dir, found[0]), nil
	}
	problem := Problem{Pos: Pos{File: filepath.Clean(dir)}, Message: "no path is given, and none of " + strings.Join(defaults, ", ") + " exists", Hint: "pass the files or directories to read"}
	if len(found) > 1 {
		problem.Message, problem.Hint = "no path is given, and several exist: "+strings.Join(found, ", "), "pass the one to read, or all of them"
	}
	return "", &problem
}

// walk adds the YAML files below a directory, following links, and reports whether
// there are any. What may hold YAML and cannot be read is a problem: flows that no
// file declares may be deleted, so only hidden files and those with other names are
// skipped silently.
func (f *finder) walk(dir string) (found bool) {
	real := f.realPath(dir)
	if f.walked[real] != nil {
		return f.walked[real].found
	}
	here := &walk{path: dir}
	f.walked[real] = here
	all := f.dirs.get(dir, func(dir string) (l listing) {
		l.entries, l.err = os.ReadDir(dir)
		return l
	})
	if all.err != nil {
		f.unreadable(dir, all.err, "")
	}
	for _, e := range all.entries {
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
			if above := f.walked[f.realPath(path)]; above != nil && !above.done {
				f.cycle(path, above.path, e.Type()&fs.ModeSymlink != 0)
				continue
			}
			here.found = f.walk(path) || here.found
		case !IsYAML(path) || f.skip[f.realPath(path)]:
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
	if key := f.key(in); !f.seen[key] {
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
