package schema

import (
	"fmt"
	"strings"

	"flexsync/internal/glob"
	"flexsync/internal/yamldoc"
)

// decoder turns the documents of one file into declarations and problems.
// Problems never stop it: a wrong value is left out and marked as unsure, so that
// nothing else is concluded from it.
type decoder struct {
	src  *yamldoc.Source
	vars *yamldoc.Variables
	out  contents

	base layer // what defaults says, in this document

	told    map[*yamldoc.Node]bool // unknown keys that are reported, in this document
	unknown map[unknownKey]complaint
}

// contents is what one file declares.
type contents struct {
	problems yamldoc.Problems
	warnings []Warning

	accounts  []placed[string]
	ignore    []placed[glob.Glob]
	flows     []Declared
	facts     []facts // of each flow
	listsNone bool    // `flows: []` is written out
}

// placed is something with the position it has.
type placed[T any] struct {
	value T
	pos   yamldoc.Pos
}

// facts is what the checks across flows need to know of a flow beyond what it
// declares.
type facts struct {
	unsure  FieldSet // fields whose value has a problem or is not known
	pinned  bool     // has a sid, good or bad
	index   int32    // in the flows of its document
	name    yamldoc.Pos
	renamed []yamldoc.Pos // of each old name
}

func (f *facts) path() path { return path{root: "flows", flow: int(f.index) + 1} }

// layer is the keys of one mapping: those that a flow has itself, or those
// that defaults lays under it.
type layer struct {
	flow   Flow
	given  FieldSet // written out, by value or by name
	unsure FieldSet
	at     map[*Field]entry // where each field is given
	names  []NameRef

	integration *yamldoc.Node // its key
	broken      bool          // integration is not a mapping
	sid         string
	pinned      bool
	renamed     []string
	renamedPos  []yamldoc.Pos
	ignored     FieldSet
	ignores     bool // has ignore_changes
}

// entry is one key of a mapping with its value. The value is no alias.
type entry struct{ key, value *yamldoc.Node }

// given reports whether the key is there and not null.
func (e entry) given() bool { return e.value != nil && !yamldoc.IsNull(e.value) }

func newDecoder(src *yamldoc.Source, vars *yamldoc.Variables) *decoder {
	return &decoder{src: src, vars: vars, unknown: map[unknownKey]complaint{}}
}

func (d *decoder) report(pos yamldoc.Pos, at path, c complaint) {
	d.out.problems = append(d.out.problems, yamldoc.Problem{Pos: pos, Path: at.String(), Message: c.message, Hint: c.hint})
}

func (d *decoder) problem(n *yamldoc.Node, at path, c complaint) { d.report(d.src.Pos(n), at, c) }

// file reads the whole file.
func (d *decoder) file() contents {
	problems := d.src.Documents(d.document)
	d.out.problems = append(d.out.problems, problems...)
	return d.out
}

func (d *decoder) document(root *yamldoc.Node) {
	d.told = map[*yamldoc.Node]bool{}
	root = yamldoc.Resolved(root)
	if yamldoc.IsNull(root) {
		return
	}
	top, ok := d.mapping(root, path{}, documentShape)
	if !ok {
		return
	}
	if e := top["version"]; !e.given() {
		d.problem(root, path{key: "version"}, complaint{"version is missing", "write version: 1 at the top of the document"})
	} else if version, ok := d.integer(e.value, path{key: "version"}); ok && version != 1 {
		d.problem(e.value, path{key: "version"}, complaint{fmt.Sprintf("version %d is not supported: this flexsync supports version 1", version), "write version: 1"})
		return // its keys may mean anything
	}
	if e := top["account_sid"]; e.given() {
		at := path{key: "account_sid"}
		if s, ok := d.text(e.value, at); ok && IsSID("AC", s) {
			d.out.accounts = append(d.out.accounts, placed[string]{s, d.src.Pos(e.value)})
		} else if ok {
			d.problem(e.value, at, wrongSID("AC", s))
		}
	}
	if e := top["ignore"]; e.given() {
		d.texts(e.value, path{key: "ignore"}, func(s string, n *yamldoc.Node, at path) {
			g, err := glob.Compile(s)
			if err != nil {
				d.problem(n, at, complaint{err.Error(), `to match a special character itself, escape it: \* \? \[`})
				return
			}
			d.out.ignore = append(d.out.ignore, placed[glob.Glob]{g, d.src.Pos(n)})
		})
	}
	d.base = layer{}
	if e := top["defaults"]; e.given() {
		d.layer(&d.base, e.value, path{root: "defaults"})
	}
	if e := top["flows"]; e.given() {
		d.flows(e.value)
	}
}

