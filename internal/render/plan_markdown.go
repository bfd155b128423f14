package render

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
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

// clip is a text of foreign origin of at most n bytes once it is safe.
func clip(s string, n int) string {
	s = safetext.MaskUserinfo(s) // not of a part of it
	s = safetext.Line(s[:min(len(s), n)])
	for len(s) > n {
		_, last := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-last]
	}
	return s
}

// MarkdownOptions say how Markdown is written.
type MarkdownOptions struct {
	// MaxBytes is the limit in bytes; less than MinMarkdownBytes counts as that.
	MaxBytes int
	Place    Place
	Version  string // of flexsync; "": not shown
	Job      Job
	Adopt    []byte // the YAML that adopts the drift of a plan, folded at the end; nil: none
}

// Job is what a CI system says of the job that flexsync runs in. What is not a
// commit or not a plain http(s) URL is not shown.
type Job struct {
	Commit string // a hash, shown as its first 7 digits
	URL    string // of the job's page
}

var (
	commitRE = regexp.MustCompile(`^[0-9a-f]{7,64}$`)
	jobURLRE = regexp.MustCompile(`^https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~%+-]*)*$`)
)

// maxPlace is how much of a place's name is shown, in bytes once it is safe.
const maxPlace = 80

// footer is the last line: what is at hand of the account, the commit, the version
// and the job, as far as there is room.
func (o *MarkdownOptions) footer(sid string, room int) string {
	place := o.Place
	for _, name := range []*string{&place.Local, &place.Profile} {
		*name = clip(*name, maxPlace)
	}
	account := capital(place.account(sid, safetext.Code))
	if len(account) > room/2 {
		account = capital(Place{}.account(sid, safetext.Code))
	}
	parts := []string{account}
	if sid == "" && o.Place == (Place{}) {
		parts = nil
	}
	if commitRE.MatchString(o.Job.Commit) {
		parts = append(parts, "commit "+safetext.Code(o.Job.Commit[:7]))
	}
	if o.Version != "" {
		parts = append(parts, "flexsync "+safetext.Code(clip(o.Version, maxPlace)))
	}
	if jobURLRE.MatchString(o.Job.URL) {
		parts = append(parts, "[job]("+o.Job.URL+")")
	}
	line := ""
	for _, part := range parts {
		if line != "" {
			part = " · " + part
		}
		if len(line)+len(part) <= room {
			line += part
		}
	}
	if line == "" {
		return ""
	}
	return "\n" + line + "\n"
}

