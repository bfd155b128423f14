package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"flexsync/internal/yamldoc"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("flexsync.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("flexsync.json") // holds it against the metaschema, too
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// beyondSchema are the files of testdata/invalid that the schema cannot refuse
// any document of, and why. A file that the YAML parser refuses is not among
// them: an editor says so without a schema.
var beyondSchema = map[string]string{
	"accounts":            "two documents name different accounts",
	"address-beside-flow": "a flow and an address are enabled for one identity",
	"collision":           "two flows are enabled for one identity",
	"no-flows":            "other documents might have the flows",
}

// beyondDocument are the problems of one document with one resource that its JSON
// value does not show, or that a pattern cannot tell.
var beyondDocument = regexp.MustCompile(strings.Join([]string{
	`the tag .* is not supported`, // tags are gone
	`duplicate key`,               // so is the first of two keys
	`expected a whole number, found "[-+]?[0-9][-+0-9_a-fox.]*"`, // a number, spelled in another way
	`is declared, but ignore lists`,                              // one value against another
	`are both enabled for one identity`,                          // the same
	`renamed_from lists .*, the flow's own`,                      // the same
	`has an invalid \[class\]`,                                   // [z-a]
	`is not an absolute http or https URL .*[%\\^|<]`,            // the inside of a URL
}, "|"))

func TestSchemaTestdata(t *testing.T) {
	s := compiledSchema(t)
	for _, kind := range []string{"valid", "invalid"} {
		paths, err := filepath.Glob("testdata/" + kind + "/*.yaml")
		if err != nil || len(paths) == 0 {
			t.Fatal("no testdata", err)
		}
		var accepted []string
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			src, problem := yamldoc.NewSource(path, data)
			if problem != nil {
				t.Fatal(problem)
			}
			name, refused := strings.TrimSuffix(filepath.Base(path), ".yaml"), false
			syntax := src.Documents(func(root *yamldoc.Node) {
				verdict := s.Validate(instance(t, root))
				refused = refused || verdict != nil
				if kind == "valid" && verdict != nil {
					t.Errorf("%s: %v", path, verdict)
				}
				for i, single := range singles(root) {
					agree(t, s, fmt.Sprintf("%s, flow %d", path, i), single)
				}
			})
			if kind == "invalid" && !refused && len(syntax) == 0 {
				accepted = append(accepted, name)
			}
		}
		if kind == "invalid" {
			var want []string
			for name := range beyondSchema {
				want = append(want, name)
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, accepted); diff != "" {
				t.Errorf("invalid files that the schema accepts (-want +got):\n%s", diff)
			}
		}
	}
}

type tester interface {
	Helper()
	Errorf(string, ...any)
	Fatal(...any)
}

// agree holds the verdict of the schema on a document against the loader's,
// every variable unknown to both.
func agree(t tester, s *jsonschema.Schema, what string, root *yamldoc.Node) {
	t.Helper()
	src, _ := yamldoc.NewSource("x.yaml", nil)
	d := newDecoder(src, &yamldoc.Variables{Lenient: true})
	d.document(root)
	d.out.check()
	beyond := true
	for _, p := range d.out.problems {
		beyond = beyond && beyondDocument.MatchString(p.Message)
	}
	verdict := s.Validate(instance(t, root))
	text, _ := yaml.Marshal(root)
	switch {
	case verdict != nil && len(d.out.problems) == 0:
		t.Errorf("%s: the loader accepts what the schema refuses: %v\n%s", what, verdict, text)
	case verdict == nil && !beyond:
		t.Errorf("%s: the schema accepts what the loader refuses:\n%v\n%s", what, d.out.problems, text)
	}
}

// singles is the document once for each of its flows and addresses, with no other.
func singles(root *yamldoc.Node) (docs []*yamldoc.Node) {
	if !yamldoc.IsMapping(root) {
		return []*yamldoc.Node{root}
	}
	list := func(i int) []*yamldoc.Node {
		value := yamldoc.Resolved(root.Content[i+1])
		if !slices.ContainsFunc(Kinds, func(k *Kind) bool { return k.Plural == root.Content[i].Value }) || !yamldoc.IsSequence(value) {
			return nil
		}
		return value.Content
	}
	with := func(at int, only ...*yamldoc.Node) *yamldoc.Node {
		one := *root
		one.Content = slices.Clone(root.Content)
		for i := 0; i+1 < len(root.Content); i += 2 {
			if list(i) != nil {
				one.Content[i+1] = &yamldoc.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
			}
			if i == at {
				one.Content[i+1].Content = only
			}
		}
		return &one
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		for _, item := range list(i) {
			docs = append(docs, with(i, item))
		}
	}
	if docs == nil {
		docs = append(docs, root)
	}
	return docs
}

