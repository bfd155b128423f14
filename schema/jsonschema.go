package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"flexsync/internal/jsondoc"
)

// JSONSchema returns the JSON Schema (2020-12) of one YAML document, for
// editors. It is made from [Kinds].
//
// It accepts every document that Load accepts for some values of its variables,
// and refuses the others as far as one document and its JSON values can tell. It
// does not cover rules across resources (names, identities, ignore), spelling (tags,
// 1.0 for 1, duplicate keys), and the inside of globs' classes and of URLs.
//
// It has only keywords of 2020-12: a strict validator refuses others, such as
// those from which some editors take error messages.
//
// It does not cover YAML's anchors, aliases and <<: whatever reads the YAML,
// editors included, has resolved them.
func JSONSchema() []byte {
	properties := object{
		{"version", object{
			{"description", "Version of this format. Must be 1."},
			{"anyOf", []any{object{{"const", int64(1)}}, withVariable}},
		}},
		{"account_sid", sidSchema("AC").with("description", "The only account that flexsync may write to.")},
		{"ignore", listOf(globSchema).with("description",
			"Flows and addresses that flexsync never changes or deletes: names or addresses, globs (* ? [a-z]) or SIDs.")},
	}
	var rules []any
	var defs object
	// optional is a mapping that may be null.
	optional := func(properties object, rules []any) object {
		return object{{"properties", properties}, {"additionalProperties", false}}.all(rules).with("type", []any{"object", "null"})
	}
	for _, k := range Kinds {
		shared, once := k.layerKeys()
		shared = slices.DeleteFunc(shared, func(m member) bool { return m.key == k.ID.Path })
		properties = append(properties,
			member{k.Defaults, optional(shared, once).with("description", fmt.Sprintf(
				"Default values for every %s of this document, merged key by key, `%s` included. Each takes those that belong to its `%s`.", k.Name, k.Group, k.Variant.Path))},
			member{k.Plural, object{
				{"description", fmt.Sprintf("The %s. An empty list means that the account has none.", k.Plural)},
				{"type", []any{"array", "null"}},
				{"items", ref(k.Name)},
			}})
		rules = append(rules, k.documentRules()...)
		defs = append(defs,
			member{k.Name, k.keys().with("type", "object").with("description", "One "+k.Title+".")},
			member{k.Group, optional(k.fieldKeys(true)).with("description", fmt.Sprintf("%s: the keys of the %s's %s.", k.GroupDoc, k.Name, k.Variant.Path))})
	}
	document := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"description", "The Flex Flows and addresses of a Twilio account, kept by flexsync."},
		{"type", []any{"object", "null"}},
		{"properties", properties},
		{"required", []any{"version"}},
		{"additionalProperties", false},
		{"allOf", rules},
		{"$defs", defs},
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(document); err != nil {
		panic("schema: " + err.Error())
	}
	return out.Bytes()
}

// object is a JSON object that keeps its order, which is the order in which
// editors offer keys.
type object []member

type member struct {
	key   string
	value any
}

// with returns the object and one more member; an old one of that key goes.
func (o object) with(key string, value any) object {
	kept := slices.DeleteFunc(slices.Clone(o), func(m member) bool { return m.key == key })
	return append(kept, member{key, value})
}

// MarshalJSON implements [json.Marshaler].
func (o object) MarshalJSON() ([]byte, error) {
	var ordered jsondoc.Object
	for _, m := range o {
		ordered = append(ordered, jsondoc.Member{Name: m.key, Value: m.value})
	}
	return ordered.MarshalJSON()
}

// The patterns, in what Go and ECMAScript have in common. A text is a run of
// references to variables and of literals, each of which can be read in one
// way only, so that no text makes matching slow.
const (
	rePart      = `[^$]|\$\$+\{|\$+[^${]` // $${ is a literal ${
	reReference = `\$\{[A-Za-z_][A-Za-z0-9_]*\}`
	reText      = `^(?:` + rePart + `|` + reReference + `)*\$*$`
	reVariable  = `^(?:` + rePart + `)*` + reReference + `(?:` + rePart + `|` + reReference + `)*\$*$`
	reNoControl = `^[^\x00-\x1f\x7f-\x9f]*$`
	reURL       = `^[Hh][Tt][Tt][Pp][Ss]?://(?:[^\s/?#@]*@)?(?:\[[^\s/?#@\[\]]+\]|[^\s/?#@:\[\]]+)(?::[0-9]*)?(?:[/?#]\S*)?$`
	// The characters, the escaped ones, and the classes, whose first character
	// may be a ].
	reGlob = `^(?:[^\\[]|\\[\s\S]|\[(?:[!^](?:\][^\]]*|[^\]]+)|\][^\]]*|[^\]!^][^\]]*)\])+$`
)

func reSID(prefix string) string { return prefix + `[0-9a-fA-F]{32}` }

