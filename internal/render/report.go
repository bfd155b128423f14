package render

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"flexsync/apply"
	"flexsync/internal/flexapi"
	"flexsync/internal/safetext"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// past is the verb for a change that is done.
func past(res *apply.Result) string {
	switch {
	case res.Step == plan.StepDisable:
		return "disabled"
	case res.Step == apply.StepEnable:
		return "enabled again"
	case res.Action == plan.Create:
		return "created"
	case res.Action == plan.Update:
		return "updated"
	}
	return "deleted"
}

// Result returns the result of a change as a line of text, without the line feed,
// and below it where Twilio documents the error and what to do.
func Result(res *apply.Result, style Style) string {
	head := fmt.Sprintf("%c %s", res.Action, past(res))
	paint := meaning(res.Action)
	switch res.Status {
	case apply.Failed, apply.Unknown:
		head = fmt.Sprintf("! %s: %s", res.Status, res.Action)
		paint = Error
	case apply.Skipped:
		if res.Step == apply.StepSettle {
			head, paint = "= kept", Warning
			break
		}
		head = fmt.Sprintf("! skipped: %s", res.Action)
		paint = Warning
	}
	line := style.Paint(paint, head) + " " + safetext.Quote(res.FriendlyName)
	if res.SID != "" {
		line += "  " + safetext.Line(res.SID)
	}
	if res.Err != nil {
		line += ": " + safetext.Line(res.Err.Error())
		var e *flexapi.Error
		if errors.As(res.Err, &e) {
			if e.RequestID != "" {
				line += " [request " + safetext.Line(e.RequestID) + "]"
			}
			if e.MoreInfo != "" {
				line += "\n    see " + safetext.Line(e.MoreInfo)
			}
			if e.Hint != "" {
				line += "\n    " + safetext.Line(e.Hint)
			}
		}
	} else if res.Note != "" {
		line += ": " + safetext.Line(res.Note)
	}
	return line
}

// Mismatch returns a mismatch as one line of text, without the line feed.
func Mismatch(m *apply.Mismatch, style Style) string {
	line := style.Paint(Error, "! mismatch:") + " " + safetext.Quote(m.FriendlyName)
	if m.SID != "" {
		line += "  " + safetext.Line(m.SID)
	}
	if m.Path != "" {
		line += fmt.Sprintf(": %s is %s, expected %s", m.Path, quoteValue(m.Have), quoteValue(m.Want))
	}
	if m.Note != "" {
		line += ": " + safetext.Line(m.Note)
	}
	return line
}

func quoteValue(v schema.Value) string {
	if s, ok := v.(string); ok {
		return safetext.Quote(s)
	}
	if v == nil {
		return "none"
	}
	return fmt.Sprint(v)
}

// Report writes a report as text: the results, without those of which shown is true,
// mismatches, the YAML that restores what was deleted, and the totals unless there
// was nothing to do, which the plan says. The error is w's.
func Report(w io.Writer, r *apply.Report, style Style, shown func(*apply.Result) bool) error {
	b := bufio.NewWriter(w)
	for i := range r.Results {
		if res := &r.Results[i]; !shown(res) {
			fmt.Fprintln(b, Result(res, style))
		}
	}
	for i := range r.Mismatches {
		fmt.Fprintln(b, Mismatch(&r.Mismatches[i], style))
	}
	if r.ListErr != nil {
		fmt.Fprintf(b, "! cannot list the account after the writes, so they are not verified: %s\n", safetext.Line(r.ListErr.Error()))
	}
	if deleted := r.Deleted(); len(deleted) > 0 {
		fmt.Fprintf(b, "\n%s\n", state.Restore(deleted, "What was deleted, to restore it:").Encode())
	}
	if r.Status != apply.Unchanged {
		fmt.Fprintln(b, ReportTotals(r))
	}
	return b.Flush()
}

// ReportTotals returns the outcome of the run: a sentence or two on one line.
func ReportTotals(r *apply.Report) string {
	n := r.Counts()
	line := fmt.Sprintf("%d created, %d updated, %d deleted", n.Created, n.Updated, n.Deleted)
	if n.Failed > 0 {
		line += fmt.Sprintf(", %d failed", n.Failed)
	}
	if n.Skipped > 0 {
		line += fmt.Sprintf(", %d skipped", n.Skipped)
	}
	if n.Kept > 0 {
		line += fmt.Sprintf(", %d kept", n.Kept)
	}
	switch r.Status {
	case apply.Unchanged:
		return "Nothing to do: " + matches(n.Kept) + "."
	case apply.Applied:
		return "Applied: " + line + "."
	case apply.Partial:
		return "Partially applied: " + line + ". What is done stays done: fix the cause and run again."
	case apply.Mismatched:
		if len(r.Mismatches) == 0 {
			return "Applied, but not verified: " + line + ". Run again to verify."
		}
		return "Applied, but the account does not match: " + line + ". Check the differences and run again."
	case apply.Interrupted:
		return "Interrupted: " + line + ". Run again to finish."
	}
	return line
}
