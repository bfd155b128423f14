package render

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/internal/secret"
	"flexsync/plan"
	"flexsync/schema"
)

// What the text and the Markdown of a plan have in common.

// Place says where an account is and how it was chosen, as far as that is worth
// saying. At most one is set; without any, it is an account of Twilio that the
// environment names.
type Place struct {
	Local   string // the file of an embedded account
	Profile string // the profile that the credentials are from
}

// account names an account, whose SID may be "": `account AC… (embedded: account.json)`.
// foreign makes text safe that is not ours.
func (pl Place) account(sid string, foreign func(string) string) string {
	said := "the account"
	if sid != "" {
		said = "account " + foreign(sid)
	}
	switch {
	case pl.Local != "":
		said += " (embedded: " + foreign(pl.Local) + ")"
	case pl.Profile != "":
		said += " (profile " + foreign(pl.Profile) + ")"
	}
	return said
}

// Account returns the head of what is about an account: which one it is, and where.
func Account(sid string, place Place) string { return capital(place.account(sid, safetext.Line)) }

// capital returns a sentence with a capital letter.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// shownChange is a change as it is shown: a replacement is one, and so each change
// knows what others of the plan say about it.
type shownChange struct {
	*plan.Change
	// replaced is, on the create of a replacement, what its delete takes away.
	replaced *schema.Object
	// moves is, on a step that begins a move, what it moves to.
	moves string
}

// byHarm returns the changes in the order in which a reviewer should see them:
// deletes, disabled flows, other updates, creates; in the plan's order within each.
func byHarm(p *plan.Plan) []*shownChange {
	replaced := make(map[string]*schema.Object)
	moves := make(map[string]string)
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Replaces != "" {
			replaced[c.Replaces] = nil
		}
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		if _, ok := replaced[c.SID]; ok && c.Action == plan.Delete {
			replaced[c.SID] = c.Before
		}
		if c.MovedTo != "" {
			moves[c.SID] = c.MovedTo
		}
	}
	var cs []*shownChange
	for i := range p.Changes {
		c := &shownChange{Change: &p.Changes[i]}
		switch {
		case c.Replaces != "":
			c.replaced = replaced[c.Replaces]
		case c.Step == plan.StepDisable:
			c.moves = moves[c.SID]
		case c.Action == plan.Delete && replaced[c.SID] != nil:
			continue
		}
		cs = append(cs, c)
	}
	slices.SortStableFunc(cs, func(a, b *shownChange) int { return cmp.Compare(harm(a.Change), harm(b.Change)) })
	return cs
}

// sid is what is shown as the SID of the changed resource.
func (c *shownChange) sid(show func(string) string) string {
	switch {
	case c.replaced != nil:
		return show(c.Replaces) + " → " + newSID
	case c.SID == "":
		return newSID
	}
	return show(c.SID)
}

// replacing is the symbol and the verb of a replacement.
const replacing = "± replace"

// split returns the changes and the kept resources of a plan in two parts: what the
// change under review has a part in, which without a base is everything, and drift.
func split(p *plan.Plan) (parts [2]part) {
	at := func(o plan.Origin) *part {
		if o == plan.Drift {
			return &parts[1]
		}
		return &parts[0]
	}
	for _, c := range byHarm(p) {
		part := at(c.Origin)
		part.changes = append(part.changes, c)
	}
	for i := range p.Kept {
		part := at(p.Kept[i].Origin)
		part.kept = append(part.kept, &p.Kept[i])
	}
	return parts
}

type part struct {
	changes []*shownChange
	kept    []*plan.Kept
}

func (pt *part) len() int { return len(pt.changes) + len(pt.kept) }

// summary counts what a part does.
func (pt *part) summary() plan.Summary {
	s := plan.Summary{Kept: len(pt.kept)}
	for _, c := range pt.changes {
		switch {
		case c.replaced != nil:
			s.Create++
			s.Delete++
		case c.Step != "":
		case c.Action == plan.Create:
			s.Create++
		case c.Action == plan.Update:
			s.Update++
		default:
			s.Delete++
		}
	}
	return s
}

// driftHeading is the heading of the second part.
const driftHeading = "Drift: changed in the account by hand; apply puts it back"