var (
	nullSchema = object{{"type", "null"}}

	// textSchema is a string whose references to variables are well-formed.
	textSchema = object{{"type", "string"}, {"pattern", reText}}

	// withVariable is a string that may become anything.
	withVariable = object{{"type", "string"}, {"pattern", reVariable}}
)

// orVariable is a text that matches a pattern or holds a variable. Editors show
// the first pattern when neither matches.
func orVariable(pattern string) object {
	return textSchema.with("anyOf", []any{object{{"pattern", pattern}}, object{{"pattern", reVariable}}})
}

func ref(definition string) object { return object{{"$ref", "#/$defs/" + definition}} }

func orNull(o object) object { return o.with("type", []any{"string", "null"}) }

func sidSchema(prefix string) object {
	return orNull(orVariable("^" + reSID(prefix) + "$"))
}

func listOf(items object) object {
	return object{{"type", []any{"array", "null"}}, {"items", items}}
}

var (
	globSchema = orVariable(reGlob)
	nameSchema = textSchema.with("minLength", int64(1)).with("allOf", []any{object{{"pattern", reNoControl}}})
)

// valueSchema is what the field's key takes.
func (k *Kind) valueSchema(f *Field) object {
	var o object
	switch {
	case f.Type == Bool:
		o = object{{"anyOf", []any{object{{"type", "boolean"}}, withVariable, nullSchema}}}
	case f.Type == Int:
		o = object{{"anyOf", []any{object{{"type", "integer"}, {"minimum", f.Min}, {"maximum", f.Max}}, withVariable, nullSchema}}}
	case f.Type == Words:
		o = listOf(object{{"anyOf", []any{object{{"enum", f.Enum}}, withVariable}}}).with("minItems", int64(1))
	case f.Enum != nil && f.rule == nil:
		o = object{{"anyOf", []any{object{{"enum", f.Enum}}, withVariable, nullSchema}}}
	case f.SIDOrName:
		o = orNull(textSchema).with("minLength", int64(1)).with("anyOf", []any{
			object{{"type", "null"}},
			object{{"pattern", "^" + reSID(f.SID) + "$"}},
			object{{"not", object{{"pattern", "^" + reSID("[A-Z]{2}") + "$"}}}},
		})
	case f.SID != "":
		o = sidSchema(f.SID)
	case f.rule != nil:
		if o = f.rule.pattern; f != k.ID {
			o = orNull(o)
		}
	default:
		o = orNull(textSchema)
	}
	if f.Default != nil {
		o = append(object{{"default", f.Default}}, o...)
	}
	return append(object{{"description", k.describe(f)}}, o...)
}

// referenceSchema is what the key for the field's name takes.
func (f *Field) referenceSchema() object {
	o := orNull(textSchema).with("minLength", int64(1)).with("not", object{{"type", "string"}, {"pattern", "^" + reSID(f.SID) + "$"}})
	return append(object{{"description", fmt.Sprintf("The name to use instead of %s; flexsync looks it up in the account.", f.Path)}}, o...)
}

// describe is the field's Doc, with what the other columns say.
func (k *Kind) describe(f *Field) string {
	parts := []string{f.Doc}
	if f.Variants != nil {
		parts = append(parts, "For "+k.Variant.Path+" "+strings.Join(f.Variants, " and ")+".")
	}
	if f.SID != "" {
		parts = append(parts, "A SID is "+sidForm(f.SID)+".")
	}
	if f.Name != "" {
		parts = append(parts, "Alternatively, set "+f.Name+".")
	}
	if f.Default != nil {
		parts = append(parts, fmt.Sprintf("Default: %v.", f.Default))
	}
	return strings.Join(parts, " ")
}

// fieldKeys are the properties of the fields, and the rule that a field is
// given once.
func (k *Kind) fieldKeys(inside bool) (properties object, rules []any) {
	for i := range k.Fields {
		f := &k.Fields[i]
		if f.Inside != inside {
			continue
		}
		keys := f.keysOf()
		properties = append(properties, member{keys[0], k.valueSchema(f)})
		if len(keys) > 1 {
			properties = append(properties, member{keys[1], f.referenceSchema()})
			rules = append(rules, object{{"if", has(keys[0])}, {"then", lacks(keys[1])}})
		}
	}
	return properties, rules
}

// all adds rules, if there are any.
func (o object) all(rules []any) object {
	if len(rules) == 0 {
		return o
	}
	return append(o, member{"allOf", rules})
}

// layerKeys are what a resource and its defaults have in common.
func (k *Kind) layerKeys() (properties object, rules []any) {
	properties, rules = k.fieldKeys(false)
	paths := slices.Sorted(maps.Keys(k.ignorable))
	return append(properties,
		member{k.Group, ref(k.Group)},
		member{"ignore_changes", listOf(object{{"anyOf", []any{object{{"enum", paths}}, withVariable}}}).
			with("description", fmt.Sprintf("Keys that keep the account's value; `%s` means all of its keys.", k.Group))},
	), rules
}

