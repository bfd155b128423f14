package render

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/plan"
	"flexsync/schema"
)

// What the text and the Markdown of a plan have in common.

// byHarm returns the changes in the order in which a reviewer should see them:
// deletes, disabled flows, other updates, creates; in the plan's order within each.
func byHarm(p *plan.Plan) []*plan.Change {
	cs := make([]*plan.Change, len(p.Changes))
	for i := range p.Changes {
		cs[i] = &p.Changes[i]
	}
	slices.SortStableFunc(cs, func(a, b *plan.Change) int { return cmp.Compare(harm(a), harm(b)) })
	return cs
}

func harm(c *plan.Change) int {
	switch {
	case c.Action == plan.Delete && c.CopyOf == "":
		return 0
	case c.Action == plan.Delete:
		return 1
	case c.Disables():
		return 2
	case c.Action == plan.Update:
		return 3
	}
	return 4
}

// newSID is shown in place of the SID of a flow that is created: whatever has the
// SID of an earlier flow needs the new one.
const newSID = "(new SID)"

// notes are the sentences that go with a change.
func notes(c *plan.Change) []string {
	var said []string
	switch {
	case c.Action == plan.Delete && c.Reason != "":
		said = append(said, c.Reason)
	case c.Action == plan.Delete:
		said = append(said, "no file declares it")
	case c.Step == plan.StepDisable:
		said = append(said, "disabled for a moment, because identities are swapped; a later step finishes this flow")
	case c.Disables():
		said = append(said, "DISABLED: messages no longer reach it")
	}
	if c.RenamedFrom != "" {
		said = append(said, "renamed from "+safetext.Quote(c.RenamedFrom))
	}
	return said
}

// shown are the fields that get a line: all that change, without the name, which
// is in the heading.
func shown(c *plan.Change) []plan.FieldChange {
	if c.Action == plan.Delete {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.Fields), func(f plan.FieldChange) bool {
		return f.Path == schema.FieldFriendlyName.Path && f.After == c.FriendlyName
	})
}

// describe describes a flow in one line.
func describe(p *plan.Plan, f *schema.Flow) string {
	parts := []string{show(p, cmp.Or(f.ChannelType, "no channel"))}
	if f.ContactIdentity != "" {
		parts[0] += " " + show(p, f.ContactIdentity)
	}
	if f.Enabled {
		parts = append(parts, "enabled")
	} else {
		parts = append(parts, "disabled")
	}
	switch f.IntegrationType {
	case "":
		parts = append(parts, "no integration")
	case schema.Studio:
		parts = append(parts, "studio "+show(p, f.FlowSID))
	case schema.External:
		parts = append(parts, "external "+show(p, f.URL))
	case schema.Task:
		parts = append(parts, "task "+show(p, f.WorkflowSID))
	default:
		parts = append(parts, show(p, f.IntegrationType))
	}
	return strings.Join(parts, ", ")
}

// show returns a value for display: quoted where it could be misread, and a SID
// with the name of what it refers to.
func show(p *plan.Plan, v schema.Value) string {
	switch v := v.(type) {
	case nil:
		return "(none)"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case string:
		s := v
		if !isPlain(v) {
			s = safetext.Quote(v)
		}
		if name, ok := p.Names[v]; ok {
			s += " (" + safetext.Line(name) + ")"
		}
		return s
	}
	return fmt.Sprint(v)
}

// isPlain reports whether a string can be shown without quotes.
func isPlain(s string) bool {
	if s == "" || len(s) > safetext.Limit || strings.HasPrefix(s, ":") || s == "true" || s == "false" || s == "null" {
		return false
	}
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("+-_.:/@%&=?~", r) {
			return false
		}
	}
	return true
}

// PlanTotals returns the totals of a plan, without a full stop.
func PlanTotals(p *plan.Plan) string {
	s := p.Summary
	line := fmt.Sprintf("%d to create, %d to update, %d to delete, %d unchanged", s.Create, s.Update, s.Delete, s.Unchanged)
	if s.Ignored > 0 {
		line += fmt.Sprintf(", %d ignored", s.Ignored)
	}
	if s.Kept > 0 {
		line += fmt.Sprintf(", %d kept", s.Kept)
	}
	return line
}

// matches is what a plan or report without changes says of the account, kept being
// the number of flows that --no-delete keeps.
func matches(kept int) string {
	switch kept {
	case 0:
		return "the account matches the YAML"
	case 1:
		return "--no-delete keeps 1 flow that would be deleted"
	}
	return fmt.Sprintf("--no-delete keeps %d flows that would be deleted", kept)
}
