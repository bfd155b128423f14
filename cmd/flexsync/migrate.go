package main

import (
	"context"
	"fmt"
	"slices"

	"flexsync/internal/glob"
	"flexsync/internal/migrate"
	"flexsync/internal/render"
	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
)

type migrateCmd struct {
	Paths []string `arg:"" optional:"" name:"path" file:"yaml" help:"Files, directories or - (default: flows.yaml, flows.yml or flows/)."`
	Only  []string `sep:"none" placeholder:"GLOB" help:"Move only the flows of these names, as the YAML has them (repeatable)."`

	inputFlags
}

func (migrateCmd) Help() string {
	return `
Prints the YAML with addresses in place of the flows that can move. The files stay as they are.
Variables stay as they are written: it makes no difference whether they are set.

Examples:

	flexsync migrate flows.yaml > migrated.yaml
	flexsync migrate flows.yaml --only 'Support *'`
}

func (c *migrateCmd) Run(ctx context.Context, a *app) error {
	only, err := glob.CompileAll(c.Only)
	if err != nil {
		return inputError(fmt.Errorf("--only: %w", err), "")
	}
	if slices.Contains(c.Paths, "-") && isTerminal(a.stdin) {
		a.say("reading YAML from the terminal; press Ctrl-D to end")
	}
	result, err := await(ctx.Done(), 0, func() (migrate.Result, error) {
		sources, err := c.sources(a)
		if err != nil {
			return migrate.Result{}, err
		}
		return migrate.Run(sources, only)
	})
	switch {
	case err != nil:
		return err
	case len(result.Unmatched) > 0:
		return inputError(fmt.Errorf("--only %s matches no flow in the YAML", safetext.Quote(result.Unmatched[0].String())), "names are matched as they are written, with their variables")
	}
	if _, err := a.stdout.Write(result.Text); err != nil {
		return written(err)
	}
	switch {
	case result.Moved+result.Dropped+result.Stayed == 0:
		a.say("the YAML declares no flows, so nothing moves")
	case result.Moved+result.Dropped == 0:
		a.say("no flow moves; the comments say why")
	default:
		a.say("%s; the comments say why", render.Totals([]int{result.Moved, result.Dropped, result.Stayed},
			[]string{"moved to addresses", "dropped", "not moved"}))
	}
	return nil
}

// sources reads the YAML, and refuses what validate refuses. Of variables it knows
// only which files hold them.
func (c *migrateCmd) sources(a *app) ([]*yamldoc.Source, error) {
	inputs, problems := schema.Inputs(c.Paths, schema.Options{VarFiles: c.VarFile, Files: a.files})
	if len(problems) > 0 {
		return nil, problems.Tidy()
	}
	defer a.files.Hold(inputs...)()
	var paths []string
	for _, in := range inputs {
		paths = append(paths, in.Path)
	}
	if _, err := schema.Load(paths, schema.Options{AllowUnset: true, Stdin: a.stdin, Files: a.files}); err != nil {
		return nil, err
	}
	sources := make([]*yamldoc.Source, len(inputs))
	for i, in := range inputs {
		sources[i], _, _ = a.files.Read(in, nil) // as Load read it
	}
	return sources, nil
}
