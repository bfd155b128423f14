package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"flexsync/internal/nearest"
	"flexsync/internal/yamldoc"
)

// shape is the keys that a mapping may have.
type shape struct {
	yamldoc.Shape
	prefix   string // what people write before a key of a group
	readOnly bool   // an answer of the API has more keys here, which no request can set
	keys     []key

	// elsewhere says, for keys of other mappings, where they belong.
	elsewhere []neighbour
	// synonyms are words that people use for a key of this mapping.
	synonyms map[string]string
	// foreign are keys that other kinds have, and why this one does not.
	foreign map[string]complaint
	url     string // the path of the field for a URL
}

// identifying are the keys that only kinds with another identity have.
func identifying(k *Kind) map[string]complaint {
	because := fmt.Sprintf("%s is identified by its %s alone", k.One(), k.ID.Path)
	return map[string]complaint{
		"sid":         {"sid does not exist here: " + because, "remove it"},
		"renamedfrom": {"renamed_from does not exist here: " + because, "remove it; an " + k.Name + " with another identity is another " + k.Name},
	}
}

type key struct {
	name   string
	field  *Field // nil: no field of a resource
	byName bool   // gives the name in place of the field's SID
}

type neighbour struct {
	shape *shape
	where string // "under integration"
}

// documentShape is the keys of a document.
var documentShape = func() *shape {
	s := &shape{Shape: yamldoc.Shape{Name: "a document"}, keys: []key{{name: "version"}, {name: "account_sid"}, {name: "ignore"}}, synonyms: map[string]string{
		"flexflows": "flows", "flow": "flows", "account": "account_sid", "default": "defaults", "ignored": "ignore", "address": "addresses",
	}}
	for _, k := range Kinds {
		s.keys = append(s.keys, key{name: k.Defaults}, key{name: k.Plural})
		s.elsewhere = append(s.elsewhere,
			neighbour{k.shape, fmt.Sprintf("in %s, under %s or %s", k.One(), k.Plural, k.Defaults)},
			neighbour{k.groupShape, fmt.Sprintf("under %s's %s", k.One(), k.Group)})
		for _, inner := range []*shape{k.shape, k.groupShape} {
			inner.elsewhere = append(inner.elsewhere, neighbour{s, "at the top of the document"})
		}
	}
	s.complete()
	return s
}()

// newShapes fills in the keys that a resource and its group may have, and what
// ignore_changes takes.
func (k *Kind) newShapes() {
	top := &shape{Shape: yamldoc.Shape{Name: k.One()}, readOnly: true, synonyms: k.synonyms, keys: []key{{name: "ignore_changes"}, {name: k.Group}}}
	if k.ByContact() {
		top.foreign = identifying(k)
	} else {
		top.keys = append([]key{{name: "sid"}, {name: "renamed_from"}}, top.keys...)
	}
	group := &shape{Shape: yamldoc.Shape{Name: article(k.Group)}, prefix: k.Group, synonyms: k.inner}
	top.elsewhere = []neighbour{{group, "under " + k.Group}}
	group.elsewhere = []neighbour{{top, fmt.Sprintf("in the %s, next to %s", k.Name, k.Group)}}
	k.shape, k.groupShape = top, group
	k.ignorable = map[string]FieldSet{k.Group: k.grouped}
	for i := range k.Fields {
		f := &k.Fields[i]
		s := top
		if f.Inside {
			s = group
		}
		for at, name := range f.keysOf() {
			s.keys = append(s.keys, key{name: name, field: f, byName: at > 0})
		}
		if f.rule == urlRule {
			top.url = f.Path
		}
		if f != k.ID {
			k.ignorable[f.Path] = f.Bit()
		}
	}
	top.complete()
	group.complete()
}

// complete lists the keys, fields before the rest.
func (s *shape) complete() {
	for _, fields := range []bool{true, false} {
		for _, k := range s.keys {
			if (k.field != nil) == fields {
				s.Keys = append(s.Keys, k.name)
			}
		}
	}
	s.Unknown = func(key string) yamldoc.Complaint { return yamldoc.Complaint(s.unknown(key)) }
}

