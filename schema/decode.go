package schema

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"flexsync/internal/glob"
	"flexsync/internal/secret"
	"flexsync/internal/yamldoc"
)

// decoder turns the documents of one file into declarations and problems.
// Problems never stop it: a wrong value is left out and marked as unsure, so that
// nothing else is concluded from it.
type decoder struct {
	src      *yamldoc.Source
	mappings *yamldoc.Mappings
	vars     *yamldoc.Variables
	out      contents
}

// contents is what one file declares.
type contents struct {
	problems yamldoc.Problems
	warnings []Warning

	accounts []placed[string]
	ignore   []placed[glob.Glob]
	managed  map[*Kind]bool // has its key
	declared []Declared
	facts    []facts // of each of declared

	mask    secret.Mask
	secrets map[string]bool // names of the secret variables in use
}

// placed is something with the position it has.
type placed[T any] struct {
	value T
	pos   yamldoc.Pos
}

// facts is what the checks across resources need to know of one beyond what it
// declares.
type facts struct {
	unsure  FieldSet // fields whose value has a problem or is not known
	pinned  bool     // has a sid, good or bad
	index   int32    // in the list of its document
	name    yamldoc.Pos
	renamed []yamldoc.Pos // of each old name
}

func (c *contents) path(i int) path {
	return path{root: c.declared[i].Kind.Plural, entry: int(c.facts[i].index) + 1}
}

// layer is the keys of one mapping: those that a resource has itself, or those
// that defaults lays under it.
type layer struct {
	kind     *Kind
	settings settings

	group      *yamldoc.Node // the key of the group
	broken     bool          // the group is not a mapping
	sid        string
	pinned     bool
	renamed    []string
	renamedPos []yamldoc.Pos
	ignored    FieldSet
	ignores    bool // has ignore_changes
}

// settings are the fields by their index. One without a key is not given.
type settings [maxFields]setting

type setting struct {
	yamldoc.Entry
	unsure   bool // has a problem or is not known
	parsed   Value
	name     string // to be looked up in place of a value; "" is none
	template string // of a value that holds a secret, with the variables in it
}

// sets returns which fields are given, and which of them have a value.
func (s *settings) sets() (given, sure FieldSet) {
	for i := range s {
		if s[i].Key != nil {
			given |= 1 << i
			if !s[i].unsure {
				sure |= 1 << i
			}
		}
	}
	return given, sure
}

func newDecoder(src *yamldoc.Source, vars *yamldoc.Variables) *decoder {
	return &decoder{src: src, mappings: yamldoc.NewMappings(src), vars: vars, out: contents{managed: make(map[*Kind]bool), secrets: make(map[string]bool)}}
}

func (d *decoder) report(pos yamldoc.Pos, at path, c complaint) {
	d.out.problems = append(d.out.problems, yamldoc.Problem{Pos: pos, Path: at.String(), Message: c.Message, Hint: c.Hint})
}

func (d *decoder) problem(n *yamldoc.Node, at path, c complaint) { d.report(d.src.Pos(n), at, c) }

// file reads the whole file.
func (d *decoder) file() contents {
	problems := d.src.Documents(d.document)
	d.out.problems = append(d.out.problems, problems...)
	return d.out
}

