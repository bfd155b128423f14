package render

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"flexsync/apply"
	"flexsync/internal/safetext"
)

// FleetCounts counts the accounts of a fleet that was to be applied, each of which is in
// one of the others, and what was done in all of them.
type FleetCounts struct {
	Accounts  int `json:"accounts"`
	Changed   int `json:"changed"` // applied as planned
	Unchanged int `json:"unchanged"`
	Failed    int `json:"failed"`  // also those that were left out
	Skipped   int `json:"skipped"` // the run did not get to them
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Deleted   int `json:"deleted"`
}

// Skipped is the State of a member that the run did not get to.
const Skipped = "skipped"

// CountReports counts members.
func CountReports(members []Member) FleetCounts {
	n := FleetCounts{Accounts: len(members)}
	for i := range members {
		m := &members[i]
		switch {
		case m.State == Skipped:
			n.Skipped++
		case m.Report == nil:
			n.Failed++
		case m.Report.Status == apply.Applied:
			n.Changed++
		case m.Report.Status == apply.Unchanged:
			n.Unchanged++
		default:
			n.Failed++
		}
		if m.Report != nil {
			done := m.Report.Counts()
			n.Created += done.Created
			n.Updated += done.Updated
			n.Deleted += done.Deleted
		}
	}
	return n
}

func (n FleetCounts) String() string {
	return count(n.Accounts, "account", "accounts") + ": " + totals([]total{
		{n.Changed, "applied"}, {n.Unchanged, "unchanged"}, {n.Failed, "failed"}, {n.Skipped, "skipped"}})
}

// FleetReportMarkdown writes what an apply of a fleet did as one comment: a marker with
// the name of the fleet file, the totals, a table of all accounts, and what was done,
// equal reports once. What did not succeed comes first. Beyond the limit it counts what
// it leaves out; the table is kept whole first.
func FleetReportMarkdown(w io.Writer, file string, members []Member, o MarkdownOptions) error {
	var b bytes.Buffer
	said := CountReports(members).String()
	_, verdict, _ := strings.Cut(said, ": ")
	fmt.Fprintf(&b, "<!-- flexsync:apply fleet %s -->\n### flexsync apply of a fleet: %s\n\n%s.\n", safetext.Comment(clip(file, maxPlace)), verdict, said)
	limit := max(o.MaxBytes, MinMarkdownBytes)
	footer := o.footer("", limit/6)
	const trailer = 150 // room for the line of what was cut
	budget := limit - len(footer) - trailer
	var cut omitted

	order := make([]*Member, len(members))
	for i := range members {
		order[i] = &members[i]
	}
	slices.SortStableFunc(order, func(a, b *Member) int { return cmp.Compare(reportUrgency(a), reportUrgency(b)) })
	rows := make([]string, len(order))
	for i, m := range order {
		rows[i] = reportRow(m)
	}
	whole := fleetTable(&b, "Created | Updated | Deleted", rows, budget, &cut)

	all, shown := 0, 0
	for _, g := range reportGroups(order) {
		head := fmt.Sprintf("\n#### %s\n\n", safetext.Prose(g.names()))
		for _, line := range g.lines {
			all++
			if text := head + line; whole && b.Len()+len(text) <= budget {
				b.WriteString(text)
				head = ""
				shown++
			}
		}
	}
	cut.add(all-shown, all, "lines")
	b.WriteString(cut.line(limit, ""))
	b.WriteString(footer)
	_, err := w.Write(b.Bytes())
	return err
}

// reportUrgency orders accounts: what needs a person first.
func reportUrgency(m *Member) int {
	switch {
	case m.State == Skipped:
		return 1
	case m.Report == nil:
		return 0
	case m.Report.Status == apply.Applied:
		return 2
	case m.Report.Status == apply.Unchanged:
		return 3
	}
	return 0
}

func reportRow(m *Member) string {
	sid := ""
	if m.Plan != nil {
		sid = m.Plan.AccountSID
	}
	if m.Report == nil || m.State == Skipped {
		icon := "❌ "
		if m.State == Skipped {
			icon = "⚠️ "
		}
		return m.row(sid, 0, 0, 0, icon+safetext.Prose(m.State))
	}
	icon, n := "❌ ", m.Report.Counts()
	if m.Report.Status == apply.Applied || m.Report.Status == apply.Unchanged {
		icon = "✅ "
	}
	state := icon + string(m.Report.Status)
	if rest := totals([]total{{n.Failed, "failed"}, {n.Skipped, "skipped"}}); rest != "" {
		state += ": " + rest
	}
	return m.row(sid, n.Created, n.Updated, n.Deleted, state)
}

// reportGroup is accounts of which the same is said.
type reportGroup struct {
	group
	lines []string
}

// reportGroups puts together what is shown together. Accounts of which there is nothing
// to say but their state are in none.
func reportGroups(members []*Member) (found []*reportGroup) {
	byText := make(map[string]*reportGroup)
	for _, m := range members {
		var lines, pairs []string
		differs := func(id, with string) {
			if id != "" {
				pairs = append(pairs, id, with)
			}
		}
		switch {
		case m.Report != nil && m.State != Skipped:
			lines = reportLines(m.Report)
			for _, res := range m.Report.Results {
				differs(res.SID, each)
				differs(res.RequestID, "(one for each account)")
			}
			for _, mis := range m.Report.Mismatches {
				differs(mis.SID, each)
			}
		case m.Plan != nil:
			lines = noticeItems("❌ ", m.Plan.Refusals)
		}
		if len(lines) == 0 {
			continue
		}
		nameless := strings.NewReplacer(pairs...)
		shared := make([]string, len(lines))
		for i, line := range lines {
			shared[i] = nameless.Replace(line)
		}
		key := strings.Join(shared, "")
		g := byText[key]
		if g == nil {
			g = &reportGroup{lines: lines}
			byText[key] = g
			found = append(found, g)
		} else {
			g.lines = shared
		}
		g.members = append(g.members, m)
	}
	return found
}
