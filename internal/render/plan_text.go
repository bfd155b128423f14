package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
	"flexsync/schema"
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

// PlanOptions say how a plan is written as text.
type PlanOptions struct {
	Style
	Place   Place
	Compact bool // a change has one line
}

// Plan writes a plan as text: the account, the most harmful changes first, the
// totals last.
func Plan(w io.Writer, p *plan.Plan, o PlanOptions) error {
	b := bufio.NewWriterSize(w, 64<<10)
	if p.AccountSID != "" || o.Place != (Place{}) {
		fmt.Fprintf(b, "%s\n\n", o.fill(0, 4, plain(Account(p.AccountSID, o.Place))))
	}
	planBody(b, p, split(p), o)
	fmt.Fprintf(b, "Plan: %s.\n", PlanTotals(p))
	return b.Flush()
}

// planBody writes what a plan does, in its parts, but for the totals.
func planBody(b *bufio.Writer, p *plan.Plan, parts [2]part, o PlanOptions) {
	for i, part := range parts {
		if i == 1 && part.len() > 0 {
			fmt.Fprintf(b, "%s\n\n", o.fill(0, 4, span{Name, driftHeading}))
		}
		planPart(b, p, &part, o)
	}
	for _, n := range p.Warnings {
		notice(b, span{Warning, "warning"}, &n, o.Style)
	}
	for _, n := range p.Refusals {
		notice(b, span{Error, "refused"}, &n, o.Style)
	}
	if len(p.Warnings)+len(p.Refusals) > 0 {
		b.WriteByte('\n')
	}
	switch {
	case p.HasChanges() || len(p.Refusals) > 0:
	case len(p.Kept) > 0:
		fmt.Fprintf(b, "No changes to make: %s.\n", matches(keptKinds(p)))
	default:
		fmt.Fprintf(b, "%s: %s.\n", o.Paint(Success, "No changes"), matches(nil))
	}
	if whose := originTotals(p.Origins); whose != "" {
		fmt.Fprintf(b, "Origin: %s.\n", whose)
	}
}

// planPart writes the changes of a part, then what is kept.
func planPart(b *bufio.Writer, p *plan.Plan, pt *part, o PlanOptions) {
	for _, c := range pt.changes {
		if o.Compact {
			compact(b, p, c, o.Style)
		} else {
			planChange(b, p, c, o.Style)
			b.WriteByte('\n')
		}
	}
	for _, k := range pt.kept {
		head := []span{{"", "= keep "}, {Name, safetext.Quote(k.ID)}, gap}
		why := plain("would be deleted without --no-delete: " + describe(p, &k.Object))
		if o.Compact {
			fmt.Fprintf(b, "%s\n", o.cut(append(head, why)...))
		} else {
			fmt.Fprintf(b, "%s\n%s\n\n", o.fill(0, 4, append(head, span{Faint, safetext.Line(k.SID)})...), o.fill(4, 4, why))
		}
	}
	if o.Compact && pt.len() > 0 {
		b.WriteByte('\n')
	}
}

// Question returns what a person is asked before a plan is applied, without a line
// feed: how many flows it deletes and disables, if any, and which account it is.
func Question(p *plan.Plan, place Place, style Style) string {
	asked := style.fill(0, 0, plain("Apply these changes to "+place.account(p.AccountSID, safetext.Line)+"? [yes/no]")) + " "
	if harm := harmDone(p, "DELETES", "DISABLES", " and "); harm != "" {
		return style.Paint(Error, "This "+harm+".") + "\n" + asked
	}
	return asked
}

func notice(b *bufio.Writer, what span, n *plan.Notice, style Style) {
	at, message := noticeText(n)
	if at != "" {
		at += ": "
	}
	fmt.Fprintf(b, "%s\n", style.fill(0, 4, what, plain(" ("+safetext.Line(n.Code)+"): "+at+message)))
}

// noticeText is the position of a notice, "" if the message has it, and the message.
func noticeText(n *plan.Notice) (at, message string) {
	message = safetext.Line(n.Message)
	if at = pos(n.Source); strings.Contains(message, at) {
		at = ""
	}
	return safetext.Line(at), message
}

// heading is what is done, and to which flow.
func heading(c *shownChange) []span {
	head := fmt.Sprintf("%c %s", c.Action, c.Action)
	if c.replaced != nil {
		head = replacing
	}
	if c.Step != "" {
		head += " (" + safetext.Line(c.Step) + ")"
	}
	what := meaning(c.Action)
	if c.replaced != nil {
		what = Destructive
	}
	return []span{{what, head}, plain(" "), {Name, safetext.Quote(c.ID)}, gap}
}

