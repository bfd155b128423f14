package plan

import (
	"testing"

	"flexsync/schema"
	"flexsync/state"

	"github.com/google/go-cmp/cmp"
)

func TestOrder(t *testing.T) {
	for _, test := range []struct {
		name   string
		config []schema.Declared
		have   []state.Flow
		want   []string
	}{
		{
			name:   "updates, creates, deletes, each by name",
			config: []schema.Declared{declare("E"), declare("D"), declare("C", retry(1)), declare("B", retry(1))},
			have:   []state.Flow{have(1, "A2"), have(2, "A1"), have(3, "B"), have(4, "C")},
			want:   []string{"update B #3", "update C #4", "create D", "create E", "delete A1 #2", "delete A2 #1"},
		},
		{
			name:   "an identity passes on",
			config: []schema.Declared{declare("A", on("+1")), declare("B", on("+2"))},
			have:   []state.Flow{have(1, "A", on("+2")), have(2, "B", off("+2"))},
			want:   []string{"update A #1", "update B #2"},
		},
		{
			name:   "a flow is switched off for another",
			config: []schema.Declared{declare("A", on("+1")), declare("Z", off("+1"))},
			have:   []state.Flow{have(1, "A", off("+1")), have(2, "Z", on("+1"))},
			want:   []string{"update Z #2", "update A #1"},
		},
		{
			name:   "a delete makes room for a create",
			config: []schema.Declared{declare("A", on("+1")), declare("B", retry(1))},
			have:   []state.Flow{have(1, "X", on("+1")), have(2, "B"), have(3, "Y", on("+2"))},
			want:   []string{"delete X #1", "update B #2", "create A", "delete Y #3"},
		},
		{
			name:   "a delete of a flow that is off makes no room",
			config: []schema.Declared{declare("A", on("+1"))},
			have:   []state.Flow{have(1, "X", off("+1"))},
			want:   []string{"create A", "delete X #1"},
		},
		{
			name:   "another channel or integration is another place",
			config: []schema.Declared{declare("A", on("+1"), task)},
			have:   []state.Flow{have(1, "X", on("+1"))},
			want:   []string{"create A", "delete X #1"},
		},
		{
			name:   "no identity is nobody's",
			config: []schema.Declared{declare("A", on(""))},
			have:   []state.Flow{have(1, "X", on(""))},
			want:   []string{"create A", "delete X #1"},
		},
		{
			name:   "a change of integration makes room",
			config: []schema.Declared{declare("A", on("+1")), declare("Z", on("+1"), task)},
			have:   []state.Flow{have(1, "A", off("+1")), have(2, "Z", on("+1"))},
			want:   []string{"update Z #2", "update A #1"},
		},
		{
			name:   "a chain, against the alphabet",
			config: []schema.Declared{declare("A", on("+2")), declare("B", on("+3")), declare("C", on("+4")), declare("0", on("+1"))},
			have:   []state.Flow{have(1, "A", on("+1")), have(2, "B", on("+2")), have(3, "C", on("+3"))},
			want:   []string{"update C #3", "update B #2", "update A #1", "create 0"},
		},
		{
			name:   "a swap",
			config: []schema.Declared{declare("A", on("+2")), declare("B", on("+1"))},
			have:   []state.Flow{have(1, "A", on("+1")), have(2, "B", on("+2"))},
			want:   []string{"disable A #1", "update B #2", "update A #1"},
		},
		{
			name:   "a swap of names with the identities left in place is none",
			config: []schema.Declared{declare("A", on("+2"), pin(2)), declare("B", on("+1"), pin(1))},
			have:   []state.Flow{have(1, "A", on("+1")), have(2, "B", on("+2"))},
			want:   []string{"update A #2 was B", "update B #1 was A"},
		},
		{
			name:   "a swap with one of them off is none",
			config: []schema.Declared{declare("A", on("+2")), declare("B", off("+1"))},
			have:   []state.Flow{have(1, "A", off("+1")), have(2, "B", on("+2"))},
			want:   []string{"update B #2", "update A #1"},
		},
		{
			name:   "a swap of integrations",
			config: []schema.Declared{declare("A", on("+1"), task), declare("B", on("+1"))},
			have:   []state.Flow{have(1, "A", on("+1")), have(2, "B", on("+1"), task)},
			want:   []string{"disable A #1", "update B #2", "update A #1"},
		},
		{
			name:   "a ring of three",
			config: []schema.Declared{declare("A", on("+2")), declare("B", on("+3")), declare("C", on("+1"))},
			have:   []state.Flow{have(1, "A", on("+1")), have(2, "B", on("+2")), have(3, "C", on("+3"))},
			want:   []string{"disable A #1", "update C #3", "update B #2", "update A #1"},
		},
		{
			name:   "the step has the name that the flow still has",
			config: []schema.Declared{declare("A", on("+2"), old("X")), declare("B", on("+1"))},
			have:   []state.Flow{have(1, "X", on("+1")), have(2, "B", on("+2"))},
			want:   []string{"disable X #1", "update B #2", "update A #1 was X"},
		},
		{
			name: "two swaps",
			config: []schema.Declared{
				declare("A", on("+2")), declare("B", on("+1")),
				declare("C", on("+4")), declare("D", on("+3")),
			},
			have: []state.Flow{
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
			have: []state.Flow{
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
			have:   []state.Flow{have(1, "A", on("+1")), have(2, "B", on("+2")), have(3, "C", off("+3")), have(4, "D", on("+3"))},
			want:   []string{"disable A #1", "update B #2", "delete D #4", "update A #1", "update C #3"},
		},
		{
			name:   "an identity that two flows hold already",
			config: []schema.Declared{declare("A", on("+1")), declare("B", on("+2")), declare("C", on("+3"))},
			have:   []state.Flow{have(1, "A", off("+1")), have(2, "B", on("+1")), have(3, "C", on("+1"))},
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
					want.Enabled = false
					if diff := cmp.Diff(want, *c.After); diff != "" {
						t.Errorf("the step of %s does more than disable:\n%s", c.FriendlyName, diff)
					}
					if diff := cmp.Diff([]FieldChange{{"enabled", true, false}}, c.Fields); diff != "" {
						t.Error(diff)
					}
				}
			}
		})
	}
}

func TestDependencies(t *testing.T) {
	for _, test := range []struct {
		name   string
		config []schema.Declared
		have   []state.Flow
		order  []string
		want   [][]int
	}{
		{
			name:   "none",
			config: []schema.Declared{declare("A", on("+1")), declare("B", retry(1))},
			have:   []state.Flow{have(1, "B"), have(2, "C", on("+2"))},
			order:  []string{"update B #1", "create A", "delete C #2"},
			want:   [][]int{nil, nil, nil},
		},
		{
			name:   "a swap",
			config: []schema.Declared{declare("A", on("+2")), declare("B", on("+1"))},
			have:   []state.Flow{have(1, "A", on("+1")), have(2, "B", on("+2"))},
			order:  []string{"disable A #1", "update B #2", "update A #1"},
			want:   [][]int{nil, {0}, {0, 1}},
		},
		{
			name:   "a delete, and a chain",
			config: []schema.Declared{declare("A", on("+2")), declare("N", on("+1"))},
			have:   []state.Flow{have(1, "A", on("+1")), have(2, "B", on("+2"))},
			order:  []string{"delete B #2", "update A #1", "create N"},
			want:   [][]int{nil, {0}, {1}},
		},
		{
			name:   "copies",
			config: []schema.Declared{declare("A", retry(1))},
			have:   []state.Flow{have(1, "A"), have(2, "A"), have(3, "A")},
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
