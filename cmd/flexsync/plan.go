package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"flexsync/internal/render"
	"flexsync/plan"
)

type planCmd struct {
	Format           string `default:"text" enum:"text,json,markdown" help:"Output format: text, json or markdown."`
	Out              string `placeholder:"FILE" file:"out" help:"Save the plan to FILE, for apply --plan."`
	DetailedExitcode bool   `help:"Exit with 2 if there are changes."`
	MaxBytes         int    `default:"65000" help:"Maximum length of the Markdown. GitHub rejects comments over 65,536 characters."`

	planInput
	summaryFlag
}

func (planCmd) Help() string {
	return `
Exits with 4 if apply would be refused, so that the pull request fails and not the deploy job.

Examples:

	flexsync plan                                # flows.yaml, flows.yml or flows/
	flexsync plan flows/ --var-file prod.yaml --out prod.plan
	flexsync plan --format markdown > comment.md
	flexsync plan --detailed-exitcode            # exits with 2 on changes`
}

func (c *planCmd) Run(ctx context.Context, a *app) error {
	if err := errors.Join(checkMaxBytes(c.MaxBytes), c.summaryFlag.check(a)); err != nil {
		return err
	}
	s, err := c.planInput.session(ctx, a, 1)
	if err != nil {
		return err
	}
	a.annotatePlan(s.plan)
	saved := errors.Join(c.save(ctx, s.plan), c.summaryFlag.plan(ctx, a, s.plan, c.MaxBytes))
	return a.planned(ctx, s.plan, planExit(s.plan, c.DetailedExitcode), saved, c.Format, "", c.MaxBytes)
}

// save writes the plan for apply --plan.
func (c *planCmd) save(ctx context.Context, p *plan.Plan) error {
	if c.Out == "" {
		return nil
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

// planned shows a plan and ends a command that only plans. saved is the error of
// writing the plan elsewhere. If it decides the exit code, only the error is
// shown, because --format json prints one document.
func (a *app) planned(ctx context.Context, p *plan.Plan, code int, saved error, format, status string, maxBytes int) error {
	if !ranks(ctx, code, saved) {
		return saved
	}
	return a.outcome(ctx, code, errors.Join(saved, a.show(p, format, status, maxBytes)))
}

// checkMaxBytes refuses a limit that is too small for the Markdown.
func checkMaxBytes(n int) error {
	if n < render.MinMarkdownBytes {
		return inputError(fmt.Errorf("--max-bytes must be at least %d", render.MinMarkdownBytes), "the verdict and the number of omitted changes need that much")
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

// show prints a plan to stdout.
func (a *app) show(p *plan.Plan, format, status string, maxBytes int) error {
	switch format {
	case "json":
		return written(p.WriteJSON(a.stdout, status))
	case "markdown":
		return written(render.PlanMarkdown(a.stdout, p, maxBytes))
	}
	return written(render.Plan(a.stdout, p, a.style(a.stdout)))
}
