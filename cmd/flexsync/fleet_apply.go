package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"flexsync/apply"
	"flexsync/internal/jsondoc"
	"flexsync/internal/render"
	"flexsync/internal/safetext"
	"flexsync/plan"
)

// fleetPlans is the document of the saved plans of a fleet. Each plan is as it is
// saved alone.
type fleetPlans struct {
	FormatVersion int                        `json:"format_version"`
	Digest        string                     `json:"fleet_digest"` // of the names and the plans
	Accounts      map[string]json.RawMessage `json:"accounts"`
}

// digestOf is of the names of the accounts and the digests of their plans: none can
// be left out of the file, or be exchanged with another.
func digestOf(plans map[string]json.RawMessage) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(plans)) {
		var doc struct {
			PlanDigest string `json:"plan_digest"`
		}
		_ = json.Unmarshal(plans[name], &doc) // plan.Read finds what is wrong with it
		fmt.Fprintf(h, "%s %s\n", name, doc.PlanDigest)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// saveFleet writes the plans of a fleet for apply --plan: all or none.
func (c *planCmd) saveFleet(ctx context.Context, members []*member) error {
	plans := make(map[string]json.RawMessage, len(members))
	for _, m := range members {
		switch {
		case m.err != nil:
			return fmt.Errorf("save the plan: account %s has none", m.Name)
		case m.unsaved != nil:
			return inputError(fmt.Errorf("account %s: %w", m.Name, m.unsaved), hintOf(m.unsaved))
		}
		plans[m.Name] = bytes.TrimSpace(m.doc)
	}
	var text bytes.Buffer
	d := jsondoc.New(&text)
	d.Member("format_version", plan.FormatVersion)
	d.Member("fleet_digest", digestOf(plans))
	d.Map("accounts", func(add func(string, any)) {
		for _, m := range members {
			add(m.Name, plans[m.Name])
		}
	})
	if err := d.Close(); err != nil {
		return err
	}
	if err := writeFile(ctx, c.Out, text.Bytes()); err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	return nil
}

// readFleet reads the saved plans of the members, and refuses a file of which any is
// damaged.
func (c *applyCmd) readFleet(ctx context.Context, members []*member) (map[string]json.RawMessage, error) {
	data, err := readFile(ctx, c.Plan, maxPlanBytes)
	if err != nil {
		return nil, inputError(fmt.Errorf("read the saved plan: %w", err), "create one with `flexsync plan --fleet FILE --out FILE`")
	}
	var doc fleetPlans
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, &plan.DamagedError{Reason: "it is not a complete JSON document"}
	}
	switch {
	case doc.FormatVersion != plan.FormatVersion:
		return nil, &plan.DamagedError{Reason: fmt.Sprintf("it does not have format_version %d", plan.FormatVersion)}
	case doc.Digest == "":
		if _, err := plan.Read(data); err != nil {
			return nil, err
		}
		return nil, inputError(errors.New("the saved plan is that of one account"), "apply it without --fleet, or make a new plan of the fleet")
	case doc.Digest != digestOf(doc.Accounts):
		return nil, &plan.DamagedError{Reason: "its digest does not match its contents"}
	}
	named := make(map[string]bool)
	for _, m := range members {
		saved, ok := doc.Accounts[m.Name]
		if !ok {
			return nil, inputError(fmt.Errorf("the saved plan has no account %s", m.Name), "choose accounts with --account, or make a new plan of the fleet")
		}
		if _, err := plan.Read(saved); err != nil {
			return nil, fmt.Errorf("account %s: %w", m.Name, err)
		}
		named[m.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(doc.Accounts)) {
		if !named[name] && len(c.Account) == 0 {
			return nil, inputError(fmt.Errorf("the fleet file has no account %s, which the saved plan has", safetext.Quote(name)), "make a new plan of the fleet")
		}
	}
	return doc.Accounts, nil
}

// runFleet applies a fleet: every account is planned and every guard is checked before
// the first write in any.
func (c *applyCmd) runFleet(ctx context.Context, a *app) error {
	if c.Backup != "" && !isDir(c.Backup) {
		return inputError(fmt.Errorf("--backup %s: with --fleet it must be a directory", safetext.Line(c.Backup)), "end it with /; each account gets a directory in it")
	}
	members, err := c.members(a, &c.accountFlags, c.conflicts(c.Paths))
	if err != nil {
		return err
	}
	asJSON := c.Format == "json"
	how := use{mayMake: !c.DryRun, parallelism: c.Parallelism}
	seen := func(m *member) (err error) {
		p := m.result.plan
		m.code = planExit(p, c.DryRun && c.DetailedExitcode)
		switch {
		case c.DryRun && asJSON:
			err = p.WriteJSON(&m.out, "dry-run")
		case c.DryRun || len(p.Refusals) > 0:
		case p.HasChanges():
			c.prepare(m.result)
			m.result.rest(p.Detached(), true)
			return nil
		default: // there is nothing to write
			err = c.carryOutMember(ctx, m)
		}
		m.result.rest(p.Outline(), false)
		return err
	}
	if c.Plan == "" {
		err = c.planFleet(ctx, a, members, c.AtOnce, how, asJSON, seen)
	} else {
		err = c.compareFleet(ctx, a, members, how, seen)
	}
	if err != nil {
		return err
	}
	stopped := false
	for _, m := range members {
		switch {
		case m.err != nil:
			m.code = exitCode(ctx, m.err)
			stopped = stopped || !c.KeepGoing || m.code == exitInterrupted
		case len(m.result.plan.Refusals) > 0:
			stopped = stopped || !c.KeepGoing
		}
	}
	if c.DryRun {
		if !asJSON {
			err = c.showFleet(ctx, a, c.Fleet, members, exitOK, "dry-run")
		}
		err = errors.Join(err, c.summariseFleet(ctx, a, c.Fleet, members, render.FleetMarkdown))
		code := a.end(ctx, members, asJSON)
		if asJSON {
			err = errors.Join(err, c.showFleet(ctx, a, c.Fleet, members, code, "dry-run"))
		}
		return a.outcome(ctx, code, err)
	}
	if c.Format == "text" {
		if err := c.showFleet(ctx, a, c.Fleet, members, exitOK, ""); err != nil {
			return err
		}
	}
	for _, m := range members {
		if m.err == nil && len(m.result.plan.Refusals) > 0 {
			m.err = c.refuseMember(m, asJSON)
		}
	}
	a.end(ctx, members, asJSON) // what is left out is known before the question
	if stopped {
		for _, m := range members {
			m.skipped = m.err == nil
		}
		return c.endFleet(ctx, a, members, true)
	}
	if err := c.confirmFleet(ctx, a, members); err != nil {
		return err
	}
	c.waves(ctx, a, members)
	return c.endFleet(ctx, a, members, false)
}

// compareFleet reads the saved plans and compares each with its account.
func (c *applyCmd) compareFleet(ctx context.Context, a *app, members []*member, how use, seen func(*member) error) error {
	plans, err := c.readFleet(ctx, members)
	if err != nil {
		return err
	}
	a.status.fleet(len(members))
	defer a.status.fleet(0)
	a.each(members, c.AtOnce, func(m *member) error {
		p, err := plan.Read(plans[m.Name])
		if err == nil {
			m.result, err = c.of(m).saved(ctx, m.app, p, how)
		}
		return m.seen(err, seen)
	})
	return a.sameAccount(ctx, members, c.Format == "json")
}

// of is the command for one account alone.
func (c *applyCmd) of(m *member) *applyCmd {
	one := *c
	one.accountFlags, one.StepSummary = m.flags, false
	one.Backup = perAccount(c.Backup, m.Name)
	return &one
}

// carryOutMember makes the changes of one account. Its document is written then, and so
// the report keeps only what Markdown shows.
func (c *applyCmd) carryOutMember(ctx context.Context, m *member) (err error) {
	if m.report, err = c.of(m).carryOut(ctx, m.app, m.result); m.report != nil {
		m.report.SIDs = nil
	}
	if c.Format == "markdown" {
		m.out.Reset() // one comment is for all
	}
	return err
}

// refuseMember says that an account is refused, as an apply of it alone would.
func (c *applyCmd) refuseMember(m *member, asJSON bool) error {
	p := m.result.plan
	for _, r := range p.Refusals {
		m.app.say("refused (%s): %s; nothing was changed", safetext.Line(r.Code), safetext.Line(r.Message))
	}
	if asJSON {
		if err := m.app.writeRefused(p.AccountSID, p.Refusals); err != nil {
			return err
		}
	}
	return silent(exitRefused)
}

// confirmFleet asks once for all accounts that are not left out.
func (c *applyCmd) confirmFleet(ctx context.Context, a *app, members []*member) error {
	var all []render.Member
	for i, m := range shown(ctx, members) {
		if members[i].err == nil {
			all = append(all, m)
		}
	}
	if !slices.ContainsFunc(all, func(m render.Member) bool { return m.Plan.HasChanges() }) {
		return nil
	}
	show := func(style render.Style) error {
		return render.FleetPlan(a.stderr, all, render.PlanOptions{Style: style})
	}
	return c.confirm(ctx, a, "", show, func(style render.Style) string { return render.FleetQuestion(all, style) })
}

// waves applies the accounts, wave after wave. A failure lets the others of its wave
// finish, and the later waves are skipped. Accounts that are left out hold nothing
// back.
func (c *applyCmd) waves(ctx context.Context, a *app, members []*member) {
	accounts, changes := 0, 0
	waves := make(map[int][]*member)
	for _, m := range members {
		if m.err == nil {
			accounts++
			changes += len(m.result.plan.Changes)
			waves[m.Wave] = append(waves[m.Wave], m)
		}
	}
	a.status.fleet(accounts)
	progress := newProgress(ctx, a, changes, false)
	defer progress.end()
	var printing sync.Mutex
	failed := false
	for _, number := range slices.Sorted(maps.Keys(waves)) {
		wave := waves[number]
		if failed || ctx.Err() != nil {
			for _, m := range wave {
				m.skipped = true
			}
			continue
		}
		a.each(wave, c.AtOnce, func(m *member) error {
			switch {
			case m.report != nil: // it has no changes
				return nil
			case ctx.Err() != nil: // it had to wait for others of its wave
				m.skipped = true
				return nil
			}
			err := m.result.connect(m.app)
			if err == nil {
				err = c.carryOutMember(ctx, m)
			}
			m.result.rest(m.result.plan.Outline(), false)
			if c.Format == "text" && m.out.Len() > 0 {
				printing.Lock()
				defer printing.Unlock()
				_, werr := fmt.Fprintf(a.stdout, "\n%s\n\n%s", render.FleetHeading(m.Name, m.result.plan.AccountSID, m.result.place, a.style(a.stdout)), m.out.Bytes())
				if m.out.Reset(); err == nil {
					err = written(werr)
				}
			}
			return err
		})
		failed = slices.ContainsFunc(wave, func(m *member) bool { return m.err != nil })
	}
}

// endFleet ends an apply of a fleet with its report. stopped says that nothing was
// begun.
func (c *applyCmd) endFleet(ctx context.Context, a *app, members []*member, stopped bool) error {
	asJSON := c.Format == "json"
	var skipped []string
	for _, m := range members {
		if !m.skipped {
			continue
		}
		skipped = append(skipped, m.Name)
		if m.out.Reset(); asJSON {
			if err := m.app.writeDocument(skippedDocument{plan.FormatVersion, "skipped", m.result.plan.AccountSID}); err != nil {
				return err
			}
		}
	}
	code := a.end(ctx, members, asJSON)
	if ctx.Err() != nil && len(skipped) > 0 && !stopped {
		code = exitInterrupted
	}
	markdown := render.FleetReportMarkdown
	if stopped {
		a.say("nothing was changed in any account")
		markdown = render.FleetMarkdown
	}
	all := shown(ctx, members)
	counts := render.CountReports(all)
	var err error
	switch {
	case asJSON:
		status := string(apply.Unchanged)
		switch {
		case code == exitInterrupted:
			status = string(apply.Interrupted)
		case code != exitOK:
			status = fleetStatus(members, code, status)
		case counts.Changed > 0:
			status = string(apply.Applied)
		}
		err = a.writeFleet(status, counts, members)
	case c.Format == "markdown":
		err = written(markdown(a.stdout, c.Fleet, all, c.fleetMarkdown(a)))
	case !stopped:
		text := "\n"
		if len(skipped) > 0 {
			text += "Skipped: " + strings.Join(skipped, ", ") + ".\n"
		}
		_, err = fmt.Fprintf(a.stdout, "%sFleet: %s.\n", text, counts)
		err = written(err)
	}
	return a.outcome(ctx, code, errors.Join(err, c.summariseFleet(ctx, a, c.Fleet, members, markdown)))
}

type skippedDocument struct {
	FormatVersion int    `json:"format_version"`
	Status        string `json:"status"`
	AccountSID    string `json:"account_sid"`
}
