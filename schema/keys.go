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
	name string // "a flow"
	keys []key

	// elsewhere says, for keys of other mappings, where they belong.
	elsewhere []neighbour
	// synonyms are words that people use for a key of this mapping.
	synonyms map[string]string
}

type key struct {
	name   string
	field  *Field // nil: no field of the flow
	byName bool   // gives the name in place of the field's SID
}

type neighbour struct {
	shape *shape
	where string // "under integration"
}

var documentShape, flowShape, integrationShape = newShapes()

func newShapes() (document, flow, integration *shape) {
	document = &shape{name: "a document", keys: []key{
		{name: "version"}, {name: "account_sid"}, {name: "ignore"}, {name: "defaults"}, {name: "flows"},
	}}
	flow = &shape{name: "a flow", keys: []key{
		{name: "sid"}, {name: "renamed_from"}, {name: "ignore_changes"}, {name: "integration"},
	}}
	integration = &shape{name: "an integration"}
	for i := range Fields {
		f := &Fields[i]
		s, cut := flow, ""
		if _, ok := f.integrationKey(); ok {
			s, cut = integration, integrationPrefix
		}
		s.keys = append(s.keys, key{name: strings.TrimPrefix(f.Path, cut), field: f})
		if f.Name != "" {
			s.keys = append(s.keys, key{name: strings.TrimPrefix(f.Name, cut), field: f, byName: true})
		}
	}
	document.elsewhere = []neighbour{{flow, "in a flow, under flows or defaults"}, {integration, "under a flow's integration"}}
	flow.elsewhere = []neighbour{{integration, "under integration"}, {document, "at the top of the document"}}
	integration.elsewhere = []neighbour{{flow, "in the flow, next to integration"}, {document, "at the top of the document"}}

	document.synonyms = map[string]string{
		"flexflows": "flows", "flow": "flows", "account": "account_sid", "default": "defaults", "ignored": "ignore",
	}
	flow.synonyms = map[string]string{
		"name": "friendly_name", "channel": "channel_type", "type": "channel_type", "identity": "contact_identity",
		"phonenumber": "contact_identity", "servicesid": "chat_service_sid", "previously": "renamed_from",
		"previousname": "renamed_from", "previousnames": "renamed_from", "oldname": "renamed_from", "oldnames": "renamed_from",
		"integrations": "integration", "disabled": "enabled",
	}
	integration.synonyms = map[string]string{
		"studioflowsid": "flow_sid", "studiosid": "flow_sid", "webhook": "url", "webhookurl": "url", "retries": "retry_count",
	}
	return document, flow, integration
}

// has reports whether a key belongs to the mapping.
func (s *shape) has(name string) bool {
	return slices.ContainsFunc(s.keys, func(k key) bool { return k.name == name })
}

// names returns the keys, a flow's fields before the rest.
func (s *shape) names() []string {
	var fields, others []string
	for _, k := range s.keys {
		if k.field != nil {
			fields = append(fields, k.name)
		} else {
			others = append(others, k.name)
		}
	}
	return append(fields, others...)
}

// readOnlyKeys are the keys of the API's answers that no request can set.
var readOnlyKeys = []string{"account_sid", "date_created", "date_updated", "url", "links"}

// unknown says what to do about a key that the shape does not have.
func (s *shape) unknown(name string) complaint {
	bare := nearest.Fold(name)
	if s == flowShape {
		for _, k := range readOnlyKeys {
			if nearest.Fold(k) != bare {
				continue
			}
			c := complaint{message: fmt.Sprintf("%s is read-only: the API sets it; remove it", k)}
			switch k {
			case "account_sid":
				c.hint = "to name the account that flexsync may write to, write account_sid at the top of the document"
			case "url":
				c.hint = "the URL of a webhook is integration.url"
			}
			return c
		}
	}
	message := fmt.Sprintf("unknown key %s", yamldoc.Quote(name))
	meant := func(k string) complaint { return complaint{message + "; did you mean " + k + "?", "write " + k} }
	belongs := func(k, where string) complaint {
		return complaint{fmt.Sprintf("%s; %s belongs %s", message, k, where), fmt.Sprintf("write %s %s", k, where)}
	}

	for _, k := range s.keys {
		if nearest.Fold(k.name) == bare {
			return meant(k.name)
		}
	}
	for _, n := range s.elsewhere {
		for _, k := range n.shape.keys {
			if f := nearest.Fold(k.name); f == bare || n.shape == integrationShape && "integration"+f == bare {
				return belongs(k.name, n.where)
			}
		}
	}
	if k, ok := s.synonyms[bare]; ok {
		return meant(k)
	}
	if k := nearest.Word(name, s.names()); k != "" {
		return meant(k)
	}
	for _, n := range s.elsewhere {
		if k := nearest.Word(name, n.shape.names()); k != "" {
			return belongs(k, n.where)
		}
	}
	return complaint{message, fmt.Sprintf("the keys of %s are %s", s.name, strings.Join(s.names(), ", "))}
}

// changeable are the paths that ignore_changes takes.
var changeable = func() map[string]FieldSet {
	m := map[string]FieldSet{"integration": IntegrationFields}
	for i := range Fields {
		if f := &Fields[i]; f != FieldFriendlyName {
			m[f.Path] = f.Bit()
		}
	}
	return m
}()

// ignorable returns the fields that an entry of ignore_changes names.
func ignorable(path string) (FieldSet, complaint) {
	if set, ok := changeable[path]; ok {
		return set, complaint{}
	}
	if path == FieldFriendlyName.Path {
		return 0, complaint{"friendly_name cannot be ignored: it identifies the flow", "to rename a flow, list its old name under renamed_from"}
	}
	bare := nearest.Fold(path)
	for i := range Fields {
		f := &Fields[i]
		if path == f.Name || f.Name != "" && integrationPrefix+path == f.Name {
			return 0, complaint{fmt.Sprintf("%s is not the path of a field", path), fmt.Sprintf("write %s, which covers the name too", f.Path)}
		}
		if sub, ok := f.integrationKey(); nearest.Fold(f.Path) == bare || ok && nearest.Fold(sub) == bare {
			return 0, complaint{fmt.Sprintf("%s is not the path of a field; did you mean %s?", yamldoc.Quote(path), f.Path), "write " + f.Path}
		}
	}
	paths := slices.Sorted(maps.Keys(changeable))
	if near := nearest.Word(path, paths); near != "" {
		return 0, complaint{fmt.Sprintf("%s is not the path of a field; did you mean %s?", yamldoc.Quote(path), near), "write " + near}
	}
	return 0, complaint{fmt.Sprintf("%s is not the path of a field", yamldoc.Quote(path)), "the paths are " + strings.Join(paths, ", ")}
}