// instance is the JSON value of a YAML node by YAML's core schema, aliases
// followed and mappings merged, as an editor sees it.
func instance(t tester, n *yamldoc.Node) any {
	n = yamldoc.Resolved(n)
	switch {
	case yamldoc.IsMapping(n):
		m, merged := map[string]any{}, map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := yamldoc.Resolved(n.Content[i]), yamldoc.Resolved(n.Content[i+1])
			if !yamldoc.IsMerge(key) {
				name := key.Value
				if !yamldoc.IsScalar(key) {
					name = fmt.Sprintf("line %d", key.Line)
				}
				m[name] = instance(t, value)
				continue
			}
			sources := []*yamldoc.Node{value}
			if yamldoc.IsSequence(value) {
				sources = value.Content
			}
			for _, source := range sources {
				object, ok := instance(t, source).(map[string]any)
				if !ok {
					object = map[string]any{"<<": true} // an editor says that it is no mapping
				}
				for k, v := range object {
					if _, have := merged[k]; !have {
						merged[k] = v
					}
				}
			}
		}
		for k, v := range merged {
			if _, have := m[k]; !have {
				m[k] = v
			}
		}
		return m
	case yamldoc.IsSequence(n):
		list := []any{}
		for _, item := range n.Content {
			list = append(list, instance(t, item))
		}
		return list
	}
	switch n.Tag {
	case yamldoc.TagNull:
		return nil
	case yamldoc.TagBool:
		return strings.EqualFold(n.Value, "true")
	case yamldoc.TagInt, yamldoc.TagFloat:
		if x, ok := new(big.Float).SetString(strings.ReplaceAll(n.Value, "_", "")); ok && !x.IsInf() {
			return json.Number(x.Text('f', -1))
		}
		if x, ok := new(big.Int).SetString(n.Value, 0); ok {
			return json.Number(x.String())
		}
		return json.Number("0.5") // .inf and .nan are no integers either
	}
	return n.Value
}

// TestSchemaAgrees is the law that the schema and the loader say the same of
// any document with one flow or address.
func TestSchemaAgrees(t *testing.T) {
	s := compiledSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		agreeOn(t, s, genDocument(t))
	})
}

const hexDigits = "00000000000000000000000000000001"

// oddValues are values that are wrong for most keys, or hard to tell.
var oddValues = []string{
	"", "null", "~", "[]", "{}", "[x]", "{a: b}", "true", "False", "yes", `"true"`, "0", "3", "4", "-1", "1.5", `"3"`,
	"2147483647", "2147483648", "9223372036854775807", "9223372036854775808", "12345678901234567890123",
	`""`, `"\x01"`, `"a\nb"`, "some text", "é 😀", `"\u0085"`, "studio", "web", "Web",
	"${v}", "a ${v} b", `"$${v}"`, `"$$${v}"`, `"${"`, `"${}"`, `"${a-b}"`, `"${1a}"`, `"$ $$ {"`, `"${a}$${b}${c}"`, `"$"`, `"$$$"`, `"x$"`, `"$${"`, `"$$${"`, `"${a}$"`, `"${a}${"`,
	"FO" + hexDigits, "IS" + hexDigits, "FW" + hexDigits, "WS" + hexDigits, "WW" + hexDigits, "TC" + hexDigits, "AC" + hexDigits, "XX" + hexDigits,
	"xx" + hexDigits, "FW" + hexDigits + "0", "FW${v}", "FW123", `"FW` + hexDigits + `\n"`,
	"http://a", "HTTPS://a.b:80/c?d#e", `"http://a:"`, "https://[::1]/", "https://[::1]:80", "http://u:p@h", "http://u@h:1/", "http://u@", "http://:80", "http:///x", "http:a", "http://?x", "http://#x",
	"ftp://a", "//a/b", "a.b", `"http://a b"`, `"http://a/b c"`, "http://a:x", "http://a/x:y@z", "http://a?x@y", "http://${v}/", `"http://a/${"`, `"http://a/$${"`,
	`"[a]"`, `"[]"`, `"[]]"`, `"[!]"`, `"[!]]"`, `"[^]a]"`, `"[a-z]x[!0-9]"`, `"a\\"`, `"\\["`, `"\\\\"`, `"["`, `"]"`, `"a[b"`, `"*"`, `"[a${v}]"`, `"[${v}"`, `"[!"`, `"[^"`,
	"US", "us", "GET", "Post", "+15551230000", `"whatsapp:"`, "whatsapp:+1", "Whatsapp:+1", "messenger:x", "SMS", "default", "webhook",
	"[onMessageAdded]", "[onmessageadded]", "[onMessageAdded, onMessageAdded]", "[auto_creation]", "[auto_creation.enabled]", "[auto_creation.studio_flow]", "[address]",
	`["${v}"]`, "[enabled]", `["${v}", integration]`, "[null]", "[12]", "[true]", "[[A]]", `[""]`, "[A, A]", "[A, B]",
	"[integration.studio_flow]", "[friendly_name]", "[sid]", "[integration.url]", "[integration, integration]",
}

