package emulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// account is the emulated part of one Twilio account.
type account struct {
	sid         string
	last        uint64 // the largest number of an item, in whatever list
	records     records
	services    []*resource
	studioFlows []*resource
	workspaces  []*workspace
}

// records are the resources that can be written, a list for each kind.
type records [len(kinds)][]*record

// renumber numbers the items so that the page tokens of the account before this
// one, which may be empty, stay valid.
func (a *account) renumber(old *account) {
	a.last = old.last
	for i, list := range a.records {
		a.last = renumber(list, old.records[i], a.last)
	}
	a.last = renumber(a.services, old.services, a.last)
	a.last = renumber(a.studioFlows, old.studioFlows, a.last)
	a.last = renumber(a.workspaces, old.workspaces, a.last)
	for _, w := range a.workspaces {
		was, _ := find(old.workspaces, w.sid)
		if was == nil {
			was = &workspace{}
		}
		a.last = renumber(w.workflows, was.workflows, a.last)
		a.last = renumber(w.taskChannels, was.taskChannels, a.last)
	}
}

// resource is something that can only be read: its properties as they were given,
// with its SID, account and dates filled in.
type resource struct {
	number
	sid  string
	name string // friendly_name
	data map[string]any
}

type workspace struct {
	*resource
	workflows    []*resource
	taskChannels []*resource
}

func (r *resource) id() string { return r.sid }

// keys names the keys of the local file.
const keys = "account_sid, flows, addresses, services, studio_flows, workspaces"

// document is the content of the local file.
type document struct {
	AccountSID  *string           `json:"account_sid"`
	Flows       []json.RawMessage `json:"flows"`
	Addresses   []json.RawMessage `json:"addresses"`
	Services    []map[string]any  `json:"services"`
	StudioFlows []map[string]any  `json:"studio_flows"`
	Workspaces  []map[string]any  `json:"workspaces"`
}

// decodeAccount reads a local file. A person may have written it, so what is
// left out is filled in, and always in the same way: two processes that read one
// file see the same SIDs. What has no date gets when; wantSID, unless it is empty,
// is the SID that the account must have.
func decodeAccount(data []byte, wantSID string, when time.Time) (*account, error) {
	doc, err := decodeDocument(data)
	if err != nil {
		return nil, err
	}
	accountSID, err := doc.account(wantSID)
	if err != nil {
		return nil, err
	}

	a := &account{sid: accountSID}
	for i, list := range [...][]json.RawMessage{doc.Flows, doc.Addresses} {
		if a.records[i], err = kinds[i].decode(list, a.sid, when); err != nil {
			return nil, err
		}
	}
	if a.services, err = decodeResources(serviceKind, "services", doc.Services, a.sid, when, nil); err != nil {
		return nil, err
	}
	if a.studioFlows, err = decodeResources(studioFlowKind, "studio_flows", doc.StudioFlows, a.sid, when, nil); err != nil {
		return nil, err
	}
	if a.workspaces, err = decodeWorkspaces(doc.Workspaces, a.sid, when); err != nil {
		return nil, err
	}
	a.renumber(&account{})
	return a, nil
}

