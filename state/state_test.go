package state

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"flexsync/internal/flexapi"
	"flexsync/schema"

	"github.com/google/go-cmp/cmp"
)

// pages is a listing, each page's items as JSON.
type pages [][]string

func (p pages) List(_ context.Context, _ flexapi.Collection, visit func([]any) error) error {
	for _, page := range p {
		items := make([]any, len(page))
		for i, item := range page {
			if err := json.Unmarshal([]byte(item), &items[i]); err != nil {
				return err
			}
		}
		if err := visit(items); err != nil {
			return err
		}
	}
	return nil
}

func read(p pages) (*Snapshot, error) {
	return Read(context.Background(), p, []*schema.Kind{schema.Flows})
}

func sidOf(prefix string, n int) string { return fmt.Sprintf("%s%032x", prefix, n) }

// listed is a flow as the API lists it, with more or other members.
func listed(n int, name string, members ...string) string {
	doc := map[string]json.RawMessage{
		"sid":          json.RawMessage(`"` + sidOf("FO", n) + `"`),
		"account_sid":  json.RawMessage(`"` + sidOf("AC", 1) + `"`),
		"date_created": json.RawMessage(`"2026-01-01T00:00:00Z"`),
		"date_updated": json.RawMessage(`"2026-01-02T00:00:00Z"`),
		"url":          json.RawMessage(`"https://flex-api.twilio.com/v1/FlexFlows/` + sidOf("FO", n) + `"`),
	}
	doc["friendly_name"], _ = json.Marshal(name)
	for _, m := range members {
		var more map[string]json.RawMessage
		if err := json.Unmarshal([]byte("{"+m+"}"), &more); err != nil {
			panic(err)
		}
		for k, v := range more {
			doc[k] = v
		}
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestRead(t *testing.T) {
	items := []string{listed(3, "b"), listed(2, "b"), listed(9, "B"), listed(1, "ä"), listed(4, ""), listed(5, "a")}
	want := []string{sidOf("FO", 4), sidOf("FO", 9), sidOf("FO", 5), sidOf("FO", 2), sidOf("FO", 3), sidOf("FO", 1)}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		var p pages
		for rest := items; len(rest) > 0; {
			n := 1 + random.IntN(len(rest))
			p = append(p, rest[:n], nil)
			rest = rest[n:]
		}
		snap, err := read(p)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range snap.Resources {
			got = append(got, f.SID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if snap.AccountSID != sidOf("AC", 1) {
			t.Errorf("account %q", snap.AccountSID)
		}
	}
	if snap, err := read(nil); err != nil || len(snap.Resources) > 0 || snap.AccountSID != "" {
		t.Errorf("%v, %v", snap, err)
	}
}

func TestReadRefuses(t *testing.T) {
	other := `"account_sid": "` + sidOf("AC", 2) + `"`
	for _, test := range []struct {
		name  string
		pages pages
		says  []string
	}{
		{"a SID twice in a page", pages{{listed(1, "A"), listed(1, "A")}}, []string{"twice", sidOf("FO", 1), "run again"}},
		{"a SID twice over pages", pages{{listed(1, "A")}, {listed(2, "A")}, {listed(1, "C")}}, []string{"twice", sidOf("FO", 1)}},
		{"two accounts in a page", pages{{listed(1, "A"), listed(2, "B", other)}}, []string{"mixes", sidOf("AC", 1), sidOf("AC", 2)}},
		{"two accounts over pages", pages{{listed(1, "A")}, {listed(2, "B", other)}}, []string{"mixes"}},
		{"two accounts, and one that does not tell between them", pages{{listed(1, "A"), listed(2, "B", `"account_sid": null`), listed(3, "C", other)}}, []string{"mixes"}},
		{"null", pages{{"null"}}, []string{"flow 1 of the listing"}},
		{"a text", pages{{listed(1, "A"), `"x"`}}, []string{"flow 2 of the listing", "not a JSON object"}},
		{"a list", pages{{"[]"}}, []string{"not a JSON object"}},
		{"an empty object", pages{{"{}"}}, []string{"sid", "flow 1"}},
		{"no SID", pages{{listed(1, "A", `"sid": null`)}}, []string{"is not the SID of a flow"}},
		{"another type of SID", pages{{listed(1, "A", `"sid": "`+sidOf("FW", 1)+`"`)}}, []string{"is not the SID of a flow"}},
		{"a SID that is a path", pages{{listed(1, "A", `"sid": "FO/../../x"`)}}, []string{"is not the SID of a flow"}},
		{"a SID that is a number", pages{{listed(1, "A", `"sid": 1`)}}, []string{"sid: expected a string, found 1"}},
		{"an integration that is a text", pages{{listed(1, "A", `"integration": "x"`)}}, []string{sidOf("FO", 1), "integration"}},
		{"an integration that is a list", pages{{listed(1, "A", `"integration": []`)}}, []string{"integration"}},
		{"a bool that is a number", pages{{listed(1, "A", `"enabled": 1`)}}, []string{"enabled: expected a bool, found 1"}},
		{"a bool that is a word", pages{{listed(1, "A", `"enabled": "yes"`)}}, []string{"enabled"}},
		{"a name that is a list", pages{{listed(1, "A", `"friendly_name": ["A"]`)}}, []string{"friendly_name"}},
		{"an identity that is a number", pages{{listed(1, "A", `"contact_identity": 15551230000`)}}, []string{"contact_identity"}},
		{"a number with a fraction", pages{{listed(1, "A", `"integration_type": "studio"`, `"integration": {"retry_count": 1.5}`)}}, []string{"integration.retry_count: expected an integer, found 1.5"}},
		{"a number that is a word", pages{{listed(1, "A", `"integration_type": "task"`, `"integration": {"timeout": "soon"}`)}}, []string{"integration.timeout"}},
		{"a number that is huge", pages{{listed(1, "A", `"integration_type": "task"`, `"integration": {"timeout": 1e300}`)}}, []string{"integration.timeout"}},
		{"no number", pages{{listed(1, "A", `"integration_type": "task"`, `"integration": {"timeout": "NaN"}`)}}, []string{"integration.timeout"}},
		{"hostile text", pages{{listed(1, "A", `"enabled": "\u001b[31m"`)}}, []string{"enabled", `\u001b[31m`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			snap, err := read(test.pages)
			if err == nil {
				t.Fatalf("%+v", snap)
			}
			if snap != nil {
				t.Error("there is a snapshot all the same")
			}
			for _, part := range append(test.says, "list flows: ") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("%q", err)
			}
		})
	}
}

// An error of the listing is passed on, and what came before it is nothing.
func TestReadFails(t *testing.T) {
	broken := errors.New("broken")
	snap, err := Read(context.Background(), failing{pages{{listed(1, "A")}}, broken}, []*schema.Kind{schema.Flows})
	if snap != nil || !errors.Is(err, broken) {
		t.Errorf("%v, %v", snap, err)
	}
}

type failing struct {
	pages
	err error
}

func (f failing) List(ctx context.Context, of flexapi.Collection, visit func([]any) error) error {
	if err := f.pages.List(ctx, of, visit); err != nil {
		return err
	}
	return f.err
}

// set stores a value by its path.
func set(o *schema.Object, path string, v schema.Value) { o.Set(o.Kind.Field(path), v) }

func TestDecode(t *testing.T) {
	studio := schema.Flows.Make(schema.Values{"friendly_name": "A", "integration_type": "studio", "integration.flow_sid": sidOf("FW", 1), "integration.retry_count": int64(3)})
	external := schema.Flows.Make(schema.Values{"friendly_name": "A", "integration_type": "external", "integration.url": "https://example.com/", "integration.retry_count": int64(3)})
	task := schema.Flows.Make(schema.Values{"friendly_name": "A", "integration_type": "task", "integration.workspace_sid": sidOf("WS", 1), "integration.workflow_sid": sidOf("WW", 1), "integration.channel": "default", "integration.timeout": int64(86400)})
	with := func(f schema.Object, edit func(*schema.Object)) schema.Object { edit(&f); return f }
	studioJSON := `"integration_type": "studio", "integration": {"flow_sid": "` + sidOf("FW", 1) + `"`
	taskJSON := `"integration_type": "task", "integration": {"workspace_sid": "` + sidOf("WS", 1) + `", "workflow_sid": "` + sidOf("WW", 1) + `"`
	for _, test := range []struct {
		name string
		json string
		want schema.Object
	}{
		{"nothing said", ``, schema.Flows.Make(schema.Values{"friendly_name": "A"})},
		{"all null", `"friendly_name": null, "chat_service_sid": null, "channel_type": null, "contact_identity": null, "enabled": null,
			"integration_type": null, "integration": null, "long_lived": null, "janitor_enabled": null, "account_sid": null, "date_created": null`, schema.Flows.Make(schema.Values{})},
		{"an empty identity", `"contact_identity": ""`, schema.Flows.Make(schema.Values{"friendly_name": "A"})},
		{"the identity null", `"contact_identity": "null"`, schema.Flows.Make(schema.Values{"friendly_name": "A", "contact_identity": "null"})},
		{"escapes", `"contact_identity": "\u002b1\n"`, schema.Flows.Make(schema.Values{"friendly_name": "A", "contact_identity": "+1\n"})},
		{"bools", `"enabled": true, "long_lived": "true", "janitor_enabled": "True"`, schema.Flows.Make(schema.Values{"friendly_name": "A", "enabled": true, "long_lived": true, "janitor_enabled": true})},
		{"bools that are off", `"enabled": "false", "long_lived": "False", "janitor_enabled": ""`, schema.Flows.Make(schema.Values{"friendly_name": "A"})},
		{"studio", studioJSON + `, "retry_count": 3}`, studio},
		{"studio, the default left out", studioJSON + `}`, studio},
		{"studio, the default null", studioJSON + `, "retry_count": null}`, studio},
		{"studio, the default empty", studioJSON + `, "retry_count": ""}`, studio},
		{"studio, a number as a text", studioJSON + `, "retry_count": "1"}`, with(studio, func(f *schema.Object) { set(f, "integration.retry_count", int64(1)) })},
		{"studio, a whole float", studioJSON + `, "retry_count": 1.0}`, with(studio, func(f *schema.Object) { set(f, "integration.retry_count", int64(1)) })},
		{"studio, an exponent", studioJSON + `, "retry_count": 2e0}`, with(studio, func(f *schema.Object) { set(f, "integration.retry_count", int64(2)) })},
		{"studio, zero", studioJSON + `, "retry_count": 0}`, with(studio, func(f *schema.Object) { set(f, "integration.retry_count", int64(0)) })},
		{"studio, out of bounds", studioJSON + `, "retry_count": 7}`, with(studio, func(f *schema.Object) { set(f, "integration.retry_count", int64(7)) })},
		{"studio, with keys of others", studioJSON + `, "channel": "studio", "timeout": "soon", "url": 7, "new_key": {}}`, studio},
		{"unknown keys", `"new_key": [1, {"a": null}], "links": {}`, schema.Flows.Make(schema.Values{"friendly_name": "A"})},
		{"external", `"integration_type": "external", "integration": {"url": "https://example.com/"}`, external},
		{"task", taskJSON + `}`, task},
		{"task, all of it", taskJSON + `, "channel": "chat", "timeout": "5", "priority": 6, "creation_on_message": "false"}`,
			with(task, func(f *schema.Object) {
				set(f, "integration.channel", "chat")
				set(f, "integration.timeout", int64(5))
				set(f, "integration.priority", int64(6))
				set(f, "integration.creation_on_message", false)
			})},
		{"task, on message", taskJSON + `, "creation_on_message": true}`, with(task, func(f *schema.Object) { set(f, "integration.creation_on_message", true) })},
		{"task, on message null", taskJSON + `, "creation_on_message": null, "channel": null}`, task},
		{"studio without anything", `"integration_type": "studio", "integration": null`, schema.Flows.Make(schema.Values{"friendly_name": "A", "integration_type": "studio", "integration.retry_count": int64(3)})},
		{"a type that is new", `"integration_type": "carrier pigeon", "integration": {"flow_sid": 7}`, schema.Flows.Make(schema.Values{"friendly_name": "A", "integration_type": "carrier pigeon"})},
		{"an integration without a type", `"integration": {"flow_sid": "x"}`, schema.Flows.Make(schema.Values{"friendly_name": "A"})},
		{"a key in capitals is another", `"Enabled": true, "CONTACT_IDENTITY": "x"`, schema.Flows.Make(schema.Values{"friendly_name": "A"})},
		{"a channel that is new", `"channel_type": "fax"`, schema.Flows.Make(schema.Values{"friendly_name": "A", "channel_type": "fax"})},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := Decode(schema.Flows, json.RawMessage(listed(1, "A", test.json)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want.String(), f.String()); diff != "" || f.Object != test.want {
				t.Error(diff)
			}
			if f.SID != sidOf("FO", 1) {
				t.Error(f.SID)
			}
		})
	}
}

func TestDecodeRefusesJunk(t *testing.T) {
	for _, junk := range []string{"null", "[]", `{"sid": 1}`, "", `{"integration": {"timeout": 5}}`} {
		if f, err := Decode(schema.Flows, json.RawMessage(junk)); err == nil {
			t.Errorf("%s is a flow: %v", junk, f)
		}
	}
}

func TestOlder(t *testing.T) {
	// In the order of staying.
	flows := []Resource{
		{SID: sidOf("FO", 9), DateCreated: "2020-01-01T00:00:00Z"},
		{SID: sidOf("FO", 2), DateCreated: "2020-01-01T00:00:01Z"},
		{SID: sidOf("FO", 3), DateCreated: "2020-01-01T00:00:01Z"},
		{SID: sidOf("FO", 1), DateCreated: ""},
		{SID: sidOf("FO", 4), DateCreated: ""},
	}
	for i := range flows {
		for j := range flows {
			if got := flows[i].Older(&flows[j]); got != (i < j) {
				t.Errorf("%d before %d: %v", i, j, got)
			}
		}
	}
}

func TestDigest(t *testing.T) {
	digest := func(item string) string {
		f, err := Decode(schema.Flows, json.RawMessage(item))
		if err != nil {
			t.Fatal(err)
		}
		return Digest(&f.Object)
	}
	base := digest(listed(1, "A"))
	if !strings.HasPrefix(base, "sha256:") || len(base) != 7+64 {
		t.Error(base)
	}
	for _, same := range []string{
		`"date_created": "2030-01-01T00:00:00Z", "date_updated": null`, `"url": "https://elsewhere"`, `"new": 1`, `"enabled": "false"`, `"contact_identity": ""`,
	} {
		if digest(listed(1, "A", same)) != base {
			t.Errorf("%s changes the digest", same)
		}
	}
	if digest(listed(2, "A")) != base {
		t.Error("the SID is in the digest")
	}
	seen := map[string]string{base: ""}
	for _, other := range []string{
		`"friendly_name": "B"`, `"chat_service_sid": "x"`, `"channel_type": "x"`, `"contact_identity": "x"`, `"enabled": true`, `"long_lived": true`, `"janitor_enabled": true`,
		`"integration_type": "studio"`, `"integration_type": "external"`, `"integration_type": "task"`,
		`"integration_type": "studio", "integration": {"flow_sid": "x"}`, `"integration_type": "external", "integration": {"url": "x"}`,
		`"integration_type": "task", "integration": {"workspace_sid": "x"}`, `"integration_type": "task", "integration": {"workflow_sid": "x"}`,
		`"integration_type": "task", "integration": {"channel": "x"}`, `"integration_type": "task", "integration": {"timeout": 1}`,
		`"integration_type": "task", "integration": {"priority": 1}`, `"integration_type": "task", "integration": {"creation_on_message": true}`,
		`"integration_type": "task", "integration": {"creation_on_message": false}`, `"integration_type": "studio", "integration": {"retry_count": 0}`,
	} {
		d := digest(listed(1, "A", other))
		if first, twice := seen[d]; twice {
			t.Errorf("%s has the digest of {%s}", other, first)
		}
		seen[d] = other
	}
}

func TestExport(t *testing.T) {
	studio := func(n int, name string, members ...string) string {
		return listed(n, name, append([]string{`"chat_service_sid": "` + sidOf("IS", 1) + `", "channel_type": "sms", "enabled": true,
			"integration_type": "studio", "integration": {"flow_sid": "` + sidOf("FW", 1) + `"}`}, members...)...)
	}
	identity := `"contact_identity": "+1"`
	snap, err := read(pages{{
		studio(1, "A"),
		studio(2, "Twin"), studio(3, "Twin", `"long_lived": true`),
		studio(4, "Held", identity), studio(5, "Held again", identity), studio(6, "Held, but off", identity, `"enabled": false`),
		studio(7, "line\nbreak"), studio(8, ""), studio(9, "No service", `"chat_service_sid": null`), studio(10, "Fax", `"channel_type": "fax"`),
		studio(11, "Half", `"integration": {}`), listed(12, "No integration", `"chat_service_sid": "`+sidOf("IS", 1)+`", "channel_type": "web"`),
		studio(13, sidOf("FO", 7)), studio(14, "Twin", identity), studio(15, "Held", identity),
	}})
	if err != nil {
		t.Fatal(err)
	}
	e := snap.Export(ExportOptions{})
	var flows, ignored []string
	for _, f := range e.Entries {
		line := f.ID()
		if f.Pin {
			line += " " + f.SID
		}
		flows = append(flows, line)
	}
	for _, i := range e.Ignore {
		ignored = append(ignored, i.Pattern)
		if !strings.HasPrefix(i.Comment, "cannot be declared: ") || !strings.HasSuffix(i.Comment, "}") {
			t.Error(i.Comment)
		}
	}
	if diff := cmp.Diff([]string{"No integration", "A", "Held", "Held, but off", "Twin " + sidOf("FO", 2), "Twin " + sidOf("FO", 3)}, flows); diff != "" {
		t.Errorf("flows (-want +got):\n%s", diff)
	}
	slices.Sort(ignored)
	var want []string
	for _, n := range []int{5, 7, 8, 9, 10, 11, 13, 14, 15} {
		want = append(want, sidOf("FO", n))
	}
	if diff := cmp.Diff(want, ignored); diff != "" {
		t.Errorf("ignored (-want +got):\n%s", diff)
	}
}

// An enabled address beside an enabled flow of its identity cannot be declared.
func TestExportBesideFlows(t *testing.T) {
	flow := func(n int, contact string, values schema.Values) Resource {
		all := schema.Values{"friendly_name": fmt.Sprint("Flow ", n), "chat_service_sid": sidOf("IS", 1), "channel_type": "sms", "contact_identity": contact, "enabled": true}
		maps.Copy(all, values)
		return Resource{SID: sidOf("FO", n), Object: schema.Flows.Make(all)}
	}
	address := func(n int, contact string, on bool) Resource {
		return Resource{SID: sidOf("IG", n), Object: schema.Addresses.Make(schema.Values{"address": contact, "type": "sms", "auto_creation.type": schema.Plain, "auto_creation.enabled": on})}
	}
	s := &Snapshot{Kinds: schema.Kinds, Resources: []Resource{
		flow(1, "+1", schema.Values{"integration_type": schema.Studio, "integration.flow_sid": sidOf("FW", 1)}),
		flow(2, "+2", nil), // no integration
		flow(3, "+3", schema.Values{"enabled": false}),
		flow(4, "+4", nil),
		flow(5, "+5", schema.Values{"friendly_name": ""}), // is ignored
		address(1, "+1", true), address(2, "+2", true), address(3, "+3", true), address(4, "+4", false), address(5, "+5", true),
	}}
	e := s.Export(ExportOptions{})
	var ignored []string
	for _, i := range e.Ignore {
		ignored = append(ignored, i.Pattern)
	}
	if diff := cmp.Diff([]string{sidOf("FO", 5), sidOf("IG", 1), sidOf("IG", 2)}, ignored); diff != "" {
		t.Errorf("ignored (-want +got):\n%s", diff)
	}
	if _, err := schema.Load([]string{"-"}, schema.Options{Stdin: bytes.NewReader(e.Encode())}); err != nil {
		t.Errorf("%v\n%s", err, e.Encode())
	}
}

// What is exported before flows are deleted holds after that, too.
func TestExportGone(t *testing.T) {
	flow := func(n int, name string, members ...string) string {
		return listed(n, name, append([]string{`"chat_service_sid": "` + sidOf("IS", 1) + `", "channel_type": "sms"`}, members...)...)
	}
	const other, third = `"long_lived": true`, `"janitor_enabled": true`
	for name, test := range map[string]struct {
		flows []string
		gone  []int
		want  []string // name, number of the pin
	}{
		"nothing is gone":            {[]string{flow(1, "A"), flow(2, "A")}, nil, []string{"A 1", "A 2"}},
		"another name is gone":       {[]string{flow(1, "A"), flow(2, "A", other), flow(3, "B")}, []int{3}, []string{"A 1", "A 2", "B"}},
		"a copy is gone":             {[]string{flow(1, "A"), flow(2, "A")}, []int{2}, []string{"A"}},
		"the older copy is gone":     {[]string{flow(1, "A"), flow(2, "A")}, []int{1}, []string{"A"}},
		"all copies are gone":        {[]string{flow(1, "A"), flow(2, "A"), flow(3, "A")}, []int{1, 2, 3}, []string{"A"}},
		"one that differs is gone":   {[]string{flow(1, "A"), flow(2, "A", other)}, []int{1}, []string{"A (2) was A", "A 2"}},
		"all that differ are gone":   {[]string{flow(1, "A"), flow(2, "A", other), flow(3, "A", third)}, []int{1, 2, 3}, []string{"A", "A (2) was A", "A (3) was A"}},
		"the number is taken":        {[]string{flow(1, "A"), flow(2, "A", other), flow(3, "A (2)")}, []int{1, 2}, []string{"A", "A (3) was A", "A (2)"}},
		"two stay, and two are gone": {[]string{flow(1, "A"), flow(2, "A", other), flow(3, "A", other), flow(4, "A", third)}, []int{3, 4}, []string{"A 1", "A 2", "A (2) was A"}},
	} {
		t.Run(name, func(t *testing.T) {
			snap, err := read(pages{test.flows})
			if err != nil {
				t.Fatal(err)
			}
			gone := make(map[string]bool)
			for _, n := range test.gone {
				gone[sidOf("FO", n)] = true
			}
			e := snap.Export(ExportOptions{Gone: gone})
			var got []string
			for _, f := range e.Entries {
				line := f.ID()
				if f.Pin {
					line += " " + strings.TrimLeft(f.SID, "FO0")
				}
				if len(f.Comment) > 0 && strings.HasPrefix(f.Comment[0], `Was "A"`) {
					line += " was A"
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || len(e.Ignore) > 0 {
				t.Errorf("ignored %v, flows (-want +got):\n%s", e.Ignore, diff)
			}
			if _, err := schema.Load([]string{"-"}, schema.Options{Stdin: bytes.NewReader(e.Encode())}); err != nil {
				t.Errorf("%v\n%s", err, e.Encode())
			}
		})
	}
}

// What is printed to restore is valid, and each flow is whole.
func TestRestore(t *testing.T) {
	snap, err := read(pages{{
		listed(1, "A", `"chat_service_sid": "`+sidOf("IS", 1)+`", "channel_type": "sms", "janitor_enabled": true`),
		listed(2, "A", `"chat_service_sid": "`+sidOf("IS", 1)+`", "channel_type": "web", "janitor_enabled": true`),
		listed(3, "A", `"chat_service_sid": "`+sidOf("IS", 1)+`", "channel_type": "web", "janitor_enabled": true`),
		listed(4, "two\nlines", `"chat_service_sid": "`+sidOf("IS", 1)+`", "channel_type": "web"`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(snap.Resources) // as a report has them
	text := Restore(snap.Resources, "Deleted:").Encode()
	cfg, err := schema.Load([]string{"-"}, schema.Options{Stdin: bytes.NewReader(text)})
	if err != nil || len(cfg.Resources) != 2 || len(cfg.Ignore) > 0 {
		t.Fatalf("%v\n%s", err, text)
	}
	if n := strings.Count(string(text), "janitor_enabled: true"); n != 2 || strings.Contains(string(text), "defaults") {
		t.Errorf("not whole:\n%s", text)
	}
	if !strings.HasPrefix(string(text), "# Deleted:\n# "+sidOf("FO", 4)+" cannot be declared: ") {
		t.Errorf("%s", text)
	}
}

// FuzzDecode: whatever the answer, no panic; and a flow is the same after it
// went through JSON.
func FuzzDecode(f *testing.F) {
	for _, item := range []string{
		listed(1, "A"),
		listed(1, "A", `"integration_type": "studio", "integration": {"flow_sid": "x", "retry_count": "2"}`),
		listed(1, "\u202e\x00\"", `"integration_type": "task", "integration": {"timeout": 1e2, "creation_on_message": "True", "channel": ""}`),
		listed(1, "A", `"integration_type": "external", "integration": {"url": "\ud800", "retry_count": 1e300}`),
		`null`, `{}`, `[]`, `{"sid": null}`, `{"sid": "` + sidOf("FO", 1) + `", "integration": null}`, `{"sid": "` + sidOf("FO", 1) + "\", \"friendly_name\": \"\xff\"}",
		`{"sid": "` + sidOf("FO", 1) + `", "enabled": "\"true\""}`, `{"sid": "` + sidOf("FO", 1) + `", "sid": "` + sidOf("FO", 2) + `"}`,
	} {
		f.Add([]byte(item))
	}
	f.Fuzz(func(t *testing.T, item []byte) {
		flow, err := Decode(schema.Flows, item)
		if err != nil {
			return
		}
		if !schema.IsSID("FO", flow.SID) {
			t.Fatal(flow.SID)
		}
		b, err := json.Marshal(flow.Object)
		if err != nil {
			t.Fatal(err)
		}
		var back schema.Object
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if diff := cmp.Diff(flow.String(), back.String()); diff != "" || back != flow.Object {
			t.Fatalf("%s\n%s", diff, b)
		}
		if again, err := Decode(schema.Flows, item); err != nil || again != flow {
			t.Fatalf("decoded twice: %v, %v", again, err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	var p pages
	for i := range 100 {
		var page []string
		for j := range 1000 {
			page = append(page, listed(i*1000+j, fmt.Sprintf("Flow %06d", i*1000+j), `"contact_identity": "+1555", "enabled": true,
				"chat_service_sid": "`+sidOf("IS", 1)+`", "channel_type": "sms", "integration_type": "studio", "integration": {"flow_sid": "`+sidOf("FW", 1)+`", "retry_count": 3}`))
		}
		p = append(p, page)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(p); err != nil {
			b.Fatal(err)
		}
	}
}

// TestDecodeAddress is what answers of the API say of an address, and what they leave
// open.
func TestDecodeAddress(t *testing.T) {
	webhook := schema.Addresses.Make(schema.Values{"address": "+1", "type": "sms", "auto_creation.type": "webhook", "auto_creation.enabled": true,
		"auto_creation.webhook_url": "https://example.com/", "auto_creation.webhook_method": "get", "auto_creation.webhook_filters": schema.NewWordSet([]string{"onMessageAdded", "onMessageRemoved"})})
	for _, test := range []struct {
		name, json string
		want       schema.Object
	}{
		{"nothing said", `"address": "+1", "type": "sms"`, schema.Addresses.Make(schema.Values{"address": "+1", "type": "sms"})},
		{"case, order and repetition", `"address": "+1", "type": "SMS", "address_country": null, "auto_creation": {"enabled": "True", "type": "WebHook", "webhook_url": "https://example.com/",
			"webhook_method": "GET", "webhook_filters": ["ONMESSAGEREMOVED", "onMessageAdded", "onMessageRemoved"], "binding_name": null, "studio_retry_count": "2"}`, webhook},
		{"a bare number under whatsapp", `"address": "+1", "type": "whatsapp"`, schema.Addresses.Make(schema.Values{"address": "whatsapp:+1", "type": "whatsapp"})},
		{"a number as text", `"address": "+1", "type": "sms", "auto_creation": {"type": "studio", "studio_retry_count": "2", "webhook_url": null}`,
			schema.Addresses.Make(schema.Values{"address": "+1", "type": "sms", "auto_creation.type": "studio", "auto_creation.studio_retry_count": int64(2)})},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := Decode(schema.Addresses, json.RawMessage(`{"sid": "`+sidOf("IG", 1)+`", `+test.json+`}`))
			if err != nil {
				t.Fatal(err)
			}
			if r.Object != test.want {
				t.Errorf("%v, want %v", r.Object, test.want)
			}
		})
	}
	if r, err := Decode(schema.Addresses, json.RawMessage(`{"sid": "`+sidOf("IG", 1)+`", "auto_creation": {"type": "webhook", "webhook_filters": "onMessageAdded"}}`)); err == nil {
		t.Errorf("filters that are no list are %v", r.Object)
	}
}
