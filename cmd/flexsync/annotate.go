package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"flexsync/internal/render"
	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
)

// What a GitHub job shows: annotations beside the lines of a change, and the
// summary of the job.

// annotate writes a workflow command to stderr in a GitHub job; pos, which may be
// nil, is the place that it is shown at. No title and no message can write a
// second command.
func (a *app) annotate(level string, pos *yamldoc.Pos, title, message string) {
	if a.env("GITHUB_ACTIONS") != "true" {
		return
	}
	var properties []string
	property := func(name, value string) {
		properties = append(properties, name+"="+escapeProperty(safetext.Line(value)))
	}
	if pos != nil && pos.File != "" && pos.File != "<stdin>" {
		property("file", a.fromRoot(pos.File, "GITHUB_WORKSPACE"))
		if pos.Line > 0 {
			property("line", fmt.Sprint(pos.Line))
		}
		if pos.Column > 0 {
			property("col", fmt.Sprint(pos.Column))
		}
	}
	property("title", title)
	fmt.Fprintf(a.stderr, "::%s %s::%s\n", level, strings.Join(properties, ","), escapeData(message))
}

// escapeData escapes the message of a workflow command, which may have several
// lines (actions/toolkit, packages/core/src/command.ts).
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(lines(s, ""))
}

func escapeProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}

// fromRoot is a path relative to the root of the repository, which an environment
// variable of the CI platform names.
func (a *app) fromRoot(path, variable string) string {
	if root := a.env(variable); root != "" {
		if abs, err := filepath.Abs(path); err == nil {
			if rel, err := filepath.Rel(root, abs); err == nil && filepath.IsLocal(rel) {
				path = rel
			}
		}
	}
	return filepath.ToSlash(filepath.Clean(path))
}

func (a *app) annotateProblem(p yamldoc.Problem) {
	title := "flexsync"
	if p.Path != "" {
		title += ": " + p.Path
	}
	message := p.Message
	if p.Hint != "" {
		message += "\n" + p.Hint
	}
	a.annotate("error", &p.Pos, title, message)
}

// annotatePlan shows a plan's warnings and refusals.
func (a *app) annotatePlan(p *plan.Plan) {
	a.annotateWarnings(p.Warnings)
	for _, n := range p.Refusals {
		a.annotate("error", n.Source, "flexsync: refused ("+n.Code+")", n.Message)
	}
}

func (a *app) annotateWarnings(warnings []plan.Notice) {
	for _, w := range warnings {
		a.annotate("warning", w.Source, "flexsync: "+w.Code, w.Message)
	}
}

// summaryFlag belongs to the commands that write Markdown.
type summaryFlag struct {
	StepSummary bool `help:"In a GitHub job, also append the Markdown to the job summary."`
}

const summaryVariable = "GITHUB_STEP_SUMMARY"

// check refuses the flag outside of a GitHub job, before the command starts.
func (f *summaryFlag) check(a *app) error {
	if f.StepSummary && a.env(summaryVariable) == "" {
		return inputError(fmt.Errorf("--step-summary: %s is not set", summaryVariable), "GitHub sets it in a job; omit the flag elsewhere")
	}
	return nil
}

// write appends the Markdown to the job summary if the flag is set.
func (f *summaryFlag) write(ctx context.Context, a *app, markdown func(io.Writer) error) error {
	if !f.StepSummary {
		return nil
	}
	var text strings.Builder
	if err := markdown(&text); err != nil {
		return err
	}
	if err := writeTo(ctx, a.env(summaryVariable), os.O_APPEND|os.O_CREATE|os.O_WRONLY, []byte(text.String())); err != nil {
		return fmt.Errorf("write the step summary: %w", err)
	}
	return nil
}

// plan writes a plan to the job summary.
func (f *summaryFlag) plan(ctx context.Context, a *app, p *plan.Plan, maxBytes int) error {
	return f.write(ctx, a, func(w io.Writer) error { return render.PlanMarkdown(w, p, maxBytes) })
}
