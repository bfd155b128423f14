package render

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"flexsync/apply"
	"flexsync/internal/safetext"
)

// ReportMarkdown writes a report as a comment or a job summary: what did not succeed
// first. Lines that do not fit in the limit are counted.
func ReportMarkdown(w io.Writer, r *apply.Report, o MarkdownOptions) error {
	var b bytes.Buffer
	account := clip(r.AccountSID, maxAccount)
	fmt.Fprintf(&b, "<!-- flexsync:apply %s -->\n### flexsync apply: %s\n\n%s\n\n", safetext.Comment(account), r.Status, ReportTotals(r))
	const trailer = 60 // room for the line of what was cut
	limit := max(o.MaxBytes, MinMarkdownBytes)
	footer := o.footer(account, limit/6)
	budget := limit - len(footer) - trailer
	cut := 0
	for _, line := range reportLines(r) {
		if b.Len()+len(line) > budget {
			cut++
			continue
		}
		b.WriteString(line)
	}
	if cut > 0 {
		fmt.Fprintf(&b, "\n%d more lines are not shown here.\n", cut)
	}
	b.WriteString(footer)
	_, err := w.Write(b.Bytes())
	return err
}

// reportLines are the items of a report, what did not succeed first.
func reportLines(r *apply.Report) (lines []string) {
	add := func(icon, what, name, sid, said string) {
		line := "- " + icon + " " + what
		if name != "" || sid != "" {
			line += " " + codeName(name)
		}
		if sid != "" {
			line += " " + safetext.Code(sid)
		}
		if said != "" {
			line += ": " + safetext.Prose(said)
		}
		lines = append(lines, line+"\n")
	}
	if r.ListErr != nil {
		add("⚠️", "not verified", "", "", r.ListErr.Error())
	}
	for i := range r.Mismatches {
		m := &r.Mismatches[i]
		add("❌", "mismatch:", m.ID, m.SID, difference(m))
	}
	for _, done := range []bool{false, true} {
		for i := range r.Results {
			res := &r.Results[i]
			if (res.Status == apply.Done) != done {
				continue
			}
			icon, what := "✅", past(res)
			switch {
			case res.Status == apply.Skipped && res.Step == apply.StepSettle:
				icon, what = "🔒", "kept"
			case res.Status == apply.Skipped:
				icon, what = "⚠️", "skipped: "+res.Action.String()
			case !done:
				icon, what = "❌", string(res.Status)+": "+res.Action.String()
			}
			add(icon, what, res.ID, res.SID, strings.Join(append([]string{outcome(res)}, advice(res)...), "; "))
		}
	}
	return lines
}
