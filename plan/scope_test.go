package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"flexsync/schema"
	"flexsync/state"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestOnlyAndIgnore(t *testing.T) {
	for _, test := range []struct {
		name   string
		config []schema.Declared
		have   []state.Resource
		only   []string
		ignore []string

		want    []string
		managed []string
		ignored int
		seen    []string // SIDs in the plan's state
	}{
		{
			name:   "only: names on both sides",
			config: []schema.Declared{declare("A1"), declare("B1")},
			have:   []state.Resource{have(1, "A2"), have(2, "B2")},
			only:   []string{"A*"},
			want:   []string{"create A1", "delete A2 #1"}, managed: []string{"A1"}, seen: []string{"#1"},
		},
		{
			name:   "only: by the new name of a pair",
			config: []schema.Declared{declare("A", old("X")), declare("B")},
			have:   []state.Resource{have(1, "X"), have(2, "Y")},
			only:   []string{"A"},
			want:   []string{"update A #1 was X"}, managed: []string{"A"}, seen: []string{"#1"},
		},
		{
			name:   "only: by the old name of a pair",
			config: []schema.Declared{declare("A", old("X")), declare("B")},
			have:   []state.Resource{have(1, "X"), have(2, "Y")},
			only:   []string{"X"},
			want:   []string{"update A #1 was X"}, managed: []string{"A"}, seen: []string{"#1"},
		},
		{
			name:   "only: the counterpart of a flow that is left out is not deleted",
			config: []schema.Declared{declare("A", old("X")), declare("B", pin(2))},
			have:   []state.Resource{have(1, "X"), have(2, "Y"), have(3, "Z")},
			only:   []string{"Z"},
			want:   []string{"delete Z #3"}, seen: []string{"#3"},
		},
		{
			name:   "only: a pinned flow by the name that it has",
			config: []schema.Declared{declare("B", pin(2))},
			have:   []state.Resource{have(2, "Y")},
			only:   []string{"Y"},
			want:   []string{"update B #2 was Y"}, managed: []string{"B"}, seen: []string{"#2"},
		},
		{
			name:   "only: copies come along",
			config: []schema.Declared{declare("A", old("X"))},
			have:   []state.Resource{have(1, "X"), have(2, "X"), have(3, "Y")},
			only:   []string{"A"},
			want:   []string{"delete X #2 copy of #1", "update A #1 was X"}, managed: []string{"A"}, seen: []string{"#1", "#2"},
		},
		{
			name:   "only: a SID, whatever the declaration calls it",
			config: []schema.Declared{declare("A", old("X")), declare("B"), declare("C", pin(3))},
			have:   []state.Resource{have(1, "X"), have(2, "B", retry(1)), have(3, "Y"), have(4, "Z")},
			only:   []string{strings.ToUpper(sid("FO", 1)), sid("FO", 3), sid("FO", 4)},
			want:   []string{"update A #1 was X", "update C #3 was Y", "delete Z #4"}, managed: []string{"A", "C"}, seen: []string{"#1", "#3", "#4"},
		},
		{
			name:   "ignore: declared and not",
			config: []schema.Declared{declare("A"), declare("B")},
			have:   []state.Resource{have(1, "X"), have(2, "Y")},
			ignore: []string{"A", "Y"},
			want:   []string{"create B", "delete X #1"}, managed: []string{"B"}, ignored: 1, seen: []string{"#1"},
		},
		{
			name:   "ignore: the counterpart of a flow that is left out stays",
			config: []schema.Declared{declare("A", old("X")), declare("B", pin(2))},
			have:   []state.Resource{have(1, "X"), have(2, "Y"), have(3, "Z")},
			ignore: []string{"A", "B"},
			want:   []string{"delete Z #3"}, ignored: 2, seen: []string{"#3"},
		},
		{
			name:   "ignore: by the old name",
			config: []schema.Declared{declare("A", old("X"))},
			have:   []state.Resource{have(1, "X"), have(2, "Z")},
			ignore: []string{"X"},
			want:   []string{"delete Z #2"}, ignored: 1, seen: []string{"#2"},
		},
		{
			name:   "ignore: a SID is of that resource alone, and the declared flow gets another",
			config: []schema.Declared{declare("A"), declare("B", pin(2))},
			have:   []state.Resource{have(1, "A", retry(1)), have(2, "Y"), have(3, "Z")},
			ignore: []string{sid("FO", 1), sid("FO", 2)},
			want:   []string{"create A", "delete Z #3"}, managed: []string{"A"}, ignored: 2, seen: []string{"#3"},
		},
		{
			name:   "ignore: the SID of one of two flows of a name",
			config: []schema.Declared{declare("A")},
			have:   []state.Resource{have(1, "A", retry(1)), have(2, "A", retry(2))},
			ignore: []string{sid("FO", 1)},
			want:   []string{"update A #2"}, managed: []string{"A"}, ignored: 1, seen: []string{"#2"},
		},
		{
			name:    "ignore: the SID of a copy",
			config:  []schema.Declared{declare("A")},
			have:    []state.Resource{have(1, "A"), have(2, "A")},
			ignore:  []string{sid("FO", 1)},
			managed: []string{"A"}, ignored: 1, seen: []string{"#2"},
		},
		{
			name:   "ignore: the SID of a flow that has an old name",
			config: []schema.Declared{declare("A", old("X"))},
			have:   []state.Resource{have(1, "X"), have(2, "X", retry(1))},
			ignore: []string{sid("FO", 2)},
			want:   []string{"update A #1 was X"}, managed: []string{"A"}, ignored: 1, seen: []string{"#1"},
		},
		{
			name:   "ignore: a pin by its SID, with another flow of its name",
			config: []schema.Declared{declare("A", pin(1))},
			have:   []state.Resource{have(1, "A"), have(2, "A", retry(1)), have(3, "Z")},
			ignore: []string{sid("FO", 1)},
			want:   []string{"delete A #2", "delete Z #3"}, ignored: 1, seen: []string{"#2", "#3"},
		},
		{
			name:   "ignore: duplicates that differ are nobody's business then",
			config: []schema.Declared{declare("A"), declare("B")},
			have:   []state.Resource{have(1, "A"), have(2, "A", retry(1))},
			ignore: []string{"A"},
			want:   []string{"create B"}, managed: []string{"B"}, ignored: 2,
		},
		{
			name:   "ignore: a pin that is absent is nobody's business then",
			config: []schema.Declared{declare("A", pin(9)), declare("B")},
			have:   []state.Resource{have(1, "A")},
			ignore: []string{"A"},
			want:   []string{"create B"}, managed: []string{"B"}, ignored: 1,
		},
		{
			name:   "only and ignore",
			config: []schema.Declared{declare("A1"), declare("A2"), declare("B")},
			only:   []string{"A*"},
			ignore: []string{"A2"},
			want:   []string{"create A1"}, managed: []string{"A1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := compute(t, Input{
				Config: config(test.config...), Snapshot: account(test.have...),
				Only: globs(test.only...), Ignore: globs(test.ignore...), MaxDeletes: anyDeletes,
			})
			if diff := cmp.Diff(test.want, changes(p)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.managed, p.Managed[schema.Flows]); diff != "" {
				t.Errorf("managed (-want +got):\n%s", diff)
			}
			if p.Summary.Ignored != test.ignored {
				t.Errorf("%d ignored, want %d", p.Summary.Ignored, test.ignored)
			}
			var seen []string
			for sid := range p.State {
				seen = append(seen, short(sid))
			}
			slices.Sort(seen)
			if diff := cmp.Diff(test.seen, seen); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
			if len(p.Refusals) > 0 {
				t.Error(p.Refusals)
			}
			if diff := cmp.Diff(sorted(slices.Clone(test.ignore)), p.Ignore, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("ignore (-want +got):\n%s", diff)
			}
			// The plan is as the account is: it must not look stale at once,
			// saved or not.
			saved, err := Read(asJSON(t, p))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range []*Plan{p, saved} {
				if moved, err := p.Stale(account(test.have...)); err != nil || len(moved) > 0 {
					t.Errorf("stale at once: %v, %v", moved, err)
				}
			}
		})
	}
}