// agreeOn is agree on a text.
func agreeOn(t tester, s *jsonschema.Schema, text string) {
	t.Helper()
	src, problem := yamldoc.NewSource("x.yaml", []byte(text))
	if problem != nil {
		t.Fatal(problem)
	}
	documents := 0
	if problems := src.Documents(func(root *yamldoc.Node) { documents++; agree(t, s, "text", root) }); problems != nil || documents != 1 {
		t.Fatal(problems, documents, text)
	}
}

// TestSchemaValues gives each key each odd value in a document that is right
// otherwise.
func TestSchemaValues(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts no goroutine")
	}
	s := compiledSchema(t)
	for _, value := range oddValues {
		for _, line := range []string{"version: %s\nflows: []", "version: 1\naccount_sid: %s", "version: 1\nignore: %s", "version: 1\nignore:\n  - %s", "version: 1\ndefaults: %s", "version: 1\nflows: %s", "version: 1\nflows:\n  - %s"} {
			agreeOn(t, s, fmt.Sprintf(line, value)+"\n")
		}
		for _, kind := range Kinds {
			for _, k := range kind.shape.keys {
				lines := slices.Concat(topLines(kind, Studio, k.field), []string{kind.Group + ": {" + strings.Join(groupLines(kind, Studio, nil), ", ") + "}"})
				lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, k.name+":") })
				agreeOn(t, s, fmt.Sprintf("version: 1\n%s:\n  - %s: %s\n    %s\n", kind.Plural, k.name, value, strings.Join(lines, "\n    ")))
				agreeOn(t, s, fmt.Sprintf("version: 1\n%s:\n  %s: %s\n%s:\n  - %s\n", kind.Defaults, k.name, value, kind.Plural, strings.Join(lines, "\n    ")))
			}
			for _, k := range kind.groupShape.keys {
				for _, typ := range kind.Variant.Enum {
					agreeOn(t, s, fmt.Sprintf("version: 1\n%s:\n  - %s\n    %s:\n      %s\n", kind.Plural, strings.Join(topLines(kind, typ, nil), "\n    "), kind.Group,
						strings.Join(append(groupLines(kind, typ, k.field), k.name+": "+value), "\n      ")))
				}
			}
		}
	}
}

// topLines are the required keys outside the group of a resource of a variant, and
// the variant itself, but for one; groupLines are those in the group.
func topLines(k *Kind, variant string, but *Field) []string {
	return requiredLines(k, variant, but, false)
}

func groupLines(k *Kind, variant string, but *Field) []string {
	return requiredLines(k, variant, but, true)
}

func requiredLines(k *Kind, variant string, but *Field, inside bool) (lines []string) {
	for f := range k.In(k.of(variant)) {
		value := f.SID + hexDigits
		switch {
		case f.Inside != inside || !f.Required && f != k.Variant || f == but:
			continue
		case f == k.Variant:
			value = variant
		case f.Enum != nil && f.Type == Words:
			value = "[" + f.Enum[0] + "]"
		case f.Enum != nil:
			value = f.Enum[0]
		case f.rule == urlRule:
			value = "https://example.com"
		case f.SID == "":
			value = "A"
		}
		lines = append(lines, f.keysOf()[0]+": "+value)
	}
	return lines
}

// TestSchemaTypes gives integration types and the keys of each, in the flow and
// in defaults, in every combination.
func TestSchemaTypes(t *testing.T) {
	s := compiledSchema(t)
	types := []string{"", "null", Studio, External, Task, "${v}", "mistake"}
	layer := func(indent, typ, keys string, but *Field) (text string) {
		if typ != "" {
			text += indent + "integration_type: " + typ + "\n"
		}
		if keys == "null" {
			text += indent + "integration: null\n"
		} else if keys != "" {
			text += indent + "integration: {" + strings.Join(groupLines(Flows, keys, but), ", ") + "}\n"
		}
		return text
	}
	for _, ownType := range types {
		for _, baseType := range types {
			for _, ownKeys := range types[:5] {
				for _, baseKeys := range types[:5] {
					for _, but := range []*Field{nil, Flows.Field("integration.flow_sid"), Flows.Field("integration.workflow_sid")} {
						agreeOn(t, s, "version: 1\ndefaults:\n  chat_service: S\n"+layer("  ", baseType, baseKeys, but)+
							"flows:\n  - friendly_name: A\n    channel_type: web\n"+layer("    ", ownType, ownKeys, but))
					}
				}
			}
		}
	}
}

