package schema

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strings"
)

// Kind is one row of the table of kinds: what the program has to know of a kind of
// resource. Parsing, comparing, planning, applying, the JSON Schema and the
// reference follow from it.
type Kind struct {
	Name     string // "flow", for messages
	Plural   string // "flows": also the key of a document that lists them
	Title    string // "Flex Flow"
	Defaults string // the key of a document for values that all of them share
	SID      string // the two letters that begin their SIDs
	Group    string // the key of the nested mapping: "integration"
	GroupDoc string // one sentence, as Field.Doc
	Limit    int    // how many an account can have; 0: no limit is known

	Fields []Field // in the order in which they are written and shown

	// Fields with a role. ID identifies a resource within its kind. Variant decides
	// which other fields a resource has. An Enabled resource holds its Contact on its
	// Channel alone, see [Claim].
	ID, Variant, Enabled, Channel, Contact *Field

	// Typed is Variant, and the fields that only some variants have.
	Typed FieldSet
	// Referring is the fields that hold the SID of another resource.
	Referring FieldSet
	// Immutable is the fields that no update can change.
	Immutable FieldSet

	lint     func(o *Object, warn func(f *Field, code, message string))
	refuse   func(o *Object) (f *Field, why complaint) // a rule across fields; may be nil
	settle   func(o *Object)                           // gives equal content one value; may be nil
	prefixes map[string]string                         // by channel: what IDs begin with; may be nil
	synonyms map[string]string                         // words that people use for a key outside the group
	inner    map[string]string                         // likewise, for a key in the group

	grouped  FieldSet            // what is in the group, and Variant
	fieldsOf map[string]FieldSet // by variant; "" is a resource without one
	byPath   map[string]*Field

	shape, groupShape *shape
	ignorable         map[string]FieldSet // what ignore_changes takes
}

// Kinds is the table.
var Kinds = []*Kind{Flows, Addresses}

// KindOf returns the kind of a SID, or nil.
func KindOf(sid string) *Kind {
	for _, k := range Kinds {
		if IsSID(k.SID, sid) {
			return k
		}
	}
	return nil
}

// ValueType is the type of a field's values.
type ValueType uint8

// The types of values.
const (
	String ValueType = iota
	Bool
	Int
	Words // of Field.Enum: a set
)

// String names the type with its article, for messages.
func (t ValueType) String() string {
	return [...]string{"a string", "a bool", "an integer", "a list"}[t]
}

// Value is one field of a resource: a string, a bool, an int64, a [WordSet], or nil
// for unset.
type Value = any

// WordSet is a value of the type Words: sorted, each once, joined by commas. So equal
// sets are equal values.
type WordSet string

// NewWordSet returns the set of some words.
func NewWordSet(words []string) WordSet {
	return WordSet(strings.Join(slices.Compact(slices.Sorted(slices.Values(words))), ","))
}

// List returns the words, sorted.
func (s WordSet) List() []string {
	if s == "" {
		return []string{}
	}
	return strings.Split(string(s), ",")
}

// MarshalJSON implements [json.Marshaler]: a list.
func (s WordSet) MarshalJSON() ([]byte, error) { return json.Marshal(s.List()) }

// UnmarshalJSON implements [json.Unmarshaler].
func (s *WordSet) UnmarshalJSON(data []byte) error {
	var words []string
	if err := json.Unmarshal(data, &words); err != nil {
		return err
	}
	*s = NewWordSet(words)
	return nil
}

// String returns the set as YAML writes it.
func (s WordSet) String() string { return "[" + strings.Join(s.List(), ", ") + "]" }

// Values are fields by their path; see [Kind.Make].
type Values map[string]Value

