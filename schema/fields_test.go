package schema

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTable is what the code takes for granted of the tables.
func TestTable(t *testing.T) {
	for _, k := range Kinds {
		seen := map[any]string{}
		for i := range k.Fields {
			f := &k.Fields[i]
			for _, key := range []any{f.Path, f.Form, f.Name} {
				if other, twice := seen[key]; twice && key != "" {
					t.Errorf("%s and %s share %v", f.Path, other, key)
				}
				seen[key] = f.Path
			}
			if !f.Type.holds(f.Default) && f.Default != nil {
				t.Errorf("%s: its default is not %s", f.Path, f.Type)
			}
			if f.Doc == "" || f.Bit() == 0 || k.Field(f.Path) != f {
				t.Errorf("row %s is not complete", f.Path)
			}
			if f.Type == Int && f.Max <= f.Min {
				t.Errorf("%s has no bounds", f.Path)
			}
			if f.SID != "" && sidTypes[f.SID] == "" {
				t.Errorf("%s: SIDs of the kind %s have no name", f.Path, f.SID)
			}
			if f.Inside && f.Path != k.Group+"."+f.Key {
				t.Errorf("%s is not in the group", f.Path)
			}
		}
		if sid := k.SID + strings.Repeat("0", 32); KindOf(sid) != k {
			t.Errorf("%s is not of %s", sid, k.Plural)
		}
	}
}

func (t ValueType) holds(v Value) bool {
	switch v.(type) {
	case string:
		return t == String
	case bool:
		return t == Bool
	case int64:
		return t == Int
	case WordSet:
		return t == Words
	}
	return false
}

// normal says what is not normalised about an object, or "".
func normal(o *Object) string {
	for i := range o.Kind.Fields {
		f := &o.Kind.Fields[i]
		v := o.Get(f)
		switch {
		case v == nil && f.AppliesTo(o.Variant()) && f.Default != nil:
			return f.Path + " has no value"
		case v != nil && !f.AppliesTo(o.Variant()):
			return f.Path + " has a value that its variant does not have"
		case v == "" || v != nil && !f.Type.holds(v):
			return f.Path + " has another value than it may"
		}
	}
	return ""
}

// TestSet is the law that an object stays normalised, whatever is set in whatever
// order, and that equal content is one value.
func TestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := genObject().Draw(t, "object")
		k := o.Kind
		other := genObject().Filter(func(o Object) bool { return o.Kind == k }).Draw(t, "another one")
		for range rapid.IntRange(1, 8).Draw(t, "sets") {
			f := &k.Fields[rapid.IntRange(0, len(k.Fields)-1).Draw(t, "field")]
			v := rapid.SampledFrom([]Value{nil, other.Get(f)}).Draw(t, "value")
			o.Set(f, v)
			if why := normal(&o); why != "" {
				t.Fatalf("after %s = %v: %s", f.Path, v, why)
			}
			if got := o.Get(f); f.AppliesTo(o.Variant()) && v != nil && got != v && (f != k.ID || k.settle == nil) {
				t.Fatalf("%s is %v, want %v", f.Path, got, v)
			}
		}
		o.Copy(&other, k.All())
		if o != other || Differ(&o, &other) != 0 {
			t.Fatalf("%v is not %v", o, other)
		}
	})
}

// TestCopyWhole is a copy over an address whose type gives its number a prefix.
func TestCopyWhole(t *testing.T) {
	o := Addresses.Make(Values{"address": "whatsapp:+15551230000", "type": "whatsapp"})
	sms := Addresses.Make(Values{"address": "+15551230000", "type": "sms"})
	if o.Copy(&sms, Addresses.All()); o != sms {
		t.Errorf("%v is not %v", o, sms)
	}
}

// TestObjectJSON is the law that an object reads back from its JSON.
func TestObjectJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genObject().Draw(t, "object")
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Object
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if diff := cmp.Diff(want.String(), got.String()); diff != "" || got != want {
			t.Fatalf("(-want +got):\n%s\n%s", diff, data)
		}
		if set := Differ(&want, &got); set != 0 {
			t.Fatalf("the fields %b differ", set)
		}
	})
}

func TestFlowJSONRefuses(t *testing.T) {
	for _, text := range []string{
		`[]`, `{"sid": "x"}`, `{"enabled": "true"}`, `{"friendly_name": 1}`, `{"integration": []}`, `{"integration": {"x": 1}}`,
		`{"integration": {"flow_sid": "x"}}`, `{"integration_type": "task", "integration": {"url": "x"}}`,
		`{"integration_type": "task", "integration": {"timeout": 1.5}}`,
	} {
		var o Object
		if err := json.Unmarshal([]byte(text), &o); err == nil {
			t.Errorf("%s gives %v", text, o)
		}
	}
}