func (d *decoder) document(root *yamldoc.Node) {
	root = yamldoc.Resolved(root)
	if yamldoc.IsNull(root) {
		return
	}
	top, ok := d.mapping(root, path{}, documentShape)
	if !ok {
		return
	}
	if e := top["version"]; !e.Given() {
		d.problem(root, path{key: "version"}, complaint{"version is missing", "write version: 1 at the top of the document"})
	} else if version, ok := d.integer(e.Value, path{key: "version"}); ok && version != 1 {
		d.problem(e.Value, path{key: "version"}, complaint{fmt.Sprintf("version %d is not supported: this flexsync supports version 1", version), "write version: 1"})
		return // its keys may mean anything
	}
	if e := top["account_sid"]; e.Given() {
		at := path{key: "account_sid"}
		if s, ok := d.text(e.Value, at); ok && IsSID("AC", s) {
			d.out.accounts = append(d.out.accounts, placed[string]{s, d.src.Pos(e.Value)})
		} else if ok {
			d.problem(e.Value, at, wrongSID("AC", s))
		}
	}
	if e := top["ignore"]; e.Given() {
		d.texts(e.Value, path{key: "ignore"}, func(s string, n *yamldoc.Node, at path) {
			g, err := glob.Compile(s)
			if err != nil {
				d.problem(n, at, complaint{err.Error(), `to match a special character itself, escape it: \* \? \[`})
				return
			}
			d.out.ignore = append(d.out.ignore, placed[glob.Glob]{g, d.src.Pos(n)})
		})
	}
	for _, k := range Kinds {
		base := &layer{kind: k}
		if e := top[k.Defaults]; e.Given() {
			d.layer(base, e.Value, path{root: k.Defaults})
		}
		if e := top[k.Plural]; e.Given() {
			d.out.managed[k] = true
			d.list(base, e.Value)
		}
	}
}

// list reads the resources of a kind.
func (d *decoder) list(base *layer, list *yamldoc.Node) {
	k := base.kind
	at := path{root: k.Plural}
	if !yamldoc.IsSequence(list) {
		d.problem(list, at, complaint{fmt.Sprintf("%s must be a list, not %s", k.Plural, yamldoc.TypeOf(list)), fmt.Sprintf("begin each %s with -", k.Name)})
		return
	}
	if yamldoc.HasTag(list) && list.Tag != "!!seq" {
		d.tagged(list, at)
		return
	}
	d.out.declared = slices.Grow(d.out.declared, len(list.Content))
	d.out.facts = slices.Grow(d.out.facts, len(list.Content))
	own := new(layer) // for one after the other: it is large
	for i, item := range list.Content {
		at.entry = i + 1
		*own = layer{kind: k}
		d.declare(base, own, item, at)
	}
}

// mapping returns the entries of a mapping. It is not ok for anything but a mapping.
func (d *decoder) mapping(n *yamldoc.Node, at path, s *shape) (yamldoc.Entries, bool) {
	return d.mappings.Read(n, &s.Shape, func(n *yamldoc.Node, key string, c yamldoc.Complaint) { d.problem(n, at.at(key), complaint(c)) })
}

// layer reads the keys of a resource, or of defaults.
func (d *decoder) layer(l *layer, n *yamldoc.Node, at path) bool {
	k := l.kind
	entries, ok := d.mapping(n, at, k.shape)
	if !ok {
		return false
	}
	if at.root == k.Defaults {
		for _, name := range []string{k.ID.Path, "sid", "renamed_from"} {
			if e, ok := entries[name]; ok {
				d.problem(e.Key, at.at(name), complaint{fmt.Sprintf("%s belongs to a single %s, not to %s", name, k.Name, k.Defaults), fmt.Sprintf("write %s in the %s", name, k.Name)})
				delete(entries, name)
			}
		}
	}
	if e := entries["sid"]; e.Given() {
		l.pinned = true
		if s, ok := d.text(e.Value, at.at("sid")); ok {
			if IsSID(k.SID, s) {
				l.sid = s
			} else {
				d.problem(e.Value, at.at("sid"), wrongSID(k.SID, s))
			}
		}
	}
	if e := entries["renamed_from"]; e.Given() {
		d.texts(e.Value, at.at("renamed_from"), func(s string, n *yamldoc.Node, at path) {
			if c := checkName(s); c.Message != "" {
				d.problem(n, at, c)
				return
			}
			l.renamed = append(l.renamed, s)
			l.renamedPos = append(l.renamedPos, d.src.Pos(n))
		})
	}
	if e := entries["ignore_changes"]; e.Given() {
		l.ignores = true
		d.texts(e.Value, at.at("ignore_changes"), func(s string, n *yamldoc.Node, at path) {
			set, c := k.ignores(s)
			if c.Message != "" {
				d.problem(n, at, c)
			}
			l.ignored |= set
		})
	}
	d.fields(l, entries, at, k.shape)
	if e := entries[k.Group]; e.Given() {
		l.group = e.Key
		at.group = k.Group
		inner, ok := d.mapping(e.Value, at, k.groupShape)
		l.broken = !ok
		d.fields(l, inner, at, k.groupShape)
	}
	return true
}

