package render

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"flexsync/apply"
	"flexsync/internal/safetext"
	"flexsync/plan"
)

// Member is an account of a fleet as it is shown.
type Member struct {
	Name   string
	Place  Place
	Plan   *plan.Plan    // nil: there is none
	Report *apply.Report // what was done; nil: nothing was begun
	State  string        // why there is no plan or no report, in a word, such as "failed"
	Adopt  []byte        // as in MarkdownOptions
}

// FleetSummary counts the accounts of a fleet and what is planned for them. An
// account is in one of Changed, Unchanged and Failed. Failed are also those whose
// plan is refused.
type FleetSummary struct {
	Accounts  int `json:"accounts"`
	Changed   int `json:"changed"`
	Unchanged int `json:"unchanged"`
	Failed    int `json:"failed"`
	plan.Summary
	Origins *plan.Origins `json:"-"` // nil: no plan was made with a base
}

// SummariseFleet counts members.
func SummariseFleet(members []Member) FleetSummary {
	s := FleetSummary{Accounts: len(members)}
	for _, m := range members {
		switch {
		case m.Plan == nil:
			s.Failed++
			continue
		case len(m.Plan.Refusals) > 0:
			s.Failed++
		case m.Plan.HasChanges():
			s.Changed++
		default:
			s.Unchanged++
		}
		if o := m.Plan.Origins; o != nil {
			if s.Origins == nil {
				s.Origins = &plan.Origins{}
			}
			s.Origins.Config += o.Config
			s.Origins.Drift += o.Drift
			s.Origins.Both += o.Both
		}
		n := m.Plan.Summary
		s.Create += n.Create
		s.Update += n.Update
		s.Delete += n.Delete
		s.Summary.Unchanged += n.Unchanged
		s.Ignored += n.Ignored
		s.Kept += n.Kept
	}
	return s
}

// FleetTotals returns the totals of a fleet: a sentence about its accounts and one
// about its plans, on one line, without the last full stop.
func FleetTotals(members []Member) string {
	s := SummariseFleet(members)
	said := totals([]total{{s.Unchanged, "unchanged"}, {s.Changed, "with changes"}, {s.Failed, "refused or failed"}})
	return fmt.Sprintf("%s: %s. Plan: %s", count(s.Accounts, "account", "accounts"), said, PlanTotals(&plan.Plan{Summary: s.Summary}))
}

// group is accounts whose plans do the same: equal once names stand in place of SIDs.
// With a base, an account whose plan has two parts is in a group for each, so that
// what one has drifted does not keep the change under review from being shown once.
type group struct {
	members []*Member
	text    string     // what is equal
	plan    *plan.Plan // of the first member, as far as the group is about it
	part    part       // of that plan
	drift   bool
}

// quiet reports whether there is nothing to say of a plan but that the account matches.
func (m *Member) quiet() bool {
	p := m.Plan
	return p != nil && !p.HasChanges() && len(p.Refusals)+len(p.Warnings)+len(p.Kept) == 0
}

// groups puts together what is shown together, in the order of the fleet: first what
// the change under review has a part in, then drift. Accounts with nothing to show and
// those without a plan are in none.
func groups(members []Member, o PlanOptions) (found []*group, err error) {
	type key struct {
		drift bool
		text  string
	}
	seen := make(map[key]*group)
	for i := range members {
		m := &members[i]
		if m.Plan == nil || m.quiet() {
			continue
		}
		for _, g := range m.groups() {
			// What an account has besides makes no difference.
			changes := *g.plan
			if changes.HasChanges() {
				changes.Summary.Unchanged, changes.Summary.Ignored = 0, 0
			}
			text, err := planText(&changes, g.part, o)
			if err != nil {
				return nil, err
			}
			g.text = named(m.Plan).Replace(text)
			if same := seen[key{g.drift, g.text}]; same != nil {
				same.members = append(same.members, m)
				continue
			}
			seen[key{g.drift, g.text}] = g
			found = append(found, g)
		}
	}
	slices.SortStableFunc(found, func(a, b *group) int {
		switch {
		case a.drift == b.drift:
			return 0
		case b.drift:
			return -1
		}
		return 1
	})
	return found, nil
}

