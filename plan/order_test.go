package plan

import (
	"testing"

	"flexsync/internal/glob"
	"flexsync/schema"
	"flexsync/state"

	"github.com/google/go-cmp/cmp"
)

func TestOrder(t *testing.T) {
	for _, test := range []struct {
		name   string
		config []schema.Declared
		have   []state.Resource
		want   []string
	}{
		{
			name:   "updates, creates, deletes, each by name",
			config: []schema.Declared{declare("E"), declare("D"), declare("C", retry(1)), declare("B", retry(1))},
			have:   []state.Resource{have(1, "A2"), have(2, "A1"), have(3, "B"), have(4, "C")},
			want:   []string{"update B #3", "update C #4", "create D", "create E", "delete A1 #2", "delete A2 #1"},
		},
		{
			name:   "an identity passes on",
			config: []schema.Declared{declare("A", on("+1")), declare("B", on("+2"))},
			have:   []state.Resource{have(1, "A", on("+2")), have(2, "B", off("+2"))},
			want:   []string{"update A #1", "update B #2"},
		},
		{
			name:   "a flow is disabled for another",
			config: []schema.Declared{declare("A", on("+1")), declare("Z", off("+1"))},
			have:   []state.Resource{have(1, "A", off("+1")), have(2, "Z", on("+1"))},
			want:   []string{"update Z #2", "update A #1"},
		},
		{
			name:   "a delete makes room for a create",
			config: []schema.Declared{declare("A", on("+1")), declare("B", retry(1))},
			have:   []state.Resource{have(1, "X", on("+1")), have(2, "B"), have(3, "Y", on("+2"))},
			want:   []string{"delete X #1", "update B #2", "create A", "delete Y #3"},
		},
		{
			name:   "a delete of a flow that is off makes no room",
			config: []schema.Declared{declare("A", on("+1"))},
			have:   []state.Resource{have(1, "X", off("+1"))},
			want:   []string{"create A", "delete X #1"},
		},
		{
			name:   "another channel is another place",
			config: []schema.Declared{declare("A", on("+1"), whatsapp)},
			have:   []state.Resource{have(1, "X", on("+1"))},
			want:   []string{"create A", "delete X #1"},
		},
		{
			name:   "another integration is the same place",
			config: []schema.Declared{declare("A", on("+1"), task)},
			have:   []state.Resource{have(1, "X", on("+1"))},
			want:   []string{"delete X #1", "create A"},
		},
		{
			name:   "two types share an identity, and stay",
			config: []schema.Declared{declare("A", on("+1"), retry(1)), declare("B", on("+1"), task, long)},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+1"), task)},
			want:   []string{"update A #1", "update B #2"},
		},
		{
			name:   "two types share an identity, and one of them goes",
			config: []schema.Declared{declare("A", on("+1"), retry(1))},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+1"), task)},
			want:   []string{"delete B #2", "update A #1"},
		},
		{
			name:   "two types share an identity, and both are replaced",
			config: []schema.Declared{declare("C", on("+1")), declare("D", on("+1"), task)},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+1"), task)},
			want:   []string{"delete A #1", "delete B #2", "create C", "create D"},
		},
		{
			name:   "two types come to share an identity",
			config: []schema.Declared{declare("A", on("+1")), declare("B", on("+1"), task)},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2"), task)},
			want:   []string{"update B #2"},
		},
		{
			name:   "a swap in which a flow changes its integration",
			config: []schema.Declared{declare("A", on("+2"), task), declare("B", on("+1"))},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2"))},
			want:   []string{"disable A #1", "update B #2", "update A #1"},
		},
		{
			name:   "a swap of two types",
			config: []schema.Declared{declare("A", on("+2")), declare("B", on("+1"), task)},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2"), task)},
			want:   []string{"disable A #1", "update B #2", "update A #1"},
		},
		{
			name:   "a swap with a flow whose enabled is left alone",
			config: []schema.Declared{declare("A", on("+2"), leave("enabled")), declare("B", on("+1"))},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2"))},
			want:   []string{"disable B #2", "update A #1", "update B #2"},
		},
		{
			name: "a ring in which one is managed",
			config: []schema.Declared{
				declare("A", on("+2"), leave("enabled")), declare("B", on("+3"), leave("enabled")), declare("C", on("+1")),
			},
			have: []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2")), have(3, "C", on("+3"))},
			want: []string{"disable C #3", "update B #2", "update A #1", "update C #3"},
		},
		{
			name: "cycles that share a flow",
			config: []schema.Declared{
				declare("A", on("+2")), declare("B", on("+1"), leave("enabled")), declare("C", on("+1"), task, leave("enabled")),
			},
			have: []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2")), have(3, "C", on("+2"), task)},
			want: []string{"disable A #1", "update B #2", "update C #3", "update A #1"},
		},
		{
			name:   "a swap with the copy of a flow",
			config: []schema.Declared{declare("A", on("+2")), declare("B", on("+1"))},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2")), have(3, "A", on("+1"))},
			want:   []string{"delete A #3 copy of #1", "disable A #1", "update B #2", "update A #1"},
		},
		{
			name:   "no identity is nobody's",
			config: []schema.Declared{declare("A", on(""))},
			have:   []state.Resource{have(1, "X", on(""))},
			want:   []string{"create A", "delete X #1"},
		},
		{
			name:   "a change of integration makes room",
			config: []schema.Declared{declare("A", on("+1")), declare("Z", on("+1"), task)},
			have:   []state.Resource{have(1, "A", off("+1")), have(2, "Z", on("+1"))},
			want:   []string{"update Z #2", "update A #1"},
		},
		{
			name:   "a chain, against the alphabet",
			config: []schema.Declared{declare("A", on("+2")), declare("B", on("+3")), declare("C", on("+4")), declare("0", on("+1"))},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2")), have(3, "C", on("+3"))},
			want:   []string{"update C #3", "update B #2", "update A #1", "create 0"},
		},
		{
			name:   "a swap",
			config: []schema.Declared{declare("A", on("+2")), declare("B", on("+1"))},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2"))},
			want:   []string{"disable A #1", "update B #2", "update A #1"},
		},
		{
			name:   "a swap of names with the identities left in place is none",
			config: []schema.Declared{declare("A", on("+2"), pin(2)), declare("B", on("+1"), pin(1))},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2"))},
			want:   []string{"update A #2 was B", "update B #1 was A"},
		},
		{
			name:   "a swap with one of them off is none",
			config: []schema.Declared{declare("A", on("+2")), declare("B", off("+1"))},
			have:   []state.Resource{have(1, "A", off("+1")), have(2, "B", on("+2"))},
			want:   []string{"update B #2", "update A #1"},
		},
		{
			name:   "a swap of integrations",
			config: []schema.Declared{declare("A", on("+1"), task), declare("B", on("+1"))},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+1"), task)},
			want:   []string{"disable A #1", "update B #2", "update A #1"},
		},
		{
			name:   "a ring of three",
			config: []schema.Declared{declare("A", on("+2")), declare("B", on("+3")), declare("C", on("+1"))},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2")), have(3, "C", on("+3"))},
			want:   []string{"disable A #1", "update C #3", "update B #2", "update A #1"},
		},
		{
			name:   "the step has the name that the flow still has",
			config: []schema.Declared{declare("A", on("+2"), old("X")), declare("B", on("+1"))},
			have:   []state.Resource{have(1, "X", on("+1")), have(2, "B", on("+2"))},
			want:   []string{"disable X #1", "update B #2", "update A #1 was X"},
		},
		{
			name: "two swaps",
			config: []schema.Declared{
				declare("A", on("+2")), declare("B", on("+1")),
				declare("C", on("+4")), declare("D", on("+3")),
			},
			have: []state.Resource{
				have(1, "A", on("+1")), have(2, "B", on("+2")),
				have(3, "C", on("+3")), have(4, "D", on("+4")),
			},
			want: []string{"disable A #1", "disable C #3", "update B #2", "update D #4", "update A #1", "update C #3"},
		},
		{
			name: "a swap, a delete and a create, and what has nothing to do with them",
			config: []schema.Declared{
				declare("A", on("+2")), declare("B", on("+1")),
				declare("N", on("+3")), declare("O"), declare("P", retry(1)),
			},
			have: []state.Resource{
				have(1, "A", on("+1")), have(2, "B", on("+2")),
				have(3, "X", on("+3")), have(4, "Y", on("+4")), have(5, "P"),
			},
			want: []string{
				"disable A #1", "update B #2", "delete X #3",
				"update A #1", "update P #5", "create N", "create O", "delete Y #4",
			},
		},
		{
			name:   "a chain that a swap hangs on",
			config: []schema.Declared{declare("A", on("+2")), declare("B", on("+1")), declare("C", on("+3"))},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2")), have(3, "C", off("+3")), have(4, "D", on("+3"))},
			want:   []string{"disable A #1", "update B #2", "delete D #4", "update A #1", "update C #3"},
		},
		{
			name:   "an identity that two flows hold already",
			config: []schema.Declared{declare("A", on("+1")), declare("B", on("+2")), declare("C", on("+3"))},
			have:   []state.Resource{have(1, "A", off("+1")), have(2, "B", on("+1")), have(3, "C", on("+1"))},
			want:   []string{"update B #2", "update C #3", "update A #1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := compute(t, Input{Config: config(test.config...), Snapshot: account(test.have...), MaxDeletes: anyDeletes})
			if diff := cmp.Diff(test.want, changes(p)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for i := range p.Changes {
				if c := &p.Changes[i]; c.Step == StepDisable {
					want := *c.Before
					set(&want, "enabled", false)
					if diff := cmp.Diff(want, *c.After, asText); diff != "" {
						t.Errorf("the step of %s does more than disable:\n%s", c.ID, diff)
					}
					if diff := cmp.Diff([]FieldChange{{Path: "enabled", Before: true, After: false}}, c.Fields); diff != "" {
						t.Error(diff)
					}
				}
			}
		})
	}
}

// A cycle that only flows with `enabled` in ignore_changes are in: after a kill
// nobody would enable the flow again that a step disabled.
func TestCycleUnmanaged(t *testing.T) {
	open := leave("enabled")
	for _, test := range []struct {
		name   string
		config []schema.Declared
		have   []state.Resource
		only   []glob.Glob
		says   [][]string // of each refusal
		want   []string
	}{
		{
			name:   "a swap",
			config: []schema.Declared{declare("A", on("+2"), open, at(3)), declare("B", on("+1"), open, at(7)), declare("C", retry(1))},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2")), have(3, "C")},
			says:   [][]string{{`"A" (flows.yaml:3), "B" (flows.yaml:7)`, "remove `enabled` from `ignore_changes` for one of them", `such as "A"`}},
			want:   []string{"update B #2", "update A #1", "update C #3"},
		},
		{
			name: "two, and one that can be broken",
			config: []schema.Declared{
				declare("A", on("+2"), open, at(1)), declare("B", on("+1"), open, at(2)),
				declare("C", on("+4"), open, at(3)), declare("D", on("+3"), at(4)),
				declare("E", on("+6"), open, at(5)), declare("F", on("+7"), open, at(6)), declare("G", on("+5"), open, at(7)),
			},
			have: []state.Resource{
				have(1, "A", on("+1")), have(2, "B", on("+2")), have(3, "C", on("+3")), have(4, "D", on("+4")),
				have(5, "E", on("+5")), have(6, "F", on("+6")), have(7, "G", on("+7")),
			},
			says: [][]string{{`"A"`, `"B"`}, {`"E" (flows.yaml:5), "F" (flows.yaml:6), "G" (flows.yaml:7)`}},
			want: []string{"disable D #4", "update B #2", "update C #3", "update G #7", "update F #6", "update A #1", "update D #4", "update E #5"},
		},
		{
			name:   "none that the run looks at",
			config: []schema.Declared{declare("A", on("+2"), open), declare("B", on("+1"), open)},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2"))},
			only:   globs("A"),
			want:   []string{"update A #1"},
		},
		{
			name:   "none, for one is off",
			config: []schema.Declared{declare("A", on("+2"), open), declare("B", on("+1"), open)},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", off("+2"))},
			want:   []string{"update A #1", "update B #2"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := compute(t, Input{Config: config(test.config...), Snapshot: account(test.have...), Only: test.only})
			if len(p.Refusals) != len(test.says) {
				t.Fatal(p.Refusals)
			}
			for i, r := range p.Refusals {
				if r.Code != RefuseCycleUnmanaged || r.Source == nil {
					t.Error(r)
				}
				contains(t, r.Message, test.says[i]...)
			}
			if diff := cmp.Diff(test.want, changes(p)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDependencies(t *testing.T) {
	for _, test := range []struct {
		name   string
		config []schema.Declared
		have   []state.Resource
		order  []string
		want   [][]int
	}{
		{
			name:   "none",
			config: []schema.Declared{declare("A", on("+1")), declare("B", retry(1))},
			have:   []state.Resource{have(1, "B"), have(2, "C", on("+2"))},
			order:  []string{"update B #1", "create A", "delete C #2"},
			want:   [][]int{nil, nil, nil},
		},
		{
			name:   "a swap",
			config: []schema.Declared{declare("A", on("+2")), declare("B", on("+1"))},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2"))},
			order:  []string{"disable A #1", "update B #2", "update A #1"},
			want:   [][]int{nil, {0}, {0, 1}},
		},
		{
			name:   "a delete, and a chain",
			config: []schema.Declared{declare("A", on("+2")), declare("N", on("+1"))},
			have:   []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2"))},
			order:  []string{"delete B #2", "update A #1", "create N"},
			want:   [][]int{nil, {0}, {1}},
		},
		{
			name:   "copies",
			config: []schema.Declared{declare("A", retry(1))},
			have:   []state.Resource{have(1, "A"), have(2, "A"), have(3, "A")},
			order:  []string{"delete A #2 copy of #1", "delete A #3 copy of #1", "update A #1"},
			want:   [][]int{nil, nil, {0, 1}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := compute(t, Input{Config: config(test.config...), Snapshot: account(test.have...), MaxDeletes: anyDeletes})
			if diff := cmp.Diff(test.order, changes(p)); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, Dependencies(p.Changes)); diff != "" {
				t.Errorf("dependencies (-want +got):\n%s", diff)
			}
		})
	}
}
