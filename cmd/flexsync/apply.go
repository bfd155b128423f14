package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"flexsync/apply"
	"flexsync/internal/render"
	"flexsync/internal/safetext"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

type applyCmd struct {
	Plan        string `placeholder:"FILE" file:"plan" group:"selection" help:"Apply a saved plan. Cannot be used with PATH or a flag that shapes a plan."`
	DryRun      bool   `group:"safety" help:"Stop before asking for confirmation."`
	Yes         bool   `short:"y" group:"safety" help:"Do not ask for confirmation."`
	Backup      string `placeholder:"FILE|DIR/" file:"out" group:"safety" help:"Before the first write, save the account as export writes it: to a new FILE, or to a new file in DIR."`
	Parallelism int    `default:"4" group:"connection" help:"Number of concurrent writes, 1 to 64."`

	planInput
	fleetFlags
	KeepGoing bool `group:"safety" help:"With --fleet: leave out accounts that are refused or cannot be planned, and apply the others."`
	outputFlags
	DetailedExitcode bool `group:"output" help:"With --dry-run, exit with 2 if there are changes."`
}

// maxPlanBytes bounds a saved plan: 100,000 changes take about 150 MB.
const maxPlanBytes = 1 << 30

func (c *applyCmd) check() error {
	switch {
	case c.Parallelism < 1 || c.Parallelism > 64:
		return inputError(errors.New("--parallelism must be between 1 and 64"), "")
	case c.KeepGoing && c.Fleet == "":
		return inputError(errors.New("--keep-going needs --fleet"), "")
	case c.DetailedExitcode && !c.DryRun:
		return inputError(errors.New("--detailed-exitcode needs --dry-run"), "without --dry-run, an apply that succeeds exits with 0")
	case len(c.Base) > 0 && !c.DryRun:
		return inputError(errors.New("--base needs --dry-run"), "it only tells whose difference is whose; apply carries out all of them")
	case c.Backup != "" && !isDir(c.Backup) && isTaken(c.Backup):
		return inputError(fmt.Errorf("--backup %s: the file already exists", safetext.Line(c.Backup)), "name another file, or a directory, such as backups/, for a new file each time")
	}
	if c.Plan == "" {
		return nil
	}
	var wrong []string
	for _, x := range []struct {
		what  string
		given bool
	}{
		{"--base", len(c.Base) > 0}, {"--check-refs", c.CheckRefs}, {"--ignore", len(c.Ignore) > 0}, {"--max-deletes", c.MaxDeletes != ""}, {"--no-delete", c.NoDelete},
		{"--only", len(c.Only) > 0}, {"--var", len(c.Var) > 0}, {"--var-file", len(c.VarFile) > 0}, {"a PATH", len(c.Paths) > 0},
	} {
		if x.given {
			wrong = append(wrong, x.what)
		}
	}
	if len(wrong) > 0 {
		return inputError(fmt.Errorf("--plan cannot be used with %s: a saved plan is applied exactly as it was reviewed", strings.Join(wrong, ", ")),
			"omit it, or make a new plan with it")
	}
	return nil
}

func (applyCmd) Help() string {
	return `
Safe to run again after a failure, or at the same time as another run: the account ends up the same.

Examples:

	flexsync apply                               # shows the plan and asks
	flexsync apply --yes --backup backups/       # a new file each time
	flexsync apply --plan prod.plan --yes        # only what was reviewed
	flexsync apply --dry-run --only 'Support *'`
}