// groups are those that an account is in, still alone: one for each part of its plan
// that has anything. Its warnings and refusals are in the first.
func (m *Member) groups() (found []*group) {
	parts := split(m.Plan)
	if parts[1].len() == 0 {
		p := *m.Plan
		p.Origins = nil
		return []*group{{members: []*Member{m}, plan: &p, part: parts[0]}}
	}
	for i, pt := range parts {
		if pt.len() == 0 {
			continue
		}
		p := *m.Plan
		p.Summary, p.Kept, p.Origins = pt.summary(), nil, nil
		for _, k := range pt.kept {
			p.Kept = append(p.Kept, *k)
		}
		if len(pt.changes) == 0 {
			p.Changes = nil
		}
		if len(found) > 0 {
			p.Warnings, p.Refusals = nil, nil
		}
		found = append(found, &group{members: []*Member{m}, plan: &p, part: pt, drift: i == 1})
	}
	return found
}

// planText is a plan as text without the account that it is for.
func planText(p *plan.Plan, pt part, o PlanOptions) (string, error) {
	var text bytes.Buffer
	b := bufio.NewWriter(&text)
	planBody(b, p, [2]part{pt}, o)
	if p.Summary != (plan.Summary{}) || !p.HasChanges() { // a part may be a step alone
		fmt.Fprintf(b, "Plan: %s.\n", PlanTotals(p))
	}
	err := b.Flush()
	return text.String(), err
}

// named puts names in place of the SIDs in a text about a plan, and one word in
// place of the SIDs of the flows that it changes.
func named(p *plan.Plan) *strings.Replacer {
	var pairs []string
	for sid, name := range p.Names {
		name = safetext.Line(name)
		pairs = append(pairs, sid+" ("+name+")", name, sid, name)
	}
	for i := range p.Changes {
		if sid := p.Changes[i].SID; sid != "" {
			pairs = append(pairs, sid, each)
		}
	}
	for i := range p.Kept {
		pairs = append(pairs, p.Kept[i].SID, each)
	}
	return strings.NewReplacer(pairs...)
}

// each stands in place of what each account of a group has a SID of its own for.
const each = "(a SID for each account)"

func (g *group) names() string {
	names := make([]string, len(g.members))
	for i, m := range g.members {
		names[i] = m.Name
	}
	return strings.Join(names, ", ")
}

// FleetHeading is the line above what is about one account of a fleet.
func FleetHeading(name, sid string, place Place, style Style) string {
	return style.fill(0, 4, span{Name, safetext.Line(name)}, plain(": "+place.account(sid, safetext.Line)))
}

// FleetPlan writes the plans of a fleet as text. Accounts with equal plans share one.
// The plan of an account stands as [Plan] writes it, below a heading. o.Place is
// not used.
func FleetPlan(w io.Writer, members []Member, o PlanOptions) error {
	found, err := groups(members, o)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	drift := false
	for _, g := range found {
		if g.drift && !drift {
			drift = true
			fmt.Fprintf(b, "%s\n\n", o.fill(0, 4, span{Name, driftHeading}))
		}
		if len(g.members) == 1 {
			m := g.members[0]
			text, err := planText(g.plan, g.part, o)
			if err != nil {
				return err
			}
			fmt.Fprintf(b, "%s\n\n%s\n", FleetHeading(m.Name, m.Plan.AccountSID, m.Place, o.Style), text)
			continue
		}
		fmt.Fprintf(b, "%s\n\n%s\n", o.fill(0, 4, span{Name, safetext.Line(g.names())}, plain(": "+count(len(g.members), "account", "accounts"))), g.text)
	}
	var unchanged, without []string
	for i := range members {
		switch m := &members[i]; {
		case m.Plan == nil:
			without = append(without, m.Name+" ("+m.State+")")
		case m.quiet():
			unchanged = append(unchanged, m.Name)
		}
	}
	if len(unchanged) > 0 {
		fmt.Fprintf(b, "%s\n", o.fill(0, 4, span{Success, "No changes"}, plain(": "+safetext.Line(strings.Join(unchanged, ", "))+".")))
	}
	if len(without) > 0 {
		fmt.Fprintf(b, "%s\n", o.fill(0, 4, span{Error, "No plan"}, plain(": "+safetext.Line(strings.Join(without, ", "))+".")))
	}
	if whose := originTotals(SummariseFleet(members).Origins); whose != "" {
		fmt.Fprintf(b, "Origin: %s.\n", whose)
	}
	fmt.Fprintf(b, "%s.\n", o.fill(0, 4, plain("Fleet: "+FleetTotals(members))))
	return b.Flush()
}

