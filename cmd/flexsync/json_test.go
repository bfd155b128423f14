package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdJSON looks at one value of the one JSON document that a file holds.
//
//	json FILE PATH VALUE     it equals VALUE, which is JSON or else a plain string
//	json -keys FILE PATH KEYS  it is an object of exactly these keys, with commas, sorted
//	json -len FILE PATH N    it is a list, object or string of this length
//	json -like FILE PATH RE  it is a string that matches
//	! json FILE PATH         it is not there
//
// PATH is keys and indexes, each after a dot; * is every element, as a list.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	how := ""
	if len(args) > 0 && strings.HasPrefix(args[0], "-") {
		how, args = args[0], args[1:]
	}
	if len(args) != 3 && !(neg && len(args) == 2) {
		ts.Fatalf("usage: json [-keys|-len|-like] FILE PATH VALUE, or ! json FILE PATH")
	}
	path := args[1]
	v, ok := find(parseJSON(ts, args[0], ts.ReadFile(args[0])), strings.Split(path, ".")[1:])
	if neg {
		if ok {
			ts.Fatalf("%s is there: %s", path, show(v))
		}
		return
	}
	if !ok {
		ts.Fatalf("%s is not there", path)
	}
	want := args[2]
	switch how {
	case "-keys":
		object, _ := v.(map[string]any)
		if have := strings.Join(slices.Sorted(maps.Keys(object)), ","); have != want {
			ts.Fatalf("%s has the keys %s, want %s", path, have, want)
		}
	case "-len":
		if have := strconv.Itoa(length(v)); have != want {
			ts.Fatalf("%s has length %s, want %s: %s", path, have, want, show(v))
		}
	case "-like":
		if s, ok := v.(string); !ok || !regexp.MustCompile(want).MatchString(s) {
			ts.Fatalf("%s is %s, which is not like %s", path, show(v), want)
		}
	default:
		var wanted any
		if json.Unmarshal([]byte(want), &wanted) != nil {
			wanted = want
		}
		if !reflect.DeepEqual(v, wanted) {
			ts.Fatalf("%s is %s, want %s", path, show(v), want)
		}
	}
}

// parseJSON reads a text that has to be one JSON document and nothing else.
func parseJSON(ts *testscript.TestScript, name, text string) any {
	dec := json.NewDecoder(strings.NewReader(text))
	var v any
	if err := dec.Decode(&v); err != nil {
		ts.Fatalf("%s is not JSON: %v", name, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		ts.Fatalf("%s holds more than one JSON document", name)
	}
	return v
}

func find(v any, path []string) (any, bool) {
	if len(path) == 0 || len(path) == 1 && path[0] == "" {
		return v, true
	}
	key, rest := path[0], path[1:]
	switch v := v.(type) {
	case map[string]any:
		inner, ok := v[key]
		if !ok {
			return nil, false
		}
		return find(inner, rest)
	case []any:
		if key == "*" {
			all := []any{}
			for _, item := range v {
				inner, ok := find(item, rest)
				if !ok {
					return nil, false
				}
				all = append(all, inner)
			}
			return all, true
		}
		if i, err := strconv.Atoi(key); err == nil && i < len(v) {
			return find(v[i], rest)
		}
	}
	return nil, false
}

func length(v any) int {
	switch v := v.(type) {
	case []any:
		return len(v)
	case map[string]any:
		return len(v)
	case string:
		return len(v)
	}
	return -1
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
