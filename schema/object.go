package schema

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"reflect"
	"strings"

	"flexsync/internal/jsondoc"
)

// maxFields bounds the fields of a kind.
const maxFields = 17

// Object is the content of one resource, normalised: the same content is the same
// value, whether it was written in YAML or listed by the API, so two are compared
// with ==. [Kind.Make] makes one, and Set keeps it normalised: a field has a value of
// its type, nil if the variant does not have the field or the value is empty, and
// never nil if the variant has a default for it.
//
// It has neither the SID nor the dates: those belong to a resource, not to its
// content.
type Object struct {
	Kind   *Kind
	values [maxFields]Value
}

// Make returns a resource with the values, by path, as the API has it: what is
// missing is [Field.Absent]. A path that the kind or the variant does not have
// is left out.
func (k *Kind) Make(values Values) Object {
	o := Object{Kind: k}
	for f := range k.In(k.of("")) {
		o.values[f.index] = f.Absent()
	}
	o.Set(k.Variant, values[k.Variant.Path])
	for path, v := range values {
		if f := k.byPath[path]; f != nil {
			o.Set(f, v)
		}
	}
	return o
}

// blank returns a declaration of a variant with every default filled in.
func (k *Kind) blank(variant string) Object {
	o := k.Make(nil)
	o.Set(k.Variant, variant)
	for f := range k.In(k.of(variant) &^ k.Typed) {
		o.values[f.index] = f.Default
	}
	return o
}

// Get returns the field's value: nil if there is no object, if its variant does not
// have the field, or if the field is unset.
func (o *Object) Get(f *Field) Value {
	if o == nil {
		return nil
	}
	return o.values[f.index]
}

// Text returns the value of a string field, "" if it is unset.
func (o *Object) Text(f *Field) string {
	s, _ := o.values[f.index].(string)
	return s
}

// Set stores a value of the field's type. nil and "" are the default, if the field
// has one, or else unset it. Another variant unsets the fields that it does not
// have, and gives those that it adds their defaults; a field that the variant does
// not have keeps no value.
func (o *Object) Set(f *Field, v Value) {
	o.set(f, v)
	o.settle()
}

func (o *Object) set(f *Field, v Value) {
	if v == nil || v == "" {
		v = f.Default
	}
	if s, ok := v.(string); ok && f.AnyCase {
		v = f.spelling(s)
	}
	if w, ok := v.(WordSet); ok {
		words := w.List()
		for i := range words {
			words[i] = f.spelling(words[i])
		}
		if v = nil; w != "" {
			v = NewWordSet(words)
		}
	}
	if !f.AppliesTo(o.Variant()) {
		v = nil
	}
	if f == o.Kind.Variant && v != o.values[f.index] {
		o.values[f.index] = v
		for g := range o.Kind.In(o.Kind.Typed &^ f.Bit()) {
			o.set(g, nil)
		}
	}
	o.values[f.index] = v
}

func (o *Object) settle() {
	if o.Kind.settle != nil {
		o.Kind.settle(o)
	}
}

// spelling returns the word of Enum that s is, apart from case, or s.
func (f *Field) spelling(s string) string {
	for _, w := range f.Enum {
		if f.AnyCase && strings.EqualFold(w, s) {
			return w
		}
	}
	return s
}

// Copy copies fields from another object of the kind.
func (o *Object) Copy(from *Object, set FieldSet) {
	for f := range o.Kind.In(set) {
		o.set(f, from.values[f.index])
	}
	o.settle()
}

// The values of the fields with a role.

// ID returns what identifies the resource within its kind.
func (o *Object) ID() string { return o.Text(o.Kind.ID) }

// Key returns what identifies the resource.
func (o *Object) Key() Key { return Key{o.Kind, o.ID()} }

// Variant returns the value of Kind.Variant. In the account, "" is a resource
// without one; in a declaration, "" keeps the account's variant and its fields.
func (o *Object) Variant() string { return o.Text(o.Kind.Variant) }

// Enabled reports whether the resource receives messages.
func (o *Object) Enabled() bool { return o.values[o.Kind.Enabled.index] == true }

// Target returns where the resource sends its messages, "" if it does not say.
func (o *Object) Target() string {
	for i := range o.Kind.Fields {
		if f := &o.Kind.Fields[i]; f.Routing && f.Required && o.values[i] != nil {
			return o.Text(f)
		}
	}
	return ""
}

// Claim returns what the resource holds alone: nothing unless it exists, is enabled
// and has a contact.
func (o *Object) Claim() TypedClaim {
	if o == nil || !o.Enabled() || o.Get(o.Kind.Contact) == nil {
		return TypedClaim{}
	}
	return TypedClaim{Claim{o.Text(o.Kind.Channel), o.Text(o.Kind.Contact)}, o.Kind, o.Variant()}
}

