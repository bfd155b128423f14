package migrate

import (
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
)

// renames are the keys of a flow whose values an address takes over as they are,
// with their paths there.
var renames = map[string]string{
	"friendly_name":           "friendly_name",
	"enabled":                 "auto_creation.enabled",
	"chat_service_sid":        "auto_creation.conversation_service_sid",
	"chat_service":            "auto_creation.conversation_service",
	"integration.flow_sid":    "auto_creation.studio_flow_sid",
	"integration.studio_flow": "auto_creation.studio_flow",
	"integration.retry_count": "auto_creation.studio_retry_count",
	"integration.url":         "auto_creation.webhook_url",
}

// variant is what one integration type becomes.
type variant struct {
	name string     // the type of auto_creation
	keys [][]string // each list is the keys of one field, for its SID and its name
	new  []string   // paths that no key of a flow becomes
}

var variants = map[string]variant{
	"studio": {"studio", [][]string{{"integration.flow_sid", "integration.studio_flow"}, {"integration.retry_count"}}, nil},
	"external": {"webhook", [][]string{{"integration.url"}},
		[]string{"auto_creation.webhook_method", "auto_creation.webhook_filters"}},
}

// keyOrder is the order of the keys of an address.
var keyOrder = []string{
	"address", "type", "friendly_name",
	"auto_creation.type", "auto_creation.enabled",
	"auto_creation.conversation_service_sid", "auto_creation.conversation_service",
	"auto_creation.studio_flow_sid", "auto_creation.studio_flow", "auto_creation.studio_retry_count",
	"auto_creation.webhook_url", "auto_creation.webhook_method", "auto_creation.webhook_filters",
	"ignore_changes",
}

// field is one key of an address.
type field struct {
	path      string
	value     *yamldoc.Node
	from      entry // of the flow; zero for what only addresses have
	inherited bool  // from defaults, and so for address_defaults
}

// fields are the keys of the address that takes the flow's place.
func (f *flow) fields() []field {
	var all []field
	add := func(path, value string, keys ...string) {
		e, inherited, ok := f.find(keys...)
		if !ok {
			return
		}
		if path == "" {
			path, value = renames[keyOf(e, keys)], e.value.Value
		}
		v := *e.value
		v.Value, v.Anchor = value, ""
		v.HeadComment, v.LineComment, v.FootComment = "", "", ""
		// What an address is and what answers it, a reader expects in the address.
		if inherited && (path == "address" || path == "type" || path == "auto_creation.type") {
			inherited, e = false, entry{}
		}
		all = append(all, field{path, &v, e, inherited})
	}
	v := variants[f.typ]
	add("address", f.address, "contact_identity")
	add("type", addressTypes[f.channel], "channel_type")
	add("", "", "friendly_name")
	add("auto_creation.type", v.name, "integration_type")
	add("", "", "enabled")
	add("", "", "chat_service_sid", "chat_service")
	for _, keys := range v.keys {
		add("", "", keys...)
	}
	if f.typ == "external" {
		all = append(all,
			field{path: "auto_creation.webhook_method", value: yamldoc.NewScalar(yamldoc.TagStr, "post")},
			field{path: "auto_creation.webhook_filters", value: yamldoc.NewList(true, yamldoc.NewScalar(yamldoc.TagStr, "onMessageAdded"))})
	}
	if e, inherited, ok := f.find("ignore_changes"); ok {
		var items []*yamldoc.Node
		for _, path := range f.ignoreChanges(texts(e.value)) {
			items = append(items, yamldoc.NewScalar(yamldoc.TagStr, path))
		}
		if inherited {
			e = entry{} // each type makes its own list of it
		}
		if len(items) > 0 {
			all = append(all, field{path: "ignore_changes", value: yamldoc.NewList(true, items...), from: e})
		}
	}
	return all
}

// keyOf returns the path, one of keys, of an entry.
func keyOf(e entry, keys []string) string {
	i := slices.IndexFunc(keys, func(key string) bool { return key[strings.LastIndexByte(key, '.')+1:] == e.key.Value })
	return keys[i]
}