// genDocument draws a document with one flow or address: mostly right, with values of
// other fields and of other kinds here and there.
func genDocument(t *rapid.T) string {
	const hex = hexDigits
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	oneIn := func(n int, label string) bool { return rapid.IntRange(1, n).Draw(t, label) == 1 }
	value := func(label string, right ...string) string {
		if oneIn(12, label+" is odd") {
			return pick(label, oddValues...)
		}
		return pick(label, right...)
	}
	sid := func(f *Field) string { return f.SID + hex }
	k := rapid.SampledFrom(Kinds).Draw(t, "kind")
	// What each variant, and each channel that has a prefix, goes with is likely.
	typ, channel := pick("type", k.Variant.Enum...), pick("channel", k.Channel.Enum...)
	layer := func(label string, keepOne int) (lines []string) {
		var inner []string
		typ := typ
		if oneIn(3, label+" has its own type") {
			typ = pick(label+" type", k.Variant.Enum...)
		}
		for i := range k.Fields {
			f := &k.Fields[i]
			if f.Inside && !f.AppliesTo(typ) && !oneIn(25, label+f.Path+" anyway") || f.Variants == nil && label == "defaults" && f == k.ID && !oneIn(20, "name") {
				continue
			}
			if oneIn(keepOne, label+f.Path+" out") {
				continue
			}
			right := []string{"text"}
			switch {
			case f == k.Variant:
				right = []string{typ}
			case f == k.Channel && !oneIn(6, label+" another channel"):
				right = []string{channel}
			case f.Type == Words:
				right = []string{"[" + f.Enum[0] + "]", "[" + strings.Join(f.Enum[1:3], ", ") + "]"}
			case f.Enum != nil:
				right = f.Enum
			case f.Type == Bool:
				right = []string{"true", "false"}
			case f.Type == Int:
				right = []string{"0", "3"}
			case f.SID != "":
				right = []string{sid(f)}
			case f.rule == urlRule:
				right = []string{"https://example.com/x"}
			case f.rule == countryRule:
				right = []string{"US", "DE"}
			case f.rule == addressRule:
				right = []string{k.prefixes[channel] + "+15551230000", k.prefixes[channel] + "x"}
			}
			keys := f.keysOf()
			line := keys[0] + ": " + value(label+f.Path, right...)
			if len(keys) > 1 && oneIn(3, label+f.Path+" by name") {
				line = keys[1] + ": " + value(label+f.Path, "Some Name")
				if oneIn(8, label+f.Path+" twice") {
					line += "\n" + keys[0] + ": " + value(label+f.Path, sid(f), "null")
				}
			}
			if f.Inside {
				inner = append(inner, strings.Split(line, "\n")...)
			} else {
				lines = append(lines, strings.Split(line, "\n")...)
			}
		}
		switch {
		case oneIn(15, label+" odd group"):
			lines = append(lines, k.Group+": "+pick(label+" group", oddValues...))
		case len(inner) > 0 && !oneIn(10, label+" no group"):
			if oneIn(20, label+" unknown") {
				inner = append(inner, "colour: red")
			}
			lines = append(lines, k.Group+":")
			for _, line := range inner {
				lines = append(lines, "  "+line)
			}
		}
		if oneIn(6, label+" ignores") {
			lines = append(lines, "ignore_changes: "+value(label+" ignores", "["+k.Enabled.Path+", "+k.Group+"]", "[]"))
		}
		if label == "own" && !k.ByContact() && oneIn(6, "pinned") || oneIn(30, label+" pinned") {
			lines = append(lines, "sid: "+value("sid", "FO"+hex))
		}
		if label == "own" && !k.ByContact() && oneIn(6, "renamed") || oneIn(30, label+" renamed") {
			lines = append(lines, "renamed_from: "+value("renamed_from", "[Old, Older]"))
		}
		if oneIn(30, label+" unknown") {
			lines = append(lines, "colour: red")
		}
		return lines
	}
	var b strings.Builder
	if !oneIn(30, "no version") {
		fmt.Fprintf(&b, "version: %s\n", value("version", "1"))
	}
	if oneIn(5, "account") {
		fmt.Fprintf(&b, "account_sid: %s\n", value("account_sid", "AC"+hex))
	}
	if oneIn(5, "ignored") {
		if oneIn(3, "odd entry") {
			fmt.Fprintf(&b, "ignore:\n  - %s\n", pick("ignore", oddValues...))
		} else {
			fmt.Fprintf(&b, "ignore: %s\n", value("ignore", "[zzz*, '[zZ]', FO"+strings.Repeat("9", 32)+"]"))
		}
	}
	if oneIn(2, "has defaults") {
		if lines := layer("defaults", 2); len(lines) > 0 {
			fmt.Fprintf(&b, "%s:\n  %s\n", k.Defaults, strings.Join(lines, "\n  "))
		}
	}
	if lines := layer("own", rapid.IntRange(4, 30).Draw(t, "left out")); len(lines) > 0 {
		fmt.Fprintf(&b, "%s:\n  - %s\n", k.Plural, strings.Join(lines, "\n    "))
	}
	return b.String()
}

