package plan

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"flexsync/schema"
	"flexsync/state"
)

// origins says of each change whose it is, and of each field where a change has
// several: "both update A: enabled=drift".
func origins(p *Plan) (said []string) {
	for i := range p.Changes {
		c := &p.Changes[i]
		s := fmt.Sprintf("%s %s %s", c.Origin, c.Action, c.ID)
		if c.Step != "" {
			s += " (" + c.Step + ")"
		}
		for _, f := range c.Fields {
			if c.Action == Update && c.Origin == Both {
				s += fmt.Sprintf(" %s=%s", f.Path, f.Origin)
			}
		}
		said = append(said, s)
	}
	for _, k := range p.Kept {
		said = append(said, fmt.Sprintf("%s keep %s", k.Origin, k.ID))
	}
	return said
}

func TestOrigins(t *testing.T) {
	list := func(d ...schema.Declared) []schema.Declared { return d }
	for _, test := range []struct {
		name         string
		base, config []schema.Declared
		have         []state.Resource
		ignore       []string // of the files after the change under review
		baseIgnore   []string
		in           Input
		want         []string
	}{
		{name: "a new flow", config: list(declare("A")), want: []string{"config create A"}},
		{name: "deleted by hand", base: list(declare("A")), config: list(declare("A")), want: []string{"drift create A"}},
		{name: "deleted by hand, and edited", base: list(declare("A")), config: list(declare("A", retry(1))), want: []string{"both create A"}},
		{name: "deleted by hand, and an optional field removed", base: list(declare("A", on("+1"))), config: list(declare("A")), want: []string{"both create A"}},
		{name: "an edit", base: list(declare("A")), config: list(declare("A", retry(1))), have: []state.Resource{have(1, "A")}, want: []string{"config update A"}},
		{name: "edited by hand", base: list(declare("A")), config: list(declare("A")), have: []state.Resource{have(1, "A", retry(1))}, want: []string{"drift update A"}},
		{name: "the hand edit is adopted", base: list(declare("A")), config: list(declare("A", retry(1))), have: []state.Resource{have(1, "A", retry(1))}},
		{
			name: "field by field", base: list(declare("A", on("+1"))), config: list(declare("A", on("+1"), long, retry(2))),
			have: []state.Resource{have(1, "A", off("+1"), retry(1))},
			want: []string{"both update A enabled=drift integration.retry_count=both long_lived=config"},
		},
		{name: "removed from the YAML", base: list(declare("A")), have: []state.Resource{have(1, "A")}, want: []string{"config delete A"}},
		{name: "created by hand", have: []state.Resource{have(1, "A")}, want: []string{"drift delete A"}},
		{name: "removed from the YAML, and edited by hand", base: list(declare("A")), have: []state.Resource{have(1, "A", retry(1))}, want: []string{"config delete A"}},
		{name: "a rename", base: list(declare("A")), config: list(declare("B", old("A"))), have: []state.Resource{have(1, "A")}, want: []string{"config update B"}},
		{name: "renamed by hand", base: list(declare("A", pin(1))), config: list(declare("A", pin(1))), have: []state.Resource{have(1, "B")}, want: []string{"drift update A"}},
		{
			name: "renamed here and edited by hand", base: list(declare("A")), config: list(declare("B", old("A"))), have: []state.Resource{have(1, "A", retry(1))},
			want: []string{"both update B friendly_name=config integration.retry_count=drift"},
		},
		{name: "a pin follows a rename by hand", base: list(declare("A")), config: list(declare("A", pin(1))), have: []state.Resource{have(1, "B")}, want: []string{"config update A"}},
		{
			name: "a swap", base: list(declare("A", on("+1")), declare("B", on("+2"))), config: list(declare("A", on("+2")), declare("B", on("+1"))),
			have: []state.Resource{have(1, "A", on("+1")), have(2, "B", on("+2"))},
			want: []string{"config update A (disable)", "config update B", "config update A"},
		},
		{
			name: "a swap by hand", base: list(declare("A", on("+1")), declare("B", on("+2"))), config: list(declare("A", on("+1")), declare("B", on("+2"))),
			have: []state.Resource{have(1, "A", on("+2")), have(2, "B", on("+1"))},
			want: []string{"drift update A (disable)", "drift update B", "drift update A"},
		},
		{name: "a copy", base: list(declare("A")), config: list(declare("A")), have: []state.Resource{have(1, "A"), have(2, "A")}, want: []string{"drift delete A"}},
		{
			name: "a copy of what goes", base: list(declare("A")), have: []state.Resource{have(1, "A"), have(2, "A")},
			want: []string{"config delete A", "drift delete A"},
		},
		{name: "ignored until now", have: []state.Resource{have(1, "A")}, baseIgnore: []string{"A"}, want: []string{"config delete A"}},
		{name: "ignored from now on", base: list(declare("B")), config: list(declare("B")), ignore: []string{"A"}, have: []state.Resource{have(1, "A"), have(2, "B")}},
		{
			name: "kept", base: list(declare("A")), have: []state.Resource{have(1, "A"), have(2, "B")}, in: Input{NoDelete: true},
			want: []string{"config keep A", "drift keep B"},
		},
		{
			name: "left alone until now", base: list(declare("A", leave("enabled"))), config: list(declare("A")), have: []state.Resource{have(1, "A", off(""))},
			want: []string{"config update A"},
		},
		{
			name: "left alone from now on", base: list(declare("A")), config: list(declare("A", leave("enabled"))), have: []state.Resource{have(1, "A", off(""))},
		},
		{name: "another integration", base: list(declare("A")), config: list(declare("A", task)), have: []state.Resource{have(1, "A")}, want: []string{"config update A"}},
		{name: "a new flow alone", config: list(declare("A")), in: Input{Only: globs("A")}, want: []string{"config create A"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := test.in
			in.Snapshot, in.MaxDeletes = account(test.have...), anyDeletes
			in.Config = config(test.config...)
			in.Config.Ignore = globs(test.ignore...)
			p := compute(t, in)
			in.Config = config(test.base...)
			in.Config.Ignore = globs(test.baseIgnore...)
			base, err := ComputeBase(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			p.SetOrigins(base)
			slices.Sort(test.want)
			got := origins(p)
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A base that is equal to the YAML leaves nothing to the change under review. An
// account that is as the base says has not drifted. The counts are those of the
// summary.
func TestLawOrigins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genAny(t)
		demand := func(p *Plan, want Origin) {
			for i := range p.Changes {
				c := &p.Changes[i]
				if c.Origin != want {
					t.Fatalf("%s is %q, want %q", changeKey(c), c.Origin, want)
				}
				for _, f := range c.Fields {
					if f.Origin != want {
						t.Fatalf("%s of %s is %q, want %q", f.Path, changeKey(c), f.Origin, want)
					}
				}
			}
		}
		in := w.input()
		p := compute2(t, in)
		base, err := ComputeBase(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		p.SetOrigins(base)
		demand(p, Drift)
		if o, s := *p.Origins, p.Summary; o != (Origins{Drift: s.Create + s.Update + s.Delete}) {
			t.Fatalf("%+v, and the summary is %+v", o, s)
		}
		if len(p.Refusals) > 0 {
			return
		}

		there := carryOut(t, p, w.flows)
		next := genAny(t)
		in.Snapshot = account(there.snapshot()...)
		base, err = ComputeBase(t.Context(), in)
		if err != nil || base.HasChanges() {
			return // what ignore_changes leaves
		}
		in.Config = next.config
		p = compute2(t, in)
		p.SetOrigins(base)
		demand(p, Config)
	})
}
