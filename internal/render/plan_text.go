package render

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
)

// meaning is the meaning of an action.
func meaning(a plan.Action) Meaning {
	switch a {
	case plan.Create:
		return Success
	case plan.Update:
		return Warning
	}
	return Destructive
}

// Plan writes a plan as text: the most harmful changes first, old → new aligned, the
// totals last.
func Plan(w io.Writer, p *plan.Plan, style Style) error {
	b := bufio.NewWriterSize(w, 64<<10)
	if p.AccountSID != "" && len(p.Changes)+len(p.Kept)+len(p.Refusals) > 0 {
		fmt.Fprintf(b, "Account %s\n\n", safetext.Line(p.AccountSID))
	}
	for _, c := range byHarm(p) {
		planChange(b, p, c, style)
		b.WriteByte('\n')
	}
	for i := range p.Kept {
		k := &p.Kept[i]
		fmt.Fprintf(b, "= keep %s  %s\n    would be deleted without --no-delete: %s\n\n",
			safetext.Quote(k.FriendlyName), safetext.Line(k.SID), describe(p, &k.Flow))
	}
	for _, n := range p.Warnings {
		fmt.Fprintf(b, "%s (%s): %s\n", style.Paint(Warning, "warning"), safetext.Line(n.Code), noticeText(&n))
	}
	for _, n := range p.Refusals {
		fmt.Fprintf(b, "%s (%s): %s\n", style.Paint(Error, "refused"), safetext.Line(n.Code), noticeText(&n))
	}
	if len(p.Warnings)+len(p.Refusals) > 0 {
		b.WriteByte('\n')
	}
	switch {
	case p.HasChanges() || len(p.Refusals) > 0:
	case len(p.Kept) > 0:
		fmt.Fprintf(b, "No changes to make: %s.\n", matches(len(p.Kept)))
	default:
		fmt.Fprintf(b, "No changes: %s.\n", matches(0))
	}
	fmt.Fprintf(b, "Plan: %s.\n", PlanTotals(p))
	return b.Flush()
}

// noticeText is a notice as one line, with its position unless the message has it.
func noticeText(n *plan.Notice) string {
	message := safetext.Line(n.Message)
	if at := pos(n.Source); at != "" && !strings.Contains(message, at) {
		return safetext.Line(at) + ": " + message
	}
	return message
}

func planChange(b *bufio.Writer, p *plan.Plan, c *plan.Change, style Style) {
	head := fmt.Sprintf("%c %s", c.Action, c.Action)
	if c.Step != "" {
		head += " (" + c.Step + ")"
	}
	fmt.Fprintf(b, "%s %s", style.Paint(meaning(c.Action), head), safetext.Quote(c.FriendlyName))
	fmt.Fprintf(b, "  %s", cmp.Or(safetext.Line(c.SID), newSID))
	if at := pos(c.Source); at != "" {
		fmt.Fprintf(b, "  %s", style.Paint(Faint, safetext.Line(at)))
	}
	b.WriteByte('\n')
	for _, note := range notes(c) {
		note = safetext.Line(note)
		if c.Disables() {
			note = style.Paint(Error, note)
		}
		fmt.Fprintf(b, "    %s\n", note)
	}
	if c.Action == plan.Delete {
		fmt.Fprintf(b, "    %s\n", describe(p, c.Before))
		return
	}
	fields := shown(c)
	pathWidth, beforeWidth := 0, 0
	befores := make([]string, len(fields))
	for i, f := range fields {
		pathWidth = max(pathWidth, len(f.Path))
		if c.Action == plan.Update {
			befores[i] = show(p, f.Before)
			if n := Width(befores[i]); n <= maxAligned {
				beforeWidth = max(beforeWidth, n)
			}
		}
	}
	for i, f := range fields {
		fmt.Fprintf(b, "    %-*s  ", pathWidth, f.Path)
		if c.Action == plan.Update {
			fmt.Fprintf(b, "%s → ", pad(befores[i], beforeWidth))
		}
		fmt.Fprintf(b, "%s\n", show(p, f.After))
	}
}

// maxAligned is the longest old value, in cells, that others are aligned with.
const maxAligned = 40

// pos is a position as FILE:LINE, or "" without one.
func pos(p *yamldoc.Pos) string {
	if p == nil {
		return ""
	}
	return yamldoc.Pos{File: p.File, Line: p.Line}.String()
}
