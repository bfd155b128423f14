package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"flexsync/internal/render"
	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
	"flexsync/schema"
)

// What GitHub and GitLab show beside the lines of a change: annotations on
// stderr in a GitHub job, and a code-quality report for GitLab.

// annotate writes a workflow command, in a GitHub job: at a place in a file if
// there is one. Whatever the texts hold, it is this one command.
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

// escapeData escapes a command's message, which may have several lines
// (actions/toolkit, packages/core/src/command.ts).
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(lines(s, ""))
}

func escapeProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}

// fromRoot is a path as the job's platform knows it: from the root of the
// repository, which an environment variable names.
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

// check refuses the flag outside of a GitHub job, before anything is done.
func (f *summaryFlag) check(a *app) error {
	if f.StepSummary && a.env(summaryVariable) == "" {
		return inputError(fmt.Errorf("--step-summary: %s is not set", summaryVariable), "GitHub sets it in a job; omit the flag elsewhere")
	}
	return nil
}

// write appends the Markdown to the step's summary, if that is asked for.
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

// plan is write for a plan.
func (f *summaryFlag) plan(ctx context.Context, a *app, p *plan.Plan, maxBytes int) error {
	return f.write(ctx, a, func(w io.Writer) error { return render.PlanMarkdown(w, p, maxBytes) })
}

// issue is one entry of a code-quality report (GitLab, "Code Quality report
// format").
type issue struct {
	Description string        `json:"description"`
	CheckName   string        `json:"check_name"`
	Fingerprint string        `json:"fingerprint"`
	Severity    string        `json:"severity"`
	Location    issueLocation `json:"location"`
}

type issueLocation struct {
	Path  string     `json:"path"`
	Lines issueLines `json:"lines"`
}

type issueLines struct {
	Begin int `json:"begin"`
}

// placeRE is a position inside of a message: it moves with the lines above.
var placeRE = regexp.MustCompile(`:\d+(:\d+)?\b`)

// writeCodeQuality writes the report, whole or not at all; it is an empty list
// when there is nothing to say.
func (a *app) writeCodeQuality(ctx context.Context, path string, problems yamldoc.Problems, warnings []schema.Warning) error {
	issues := []issue{}
	seen := make(map[string]int)
	add := func(pos yamldoc.Pos, check, severity, at, message string) {
		file := a.fromRoot(pos.File, "CI_PROJECT_DIR")
		// A fingerprint outlives a move of the line; the same said twice of one
		// file is told apart by the order.
		id := strings.Join([]string{file, check, at, placeRE.ReplaceAllString(message, "")}, "\x00")
		seen[id]++
		if n := seen[id]; n > 1 {
			id += fmt.Sprintf("\x00%d", n)
		}
		sum := sha256.Sum256([]byte(id))
		if at != "" {
			message = at + ": " + message
		}
		issues = append(issues, issue{
			Description: safetext.Line(message), CheckName: check, Fingerprint: hex.EncodeToString(sum[:]), Severity: severity,
			Location: issueLocation{file, issueLines{max(pos.Line, 1)}},
		})
	}
	for _, p := range problems {
		message := p.Message
		if p.Hint != "" {
			message += " (" + p.Hint + ")"
		}
		add(p.Pos, "flexsync/invalid", "critical", p.Path, message)
	}
	for _, w := range warnings {
		add(w.Pos, "flexsync/"+w.Code, "minor", "", w.Message)
	}
	report, err := json.MarshalIndent(issues, "", "  ")
	if err == nil {
		err = writeFile(ctx, path, append(report, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the code-quality report: %w", err)
	}
	return nil
}