// PlanMarkdown writes a plan as a comment for a pull request: a marker by which a bot
// finds its comment, a verdict and the totals, what was refused or is doubtful, a
// table of the changes, and each change field by field as a diff block, folded. Deletes
// and disabled flows come first. Beyond the limit it leaves out, and counts, the diffs
// first, then the harmless rows, then warnings. With a base, drift has a
// heading and a table of its own.
func PlanMarkdown(w io.Writer, p *plan.Plan, o MarkdownOptions) error {
	var b bytes.Buffer
	account := clip(p.AccountSID, maxAccount)
	fmt.Fprintf(&b, "<!-- flexsync:plan %s -->\n", safetext.Comment(account))
	fmt.Fprintf(&b, "### flexsync plan: %s\n\n", verdict(p))
	fmt.Fprintf(&b, "%s.\n", PlanTotals(p))
	if whose := originTotals(p.Origins); whose != "" {
		fmt.Fprintf(&b, "Origin: %s.\n", whose)
	}

	limit := max(o.MaxBytes, MinMarkdownBytes)
	footer := o.footer(account, limit/6)
	const trailer = 190 // room for the line of what was cut
	budget := limit - len(footer) - trailer
	var cut omitted

	changes := byHarm(p)
	header := tableHeader(p)
	reserved := len(header) // for the harmful rows
	for _, c := range changes {
		if reserved >= budget/2 || harm(c.Change) > disables {
			break
		}
		reserved += len(changeRow(p, c))
	}
	reserved = min(reserved, budget/2)

	noticesCut := 0
	for i, list := range noticeLists(p) {
		limit := []int{budget, budget / 3}[i]
		for i, line := range noticeItems("", list.notices) {
			if i == 0 {
				line = fmt.Sprintf("\n%s\n\n%s", list.title, line)
			}
			// A long list must not crowd out the changes.
			if b.Len()+len(line)+reserved > budget || b.Len() > limit {
				noticesCut += len(list.notices) - i
				break
			}
			b.WriteString(line)
		}
	}

	// Which rows fit is decided by harm alone; a part that has any gets its table.
	parts := split(p)
	const drift = "\n#### " + driftHeading + "\n"
	room := budget - b.Len()
	fit := make(map[any]string)
	all := len(changes) + len(p.Kept)
	var begun [2]bool
	take := func(key any, o plan.Origin, row string) bool {
		n, at := len(row), 0
		if o == plan.Drift {
			at = 1
		}
		if !begun[at] {
			n += len(header) + at*len(drift)
		}
		if n > room {
			return false
		}
		room, begun[at] = room-n, true
		fit[key] = row
		return true
	}
	full := false
	for _, c := range changes {
		if full = !take(c.Change, c.Origin, changeRow(p, c)); full {
			break
		}
	}
	for i := range p.Kept {
		if full || !take(&p.Kept[i], p.Kept[i].Origin, keptRow(&p.Kept[i])) {
			break
		}
	}
	rows := len(fit)
	for i, part := range parts {
		if begun[i] {
			if i == 1 {
				b.WriteString(drift)
			}
			b.WriteString(header)
		}
		for _, c := range part.changes {
			b.WriteString(fit[c.Change])
		}
		for _, k := range part.kept {
			b.WriteString(fit[k])
		}
	}
	cut.add(all-rows, all, "changes")

	const open, end = "\n<details><summary>Field by field%s</summary>\n", "\n</details>\n"
	var blocks strings.Builder
	if rows == all {
		blocksCut := 0
		for _, c := range slices.Concat(parts[0].changes, parts[1].changes) {
			text := block(p, c)
			if b.Len()+len(open)+len(" (1000000 of 1000000 changes)")+blocks.Len()+len(text)+len(end) > budget {
				blocksCut++
				continue
			}
			blocks.WriteString(text)
		}
		if blocks.Len() > 0 {
			some := ""
			if blocksCut > 0 {
				some = fmt.Sprintf(" (%d of %d changes)", len(changes)-blocksCut, len(changes))
			}
			fmt.Fprintf(&b, open+"%s"+end, some, blocks.String())
		}
		cut.add(blocksCut, len(changes), "diffs")
	}
	if len(o.Adopt) > 0 {
		text := adoptFold("", o.Adopt)
		if b.Len()+len(text) <= budget {
			b.WriteString(text)
		} else {
			cut.add(1, 1, "YAML that adopts the drift")
		}
	}
	cut.add(noticesCut, len(p.Warnings)+len(p.Refusals), "warnings and refusals")
	b.WriteString(cut.line(limit, planShowsAll))
	b.WriteString(footer)
	_, err := w.Write(b.Bytes())
	return err
}

// adoptFold is the YAML that adopts the drift of a plan, folded. whose is "" or the
// account.
func adoptFold(whose string, adopt []byte) string {
	if whose != "" {
		whose = ": " + safetext.Prose(whose)
	}
	lines := strings.Split(strings.TrimSuffix(string(adopt), "\n"), "\n")
	return "\n<details><summary>YAML that adopts the drift" + whose + "</summary>\n\n" + safetext.Fence("yaml", lines) + "\n</details>\n"
}

// noticeList is the refusals or the warnings of a plan, and what stands above them.
type noticeList struct {
	title   string
	notices []plan.Notice
}

func noticeLists(p *plan.Plan) [2]noticeList {
	return [2]noticeList{{"❌ **Refused**", p.Refusals}, {"⚠️ **Warnings**", p.Warnings}}
}

// noticeItems are the items of a list of notices. icon, unless it is "", begins each.
func noticeItems(icon string, notices []plan.Notice) (items []string) {
	for i := range notices {
		n := &notices[i]
		at, message := noticeText(n)
		if at != "" {
			at = " " + safetext.Code(at) + ":"
		}
		items = append(items, fmt.Sprintf("- %s%s:%s %s\n", icon, safetext.Code(n.Code), at, safetext.Prose(message)))
	}
	return items
}

// omitted counts what the limit leaves out.
type omitted []string

func (o *omitted) add(n, of int, things string) {
	if n > 0 {
		*o = append(*o, fmt.Sprintf("%d of %d %s", n, of, things))
	}
}

func (o omitted) line(limit int, all string) string {
	if len(o) == 0 {
		return ""
	}
	return fmt.Sprintf("\n**Not shown**, because the limit is %d bytes: %s.%s\n", limit, strings.Join(o, ", "), all)
}

// planShowsAll says where the rest of a plan is.
const planShowsAll = " `flexsync plan` shows all."

