package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"flexsync/internal/render"
)

// outputFlags belong to the commands that show a plan.
type outputFlags struct {
	Format      string `default:"text" enum:"text,json,markdown" group:"output" help:"Output format: text, json or markdown."`
	MaxBytes    int    `default:"65000" group:"output" help:"Maximum length of the Markdown. GitHub rejects comments over 65,536 characters."`
	StepSummary bool   `group:"output" help:"In a GitHub job, also append the Markdown to the job summary."`

	compact bool // the text has one line a flow
	adopt   bool // the text is the YAML that adopts drift
}

const summaryVariable = "GITHUB_STEP_SUMMARY"

// check refuses, before the command starts, a limit that is too small for the
// Markdown, and --step-summary outside of a GitHub job.
func (f *outputFlags) check(a *app) error {
	switch {
	case f.MaxBytes < render.MinMarkdownBytes:
		return inputError(fmt.Errorf("--max-bytes must be at least %d", render.MinMarkdownBytes), "the verdict and the number of omitted changes need that much")
	case f.StepSummary && a.env(summaryVariable) == "":
		return inputError(fmt.Errorf("--step-summary: %s is not set", summaryVariable), "GitHub sets it in a job; omit the flag elsewhere")
	}
	return nil
}

// show prints the plan of a session to stdout.
func (f *outputFlags) show(a *app, s *session, status string) error {
	switch f.Format {
	case "json":
		return written(s.plan.WriteJSON(a.stdout, status))
	case "markdown":
		return written(render.PlanMarkdown(a.stdout, s.plan.Masked(), f.markdown(a, s)))
	}
	if f.adopt {
		_, err := a.stdout.Write(s.adopted)
		return written(err)
	}
	return written(render.Plan(a.stdout, s.plan.Masked(), render.PlanOptions{Style: a.style(a.stdout), Place: s.place, Compact: f.compact}))
}

// markdown says how Markdown about a session is written.
func (f *outputFlags) markdown(a *app, s *session) render.MarkdownOptions {
	return render.MarkdownOptions{MaxBytes: f.MaxBytes, Place: s.place, Version: a.version, Job: a.job(), Adopt: s.adopted}
}

// job is the job that this process runs in, as GitHub or GitLab describe it.
func (a *app) job() render.Job {
	job := render.Job{Commit: cmp.Or(a.env("GITHUB_SHA"), a.env("CI_COMMIT_SHA")), URL: a.env("CI_JOB_URL")}
	if run := a.env("GITHUB_RUN_ID"); run != "" {
		job.URL = a.env("GITHUB_SERVER_URL") + "/" + a.env("GITHUB_REPOSITORY") + "/actions/runs/" + run
	}
	return job
}

// planned shows a plan and ends a command that only plans. saved is the error of
// writing the plan elsewhere. If it decides the exit code, only the error is
// shown, because --format json prints one document.
func (f *outputFlags) planned(ctx context.Context, a *app, s *session, code int, saved error, status string) error {
	if !ranks(ctx, code, saved) {
		return saved
	}
	return a.outcome(ctx, code, errors.Join(saved, f.show(a, s, status)))
}

// summarise appends Markdown to the job summary if the flag is set.
func (f *outputFlags) summarise(ctx context.Context, a *app, markdown func(io.Writer) error) error {
	if !f.StepSummary {
		return nil
	}
	var text strings.Builder
	if err := markdown(&text); err != nil {
		return err
	}
	if err := writeTo(ctx, a.env(summaryVariable), os.O_APPEND|os.O_CREATE|os.O_WRONLY, []byte(text.String())); err != nil {
		return fmt.Errorf("write the job summary: %w", err)
	}
	return nil
}

// summarisePlan appends the plan of a session to the job summary.
func (f *outputFlags) summarisePlan(ctx context.Context, a *app, s *session) error {
	return f.summarise(ctx, a, func(w io.Writer) error { return render.PlanMarkdown(w, s.plan.Masked(), f.markdown(a, s)) })
}