func decodeDocument(data []byte) (*document, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New(`empty; an account without anything is {}`)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	var doc *document
	err := dec.Decode(&doc)
	if err == nil && doc == nil {
		return nil, errors.New("null; want an object with " + keys)
	}
	if err == nil {
		if _, err := dec.Token(); err != io.EOF {
			line, column := position(data, dec.InputOffset())
			return nil, fmt.Errorf("line %d, column %d: unexpected data after the JSON document", line, column)
		}
		return doc, nil
	}

	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		line, column := position(data, syntax.Offset)
		return nil, fmt.Errorf("line %d, column %d: %w", line, column, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		line, column := position(data, int64(len(data)))
		return nil, fmt.Errorf("line %d, column %d: the JSON document is incomplete", line, column)
	case errors.As(err, &kind) && kind.Field == "":
		return nil, fmt.Errorf("is %s; want an object with %s", kind.Value, keys)
	case errors.As(err, &kind):
		line, column := position(data, kind.Offset)
		return nil, fmt.Errorf("line %d, column %d: %s cannot be a JSON %s", line, column, kind.Field, kind.Value)
	}
	return nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

// position returns the line and the column, in bytes, of an offset.
func position(data []byte, offset int64) (line, column int) {
	before := data[:min(int64(len(data)), offset)]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n') - 1
}

// account returns the SID of the account. A document that does not say it itself
// may hold resources that do, as they do when they were copied from the API's
// answers.
func (d *document) account(want string) (string, error) {
	have := ""
	if d.AccountSID != nil {
		have = *d.AccountSID
	}
	if all := slices.Concat(d.Flows, d.Addresses); d.AccountSID == nil && len(all) > 0 {
		var first struct {
			AccountSID string `json:"account_sid"`
		}
		if json.Unmarshal(all[0], &first) == nil {
			have = first.AccountSID
		}
	}
	switch {
	case have != "" && !isSID("AC", have):
		return "", fmt.Errorf("account_sid %q is not AC and 32 hex digits", have)
	case have != "" && want != "" && have != want:
		return "", fmt.Errorf("the account is %s, not %s", have, want)
	case have != "":
		return have, nil
	case want != "":
		return want, nil
	}
	return DefaultAccountSID, nil
}

// decodeObject decodes with UseNumber, which keeps integers exact.
func decodeObject(raw json.RawMessage) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("must be an object, not %s", jsonKind(v))
	}
	return m, nil
}

// decode reads the kind's list in the document.
func (k *kind) decode(list []json.RawMessage, accountSID string, when time.Time) ([]*record, error) {
	decoded := make([]*record, 0, len(list))
	seen := make(map[string]bool, len(list))
	for i, raw := range list {
		m, err := decodeObject(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", itemName(k.file, i, "", nil), err)
		}
		r, err := k.decodeRecord(m, i, accountSID, when)
		if err == nil {
			err = once(seen, r.sid)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", itemName(k.file, i, k.label, m), err)
		}
		decoded = append(decoded, r)
	}
	return decoded, nil
}

// decodeRecord is liberal in what accounts really hold, though the API would not
// accept it: a flow without a name or with an odd one, without a chat service, an
// integration that is null or lacks a key. It is strict in the kinds of values and
// the spelling of keys, and for a resource without a SID, which a person wrote, in
// the values too.
func (k *kind) decodeRecord(m map[string]any, index int, accountSID string, when time.Time) (*record, error) {
	own, err := decodeIdentity(m, k.prefix, fmt.Sprint(k.noun, " ", index), accountSID, when)
	if err != nil {
		return nil, err
	}
	given := make(values)
	read := (*field).parseJSON
	if m["sid"] != nil {
		read = (*field).holdJSON
	}
	for key, value := range m {
		switch key {
		case "sid", "account_sid", "date_created", "date_updated", "url":
			continue
		case k.nested:
			if value == nil {
				continue
			}
			inner, ok := value.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("%s: must be an object, not %s", key, jsonKind(value))
			}
			if err := k.decodeNested(inner, given, read); err != nil {
				return nil, err
			}
			continue
		}
		field := k.field(key)
		if field == nil || k.isNested(field) {
			return nil, fmt.Errorf("unknown key %q", key)
		}
		if value == nil {
			continue
		}
		if given[key], err = read(field, value); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	for _, key := range k.written {
		if m["sid"] == nil && given.text(key) == "" {
			return nil, fmt.Errorf("%s: is missing", key)
		}
	}

	nested, isThere := m[k.nested]
	isNull := isThere && nested == nil
	if _, ok := given[k.enabled]; !ok && !(isNull && k.isNested(k.field(k.enabled))) {
		given[k.enabled] = true
	}
	variant := given.text(k.variant)
	if variant == "" {
		variant = k.infer(given)
	}
	if isNull { // the variant alone stays, where it is outside
		variant = ""
	}
	v, err := k.merge(variant, given, nil, false)
	if err != nil {
		return nil, err
	}
	return &record{kind: k, identity: own, values: v}, nil
}

