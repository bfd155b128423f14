package plan

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flexsync/internal/flexapi"
	"flexsync/internal/glob"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
	"flexsync/state"
)

var update = flag.Bool("update", false, "write the golden files")

// The random tests are the same in every run, unless -rapid.seed=0 asks for
// others; -rapid.checks=100000 for more of them, -short for fewer.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": "400", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	flag.Parse()
	if checks := flag.Lookup("rapid.checks").Value; testing.Short() && checks.String() == "400" {
		if err := checks.Set("100"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// The tables speak of flows in few words: declare("A", on("+1"), old("X")) is
// a declared flow, have(1, "A", on("+1")) one of the account, with the SID
// FO…1.

type edit func(*schema.Declared)

// set stores a value by its path.
func set(o interface {
	Key() schema.Key
	Set(*schema.Field, schema.Value)
}, path string, v schema.Value) {
	o.Set(o.Key().Kind.Field(path), v)
}

func declare(name string, edits ...edit) schema.Declared {
	d := schema.Declared{
		Object: schema.Flows.Make(schema.Values{
			"friendly_name": name, "chat_service_sid": sid("IS", 1), "channel_type": "sms", "enabled": true,
			"integration_type": schema.Studio, "integration.flow_sid": sid("FW", 1), "integration.retry_count": int64(3),
		}),
		Pos: yamldoc.Pos{File: "flows.yaml", Line: 10, Column: 5},
	}
	for _, e := range edits {
		e(&d)
	}
	return d
}

func have(n int, name string, edits ...edit) state.Resource {
	return state.Resource{SID: sid("FO", n), AccountSID: sid("AC", 1), DateCreated: "2026-01-01T00:00:00Z", Object: declare(name, edits...).Object}
}

func on(identity string) edit {
	return func(d *schema.Declared) { set(d, "contact_identity", identity); set(d, "enabled", true) }
}

func off(identity string) edit {
	return func(d *schema.Declared) { set(d, "contact_identity", identity); set(d, "enabled", false) }
}

func retry(n int64) edit { return func(d *schema.Declared) { set(d, "integration.retry_count", n) } }

func task(d *schema.Declared) {
	set(d, "integration_type", schema.Task)
	set(d, "integration.workspace_sid", sid("WS", 1))
	set(d, "integration.workflow_sid", sid("WW", 1))
	set(d, "integration.channel", "default")
	set(d, "integration.timeout", int64(86400))
}

func whatsapp(d *schema.Declared) { set(d, "channel_type", "whatsapp") }

func long(d *schema.Declared) { set(d, "long_lived", true) }

func at(line int) edit { return func(d *schema.Declared) { d.Pos.Line = line } }

func openIntegration(d *schema.Declared) {
	set(d, "integration_type", "")
}

func pin(n int) edit { return func(d *schema.Declared) { d.SID = sid("FO", n) } }

func old(names ...string) edit { return func(d *schema.Declared) { d.RenamedFrom = names } }

func leave(paths ...string) edit {
	return func(d *schema.Declared) {
		for _, path := range paths {
			for f := range d.Kind.In(d.Kind.All()) {
				if f.Path == path || path == d.Kind.Group && (f.Inside || f == d.Kind.Variant) {
					d.IgnoreChanges |= f.Bit()
				}
			}
		}
	}
}

func created(date string, f state.Resource) state.Resource {
	f.DateCreated = date
	return f
}

// asText compares what resources hold, and kinds by their identity.
var asText = cmp.Options{
	cmp.Transformer("text", func(o schema.Object) string { return o.String() }),
	cmp.Comparer(func(a, b *schema.Kind) bool { return a == b }),
}

func key(name string) schema.Key { return schema.Key{Kind: schema.Flows, ID: name} }

func sid(prefix string, n int) string { return fmt.Sprintf("%s%032x", prefix, n) }

func config(flows ...schema.Declared) *schema.Config {
	return &schema.Config{Kinds: []*schema.Kind{schema.Flows}, Resources: flows}
}

// account makes a snapshot of flows as the program does: of pages in any order.
func account(flows ...state.Resource) *state.Snapshot {
	return snapshot([]*schema.Kind{schema.Flows}, pages{flows})
}

func snapshot(kinds []*schema.Kind, listing pages) *state.Snapshot {
	snap, err := state.Read(context.Background(), listing, kinds)
	if err != nil {
		panic(err)
	}
	return snap
}

// pages are listings of every kind: each page has the resources of its own.
type pages [][]state.Resource

func (p pages) List(_ context.Context, of flexapi.Collection, visit func([]any) error) error {
	for _, page := range p {
		var items []any
		for i := range page {
			if state.Collection(page[i].Kind) == of {
				items = append(items, listed(&page[i]))
			}
		}
		if err := visit(items); err != nil {
			return err
		}
	}
	return nil
}

// listed is a resource as the API lists it.
func listed(r *state.Resource) (item any) {
	doc := map[string]any{
		"sid": r.SID, "account_sid": r.AccountSID, "date_created": nil, "date_updated": "2026-02-03T04:05:06Z", "url": "https://api.example.com/" + r.SID,
		r.Kind.Contact.Path: nil, r.Kind.Group: nil,
	}
	if r.DateCreated != "" {
		doc["date_created"] = r.DateCreated
	}
	group := map[string]any{}
	for f := range r.Kind.In(r.Kind.All()) {
		switch v := r.Get(f); {
		case v == nil:
		case f.Inside:
			group[f.Key] = v
			doc[r.Kind.Group] = group
		default:
			doc[f.Key] = v
		}
	}
	b, err := json.Marshal(doc)
	if err == nil {
		err = json.Unmarshal(b, &item)
	}
	if err != nil {
		panic(err)
	}
	return item
}

var someTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// anyDeletes takes the guard of deletions out of a test.
var anyDeletes = mustLimit("100%")

func mustLimit(s string) Limit {
	l, err := ParseLimit(s)
	if err != nil {
		panic(err)
	}
	return l
}

func globs(patterns ...string) []glob.Glob {
	gs, err := glob.CompileAll(patterns)
	if err != nil {
		panic(err)
	}
	return gs
}

func compute(t testing.TB, in Input) *Plan {
	t.Helper()
	if in.CreatedAt.IsZero() {
		in.CreatedAt = someTime
	}
	p, err := Compute(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// changes says what a plan does, a change a line: "update A #1 was X".
func changes(p *Plan) []string {
	var lines []string
	for i := range p.Changes {
		c := &p.Changes[i]
		line := c.Action.String()
		if c.Step != "" {
			line = c.Step
		}
		line += " " + c.ID
		if c.SID != "" {
			line += " " + short(c.SID)
		}
		if c.RenamedFrom != "" {
			line += " was " + c.RenamedFrom
		}
		if c.CopyOf != "" {
			line += " copy of " + short(c.CopyOf)
		}
		lines = append(lines, line)
	}
	return lines
}

func short(sid string) string { return "#" + strings.TrimLeft(sid[2:], "0") }

func codes(notices []Notice) []string {
	var codes []string
	for _, n := range notices {
		codes = append(codes, n.Code)
	}
	return codes
}

func asJSON(t interface{ Fatal(...any) }, p *Plan) []byte {
	var b bytes.Buffer
	if err := p.WriteJSON(&b, ""); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}
