package plan

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"flexsync/internal/flexapi"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
	"flexsync/state"

	"github.com/google/go-cmp/cmp"
)

// declareAddress declares an address of type sms, or whatsapp or messenger as its
// prefix says.
func declareAddress(address string, edits ...edit) schema.Declared {
	typ, _, ok := strings.Cut(address, ":")
	if !ok {
		typ = "sms"
	}
	d := schema.Declared{
		Object: schema.Addresses.Make(schema.Values{
			"address": address, "type": typ, "auto_creation.enabled": true, "auto_creation.type": schema.Studio,
			"auto_creation.studio_flow_sid": sid("FW", 1), "auto_creation.studio_retry_count": int64(3),
		}),
		Pos: yamldoc.Pos{File: "addresses.yaml", Line: 3, Column: 5},
	}
	for _, e := range edits {
		e(&d)
	}
	return d
}

func haveAddress(n int, address string, edits ...edit) state.Resource {
	return state.Resource{SID: sid("IG", n), AccountSID: sid("AC", 1), DateCreated: "2026-01-01T00:00:00Z", Object: declareAddress(address, edits...).Object}
}

func addressOff(d *schema.Declared) { set(d, "auto_creation.enabled", false) }

func country(code string) edit {
	return func(d *schema.Declared) { set(d, "address_country", code) }
}

func facebook(d *schema.Declared) { set(d, "channel_type", "facebook") }