// Route returns what Twilio routes to the resource while it is enabled, see
// [Claim.Route]; the zero Claim without a contact.
func (o *Object) Route() Claim {
	if o.Get(o.Kind.Contact) == nil {
		return Claim{}
	}
	return Claim{o.Text(o.Kind.Channel), o.Text(o.Kind.Contact)}.Route()
}

// Open is the fields that a declaration leaves as they are in the account.
func (o *Object) Open() (set FieldSet) {
	if o.Variant() == "" {
		set = o.Kind.Typed
	}
	for f := range o.Kind.In(o.Kind.of(o.Variant())) {
		if f.Left && o.values[f.index] == nil {
			set |= f.Bit()
		}
	}
	return set
}

// References yields the set fields that refer to another resource, with the SID or
// name that they have.
func (o *Object) References() iter.Seq2[*Field, string] {
	return func(yield func(*Field, string) bool) {
		for f := range o.Kind.In(o.Kind.Referring) {
			if s := o.Text(f); s != "" && !yield(f, s) {
				return
			}
		}
	}
}

// Differ returns the fields that differ. One of the objects may be nil: it has no
// values.
func Differ(a, b *Object) (set FieldSet) {
	k := cmp.Or(a, b).Kind
	for i := range k.Fields {
		if f := &k.Fields[i]; a.Get(f) != b.Get(f) {
			set |= f.Bit()
		}
	}
	return set
}

// JSON returns the resource as JSON in the YAML's own keys, in the order of
// Fields, unset fields left out.
func (o *Object) JSON() jsondoc.Object {
	top := make(jsondoc.Object, 0, len(o.Kind.Fields))
	var group jsondoc.Object
	at := 0 // of the group in top
	for i := range o.Kind.Fields {
		f, v := &o.Kind.Fields[i], o.values[i]
		switch {
		case v == nil:
			continue
		case !f.Inside:
			top = append(top, jsondoc.Member{Name: f.Key, Value: v})
			continue
		case group == nil:
			at = len(top)
			top = append(top, jsondoc.Member{Name: o.Kind.Group})
		}
		group = append(group, jsondoc.Member{Name: f.Key, Value: v})
	}
	if group != nil {
		top[at].Value = group
	}
	return top
}

// MarshalJSON implements [json.Marshaler], see [Object.JSON].
func (o Object) MarshalJSON() ([]byte, error) { return o.JSON().MarshalJSON() }

// String returns the text of [Object.JSON].
func (o Object) String() string {
	text, _ := o.MarshalJSON() // strings, bools and integers always encode
	return string(text)
}

// UnmarshalJSON reads what MarshalJSON writes of the object's kind; without one, of
// the first kind that has the keys. An unknown key, a value of another type and a key of another variant are
// errors.
func (o *Object) UnmarshalJSON(data []byte) error {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return err
	}
	if o.Kind == nil {
		o.Kind = Flows
		if _, ok := top[Addresses.ID.Path]; ok {
			o.Kind = Addresses
		}
	}
	k := o.Kind
	if raw, ok := top[k.Group]; ok {
		var group map[string]json.RawMessage
		if err := json.Unmarshal(raw, &group); err != nil {
			return fmt.Errorf("%s: %w", k.Group, err)
		}
		delete(top, k.Group)
		for key, v := range group {
			top[k.Group+"."+key] = v
		}
	}
	values := make(Values, len(top))
	for path, raw := range top {
		f := k.Field(path)
		if f == nil {
			return fmt.Errorf("%q is not a key of %s", path, k.One())
		}
		v := [...]any{String: new(string), Bool: new(bool), Int: new(int64), Words: new(WordSet)}[f.Type]
		if err := json.Unmarshal(raw, v); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		values[path] = reflect.ValueOf(v).Elem().Interface()
	}
	*o = k.Make(values)
	for path := range values {
		if !k.Field(path).AppliesTo(o.Variant()) {
			return fmt.Errorf("%s does not belong to %s %q", path, k.Variant.Path, o.Variant())
		}
	}
	return nil
}

// Form encodes the whole resource as the parameters of an update of before, or of a
// create if before is nil. An update keeps the fields whose parameters are missing,
// so it sends an empty parameter to clear a field that before has; otherwise it
// omits it, as the API does not document whether it accepts an empty one. It sends
// the variant with all parameters of that variant, so that the request means the
// same whether the API merges or replaces the group.
func (o *Object) Form(before *Object) url.Values {
	form := make(url.Values, len(o.Kind.Fields))
	for i := range o.Kind.Fields {
		f := &o.Kind.Fields[i]
		if f.Immutable && before != nil {
			continue
		}
		switch v := o.values[i].(type) {
		case nil:
			if f.Cleared && before != nil && before.values[i] != nil {
				form.Set(f.Form, "")
			}
		case WordSet:
			form[f.Form] = v.List()
		default:
			form.Set(f.Form, fmt.Sprint(v))
		}
	}
	return form
}