// --ignore SID acts as the same line in the YAML: both plan the same.
func TestIgnoreSIDAsInTheYAML(t *testing.T) {
	for name, in := range map[string]Input{
		"one of two":  {Config: config(declare("A")), Snapshot: account(have(1, "A", retry(1)), have(2, "A"))},
		"the only":    {Config: config(declare("A")), Snapshot: account(have(1, "A", retry(1)), have(2, "B"))},
		"undeclared":  {Config: config(declare("B")), Snapshot: account(have(1, "A"), have(2, "B"), have(3, "A"))},
		"an old name": {Config: config(declare("N", old("A"))), Snapshot: account(have(1, "A"), have(2, "B"))},
	} {
		t.Run(name, func(t *testing.T) {
			in.MaxDeletes = anyDeletes
			flagged, written := in, in
			flagged.Ignore = globs(sid("FO", 1))
			cfg := *in.Config
			cfg.Ignore = flagged.Ignore
			written.Config = &cfg
			p, q := compute(t, flagged), compute(t, written)
			q.config = p.config // it has the line, and the flag is not in it
			if diff := cmp.Diff(string(asJSON(t, q)), string(asJSON(t, p))); diff != "" {
				t.Errorf("(-the YAML's +the flag's):\n%s", diff)
			}
		})
	}
}

