package emulator

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// record is one flow or one address. A record in an account is never changed,
// only replaced, so that readers need no lock once they hold it.
type record struct {
	number
	identity
	kind   *kind
	values values
	text   []byte // its JSON in the local file, once it was needed
}

func (r *record) id() string { return r.sid }

// on reports whether the record is enabled.
func (r *record) on() bool { return r.values[r.kind.enabled] == true }

// merge returns the values that result from setting the given ones on those of
// base. Of the nested ones, those that belong to the type of the variant are
// kept, those of another dropped (Twilio accepts them and does not echo them)
// unless foreign says otherwise, and missing ones get their default. A variant of
// "" leaves the nested values as they are in base. A blank value of the variant's
// own type is an error.
func (k *kind) merge(variant string, given, base values, foreign bool) (values, error) {
	v := make(values, len(k.fields))
	for i := range k.fields {
		f := &k.fields[i]
		if k.isNested(f) && variant == "" {
			v.set(f, base[f.key])
			continue
		}
		own := f.belongs(variant)
		if !own && !foreign {
			continue
		}
		value, ok := given[f.key]
		if !ok {
			value, ok = base[f.key]
		}
		if empty, is := value.(blank); is {
			if own {
				return nil, k.refused(f, empty.err)
			}
			continue
		}
		if !ok && own {
			value = f.fallback
		}
		v.set(f, value)
	}
	if variant != "" {
		v[k.variant] = variant
	}
	return v, nil
}

// set sets the field's value: nil, or "" where it clears the field, is none.
func (v values) set(f *field, value any) {
	if value != nil && !(f.clearable && value == "") {
		v[f.key] = value
	}
}

// missing returns the error for the first parameter that the type of the variant
// requires and the values lack.
func (k *kind) missing(variant string, v values) error {
	for i := range k.fields {
		f := &k.fields[i]
		if _, ok := v[f.key]; !ok && f.required && f.types != nil && f.belongs(variant) {
			return badRequest(k.invalid, "%s is required when %s is %s", f.param, k.field(k.variant).param, variant)
		}
	}
	return nil
}

// change returns the record after an update. What is not given stays, nested
// values included, unless their type becomes another.
func (b *Behaviour) change(r *record, given values, now time.Time) (*record, error) {
	k := r.kind
	if err := b.refuseEmpty(k, given, r.values); err != nil {
		return nil, err
	}
	if b.EmptyDoesNotClear {
		for i := range k.fields {
			if f := &k.fields[i]; f.clearable && given[f.key] == "" {
				given[f.key] = r.values[f.key]
			}
		}
	}
	was := r.values.text(k.variant)
	variant, typed := given[k.variant].(string)
	if !typed && k.touched(given) {
		variant = cmp.Or(was, k.implied)
		if b.ReplaceIntegration && k.isNested(k.field(k.variant)) {
			variant = k.implied
		}
	}
	base := r.values
	fresh := variant != "" && (b.ReplaceIntegration || !strings.EqualFold(variant, was))
	if fresh {
		base = make(values, len(r.values))
		for i := range k.fields {
			f := &k.fields[i]
			if !k.isNested(f) || !b.ReplaceIntegration && (b.KeepForeign || f.types == nil) {
				base.set(f, r.values[f.key])
			}
		}
	}
	v, err := k.merge(variant, given, base, b.KeepForeign)
	if err == nil && fresh {
		err = k.missing(variant, v)
	}
	if err != nil {
		return nil, err
	}
	next := &record{number: r.number, identity: r.identity, kind: k, values: v}
	next.updated = timestamp(now)
	return next, nil
}

// refuseEmpty implements what Behaviour says of an empty value, for a resource
// that has the values have.
func (b *Behaviour) refuseEmpty(k *kind, given, have values) error {
	for i := range k.fields {
		f := &k.fields[i]
		if f.clearable && given[f.key] == "" && (b.EmptyRefused || b.NothingToClear && have[f.key] == nil) {
			return badRequest(k.invalid, "%s must not be empty", f.param)
		}
	}
	return nil
}

