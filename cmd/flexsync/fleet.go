package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"flexsync/apply"
	"flexsync/internal/fleet"
	"flexsync/internal/glob"
	"flexsync/internal/jsondoc"
	"flexsync/internal/render"
	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
	"flexsync/schema"
)

// fleetFlags belong to the commands that can work on many accounts.
type fleetFlags struct {
	Fleet   string   `placeholder:"FILE" file:"in" group:"selection" help:"Work on all accounts of a fleet file. Cannot be used with PATH or a flag that names one account."`
	Account []string `sep:"none" placeholder:"GLOB" group:"selection" help:"With --fleet: only these accounts (repeatable)."`
	AtOnce  int      `default:"8" group:"connection" help:"With --fleet: number of accounts under way together, 1 to 64."`
}

// member is one account of a fleet in this run. A command runs on it as it would on
// this account alone, with streams that the fleet shows one after the other.
type member struct {
	fleet.Account
	app     *app
	out     bytes.Buffer // its stdout
	said    bytes.Buffer // its stderr, without the log
	flags   accountFlags
	input   inputFlags
	result  *session      // nil: none
	doc     []byte        // its plan, to save
	unsaved error         // why it must not be saved
	report  *apply.Report // what was done; nil: nothing was begun

	unmatched []*plan.UnmatchedError // the globs of --only that match nothing in it
	unused    []string               // the variables of --secret-var that nothing in it uses
	err       error                  // why it stopped; nil if it did not
	code      int                    // its exit code
	ended     bool                   // what it said is printed
	skipped   bool                   // the run did not get to it
}

// given is a flag or an argument, and whether it was given.
type given struct {
	what  string
	given bool
}