func (d *decoder) flows(list *yamldoc.Node) {
	at := path{root: "flows"}
	if !yamldoc.IsSequence(list) {
		d.problem(list, at, complaint{fmt.Sprintf("flows must be a list, not %s", yamldoc.TypeOf(list)), "begin each flow with -"})
		return
	}
	if yamldoc.HasTag(list) && list.Tag != "!!seq" {
		d.tagged(list, at)
		return
	}
	if len(list.Content) == 0 {
		d.out.listsNone = true
	}
	for i, item := range list.Content {
		d.flow(item, path{root: "flows", flow: i + 1})
	}
}

// mapping returns the entries of a mapping by their keys, merge keys included.
// A key of the mapping itself beats a merged one, and of several merged
// mappings the first one wins. It is not ok for anything but a mapping.
func (d *decoder) mapping(n *yamldoc.Node, at path, s *shape) (entries map[string]entry, ok bool) {
	if !yamldoc.IsMapping(n) {
		d.problem(n, at, complaint{fmt.Sprintf("%s must be a mapping, not %s", s.name, yamldoc.TypeOf(n)), fmt.Sprintf("the keys of %s are %s", s.name, strings.Join(s.names(), ", "))})
		return nil, false
	}
	if yamldoc.HasTag(n) && n.Tag != "!!map" {
		d.tagged(n, at)
		return nil, false
	}
	entries = make(map[string]entry, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		written := n.Content[i]
		key := yamldoc.Resolved(written)
		if !yamldoc.IsMerge(key) && !d.isKey(written, at, s) {
			continue
		}
		if first, twice := entries[key.Value]; twice {
			d.problem(written, at.at(key.Value), complaint{fmt.Sprintf("duplicate key %s; the first is at %s", key.Value, d.src.Pos(first.key)), "remove one"})
			continue
		}
		entries[key.Value] = entry{written, yamldoc.Resolved(n.Content[i+1])}
	}
	if merge, ok := entries["<<"]; ok {
		delete(entries, "<<")
		d.merge(merge.value, at, s, entries)
	}
	return entries, true
}

// isKey reports whether a key belongs to the shape; a key that does not is a
// problem.
func (d *decoder) isKey(written *yamldoc.Node, at path, s *shape) bool {
	key := yamldoc.Resolved(written)
	switch {
	case !yamldoc.IsScalar(key):
		d.problem(written, at, complaint{fmt.Sprintf("a key must be a string, not %s", yamldoc.TypeOf(key)), ""})
	case yamldoc.HasTag(key) && key.Tag != yamldoc.TagStr:
		d.tagged(written, at)
	case s.has(key.Value):
		return true
	case yamldoc.IsPlain(key) && key.Tag != yamldoc.TagStr && !yamldoc.HasTag(key) && yamldoc.TypeOf(key) != "a string":
		d.problem(written, at, complaint{fmt.Sprintf("the key %s must be a string, not %s", yamldoc.Quote(key.Value), yamldoc.TypeOf(key)), fmt.Sprintf("the keys of %s are %s", s.name, strings.Join(s.names(), ", "))})
	default:
		d.unknownKey(written, at, s, key.Value)
	}
	return false
}

// manyUnknown is for how many unknown keys of a file a suggestion is looked for.
const manyUnknown = 10_000

// unknownKey reports a key that the shape does not have: once, however often
// it is merged, and with what was meant, which takes a while to find out.
func (d *decoder) unknownKey(written *yamldoc.Node, at path, s *shape, name string) {
	if d.told[written] {
		return
	}
	d.told[written] = true
	id := unknownKey{s, name}
	c, known := d.unknown[id]
	if !known {
		if c.message = "unknown key " + yamldoc.Quote(name); len(d.unknown) < manyUnknown {
			c = s.unknown(name)
			d.unknown[id] = c
		}
	}
	d.problem(written, at.at(name), c)
}

type unknownKey struct {
	shape *shape
	name  string
}

