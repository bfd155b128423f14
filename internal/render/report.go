package render

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"flexsync/apply"
	"flexsync/internal/flexapi"
	"flexsync/internal/safetext"
	"flexsync/internal/secret"
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

// Result returns the result of a change as text, without the last line feed, and
// below it where Twilio documents the error and what to do.
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
	line := flowLine(span{paint, head}, res.ID, res.SID)
	if said := outcome(res); said != "" {
		line = append(line, plain(": "+said))
	}
	text := style.fill(0, 4, line...)
	for _, advice := range advice(res) {
		text += "\n" + style.fill(4, 4, plain(advice))
	}
	return text
}

// flowLine begins a line about a flow.
func flowLine(what span, name, sid string) []span {
	line := []span{what, plain(" "), {Name, safetext.Quote(name)}}
	if sid != "" {
		line = append(line, gap, span{Faint, safetext.Line(sid)})
	}
	return line
}

// outcome is what there is to say of a result: its error, or a note.
func outcome(res *apply.Result) string {
	if res.Err == nil {
		return safetext.Line(res.Note)
	}
	said := safetext.Line(res.Err.Error())
	var e *flexapi.Error
	if errors.As(res.Err, &e) && e.RequestID != "" {
		said += " [request " + safetext.Line(e.RequestID) + "]"
	}
	return said
}

// advice is what a reader of an error can do.
func advice(res *apply.Result) (lines []string) {
	var e *flexapi.Error
	if !errors.As(res.Err, &e) {
		return nil
	}
	if e.MoreInfo != "" {
		lines = append(lines, "see "+safetext.Line(e.MoreInfo))
	}
	if e.Hint != "" {
		lines = append(lines, safetext.Line(e.Hint))
	}
	return lines
}

// Mismatch returns a mismatch as text, without the last line feed.
func Mismatch(m *apply.Mismatch, style Style) string {
	line := flowLine(span{Error, "! mismatch:"}, m.ID, m.SID)
	if said := difference(m); said != "" {
		line = append(line, plain(": "+said))
	}
	return style.fill(0, 4, line...)
}

// difference is how an account is not as it was written.
func difference(m *apply.Mismatch) string {
	var said []string
	if m.Path != "" {
		said = append(said, fmt.Sprintf("%s is %s, expected %s", safetext.Line(m.Path), quoteValue(m.Have), quoteValue(m.Want)))
	}
	if m.Note != "" {
		said = append(said, safetext.Line(m.Note))
	}
	return strings.Join(said, ": ")
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
		fmt.Fprintln(b, style.fill(0, 4, span{Error, "! cannot list"}, plain(" the account after the writes, so they are not verified: "+safetext.Line(r.ListErr.Error()))))
	}
	if deleted := r.Deleted(); len(deleted) > 0 {
		for i := range deleted {
			deleted[i].Object = *plan.MaskObject(nil, &deleted[i].Object)
		}
		fmt.Fprintf(b, "\n%s\n", state.Restore(deleted, restoreHeader(deleted)).Encode())
	}
	if r.Status != apply.Unchanged {
		fmt.Fprintln(b, ReportTotals(r))
	}
	return b.Flush()
}

// restoreHeader is what the YAML of what was deleted lacks, if anything.
func restoreHeader(deleted []state.Resource) string {
	for i := range deleted {
		o := &deleted[i].Object
		for f := range o.Kind.In(o.Kind.All()) {
			if secret.IsShown(o.Text(f)) {
				return "What was deleted, to restore it. Put the secrets back, and the credentials in place of *** in a URL:"
			}
		}
	}
	return "What was deleted, to restore it:"
}

// ReportTotals returns the outcome of the run: a sentence or two on one line.
func ReportTotals(r *apply.Report) string {
	n := r.Counts()
	line := cmp.Or(totals([]total{
		{n.Created, "created"}, {n.Updated, "updated"}, {n.Deleted, "deleted"},
		{n.Failed, "failed"}, {n.Skipped, "skipped"}, {n.Kept, "kept"},
	}), "nothing was written")
	switch r.Status {
	case apply.Unchanged:
		return "Nothing to do: " + matches(r.Kept) + "."
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
