package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
	"flexsync/state"
)

type exportCmd struct {
	accountFlags
	kindFlags
	Out      string `placeholder:"FILE" file:"out" group:"output" help:"Write to FILE instead of stdout, only if the export succeeds."`
	Names    bool   `group:"output" help:"Write names instead of SIDs, so that the files work for every account with these names."`
	Split    string `placeholder:"DIR" file:"out" group:"output" help:"Write one file for each channel to DIR instead of stdout. DIR must not contain YAML files."`
	Snapshot string `placeholder:"FILE" file:"out" group:"output" help:"Write the account to FILE, for --local, instead of YAML."`
}

func (exportCmd) Help() string {
	return `
Examples:

	flexsync export --out flows.yaml
	flexsync export --names --out flows.yaml     # for other accounts too
	flexsync export --split flows                # one file for each channel
	flexsync export --snapshot account.json      # for plan --local account.json`
}

func (c *exportCmd) Run(ctx context.Context, a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	s, err := c.accountFlags.session(a, use{})
	if err != nil {
		return err
	}
	if err := s.list(ctx, c.kinds()); err != nil {
		return err
	}
	if c.Snapshot != "" {
		return c.writeSnapshot(ctx, a, s)
	}
	var opts state.ExportOptions
	if c.Names {
		if err := s.lookup(ctx, s.snapshot.References()); err != nil {
			return err
		}
		opts.Names = s.snapshot.Names(s.directory)
	}
	e := s.snapshot.Export(opts)
	switch {
	case c.Split != "":
		err = writeSplit(ctx, a, c.Split, e)
	case c.Out != "":
		if err = writeFile(ctx, c.Out, e.Encode()); err != nil {
			err = fmt.Errorf("--out: %w", err)
		} else {
			a.say("%s written to %s", countKinds(c.kinds(), func(k *schema.Kind) int { return len(e.Of(k)) }), safetext.Line(c.Out))
		}
	default:
		_, err = a.stdout.Write(e.Encode())
		err = written(err)
	}
	if err != nil {
		return err
	}
	a.sayIgnored(e)
	return nil
}

// sayIgnored says how many resources an export can only ignore.
func (a *app) sayIgnored(e schema.Export) {
	noun := "flow"
	if len(e.Kinds) != 1 || e.Kinds[0] != schema.Flows {
		noun = "resource"
	}
	if n := len(e.Ignore); n > 0 {
		a.say("%s cannot be declared in YAML and will be ignored; the reasons are in the comments", count(n, noun))
	}
}

// check refuses flags that exclude each other and a directory with YAML files,
// before the account is read.
func (c *exportCmd) check() error {
	switch {
	case c.Out != "" && c.Split != "":
		return inputError(errors.New("--out cannot be used with --split, which writes several files"), "omit one of them")
	case c.Out != "" && c.Snapshot != "":
		return inputError(errors.New("--out cannot be used with --snapshot, which is not YAML"), "run export twice")
	case c.Snapshot != "" && c.Names:
		return inputError(errors.New("--snapshot cannot be used with --names: a snapshot always holds both SIDs and names"), "")
	case c.Snapshot != "" && c.Split != "":
		return inputError(errors.New("--snapshot cannot be used with --split: a snapshot is not YAML"), "run export twice")
	case c.Split != "":
		return checkFree(c.Split)
	}
	return nil
}

// writeSnapshot writes the account as a file for --local.
func (c *exportCmd) writeSnapshot(ctx context.Context, a *app, s *session) error {
	if err := s.lookup(ctx, state.Everything("for --snapshot")); err != nil {
		return err
	}
	if err := writeFile(ctx, c.Snapshot, s.snapshot.EncodeFile(s.owner(), s.directory)); err != nil {
		return fmt.Errorf("save the snapshot: %w", err)
	}
	a.say("%s written to %s", countKinds(c.kinds(), s.snapshot.Count), c.Snapshot)
	return nil
}