// merge lays the value of a << key under the entries.
func (d *decoder) merge(n *yamldoc.Node, at path, s *shape, entries map[string]entry) {
	sources := []*yamldoc.Node{n}
	if yamldoc.IsSequence(n) {
		sources = n.Content
	}
	for _, source := range sources {
		source = yamldoc.Resolved(source)
		if !yamldoc.IsMapping(source) {
			d.problem(source, at.at("<<"), complaint{fmt.Sprintf("<< takes a mapping or a list of mappings, not %s", yamldoc.TypeOf(source)), "write an alias of a mapping, or a list of such aliases"})
			continue
		}
		below, _ := d.mapping(source, at, s)
		for key, e := range below {
			if _, ok := entries[key]; !ok {
				entries[key] = e
			}
		}
	}
}

// layer reads the keys of a flow, or of defaults.
func (d *decoder) layer(l *layer, n *yamldoc.Node, at path) bool {
	entries, ok := d.mapping(n, at, flowShape)
	if !ok {
		return false
	}
	l.at = make(map[*Field]entry, len(entries))
	if at.root == "defaults" {
		for _, name := range []string{"friendly_name", "sid", "renamed_from"} {
			if e, ok := entries[name]; ok {
				d.problem(e.key, at.at(name), complaint{name + " belongs to a single flow, not to defaults", "write " + name + " in the flow"})
				delete(entries, name)
			}
		}
	}
	if e := entries["sid"]; e.given() {
		l.pinned = true
		if s, ok := d.text(e.value, at.at("sid")); ok {
			if IsSID("FO", s) {
				l.sid = s
			} else {
				d.problem(e.value, at.at("sid"), wrongSID("FO", s))
			}
		}
	}
	if e := entries["renamed_from"]; e.given() {
		d.texts(e.value, at.at("renamed_from"), func(s string, n *yamldoc.Node, at path) {
			if c := checkName(s); c.message != "" {
				d.problem(n, at, c)
				return
			}
			l.renamed = append(l.renamed, s)
			l.renamedPos = append(l.renamedPos, d.src.Pos(n))
		})
	}
	if e := entries["ignore_changes"]; e.given() {
		l.ignores = true
		d.texts(e.value, at.at("ignore_changes"), func(s string, n *yamldoc.Node, at path) {
			set, c := ignorable(s)
			if c.message != "" {
				d.problem(n, at, c)
			}
			l.ignored |= set
		})
	}
	d.fields(l, entries, at, flowShape)
	if e := entries["integration"]; e.given() {
		l.integration = e.key
		at.inner = true
		inner, ok := d.mapping(e.value, at, integrationShape)
		l.broken = !ok
		d.fields(l, inner, at, integrationShape)
	}
	return true
}

// fields reads the entries that are fields of the flow.
func (d *decoder) fields(l *layer, entries map[string]entry, at path, s *shape) {
	for _, k := range s.keys {
		e := entries[k.name]
		if k.field == nil || !e.given() {
			continue
		}
		at, f := at.at(k.name), k.field
		if l.given.Has(f) {
			other := l.at[f].key
			d.problem(e.key, at, complaint{fmt.Sprintf("%s and %s cannot both be given", yamldoc.Resolved(other).Value, k.name), "remove one"})
			l.unsure |= f.Bit()
			continue
		}
		l.given |= f.Bit()
		l.at[f] = e
		if !d.field(l, f, k.byName, e.value, at) {
			l.unsure |= f.Bit()
		}
	}
}

// field reads one value. It reports whether there is one to go on with.
func (d *decoder) field(l *layer, f *Field, byName bool, n *yamldoc.Node, at path) bool {
	var c complaint
	switch p := f.ref(&l.flow).(type) {
	case *string:
		s, ok := d.text(n, at)
		if !ok {
			return false
		}
		if byName {
			if c = f.checkReference(s); c.message == "" {
				l.names = append(l.names, NameRef{Field: f, Name: s, Pos: d.src.Pos(n)})
			}
			break
		}
		c = f.checkString(s)
		*p = s
	case *bool:
		b, ok := d.boolean(n, at)
		if !ok {
			return false
		}
		*p = b
	case *OptBool:
		b, ok := d.boolean(n, at)
		if !ok {
			return false
		}
		*p = OptBoolOf(b)
	case *int64:
		i, ok := d.integer(n, at)
		if !ok {
			return false
		}
		c = f.checkInt(i)
		*p = i
	}
	if c.message != "" {
		d.problem(n, at, c)
		return false
	}
	return true
}

