package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"flexsync/internal/fleet"
	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// baseFlags belong to the commands that tell whose difference is whose. The base is
// the YAML as it was before the change under review.
type baseFlags struct {
	Base        []string `sep:"none" placeholder:"PATH" file:"yaml" group:"selection" help:"The YAML before the change under review, to tell it from drift: a file or directory of the target branch (repeatable). With --fleet: the fleet file before it."`
	BaseVarFile []string `sep:"none" placeholder:"FILE" file:"vars" group:"selection" help:"With --base: its variable files, in place of those of --var-file (repeatable)."`
}

func (f *planInput) checkBase() error {
	switch {
	case len(f.BaseVarFile) > 0 && len(f.Base) == 0:
		return inputError(errors.New("--base-var-file needs --base"), "")
	case slices.Contains(f.Base, "-") && slices.Contains(f.Paths, "-"):
		return inputError(errors.New("PATH and --base cannot both be standard input"), "write one of them to a file")
	}
	return nil
}

// baseFleet reads the fleet file of --base. It returns what loads the base of an
// account: the YAML of the account of the same name. Only a wrong command line is an
// error: a file that is of no use is one to each account.
func (f *planInput) baseFleet(ctx context.Context, a *app, members []*member) (func(*member) (*schema.Config, error), error) {
	switch {
	case len(f.Base) == 0:
		return nil, nil
	case len(f.BaseVarFile) > 0:
		return nil, inputError(errors.New("--base-var-file cannot be used with --fleet: the fleet file of --base says it for each account"), "omit it")
	case len(f.Base) > 1:
		return nil, inputError(errors.New("--fleet takes only one --base"), "pass the fleet file before the change under review")
	}
	path := f.Base[0]
	accounts := make(map[string]fleet.Account)
	file, err := a.readFleet(path)
	if err == nil {
		for _, account := range file.Accounts {
			accounts[account.Name] = account
		}
	}
	inputs := make(map[string]*inputFlags)
	for _, m := range members {
		if account, ok := accounts[m.Name]; ok {
			input := inputOf(account)
			input.SecretVar = f.SecretVar
			input.hold(m.app, account.Paths)
			inputs[m.Name] = &input
		}
	}
	return func(m *member) (*schema.Config, error) {
		input := inputs[m.Name]
		switch {
		case err != nil:
			return nil, err
		case input == nil:
			return nil, fmt.Errorf("%s has no account %s", path, m.Name)
		}
		return input.loadBase(ctx, m.app, accounts[m.Name].Paths)
	}, nil
}

// loadBase reads the YAML of a base. The change under review may be what uses a
// secret.
func (f inputFlags) loadBase(ctx context.Context, a *app, paths []string) (*schema.Config, error) {
	f.unusedSecret = func(string) {}
	return f.load(ctx, a, paths, false, nil)
}

// warnBase is the code of the warning about a base that is of no use.
const warnBase = "base-unusable"

// attribute tells of each difference in the plan whose it is. load reads the base; in
// is what the plan was made from. A base that is of no use costs a warning and the
// origins, not the plan: only an interrupted run is an error.
func (s *session) attribute(ctx context.Context, in plan.Input, load func() (*schema.Config, error)) error {
	base, err := s.planBase(ctx, in, load)
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		s.plan.Warnings = append(s.plan.Warnings, plan.Notice{Code: warnBase, Message: "cannot tell drift from the change under review, because --base cannot be used: " + firstOf(err)})
	default:
		s.plan.SetOrigins(base)
	}
	return nil
}

// planBase plans the base against what the session knows of the account. Beyond that
// it looks up only what the base alone refers to by name.
func (s *session) planBase(ctx context.Context, in plan.Input, load func() (*schema.Config, error)) (*plan.Plan, error) {
	var err error
	if in.Config, err = load(); err != nil {
		return nil, err
	}
	if len(in.Config.Resources) == 0 {
		return nil, errors.New("it declares nothing")
	}
	in.CheckRefs = false
	in.Snapshot, in.Directory = s.snapshot, s.directory
	in.ExpectAccount = s.accountSID
	for _, references := range []func(plan.Input) state.Wanted{plan.References, plan.LateReferences} {
		if wanted := references(in); !wanted.Empty() {
			if err := s.directory.Extend(ctx, s.client, wanted); err != nil {
				return nil, err
			}
		}
	}
	return plan.ComputeBase(ctx, in)
}

// firstOf is an error in one line: the first of many problems, and how many more
// there are.
func firstOf(err error) string {
	var problems yamldoc.Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		return safetext.Line(err.Error())
	}
	said := problems[0].String()
	if more := len(problems) - 1; more > 0 {
		said += fmt.Sprintf(" (and %d more)", more)
	}
	return safetext.Line(said)
}