// Field is one row of a kind's table of fields, which drives everything that is
// done field by field: parsing, comparing, encoding, the JSON Schema and the
// reference. A new field of the API is one new row.
type Field struct {
	Path string // key in the YAML and in the API's JSON, "integration.timeout"
	Form string // parameter of the API's create and update
	Type ValueType

	// SID is the two letters that begin the SIDs which the field takes; 32 hex
	// digits follow them. A SIDOrName field also takes a name.
	SID       string
	SIDOrName bool

	// Name is the key that takes a name instead of the SID, or "":
	// "chat_service" for "chat_service_sid".
	Name string
	// Within is the path of the field that says where the other resource is, if
	// that is not the account itself: a workflow is in a workspace.
	Within string

	// Variants lists the variants that have the field; nil is all.
	Variants []string

	Required  bool              // in every resource, or in every one of Variants
	Enum      []string          // nil: any value
	words     map[string]string // what people write instead of a value of Enum
	hints     map[string]string // what to tell those who write something else
	otherwise string            // what to tell all others
	AnyCase   bool              // an answer may have a value of Enum in any case

	Default  Value // the value when the key is omitted; nil: unset
	Left     bool  // omitted, it stays as it is in the account
	Min, Max int64 // inclusive bounds of an Int
	Cleared  bool  // an empty parameter of an update clears the value
	// Immutable: no update can change the value, so a resource with another one
	// replaces it.
	Immutable bool

	// Routing is where messages go: a reader expects it in the resource, so an
	// export does not move it to defaults. The one that a variant requires is the
	// resource's target.
	Routing bool
	// Event is the event that a trigger of the Studio flow has to lead on from, or
	// messages to the resource are lost; "" is none.
	Event string
	// Warn is the warning of a plan that changes the value; zero is none.
	Warn Warning

	Doc string // one sentence for the reference and for editors

	rule *rule // a check beyond the columns above; may be nil

	// What follows from the columns above.
	Key    string // within its mapping
	Inside bool   // of the group
	Parent *Field // the field of Within, or nil
	index  int
}

// AppliesTo reports whether resources of a variant have the field.
func (f *Field) AppliesTo(variant string) bool {
	return f.Variants == nil || slices.Contains(f.Variants, variant)
}

// Absent is what it means when the API says nothing about the field: a bool is
// off, and all else has its default.
func (f *Field) Absent() Value {
	if f.Type == Bool && f.Default != nil {
		return false
	}
	return f.Default
}

// Bit returns the set that holds the field alone.
func (f *Field) Bit() FieldSet { return 1 << f.index }

// FieldSet is a set of rows of a kind's Fields.
type FieldSet uint32

// Has reports whether the set holds the field.
func (s FieldSet) Has(f *Field) bool { return s&f.Bit() != 0 }

// In visits the fields of a set, in the table's order.
func (k *Kind) In(s FieldSet) iter.Seq[*Field] {
	return func(yield func(*Field) bool) {
		for ; s != 0; s &= s - 1 {
			if !yield(&k.Fields[bits.TrailingZeros32(uint32(s))]) {
				return
			}
		}
	}
}

// hideable reports whether a field's value may hold a secret: a text that neither
// identifies the resource nor decides what it is.
func (k *Kind) hideable(f *Field) bool {
	return f.Type == String && f.Enum == nil && f != k.ID
}

// All is every field.
func (k *Kind) All() FieldSet { return 1<<len(k.Fields) - 1 }

// Roles is the fields with a role. A reader expects them in every resource.
func (k *Kind) Roles() FieldSet {
	return k.ID.Bit() | k.Variant.Bit() | k.Enabled.Bit() | k.Channel.Bit() | k.Contact.Bit()
}

// One is the kind's name with its article, for messages.
func (k *Kind) One() string { return article(k.Name) }