// ignoreChanges translates the paths of ignore_changes, and keeps those that an
// address does not have in unmapped.
func (f *flow) ignoreChanges(paths []string) []string {
	var all []string
	for _, path := range paths {
		var found []string
		v := variants[f.typ]
		if path == "integration" || path == "integration_type" {
			found = append(found, "auto_creation.type")
		}
		for _, keys := range append([][]string{{"enabled"}, {"chat_service_sid"}}, v.keys...) {
			if path == keys[0] || path == "integration" && strings.HasPrefix(keys[0], "integration.") {
				found = append(found, renames[keys[0]])
			}
		}
		if path == "integration" {
			found = append(found, v.new...)
		}
		if found == nil {
			f.unmapped = append(f.unmapped, path)
		}
		for _, path := range found {
			if !slices.Contains(all, path) {
				all = append(all, path)
			}
		}
	}
	return all
}

// The comments that migrate writes begin with these. A later run replaces them.
const (
	summaryMark = "# flexsync migrate: "
	staysMark   = "# Stays a flow: "
	droppedMark = "# Dropped: "
)

// write changes the nodes of the document to what they become.
func (d *document) write() {
	var moved, gone, left []*flow
	for _, f := range d.flows {
		switch f.fate {
		case moves:
			moved = append(moved, f)
		case dropped:
			gone = append(gone, f)
		default:
			left = append(left, f)
		}
	}
	for _, f := range left {
		if f.selected {
			f.item.HeadComment = join(without(f.item.HeadComment, staysMark), staysMark+safetext.Line(f.reason)+".")
		}
	}
	if len(moved)+len(gone) > 0 {
		d.replace(moved, gone, left)
	}
	separate(d.src, d.root)
}

// replace puts addresses in place of flows.
func (d *document) replace(moved, gone, left []*flow) {
	flows, _ := d.top.get("flows")
	carried := map[*yamldoc.Node]bool{} // keys and values whose comments have a new place
	rows := make([][]field, len(moved))
	for i, f := range moved {
		rows[i] = f.fields()
		f.noteLosses()
	}
	shared := d.share(moved, rows)

	var added []entry // keys of the document
	if len(shared) > 0 {
		reuse := carried
		if len(left) > 0 {
			reuse = nil // the comments stay with defaults
		}
		added = append(added, entry{key: newKey("address_defaults", flows.key), value: assemble(shared, reuse)})
	}
	addresses, given := d.top.get("addresses")
	if !given && len(moved) > 0 {
		addresses = entry{key: newKey("addresses", flows.key), value: yamldoc.NewList(false)}
		added = append(added, addresses)
	}
	spaced := slices.ContainsFunc(d.flows, func(f *flow) bool { return d.src.BlankAbove(f.item) })
	for i, f := range moved {
		node := assemble(rows[i], carried)
		node.HeadComment = without(leftovers(carried, f.item), staysMark)
		for _, note := range f.notes {
			node.HeadComment = join(node.HeadComment, "# "+safetext.Line(note))
		}
		if spaced && len(addresses.value.Content) > 0 {
			yamldoc.SetBlankAbove(node)
		}
		addresses.value.Content = append(addresses.value.Content, node)
	}
	notes := []string{flows.key.HeadComment}
	for _, f := range gone {
		what := fmt.Sprintf("the disabled flow %s: the address %s takes its identity.", safetext.Quote(f.name), safetext.Quote(f.address))
		if f.typ == "task" {
			what += " Conversations that agents begin come from the Interactions API."
		}
		notes = append(notes, without(leftovers(carried, f.item), staysMark), droppedMark+safetext.Line(what))
	}
	flows.key.HeadComment = join(notes...)
	flows.value.Content = nil
	for _, f := range left {
		flows.value.Content = append(flows.value.Content, f.item)
	}
	d.rebuild(added, len(left) > 0, carried)
}

// share takes out of the rows of fields what address_defaults has, and returns what
// a new address_defaults is to have. There is a new one only if it can change no
// address that is declared already.
func (d *document) share(moved []*flow, rows [][]field) (shared []field) {
	list, declared := d.top.get("addresses")
	_, given := d.top.get("address_defaults")
	isNew := !given && (!declared || len(list.value.Content) == 0)
	has := func(row []field, path string) bool {
		return slices.ContainsFunc(row, func(f field) bool { return f.path == path })
	}
	for i, row := range rows {
		var own []field
		for _, f := range row {
			switch e, ok := pick(d.addressBase, d.autoCreation, "auto_creation.", f.path); {
			case f.inherited && isNew:
				if !has(shared, f.path) {
					shared = append(shared, f)
				}
			case f.inherited && ok && e.value.Value == f.value.Value:
			case f.inherited:
				f.from = entry{} // its comments are those of defaults
				own = append(own, f)
			default:
				own = append(own, f)
			}
		}
		// What the flow leaves to the standard must not become what an
		// address_defaults that is there says.
		for path, value := range map[string]*yamldoc.Node{
			"auto_creation.enabled":            yamldoc.NewScalar(yamldoc.TagBool, "true"),
			"auto_creation.studio_retry_count": yamldoc.NewScalar(yamldoc.TagInt, "3"),
			"ignore_changes":                   yamldoc.NewList(true),
		} {
			_, ok := pick(d.addressBase, d.autoCreation, "auto_creation.", path)
			if ok && !has(row, path) && (path != "auto_creation.studio_retry_count" || moved[i].typ == "studio") {
				own = append(own, field{path: path, value: value})
			}
		}
		rows[i] = own
	}
	return shared
}

