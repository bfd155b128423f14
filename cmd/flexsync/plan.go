package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"flexsync/internal/safetext"
	"flexsync/plan"
	"flexsync/schema"
)

type planCmd struct {
	planInput
	fleetFlags
	outputFlags
	Out              string `placeholder:"FILE" file:"out" group:"output" help:"Save the plan to FILE, for apply --plan."`
	DetailedExitcode bool   `group:"output" help:"Exit with 2 if there are changes."`
	Adopt            bool   `group:"output" help:"With --base: print the YAML that adopts the drift, ready to paste, in place of the plan."`
	Compact          bool   `group:"output" help:"Show each change in one line of text."`
}

func (planCmd) Help() string {
	return `
Exits with 4 if apply would be refused, so that the pull request fails and not the deploy job.

Examples:

	flexsync plan                                # flows.yaml, flows.yml or flows/
	flexsync plan flows/ --var-file prod.yaml --out prod.plan
	flexsync plan --format markdown > comment.md
	flexsync plan flows/ --base main/flows/      # what is drift?
	flexsync plan flows/ --base flows/ --adopt   # the YAML of drift
	flexsync plan --detailed-exitcode            # exits with 2 on changes`
}

func (c *planCmd) Run(ctx context.Context, a *app) error {
	if err := errors.Join(c.checkAdopt(), c.checkBase(), c.outputFlags.check(a), c.fleetFlags.check()); err != nil {
		return err
	}
	c.outputFlags.compact = c.Compact
	if c.Fleet != "" {
		return c.runFleet(ctx, a)
	}
	s, err := c.planInput.session(ctx, a, use{})
	if err != nil {
		return err
	}
	a.annotatePlan(s.plan.Masked())
	if c.Adopt {
		if s.adopted, err = s.adopt(ctx); err != nil {
			return err
		}
		c.outputFlags.adopt = true
		if c.Format == "text" {
			a.sayNotices(s.plan)
		}
		if len(s.adopted) == 0 && s.plan.Origins != nil {
			a.say("there is no drift to adopt")
		}
	}
	unsaved := c.save(ctx, s.plan)
	err = c.planned(ctx, a, s, planExit(s.plan, c.DetailedExitcode), errors.Join(unsaved, c.summarisePlan(ctx, a, s)), "")
	if c.Out != "" && unsaved == nil {
		a.say("saved the plan to %s", safetext.Line(c.Out))
		if len(s.plan.Refusals) == 0 {
			a.hint("apply it with: flexsync apply --plan " + shellWord(c.Out) + c.again())
		}
	}
	return err
}

// save writes the plan for apply --plan.
func (c *planCmd) save(ctx context.Context, p *plan.Plan) error {
	if c.Out == "" {
		return nil
	}
	if err := saveable(p); err != nil {
		return err
	}
	var doc bytes.Buffer
	if err := p.WriteJSON(&doc, ""); err != nil {
		return err
	}
	if err := writeFile(ctx, c.Out, doc.Bytes()); err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	return nil
}

// saveable refuses to save a plan with credentials that are written out in the YAML.
func saveable(p *plan.Plan) error {
	if err := p.Saveable(); err != nil {
		return inputError(err, "put them into a variable in the YAML, and set it as "+schema.SecretPrefix+"name")
	}
	return nil
}

// planExit is the exit code of a command that only plans.
func planExit(p *plan.Plan, detailed bool) int {
	switch {
	case len(p.Refusals) > 0:
		return exitRefused
	case detailed && p.HasChanges():
		return exitChanges
	}
	return exitOK
}
