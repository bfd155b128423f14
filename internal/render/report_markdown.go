package render

import (
	"bytes"
	"fmt"
	"io"

	"flexsync/apply"
	"flexsync/internal/safetext"
)

// ReportMarkdown writes a report as a comment or a job summary, of at most maxBytes
// bytes (but at least MinMarkdownBytes): what did not succeed first. Lines that do
// not fit are counted.
func ReportMarkdown(w io.Writer, r *apply.Report, maxBytes int) error {
	var b bytes.Buffer
	account := markdownAccount(r.AccountSID)
	fmt.Fprintf(&b, "<!-- flexsync:apply %s -->\n### flexsync apply: %s\n\n%s\n", safetext.Comment(account), r.Status, ReportTotals(r))
	if account != "" {
		fmt.Fprintf(&b, "\nAccount %s\n\n", safetext.Code(account))
	}
	const trailer = 60 // room for the line of what was cut
	budget := max(maxBytes, MinMarkdownBytes) - trailer
	cut := 0
	add := func(line string) {
		if b.Len()+len(line) > budget {
			cut++
			return
		}
		b.WriteString(line)
	}
	if r.ListErr != nil {
		add(fmt.Sprintf("- **not verified**: %s\n", safetext.Code(r.ListErr.Error())))
	}
	for i := range r.Mismatches {
		add(fmt.Sprintf("- %s\n", safetext.Code(Mismatch(&r.Mismatches[i], Style{}))))
	}
	for _, done := range []bool{false, true} {
		for i := range r.Results {
			res := &r.Results[i]
			if (res.Status == apply.Done) == done {
				add(fmt.Sprintf("- **%s** %s\n", res.Status, safetext.Code(Result(res, Style{}))))
			}
		}
	}
	if cut > 0 {
		fmt.Fprintf(&b, "\n%d more lines are not shown here.\n", cut)
	}
	_, err := w.Write(b.Bytes())
	return err
}