// flow declares one entry of flows: its own keys over those of defaults over
// the documented defaults.
func (d *decoder) flow(item *yamldoc.Node, at path) {
	own, base := &layer{}, &d.base
	if !d.layer(own, yamldoc.Resolved(item), at) {
		return
	}
	fromBase := base.given &^ own.given
	given := own.given | fromBase
	unsure := own.unsure | base.unsure&fromBase

	typ := own.flow.IntegrationType
	if fromBase.Has(FieldIntegrationType) {
		typ = base.flow.IntegrationType
	}
	typeKnown := !unsure.Has(FieldIntegrationType)
	if !typeKnown {
		typ = ""
	}
	relevant := fieldsOf[typ]

	out := Declared{
		Flow:          blankFlows[typ],
		Pos:           d.src.Pos(item),
		SID:           own.sid,
		RenamedFrom:   own.renamed,
		IgnoreChanges: own.ignored,
	}
	if !own.ignores {
		out.IgnoreChanges = base.ignored
	}
	for f := range (own.given &^ unsure & relevant).all {
		f.Copy(&out.Flow, &own.flow)
	}
	for f := range (fromBase &^ unsure & relevant).all {
		f.Copy(&out.Flow, &base.flow)
	}
	for _, ref := range own.names {
		if relevant.Has(ref.Field) {
			out.Names = append(out.Names, ref)
		}
	}
	for _, ref := range base.names {
		if (fromBase & relevant).Has(ref.Field) {
			out.Names = append(out.Names, ref)
		}
	}
	f := facts{unsure: unsure, pinned: own.pinned, index: int32(at.flow - 1), name: out.Pos, renamed: own.renamedPos}
	// Where the name is written tells more than where the flow begins, unless
	// it stands in what an alias refers to.
	if key := own.at[FieldFriendlyName].key; key != nil && item == yamldoc.Resolved(item) && key.Line >= item.Line {
		f.name = d.src.Pos(key)
	}
	if typeKnown {
		d.checkType(own, typ, at)
	}
	required := requiredOf[typ]
	if own.broken || base.broken {
		required &= fieldsOf[""]
	}
	for row := range (required &^ given).all {
		d.missing(&out, row, at)
		f.unsure |= row.Bit()
	}
	d.lint(&out, f.unsure, own)
	d.out.flows = append(d.out.flows, out)
	d.out.facts = append(d.out.facts, f)
}

// checkType refuses keys of the integration that its type does not have.
func (d *decoder) checkType(own *layer, typ string, at path) {
	if typ == "" {
		if own.integration != nil {
			c := complaint{"integration requires integration_type", "write integration_type: " + strings.Join(IntegrationTypes, ", or ")}
			if types := typesOf(own.given); len(types) == 1 {
				c.hint = "write integration_type: " + types[0]
			}
			d.problem(own.integration, at.at("integration"), c)
		}
		return
	}
	at.inner = true
	for f := range (own.given & IntegrationFields &^ fieldsOf[typ]).all {
		key := own.at[f].key
		name := yamldoc.Resolved(key).Value
		d.problem(key, at.at(name), complaint{
			fmt.Sprintf("%s belongs to integration_type %s, but this flow's is %s", name, strings.Join(f.Variants, " or "), typ),
			fmt.Sprintf("remove %s, or change integration_type", name)})
	}
}

// typesOf returns the integration types that have all of these fields.
func typesOf(set FieldSet) []string {
	var types []string
	for _, typ := range IntegrationTypes {
		if set&IntegrationFields != 0 && set&IntegrationFields&^fieldsOf[typ] == 0 {
			types = append(types, typ)
		}
	}
	return types
}

func (d *decoder) missing(flow *Declared, f *Field, at path) {
	name := "the flow"
	if flow.Flow.FriendlyName != "" {
		name = "flow " + yamldoc.Quote(flow.Flow.FriendlyName)
	}
	c := complaint{fmt.Sprintf("%s has no %s", name, f.Path), "write " + f.Path}
	if f.Name != "" {
		c.hint = fmt.Sprintf("write %s, or %s with its name", f.Path, f.Name)
	}
	if flow.Flow.IntegrationType != "" && f.Variants != nil {
		c.message += fmt.Sprintf(", which integration_type %s requires", flow.Flow.IntegrationType)
	}
	d.report(flow.Pos, at.at(f.Path), c)
}