// article puts "a" or "an" before a word.
func article(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

// ByContact reports whether a resource is identified by its contact. Then it cannot
// have another name: it has neither a pin nor old names.
func (k *Kind) ByContact() bool { return k.ID == k.Contact }

// Field returns the row of a path such as "integration.timeout", or nil.
func (k *Kind) Field(path string) *Field { return k.byPath[path] }

// of returns the fields of a variant; a variant that is not known has those that
// all have.
func (k *Kind) of(variant string) FieldSet {
	if set, known := k.fieldsOf[variant]; known {
		return set
	}
	return k.fieldsOf[""]
}

// newKind completes a row of the table. It panics if the row contradicts itself.
func newKind(k Kind, id, variant, enabled, channel, contact string) *Kind {
	if len(k.Fields) > maxFields {
		panic("schema: " + k.Plural + " have too many fields")
	}
	k.byPath = make(map[string]*Field, len(k.Fields))
	k.fieldsOf = make(map[string]FieldSet)
	for i := range k.Fields {
		f := &k.Fields[i]
		f.index = i
		f.Key, f.Inside = strings.CutPrefix(f.Path, k.Group+".")
		k.byPath[f.Path] = f
		if f.SID != "" {
			k.Referring |= f.Bit()
		}
		if f.Inside {
			k.grouped |= f.Bit()
		}
		if f.Immutable {
			k.Immutable |= f.Bit()
		}
		if f.Variants != nil {
			k.Typed |= f.Bit()
		}
	}
	named := func(path string) *Field {
		f := k.byPath[path]
		if f == nil {
			panic(fmt.Sprintf("schema: %s have no %s", k.Plural, path))
		}
		return f
	}
	k.ID, k.Variant, k.Enabled, k.Channel, k.Contact = named(id), named(variant), named(enabled), named(channel), named(contact)
	k.grouped |= k.Variant.Bit()
	k.Typed |= k.Variant.Bit()
	for i := range k.Fields {
		f := &k.Fields[i]
		if f.Within != "" {
			f.Parent = named(f.Within)
		}
		for _, v := range append([]string{""}, k.Variant.Enum...) {
			if f.AppliesTo(v) {
				k.fieldsOf[v] |= f.Bit()
			}
		}
	}
	k.newShapes()
	return &k
}

// Key identifies a resource within an account, apart from copies.
type Key struct {
	Kind *Kind  `json:"-"`
	ID   string `json:"-"`
}

// KeyJSON is a key as members of a JSON object. Those of a flow do not say that it is
// one, as documents did before there were other kinds.
type KeyJSON struct {
	Kind    string  `json:"kind,omitempty"`
	Name    *string `json:"friendly_name,omitempty"`
	Address *string `json:"address,omitempty"`
}

// JSON returns the key as members of a JSON object.
func (a Key) JSON() KeyJSON {
	if a.Kind == Addresses {
		return KeyJSON{Kind: a.Kind.Name, Address: &a.ID}
	}
	return KeyJSON{Name: &a.ID}
}

// Key reads what JSON returns.
func (j KeyJSON) Key() (Key, error) {
	switch {
	case j.Kind == "" && j.Name != nil && j.Address == nil:
		return Key{Flows, *j.Name}, nil
	case j.Kind == Addresses.Name && j.Name == nil && j.Address != nil:
		return Key{Addresses, *j.Address}, nil
	}
	return Key{}, errors.New("an entry is of no kind")
}

// Compare orders keys by the table of kinds, then by ID.
func (a Key) Compare(b Key) int {
	if a.Kind != b.Kind {
		return cmp.Compare(slices.Index(Kinds, a.Kind), slices.Index(Kinds, b.Kind))
	}
	return cmp.Compare(a.ID, b.ID)
}

// Claim is what an enabled resource holds alone: a second enabled flow of the same
// channel type and contact identity collides with it (error 45210,
// https://www.twilio.com/docs/api/errors/45210). The zero Claim is none.
//
// Twilio's texts leave open whether flows of different integration types
// collide; those of one type do, see [TypedClaim].
type Claim struct{ Channel, Contact string }

// Route returns what Twilio routes, the same for a flow and the address that takes
// its place: a flow's channel facebook is an address's type messenger, and the bare
// and the prefixed form of a number under whatsapp are one. Claims of one kind are
// compared as they are.
func (c Claim) Route() Claim {
	const whatsapp = "whatsapp"
	switch {
	case c.Channel == "facebook":
		c.Channel = "messenger"
	case c.Channel == whatsapp && !strings.HasPrefix(c.Contact, whatsapp+":"):
		c.Contact = whatsapp + ":" + c.Contact
	}
	return c
}

// TypedClaim is a claim with the kind and the variant of its resource: by any reading
// of Twilio's texts, the API refuses a second enabled flow of one TypedClaim. The zero
// TypedClaim is none.
type TypedClaim struct {
	Claim
	Kind    *Kind
	Variant string
}

// Meets reports whether two resources that have these claims are for one identity:
// messages to it reach only one of them.
func (c TypedClaim) Meets(other TypedClaim) bool {
	if c.Kind != other.Kind {
		return c.Kind != nil && other.Kind != nil && c.Route() == other.Route()
	}
	return c.Claim == other.Claim
}