func (c *applyCmd) Run(ctx context.Context, a *app) error {
	if err := errors.Join(c.check(), c.checkBase(), c.fleetFlags.check(), c.outputFlags.check(a)); err != nil {
		return err
	}
	if c.Fleet != "" {
		return c.runFleet(ctx, a)
	}
	s, err := c.session(ctx, a)
	if err != nil {
		return err
	}
	p := s.plan.Masked()
	a.annotatePlan(p)
	switch {
	case len(p.Refusals) > 0:
		return c.refuse(ctx, a, s)
	case c.DryRun:
		return c.planned(ctx, a, s, planExit(p, c.DetailedExitcode), c.summarisePlan(ctx, a, s), "dry-run")
	}
	if c.Format == "text" {
		if err := c.show(a, s, ""); err != nil {
			return err
		}
	}
	if p.HasChanges() {
		show := func(style render.Style) error {
			return render.Plan(a.stderr, p, render.PlanOptions{Style: style, Place: s.place})
		}
		if err := c.confirm(ctx, a, p.AccountSID, show, func(style render.Style) string { return render.Question(p, s.place, style) }); err != nil {
			return err
		}
	}
	c.prepare(s)
	report, err := c.carryOut(ctx, a, s)
	if report != nil {
		if err := c.summarise(ctx, a, func(w io.Writer) error { return render.ReportMarkdown(w, report, c.markdown(a, s)) }); err != nil {
			a.say("%v", err)
		}
	}
	return err
}

// prepare gets what the writes need of the account as it is.
func (c *applyCmd) prepare(s *session) {
	if c.Backup != "" && s.plan.HasChanges() {
		s.backup = s.snapshot.Export(s.plan.Backup()).Encode()
	}
}

// carryOut makes the changes of a plan that is confirmed, and reports them. Without a
// report, nothing was changed.
func (c *applyCmd) carryOut(ctx context.Context, a *app, s *session) (*apply.Report, error) {
	p := s.plan
	if s.backup != nil {
		if err := c.backup(ctx, a, s); err != nil {
			return nil, fmt.Errorf("save the backup: %w; nothing was changed", err)
		}
	}
	progress := newProgress(ctx, a, len(p.Changes), c.Format == "text")
	report, err := apply.Run(ctx, s.client, s.plan, s.snapshot, apply.Options{Parallelism: c.Parallelism, Observe: progress.observe})
	progress.end()
	if err != nil {
		return nil, err
	}
	report = report.Masked(s.plan)
	// The exit code is about the account, whether or not the report can be
	// written to stdout.
	code := applyExit(report.Status)
	if err := c.report(a, s, report, progress); err != nil {
		if exitCode(ctx, err) == exitInterrupted {
			code = exitInterrupted
		}
		a.say("%v; the account: %s", err, render.ReportTotals(report))
		shown := progress.shown
		if c.Format == "text" {
			shown = func(*apply.Result) bool { return false } // what went to stdout is lost
		}
		_ = render.Report(a.stderr, report, a.style(a.stderr), shown) // the last resort
	}
	return report, silent(code)
}

// backup saves the account as it is before the first write, and says where.
func (c *applyCmd) backup(ctx context.Context, a *app, s *session) error {
	path := c.Backup
	var err error
	if isDir(path) {
		path, err = writeNewIn(ctx, path, a.now().UTC().Format("backup-20060102T150405Z"), s.backup)
	} else {
		err = writeNew(ctx, path, s.backup)
	}
	if err != nil {
		return err
	}
	a.say("saved the account as it was to %s", safetext.Line(path))
	with := "restore it with"
	if c.prefix != "" {
		with += " its credentials in TWILIO_ACCOUNT_SID and so on, not in " + c.prefix + "TWILIO_ACCOUNT_SID"
	}
	a.hint(with + ": flexsync apply " + shellWord(path) + c.again())
	return nil
}

// applyExit is the exit code of an apply that ran.
func applyExit(status apply.Status) int {
	switch status {
	case apply.Interrupted:
		return exitInterrupted
	case apply.Partial:
		return exitPartial
	case apply.Mismatched:
		return exitMismatch
	}
	return exitOK
}