// decodeNested adds the nested properties to given. Keys that the API does not
// have are dropped: this is what an answer holds, and the API may grow. So is an
// empty string where a SID or a URL is meant.
func (k *kind) decodeNested(inner map[string]any, given values, read func(*field, any) (any, error)) error {
	for key, value := range inner {
		field := k.field(k.nested + "." + key)
		if field == nil || value == nil || value == "" && field.kind != kindText {
			continue
		}
		v, err := read(field, value)
		if err != nil {
			return fmt.Errorf("%s: %w", field.key, err)
		}
		given[field.key] = v
	}
	return nil
}

// infer returns the type of nested properties that the given values can only
// belong to, or else the one that the kind always has.
func (k *kind) infer(given values) string {
	for i := range k.fields {
		f := &k.fields[i]
		if _, ok := given[f.key]; ok && f.required && len(f.types) == 1 {
			return f.types[0]
		}
	}
	if k.always {
		return k.implied
	}
	return ""
}

// identity holds what every resource has and nobody sets.
type identity struct {
	sid, account, created, updated string
}

// decodeIdentity reads the identity of a resource and fills in what is missing. A
// missing SID is derived from the seed, which says what and where the resource is,
// so that it is the same at every reading.
func decodeIdentity(m map[string]any, prefix, seed, accountSID string, when time.Time) (identity, error) {
	var id identity
	var err error
	get := func(key string) string {
		s, ok := m[key].(string)
		if !ok && m[key] != nil && err == nil {
			err = fmt.Errorf("%s: must be a string, not %s", key, jsonKind(m[key]))
		}
		return s
	}
	date := func(key string, otherwise time.Time) time.Time {
		s := get(key)
		if s == "" {
			return otherwise
		}
		t, parseErr := time.Parse(time.RFC3339, s)
		if parseErr != nil && err == nil {
			err = fmt.Errorf("%s: %q is not a date like 2006-01-02T15:04:05Z", key, s)
		}
		return t
	}

	id.sid = get("sid")
	created := date("date_created", when)
	updated := date("date_updated", created)
	owner := get("account_sid")
	name := get("friendly_name")
	get("url")
	if err != nil {
		return id, err
	}
	if id.sid == "" {
		sum := sha256.Sum256([]byte(accountSID + "\x00" + seed + "\x00" + name))
		id.sid = prefix + hex.EncodeToString(sum[:16])
	}
	if !isSID(prefix, id.sid) {
		return id, fmt.Errorf("sid: must be %s and 32 hex digits, not %q", prefix, id.sid)
	}
	if owner != "" && owner != accountSID {
		return id, fmt.Errorf("account_sid: is %s, but the account is %s", owner, accountSID)
	}
	id.account, id.created, id.updated = accountSID, timestamp(created), timestamp(updated)
	return id, nil
}

func decodeResources(kind resourceKind, path string, list []map[string]any, accountSID string, when time.Time, parent *resource) ([]*resource, error) {
	resources := make([]*resource, 0, len(list))
	seen := make(map[string]bool, len(list))
	for i, m := range list {
		r, err := decodeResource(kind, path, i, m, accountSID, when)
		if err == nil {
			err = once(seen, r.sid)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", itemName(path, i, "friendly_name", m), err)
		}
		if parent != nil {
			r.data["workspace_sid"] = parent.sid
		}
		resources = append(resources, r)
	}
	return resources, nil
}

// once refuses a SID that an earlier item has.
func once(seen map[string]bool, sid string) error {
	if seen[sid] {
		return fmt.Errorf("sid: %s is already the SID of another item", sid)
	}
	seen[sid] = true
	return nil
}

// decodeResource keeps every property that is given: nothing here depends on them.
func decodeResource(kind resourceKind, path string, index int, m map[string]any, accountSID string, when time.Time) (*resource, error) {
	if m == nil {
		return nil, errors.New("must be an object, not null")
	}
	id, err := decodeIdentity(m, kind.prefix, fmt.Sprint(path, " ", index), accountSID, when)
	if err != nil {
		return nil, err
	}
	r := &resource{sid: id.sid, data: make(map[string]any, len(m)+4)}
	for key, value := range m {
		switch key {
		case "url", "links", "workflows", "task_channels":
		default:
			r.data[key] = value
		}
	}
	r.data["sid"] = id.sid
	r.data["account_sid"] = accountSID
	r.data["date_created"] = id.created
	r.data["date_updated"] = id.updated
	r.name, _ = m["friendly_name"].(string)
	if kind.complete != nil {
		kind.complete(r)
	}
	return r, nil
}