// verdict says in a line what the plan does to the account.
func verdict(p *plan.Plan) string {
	said := "no changes"
	switch n := p.Summary.Create + p.Summary.Update + p.Summary.Delete; {
	case p.HasChanges():
		said = count(n, "change", "changes")
	case len(p.Kept) > 0:
		said = "no changes to make, " + countKinds(keptKinds(p), " and ") + " kept"
	}
	if harm := harmDone(p, "deletes", "disables", ", "); harm != "" {
		said += ", " + harm
	}
	if len(p.Refusals) > 0 {
		return "refused (" + said + ")"
	}
	return said
}

// tableHeader begins a table of changes.
func tableHeader(p *plan.Plan) string {
	what := "Flow"
	if _, addresses := p.Managed[schema.Addresses]; addresses {
		what = "Resource"
	}
	return "\n| | " + what + " | Channel | Change |\n| --- | --- | --- | --- |\n"
}

// row is a row of the table of changes: its cells are Markdown.
func row(cells ...string) string {
	for i := range cells {
		cells[i] = safetext.Cell(cells[i])
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func changeRow(p *plan.Plan, c *shownChange) string {
	flow := c.Before
	if c.After != nil {
		flow = c.After
	}
	var icon string
	var said []string
	switch harm(c.Change) {
	case deletes, deletesCopy:
		icon = "❌ delete"
		if c.replaced != nil {
			icon = "❌ replace"
		}
	case disables:
		icon = "⛔ disable"
		said = append(said, "messages no longer reach it")
	case updates:
		icon = "📝 update"
	case creates:
		icon = "➕ create"
		said = append(said, onOff(flow), safetext.Prose(clip(cmp.Or(flow.Variant(), noIntegration), maxPlace)))
		if name := p.Names[flow.Target()]; name != "" {
			said[1] += " " + codeName(name)
		}
	}
	if c.Step != "" {
		icon = "⏳ disable"
		said = []string{"for a moment, because identities are swapped"}
		if c.moves != "" {
			said = []string{"first, because its identity moves to " + codeName(c.moves)}
		}
	} else {
		for _, n := range notes(c) {
			if n.meaning == "" { // the icon says the others
				said = append(said, safetext.Prose(n.text))
			}
		}
		if c.updates() {
			if text := brief(p, c, value); text != "" {
				said = append(said, text)
			}
		}
	}
	return row(icon, codeName(c.ID), channelCell(flow), strings.Join(said, ", "))
}

func keptRow(k *plan.Kept) string {
	return row("🔒 keep", codeName(k.ID), channelCell(&k.Object), "would be deleted without `--no-delete`")
}

// channelCell is the channel and the identity of a flow.
func channelCell(o *schema.Object) string {
	name := safetext.Prose(clip(cmp.Or(o.Text(o.Kind.Channel), noChannel), maxPlace))
	if contact := o.Text(o.Kind.Contact); contact != "" {
		name += " " + codeName(contact)
	}
	return name
}

// value is a value as Markdown.
func value(v schema.Value) string {
	switch v := v.(type) {
	case nil:
		return "(none)"
	case string:
		return codeName(v)
	}
	return fmt.Sprint(v)
}

// codeName is a name as code, in quotes only where they tell something.
func codeName(s string) string {
	quoted := safetext.Quote(s)
	if bare := strings.TrimSuffix(strings.TrimPrefix(quoted, `"`), `"`); bare == s && s != "" && strings.TrimSpace(s) == s {
		return safetext.Code(s)
	}
	return safetext.Code(quoted)
}

// block is a change with its heading and a diff.
func block(p *plan.Plan, c *shownChange) string {
	var b strings.Builder
	verb := c.Action.String()
	if c.replaced != nil {
		verb = "replace"
	}
	fmt.Fprintf(&b, "\n**%s** %s %s", verb, codeName(c.ID), c.sid(safetext.Code))
	if at := pos(c.Source); at != "" {
		fmt.Fprintf(&b, " at %s", safetext.Code(at))
	}
	if c.Origin == plan.Drift {
		b.WriteString(" (drift)")
	}
	for i, n := range notes(c) {
		separator := ": "
		if i > 0 {
			separator = "; "
		}
		b.WriteString(separator + safetext.Prose(n.text))
	}
	b.WriteString("\n\n")
	var lines []string
	fields := c.fields()
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
		if n := len(lines); n > 0 {
			lines[n-1] += origin(c, &f)
		}
	}
	b.WriteString(safetext.Fence("diff", lines))
	return b.String()
}

// lost is the fields of a resource that is deleted.
func lost(o *schema.Object) []plan.FieldChange {
	var fields []plan.FieldChange
	for f := range o.Kind.In(schema.Differ(o, nil)) {
		fields = append(fields, plan.FieldChange{Path: f.Path, Before: o.Get(f)})
	}
	return fields
}
