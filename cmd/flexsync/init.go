package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flexsync/examples/ci"
	"flexsync/internal/safetext"
	"flexsync/schema"
	"flexsync/state"
)

type initCmd struct {
	Dir string `arg:"" name:"dir" help:"Directory of the repository; it is created if necessary."`

	FromAccount bool `group:"selection" help:"Start with the flows that the account has. Any flag that names an account means the same."`
	accountFlags
	CI string `name:"ci" default:"github" enum:"github,gitlab,none" group:"output" help:"Files for CI: github, gitlab or none."`
}

func (initCmd) Help() string {
	return `
Writes flows.yaml, the JSON Schema for your editor, .gitignore, and the files for CI. Does not overwrite any file. Without --from-account, flows.yaml is an example in comments.

Examples:

	flexsync init flex-flows --from-account
	flexsync init . --ci gitlab
	flexsync init demo --local account.json`
}

//go:embed init/flows.yaml
var initFlows []byte

//go:embed init/gitignore
var initIgnore []byte

const (
	schemaFile = "flexsync.schema.json"
	schemaLine = "# yaml-language-server: $schema=" + schemaFile + "\n"
)

// started is a file of the repository that init writes.
type started struct {
	path string // below the directory
	text []byte
}

func (c *initCmd) Run(ctx context.Context, a *app) error {
	files := []started{
		{"flows.yaml", nil}, // its text follows when nothing is in the way
		{schemaFile, schema.JSONSchema()},
		{".gitignore", initIgnore},
	}
	if c.CI != "none" {
		workflows, err := ci.For(c.CI)
		if err != nil {
			return err
		}
		for _, w := range workflows {
			files = append(files, started{filepath.FromSlash(w.Path), w.Text})
		}
	}
	if err := c.check(files); err != nil {
		return err
	}
	text, err := c.flows(ctx, a)
	if err != nil {
		return err
	}
	files[0].text = append([]byte(schemaLine), text...)
	if err := c.write(ctx, files); err != nil {
		return err
	}
	for _, f := range files {
		a.say("created %s", safetext.Line(filepath.Join(c.Dir, f.path)))
	}
	a.hint("next: flexsync plan " + shellWord(filepath.Join(c.Dir, "flows.yaml")) + c.again())
	switch c.CI {
	case "github":
		a.hint("in the workflows, replace your-organisation; their first lines say what they need")
	case "gitlab":
		a.hint("the first lines of .gitlab-ci.yml say which variables it needs")
	}
	return nil
}

// check refuses a directory in which a file would be overwritten, or in which
// there are flows already.
func (c *initCmd) check(files []started) error {
	var taken []string
	for _, name := range []string{"flows.yml", "flows"} {
		files = append(files, started{path: name})
	}
	for _, f := range files {
		path := filepath.Join(c.Dir, f.path)
		_, err := os.Lstat(path)
		switch {
		case err == nil:
			taken = append(taken, safetext.Line(path))
		case !errors.Is(err, fs.ErrNotExist):
			return inputError(err, "")
		}
	}
	if len(taken) > 0 {
		return inputError(fmt.Errorf("init does not overwrite files: %s", strings.Join(taken, ", ")+" already "+exist(len(taken))),
			"name another directory; --ci none leaves out the files for CI")
	}
	return nil
}

// exist is the verb for so many files.
func exist(n int) string {
	if n == 1 {
		return "exists"
	}
	return "exist"
}

// flows is the text of flows.yaml: an example, or what the account has.
func (c *initCmd) flows(ctx context.Context, a *app) ([]byte, error) {
	if !c.FromAccount && c.BaseURL == "" && c.Local == "" && c.Profile == "" {
		return initFlows, nil
	}
	s, err := c.accountFlags.session(a, use{})
	if err != nil {
		return nil, err
	}
	if err := s.list(ctx, []*schema.Kind{schema.Flows}); err != nil {
		return nil, err
	}
	e := s.snapshot.Export(state.ExportOptions{})
	e.AccountSID = s.owner()
	a.sayIgnored(e)
	return e.Encode(), nil
}

// write writes all files or none.
func (c *initCmd) write(ctx context.Context, files []started) error {
	var done []string
	for _, f := range slices.Backward(files) { // flows.yaml last: with it, the repository is one
		path := filepath.Join(c.Dir, f.path)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = writeNew(ctx, path, f.text)
		}
		if err != nil {
			for _, path := range done {
				err = errors.Join(err, os.Remove(path))
			}
			return err
		}
		done = append(done, path)
	}
	return nil
}