// FleetQuestion is what a person is asked before the plans of a fleet are applied:
// how many flows they delete and disable, if any, and in how many accounts.
func FleetQuestion(members []Member, style Style) string {
	all := &plan.Plan{}
	accounts := 0
	for _, m := range members {
		if m.Plan != nil && m.Plan.HasChanges() {
			accounts++
			all.Changes = append(all.Changes, m.Plan.Changes...)
			all.Summary.Delete += m.Plan.Summary.Delete
		}
	}
	asked := style.fill(0, 0, plain("Apply these changes to "+count(accounts, "account", "accounts")+"? [yes/no]")) + " "
	if harm := harmDone(all, "DELETES", "DISABLES", " and "); harm != "" {
		return style.Paint(Error, "This "+harm+".") + "\n" + asked
	}
	return asked
}

// FleetMarkdown writes the plans of a fleet as one comment: a marker with the name of
// the fleet file, the totals, a table of all accounts, and the changes, those of
// equal plans once, and the YAML that adopts their drift. Beyond the limit it leaves out,
// and counts, first that YAML and the diffs, then the tables of changes, then the
// accounts without changes.
func FleetMarkdown(w io.Writer, file string, members []Member, o MarkdownOptions) error {
	var b bytes.Buffer
	file = clip(file, maxPlace)
	s := SummariseFleet(members)
	said := "no changes"
	if s.Changed > 0 {
		said = count(s.Changed, "account", "accounts") + " with changes"
	}
	if s.Failed > 0 {
		said += fmt.Sprintf(", %d refused or failed", s.Failed)
	}
	fmt.Fprintf(&b, "<!-- flexsync:plan fleet %s -->\n### flexsync plan of a fleet: %s\n\n%s.\n", safetext.Comment(file), said, FleetTotals(members))
	if whose := originTotals(s.Origins); whose != "" {
		fmt.Fprintf(&b, "Origin: %s.\n", whose)
	}
	limit := max(o.MaxBytes, MinMarkdownBytes)
	footer := o.footer("", limit/6)
	const trailer = 190
	budget := limit - len(footer) - trailer
	var cut omitted

	order := make([]*Member, len(members))
	for i := range members {
		order[i] = &members[i]
	}
	slices.SortStableFunc(order, func(a, b *Member) int { return urgency(a) - urgency(b) })
	rows := make([]string, len(order))
	for i, m := range order {
		rows[i] = memberRow(m)
	}
	whole := fleetTable(&b, "Create | Update | Delete", rows, budget, &cut)

	found, err := groups(members, PlanOptions{})
	if err != nil {
		return err
	}
	sections, drift := 0, false
	for ; sections < len(found) && whole; sections++ {
		g := found[sections]
		text := g.section()
		if g.drift && !drift {
			text, drift = "\n#### "+driftHeading+"\n"+text, true
		}
		if b.Len()+len(text) > budget {
			break
		}
		b.WriteString(text)
	}
	cut.add(len(found)-sections, len(found), "lists of changes")
	if sections == len(found) {
		folded := 0
		for _, g := range found {
			text := g.folded()
			if text == "" || b.Len()+len(text) <= budget {
				b.WriteString(text)
				continue
			}
			folded++
		}
		cut.add(folded, len(found), "lists of diffs")
	}
	adoptable, left := 0, 0
	for i := range members {
		m := &members[i]
		if len(m.Adopt) == 0 {
			continue
		}
		adoptable++
		if text := adoptFold(m.Name, m.Adopt); b.Len()+len(text) <= budget {
			b.WriteString(text)
		} else {
			left++
		}
	}
	cut.add(left, adoptable, "lists of YAML to adopt")
	b.WriteString(cut.line(limit, planShowsAll))
	b.WriteString(footer)
	_, err = w.Write(b.Bytes())
	return err
}

