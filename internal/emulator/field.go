package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// valueKind is the kind of a field's value.
type valueKind int

const (
	kindText valueKind = iota
	kindSID
	kindEnum
	kindBool
	kindInt
	kindURL
	kindCountry
	kindList // of the values of an enum; a form repeats its parameter
)

// field is one writable property of a kind: a row of the parameter tables of its
// create and its update.
type field struct {
	param string // in a form
	key   string // in JSON; integration.x for what is inside the integration
	kind  valueKind

	prefix    string   // of a SID
	values    []string // of an enum and of a list
	max       int      // of an integer, which is never negative; characters of a text, 0 for any number
	anyCase   bool     // of an enum: any letter case is accepted
	upper     bool     // of an enum: answers give it in capitals
	required  bool     // in a create; a nested one, whenever the type becomes one of its own
	fixed     bool     // not a parameter of an update
	clearable bool     // an empty value means none

	types    []string // types that a nested field belongs to; nil for all of them
	fallback any      // what it is when it is not given; nil for nothing
}

// isNested reports whether the field is inside the kind's nested property.
func (k *kind) isNested(f *field) bool { return strings.HasPrefix(f.key, k.nested+".") }

// belongs reports whether the field belongs to the type of nested properties.
func (f *field) belongs(variant string) bool {
	return f.types == nil || slices.ContainsFunc(f.types, func(t string) bool { return strings.EqualFold(t, variant) })
}

// values holds checked values by their field's key: a string, a bool, an int, a
// []string or, from a form, a blank.
type values map[string]any

// text returns a string, "" if there is none.
func (v values) text(key string) string {
	s, _ := v[key].(string)
	return s
}

// touched reports whether a nested value is given.
func (k *kind) touched(v values) bool {
	for key := range v {
		if strings.HasPrefix(key, k.nested+".") {
			return true
		}
	}
	return false
}

// parse reads the value as a form carries it, or one element of a list.
func (f *field) parse(s string) (any, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("is not UTF-8")
	}
	if s == "" && f.clearable {
		return s, nil
	}
	switch f.kind {
	case kindText:
		if f.max > 0 && utf8.RuneCountInString(s) > f.max {
			return nil, fmt.Errorf("must be at most %d characters, not %d", f.max, utf8.RuneCountInString(s))
		}
	case kindSID:
		if !isSID(f.prefix, s) {
			return nil, fmt.Errorf("must be %s and 32 hex digits, not %q", f.prefix, s)
		}
	case kindEnum, kindList:
		known := func(v string) bool { return v == s || f.anyCase && strings.EqualFold(v, s) }
		if !slices.ContainsFunc(f.values, known) {
			return nil, fmt.Errorf("must be one of %s, not %q", strings.Join(f.values, ", "), s)
		}
	case kindCountry:
		if len(s) != 2 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return nil, fmt.Errorf("must be a country code of two capital letters, not %q", s)
		}
	case kindBool:
		// Twilio's own samples send True and False.
		switch strings.ToLower(s) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("must be true or false, not %q", s)
	case kindInt:
		n, err := strconv.Atoi(s)
		if err != nil || strings.HasPrefix(s, "+") {
			return nil, fmt.Errorf("must be an integer, not %q", s)
		}
		if n < 0 || n > f.max {
			return nil, fmt.Errorf("must be from 0 to %d, not %d", f.max, n)
		}
		return n, nil
	case kindURL:
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return nil, fmt.Errorf("must be an absolute http or https URL, not %q", s)
		}
	}
	return s, nil
}

// parseJSON reads the value as JSON carries it, decoded with UseNumber. Numbers
// and bools may be given as strings.
func (f *field) parseJSON(v any) (any, error) {
	if f.kind == kindList {
		return f.list(v, (*field).parseJSON)
	}
	want := "a string"
	switch v := v.(type) {
	case string:
		return f.parse(v)
	case bool:
		if f.kind == kindBool {
			return v, nil
		}
	case json.Number:
		if f.kind == kindInt {
			return f.parse(v.String())
		}
	}
	switch f.kind {
	case kindBool:
		want = "true or false"
	case kindInt:
		want = "an integer"
	}
	return nil, fmt.Errorf("must be %s, not %s", want, jsonKind(v))
}

// holdJSON reads a value that an account already holds, and so accepts every one
// of the right kind: Twilio may have, for example, channel types that this package
// does not know.
func (f *field) holdJSON(v any) (any, error) {
	if f.kind == kindList {
		return f.list(v, (*field).holdJSON)
	}
	value, err := f.parseJSON(v)
	if err == nil {
		return value, nil
	}
	switch v := v.(type) {
	case string:
		if f.kind != kindBool && f.kind != kindInt {
			return v, nil
		}
	case json.Number:
		if n, err := strconv.Atoi(v.String()); f.kind == kindInt && err == nil {
			return n, nil
		}
	}
	return nil, err
}

// list reads a list, each element with read.
func (f *field) list(v any, read func(*field, any) (any, error)) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("must be a list, not %s", jsonKind(v))
	}
	element := *f
	element.kind = kindEnum
	texts := make([]string, len(list))
	for i, item := range list {
		value, err := read(&element, item)
		if err != nil {
			return nil, err
		}
		texts[i] = value.(string)
	}
	return texts, nil
}

// jsonKind returns the name of the kind of a decoded JSON value.
func jsonKind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a bool"
	case json.Number, float64, int:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "a list"
	}
	return "an object"
}

// isSID reports whether s is the prefix and 32 hex digits of either case, which is
// the pattern that the OpenAPI files give for every SID.
func isSID(prefix, s string) bool {
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok || len(digits) != 32 {
		return false
	}
	for _, c := range []byte(digits) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
			return false
		}
	}
	return true
}