// checkFree refuses a directory that contains YAML files: a run would read them
// together with the exported ones, and no file may be overwritten. A directory
// that does not exist is free.
func checkFree(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case path == dir && errors.Is(err, fs.ErrNotExist):
			parent := filepath.Dir(filepath.Clean(dir))
			if info, err := os.Stat(parent); err != nil || !info.IsDir() {
				return inputError(fmt.Errorf("--split %s: %s is not a directory", dir, parent), "create it first")
			}
			return nil
		case err != nil:
			return fmt.Errorf("--split: %w", err)
		case path == dir && !d.IsDir():
			if info, err := os.Stat(dir); err != nil || !info.IsDir() { // it may be a link to one
				return inputError(fmt.Errorf("--split %s: not a directory", dir), "name the directory to write the files to")
			}
			return checkFree(dir + string(filepath.Separator))
		case path != dir && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir // plan does not read it either
			}
			return nil
		}
		if path != dir && yamldoc.IsYAML(path) {
			return inputError(fmt.Errorf("--split %s: %s already exists", dir, path),
				"name a directory without YAML files, or remove them first: a run would read them together with the exported ones")
		}
		return nil
	})
	return err
}

// splitFile is one of the files that --split writes.
type splitFile struct {
	name string
	what string // what it holds
	yaml []byte
}

// splitByChannel divides an export into one file for each channel and one for
// ignored resources. A kind without any gets a file that says so.
func splitByChannel(e schema.Export) (files []splitFile) {
	for _, k := range e.Kinds {
		entries, prefix := e.Of(k), ""
		if k != schema.Flows {
			prefix = k.Plural + "-" // a flow and an address may have channels of one name
		}
		for _, channel := range k.Channel.Enum {
			part := schema.Export{Header: e.Header, AccountSID: e.AccountSID, Names: e.Names, Kinds: []*schema.Kind{k}}
			for _, x := range entries {
				if x.Text(k.Channel) == channel {
					part.Entries = append(part.Entries, x)
				}
			}
			if n := len(part.Entries); n > 0 {
				files = append(files, splitFile{name: prefix + channel + ".yaml", what: count(n, k.Name), yaml: part.Encode()})
			}
		}
		if len(entries) == 0 && len(e.Ignore) == 0 {
			part := schema.Export{Header: e.Header, AccountSID: e.AccountSID, Kinds: []*schema.Kind{k}}
			files = append(files, splitFile{name: k.Plural + ".yaml", what: "no " + k.Plural, yaml: part.Encode()})
		}
	}
	if len(e.Ignore) > 0 {
		what, noun := "Flows", "ignored flow"
		if len(e.Kinds) != 1 || e.Kinds[0] != schema.Flows {
			what, noun = "Resources", "ignored resource"
		}
		part := schema.Export{Header: []string{what + " that flexsync ignores, because YAML cannot declare them."}, AccountSID: e.AccountSID, Ignore: e.Ignore, Kinds: e.Kinds}
		files = append(files, splitFile{name: "ignore.yaml", what: count(len(e.Ignore), noun), yaml: part.Encode()})
	}
	return files
}

// writeSplit writes an export to a directory, whole or not at all. It creates the
// files in a hidden directory, which plan does not read, and then moves them: a
// new directory in one step, or file by file into an existing one.
func writeSplit(ctx context.Context, a *app, dir string, e schema.Export) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("--split: %w", err)
		}
	}()
	_, statErr := os.Stat(dir)
	isNew := errors.Is(statErr, fs.ErrNotExist)
	dir = filepath.Clean(dir)
	beside := dir
	if isNew {
		beside = filepath.Dir(dir)
	}
	made, err := os.MkdirTemp(beside, ".flexsync-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	files := splitByChannel(e)
	for _, f := range files {
		if err := writeFile(ctx, filepath.Join(made, f.name), f.yaml); err != nil {
			return err
		}
	}
	if isNew {
		if err := os.Rename(made, dir); err != nil {
			return err
		}
	} else if err := moveFiles(made, dir, files); err != nil {
		return err
	}
	for _, f := range files {
		a.say("%s written to %s", f.what, filepath.Join(dir, f.name))
	}
	return nil
}

// moveFiles moves files and overwrites none. After an error, it has moved none.
func moveFiles(from, to string, files []splitFile) error {
	for i, f := range files {
		path := filepath.Join(to, f.name)
		_, err := os.Lstat(path)
		if err == nil {
			err = &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
		} else if errors.Is(err, fs.ErrNotExist) {
			err = os.Rename(filepath.Join(from, f.name), path)
		}
		if err != nil {
			for _, done := range slices.Backward(files[:i]) {
				err = errors.Join(err, os.Remove(filepath.Join(to, done.name)))
			}
			return err
		}
	}
	return nil
}
