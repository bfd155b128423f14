package render

import (
	"errors"
	"fmt"

	"flexsync/apply"
	"flexsync/internal/flexapi"
	"flexsync/internal/safetext"
	"flexsync/plan"
	"flexsync/schema"
)

// past is what an action is called once it is done.
func past(res *apply.Result) string {
	switch {
	case res.Step == plan.StepDisable:
		return "switched off"
	case res.Step == apply.StepEnable:
		return "switched on again"
	case res.Action == plan.Create:
		return "created"
	case res.Action == plan.Update:
		return "updated"
	}
	return "deleted"
}

// Result returns the result of a change as one line for a person, or more
// where there is something to do.
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

// Mismatch returns a mismatch as one line for a person.
func Mismatch(m *apply.Mismatch, style Style) string {
	line := style.Paint(Error, "! mismatch:") + " " + safetext.Quote(m.FriendlyName)
	if m.SID != "" {
		line += "  " + safetext.Line(m.SID)
	}
	if m.Path != "" {
		line += fmt.Sprintf(": %s is %s, wanted %s", m.Path, quoteValue(m.Have), quoteValue(m.Want))
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

// ReportTotals says in one sentence what the run came to.
func ReportTotals(r *apply.Report) string {
	n := r.Counts()
	line := fmt.Sprintf("%d created, %d updated, %d deleted", n.Created, n.Updated, n.Deleted)
	if n.Failed > 0 {
		line += fmt.Sprintf(", %d failed", n.Failed)
	}
	if n.Skipped > 0 {
		line += fmt.Sprintf(", %d skipped", n.Skipped)
	}
	if kept := r.Kept + n.Kept; kept > 0 {
		line += fmt.Sprintf(", %d kept", kept)
	}
	switch r.Status {
	case apply.Unchanged:
		if r.Kept > 0 {
			return "Nothing to do: " + keptText(r.Kept) + "."
		}
		return "Nothing to do: the account is as the YAML says."
	case apply.Applied:
		return "Applied: " + line + "."
	case apply.Partial:
		return "Not all is applied: " + line + ". What is done stays done: fix the cause and run again."
	case apply.Mismatched:
		return "Applied, but not as it should be: " + line + ". Look at the differences and run again."
	case apply.Interrupted:
		return "Interrupted: " + line + ". Run again to finish."
	}
	return line
}
