package render

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"flexsync/internal/safetext"
	"flexsync/plan"
	"flexsync/schema"
)

// MinMarkdownBytes is the lowest limit that Markdown can keep to, in bytes: room for
// the verdict and for the count of what was cut.
const MinMarkdownBytes = 600

// maxAccount is how much of an account's SID is shown, in bytes once it is safe: a
// SID has 34, but an API may return anything.
const maxAccount = 40

// markdownAccount is an account's SID as Markdown has room for it.
func markdownAccount(sid string) string {
	sid = safetext.Line(sid[:min(len(sid), maxAccount)])
	for len(sid) > maxAccount {
		_, last := utf8.DecodeLastRuneInString(sid)
		sid = sid[:len(sid)-last]
	}
	return sid
}

// foldFrom is the number of changes from which the harmless ones are folded.
const foldFrom = 20

// PlanMarkdown writes a plan as a comment for a pull request, of at most maxBytes
// bytes (but at least MinMarkdownBytes): a marker by which a bot finds its comment,
// the totals, then the changes as diff blocks, deletes and disabled flows first.
// Whole flows are left out where they do not fit, and counted. Deletes and disabled
// flows go last: before that, they shrink to their names.
func PlanMarkdown(w io.Writer, p *plan.Plan, maxBytes int) error {
	var b bytes.Buffer
	account := markdownAccount(p.AccountSID)
	fmt.Fprintf(&b, "<!-- flexsync:plan %s -->\n", safetext.Comment(account))
	fmt.Fprintf(&b, "### flexsync plan: %s\n\n", verdict(p))
	fmt.Fprintf(&b, "%s.\n", PlanTotals(p))
	if account != "" {
		fmt.Fprintf(&b, "\nAccount %s\n", safetext.Code(account))
	}

	const trailer = 220 // room for the lines of what was cut, and an open tag
	maxBytes = max(maxBytes, MinMarkdownBytes)
	budget := maxBytes - trailer
	fits := func(s string) bool { return b.Len()+len(s) <= budget }

	changes := byHarm(p)
	harmful := 0
	for harmful < len(changes) && (changes[harmful].Action == plan.Delete || changes[harmful].Disables()) {
		harmful++
	}
	names := make([]string, harmful) // the harmful changes by name alone
	reserved := len("\n")            // room for those that are still to come
	for i := range names {
		names[i] = nameLine(changes[i])
		reserved += len(names[i])
	}

	cutNotices := 0
	for _, group := range []struct {
		title   string
		notices []plan.Notice
	}{{"Refused", p.Refusals}, {"Warnings", p.Warnings}} {
		for i := range group.notices {
			n := &group.notices[i]
			line := fmt.Sprintf("- %s: %s\n", safetext.Code(n.Code), safetext.Code(noticeText(n)))
			if i == 0 {
				line = fmt.Sprintf("\n**%s**\n\n%s", group.title, line)
			}
			// A long list must not crowd out the changes.
			if b.Len()+len(line)+min(reserved, budget/2) > budget || group.title == "Warnings" && b.Len() > budget/3 {
				cutNotices += len(group.notices) - i
				break
			}
			b.WriteString(line)
		}
	}

	cut := 0
	brief := false
	for i, c := range changes[:harmful] {
		reserved -= len(names[i])
		if !brief {
			if text := block(p, c); b.Len()+len(text)+reserved <= budget {
				b.WriteString(text)
				continue
			}
			brief = true
			b.WriteString("\n")
		}
		if !fits(names[i]) {
			cut++
			continue
		}
		b.WriteString(names[i])
	}
	rest := changes[harmful:]
	folded := false
	if len(changes) >= foldFrom && len(rest) > 0 && cut == 0 {
		open := fmt.Sprintf("\n<details><summary>%d more changes</summary>\n", len(rest))
		if fits(open + block(p, rest[0])) {
			b.WriteString(open)
			folded = true
		}
	}
	for i, c := range rest {
		text := block(p, c)
		if cut > 0 || !fits(text) {
			cut += len(rest) - i
			break
		}
		b.WriteString(text)
	}
	if folded {
		b.WriteString("\n</details>\n")
	}
	for _, k := range p.Kept {
		line := fmt.Sprintf("\n**keep** %s %s, which would be deleted without `--no-delete`\n", safetext.Code(safetext.Quote(k.FriendlyName)), safetext.Code(k.SID))
		if !fits(line) {
			cut++
			continue
		}
		b.WriteString(line)
	}
	if cut > 0 {
		fmt.Fprintf(&b, "\n**%d of %d flows are not shown here**, because the limit is %d bytes: see the text of `flexsync plan`.\n",
			cut, len(changes)+len(p.Kept), maxBytes)
	}
	if cutNotices > 0 {
		fmt.Fprintf(&b, "\n%d warnings and refusals are not shown here.\n", cutNotices)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func verdict(p *plan.Plan) string {
	switch s := p.Summary; {
	case len(p.Refusals) > 0:
		return "refused"
	case s.Delete > 0:
		if s.Delete == 1 {
			return "1 flow will be deleted"
		}
		return fmt.Sprintf("%d flows will be deleted", s.Delete)
	case p.HasChanges():
		return "changes"
	case len(p.Kept) == 1:
		return "no changes to make, 1 flow kept"
	case len(p.Kept) > 1:
		return fmt.Sprintf("no changes to make, %d flows kept", len(p.Kept))
	}
	return "no changes"
}

// nameLine is a change without its fields.
func nameLine(c *plan.Change) string {
	return fmt.Sprintf("- **%s** %s %s\n", c.Action, safetext.Code(safetext.Quote(c.FriendlyName)), safetext.Code(c.SID))
}

// block is a change with its heading and a diff.
func block(p *plan.Plan, c *plan.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n**%s** %s", c.Action, safetext.Code(safetext.Quote(c.FriendlyName)))
	if c.SID != "" {
		fmt.Fprintf(&b, " %s", safetext.Code(c.SID))
	} else {
		b.WriteString(" " + newSID)
	}
	if at := pos(c.Source); at != "" {
		fmt.Fprintf(&b, " at %s", safetext.Code(at))
	}
	if said := notes(c); len(said) > 0 {
		fmt.Fprintf(&b, "  \n%s", safetext.Code(strings.Join(said, "; ")))
	}
	b.WriteString("\n\n")
	var lines []string
	fields := c.Fields
	switch c.Action {
	case plan.Create:
		fields = shown(c)
	case plan.Delete:
		fields = lost(c.Before)
	}
	for _, f := range fields {
		if f.Before != nil {
			lines = append(lines, fmt.Sprintf("- %s: %s", f.Path, show(p, f.Before)))
		}
		if f.After != nil {
			lines = append(lines, fmt.Sprintf("+ %s: %s", f.Path, show(p, f.After)))
		}
	}
	b.WriteString(safetext.Fence("diff", lines))
	return b.String()
}

// lost is the fields of a flow that is deleted.
func lost(flow *schema.Flow) []plan.FieldChange {
	var fields []plan.FieldChange
	for i := range schema.Fields {
		f := &schema.Fields[i]
		if v := f.Get(flow); v != nil {
			fields = append(fields, plan.FieldChange{Path: f.Path, Before: v})
		}
	}
	return fields
}
