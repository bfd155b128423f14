package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"flexsync/internal/glob"
	"flexsync/internal/safetext"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// load reads the YAML.
func (f *inputFlags) load(a *app, paths []string, allowUnset bool) (*schema.Config, error) {
	vars := make(map[string]string, len(f.Var))
	for _, v := range f.Var {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, inputError(fmt.Errorf("--var %s: it has no value", safetext.Quote(v)), "write --var NAME=VALUE")
		}
		vars[name] = value
	}
	opts := schema.Options{Vars: vars, VarFiles: f.VarFile, LookupEnv: a.lookupEnv, AllowUnset: allowUnset, Stdin: a.stdin}
	typed := slices.Contains(paths, "-") && isTerminal(a.stdin)
	if typed {
		a.say("the YAML is read from the terminal: Ctrl-D ends it")
	}
	cfg, err := await(a.ctx, 0, func() (*schema.Config, error) { return schema.Load(paths, opts) })
	if typed && a.ctx.Err() != nil {
		fmt.Fprintln(a.stderr) // behind the ^C
	}
	return cfg, err
}

// input reads the flags into a plan's input.
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

// compute reads the YAML and the account at the same time, and plans. What the
// YAML gives by name is looked up as soon as it is read.
func (a *app) compute(paths []string, input *inputFlags, shape *planFlags, flags *accountFlags, parallelism int) (*plan.Plan, *state.Snapshot, *account, error) {
	in, err := shape.input()
	if err != nil {
		return nil, nil, nil, err
	}
	acct, connectErr := flags.connect(a, parallelism)
	// What is under way ends with this function, whatever it ends with.
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	listings, listing := errgroup.WithContext(ctx)
	var snap *state.Snapshot
	dir := &state.Directory{}
	if connectErr == nil {
		listings.Go(func() (err error) {
			snap, err = state.Read(listing, acct)
			return err
		})
	}
	// Input that is wrong is said before an account that cannot be reached.
	if in.Config, err = input.load(a, paths, false); err != nil {
		return nil, nil, nil, err
	}
	if connectErr != nil {
		if sid := in.Config.AccountSID; sid != "" {
			connectErr = fmt.Errorf("%w; the files are for account %s", connectErr, sid)
		}
		return nil, nil, nil, connectErr
	}
	if wanted := plan.References(in); !wanted.Empty() {
		listings.Go(func() error {
			return dir.Extend(listing, acct, wanted)
		})
	}
	if err := listings.Wait(); err != nil {
		return nil, nil, nil, err
	}
	in.Snapshot, in.Directory = snap, dir
	if wanted := plan.LateReferences(in); !wanted.Empty() {
		if err := dir.Extend(ctx, acct, wanted); err != nil {
			return nil, nil, nil, err
		}
	}
	in.ExpectAccount, in.BaseURL = acct.sid, acct.baseURL
	in.FlexsyncVersion, in.CreatedAt = a.version, a.now()
	p, err := plan.Compute(ctx, in)
	if a.ctx.Err() != nil {
		return nil, nil, nil, errInterrupted
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return p, snap, acct, nil
}

// written passes on an error of writing to stdout.
func written(err error) error {
	if err != nil {
		return fmt.Errorf("the result could not be written: %w", err)
	}
	return nil
}

var errNoTerminal = errors.New("there is no terminal to ask on, and no --yes")
