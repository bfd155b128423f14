package plan

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"flexsync/internal/safetext"
)

// Paint is what an action means.
func (a Action) Paint() safetext.Paint {
	switch a {
	case Create:
		return safetext.Good
	case Update:
		return safetext.Mind
	}
	return safetext.Harm
}

// WriteText writes the plan for a person: what does harm first, old → new
// aligned, the totals last.
func (p *Plan) WriteText(w io.Writer, style safetext.Style) error {
	b := bufio.NewWriterSize(w, 64<<10)
	if p.AccountSID != "" && len(p.Changes)+len(p.Kept)+len(p.Refusals) > 0 {
		fmt.Fprintf(b, "Account %s\n\n", safetext.Line(p.AccountSID))
	}
	for _, c := range p.byHarm() {
		p.writeChange(b, c, style)
		b.WriteByte('\n')
	}
	for i := range p.Kept {
		k := &p.Kept[i]
		fmt.Fprintf(b, "= keep %s  %s\n    would be deleted without --no-delete: %s\n\n",
			safetext.Quote(k.FriendlyName), safetext.Line(k.SID), p.describe(&k.Flow))
	}
	for _, n := range p.Warnings {
		fmt.Fprintf(b, "%s (%s): %s\n", style.Paint(safetext.Mind, "warning"), safetext.Line(n.Code), n.text())
	}
	for _, n := range p.Refusals {
		fmt.Fprintf(b, "%s (%s): %s\n", style.Paint(safetext.Alarm, "refused"), safetext.Line(n.Code), n.text())
	}
	if len(p.Warnings)+len(p.Refusals) > 0 {
		b.WriteByte('\n')
	}
	if !p.HasChanges() && len(p.Refusals) == 0 {
		b.WriteString("No changes: the account is as the YAML says.\n")
	}
	fmt.Fprintf(b, "Plan: %s.\n", p.Totals())
	return b.Flush()
}

// text is the notice as one line, with its position unless it is in there.
func (n *Notice) text() string {
	message := safetext.Line(n.Message)
	if at := pos(n.Source); at != "" && !strings.Contains(message, at) {
		return safetext.Line(at) + ": " + message
	}
	return message
}

func (p *Plan) writeChange(b *bufio.Writer, c *Change, style safetext.Style) {
	head := fmt.Sprintf("%c %s", c.Action, c.Action)
	if c.Step != "" {
		head += " (" + c.Step + ")"
	}
	fmt.Fprintf(b, "%s %s", style.Paint(c.Action.Paint(), head), safetext.Quote(c.FriendlyName))
	fmt.Fprintf(b, "  %s", cmp.Or(safetext.Line(c.SID), newSID))
	if at := pos(c.Source); at != "" {
		fmt.Fprintf(b, "  %s", style.Paint(safetext.Faint, safetext.Line(at)))
	}
	b.WriteByte('\n')
	for _, note := range c.notes() {
		note = safetext.Line(note)
		if c.Disables() {
			note = style.Paint(safetext.Alarm, note)
		}
		fmt.Fprintf(b, "    %s\n", note)
	}
	if c.Action == Delete {
		fmt.Fprintf(b, "    %s\n", p.describe(c.Before))
		return
	}
	fields := c.shown()
	pathWidth, beforeWidth := 0, 0
	befores := make([]string, len(fields))
	for i, f := range fields {
		pathWidth = max(pathWidth, len(f.Path))
		if c.Action == Update {
			befores[i] = p.show(f.Before)
			if n := utf8.RuneCountInString(befores[i]); n <= maxAligned {
				beforeWidth = max(beforeWidth, n)
			}
		}
	}
	for i, f := range fields {
		fmt.Fprintf(b, "    %-*s  ", pathWidth, f.Path)
		if c.Action == Update {
			fmt.Fprintf(b, "%s%s → ", befores[i], strings.Repeat(" ", max(0, beforeWidth-utf8.RuneCountInString(befores[i]))))
		}
		fmt.Fprintf(b, "%s\n", p.show(f.After))
	}
}

// maxAligned is the longest old value that others are aligned with.
const maxAligned = 40