// TestSchemaPatterns is what an editor's regular expressions are asked of
// hostile texts: an answer at once.
func TestSchemaPatterns(t *testing.T) {
	for _, pattern := range []string{reText, reVariable, reNoControl, reURL, reGlob} {
		if _, err := regexp.Compile(pattern); err != nil {
			t.Error(err)
		}
		// What Go knows and ECMAScript does not, or the other way round.
		if m := regexp.MustCompile(`\(\?[^:]|\\[pPxuzAQ][^0-9a-f]|\[\[:`).FindString(pattern); m != "" {
			t.Errorf("%s has %s", pattern, m)
		}
	}
}

// standardKeywords are the keywords of JSON Schema 2020-12 that the schema may
// use, and what stands below each: "" for a value, "schema", "schemas" for a list
// of them, "named" for a mapping of names to them.
var standardKeywords = map[string]string{
	"$schema": "", "$ref": "", "$defs": "named",
	"allOf": "schemas", "anyOf": "schemas", "oneOf": "schemas", "not": "schema", "if": "schema", "then": "schema", "else": "schema",
	"properties": "named", "patternProperties": "named", "additionalProperties": "schema", "propertyNames": "schema", "items": "schema", "prefixItems": "schemas", "contains": "schema",
	"type": "", "const": "", "enum": "", "minimum": "", "maximum": "", "minLength": "", "maxLength": "", "pattern": "",
	"minItems": "", "maxItems": "", "uniqueItems": "", "required": "", "dependentRequired": "",
	"title": "", "description": "", "default": "", "deprecated": "", "examples": "",
}

// TestSchemaKeywords is that a strict validator takes the schema: none of its
// keywords is an editor's own.
func TestSchemaKeywords(t *testing.T) {
	var document any
	if err := json.Unmarshal(JSONSchema(), &document); err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	var look func(schema any)
	look = func(schema any) {
		members, ok := schema.(map[string]any)
		if _, isBool := schema.(bool); !ok && !isBool {
			t.Errorf("%v is no schema", schema)
		}
		for keyword, value := range members {
			below, known := standardKeywords[keyword]
			if !known && !told[keyword] {
				told[keyword] = true
				t.Errorf("%s is no keyword of 2020-12", keyword)
			}
			switch below {
			case "schema":
				look(value)
			case "schemas":
				for _, item := range value.([]any) {
					look(item)
				}
			case "named":
				for _, item := range value.(map[string]any) {
					look(item)
				}
			}
		}
	}
	look(document)
}

// TestSchemaDescribes is that an editor has something to say of every key.
func TestSchemaDescribes(t *testing.T) {
	s := compiledSchema(t)
	var look func(s *jsonschema.Schema, at string)
	look = func(s *jsonschema.Schema, at string) {
		for name, property := range s.Properties {
			described := property
			if described.Description == "" && described.Ref != nil {
				described = described.Ref
			}
			if described.Description == "" && described.Const == nil {
				t.Errorf("%s.%s has no description", at, name)
			}
			look(described, at+"."+name)
			if items, ok := described.Items2020, described.Items2020 != nil; ok && items.Ref != nil {
				look(items.Ref, at+"."+name+"[]")
			}
		}
	}
	look(s, "")
	flow := s.Properties["flows"].Items2020.Ref
	for _, name := range Flows.shape.Keys {
		if flow.Properties[name] == nil {
			t.Errorf("a flow has no %s", name)
		}
	}
	for _, name := range Flows.groupShape.Keys {
		if flow.Properties["integration"].Ref.Properties[name] == nil {
			t.Errorf("an integration has no %s", name)
		}
	}
	if have := flow.Properties["long_lived"].Default; have == nil || *have != false {
		t.Errorf("the default of long_lived is %v", have)
	}
}
