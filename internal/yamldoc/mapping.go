package yamldoc

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"flexsync/internal/nearest"
)

// Shape is the keys that a mapping may have.
type Shape struct {
	Name string   // of what has them: "a flow"
	Keys []string // nil: any
	// Unknown says what to do about another key; the zero Complaint is that it may be
	// misspelt. It may be nil.
	Unknown func(key string) Complaint
}

// Entries is what a mapping has, by its keys.
type Entries map[string]Entry

// Entry is one key of a mapping, with its value, which is no alias.
type Entry struct{ Key, Value *Node }

// Given reports whether the key is there and not null.
func (e Entry) Given() bool { return e.Value != nil && !IsNull(e.Value) }

// Name is the key's text.
func (e Entry) Name() string { return Resolved(e.Key).Value }

// InOrder returns the entries as they stand in the file.
func (es Entries) InOrder() []Entry {
	return slices.SortedFunc(maps.Values(es), func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Key.Line, b.Key.Line), cmp.Compare(a.Key.Column, b.Key.Column))
	})
}

// Mappings reads the mappings of one file.
type Mappings struct {
	src     *Source
	told    map[*Node]bool // unknown keys that are reported
	unknown map[unknownKey]Complaint
}

type unknownKey struct {
	shape *Shape
	key   string
}

// NewMappings returns a reader of the mappings of a file.
func NewMappings(src *Source) *Mappings {
	return &Mappings{src: src, told: make(map[*Node]bool), unknown: make(map[unknownKey]Complaint)}
}

// Report takes a complaint about a node of a mapping, and its key; "" is the mapping
// as a whole.
type Report = func(n *Node, key string, c Complaint)

// Read returns the entries of a mapping, merge keys included. A key of the mapping
// itself beats a merged one, and of several merged mappings the first one wins. It is
// not ok for anything but a mapping.
func (m *Mappings) Read(n *Node, s *Shape, report Report) (entries Entries, ok bool) {
	if !IsMapping(n) {
		report(n, "", Complaint{fmt.Sprintf("%s must be a mapping, not %s", s.Name, TypeOf(n)), s.hint()})
		return nil, false
	}
	if HasTag(n) && n.Tag != "!!map" {
		report(n, "", Tagged(n))
		return nil, false
	}
	entries = make(Entries, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		written := n.Content[i]
		key := Resolved(written)
		if !IsMerge(key) && !m.isKey(written, s, report) {
			continue
		}
		if first, twice := entries[key.Value]; twice {
			report(written, key.Value, Complaint{fmt.Sprintf("duplicate key %s; the first is at %s", QuoteKey(key.Value), m.src.Pos(first.Key)), "remove one"})
			continue
		}
		entries[key.Value] = Entry{written, Resolved(n.Content[i+1])}
	}
	// A quoted "<<" is the same key, in a shape that has any.
	if merge, ok := entries["<<"]; ok && IsMerge(Resolved(merge.Key)) {
		delete(entries, "<<")
		m.merge(merge.Value, s, entries, report)
	}
	return entries, true
}

// hint says which keys there are.
func (s *Shape) hint() string {
	if s.Keys == nil {
		return "write one name: value on each line"
	}
	return fmt.Sprintf("the keys of %s are %s", s.Name, strings.Join(s.Keys, ", "))
}

// isKey reports whether a key belongs to the shape; a key that does not is a problem.
func (m *Mappings) isKey(written *Node, s *Shape, report Report) bool {
	key := Resolved(written)
	switch {
	case !IsScalar(key):
		report(written, "", Complaint{fmt.Sprintf("a key must be a string, not %s", TypeOf(key)), ""})
	case HasTag(key) && key.Tag != TagStr:
		report(written, "", Tagged(key))
	case s.Keys == nil || slices.Contains(s.Keys, key.Value):
		return true
	case !HasTag(key) && TypeOf(key) != "a string":
		report(written, "", Complaint{fmt.Sprintf("the key %s must be a string, not %s", Quote(key.Value), TypeOf(key)), s.hint()})
	case !m.told[written]: // once, however often it is merged
		m.told[written] = true
		report(written, key.Value, m.misspelt(key.Value, s))
	}
	return false
}

// manyUnknown is for how many unknown keys of a file a suggestion is looked for: that
// takes a while.
const manyUnknown = 10_000

func (m *Mappings) misspelt(key string, s *Shape) Complaint {
	c, known := m.unknown[unknownKey{s, key}]
	switch {
	case known:
		return c
	case len(m.unknown) >= manyUnknown:
		return Complaint{"unknown key " + Quote(key), ""}
	case s.Unknown != nil:
		c = s.Unknown(key)
	}
	if c == (Complaint{}) {
		c = Complaint{"unknown key " + Quote(key), s.hint()}
		if near := nearest.Word(key, s.Keys); near != "" {
			c = Complaint{c.Message + "; did you mean " + near + "?", ""}
		}
	}
	m.unknown[unknownKey{s, key}] = c
	return c
}

// merge lays the value of a << key under the entries.
func (m *Mappings) merge(n *Node, s *Shape, entries Entries, report Report) {
	sources := []*Node{n}
	if IsSequence(n) {
		sources = n.Content
	}
	for _, source := range sources {
		source = Resolved(source)
		if !IsMapping(source) {
			report(source, "<<", Complaint{fmt.Sprintf("<< takes a mapping or a list of mappings, not %s", TypeOf(source)), "write an alias of a mapping, or a list of such aliases"})
			continue
		}
		below, _ := m.Read(source, s, report)
		for key, e := range below {
			if _, ok := entries[key]; !ok {
				entries[key] = e
			}
		}
	}
}

// Variables reads a mapping of names to values, which are kept as they are written,
// whatever their type in YAML: 0123 and +1555 are strings.
func (m *Mappings) Variables(n *Node, name string, report Report) map[string]string {
	values := make(map[string]string)
	entries, _ := m.Read(n, &Shape{Name: name}, report)
	for name, e := range entries {
		what := fmt.Sprintf("variable %q ", name)
		switch c := CheckVariable(name); {
		case c.Message != "":
			report(e.Key, "", c)
		case !IsScalar(e.Value):
			report(e.Value, name, Complaint{what + "must be a string, a number or a bool, not " + TypeOf(e.Value), ""})
		case HasTag(e.Value):
			report(e.Value, name, Complaint{what + "has the tag " + Quote(e.Value.Tag) + ", which is not supported", "write the value without a tag"})
		case IsNull(e.Value):
			report(e.Value, name, Complaint{what + "has no value", `write "" for an empty value`})
		default:
			values[name] = e.Value.Value
		}
	}
	return values
}

// Tagged is the complaint about a tag that is written out.
func Tagged(n *Node) Complaint {
	return Complaint{fmt.Sprintf("the tag %s is not supported", Quote(n.Tag)), "write the value without a tag"}
}

var plainKeyRE = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// QuoteKey quotes a key for a message or a path, unless it is safe and clear without.
func QuoteKey(key string) string {
	if plainKeyRE.MatchString(key) {
		return key
	}
	return Quote(key)
}
