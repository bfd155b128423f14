package rawjson

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzMembers holds what is found against encoding/json. Of what is not valid
// JSON it only has to come to an end.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, ` { "a" : 1 , "b":[1,{"c":"}\"]"}],"a":null}`, `{"\u0061":"\\","b":-1.5e3}`, `[ "x", [], {} ,true]`,
		`{`, `[`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":"`, `{"a":[`, `["\`, `[}]`, `{]`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		members := map[string]json.RawMessage{}
		for name, value := range Members(data) {
			members[string(name)] = value
		}
		var elements []json.RawMessage
		for value := range Elements(data) {
			elements = append(elements, value)
		}
		data = bytes.TrimLeft(data, " \t\r\n")
		if !json.Valid(data) || !utf8.Valid(data) { // encoding/json mends broken UTF-8
			return
		}
		switch data[0] {
		case '{':
			members = map[string]json.RawMessage{}
			for name, value := range Members(data) {
				members[string(name)] = value
			}
			var want map[string]json.RawMessage
			if err := json.Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			if len(members) != len(want) {
				t.Fatalf("%s: got %q, want %q", data, members, want)
			}
			for name := range want {
				if !bytes.Equal(members[name], want[name]) {
					t.Fatalf("%s: %q is %s, want %s", data, name, members[name], want[name])
				}
			}
		case '[':
			elements = nil
			for value := range Elements(data) {
				elements = append(elements, value)
			}
			var want []json.RawMessage
			if err := json.Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			if len(elements) != len(want) {
				t.Fatalf("%s: got %q, want %q", data, elements, want)
			}
			for i := range want {
				if !bytes.Equal(elements[i], want[i]) {
					t.Fatalf("%s: %d is %s, want %s", data, i, elements[i], want[i])
				}
			}
		}
	})
}