// session makes the plan, or reads a saved one and compares it with the account.
func (c *applyCmd) session(ctx context.Context, a *app) (*session, error) {
	how := use{mayMake: !c.DryRun, parallelism: c.Parallelism}
	if c.Plan == "" {
		return c.planInput.session(ctx, a, how)
	}
	p, err := readPlan(ctx, c.Plan)
	if err != nil {
		return nil, err
	}
	return c.saved(ctx, a, p, how)
}

// saved compares a saved plan with the account. With an error, too, the session is that
// of the account, unless it is nil.
func (c *applyCmd) saved(ctx context.Context, a *app, p *plan.Plan, how use) (*session, error) {
	s, err := c.accountFlags.session(a, how)
	if err != nil {
		return nil, err
	}
	s.plan = p
	if len(p.Refusals) > 0 {
		return s, nil
	}
	// The wrong account is no reason to review the plan again.
	wrong := func(why, hint string) {
		p.Refusals = append(p.Refusals, plan.Notice{Code: plan.RefuseWrongAccount, Message: why + ": " + hint})
	}
	if p.AccountSID != "" && p.AccountSID != s.accountSID {
		wrong(fmt.Sprintf("the saved plan is for account %s, but the credentials are for account %s", safetext.Line(p.AccountSID), s.accountSID),
			"use the credentials of the plan's account, or a plan for this one")
		return s, nil
	}
	if s.snapshot, err = state.Read(ctx, s.client, p.Kinds()); err != nil {
		return s, err
	}
	listed := schema.Flows
	if kinds := p.Kinds(); len(kinds) > 0 {
		listed = kinds[0]
	}
	if why := s.foreign("the "+listed.Plural+" belong", s.snapshot.AccountSID); why != "" {
		wrong(why, checkCredentials)
		return s, nil
	}
	what := "the account has changed"
	moved, err := p.Stale(s.snapshot)
	if err == nil && len(moved) == 0 {
		what = "a secret has changed"
		moved, err = p.Unmask(s.snapshot, a.secret)
	}
	var missing *plan.MissingSecretsError
	if errors.As(err, &missing) {
		return s, inputError(err, "set "+schema.SecretPrefix+missing.Names[0]+" as it was when the plan was made")
	}
	if err == nil && len(moved) > 0 {
		err = c.stale(ctx, a, p, what, moved)
	}
	s.mask.Store(p.Mask())
	return s, err
}

// secret reads a variable that a saved plan needs again.
func (a *app) secret(name string) (string, bool) {
	if value, ok := a.lookupEnv(schema.SecretPrefix + name); ok {
		return value, value != ""
	}
	return a.lookupEnv(schema.EnvPrefix + name)
}

func readPlan(ctx context.Context, path string) (*plan.Plan, error) {
	data, err := readFile(ctx, path, maxPlanBytes)
	if err != nil {
		return nil, inputError(fmt.Errorf("read the saved plan: %w", err), "create one with `flexsync plan --out FILE`")
	}
	p, err := plan.Read(data)
	if err != nil {
		var fleet fleetPlans
		if json.Unmarshal(data, &fleet) == nil && fleet.Digest != "" {
			return nil, inputError(errors.New("the saved plan is that of a fleet"), "pass the fleet file, too: --fleet FILE")
		}
	}
	return p, err
}

type refusedDocument struct {
	FormatVersion int           `json:"format_version"`
	Status        string        `json:"status"`
	AccountSID    string        `json:"account_sid"`
	Refusals      []plan.Notice `json:"refusals,omitempty"`
	Stale         []any         `json:"stale,omitempty"`
}

func (a *app) writeRefused(accountSID string, why []plan.Notice) error {
	return a.writeDocument(refusedDocument{FormatVersion: plan.FormatVersion, Status: "refused", AccountSID: accountSID, Refusals: why})
}

