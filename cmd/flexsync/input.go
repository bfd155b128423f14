package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/flexapi"
	"flexsync/internal/glob"
	"flexsync/internal/safetext"
	"flexsync/plan"
	"flexsync/schema"
)

// load reads the YAML.
func (f *inputFlags) load(ctx context.Context, a *app, paths []string, allowUnset bool) (*schema.Config, error) {
	vars := make(map[string]string, len(f.Var))
	for _, v := range f.Var {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, inputError(fmt.Errorf("--var %s has no value", safetext.Quote(v)), "write --var NAME=VALUE")
		}
		vars[name] = value
	}
	opts := schema.Options{Vars: vars, VarFiles: f.VarFile, LookupEnv: a.lookupEnv, AllowUnset: allowUnset, Stdin: a.stdin}
	typed := slices.Contains(paths, "-") && isTerminal(a.stdin)
	if typed {
		defer a.status.hide()()
		a.say("reading YAML from the terminal; press Ctrl-D to end")
	}
	cfg, err := await(ctx.Done(), 0, func() (*schema.Config, error) { return schema.Load(paths, opts) })
	if typed && ctx.Err() != nil {
		fmt.Fprintln(a.stderr) // after the ^C
	}
	return cfg, err
}

// input turns the flags into the input of a plan.
func (f *planFlags) input() (in plan.Input, err error) {
	if in.Only, err = glob.CompileAll(f.Only); err != nil {
		return in, inputError(fmt.Errorf("--only: %w", err), "")
	}
	if in.Ignore, err = glob.CompileAll(f.Ignore); err != nil {
		return in, inputError(fmt.Errorf("--ignore: %w", err), "")
	}
	if f.MaxDeletes != "" {
		if in.MaxDeletes, err = plan.ParseLimit(f.MaxDeletes); err != nil {
			return in, inputError(fmt.Errorf("--max-deletes: %w", err), "")
		}
	}
	in.NoDelete, in.CheckRefs = f.NoDelete, f.CheckRefs
	return in, nil
}

// session reads the YAML and the account, and makes a plan.
func (f *planInput) session(ctx context.Context, a *app, use use) (*session, error) {
	in, err := f.planFlags.input()
	if err != nil {
		return nil, err
	}
	in.FlexsyncVersion, in.CreatedAt = a.version, a.now()
	s, connectErr := f.accountFlags.session(a, use)
	if connectErr == nil {
		return s, s.compute(ctx, in, func() (*schema.Config, error) { return f.load(ctx, a, f.Paths, false) })
	}
	cfg, err := f.load(ctx, a, f.Paths, false)
	switch {
	case err != nil: // wrong input is reported before an account that cannot be reached
		return nil, err
	case cfg.AccountSID != "" && errors.Is(connectErr, flexapi.ErrNotSet):
		return nil, fmt.Errorf("%w; the files are for account %s", connectErr, cfg.AccountSID)
	}
	return nil, connectErr
}