// fields reads the entries that are fields.
func (d *decoder) fields(l *layer, entries yamldoc.Entries, at path, s *shape) {
	for _, key := range s.keys {
		e := entries[key.name]
		if key.field == nil || !e.Given() {
			continue
		}
		at, given := at.at(key.name), &l.settings[key.field.index]
		if given.Key != nil {
			d.problem(e.Key, at, complaint{fmt.Sprintf("%s and %s cannot both be given", given.Name(), key.name), "remove one"})
			given.unsure = true
			continue
		}
		given.Entry = e
		given.unsure = !d.value(given, l.kind, key, at)
	}
}

// value reads the value of a setting. It reports whether there is one to go on with.
func (d *decoder) value(s *setting, k *Kind, key key, at path) (ok bool) {
	f, n := key.field, s.Value
	var c complaint
	switch f.Type {
	case String:
		x, ok := d.hideable(n, at)
		switch {
		case !ok, (key.byName || !k.hideable(f)) && !d.open(x, n, at):
			return false
		case key.byName:
			s.name, c = x.Text, f.checkReference(x.Text)
		case secret.IsShown(x.Text):
			c = complaint{yamldoc.Quote(x.Text) + " stands for credentials that an output did not show", "write them, or better a ${name} whose value is in " + SecretPrefix + "name"}
		default:
			s.parsed, c = x.Text, f.checkString(x.Text)
		}
		if s.template = x.Template; x.Template != "" && c.Message != "" {
			c = complaint{"the value, which holds a secret, is not valid", "check the value of the variable"}
		}
	case Bool:
		if s.parsed, ok = d.boolean(n, at); !ok {
			return false
		}
	case Words:
		words, ok := d.words(f, n, at)
		if !ok {
			return false
		}
		s.parsed, c = NewWordSet(words), f.checkWords(words)
	case Int:
		i, ok := d.integer(n, at)
		if !ok {
			return false
		}
		s.parsed, c = i, f.checkInt(i)
	}
	if c.Message != "" {
		d.problem(n, at, c)
	}
	return c.Message == ""
}

// declare reads one entry of a list of resources: its own keys over those of
// defaults over the documented defaults.
func (d *decoder) declare(base, own *layer, item *yamldoc.Node, at path) {
	k := base.kind
	if !d.layer(own, yamldoc.Resolved(item), at) {
		return
	}
	all := own.settings
	for i := range all {
		if all[i].Key == nil {
			all[i] = base.settings[i]
		}
	}
	given, sure := all.sets()
	unsure := given &^ sure
	typ := ""
	if sure.Has(k.Variant) {
		typ = all[k.Variant.index].parsed.(string)
	}
	relevant := k.of(typ)

	out := Declared{
		Object:        k.blank(typ),
		Pos:           d.src.Pos(item),
		SID:           own.sid,
		RenamedFrom:   own.renamed,
		IgnoreChanges: own.ignored,
	}
	if !own.ignores {
		out.IgnoreChanges = base.ignored
	}
	written := Object{Kind: k} // before it is normalised
	for f := range k.In(sure) {
		s := &all[f.index]
		written.values[f.index] = s.parsed
		if !relevant.Has(f) {
			continue
		}
		out.Set(f, s.parsed)
		if s.name != "" {
			out.Names = append(out.Names, NameRef{Field: f, Name: s.name, Pos: d.src.Pos(s.Value)})
		}
		if s.template != "" {
			out.Secrets = append(out.Secrets, Secret{Field: f, Template: s.template})
		}
	}
	f := facts{unsure: unsure, pinned: own.pinned, index: int32(at.entry - 1), name: out.Pos, renamed: own.renamedPos}
	if k.refuse != nil {
		if wrong, c := k.refuse(&written); wrong != nil {
			d.problem(own.settings[wrong.index].Value, at.at(wrong.Path), c)
			f.unsure |= wrong.Bit()
		}
	}
	// Where the name is written tells more than where the resource begins, unless
	// it stands in what an alias refers to.
	if s := &own.settings[k.ID.index]; s.Key != nil && item == yamldoc.Resolved(item) && s.Key.Line >= item.Line {
		f.name = d.src.Pos(s.Key)
	}
	if !unsure.Has(k.Variant) {
		d.checkType(own, typ, at)
	}
	required := relevant &^ given
	if own.broken || base.broken {
		required &^= k.grouped
	}
	for row := range k.In(required) {
		if row.Required {
			d.missing(&out, row, at)
			f.unsure |= row.Bit()
		}
	}
	d.lint(&out, own)
	d.out.declared = append(d.out.declared, out)
	d.out.facts = append(d.out.facts, f)
}