// check refuses a record that is not to be beside the others of the account.
func (b *Behaviour) check(a *account, r *record) error {
	if !r.on() || !b.Collisions && !b.RefuseHeld {
		return nil
	}
	claim := r.kind.claim(r.values)
	for _, list := range a.records {
		for _, other := range list {
			if other.kind == r.kind {
				if b.Collisions && r.kind.collides != nil && other.sid != r.sid && other.on() && r.kind.collides(r.values, other.values, b.CollideAcrossTypes) {
					return badRequest(codeCollision, "Flex Flow creation failed. Some request attributes were either missing, "+
						"invalid, or collided with existing Flex Flows (%s)", other.sid)
				}
				continue
			}
			if b.RefuseHeld && claim != "" && claim == other.kind.claim(other.values) && (other.on() || b.HeldByDisabled && other.kind == flowKind) {
				return badRequest(r.kind.invalid, "The identity belongs to %s", other.sid)
			}
		}
	}
	return nil
}

// encode returns the record as JSON: as the local file has it if b is nil, or as
// an answer to a request at base has it, subject to the switches of b.
func (r *record) encode(base string, b *Behaviour) []byte {
	k := r.kind
	o := newObject()
	o.add("sid", r.sid)
	o.add("account_sid", r.account)
	o.add("date_created", r.created)
	if b != nil && b.NullDateUpdated && r.updated == r.created {
		o.add("date_updated", nil)
	} else {
		o.add("date_updated", r.updated)
	}
	nested := false
	for i := range k.fields {
		f := &k.fields[i]
		switch {
		case !k.isNested(f):
			o.add(f.key, b.shown(k, f, r.values[f.key]))
		case !nested:
			o.add(k.nested, r.inner(b))
			nested = true
		}
	}
	if b != nil {
		o.add("url", base+k.path+"/"+r.sid)
	}
	return o.close()
}

// inner returns the nested property as encode has it.
func (r *record) inner(b *Behaviour) any {
	if b != nil && b.NullIntegration {
		return nil
	}
	k := r.kind
	inner := make(map[string]any)
	null := true
	for i := range k.fields {
		f := &k.fields[i]
		if !k.isNested(f) {
			continue
		}
		value := b.shown(k, f, r.values[f.key])
		null = null && value == nil
		if value != nil || b != nil && b.NullKeys {
			inner[strings.TrimPrefix(f.key, k.nested+".")] = value
		}
	}
	if null {
		return nil
	}
	if b != nil && b.NullKeys {
		for _, name := range k.unknown {
			inner[name] = nil
		}
	}
	return inner
}

// shown returns a value as encode has it.
func (b *Behaviour) shown(k *kind, f *field, value any) any {
	if b == nil {
		return value
	}
	switch value := value.(type) {
	case int:
		if b.NumbersAsStrings && k.isNested(f) {
			return strconv.Itoa(value)
		}
	case bool:
		if b.NumbersAsStrings && k.isNested(f) {
			return strconv.FormatBool(value)
		}
	case string:
		switch {
		case b.BareWhatsApp && f.key == k.alias:
			return withoutPrefix(value)
		case f.upper && b.OtherCase:
			return strings.ToLower(value)
		case f.upper, f.anyCase && b.OtherCase:
			return strings.ToUpper(value)
		}
	case []string:
		if b.OtherCase {
			value = slices.Clone(value)
			for i := range value {
				value[i] = strings.ToLower(value[i])
			}
			return value
		}
	}
	return value
}

// newSID returns a random SID.
func newSID(prefix string) string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return prefix + hex.EncodeToString(b[:])
}

// timestamp returns a time in the form of the API's answers.
func timestamp(t time.Time) string {
	return t.UTC().Truncate(time.Second).Format(time.RFC3339)
}

// object writes a JSON object whose members keep their order.
type object struct {
	text bytes.Buffer
	enc  *json.Encoder
}

func newObject() *object {
	o := new(object)
	o.enc = json.NewEncoder(&o.text)
	o.enc.SetEscapeHTML(false)
	return o
}

func (o *object) add(key string, value any) {
	separator := byte(',')
	if o.text.Len() == 0 {
		separator = '{'
	}
	o.text.WriteByte(separator)
	o.text.WriteString(strconv.Quote(key)) // keys are plain
	o.text.WriteByte(':')
	encode(o.enc, value)
	o.text.Truncate(o.text.Len() - 1) // the line feed
}

func (o *object) close() []byte {
	o.text.WriteByte('}')
	return o.text.Bytes()
}

// encode panics on an error: only values that were decoded or checked before
// come here.
func encode(enc *json.Encoder, v any) {
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
}

// marshal is json.Marshal that leaves &, < and > as they are.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	encode(enc, v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