func (k *Kind) keys() object {
	properties, rules := k.layerKeys()
	if !k.ByContact() {
		properties = append(properties,
			member{"sid", sidSchema(k.SID).with("description", fmt.Sprintf("Pins the %s to the resource with this SID, whatever its name.", k.Name))},
			member{"renamed_from", listOf(nameSchema).with("uniqueItems", true).
				with("description", fmt.Sprintf("Old names of the %s: a %[1]s with one of them is renamed in place and keeps its SID.", k.Name))},
		)
	}
	for _, typ := range slices.Sorted(maps.Keys(k.prefixes)) {
		rules = append(rules, object{{"if", isValue(k.Channel.Path, typ)}, {"then", k.prefixed(typ)}})
	}
	for _, typ := range k.Variant.Enum {
		rules = append(rules, object{{"if", k.isType(typ)}, {"then", k.onlyKeysOf(typ)}})
	}
	return object{{"properties", properties}, {"required", []any{k.ID.Path}}, {"additionalProperties", false}}.all(rules)
}

// prefixed is an ID with the prefix of a channel.
func (k *Kind) prefixed(channel string) object {
	return object{{"properties", object{
		{k.ID.Path, object{{"anyOf", []any{object{{"pattern", "^" + k.prefixes[channel] + "."}}, object{{"pattern", reVariable}}}}}},
	}}}
}

// The conditions. A key that is null counts as omitted; `type` refuses what is not
// a mapping.

func has(key string) object {
	return object{{"required", []any{key}}, {"properties", object{{key, object{{"not", nullSchema}}}}}}
}

func lacks(key string) object { return object{{"properties", object{{key, nullSchema}}}} }

// within is a key that is present with a value that meets a condition.
func within(key string, condition object) object {
	return object{{"required", []any{key}}, {"properties", object{{key, append(object{{"type", "object"}}, condition...)}}}}
}

func (k *Kind) isType(typ string) object { return k.nest(k.Variant, isValue(k.Variant.Key, typ)) }

// isValue is a key with this value.
func isValue(key, value string) object {
	return object{{"required", []any{key}}, {"properties", object{{key, object{{"const", value}}}}}}
}

// given is a field that is given, by value or by name.
func (k *Kind) given(f *Field) object {
	given := has(f.Key)
	if keys := f.keysOf(); len(keys) > 1 {
		given = object{{"anyOf", []any{given, has(keys[1])}}}
	}
	return k.nest(f, given)
}

// nest is a condition on the mapping that has the field.
func (k *Kind) nest(f *Field, condition object) object {
	if f.Inside {
		return within(k.Group, condition)
	}
	return condition
}

func (k *Kind) each(condition object) object {
	return object{{"properties", object{{k.Plural, object{{"items", condition}}}}}}
}

// onlyKeysOf refuses keys of a resource's own group that a variant does not have.
func (k *Kind) onlyKeysOf(typ string) object {
	var wrong object
	for f := range k.In(k.All() &^ k.of(typ)) {
		for _, key := range f.keysOf() {
			wrong = append(wrong, member{key, nullSchema})
		}
	}
	return object{{"properties", object{{k.Group, object{{"properties", wrong}}}}}}
}

// documentRules are the keys that a resource requires, unless defaults has them.
func (k *Kind) documentRules() []any {
	var rules []any
	byDefault := func(typ string) object { return within(k.Defaults, k.isType(typ)) }
	untyped := lacks(k.Variant.Key)
	if k.Variant.Inside {
		untyped = object{{"properties", object{{k.Group, untyped}}}}
	}
	for i := range k.Fields {
		f := &k.Fields[i]
		given := k.given(f)
		if !f.Required || f == k.ID {
			continue
		}
		if f.Variants == nil {
			rules = append(rules, object{{"if", within(k.Defaults, given)}, {"else", k.each(given)}})
		}
		for _, typ := range f.Variants {
			needed := func(of object) object { return k.each(object{{"if", of}, {"then", given}}) }
			rules = append(rules, object{{"if", within(k.Defaults, given)}, {"else", object{{"allOf", []any{
				needed(k.isType(typ)),
				object{{"if", byDefault(typ)}, {"then", needed(untyped)}},
			}}}}})
		}
	}
	for _, typ := range slices.Sorted(maps.Keys(k.prefixes)) {
		own := object{{"if", lacks(k.Channel.Path)}, {"then", k.prefixed(typ)}}
		rules = append(rules, object{{"if", within(k.Defaults, isValue(k.Channel.Path, typ))}, {"then", k.each(own)}})
	}
	for _, typ := range k.Variant.Enum {
		rules = append(rules, object{{"if", byDefault(typ)}, {"then", k.each(object{{"if", untyped}, {"then", k.onlyKeysOf(typ)}})}})
	}
	if !k.Variant.Required {
		rules = append(rules, object{{"if", within(k.Defaults, k.given(k.Variant))}, {"else", k.each(object{{"if", untyped}, {"then", lacks(k.Group)}})}})
	}
	return rules
}