// origin marks a field of a change whose fields have several origins. A value that
// has a # is in quotes, so the mark cannot be taken for a part of it.
func origin(c *shownChange, f *plan.FieldChange) string {
	if c.Origin != plan.Both || f.Origin == "" || !c.updates() {
		return ""
	}
	return "  # " + safetext.Line(string(f.Origin))
}

// originTotals says how many changes are whose, "" without a base.
func originTotals(o *plan.Origins) string {
	if o == nil {
		return ""
	}
	return totals([]total{{o.Config, "from the change under review"}, {o.Drift, "drift"}, {o.Both, "of both"}})
}

// The harm that a change does, the most first.
const (
	deletes = iota
	deletesCopy
	disables
	updates
	creates
)

func harm(c *plan.Change) int {
	switch {
	case c.Action == plan.Delete && c.CopyOf == "", c.Replaces != "":
		return deletes
	case c.Action == plan.Delete:
		return deletesCopy
	case c.Disables() && c.Step == "": // a later step finishes what a step does
		return disables
	case c.Action == plan.Update:
		return updates
	}
	return creates
}

// harmDone says how many resources of which kind a plan deletes and disables, with
// verbs for both; "" if it does neither.
func harmDone(p *plan.Plan, deleting, disabling, and string) string {
	deleted, disabled := make(map[*schema.Kind]int), make(map[*schema.Kind]int)
	for i := range p.Changes {
		switch c := &p.Changes[i]; {
		case c.Action == plan.Delete:
			deleted[c.Kind]++
		case harm(c) == disables:
			disabled[c.Kind]++
		}
	}
	var said []string
	for _, of := range []struct {
		verb string
		n    map[*schema.Kind]int
	}{{deleting, deleted}, {disabling, disabled}} {
		if counts := countKinds(of.n, ", "); counts != "" {
			said = append(said, of.verb+" "+counts)
		}
	}
	return strings.Join(said, and)
}

// countKinds is "2 flows and 1 address", with a word between the two; "" without any.
func countKinds(n map[*schema.Kind]int, and string) string {
	var counts []string
	for _, k := range schema.Kinds {
		if n[k] > 0 {
			counts = append(counts, count(n[k], k.Name, k.Plural))
		}
	}
	return strings.Join(counts, and)
}

// keptKinds is how many resources of which kind a plan keeps.
func keptKinds(p *plan.Plan) map[*schema.Kind]int {
	kept := make(map[*schema.Kind]int)
	for i := range p.Kept {
		kept[p.Kept[i].Kind]++
	}
	return kept
}

// count is "1 flow" or "2 flows".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// newSID is shown in place of the SID of a flow that is created: whatever has the
// SID of an earlier flow needs the new one.
const newSID = "(new SID)"

// notes are the sentences that go with a change.
func notes(c *shownChange) []span {
	var said []span
	moves := c.MovedTo
	if moves == "" {
		moves = c.moves
	}
	if moves != "" {
		said = append(said, plain("its identity moves to "+safetext.Quote(moves)))
	}
	switch {
	case c.replaced != nil:
		said = append(said, span{Warning, "it is deleted and created again, because the API cannot change this: its SID changes, and nobody answers in between"})
	case c.moves != "":
		said = append(said, span{Warning, "disabled first; enabled again if the move does not succeed"})
	case c.Action == plan.Delete && c.MovedTo != "":
	case c.MovedTo != "":
		said = append(said, plain("disabled and kept: --no-delete"))
	case c.Action == plan.Delete && c.Reason != "":
		said = append(said, plain(c.Reason))
	case c.Action == plan.Delete:
		said = append(said, plain("no file declares it"))
	case c.Step == plan.StepDisable:
		said = append(said, span{Warning, "disabled for a moment, because identities are swapped; a later step finishes this " + c.Kind.Name})
	case harm(c.Change) == disables:
		said = append(said, span{Error, "DISABLED: messages no longer reach it"})
	}
	switch {
	case c.Origin != plan.Both:
	case !c.updates():
		said = append(said, plain("deleted in the account by hand, and edited here"))
	default:
		said = append(said, plain("also changed in the account by hand"))
	}
	if c.RenamedFrom != "" {
		said = append(said, plain("renamed from "+safetext.Quote(c.RenamedFrom)))
	}
	return said
}

// shown are the fields that get a line: all that change, without the name, which
// is in the heading.
func shown(c *shownChange) []plan.FieldChange {
	if c.Action == plan.Delete {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.fields()), func(f plan.FieldChange) bool {
		return f.Path == c.Kind.ID.Path && f.After == c.ID
	})
}