// keysOf are the field's keys in its mapping, the one for the SID first.
func (f *Field) keysOf() []string {
	keys := []string{f.Key}
	if f.Name != "" {
		keys = append(keys, f.Name[strings.LastIndexByte(f.Name, '.')+1:])
	}
	return keys
}

// readOnlyKeys are the keys of the API's answers that no request can set.
var readOnlyKeys = []string{"account_sid", "date_created", "date_updated", "url", "links"}

// unknown says what to do about a key that the shape does not have, if more can be
// told than that it may be misspelt.
func (s *shape) unknown(name string) complaint {
	bare := nearest.Fold(name)
	if c, ok := s.foreign[bare]; ok {
		return c
	}
	if s.readOnly {
		for _, k := range readOnlyKeys {
			if nearest.Fold(k) != bare {
				continue
			}
			c := complaint{Message: fmt.Sprintf("%s is read-only: the API sets it; remove it", k)}
			switch k {
			case "account_sid":
				c.Hint = "to name the account that flexsync may write to, write account_sid at the top of the document"
			case "url":
				c.Hint = "the URL of a webhook is " + s.url
			}
			return c
		}
	}
	message := fmt.Sprintf("unknown key %s", yamldoc.Quote(name))
	meant := func(k string) complaint { return complaint{Message: message + "; did you mean " + k + "?"} }
	belongs := func(k, where string) complaint {
		return complaint{Message: fmt.Sprintf("%s; %s belongs %s", message, k, where)}
	}

	for _, k := range s.keys {
		if nearest.Fold(k.name) == bare {
			return meant(k.name)
		}
	}
	for _, k := range s.keys { // without its suffix
		if k.field != nil && !k.byName && (k.name == name+"_sid" || strings.HasSuffix(k.name, "_"+name+"_sid")) {
			meant := meant(k.name)
			if keys := k.field.keysOf(); len(keys) > 1 {
				meant.Hint = fmt.Sprintf("write %s with the SID, or %s with the name", k.name, keys[1])
			}
			return meant
		}
	}
	for _, n := range s.elsewhere {
		for _, k := range n.shape.keys {
			if f := nearest.Fold(k.name); f == bare || n.shape.prefix != "" && nearest.Fold(n.shape.prefix)+f == bare {
				return belongs(k.name, n.where)
			}
		}
	}
	if k, ok := s.synonyms[bare]; ok {
		return meant(k)
	}
	if nearest.Word(name, s.Keys) == "" {
		for _, n := range s.elsewhere {
			if k := nearest.Word(name, n.shape.Keys); k != "" {
				return belongs(k, n.where)
			}
		}
	}
	return complaint{} // it may be misspelt
}

// ignores returns the fields that an entry of ignore_changes names.
func (k *Kind) ignores(path string) (FieldSet, complaint) {
	if set, ok := k.ignorable[path]; ok {
		return set, complaint{}
	}
	if path == k.ID.Path {
		c := complaint{fmt.Sprintf("%s cannot be ignored: it identifies the %s", path, k.Name), fmt.Sprintf("to rename a %s, list its old name under renamed_from", k.Name)}
		if k.ByContact() {
			c.Hint = "remove it"
		}
		return 0, c
	}
	bare := nearest.Fold(path)
	for i := range k.Fields {
		f := &k.Fields[i]
		if f.Name != "" && (path == f.Name || k.Group+"."+path == f.Name) {
			return 0, complaint{fmt.Sprintf("%s is not the path of a field", path), fmt.Sprintf("write %s, which covers the name too", f.Path)}
		}
		if nearest.Fold(f.Path) == bare || f.Inside && nearest.Fold(f.Key) == bare {
			return 0, complaint{fmt.Sprintf("%s is not the path of a field; did you mean %s?", yamldoc.Quote(path), f.Path), ""}
		}
	}
	paths := slices.Sorted(maps.Keys(k.ignorable))
	if near := nearest.Word(path, paths); near != "" {
		return 0, complaint{fmt.Sprintf("%s is not the path of a field; did you mean %s?", yamldoc.Quote(path), near), ""}
	}
	return 0, complaint{fmt.Sprintf("%s is not the path of a field", yamldoc.Quote(path)), "the paths are " + strings.Join(paths, ", ")}
}
