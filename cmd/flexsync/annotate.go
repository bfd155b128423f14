package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
)

// annotate writes a workflow command to stderr in a GitHub job; pos, which may be
// nil, is the place that it is shown at. No title and no message can write a
// second command.
func (a *app) annotate(level string, pos *yamldoc.Pos, title, message string) {
	if a.env("GITHUB_ACTIONS") != "true" {
		return
	}
	if a.account != "" {
		message = a.account + ": " + message
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