// assemble makes a mapping of the fields. Comments go along unless carried is nil.
func assemble(fields []field, carried map[*yamldoc.Node]bool) *yamldoc.Node {
	slices.SortFunc(fields, func(a, b field) int { return slices.Index(keyOrder, a.path) - slices.Index(keyOrder, b.path) })
	outer, inner := yamldoc.NewMapping(), yamldoc.NewMapping()
	for _, f := range fields {
		name, below := strings.CutPrefix(f.path, "auto_creation.")
		key := yamldoc.NewScalar(yamldoc.TagStr, name)
		if f.from.key != nil && !f.from.merged && carried != nil {
			key.HeadComment, key.LineComment, f.value.LineComment = f.from.key.HeadComment, f.from.key.LineComment, f.from.value.LineComment
			carried[f.from.key], carried[f.from.value] = true, true
		}
		if !below {
			outer.Content = append(outer.Content, key, f.value)
			continue
		}
		if len(inner.Content) == 0 {
			outer.Content = append(outer.Content, yamldoc.NewScalar(yamldoc.TagStr, "auto_creation"), inner)
		}
		inner.Content = append(inner.Content, key, f.value)
	}
	return outer
}

// leftovers are the comments of nodes that have no new place, and of what is below
// the nodes.
func leftovers(carried map[*yamldoc.Node]bool, nodes ...*yamldoc.Node) string {
	var all []string
	for _, n := range nodes {
		if !carried[n] {
			all = append(all, n.HeadComment, n.LineComment)
		}
		all = append(all, leftovers(carried, n.Content...), n.FootComment)
	}
	return join(all...)
}

// rebuild writes the keys of the document again, the added ones before those that
// they stand for, and without defaults that no flow is left to take.
func (d *document) rebuild(added []entry, keepDefaults bool, carried map[*yamldoc.Node]bool) {
	flows, _ := d.top.get("flows")
	host := flows.key // of comments without a place
	if len(added) > 0 {
		host = added[0].key
	}
	var content []*yamldoc.Node
	for _, e := range d.top {
		name := e.key.Value
		if name == "defaults" || name == "flows" {
			for _, a := range added {
				content = append(content, a.key, a.value)
			}
			added = nil
		}
		isNull := yamldoc.IsNull(e.value) && (name == "addresses" || name == "address_defaults")
		if name == "defaults" && !keepDefaults || isNull {
			host.HeadComment = join(leftovers(carried, e.key, e.value), host.HeadComment)
			continue
		}
		content = append(content, e.key, e.value)
	}
	d.root.Content = content
}

// separate keeps the empty lines between the parts of a document.
func separate(src *yamldoc.Source, root *yamldoc.Node) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], yamldoc.Resolved(root.Content[i+1])
		if i > 0 && src.BlankAbove(key) {
			yamldoc.SetBlankAbove(key)
		}
		if key.Value != "flows" && key.Value != "addresses" {
			continue
		}
		for j, item := range value.Content {
			if j > 0 && src.BlankAbove(item) {
				yamldoc.SetBlankAbove(item)
			}
		}
	}
}

// newKey returns a key that stands where another one of the source is.
func newKey(name string, at *yamldoc.Node) *yamldoc.Node {
	key := yamldoc.NewScalar(yamldoc.TagStr, name)
	key.Line = at.Line
	return key
}

// join puts comments below one another.
func join(comments ...string) string {
	return strings.Join(slices.DeleteFunc(comments, func(c string) bool { return c == "" }), "\n")
}

// without removes the lines that begin with a mark from a comment.
func without(comment, mark string) string {
	lines := strings.Split(comment, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, mark) }), "\n")
}
