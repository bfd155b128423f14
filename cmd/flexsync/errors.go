package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"flexsync/apply"
	"flexsync/internal/flexapi"
	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
)

// exitCode says what an error is, in the order in which the contract ranks
// them.
func exitCode(ctx context.Context, err error) int {
	var with *exitWith
	var problems yamldoc.Problems
	var unmatched *plan.UnmatchedError
	var damaged *plan.DamagedError
	var config *flexapi.ConfigError
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, errInterrupted)):
		return exitInterrupted
	case errors.As(err, &with):
		return with.code
	case errors.As(err, &problems), errors.As(err, &unmatched), errors.As(err, &damaged), errors.As(err, &config):
		return exitInput
	}
	return exitError
}

// fail prints an error and returns its exit code. With asJSON it is also the
// one document on stdout.
func (a *app) fail(ctx context.Context, err error, asJSON bool) int {
	code := exitCode(ctx, err)
	var with *exitWith
	if err == nil || errors.As(err, &with) && with.err == nil {
		return code
	}
	if code == exitInterrupted {
		err = errors.New("interrupted; nothing was changed")
	}
	var problems yamldoc.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			a.problem(p)
		}
	} else {
		a.say("%s", lines(err.Error()))
		a.hint(hintOf(err))
	}
	if asJSON {
		if werr := a.writeError(code, err, problems); werr != nil {
			a.say("cannot write the result: %v", werr)
		}
	}
	return code
}

// lines makes an error safe that may have several lines of our own making.
func lines(s string) string {
	parts := strings.Split(s, "\n")
	for i := range parts {
		parts[i] = safetext.Line(parts[i])
	}
	return strings.Join(parts, "\n    ")
}

func (a *app) hint(hint string) {
	if hint != "" {
		fmt.Fprintf(a.stderr, "    %s\n", lines(hint))
	}
}

func (a *app) problem(p yamldoc.Problem) {
	a.say("%s", safetext.Line(p.String()))
	a.hint(p.Hint)
	a.annotateProblem(p)
}

func hintOf(err error) string {
	var with *exitWith
	if errors.As(err, &with) && with.hint != "" {
		return with.hint
	}
	var api *flexapi.Error
	if errors.As(err, &api) {
		var hints []string
		if api.MoreInfo != "" {
			hints = append(hints, "see "+safetext.Line(api.MoreInfo))
		}
		if api.RequestID != "" {
			hints = append(hints, "Twilio request ID: "+safetext.Line(api.RequestID))
		}
		if api.Hint != "" {
			hints = append(hints, api.Hint)
		}
		return strings.Join(hints, "\n")
	}
	return ""
}

type jsonProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (a *app) writeError(code int, err error, problems yamldoc.Problems) error {
	doc := struct {
		FormatVersion int              `json:"format_version"`
		Status        string           `json:"status"`
		Error         *apply.JSONError `json:"error"`
		Problems      []jsonProblem    `json:"problems"`
	}{plan.FormatVersion, "error", apply.NewJSONError(err), []jsonProblem{}}
	if code == exitInterrupted {
		doc.Status = string(apply.Interrupted)
	}
	if hint := hintOf(err); doc.Error.Hint == "" {
		doc.Error.Hint = hint
	}
	if len(problems) > 0 {
		doc.Error.Message = fmt.Sprintf("the input has %s", count(len(problems), "problem"))
	}
	for _, p := range problems {
		doc.Problems = append(doc.Problems, jsonProblem{p.File, p.Line, p.Column, p.Path, p.Message, p.Hint})
	}
	return a.writeDocument(doc)
}

// writeDocument writes one JSON document on stdout.
func (a *app) writeDocument(doc any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	_, err := a.stdout.Write(safetext.JSON(text.Bytes()))
	return err
}

// count is "1 flow" or "2 flows".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
