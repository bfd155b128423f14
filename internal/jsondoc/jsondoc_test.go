package jsondoc

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestWriter(t *testing.T) {
	var b strings.Builder
	d := New(&b)
	d.Member("a", "x<\u202e##[y")
	d.List("none", func(func(any)) {})
	d.List("some", func(add func(any)) { add(1); add(json.RawMessage(`{"b":2}`)) })
	d.Map("map", func(add func(string, any)) { add("k", true) })
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	want := `{"a": "x<\u202e#\u0023[y",
 "none": [],
 "some": [
  1,
  {"b":2}],
 "map": {
  "k": true}}
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(b.String()), &v); err != nil || v["a"] != "x<\u202e##[y" {
		t.Errorf("%v: %v", v, err)
	}
}

func TestObject(t *testing.T) {
	o := Object{{"b", "<&>\u2028"}, {"a", Object{{"n", int64(1)}, {"none", nil}}}, {"empty", Object{}}, {"list", []any{true, Object{{"x", "y"}}}}}
	b, err := o.MarshalJSON()
	if want := `{"b":"<&>\u2028","a":{"n":1,"none":null},"empty":{},"list":[true,{"x":"y"}]}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v, want %s", b, err, want)
	}
	if b, err := (Object{{"a", func() {}}}).MarshalJSON(); err == nil {
		t.Errorf("a func is %s", b)
	}
}

func TestEmpty(t *testing.T) {
	var b strings.Builder
	if err := New(&b).Close(); err != nil || b.String() != "{}\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestErrors(t *testing.T) {
	d := New(broken{})
	d.Member("a", 1)
	if err := d.Close(); err == nil || err.Error() != "gone" {
		t.Errorf("a writer that fails: %v", err)
	}
	d = New(&strings.Builder{})
	d.Member("a", func() {})
	if err := d.Close(); err == nil {
		t.Error("a value that does not encode gives no error")
	}
}
