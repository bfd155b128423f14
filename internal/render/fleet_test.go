package render

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"flexsync/apply"
	"flexsync/plan"
	"flexsync/schema"
)

// fleetOf is n accounts: each has a SID of its own for one flow that is deleted, and
// every tenth has nothing to do.
func fleetOf(n int) []Member {
	members := make([]Member, n)
	for i := range members {
		p := &plan.Plan{AccountSID: fmt.Sprintf("AC%032d", i), Summary: plan.Summary{Unchanged: 3}}
		if i%10 != 0 {
			p.Summary.Delete = 1
			o := &schema.Object{Kind: schema.Flows}
			o.Set(schema.Flows.ID, "Old")
			p.Changes = []plan.Change{{Action: plan.Delete, Key: o.Key(), SID: fmt.Sprintf("FO%032d", i), Before: o}}
		}
		members[i] = Member{Name: fmt.Sprintf("account-%d", i), Plan: p}
	}
	return members
}

// TestFleetPlanOfOne holds that an account stands in a fleet as it stands alone.
func TestFleetPlanOfOne(t *testing.T) {
	t.Parallel()
	m := fleetOf(2)[1]
	var alone, fleet bytes.Buffer
	if err := Plan(&alone, m.Plan, PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := FleetPlan(&fleet, []Member{m}, PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(alone.String(), "\n\n") // below the account
	want := "account-1: account " + m.Plan.AccountSID + "\n\n" + body + "\nFleet: 1 account: 1 with changes. Plan: 1 to delete, 3 unchanged.\n"
	if fleet.String() != want {
		t.Errorf("got\n%s\nwant\n%s", fleet.String(), want)
	}
}

// TestFleetGroups holds that equal changes are shown once, whatever their SIDs and how
// much the accounts have besides.
func TestFleetGroups(t *testing.T) {
	t.Parallel()
	members := append(fleetOf(11), Member{Name: "lost", State: "failed"})
	members[3].Plan.Summary.Unchanged = 7
	members[4].Plan.Summary.Ignored = 1
	var text bytes.Buffer
	if err := FleetPlan(&text, members, PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text.String(), "- delete"); n != 1 || strings.Contains(text.String(), "FO00") {
		t.Errorf("%d deletes are shown:\n%s", n, text.String())
	}
	for _, want := range []string{
		"account-9: 9 accounts\n", "\n\nPlan: 1 to delete.\n\n", "No changes: account-0, account-10.\n", "No plan: lost (failed).\n",
		"Fleet: 12 accounts: 2 unchanged, 9 with changes, 1 refused or failed. Plan: 9 to delete, 37 unchanged, 1 ignored.\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// TestFleetParts holds that what accounts have drifted does not keep the change under
// review from being shown once, and that drift comes after all of it.
func TestFleetParts(t *testing.T) {
	t.Parallel()
	members := fleetOf(5)[1:]
	for i := range members {
		p := members[i].Plan
		p.Origins, p.Changes[0].Origin = &plan.Origins{Config: 1}, plan.Config
		if i == 0 {
			continue // it has not drifted
		}
		o := &schema.Object{Kind: schema.Flows}
		o.Set(schema.Flows.ID, fmt.Sprint("Made by hand ", i/2))
		p.Origins.Drift, p.Summary.Delete = 1, 2
		p.Changes = append(p.Changes, plan.Change{Action: plan.Delete, Key: o.Key(), SID: fmt.Sprintf("FO9%031d", i), Before: o, Origin: plan.Drift})
	}
	members[3].Plan.Warnings = []plan.Notice{{Code: "code", Message: "of this account alone"}}
	var text, comment bytes.Buffer
	if err := errors.Join(FleetPlan(&text, members, PlanOptions{Compact: true}), FleetMarkdown(&comment, "fleet.yaml", members, MarkdownOptions{MaxBytes: 65000})); err != nil {
		t.Fatal(err)
	}
	const old, made = `- delete "Old"  no channel, disabled, no integration` + "\n\n", `- delete "Made by hand %d"  no channel, disabled, no integration` + "\n\nPlan: 1 to delete.\n\n"
	want := "account-1, account-2, account-3: 3 accounts\n\n" + old + "Plan: 1 to delete.\n\n" +
		"account-4: account AC00000000000000000000000000000004\n\n" + old + "warning (code): of this account alone\n\nPlan: 1 to delete.\n\n" +
		driftHeading + "\n\n" +
		"account-2: account AC00000000000000000000000000000002\n\n" + fmt.Sprintf(made, 0) +
		"account-3, account-4: 2 accounts\n\n" + fmt.Sprintf(made, 1) +
		"Origin: 4 from the change under review, 3 drift.\nFleet: 4 accounts: 4 with changes. Plan: 7 to delete, 12 unchanged.\n"
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
	var headings []string
	for line := range strings.Lines(comment.String()) {
		if strings.HasPrefix(line, "####") || strings.HasPrefix(line, "| ❌") {
			headings = append(headings, strings.TrimSpace(line))
		}
	}
	if got, want := strings.Join(headings, "\n"), `#### `+"`account-1`"+`, `+"`account-2`"+`, `+"`account-3`"+`
| ❌ delete | `+"`Old`"+` | no channel | no file declares it |
#### `+"`account-4`"+`
| ❌ delete | `+"`Old`"+` | no channel | no file declares it |
#### `+driftHeading+`
##### `+"`account-2`"+`
| ❌ delete | `+"`Made by hand 0`"+` | no channel | no file declares it |
##### `+"`account-3`"+`, `+"`account-4`"+`
| ❌ delete | `+"`Made by hand 1`"+` | no channel | no file declares it |`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestFleetMarkdownLimit holds that the table of 100 accounts is whole within the
// limit of a comment, and that a smaller limit is kept.
func TestFleetMarkdownLimit(t *testing.T) {
	t.Parallel()
	members := fleetOf(100)
	for i := range members { // every plan is of its own
		if p := members[i].Plan; p.HasChanges() {
			p.Changes[0].ID = fmt.Sprintf("%d %s", i, strings.Repeat("x", 700))
		}
	}
	for _, limit := range []int{65000, 20000, 5000, MinMarkdownBytes} {
		var text bytes.Buffer
		if err := FleetMarkdown(&text, "fleet.yaml", members, MarkdownOptions{MaxBytes: limit}); err != nil {
			t.Fatal(err)
		}
		if text.Len() > limit || !strings.Contains(text.String(), "**Not shown**") {
			t.Errorf("%d bytes of %d", text.Len(), limit)
		}
		rows := strings.Count(text.String(), "\n| `account-")
		if whole := limit >= 20000; (rows == 100) != whole {
			t.Errorf("limit %d: %d accounts", limit, rows)
		}
		if !strings.HasPrefix(text.String(), "<!-- flexsync:plan fleet fleet.yaml -->\n") {
			t.Errorf("no marker: %.80s", text.String())
		}
	}
}

// TestFleetScreen holds that a hundred accounts with the same one-line change are a
// screen of text, and a comment that has all of it.
func TestFleetScreen(t *testing.T) {
	t.Parallel()
	members := make([]Member, 100)
	for i := range members {
		before, after := &schema.Object{Kind: schema.Flows}, &schema.Object{Kind: schema.Flows}
		for _, o := range []*schema.Object{before, after} {
			o.Set(schema.Flows.ID, "Support")
			o.Set(schema.Flows.Channel, "web")
		}
		after.Set(schema.Flows.Enabled, true)
		sid := fmt.Sprintf("FO%032d", i)
		p := &plan.Plan{AccountSID: fmt.Sprintf("AC%032d", i), Summary: plan.Summary{Update: 1, Unchanged: 49},
			Changes: []plan.Change{{Action: plan.Update, Key: after.Key(), SID: sid, Before: before, After: after,
				Fields: []plan.FieldChange{{Path: "enabled", Before: false, After: true}}}}}
		members[i] = Member{Name: fmt.Sprintf("account-%d", i), Plan: p, Report: &apply.Report{Status: apply.Applied, AccountSID: p.AccountSID,
			Results: []apply.Result{{Action: plan.Update, Key: after.Key(), SID: sid, Status: apply.Done, RequestID: fmt.Sprintf("RQ%032d", i)}}}}
	}
	var text, comment, report bytes.Buffer
	if err := FleetPlan(&text, members, PlanOptions{Style: Style{Width: 80}}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text.String(), "\n"); n > 25 || strings.Count(text.String(), "enabled") != 1 {
		t.Errorf("%d lines:\n%s", n, text.String())
	}
	if err := FleetMarkdown(&comment, "fleet.yaml", members, MarkdownOptions{MaxBytes: 65000}); err != nil {
		t.Fatal(err)
	}
	if err := FleetReportMarkdown(&report, "fleet.yaml", members, MarkdownOptions{MaxBytes: 65000}); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"+ enabled: true": comment.String(), "- ✅ updated `Support`": report.String()} {
		rows := strings.Count(text, "\n| `account-")
		if len(text) > 65000 || strings.Contains(text, "Not shown") || strings.Count(text, what) != 1 || rows != 100 {
			t.Errorf("%d bytes, %d accounts:\n%s", len(text), rows, text)
		}
	}
}

// TestFleetReportLimit holds that a report of many accounts keeps to the limit, with the
// table whole first and what did not succeed at the top.
func TestFleetReportLimit(t *testing.T) {
	t.Parallel()
	members := fleetOf(100)
	for i := range members {
		m := &members[i]
		switch {
		case i == 99:
			m.State = Skipped
		case !m.Plan.HasChanges():
			m.Report = &apply.Report{Status: apply.Unchanged}
		case i == 51:
			m.Report = &apply.Report{Status: apply.Partial, Results: []apply.Result{
				{Action: plan.Delete, Key: m.Plan.Changes[0].Key, Status: apply.Failed, Err: errors.New("it broke")}}}
		default:
			key := m.Plan.Changes[0].Key
			key.ID = fmt.Sprintf("%d %s", i, strings.Repeat("x", 700))
			m.Report = &apply.Report{Status: apply.Applied, Results: []apply.Result{{Action: plan.Delete, Key: key, Status: apply.Done}}}
		}
	}
	for _, limit := range []int{10000, 5000, MinMarkdownBytes} {
		var b bytes.Buffer
		if err := FleetReportMarkdown(&b, "fleet.yaml", members, MarkdownOptions{MaxBytes: limit}); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if len(text) > limit || !strings.Contains(text, "**Not shown**") {
			t.Errorf("%d bytes of %d", len(text), limit)
		}
		rows := strings.Count(text, "\n| `account-")
		if whole := limit >= 10000; (rows == 100) != whole || whole && !strings.Contains(text, "\n#### `account-51`\n\n- ❌ failed: delete") {
			t.Errorf("limit %d: %d accounts\n%s", limit, rows, text)
		}
		if !strings.HasPrefix(text, "<!-- flexsync:apply fleet fleet.yaml -->\n### flexsync apply of a fleet: ") {
			t.Errorf("no marker: %.80s", text)
		}
		if limit > 1000 && !strings.Contains(strings.SplitN(text, "| --- |\n", 2)[1][:80], "`account-51`") {
			t.Errorf("what did not succeed is not the first:\n%.500s", text)
		}
	}
}