func TestMove(t *testing.T) {
	for _, test := range []struct {
		name     string
		config   []schema.Declared
		have     []state.Resource
		noDelete bool
		ignore   []string
		only     []string

		want     []string
		kept     int
		moves    []string // the changes that have moved_to, with it
		warnings []string
	}{
		{
			name:   "an enabled flow",
			config: []schema.Declared{declareAddress("+1")},
			have:   []state.Resource{have(1, "Old", on("+1"))},
			want:   []string{"disable Old #1", "create +1", "delete Old #1"},
			moves:  []string{"delete Old #1 to +1"},
		},
		{
			name:   "a flow that a killed run left off",
			config: []schema.Declared{declareAddress("+1")},
			have:   []state.Resource{have(1, "Old", off("+1"))},
			want:   []string{"create +1", "delete Old #1"},
			moves:  []string{"delete Old #1 to +1"},
		},
		{
			name:   "the address already exists",
			config: []schema.Declared{declareAddress("+1")},
			have:   []state.Resource{have(1, "Old", on("+1")), haveAddress(1, "+1")},
			want:   []string{"delete Old #1"},
			moves:  []string{"delete Old #1 to +1"},
		},
		{
			name:   "the address is there, and changes",
			config: []schema.Declared{declareAddress("+1", func(d *schema.Declared) { set(d, "friendly_name", "Support") })},
			have:   []state.Resource{have(1, "Old", on("+1")), haveAddress(1, "+1")},
			want:   []string{"update +1 #1", "delete Old #1"},
			moves:  []string{"delete Old #1 to +1"},
		},
		{
			name:   "the address is enabled",
			config: []schema.Declared{declareAddress("+1")},
			have:   []state.Resource{have(1, "Old", on("+1")), haveAddress(1, "+1", addressOff)},
			want:   []string{"disable Old #1", "update +1 #1", "delete Old #1"},
			moves:  []string{"delete Old #1 to +1"},
		},
		{
			name:   "the address stays disabled",
			config: []schema.Declared{declareAddress("+1", addressOff)},
			have:   []state.Resource{have(1, "Old", on("+1")), haveAddress(1, "+1", addressOff)},
			want:   []string{"delete Old #1"},
		},
		{
			name:   "what Twilio routes is one",
			config: []schema.Declared{declareAddress("messenger:1"), declareAddress("whatsapp:+1"), declareAddress("whatsapp:+2")},
			have:   []state.Resource{have(1, "A", on("messenger:1"), facebook), have(2, "B", on("+1"), whatsapp), have(3, "C", on("whatsapp:+2"), whatsapp)},
			want: []string{
				"disable A #1", "create messenger:1", "delete A #1", "disable B #2", "create whatsapp:+1", "delete B #2",
				"disable C #3", "create whatsapp:+2", "delete C #3",
			},
			moves: []string{"delete A #1 to messenger:1", "delete B #2 to whatsapp:+1", "delete C #3 to whatsapp:+2"},
		},
		{
			name:   "another channel or identity is none",
			config: []schema.Declared{declareAddress("+1")},
			have:   []state.Resource{have(1, "A", on("+1"), whatsapp), have(2, "B", on("+2")), have(3, "C")},
			want:   []string{"create +1", "delete A #1", "delete B #2", "delete C #3"},
		},
		{
			name:   "two flows of one identity",
			config: []schema.Declared{declareAddress("+1")},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+1"), task)},
			want:   []string{"disable A #1", "disable B #2", "create +1", "delete A #1", "delete B #2"},
			moves:  []string{"delete A #1 to +1", "delete B #2 to +1"},
		},
		{
			name:   "a declared flow is disabled",
			config: []schema.Declared{declareAddress("+1"), declare("Old", off("+1"))},
			have:   []state.Resource{have(1, "Old", on("+1"))},
			want:   []string{"update Old #1", "create +1"},
		},
		{
			name:     "--no-delete",
			config:   []schema.Declared{declareAddress("+1")},
			have:     []state.Resource{have(1, "Old", on("+1"))},
			noDelete: true,
			want:     []string{"update Old #1", "create +1"},
			kept:     1,
			moves:    []string{"update Old #1 to +1"},
		},
		{
			name:     "--no-delete again",
			config:   []schema.Declared{declareAddress("+1")},
			have:     []state.Resource{have(1, "Old", off("+1")), haveAddress(1, "+1")},
			noDelete: true,
			kept:     1,
		},
		{
			name:     "an ignored flow holds it",
			config:   []schema.Declared{declareAddress("+1")},
			have:     []state.Resource{have(1, "Old", on("+1")), haveAddress(1, "+1")},
			ignore:   []string{"Old"},
			warnings: []string{"identity-held"},
		},
		{
			name:     "a flow outside --only holds it",
			config:   []schema.Declared{declareAddress("+1")},
			have:     []state.Resource{have(1, "Old", on("+1"))},
			only:     []string{"+1"},
			want:     []string{"create +1"},
			warnings: []string{"identity-held"},
		},
		{
			name:   "an ignored flow that is off",
			config: []schema.Declared{declareAddress("+1")},
			have:   []state.Resource{have(1, "Old", off("+1")), haveAddress(1, "+1")},
			ignore: []string{"Old"},
		},
		{
			name:   "the address is replaced as well",
			config: []schema.Declared{declareAddress("12345", country("US"))},
			have:   []state.Resource{have(1, "Old", on("12345")), haveAddress(1, "12345", country("GB"))},
			want:   []string{"delete 12345 #1", "disable Old #1", "create 12345", "delete Old #1"},
			moves:  []string{"delete Old #1 to 12345"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := Input{
				Config:     &schema.Config{Kinds: schema.Kinds, Resources: test.config, Ignore: globs(test.ignore...)},
				Snapshot:   &state.Snapshot{AccountSID: sid("AC", 1), Resources: test.have},
				Only:       globs(test.only...),
				MaxDeletes: mustLimit("100%"), NoDelete: test.noDelete,
			}
			p := compute(t, in)
			if diff := cmp.Diff(test.want, changes(p)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			var moves []string
			for i, line := range changes(p) {
				if to := p.Changes[i].MovedTo; to != "" {
					moves = append(moves, line+" to "+to)
				}
			}
			slices.Sort(moves)
			if diff := cmp.Diff(test.moves, moves); diff != "" {
				t.Errorf("moves (-want +got):\n%s", diff)
			}
			if len(p.Kept) != test.kept || p.Summary.Kept != test.kept {
				t.Errorf("%d are kept, want %d", len(p.Kept), test.kept)
			}
			if diff := cmp.Diff(test.warnings, codes(p.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s\n%v", diff, p.Warnings)
			}
			if len(p.Refusals) > 0 {
				t.Errorf("refused: %v", p.Refusals)
			}
			for i, deps := range Dependencies(p.Changes) {
				for _, d := range deps {
					if d >= i {
						t.Errorf("%s waits for %s, which comes after it", changes(p)[i], changes(p)[d])
					}
				}
			}
		})
	}
}

// Of two flows of one name, an address moves to the one that gets its identity.
func TestMoveToPinned(t *testing.T) {
	p := compute(t, Input{
		Config: &schema.Config{Kinds: schema.Kinds, Resources: []schema.Declared{declare("A", pin(1), on("+1")), declare("A", pin(2), retry(1))}},
		Snapshot: &state.Snapshot{AccountSID: sid("AC", 1), Resources: []state.Resource{
			have(1, "A", off("+1")), have(2, "A"), haveAddress(1, "+1", addressOff),
		}},
		MaxDeletes: anyDeletes,
	})
	want := []string{"update A #1", "delete +1 #1", "update A #2"}
	if diff := cmp.Diff(want, changes(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]int{nil, {0}, nil}, Dependencies(p.Changes)); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
}

// Each kind has its own limit, and moves do not count.
func TestMaxDeletesOfKinds(t *testing.T) {
	flows := []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2")), have(3, "C", on("+3"))}
	addresses := []state.Resource{haveAddress(1, "+4"), haveAddress(2, "+5")}
	for _, test := range []struct {
		config  []schema.Declared
		max     string
		refused []string
	}{
		{[]schema.Declared{declareAddress("+1"), declareAddress("+2"), declareAddress("+3"), declareAddress("+4"), declareAddress("+5")}, "0", nil},
		{[]schema.Declared{declareAddress("+1"), declareAddress("+2"), declareAddress("+4"), declareAddress("+5")}, "0", []string{"max-deletes"}},
		{[]schema.Declared{declareAddress("+1"), declareAddress("+2")}, "1", []string{"max-deletes"}},
		{[]schema.Declared{declareAddress("+1")}, "1", []string{"max-deletes", "max-deletes"}},
		{[]schema.Declared{declareAddress("+1")}, "2", nil},
	} {
		p := compute(t, Input{
			Config:     &schema.Config{Kinds: schema.Kinds, Resources: test.config},
			Snapshot:   &state.Snapshot{AccountSID: sid("AC", 1), Resources: slices.Concat(flows, addresses)},
			MaxDeletes: mustLimit(test.max),
		})
		if diff := cmp.Diff(test.refused, codes(p.Refusals)); diff != "" {
			t.Errorf("%d addresses, --max-deletes %s (-want +got):\n%s", len(test.config), test.max, diff)
		}
	}
}

func TestReplace(t *testing.T) {
	typed := func(typ string) edit { return func(d *schema.Declared) { set(d, "type", typ) } }
	for _, test := range []struct {
		name     string
		config   schema.Declared
		have     []state.Resource
		ignore   []string
		noDelete bool
		max      string

		want     []string
		refusals []string
		warnings []string
	}{
		{name: "another type", config: declareAddress("+1", typed("rcs")), have: []state.Resource{haveAddress(1, "+1")},
			want: []string{"delete +1 #1", "create +1 for #1"}},
		{name: "another country", config: declareAddress("12345", country("US")), have: []state.Resource{haveAddress(1, "12345", country("GB"))},
			want: []string{"delete 12345 #1", "create 12345 for #1"}},
		{name: "an omitted country", config: declareAddress("12345"), have: []state.Resource{haveAddress(1, "12345", country("GB"))}},
		{name: "it counts as a delete", config: declareAddress("+1", typed("rcs")), have: []state.Resource{haveAddress(1, "+1")}, max: "0",
			want: []string{"delete +1 #1", "create +1 for #1"}, refusals: []string{"max-deletes"}},
		{name: "ignored", config: declareAddress("+1", typed("rcs"), leave("type")), have: []state.Resource{haveAddress(1, "+1")}},
		{name: "--no-delete", config: declareAddress("+1", typed("rcs")), have: []state.Resource{haveAddress(1, "+1")}, noDelete: true,
			warnings: []string{"replace-kept"}},
		{name: "with a copy", config: declareAddress("+1", typed("rcs")), have: []state.Resource{haveAddress(1, "+1"), haveAddress(2, "+1")},
			want: []string{"delete +1 #1", "delete +1 #2 copy of #1", "create +1 for #1"}},
		{name: "an ignored one has the identity", config: declareAddress("+1"), have: []state.Resource{haveAddress(1, "+1")}, ignore: []string{sid("IG", 1)},
			want: []string{"create +1"}, refusals: []string{"duplicate-remote"}},
		{name: "an ignored one beside it", config: declareAddress("+1", typed("rcs")), have: []state.Resource{haveAddress(1, "+1"), haveAddress(2, "+1")}, ignore: []string{sid("IG", 2)},
			want: []string{"delete +1 #1", "create +1 for #1"}, refusals: []string{"duplicate-remote"}},
		{name: "an ignored one, and no change", config: declareAddress("+1"), have: []state.Resource{haveAddress(1, "+1"), haveAddress(2, "+1", addressOff)}, ignore: []string{sid("IG", 2)}},
		{name: "two that differ", config: declareAddress("+1"), have: []state.Resource{haveAddress(1, "+1"), haveAddress(2, "+1", addressOff)},
			refusals: []string{"duplicate-remote"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.max == "" {
				test.max = "100%"
			}
			p := compute(t, Input{
				Config:     &schema.Config{Kinds: schema.Kinds, Resources: []schema.Declared{test.config}},
				Snapshot:   &state.Snapshot{AccountSID: sid("AC", 1), Resources: test.have},
				Ignore:     globs(test.ignore...),
				MaxDeletes: mustLimit(test.max), NoDelete: test.noDelete,
			})
			got := changes(p)
			for i := range p.Changes {
				if r := p.Changes[i].Replaces; r != "" {
					got[i] += " for " + short(r)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.refusals, codes(p.Refusals)); diff != "" {
				t.Errorf("refusals (-want +got):\n%s\n%v", diff, p.Refusals)
			}
			if diff := cmp.Diff(test.warnings, codes(p.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s\n%v", diff, p.Warnings)
			}
		})
	}
}

// studio answers fetches of Studio flows.
type studioAPI map[string]string

func (s studioAPI) Fetch(_ context.Context, _ flexapi.Collection, sid string) (flexapi.Answer, error) {
	switch body := s[sid]; body {
	case "":
		return flexapi.Answer{}, &flexapi.Error{Status: http.StatusNotFound}
	case "403":
		return flexapi.Answer{}, &flexapi.Error{Status: http.StatusForbidden}
	default:
		return flexapi.Answer{Body: json.RawMessage(body)}, nil
	}
}

func TestTriggers(t *testing.T) {
	const trigger = `{"states": [{"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingMessage", "next": "x"}, {"event": "incomingConversationMessage"NEXT}]}, {"name": "x", "type": "send", "transitions": [{"event": "incomingConversationMessage", "next": "y"}]}]}`
	flow := func(n int, status, next string) string {
		return `{"sid": "` + sid("FW", n) + `", "friendly_name": "IVR", "status": "` + status + `", "definition": ` + strings.Replace(trigger, "NEXT", next, 1) + `}`
	}
	api := studioAPI{
		sid("FW", 1): flow(1, "published", `, "next": "x"`),
		sid("FW", 2): flow(2, "published", ``),
		sid("FW", 3): flow(3, "draft", `, "next": "x"`),
		sid("FW", 4): "403",
	}
	to := func(n int) edit {
		return func(d *schema.Declared) { set(d, "auto_creation.studio_flow_sid", sid("FW", n)) }
	}
	for _, test := range []struct {
		name    string
		config  []schema.Declared
		have    []state.Resource
		fetched []string
		codes   []string
		says    string
	}{
		{"good", []schema.Declared{declareAddress("+1")}, nil, []string{sid("FW", 1)}, nil, ""},
		{"no next step", []schema.Declared{declareAddress("+1", to(2)), declareAddress("+2", to(2))}, nil, []string{sid("FW", 2)}, []string{"studio-trigger"}, `address "+1" and 1 more: auto_creation.studio_flow_sid: the trigger of Studio flow ` + sid("FW", 2)},
		{"a draft", []schema.Declared{declareAddress("+1", to(3))}, nil, []string{sid("FW", 3)}, []string{"ref-draft"}, "publish"},
		{"not allowed", []schema.Declared{declareAddress("+1", to(4))}, nil, []string{sid("FW", 4)}, []string{"studio-trigger"}, "HTTP 403"},
		{"absent", []schema.Declared{declareAddress("+1", to(5))}, nil, []string{sid("FW", 5)}, []string{"ref-missing"}, "no Studio flow"},
		{"unchanged", []schema.Declared{declareAddress("+1", to(2), func(d *schema.Declared) { set(d, "friendly_name", "x") })}, []state.Resource{haveAddress(1, "+1", to(2))}, nil, nil, ""},
		{"changed", []schema.Declared{declareAddress("+1", to(2))}, []state.Resource{haveAddress(1, "+1")}, []string{sid("FW", 2)}, []string{"studio-trigger"}, "swallow"},
		{"a flow", []schema.Declared{declare("A")}, nil, nil, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := Input{
				Config:    &schema.Config{Kinds: schema.Kinds, Resources: test.config},
				Snapshot:  &state.Snapshot{AccountSID: sid("AC", 1), Resources: test.have},
				Directory: &state.Directory{},
			}
			sids := Triggers(in)
			if diff := cmp.Diff(test.fetched, sids); diff != "" {
				t.Errorf("fetched (-want +got):\n%s", diff)
			}
			if err := in.Directory.FetchStudio(t.Context(), api, sids); err != nil {
				t.Fatal(err)
			}
			p := compute(t, in)
			if diff := cmp.Diff(test.codes, codes(p.Warnings)); diff != "" {
				t.Fatalf("warnings (-want +got):\n%s\n%v", diff, p.Warnings)
			}
			if test.says != "" {
				contains(t, p.Warnings[0].Message, test.says)
			}
		})
	}
}