func TestOnlyUnmatched(t *testing.T) {
	in := Input{Config: config(declare("A")), Snapshot: account(have(1, "B"), have(2, "C")), CreatedAt: someTime}
	in.Config.Ignore = globs("C")
	for _, pattern := range []string{"A", "B", "C", "*", sid("FO", 1)} {
		in.Only = globs(pattern)
		if _, err := Compute(t.Context(), in); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
	for _, pattern := range []string{"D", "a", "A?", sid("FO", 9), sid("IG", 1)} {
		in.Only = globs("A", pattern)
		_, err := Compute(t.Context(), in)
		var unmatched *UnmatchedError
		if !errors.As(err, &unmatched) || unmatched.Glob.String() != pattern {
			t.Errorf("%s: %v", pattern, err)
		}
	}
	in.Config, in.Snapshot = config(declare("Support [EU]")), account(have(1, "Support [US]"))
	for pattern, literally := range map[string]bool{"Support [EU]": true, "Support [US]": true, "Support [AU]": false} {
		in.Only = globs(pattern)
		_, err := Compute(t.Context(), in)
		var unmatched *UnmatchedError
		if !errors.As(err, &unmatched) || unmatched.Literally != literally {
			t.Errorf("%s: %v, want literally %v", pattern, err, literally)
		}
	}
}

func TestStale(t *testing.T) {
	cfg := config(declare("A", old("X")), declare("B"))
	cfg.Ignore = globs("Web*")
	base := []state.Resource{have(1, "X"), have(2, "B"), have(3, "Web 1"), have(4, "Z")}
	for _, test := range []struct {
		name   string
		only   []string
		ignore []string
		now    []state.Resource
		want   []string
	}{
		{name: "nothing moved", now: base},
		{name: "nothing moved but dates", now: []state.Resource{created("2030-01-01T00:00:00Z", base[0]), base[1], base[2], base[3]}},
		{name: "changed", now: []state.Resource{have(1, "X", retry(1)), base[1], base[2], base[3]},
			want: []string{`flow "X" (` + sid("FO", 1) + `) was changed`}},
		{name: "renamed", now: []state.Resource{have(1, "A"), base[1], base[2], base[3]},
			want: []string{`flow "A" (` + sid("FO", 1) + `) was changed`}},
		{name: "deleted", now: []state.Resource{base[1], base[2]},
			want: []string{`flow "X" (` + sid("FO", 1) + `) was deleted`, `flow "Z" (` + sid("FO", 4) + `) was deleted`}},
		{name: "new", now: append(slices.Clone(base), have(9, "N")),
			want: []string{`flow "N" (` + sid("FO", 9) + `) is new`}},
		{name: "what is ignored may come, go and change",
			now: []state.Resource{base[0], base[1], have(3, "Web 1", retry(1)), have(9, "Web 2"), base[3]}},
		{name: "what the flags ignore, too", ignore: []string{"B", "N"}, now: []state.Resource{base[0], have(2, "B", retry(1)), base[3], have(9, "N")}},
		{name: "the counterpart of what the flags ignore, too", ignore: []string{"A"}, now: []state.Resource{have(1, "X", retry(1)), base[1], base[3]}},
		{name: "what is not in only, too", only: []string{"B"}, now: []state.Resource{base[1], have(9, "N")}},
		{name: "what is in only by its other name", only: []string{"A"}, now: []state.Resource{have(1, "X", retry(1))},
			want: []string{`flow "X" (` + sid("FO", 1) + `) was changed`}},
		{name: "an ignored flow is renamed", now: []state.Resource{base[0], base[1], have(3, "Now mine"), base[3]},
			want: []string{`flow "Now mine" (` + sid("FO", 3) + `) is new`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := compute(t, Input{Config: cfg, Snapshot: account(base...), Only: globs(test.only...), Ignore: globs(test.ignore...), MaxDeletes: anyDeletes})
			// A plan is as good after it was saved.
			p, err := Read(asJSON(t, p))
			if err != nil {
				t.Fatal(err)
			}
			moved, err := p.Stale(account(test.now...))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range moved {
				got = append(got, m.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A plan that was made on an empty account cannot be played twice.
func TestStaleAfterItWasApplied(t *testing.T) {
	p := compute(t, Input{Config: config(declare("A")), Snapshot: account(), ExpectAccount: sid("AC", 1)})
	moved, err := p.Stale(account(have(1, "A")))
	if err != nil || len(moved) != 1 || moved[0].What != "is new" {
		t.Errorf("%v, %v", moved, err)
	}
}

func TestScopeOfAPlanWithABadGlob(t *testing.T) {
	for _, p := range []*Plan{{Only: []string{"["}}, {Ignore: []string{"["}}} {
		var damaged *DamagedError
		if _, err := p.Stale(account()); !errors.As(err, &damaged) {
			t.Error(err)
		}
	}
}
