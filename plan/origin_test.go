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
	ivr := func(name string) edit { return named("integration.flow_sid", name) }
	studio := func(n int) edit { return func(d *schema.Declared) { set(d, "integration.flow_sid", sid("FW", n)) } }
	workflow := func(workspace, workflow string) edit {
		return func(d *schema.Declared) {
			named("integration.workspace_sid", workspace)(d)
			named("integration.workflow_sid", workflow)(d)
		}
	}
	// of is a configuration of the kinds that are declared, or of flows.
	of := func(declared []schema.Declared, ignore []string) *schema.Config {
		cfg := &schema.Config{Resources: declared, Ignore: globs(ignore...)}
		for _, k := range schema.Kinds {
			if cfg.Count(k) > 0 || k == schema.Flows && len(declared) == 0 {
				cfg.Kinds = append(cfg.Kinds, k)
			}
		}
		return cfg
	}
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
		{name: "a rename by pin", base: list(declare("A", pin(1))), config: list(declare("B", pin(1))), have: []state.Resource{have(1, "A")}, want: []string{"config update B"}},
		{
			name: "a rename by pin, of what is renamed by hand", base: list(declare("A", pin(1))), config: list(declare("B", pin(1))), have: []state.Resource{have(1, "C")},
			want: []string{"both update B friendly_name=both"},
		},
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
		{name: "a replaced address", base: list(declareAddress("+1", country("GB"))), config: list(declareAddress("+1", country("US"))), have: []state.Resource{haveAddress(1, "+1", country("GB"))}, want: []string{"config create +1", "config delete +1"}},
		{name: "an address replaced by hand", base: list(declareAddress("+1", country("US"))), config: list(declareAddress("+1", country("US"))), have: []state.Resource{haveAddress(1, "+1", country("GB"))}, want: []string{"drift create +1", "drift delete +1"}},
		{
			name: "an address edited by hand, and replaced", base: list(declareAddress("+1", country("US"))), config: list(declareAddress("+1", country("GB"))), have: []state.Resource{haveAddress(1, "+1", country("US"), addressOff)},
			want: []string{"both create +1", "config delete +1"},
		},
		{
			name: "an address replaced by hand, and the replacement adopted and edited", base: list(declareAddress("+1", country("US"))), config: list(declareAddress("+1", country("GB"), addressOff)), have: []state.Resource{haveAddress(1, "+1", country("GB"))},
			want: []string{"config update +1"},
		},
		{
			name: "an address replaced and edited by hand, and the replacement adopted", base: list(declareAddress("+1", country("US"))), config: list(declareAddress("+1", country("GB"))), have: []state.Resource{haveAddress(1, "+1", country("GB"), addressOff)},
			want: []string{"drift update +1"},
		},
		{
			name: "an address replaced by hand, and edited", base: list(declareAddress("+1", country("US"))), config: list(declareAddress("+1", country("US"), addressOff)), have: []state.Resource{haveAddress(1, "+1", country("GB"))},
			want: []string{"both create +1", "drift delete +1"},
		},
		{name: "a move", base: list(declare("A", on("+1"))), config: list(declareAddress("+1")), have: []state.Resource{have(1, "A", on("+1"))}, want: []string{"config create +1", "config delete A", "config update A (disable)"}},
		{name: "addresses from now on", base: list(declare("A")), config: list(declare("A"), declareAddress("+1")), have: []state.Resource{have(1, "A"), haveAddress(1, "+1", addressOff), haveAddress(2, "+2")}, want: []string{"config delete +2", "config update +1"}},
		{name: "no flows any more", base: list(declare("A"), declareAddress("+1")), config: list(declareAddress("+1")), have: []state.Resource{haveAddress(1, "+1", addressOff)}, want: []string{"drift update +1"}},
		{name: "another name", base: list(declare("A", ivr("Messaging IVR"))), config: list(declare("A", ivr("Old IVR"))), have: []state.Resource{have(1, "A")}, want: []string{"config update A"}},
		{name: "the name is another's by now", base: list(declare("A", ivr("Old IVR"))), config: list(declare("A", ivr("Old IVR"))), have: []state.Resource{have(1, "A")}, want: []string{"drift update A"}},
		{name: "another name, and another flow by hand", base: list(declare("A", ivr("Messaging IVR"))), config: list(declare("A", ivr("Old IVR"))), have: []state.Resource{have(1, "A", studio(9))}, want: []string{"both update A integration.flow_sid=both"}},
		{name: "a SID in place of its name", base: list(declare("A", ivr("Old IVR"))), config: list(declare("A", studio(2))), have: []state.Resource{have(1, "A")}, want: []string{"drift update A"}},
		{name: "one name in two workspaces", base: list(declare("A", task, workflow("Flex", "Anyone"))), config: list(declare("A", task, workflow("Back Office", "Anyone"))), have: []state.Resource{have(1, "A", task)}, want: []string{"config update A"}},
		{name: "a name that the account has lost", base: list(declare("A", ivr("Gone"))), config: list(declare("A", ivr("Old IVR"), retry(1))), have: []state.Resource{have(1, "A", off(""))}, want: []string{"both update A enabled=drift integration.flow_sid=config integration.retry_count=config"}},
		{name: "a name that the account has lost, follows a rename there", base: list(declare("A", ivr("Gone"))), config: list(declare("A", ivr("Messaging IVR"))), have: []state.Resource{have(1, "A")}},
		{name: "a name that the account has lost, of what is deleted by hand", base: list(declare("A", ivr("Gone"))), config: list(declare("A", ivr("Old IVR"))), want: []string{"both create A"}},
		{name: "a name that the account has twice", base: list(declare("A", named("chat_service_sid", "Twice")), declare("B")), config: list(declare("A"), declare("B")), have: []state.Resource{have(1, "A"), have(2, "B", retry(1))}, want: []string{"drift update B"}},
		{name: "a new flow alone", config: list(declare("A")), in: Input{Only: globs("A")}, want: []string{"config create A"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := test.in
			in.Snapshot, in.MaxDeletes = &state.Snapshot{AccountSID: sid("AC", 1), Resources: test.have}, anyDeletes
			in.Config = of(test.config, test.ignore)
			p, err := lookUp(t, in, ourListings())
			if err != nil {
				t.Fatal(err)
			}
			in.Config, in.Directory = of(test.base, test.baseIgnore), &state.Directory{}
			if err := in.Directory.Extend(t.Context(), ourListings(), References(in)); err != nil {
				t.Fatal(err)
			}
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
		for _, k := range p.Kept {
			if k.Origin != Drift {
				t.Fatalf("%s is kept and %q", k.ID, k.Origin)
			}
		}
		if o, s := *p.Origins, p.Summary; o != (Origins{Drift: s.Create + s.Update + s.Delete}) {
			t.Fatalf("%+v, and the summary is %+v", o, s)
		}
		if len(p.Refusals) > 0 {
			return
		}

		there := carryOut(t, p, w.have)
		next := genAny(t)
		in.Snapshot = snapshot(w.config.Kinds, pages{there.snapshot()})
		base, err = ComputeBase(t.Context(), in)
		if err != nil || base.HasChanges() || !slices.Equal(w.config.Kinds, next.config.Kinds) {
			return // what ignore_changes leaves
		}
		in.Config = next.config
		p = compute2(t, in)
		p.SetOrigins(base)
		demand(p, Config)
	})
}
