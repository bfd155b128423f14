package plan

import (
	"testing"

	"flexsync/schema"
	"flexsync/state"

	"github.com/google/go-cmp/cmp"
)

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		name   string
		config []schema.Declared
		ignore []string // of the files
		have   []state.Resource

		want     []string
		kept     int
		refusals []string
		says     []string // in the refusal
		reasons  []string // of the deletes, in order
		noDelete bool
	}{
		{
			name:   "by name",
			config: []schema.Declared{declare("A", retry(1))},
			have:   []state.Resource{have(1, "A")},
			want:   []string{"update A #1"},
		},
		{
			name:   "names are exact",
			config: []schema.Declared{declare("A")},
			have:   []state.Resource{have(1, "a"), have(2, "A ")},
			want:   []string{"create A", "delete A  #2", "delete a #1"},
		},
		{
			name:   "nothing to do",
			config: []schema.Declared{declare("A"), declare("B", task)},
			have:   []state.Resource{have(2, "B", task), have(1, "A")},
		},
		{
			name:   "a pin renames",
			config: []schema.Declared{declare("A", pin(1))},
			have:   []state.Resource{have(1, "X")},
			want:   []string{"update A #1 was X"},
		},
		{
			name:    "a pin beats the name",
			config:  []schema.Declared{declare("A", pin(1))},
			have:    []state.Resource{have(1, "X"), have(2, "A")},
			want:    []string{"update A #1 was X", "delete A #2"},
			reasons: []string{`"A" is pinned to ` + sid("FO", 1)},
		},
		{
			name:   "a pin takes a flow from another declaration's name",
			config: []schema.Declared{declare("A", pin(1)), declare("B")},
			have:   []state.Resource{have(1, "B")},
			want:   []string{"update A #1 was B", "create B"},
		},
		{
			name:   "two pins exchange names",
			config: []schema.Declared{declare("A", pin(1)), declare("B", pin(2))},
			have:   []state.Resource{have(1, "B"), have(2, "A")},
			want:   []string{"update A #1 was B", "update B #2 was A"},
		},
		{
			name:   "a pin in capitals",
			config: []schema.Declared{declare("A", func(d *schema.Declared) { d.SID = "FO0000000000000000000000000000000A" })},
			have:   []state.Resource{have(10, "X")},
			want:   []string{"update A #a was X"},
		},
		{
			name:     "a pin that is absent",
			config:   []schema.Declared{declare("A", pin(9))},
			have:     []state.Resource{have(1, "A"), have(2, "B")},
			want:     []string{"delete B #2"},
			refusals: []string{"sid-absent"},
			says:     []string{sid("FO", 9), `"A"`, "flows.yaml:10", "or remove it to match by name"},
			reasons:  []string{""},
		},
		{
			name:     "a pin on what the files ignore",
			config:   []schema.Declared{declare("A", pin(1))},
			ignore:   []string{"X*"},
			have:     []state.Resource{have(1, "X1")},
			refusals: []string{"sid-absent"},
			says:     []string{`"X1", is ignored`},
		},
		{
			name:   "pins settle duplicates",
			config: []schema.Declared{declare("A", pin(1)), declare("A", pin(2), retry(1))},
			have:   []state.Resource{have(1, "A"), have(2, "A", retry(2))},
			want:   []string{"update A #2"},
		},
		{
			name:    "one pin settles duplicates",
			config:  []schema.Declared{declare("A", pin(2))},
			have:    []state.Resource{have(1, "A"), have(2, "A", retry(2))},
			want:    []string{"update A #2", "delete A #1"},
			reasons: []string{`"A" is pinned to ` + sid("FO", 2)},
		},
		{
			name:   "renamed",
			config: []schema.Declared{declare("A", old("X"))},
			have:   []state.Resource{have(1, "X")},
			want:   []string{"update A #1 was X"},
		},
		{
			name:    "the first old name wins",
			config:  []schema.Declared{declare("A", old("Y", "X"))},
			have:    []state.Resource{have(1, "X"), have(2, "Y")},
			want:    []string{"update A #2 was Y", "delete X #1"},
			reasons: []string{`it is an old name of "A", which exists as ` + sid("FO", 2)},
		},
		{
			name:   "the second old name is looked for, too",
			config: []schema.Declared{declare("A", old("Z", "X"))},
			have:   []state.Resource{have(1, "X")},
			want:   []string{"update A #1 was X"},
		},
		{
			name:    "both names are there",
			config:  []schema.Declared{declare("A", old("X"))},
			have:    []state.Resource{have(1, "A"), have(2, "X")},
			want:    []string{"delete X #2"},
			reasons: []string{`it is an old name of "A", which exists as ` + sid("FO", 1)},
		},
		{
			name:   "a chain of renames",
			config: []schema.Declared{declare("C", old("B")), declare("D", old("A"))},
			have:   []state.Resource{have(1, "A"), have(2, "B")},
			want:   []string{"update C #2 was B", "update D #1 was A"},
		},
		{
			name:   "an old name is not taken from an ignored flow",
			config: []schema.Declared{declare("A", old("X"))},
			ignore: []string{sid("FO", 1)},
			have:   []state.Resource{have(1, "X")},
			want:   []string{"create A"},
		},
		{
			name:   "of equal copies the older stays",
			config: []schema.Declared{declare("A")},
			have:   []state.Resource{created("2026-01-02T00:00:00Z", have(1, "A")), created("2026-01-01T00:00:00Z", have(2, "A"))},
			want:   []string{"delete A #1 copy of #2"},
		},
		{
			name:   "of copies of one age the lower SID stays",
			config: []schema.Declared{declare("A")},
			have:   []state.Resource{have(3, "A"), have(1, "A"), have(2, "A")},
			want:   []string{"delete A #2 copy of #1", "delete A #3 copy of #1"},
		},
		{
			name:   "a copy without a date goes",
			config: []schema.Declared{declare("A")},
			have:   []state.Resource{created("", have(1, "A")), have(2, "A")},
			want:   []string{"delete A #1 copy of #2"},
		},
		{
			name:   "copies go before the flow that stays is changed",
			config: []schema.Declared{declare("A", retry(1))},
			have:   []state.Resource{have(1, "A"), have(2, "A")},
			want:   []string{"delete A #2 copy of #1", "update A #1"},
		},
		{
			name:   "copies of an old name",
			config: []schema.Declared{declare("A", old("X"))},
			have:   []state.Resource{have(1, "X"), have(2, "X")},
			want:   []string{"delete X #2 copy of #1", "update A #1 was X"},
		},
		{
			name:     "duplicates that differ",
			config:   []schema.Declared{declare("A")},
			have:     []state.Resource{have(1, "A"), have(2, "A", retry(1))},
			refusals: []string{"duplicate-remote"},
			says:     []string{sid("FO", 1), sid("FO", 2), "`sid: " + sid("FO", 1) + "`", "flows.yaml:10"},
		},
		{
			name:     "two copies and one that differs",
			config:   []schema.Declared{declare("A")},
			have:     []state.Resource{have(1, "A"), have(2, "A"), have(3, "A", off(""))},
			refusals: []string{"duplicate-remote"},
			says:     []string{sid("FO", 1), sid("FO", 2), sid("FO", 3)},
		},
		{
			name:     "duplicates of an old name that differ",
			config:   []schema.Declared{declare("A", old("X"))},
			have:     []state.Resource{have(1, "X"), have(2, "X", retry(1))},
			refusals: []string{"duplicate-remote"},
			says:     []string{`named "X"`},
		},
		{
			name:   "duplicates of a name that nobody declares",
			config: []schema.Declared{declare("A")},
			have:   []state.Resource{have(1, "A"), have(2, "B"), have(3, "B"), have(4, "B", retry(1))},
			want:   []string{"delete B #2", "delete B #3", "delete B #4"},
		},
		{
			name:   "a duplicate that is ignored",
			config: []schema.Declared{declare("A")},
			ignore: []string{sid("FO", 2)},
			have:   []state.Resource{have(1, "A"), have(2, "A", retry(1))},
		},
		{
			name:     "nothing is deleted",
			config:   []schema.Declared{declare("A")},
			have:     []state.Resource{have(1, "A"), have(2, "A"), have(3, "B")},
			noDelete: true,
			kept:     2,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := config(test.config...)
			cfg.Ignore = globs(test.ignore...)
			p := compute(t, Input{Config: cfg, Snapshot: account(test.have...), MaxDeletes: anyDeletes, NoDelete: test.noDelete})
			if diff := cmp.Diff(test.want, changes(p)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.refusals, codes(p.Refusals)); diff != "" {
				t.Errorf("refusals (-want +got):\n%s", diff)
			}
			if len(test.refusals) > 0 {
				contains(t, p.Refusals[0].Message, test.says...)
			}
			if len(p.Kept) != test.kept || p.Summary.Kept != test.kept {
				t.Errorf("kept %d, counted %d, want %d", len(p.Kept), p.Summary.Kept, test.kept)
			}
			if test.reasons != nil {
				var reasons []string
				for i := range p.Changes {
					if p.Changes[i].Action == Delete {
						reasons = append(reasons, p.Changes[i].Reason)
					}
				}
				if diff := cmp.Diff(test.reasons, reasons); diff != "" {
					t.Errorf("reasons (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// A reason is one sentence, whatever the number of flows it is about.
func TestCopiesAreExplained(t *testing.T) {
	p := compute(t, Input{Config: config(declare("A")), Snapshot: account(have(1, "A"), have(2, "A"))})
	c := p.Changes[0]
	if c.CopyOf != sid("FO", 1) {
		t.Errorf("copy of %q", c.CopyOf)
	}
	contains(t, c.Reason, "a copy of "+sid("FO", 1))
}

func TestDesired(t *testing.T) {
	onMessage := func(b schema.Value) edit {
		return func(d *schema.Declared) { set(d, "integration.creation_on_message", b) }
	}
	timeout := func(n int64) edit { return func(d *schema.Declared) { set(d, "integration.timeout", n) } }
	service := func(s string) edit { return func(d *schema.Declared) { set(d, "chat_service_sid", s) } }
	for _, test := range []struct {
		name       string
		want       schema.Declared
		have, make state.Resource
	}{
		{"whole", declare("A", retry(1)), have(1, "A"), have(1, "A", retry(1))},
		{"the identity is cleared", declare("A"), have(1, "A", on("+1")), have(1, "A")},
		{"a left field", declare("A", on("+1"), leave("enabled")), have(1, "A", off("+2")), have(1, "A", off("+1"))},
		{"a left field that the account does not have", declare("A", leave("chat_service_sid")), have(1, "A", service("")), have(1, "A", service(""))},
		{"an open integration", declare("A", on("+1"), openIntegration), have(1, "A", task), have(1, "A", task, on("+1"))},
		{"an open integration where there is none", declare("A", openIntegration), have(1, "A", off(""), openIntegration), have(1, "A", openIntegration)},
		{"a left integration", declare("A", leave("integration")), have(1, "A", task), have(1, "A", task)},
		{"another integration", declare("A", task), have(1, "A"), have(1, "A", task)},
		{"a left key of the same integration", declare("A", task, timeout(5), leave("integration.timeout")), have(1, "A", task, timeout(7)), have(1, "A", task, timeout(7))},
		{"a left key that the account's integration does not have", declare("A", task, timeout(5), leave("integration.timeout")), have(1, "A"), have(1, "A", task, timeout(5))},
		{"a left type takes its keys along", declare("A", task, leave("integration_type")), have(1, "A", retry(1)), have(1, "A", retry(1))},
		{"a left type that is the same", declare("A", retry(2), leave("integration_type")), have(1, "A", retry(1)), have(1, "A", retry(2))},
		{"creation_on_message unset", declare("A", task), have(1, "A", task, onMessage(true)), have(1, "A", task, onMessage(true))},
		{"creation_on_message set", declare("A", task, onMessage(false)), have(1, "A", task, onMessage(true)), have(1, "A", task, onMessage(false))},
		{"creation_on_message unset, and another integration", declare("A", task), have(1, "A"), have(1, "A", task)},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := compute(t, Input{Config: config(test.want), Snapshot: account(test.have)})
			got := test.have.Object
			if len(p.Changes) > 0 {
				got = *p.Changes[0].After
			}
			if diff := cmp.Diff(test.make.Object, got, asText); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFieldsOfAChange(t *testing.T) {
	p := compute(t, Input{Config: config(declare("A", task, old("X")), declare("B", openIntegration)), Snapshot: account(have(1, "X", on("+1")))})
	want := [][]FieldChange{{
		{"friendly_name", "X", "A", ""},
		{"contact_identity", "+1", nil, ""},
		{"integration_type", "studio", "task", ""},
		{"integration.flow_sid", sid("FW", 1), nil, ""},
		{"integration.workspace_sid", nil, sid("WS", 1), ""},
		{"integration.workflow_sid", nil, sid("WW", 1), ""},
		{"integration.channel", nil, "default", ""},
		{"integration.timeout", nil, int64(86400), ""},
		{"integration.priority", nil, int64(0), ""},
		{"integration.retry_count", int64(3), nil, ""},
	}, {
		{"friendly_name", nil, "B", ""},
		{"chat_service_sid", nil, sid("IS", 1), ""},
		{"channel_type", nil, "sms", ""},
		{"enabled", nil, true, ""},
		{"long_lived", nil, false, ""},
		{"janitor_enabled", nil, false, ""},
	}}
	for i, fields := range want {
		if diff := cmp.Diff(fields, p.Changes[i].Fields); diff != "" {
			t.Errorf("%s (-want +got):\n%s", p.Changes[i].ID, diff)
		}
	}
}
