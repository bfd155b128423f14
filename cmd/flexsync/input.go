package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"flexsync/internal/flexapi"
	"flexsync/internal/glob"
	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
	"flexsync/schema"
)

// load reads the YAML. flowsOnly may be nil; see [schema.Options].
func (f *inputFlags) load(ctx context.Context, a *app, paths []string, allowUnset bool, flowsOnly func()) (*schema.Config, error) {
	vars := make(map[string]string, len(f.Var))
	for _, v := range f.Var {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, inputError(fmt.Errorf("--var %s has no value", safetext.Quote(v)), "write --var NAME=VALUE")
		}
		if c := yamldoc.CheckVariable(name); c.Message != "" {
			return nil, inputError(errors.New("--var: "+c.Message), c.Hint)
		}
		vars[name] = value
	}
	opts := schema.Options{Vars: vars, VarFiles: f.VarFile, Fleet: f.fleet, LookupEnv: a.lookupEnv, Secrets: f.SecretVar, UnusedSecret: f.unusedSecret, FlowsOnly: flowsOnly, AllowUnset: allowUnset, Stdin: a.stdin, Files: a.files}
	typed := slices.Contains(paths, "-") && isTerminal(a.stdin)
	if typed {
		defer a.status.hide()()
		a.say("reading YAML from the terminal; press Ctrl-D to end")
	}
	cfg, err := await(ctx.Done(), 0, func() (*schema.Config, error) { return schema.Load(paths, opts) })
	if typed && ctx.Err() != nil {
		fmt.Fprintln(a.stderr) // after the ^C
	}
	var problems yamldoc.Problems
	if errors.As(err, &problems) {
		err = a.notYAML(problems)
	}
	if f.release != nil {
		f.release()
	}
	return cfg, err
}

// hold keeps the files that load reads until it has read them: other accounts of a
// fleet have some of them too.
func (f *inputFlags) hold(a *app, paths []string) {
	f.release = schema.Hold(paths, schema.Options{VarFiles: f.VarFile, Files: a.files})
}

// notYAML puts one problem in the place of those of a file that is no YAML but
// another of ours. JSON is YAML, so each of its members would be an unknown key.
func (a *app) notYAML(problems yamldoc.Problems) yamldoc.Problems {
	other := make(map[string]*yamldoc.Problem) // by file; nil: it is meant to be YAML
	var found yamldoc.Problems
	for _, p := range problems {
		q, known := other[p.File]
		if !known {
			if src := a.files.Known(p.File); src != nil {
				q = recognise(p.File, src.Text())
			}
			other[p.File] = q
		}
		switch {
		case q == nil:
			found = append(found, p)
		case !known:
			found = append(found, *q)
		}
	}
	return found
}

// accountsRE is the key of a fleet file that no other YAML has.
var accountsRE = regexp.MustCompile(`(?m)^accounts:`)

// recognise returns the problem of a saved plan, an account file or a fleet file that
// is given in place of YAML, or nil.
func recognise(path string, data []byte) *yamldoc.Problem {
	var doc struct {
		Version     any             `json:"version"`
		PlanDigest  string          `json:"plan_digest"`
		FleetDigest string          `json:"fleet_digest"`
		Flows       json.RawMessage `json:"flows"`
	}
	p := yamldoc.Problem{Pos: yamldoc.Pos{File: path, Line: 1, Column: 1}}
	switch err := json.Unmarshal(data, &doc); {
	case err != nil && accountsRE.Match(data):
		p.Message, p.Hint = "this is a fleet file: it holds no flows", "pass it with --fleet "+shellWord(path)
	case err != nil:
		return nil
	case doc.FleetDigest != "":
		p.Message, p.Hint = "this is a saved plan, not YAML", "pass it with --plan, and the fleet file too: flexsync apply --fleet FILE --plan "+shellWord(path)
	case doc.PlanDigest != "":
		p.Message, p.Hint = "this is a saved plan, not YAML", "pass it with --plan: flexsync apply --plan "+shellWord(path)
	case doc.Version == nil && doc.Flows != nil:
		p.Message, p.Hint = "this is a --local file, not YAML: it holds an account", "pass it with --local "+shellWord(path)
	default:
		return nil
	}
	return &p
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
	in.FlexsyncVersion, in.CreatedAt, in.Unmatched = a.version, a.now(), f.unmatched
	s, connectErr := f.accountFlags.session(a, use)
	if connectErr == nil {
		if err := s.compute(ctx, in, func(flowsOnly func()) (*schema.Config, error) { return f.load(ctx, a, f.Paths, false, flowsOnly) }); err != nil || len(f.Base) == 0 {
			return s, err
		}
		load := f.loadBase
		if load == nil {
			load = func() (*schema.Config, error) {
				input := f.inputFlags
				if len(f.BaseVarFile) > 0 {
					input.VarFile = f.BaseVarFile
				}
				return input.loadBase(ctx, a, f.Base)
			}
		}
		return s, s.attribute(ctx, in, load)
	}
	cfg, err := f.load(ctx, a, f.Paths, false, nil)
	switch {
	case err != nil: // wrong input is reported before an account that cannot be reached
		return nil, err
	case cfg.AccountSID != "" && errors.Is(connectErr, flexapi.ErrNotSet):
		return nil, fmt.Errorf("%w; the files are for account %s", connectErr, cfg.AccountSID)
	}
	return nil, connectErr
}