// compact writes a change as one line.
func compact(b *bufio.Writer, p *plan.Plan, c *shownChange, style Style) {
	line := heading(c)
	switch {
	case c.Action == plan.Create && c.replaced == nil:
		line = append(line, plain(describe(p, c.After)))
	case c.Action == plan.Delete:
		line = append(line, plain(describe(p, c.Before)))
		if c.MovedTo != "" {
			line = append(line, plain("; its identity moves to "+safetext.Quote(c.MovedTo)))
		}
		if c.Reason != "" {
			line = append(line, plain("; "+safetext.Line(c.Reason)))
		}
	default:
		for _, n := range notes(c) {
			n.text, _, _ = strings.Cut(safetext.Line(n.text), ": ")
			line = append(line, n, plain(", "))
		}
		if fields := brief(p, c, func(v schema.Value) string { return show(p, v) }); fields != "" {
			line = append(line, plain(fields))
		} else {
			line = line[:len(line)-1]
		}
	}
	fmt.Fprintf(b, "%s\n", style.cut(line...))
}

func planChange(b *bufio.Writer, p *plan.Plan, c *shownChange, style Style) {
	head := append(heading(c), span{Faint, c.sid(safetext.Line)})
	if at := pos(c.Source); at != "" {
		head = append(head, gap, span{Faint, safetext.Line(at)})
	}
	fmt.Fprintf(b, "%s\n", style.fill(0, 4, head...))
	for _, note := range notes(c) {
		note.text = safetext.Line(note.text)
		fmt.Fprintf(b, "%s\n", style.fill(4, 4, note))
	}
	if c.Action == plan.Delete {
		fmt.Fprintf(b, "%s\n", style.fill(4, 4, plain(describe(p, c.Before))))
		return
	}
	planFields(b, p, c, style)
}

// maxAligned is the longest value, in cells, that is shown beside another.
const maxAligned = 40

// planFields writes the fields of a change in columns. Values that are long or do not
// fit beside each other have lines of their own below the field, as in a diff.
func planFields(b *bufio.Writer, p *plan.Plan, c *shownChange, style Style) {
	const indent, separators = 4, 2
	fields := shown(c)
	befores, afters := make([]string, len(fields)), make([]string, len(fields))
	beside := make([]bool, len(fields))
	pathWidth, beforeWidth := 0, 0
	for _, f := range fields {
		pathWidth = max(pathWidth, len(f.Path))
	}
	const arrow = " → "
	for i, f := range fields {
		afters[i] = show(p, f.After) + origin(c, &f)
		n, room := Width(afters[i]), style.Width-indent-pathWidth-separators
		if c.updates() {
			befores[i] = show(p, f.Before)
			before := Width(befores[i])
			beside[i] = max(before, n) <= maxAligned && (style.Width == 0 || before+Width(arrow)+n <= room)
			if beside[i] {
				beforeWidth = max(beforeWidth, before)
			}
		} else {
			beside[i] = style.Width == 0 || n <= room
		}
	}
	for i, f := range fields {
		head := strings.Repeat(" ", indent)
		switch {
		case !beside[i]:
			fmt.Fprintf(b, "%s%s\n", head, f.Path)
			if !c.updates() {
				fmt.Fprintf(b, "%s\n", style.fill(indent+2, indent+2, plain(afters[i])))
				continue
			}
			fmt.Fprintf(b, "%s\n", style.fill(indent+2, indent+4, span{Destructive, "-"}, plain(" "+befores[i])))
			fmt.Fprintf(b, "%s\n", style.fill(indent+2, indent+4, span{Success, "+"}, plain(" "+afters[i])))
		case c.updates():
			before := befores[i]
			if style.Width == 0 || indent+pathWidth+separators+beforeWidth+Width(arrow+afters[i]) <= style.Width {
				before = pad(before, beforeWidth)
			}
			fmt.Fprintf(b, "%s%-*s  %s%s%s\n", head, pathWidth, f.Path, before, arrow, afters[i])
		default:
			fmt.Fprintf(b, "%s%-*s  %s\n", head, pathWidth, f.Path, afters[i])
		}
	}
}

// pos is a position as FILE:LINE, or "" without one.
func pos(p *yamldoc.Pos) string {
	if p == nil {
		return ""
	}
	return yamldoc.Pos{File: p.File, Line: p.Line}.String()
}