// checkType refuses keys of the group that the variant does not have.
func (d *decoder) checkType(own *layer, typ string, at path) {
	k := own.kind
	given, _ := own.settings.sets()
	if typ == "" {
		if own.group != nil && !k.Variant.Required {
			c := complaint{fmt.Sprintf("%s requires %s", k.Group, k.Variant.Path), fmt.Sprintf("write %s: %s", k.Variant.Path, strings.Join(k.Variant.Enum, ", or "))}
			if types := k.variantsOf(given & k.Typed); len(types) == 1 {
				c.Hint = fmt.Sprintf("write %s: %s", k.Variant.Path, types[0])
			}
			d.problem(own.group, at.at(k.Group), c)
		}
		return
	}
	at.group = k.Group
	for f := range k.In(given &^ k.of(typ)) {
		s := &own.settings[f.index]
		name := s.Name()
		d.problem(s.Key, at.at(name), complaint{
			fmt.Sprintf("%s belongs to %s %s, but this %s's is %s", name, k.Variant.Path, strings.Join(f.Variants, " or "), k.Name, typ),
			fmt.Sprintf("remove %s, or change %s", name, k.Variant.Path)})
	}
}

// variantsOf returns the variants that have all of these fields; none for no
// fields.
func (k *Kind) variantsOf(set FieldSet) []string {
	return slices.DeleteFunc(slices.Clone(k.Variant.Enum), func(typ string) bool { return set == 0 || set&^k.of(typ) != 0 })
}

func (d *decoder) missing(o *Declared, f *Field, at path) {
	name := "the " + o.Kind.Name
	if id := o.ID(); id != "" {
		name = o.Kind.Name + " " + yamldoc.Quote(id)
	}
	c := complaint{fmt.Sprintf("%s has no %s", name, f.Path), "write " + f.Path}
	if f.Name != "" {
		c.Hint = fmt.Sprintf("write %s, or %s with its name", f.Path, f.Name)
	}
	if typ := o.Variant(); typ != "" && f.Variants != nil {
		c.Message += fmt.Sprintf(", which %s %s requires", o.Kind.Variant.Path, typ)
	}
	d.report(o.Pos, at.at(f.Path), c)
}

// longText is the length in characters from which a name or identity is likely a
// mistake. The API documents no limit; Conversations has this one for names.
const longText = 256

// lint warns of what is allowed but likely a mistake.
func (d *decoder) lint(o *Declared, own *layer) {
	warn := func(f *Field, code, message string) {
		if slices.ContainsFunc(o.Secrets, func(s Secret) bool { return s.Field == f }) {
			message = f.Path + " holds a secret, and does not look right: check the value of the variable"
		}
		pos := o.Pos // of the resource, when defaults has the value
		if s := &own.settings[f.index]; s.Key != nil {
			pos = d.src.Pos(s.Value)
		}
		d.out.warnings = append(d.out.warnings, Warning{Code: code, Message: fmt.Sprintf("%s %s: %s", o.Kind.Name, yamldoc.Quote(o.ID()), message), Pos: pos})
	}
	for _, f := range slices.Compact([]*Field{o.Kind.ID, o.Kind.Contact}) {
		if n := utf8.RuneCountInString(o.Text(f)); n > longText {
			warn(f, "long-name", fmt.Sprintf("%s has %d characters; Twilio may refuse more than %d", f.Path, n, longText))
		}
	}
	o.Kind.lint(&o.Object, warn)
}