// refuse ends an apply that a guard stopped.
func (c *applyCmd) refuse(ctx context.Context, a *app, s *session) error {
	p := s.plan.Masked()
	var err error
	switch {
	case c.Format == "json" && c.DryRun:
		err = c.show(a, s, "dry-run")
	case c.Format == "json":
		err = a.writeRefused(p.AccountSID, p.Refusals)
	default:
		err = c.show(a, s, "")
	}
	err = errors.Join(err, c.summarisePlan(ctx, a, s))
	codes := make([]string, len(p.Refusals))
	for i, r := range p.Refusals {
		codes[i] = r.Code
		if c.Format != "text" { // which shows them with the plan
			a.say("refused (%s): %s", r.Code, safetext.Line(r.Message))
		}
	}
	a.say("refused (%s): nothing was changed", safetext.Line(strings.Join(codes, ", ")))
	return a.outcome(ctx, exitRefused, err)
}

// stale ends an apply after something has changed since its plan was saved.
func (c *applyCmd) stale(ctx context.Context, a *app, p *plan.Plan, what string, moved []plan.Moved) error {
	var err error
	if c.Format == "json" {
		doc := refusedDocument{FormatVersion: plan.FormatVersion, Status: "stale", AccountSID: p.AccountSID}
		for _, m := range moved {
			doc.Stale = append(doc.Stale, m.JSON())
		}
		err = a.writeDocument(doc)
	}
	a.say("the saved plan is stale: %s since the plan was made", what)
	for _, m := range moved {
		a.hint(m.String())
		a.annotate("error", nil, "flexsync: the saved plan is stale", m.String())
	}
	a.hint("nothing was changed; make a new plan and have it reviewed")
	return a.outcome(ctx, exitStale, err)
}

// confirm asks for confirmation unless --yes is given. show writes what is asked about
// to stderr, where stdout does not have it.
func (c *applyCmd) confirm(ctx context.Context, a *app, accountSID string, show func(render.Style) error, question func(render.Style) string) error {
	if c.Yes {
		return nil
	}
	what, hint := "cannot ask for confirmation without a terminal", "pass --yes to apply without confirmation"
	if isTerminal(a.stdin) {
		style := a.style(a.stderr)
		if c.Format != "text" {
			if err := show(style); err != nil {
				return written(err)
			}
		}
		if yes, err := a.ask(ctx, question(style)); err != nil || yes {
			return err
		}
		what, hint = "not confirmed", ""
	}
	var err error
	if c.Format == "json" {
		err = a.writeRefused(accountSID, []plan.Notice{{Code: refuseNotConfirmed, Message: what}})
	}
	a.say("%s; nothing was changed", what)
	a.hint(hint)
	return a.outcome(ctx, exitRefused, err)
}

// ask asks a question until the answer is yes or no.
func (a *app) ask(ctx context.Context, question string) (yes bool, err error) {
	fmt.Fprint(a.stderr, "\n"+question)
	answers := make(chan string)
	go func() {
		r := bufio.NewReader(a.stdin)
		for {
			line, err := r.ReadString('\n')
			select {
			case answers <- line:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			fmt.Fprintln(a.stderr)
			return false, errInterrupted
		case line := <-answers:
			answer, whole := strings.CutSuffix(line, "\n")
			if !whole { // the input has ended without an answer
				fmt.Fprintln(a.stderr)
				answer = "no"
			}
			switch strings.ToLower(strings.TrimSpace(answer)) {
			case "yes", "y":
				return true, nil
			case "no", "n", "":
				return false, nil
			}
			fmt.Fprint(a.stderr, "Answer yes or no: ")
		}
	}
}

// refuseNotConfirmed is the code of an apply that nobody confirmed, beside those
// of package plan.
const refuseNotConfirmed = "not-confirmed"

// report prints what was done.
func (c *applyCmd) report(a *app, s *session, r *apply.Report, seen *progress) error {
	switch c.Format {
	case "json":
		return written(r.WriteJSON(a.stdout))
	case "markdown":
		return written(render.ReportMarkdown(a.stdout, r, c.markdown(a, s)))
	}
	return written(render.Report(a.stdout, r, a.style(a.stdout), seen.shown))
}