// refuseWith is the error of a flag that cannot be used with some others.
func refuseWith(flag, why, hint string, others []given) error {
	var wrong []string
	for _, x := range others {
		if x.given {
			wrong = append(wrong, x.what)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return inputError(fmt.Errorf("%s cannot be used with %s: %s", flag, strings.Join(wrong, ", "), why), hint)
}

// check refuses the flags of a fleet without one.
func (f *fleetFlags) check() error {
	if f.AtOnce < 1 || f.AtOnce > 64 {
		return inputError(errors.New("--at-once must be between 1 and 64"), "")
	}
	if f.Fleet == "" && len(f.Account) > 0 {
		return inputError(errors.New("--account needs --fleet"), "pass the fleet file whose accounts are meant")
	}
	return nil
}

// members reads the fleet file. conflicts are the flags and arguments that say what a
// fleet file says.
func (f *fleetFlags) members(a *app, flags *accountFlags, conflicts []given) ([]*member, error) {
	_, localSet := a.lookupEnv("FLEXSYNC_LOCAL")
	conflicts = append(conflicts, given{"--profile", flags.Profile != ""}, given{"--local", flags.Local != ""}, given{"FLEXSYNC_LOCAL", localSet})
	if err := refuseWith("--fleet", "the fleet file says it for each account", "omit it, or run without --fleet", conflicts); err != nil {
		return nil, err
	}
	globs, err := glob.CompileAll(f.Account)
	if err != nil {
		return nil, inputError(fmt.Errorf("--account: %w", err), "")
	}
	file, err := a.readFleet(f.Fleet)
	if err != nil {
		return nil, err
	}
	if err := file.Select(globs); err != nil {
		return nil, inputError(fmt.Errorf("--account %w", err), "the names of the accounts are below accounts in "+f.Fleet)
	}
	var members []*member
	for _, account := range file.Accounts {
		m := &member{Account: account, flags: *flags}
		m.flags.Profile, m.flags.Local = account.Profile, account.Local
		if account.Credentials != "" {
			m.flags.prefix = account.Credentials + "_"
		}
		if account.Local != "" {
			m.flags.BaseURL = "" // an embedded account is at no URL
		}
		m.input = inputOf(account)
		own := *a
		own.account, own.stdout, own.stderr = account.Name, &m.out, &m.said
		if own.color = "never"; a.style(a.stdout).Color {
			own.color = "always"
		}
		if a.logger != nil {
			own.logger = a.logger.With("account", account.Name)
		}
		m.app = &own
		members = append(members, m)
	}
	return members, nil
}

// readFleet reads a fleet file, once in a run. The caller may change what it gets.
func (a *app) readFleet(path string) (*fleet.Fleet, error) {
	read, ok := a.fleets[path]
	if !ok {
		if a.fleets == nil {
			a.fleets = make(map[string]fleetFile)
		}
		read.fleet, read.err = fleet.Read(path)
		a.fleets[path] = read
	}
	if read.err != nil {
		return nil, read.err
	}
	return &fleet.Fleet{Accounts: slices.Clone(read.fleet.Accounts)}, nil
}

// fleetFile is a fleet file that the run has read, or why it cannot be used.
type fleetFile struct {
	fleet *fleet.Fleet
	err   error
}

// inputOf says what the YAML of an account is read with.
func inputOf(account fleet.Account) (f inputFlags) {
	f.VarFile, f.fleet = account.VarFiles, true
	for name, value := range account.Vars {
		f.Var = append(f.Var, name+"="+value)
	}
	return f
}

// hold keeps the YAML that several accounts share until the last of them has read it.
func hold(a *app, members []*member) {
	for _, m := range members {
		m.input.hold(a, m.Paths)
	}
}

// each runs do for all members side by side, at most atOnce at a time. An error of one
// stops none of the others.
func (a *app) each(members []*member, atOnce int, do func(*member) error) {
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, m := range members {
		g.Go(func() error {
			end := a.status.account()
			m.err = do(m)
			end(m.err != nil)
			return nil
		})
	}
	_ = g.Wait()
}

// end prints what each member said and why it stopped, in the order of the fleet,
// and returns the exit code that counts. With asJSON, an error is the document of
// its account.
func (a *app) end(ctx context.Context, members []*member, asJSON bool) int {
	code := exitOK
	for _, m := range members {
		if m.err != nil && !m.ended {
			m.ended = true
			var silent *exitWith
			if asJSON && !(errors.As(m.err, &silent) && silent.err == nil) {
				m.out.Reset()
			}
			if m.code = m.app.fail(ctx, m.err, asJSON); m.code == exitInterrupted && code == exitInterrupted {
				m.said.Reset() // once is enough
			}
		}
		if slices.Index(ranking, m.code) < slices.Index(ranking, code) {
			code = m.code
		}
		_, _ = a.stderr.Write(m.said.Bytes())
		m.said.Reset()
	}
	return code
}

// writeFleet writes the document of a fleet: those of its accounts, which their
// buffers hold.
func (a *app) writeFleet(status string, summary any, members []*member, extra ...jsondoc.Member) error {
	d := jsondoc.New(a.stdout)
	d.Member("format_version", plan.FormatVersion)
	d.Member("status", status)
	d.Member("summary", summary)
	for _, m := range extra {
		d.Member(m.Name, m.Value)
	}
	d.Map("accounts", func(add func(string, any)) {
		for _, m := range members {
			add(m.Name, json.RawMessage(bytes.TrimSpace(m.out.Bytes())))
			m.out = bytes.Buffer{}
		}
	})
	return written(d.Close())
}

// fleetStatus is the status of the account whose exit code counts; otherwise if none
// has one.
func fleetStatus(members []*member, code int, otherwise string) string {
	for _, m := range members {
		var doc struct {
			Status string `json:"status"`
		}
		if m.code == code && json.Unmarshal(m.out.Bytes(), &doc) == nil && doc.Status != "" {
			return doc.Status
		}
	}
	return otherwise
}

// refuseSameAccount is the code of a fleet of which two entries are one account,
// beside those of package plan.
const refuseSameAccount = "same-account"

// sameAccount refuses a fleet of which two entries turn out to be one account.
// Embedded accounts are told apart by their files: their SIDs mean nothing. What is
// wrong with single accounts is said, too.
func (a *app) sameAccount(ctx context.Context, members []*member, asJSON bool) error {
	var refusals []plan.Notice
	first := make(map[string]*member)
	for _, m := range members {
		if m.result == nil {
			continue
		}
		key := m.result.accountSID
		if m.Local != "" {
			key = nameFile("", m.Local).real
		}
		if other := first[key]; other != nil {
			refusals = append(refusals, plan.Notice{Code: refuseSameAccount, Source: &yamldoc.Pos{File: m.Pos.File, Line: m.Pos.Line},
				Message: fmt.Sprintf("%s and %s are the same account: %s", other.Name, m.Name, m.result.accountSID)})
			continue
		}
		first[key] = m
	}
	if len(refusals) == 0 || ctx.Err() != nil { // an interrupted run writes nothing
		return nil
	}
	a.end(ctx, members, false)
	for _, r := range refusals {
		a.say("%s: refused (%s): %s; nothing was changed", safetext.Line(r.Source.String()), r.Code, safetext.Line(r.Message))
	}
	a.hint("correct where the credentials of one come from, or remove it")
	if asJSON {
		if err := a.writeRefused("", refusals); err != nil {
			return err
		}
	}
	return silent(exitRefused)
}

// hide has the members hide the variables of --secret-var. What one of them does not
// use, another may.
func (f *inputFlags) hide(members []*member) {
	for _, m := range members {
		m.input.SecretVar = f.SecretVar
		m.input.unusedSecret = func(name string) { m.unused = append(m.unused, name) }
	}
}

// nowhere returns the error of a glob of --only that matches nothing in any account,
// or of a variable of --secret-var that none uses; an account that could not be
// planned may have what is meant.
func nowhere(members []*member) error {
	counts := make(map[string]int)
	for _, m := range members {
		for _, e := range m.unmatched {
			if g := e.Glob.String(); counts[g]+1 == len(members) {
				return e
			} else {
				counts[g]++
			}
		}
		for _, name := range m.unused {
			key := "--secret-var " + name
			if counts[key]++; counts[key] == len(members) {
				return inputError(fmt.Errorf("--secret-var: no value in the YAML of the fleet uses ${%s}", name), "correct the name, or omit the flag")
			}
		}
	}
	return nil
}

// planFleet reads and plans every account. seen gets each while all is known of it,
// and lets go of what is not needed.
func (f *planInput) planFleet(ctx context.Context, a *app, members []*member, atOnce int, use use, asJSON bool, seen func(*member) error) error {
	base, err := f.baseFleet(ctx, a, members)
	if err != nil {
		return err
	}
	f.hide(members)
	hold(a, members)
	a.status.fleet(len(members))
	defer a.status.fleet(0)
	a.each(members, atOnce, func(m *member) (err error) {
		in := *f
		in.Paths, in.inputFlags, in.accountFlags = m.Paths, m.input, m.flags
		in.loadBase = func() (*schema.Config, error) { return base(m) }
		in.unmatched = func(e *plan.UnmatchedError) { m.unmatched = append(m.unmatched, e) }
		if m.result, err = in.session(ctx, m.app, use); err == nil {
			m.app.annotatePlan(m.result.plan.Masked())
		}
		return m.seen(err, seen)
	})
	if err := a.sameAccount(ctx, members, asJSON); err != nil {
		return err
	}
	return nowhere(members)
}

// seen ends the planning of a member. err is why it has no plan.
func (m *member) seen(err error, seen func(*member) error) error {
	if err == nil {
		return seen(m)
	}
	if m.result != nil {
		m.result.rest(nil, false)
	}
	return err
}

// shown are the members as they are rendered.
func shown(ctx context.Context, members []*member) []render.Member {
	all := make([]render.Member, len(members))
	for i, m := range members {
		all[i] = render.Member{Name: m.Name, Report: m.report}
		if m.result != nil && m.result.plan != nil {
			all[i].Plan, all[i].Place, all[i].Adopt = m.result.plan.Masked(), m.result.place, m.result.adopted
		}
		switch code := exitCode(ctx, m.err); {
		case m.skipped:
			all[i].State = render.Skipped
		case code == exitStale:
			all[i].State = "stale"
		case code == exitRefused:
			all[i].State = "refused"
		case m.err != nil:
			all[i].State = "failed"
		}
	}
	return all
}

// showFleet prints the plans of a fleet to stdout. status is that of the documents
// of a dry run, or "".
func (f *outputFlags) showFleet(ctx context.Context, a *app, file string, members []*member, code int, status string) error {
	all := shown(ctx, members)
	switch f.Format {
	case "json":
		otherwise := status
		if otherwise == "" {
			otherwise = "planned"
		}
		summary := render.SummariseFleet(all)
		var extra []jsondoc.Member
		if summary.Origins != nil {
			extra = append(extra, jsondoc.Member{Name: "origins", Value: summary.Origins})
		}
		return a.writeFleet(fleetStatus(members, code, otherwise), summary, members, extra...)
	case "markdown":
		return written(render.FleetMarkdown(a.stdout, file, all, f.fleetMarkdown(a)))
	}
	if f.adopt {
		return written(writeAdopted(a.stdout, members))
	}
	return written(render.FleetPlan(a.stdout, all, render.PlanOptions{Style: a.style(a.stdout), Compact: f.compact}))
}

// summariseFleet appends Markdown about a fleet to the job summary.
func (f *outputFlags) summariseFleet(ctx context.Context, a *app, file string, members []*member, markdown fleetMarkdown) error {
	return f.summarise(ctx, a, func(w io.Writer) error {
		return markdown(w, file, shown(ctx, members), f.fleetMarkdown(a))
	})
}

// fleetMarkdown is render.FleetMarkdown, of plans, or render.FleetReportMarkdown.
type fleetMarkdown func(w io.Writer, file string, members []render.Member, o render.MarkdownOptions) error

func (f *outputFlags) fleetMarkdown(a *app) render.MarkdownOptions {
	return render.MarkdownOptions{MaxBytes: f.MaxBytes, Version: a.version, Job: a.job()}
}

// conflicts are the arguments and flags for which a fleet file has keys.
func (f *inputFlags) conflicts(paths []string) []given {
	return []given{{"a PATH", len(paths) > 0}, {"--var", len(f.Var) > 0}, {"--var-file", len(f.VarFile) > 0}}
}

// runFleet plans a fleet.
func (c *planCmd) runFleet(ctx context.Context, a *app) error {
	members, err := c.members(a, &c.accountFlags, c.conflicts(c.Paths))
	if err != nil {
		return err
	}
	asJSON := c.Format == "json"
	seen := func(m *member) error {
		p := m.result.plan
		m.code = planExit(p, c.DetailedExitcode)
		if asJSON || c.Out != "" {
			var doc bytes.Buffer
			if err := p.WriteJSON(&doc, ""); err != nil {
				return err
			}
			m.unsaved, m.doc = saveable(p), doc.Bytes()
		}
		if asJSON {
			m.out = *bytes.NewBuffer(m.doc)
		}
		var err error
		if c.Adopt {
			if m.result.adopted, err = m.result.adopt(ctx); c.Format == "text" {
				m.app.sayNotices(m.result.plan)
			}
		}
		m.result.rest(p.Outline(), false)
		return err
	}
	if err := c.planFleet(ctx, a, members, c.AtOnce, use{}, asJSON, seen); err != nil {
		return err
	}
	if c.adopt = c.Adopt; c.adopt && !slices.ContainsFunc(members, func(m *member) bool {
		return m.result != nil && (len(m.result.adopted) > 0 || m.result.plan.Origins == nil)
	}) {
		a.say("there is no drift to adopt")
	}
	// Errors are said after the result, as those of one account are.
	var unsaved error
	if c.Out != "" {
		if unsaved = c.saveFleet(ctx, members); unsaved == nil {
			defer func() {
				a.say("saved the plan to %s", safetext.Line(c.Out))
				a.hint("apply it with: flexsync apply --fleet " + shellWord(c.Fleet) + " --plan " + shellWord(c.Out))
			}()
		}
	}
	unsaved = errors.Join(unsaved, c.summariseFleet(ctx, a, c.Fleet, members, render.FleetMarkdown))
	shownErr := func(code int) error {
		return errors.Join(unsaved, c.showFleet(ctx, a, c.Fleet, members, code, ""))
	}
	if asJSON {
		code := a.end(ctx, members, true)
		return a.outcome(ctx, code, shownErr(code))
	}
	err = shownErr(exitOK)
	return a.outcome(ctx, a.end(ctx, members, false), err)
}

// alone runs a command on each account of a fleet, and shows what it wrote, one
// account after the other.
func (f *fleetFlags) alone(ctx context.Context, a *app, members []*member, asJSON bool, status string, do func(*member) error) error {
	a.status.fleet(len(members))
	a.each(members, f.AtOnce, do)
	a.status.fleet(0)
	if err := nowhere(members); err != nil {
		return err
	}
	code := a.end(ctx, members, asJSON)
	if asJSON {
		summary := struct {
			Accounts int `json:"accounts"`
			Failed   int `json:"failed"`
		}{Accounts: len(members)}
		for _, m := range members {
			if m.code != exitOK {
				summary.Failed++
			}
		}
		return a.outcome(ctx, code, a.writeFleet(fleetStatus(members, code, status), summary, members))
	}
	var text bytes.Buffer
	for i, m := range members {
		if i > 0 {
			text.WriteByte('\n')
		}
		state := ""
		if m.code != exitOK {
			state = " failed"
		}
		fmt.Fprintf(&text, "%s:%s\n", m.Name, state)
		text.Write(m.out.Bytes())
	}
	_, err := a.stdout.Write(text.Bytes())
	return a.outcome(ctx, code, written(err))
}

// runFleet checks the YAML of a fleet.
func (c *validateCmd) runFleet(ctx context.Context, a *app) error {
	members, err := c.members(a, &accountFlags{}, append(c.conflicts(c.Paths), given{"--code-quality", c.CodeQuality != ""}))
	if err != nil {
		return err
	}
	c.hide(members)
	hold(a, members)
	return c.alone(ctx, a, members, c.Format == "json", "valid", func(m *member) error {
		one := validateCmd{Paths: m.Paths, inputFlags: m.input, Format: c.Format, AllowUnset: c.AllowUnset}
		return one.run(ctx, m.app)
	})
}

// runFleet lists the accounts of a fleet.
func (c *listCmd) runFleet(ctx context.Context, a *app) error {
	members, err := c.members(a, &c.accountFlags, nil)
	switch {
	case err != nil:
		return err
	case c.Format == "env" && len(members) > 1:
		return inputError(fmt.Errorf("--format env is for one account, and %d are meant", len(members)), "name it with --account")
	case c.Format == "env":
		err := (&listCmd{accountFlags: members[0].flags, kindFlags: c.kindFlags, Format: c.Format}).run(ctx, members[0].app)
		members[0].err = err
		code := a.end(ctx, members, false)
		_, err = a.stdout.Write(members[0].out.Bytes())
		return a.outcome(ctx, code, written(err))
	}
	return c.alone(ctx, a, members, c.Format == "json", "listed", func(m *member) error {
		return (&listCmd{accountFlags: m.flags, kindFlags: c.kindFlags, Format: c.Format}).run(ctx, m.app)
	})
}

// perAccount is a directory for the files of one account below that of a fleet.
func perAccount(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name) + string(filepath.Separator)
}