// fleetTable writes the table of all accounts, as far as it fits, and reports whether
// it does.
func fleetTable(b *bytes.Buffer, counts string, rows []string, budget int, cut *omitted) bool {
	shown := 0
	for ; shown < len(rows); shown++ {
		text := rows[shown]
		if shown == 0 {
			text = "\n| Account | SID | " + counts + " | State |\n| --- | --- | --- | --- | --- | --- |\n" + text
		}
		if b.Len()+len(text) > budget {
			break
		}
		b.WriteString(text)
	}
	cut.add(len(rows)-shown, len(rows), "accounts")
	return shown == len(rows)
}

// urgency orders the rows of accounts: what needs a person first.
func urgency(m *Member) int {
	switch {
	case m.Plan == nil || len(m.Plan.Refusals) > 0:
		return 0
	case m.Plan.HasChanges():
		return 1
	}
	return 2
}

func memberRow(m *Member) string {
	if m.Plan == nil {
		return row(safetext.Code(clip(m.Name, maxPlace)), "", "", "", "", "❌ "+safetext.Prose(m.State))
	}
	state, n := "✅ unchanged", m.Plan.Summary
	switch {
	case len(m.Plan.Refusals) > 0:
		state = "❌ refused"
	case m.Plan.HasChanges():
		state = "📝 changes"
	}
	return m.row(m.Plan.AccountSID, n.Create, n.Update, n.Delete, state)
}

func (m *Member) row(sid string, created, updated, deleted int, state string) string {
	if sid = clip(sid, maxAccount); sid != "" {
		sid = safetext.Code(sid)
	}
	return row(safetext.Code(clip(m.Name, maxPlace)), sid, fmt.Sprint(created), fmt.Sprint(updated), fmt.Sprint(deleted), state)
}

// section is what a group does, as a heading, its notices and a table.
func (g *group) section() string {
	var b strings.Builder
	level := "####"
	if g.drift {
		level = "#####"
	}
	fmt.Fprintf(&b, "\n%s %s\n", level, safetext.Prose(g.names()))
	for _, list := range noticeLists(g.plan) {
		if len(list.notices) > 0 {
			fmt.Fprintf(&b, "\n%s\n\n%s", list.title, strings.Join(noticeItems("", list.notices), ""))
		}
	}
	if pt := &g.part; pt.len() > 0 {
		b.WriteString(tableHeader(g.plan))
		for _, c := range pt.changes {
			b.WriteString(changeRow(g.plan, c))
		}
		for _, k := range pt.kept {
			b.WriteString(keptRow(k))
		}
	}
	return g.shared(b.String())
}

// folded is the diffs of a group, or "".
func (g *group) folded() string {
	if len(g.part.changes) == 0 {
		return ""
	}
	var b strings.Builder
	what := "Field by field"
	if g.drift {
		what = "Drift, field by field"
	}
	fmt.Fprintf(&b, "\n<details><summary>%s: %s</summary>\n", what, safetext.Prose(g.names()))
	for _, c := range g.part.changes {
		b.WriteString(block(g.plan, c))
	}
	b.WriteString("\n</details>\n")
	return g.shared(b.String())
}

// shared is a text about the first account of a group that holds for all of them.
func (g *group) shared(text string) string {
	if len(g.members) == 1 {
		return text
	}
	return named(g.members[0].Plan).Replace(text)
}