func decodeWorkspaces(list []map[string]any, accountSID string, when time.Time) ([]*workspace, error) {
	rows, err := decodeResources(workspaceKind, "workspaces", list, accountSID, when, nil)
	if err != nil {
		return nil, err
	}
	var workspaces []*workspace
	for i, r := range rows {
		w := &workspace{resource: r}
		children := func(kind resourceKind, key string) ([]*resource, error) {
			path := fmt.Sprintf("workspaces[%d].%s", i, key)
			objects, err := objectList(list[i][key])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			return decodeResources(kind, path, objects, accountSID, when, r)
		}
		if w.workflows, err = children(workflowKind, "workflows"); err != nil {
			return nil, err
		}
		if w.taskChannels, err = children(taskChannelKind, "task_channels"); err != nil {
			return nil, err
		}
		workspaces = append(workspaces, w)
	}
	return workspaces, nil
}

func objectList(v any) ([]map[string]any, error) {
	if v == nil {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("must be a list, not %s", jsonKind(v))
	}
	objects := make([]map[string]any, len(list))
	for i, item := range list {
		if objects[i], ok = item.(map[string]any); !ok {
			return nil, fmt.Errorf("[%d] must be an object, not %s", i, jsonKind(item))
		}
	}
	return objects, nil
}

// itemName returns how an error names an item of the file, by the property label
// if it has it.
func itemName(path string, index int, label string, m map[string]any) string {
	at := path + "[" + strconv.Itoa(index) + "]"
	if name, ok := m[label].(string); ok && name != "" {
		return fmt.Sprintf("%s %q", at, name)
	}
	return at
}

// encode returns the content of the local file.
func (a *account) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"account_sid\": %q,\n", a.sid)
	for i, list := range a.records {
		if len(list) == 0 && kinds[i] != flowKind {
			continue // an account with flows only, as most, is written as ever
		}
		fmt.Fprintf(&b, "  %q: [", kinds[i].file)
		separator := "\n    "
		for _, r := range list {
			b.WriteString(separator)
			b.Write(r.indented())
			separator = ",\n    "
		}
		if len(list) > 0 {
			b.WriteString("\n  ")
		}
		b.WriteString("],\n")
	}

	workspaces := make([]map[string]any, 0, len(a.workspaces))
	for _, w := range a.workspaces {
		m := make(map[string]any, len(w.data)+2)
		for key, value := range w.data {
			m[key] = value
		}
		m["workflows"] = resourceData(w.workflows)
		m["task_channels"] = resourceData(w.taskChannels)
		workspaces = append(workspaces, m)
	}
	fmt.Fprintf(&b, "  \"services\": %s,\n", indent(marshal(resourceData(a.services)), "  "))
	fmt.Fprintf(&b, "  \"studio_flows\": %s,\n", indent(marshal(resourceData(a.studioFlows)), "  "))
	fmt.Fprintf(&b, "  \"workspaces\": %s\n}\n", indent(marshal(workspaces), "  "))
	return b.Bytes()
}

func resourceData(resources []*resource) []map[string]any {
	list := make([]map[string]any, 0, len(resources))
	for _, r := range resources {
		list = append(list, r.data)
	}
	return list
}

// indented returns the record's JSON in the local file. It is kept, because a file
// is written anew for every write while few of its records change. s.mu is held.
func (r *record) indented() []byte {
	if r.text == nil {
		r.text = indent(r.encode("", nil), "    ")
	}
	return r.text
}

// indent returns the JSON indented; the lines after the first begin with prefix.
func indent(text []byte, prefix string) []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, text, prefix, "  "); err != nil {
		panic(err) // this package has just made it
	}
	return b.Bytes()
}