// fields are the fields that change; those of a replacement are compared with what it
// replaces.
func (c *shownChange) fields() []plan.FieldChange {
	if c.replaced == nil {
		return c.Fields
	}
	return c.FieldsFrom(c.replaced)
}

// updates reports whether fields have a value before and one after.
func (c *shownChange) updates() bool { return c.Action == plan.Update || c.replaced != nil }

// describe describes a resource in one line.
func describe(p *plan.Plan, o *schema.Object) string {
	word := func(s, none string) string {
		if s == "" {
			return none
		}
		return show(p, s)
	}
	said := word(o.Text(o.Kind.Channel), noChannel)
	if contact := o.Get(o.Kind.Contact); contact != nil {
		said += " " + show(p, contact)
	}
	said += ", " + onOff(o) + ", " + word(o.Variant(), noIntegration)
	if target := o.Target(); target != "" {
		said += " " + show(p, target)
	}
	return said
}

// What is said of a flow of the account that lacks one.
const (
	noChannel     = "no channel"
	noIntegration = "no integration"
)

func onOff(o *schema.Object) string {
	if o.Enabled() {
		return "enabled"
	}
	return "disabled"
}

// briefValue is the longest value, in cells, that is shown where each change has one
// line; briefFields is how many fields are named there.
const (
	briefValue  = 24
	briefFields = 4
)

// brief says in a few words what an update changes: values that are short, or have a
// name, as old → new, other fields by their paths alone. foreign makes values safe.
func brief(p *plan.Plan, c *shownChange, foreign func(schema.Value) string) string {
	value := func(v schema.Value) (schema.Value, bool) {
		if sid, ok := v.(string); ok && p.Names[sid] != "" {
			v = p.Names[sid]
		}
		return v, Width(show(p, v)) <= briefValue
	}
	fields := shown(c)
	if harm(c.Change) == disables { // which is said in other words
		fields = slices.DeleteFunc(fields, func(f plan.FieldChange) bool { return f.Path == c.Kind.Enabled.Path })
	}
	var said []string
	for i, f := range fields {
		if i == briefFields && len(fields) > briefFields+1 {
			said = append(said, fmt.Sprintf("%d more fields", len(fields)-i))
			break
		}
		text := f.Path
		before, ok := value(f.Before)
		if after, fits := value(f.After); ok && fits {
			text += " " + foreign(before) + " → " + foreign(after)
		}
		said = append(said, text)
	}
	return strings.Join(said, ", ")
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
		s := safetext.MaskUserinfo(v)
		if !isPlain(s) && !secret.IsSecret(s) {
			s = safetext.Quote(s)
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
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("+-_.:/@%&=?~*", r) {
			return false
		}
	}
	return true
}

// PlanTotals returns the totals of a plan, without those that are 0 and without a
// full stop.
func PlanTotals(p *plan.Plan) string {
	s := p.Summary
	none := "no flows"
	for i, k := range p.Kinds() {
		if i == 0 {
			none = "no " + k.Plural
		} else {
			none += " or " + k.Plural
		}
	}
	return cmp.Or(totals([]total{
		{s.Create, "to create"}, {s.Update, "to update"}, {s.Delete, "to delete"},
		{s.Unchanged, "unchanged"}, {s.Ignored, "ignored"}, {s.Kept, "kept"},
	}), none)
}

// Totals lists what is not 0, as in "2 applied, 1 failed"; "" if all is.
func Totals(counts []int, words []string) string {
	list := make([]total, len(counts))
	for i, n := range counts {
		list[i] = total{n, words[i]}
	}
	return totals(list)
}

type total struct {
	n    int
	what string
}

// totals lists what is not 0.
func totals(of []total) string {
	var said []string
	for _, t := range of {
		if t.n > 0 {
			said = append(said, fmt.Sprintf("%d %s", t.n, t.what))
		}
	}
	return strings.Join(said, ", ")
}

// matches is what a plan or report without changes says of the account, kept being
// how many resources of which kind --no-delete keeps.
func matches(kept map[*schema.Kind]int) string {
	if len(kept) == 0 {
		return "the account matches the YAML"
	}
	return fmt.Sprintf("--no-delete keeps %s that would be deleted", countKinds(kept, " and "))
}
