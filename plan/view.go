package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/schema"
)

// What the text and the Markdown have in common.

// byHarm returns the changes as a reviewer should meet them: deletions, flows
// that are switched off, other updates, creates; in the plan's order within
// each.
func (p *Plan) byHarm() []*Change {
	cs := make([]*Change, len(p.Changes))
	for i := range p.Changes {
		cs[i] = &p.Changes[i]
	}
	slices.SortStableFunc(cs, func(a, b *Change) int { return cmp.Compare(a.harm(), b.harm()) })
	return cs
}

func (c *Change) harm() int {
	switch {
	case c.Action == Delete && c.CopyOf == "":
		return 0
	case c.Action == Delete:
		return 1
	case c.Disables():
		return 2
	case c.Action == Update:
		return 3
	}
	return 4
}

// newSID stands in the place of the SID of a flow that is created: whatever
// holds the SID of a flow that was there before has to be given the new one.
const newSID = "(new SID)"

// notes are the sentences that go with a change.
func (c *Change) notes() []string {
	var notes []string
	switch {
	case c.Action == Delete && c.Reason != "":
		notes = append(notes, c.Reason)
	case c.Action == Delete:
		notes = append(notes, "no file declares it")
	case c.Step == StepDisable:
		notes = append(notes, "switched off for a moment: identities are swapped, and a later step finishes this flow")
	case c.Disables():
		notes = append(notes, "SWITCHED OFF: messages no longer reach it")
	}
	if c.RenamedFrom != "" {
		notes = append(notes, "renamed from "+safetext.Quote(c.RenamedFrom))
	}
	return notes
}

// shown are the fields that are worth a line: all that change, less the name
// that stands above them.
func (c *Change) shown() []FieldChange {
	if c.Action == Delete {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.Fields), func(f FieldChange) bool {
		return f.Path == schema.FieldFriendlyName.Path && f.After == c.FriendlyName
	})
}

// describe says in one line what a flow is.
func (p *Plan) describe(f *schema.Flow) string {
	parts := []string{p.show(cmp.Or(f.ChannelType, "no channel"))}
	if f.ContactIdentity != "" {
		parts[0] += " " + p.show(f.ContactIdentity)
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
		parts = append(parts, "studio "+p.show(f.FlowSID))
	case schema.External:
		parts = append(parts, "external "+p.show(f.URL))
	case schema.Task:
		parts = append(parts, "task "+p.show(f.WorkflowSID))
	default:
		parts = append(parts, p.show(f.IntegrationType))
	}
	return strings.Join(parts, ", ")
}

// show returns a value for the eye: plain where it cannot be misread, quoted
// where it could, with its name beside a SID.
func (p *Plan) show(v schema.Value) string {
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

// Totals says what the plan comes to.
func (p *Plan) Totals() string {
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
