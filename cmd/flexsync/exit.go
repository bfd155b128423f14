package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flexsync/apply"
	"flexsync/internal/flexapi"
	"flexsync/internal/glob"
	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
)

// The exit codes.
const (
	exitOK          = 0
	exitError       = 1
	exitChanges     = 2
	exitInput       = 3
	exitRefused     = 4
	exitStale       = 5
	exitPartial     = 6
	exitMismatch    = 7
	exitInterrupted = 130
)

// exitWith is an error with the exit code that it causes.
type exitWith struct {
	code int
	err  error // nil: everything is printed
	hint string
}

func (e *exitWith) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitWith) Unwrap() error { return e.err }

// inputError is an error of exit code 3.
func inputError(err error, hint string) error {
	return &exitWith{code: exitInput, err: err, hint: hint}
}

// ranking orders the exit codes: of several that apply, the first counts.
var ranking = []int{exitInterrupted, exitPartial, exitMismatch, exitStale, exitRefused, exitInput, exitError, exitChanges, exitOK}

// ranks reports whether a command's own exit code comes before the exit code of
// err, an error of printing or saving its result; nil is none.
func ranks(ctx context.Context, code int, err error) bool {
	return slices.Index(ranking, code) <= slices.Index(ranking, exitCode(ctx, err))
}

// outcome ends a command whose own exit code is code. err is what went wrong when
// its result was printed or saved.
func (a *app) outcome(ctx context.Context, code int, err error) error {
	if !ranks(ctx, code, err) {
		return err
	}
	if err != nil {
		a.sayError(err)
	}
	return silent(code)
}

// silent ends a command that has printed everything.
func silent(code int) error {
	if code == exitOK {
		return nil
	}
	return &exitWith{code: code}
}

// exitCode is the exit code of an error.
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
	var problems yamldoc.Problems
	if code == exitInterrupted {
		err = errors.New("interrupted; nothing was changed")
		a.interrupted("nothing was changed.")
	} else if errors.As(err, &problems) {
		for _, p := range problems {
			a.say("%s", safetext.Line(p.String()))
			a.hint(p.Hint)
			a.annotateProblem(p)
		}
	} else {
		a.sayError(err)
	}
	if asJSON {
		if werr := a.writeError(code, err, problems); werr != nil {
			a.say("%v", werr)
		}
	}
	return code
}

// hintOf is what to do about an error, in lines; "" if there is nothing to say.
func hintOf(err error) string {
	var with *exitWith
	if errors.As(err, &with) && with.hint != "" {
		return with.hint
	}
	var unmatched *plan.UnmatchedError
	if errors.As(err, &unmatched) && unmatched.Literally {
		return fmt.Sprintf("a flow has exactly this name, but [ begins a class of characters: write --only %s", shellWord(glob.Quote(unmatched.Glob.String())))
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
