package plan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"flexsync/internal/glob"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
	"flexsync/state"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// world is a configuration and an account that have something to do with each
// other: few names and few identities, so that renames, duplicates, pins and
// swaps are common.
type world struct {
	config *schema.Config
	flows  []state.Resource
}

var (
	someNames      = []string{"A", "B", "C", "D", "E", "F"}
	someIdentities = []string{"", "+1", "+2", "+3"}
	someGlobs      = []string{"A", "[BC]", "D*", "?", "*", "[!A-C]", sid("FO", 1), sid("FO", 2)}
)

func genContent(t *rapid.T, name string) schema.Object {
	pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	f := schema.Flows.Make(schema.Values{
		"friendly_name":    name,
		"chat_service_sid": sid("IS", rapid.IntRange(1, 2).Draw(t, "service")),
		"channel_type":     pick("channel", "sms", "sms", "whatsapp"),
		"contact_identity": rapid.SampledFrom(someIdentities).Draw(t, "identity"),
		"enabled":          rapid.IntRange(0, 3).Draw(t, "enabled") > 0,
		"long_lived":       rapid.Bool().Draw(t, "long lived"),
		"integration_type": pick("integration", "studio", "studio", "task", "external", ""),
	})
	setIntegration(t, &f)
	return f
}

func setIntegration(t *rapid.T, f *schema.Object) {
	switch n := rapid.IntRange(1, 2).Draw(t, "integration value"); f.Variant() {
	case schema.Studio:
		set(f, "integration.flow_sid", sid("FW", n))
		set(f, "integration.retry_count", int64(n))
	case schema.External:
		set(f, "integration.url", fmt.Sprintf("https://example.com/%d", n))
		set(f, "integration.retry_count", int64(n))
	case schema.Task:
		set(f, "integration.workspace_sid", sid("WS", n))
		set(f, "integration.workflow_sid", sid("WW", n))
		set(f, "integration.channel", "chat")
		set(f, "integration.timeout", int64(n))
		set(f, "integration.priority", int64(n))
		set(f, "integration.creation_on_message", rapid.SampledFrom([]schema.Value{nil, false, true}).Draw(t, "on message"))
	}
}

// genWorld draws a configuration that holds every rule of the YAML, and an
// account that holds none of ours.
func genWorld(t *rapid.T) world {
	var w world
	w.config = config()
	names := rapid.Permutation(someNames).Draw(t, "names")
	next := func() string { name := names[0]; names = names[1:]; return name }
	claims := map[schema.TypedClaim]bool{}
	pins := rapid.Permutation([]int{1, 2, 3, 4, 5, 6, 99}).Draw(t, "pins")
	for range rapid.IntRange(0, 4).Draw(t, "declared") {
		if len(names) == 0 {
			break
		}
		d := schema.Declared{Pos: yamldoc.Pos{File: "flows.yaml", Line: len(w.config.Resources) + 1}}
		if last := len(w.config.Resources) - 1; last >= 0 && w.config.Resources[last].SID != "" && rapid.IntRange(0, 3).Draw(t, "same name") == 0 {
			d.Object = genContent(t, w.config.Resources[last].ID()) // both are pinned
			d.SID = sid("FO", pins[len(w.config.Resources)])
		} else {
			d.Object = genContent(t, next())
			if rapid.IntRange(0, 3).Draw(t, "pinned") == 0 {
				d.SID = sid("FO", pins[len(w.config.Resources)])
			}
		}
		for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "old names") {
			if len(names) > 0 {
				d.RenamedFrom = append(d.RenamedFrom, next())
			}
		}
		if rapid.IntRange(0, 2).Draw(t, "leaves") == 0 {
			paths := rapid.SliceOfN(rapid.SampledFrom([]string{
				"enabled", "contact_identity", "chat_service_sid", "channel_type", "integration", "integration_type",
				"integration.timeout", "integration.retry_count", "integration.creation_on_message",
			}), 1, 2).Draw(t, "ignore_changes")
			leave(paths...)(&d)
		}
		if k := d.Object.Claim(); claims[k] {
			set(&d, "enabled", false)
		} else if k != (schema.TypedClaim{}) {
			claims[k] = true
		}
		w.config.Resources = append(w.config.Resources, d)
	}
	w.flows = genAccount(t, w.config)
	if rapid.IntRange(0, 3).Draw(t, "ignores") == 0 {
		for _, g := range rapid.SliceOfN(rapid.SampledFrom(someGlobs), 1, 2).Draw(t, "ignore") {
			glob := globs(g)[0]
			declared := slices.ContainsFunc(w.config.Resources, func(d schema.Declared) bool {
				return glob.MatchName(d.ID()) || glob.MatchSID(d.SID) || slices.ContainsFunc(d.RenamedFrom, glob.MatchName)
			})
			if !declared {
				w.config.Ignore = append(w.config.Ignore, glob)
			}
		}
	}
	return w
}

// genSwaps draws an account whose identities move around among its flows, some of
// which leave `enabled` to it.
func genSwaps(t *rapid.T) world {
	w := world{config: config()}
	identities := func(label string) []string {
		return rapid.Permutation([]string{"+1", "+2", "+3", "+4", "+5", "+1"}).Draw(t, label)
	}
	is, was := identities("identities"), identities("old identities")
	types := []string{schema.Studio, schema.Studio, schema.Task}
	taken := map[schema.TypedClaim]bool{}
	for i, name := range someNames {
		f := schema.Flows.Make(schema.Values{"friendly_name": name, "chat_service_sid": sid("IS", 1), "channel_type": "sms", "contact_identity": was[i]})
		set(&f, "enabled", rapid.IntRange(0, 4).Draw(t, "was enabled") > 0)
		set(&f, "integration_type", rapid.SampledFrom(types).Draw(t, "old integration"))
		setIntegration(t, &f)
		if rapid.IntRange(0, 5).Draw(t, "is there") > 0 {
			w.flows = append(w.flows, state.Resource{SID: sid("FO", len(w.flows)+1), AccountSID: sid("AC", 1), Object: f})
		}
		f = schema.Flows.Make(schema.Values{"friendly_name": name, "chat_service_sid": sid("IS", 1), "channel_type": "sms", "contact_identity": is[i]})
		set(&f, "integration_type", rapid.SampledFrom(types).Draw(t, "integration"))
		setIntegration(t, &f)
		set(&f, "enabled", true)
		set(&f, "enabled", rapid.IntRange(0, 4).Draw(t, "enabled") > 0 && !taken[f.Claim()])
		taken[f.Claim()] = true
		d := schema.Declared{Object: f, Pos: yamldoc.Pos{File: "flows.yaml", Line: i + 1}}
		if rapid.Bool().Draw(t, "leaves enabled") {
			leave("enabled")(&d)
		}
		if rapid.IntRange(0, 5).Draw(t, "is declared") > 0 {
			w.config.Resources = append(w.config.Resources, d)
		}
	}
	return w
}

func genAny(t *rapid.T) world {
	if rapid.Bool().Draw(t, "swaps") {
		return genSwaps(t)
	}
	return genWorld(t)
}

func genAccount(t *rapid.T, cfg *schema.Config) []state.Resource {
	var flows []state.Resource
	add := func(f schema.Object) {
		date := rapid.SampledFrom([]string{"", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"}).Draw(t, "date")
		flows = append(flows, state.Resource{SID: sid("FO", len(flows)+1), AccountSID: sid("AC", 1), DateCreated: date, Object: f})
	}
	// What was applied before, with the identities moved around.
	if rapid.Bool().Draw(t, "like the YAML") && len(cfg.Resources) > 0 {
		identities := make([]string, len(cfg.Resources))
		for i := range cfg.Resources {
			identities[i] = cfg.Resources[i].Object.Text(schema.Flows.Contact)
		}
		identities = rapid.Permutation(identities).Draw(t, "identities")
		for i := range cfg.Resources {
			f := cfg.Resources[i].Object
			set(&f, "contact_identity", identities[i])
			if len(cfg.Resources[i].RenamedFrom) > 0 && rapid.Bool().Draw(t, "by its old name") {
				set(&f, "friendly_name", cfg.Resources[i].RenamedFrom[0])
			}
			add(f)
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "in the account") {
		switch {
		case len(flows) > 0 && rapid.IntRange(0, 3).Draw(t, "copy") == 0:
			add(flows[rapid.IntRange(0, len(flows)-1).Draw(t, "of")].Object)
		default:
			f := genContent(t, rapid.SampledFrom(someNames).Draw(t, "name"))
			switch rapid.IntRange(0, 9).Draw(t, "odd") {
			case 0:
				set(&f, "chat_service_sid", "")
			case 1:
				set(&f, "channel_type", "voice")
			case 2:
				set(&f, "friendly_name", rapid.SampledFrom([]string{"", "A\n", "x\u202ey", "${a}"}).Draw(t, "odd name"))
			}
			add(f)
		}
	}
	if rapid.Bool().Draw(t, "holds Twilio's rule") {
		model := newModel(nil)
		model.anyType = rapid.Bool().Draw(t, "whatever the type")
		for i := range flows {
			if f := &flows[i]; model.collision(f.SID, &f.Object) != "" {
				set(f, "enabled", false)
			} else {
				model.flows[f.SID] = f.Object
			}
		}
	}
	return flows
}

// model is an account that refuses what Twilio refuses, in either reading.
type model struct {
	flows   map[string]schema.Object
	next    int
	anyType bool // flows collide whatever their integration types
}

func newModel(flows []state.Resource) *model {
	m := &model{flows: map[string]schema.Object{}, next: 1000}
	for _, f := range flows {
		m.flows[f.SID] = f.Object
	}
	return m
}

// collision returns the SID of another flow that holds what f would take.
func (m *model) collision(sid string, f *schema.Object) string {
	if !f.Enabled() || f.Text(schema.Flows.Contact) == "" {
		return ""
	}
	for other, g := range m.flows {
		if other != sid && g.Enabled() && g.Text(schema.Flows.Channel) == f.Text(schema.Flows.Channel) && g.Text(schema.Flows.Contact) == f.Text(schema.Flows.Contact) &&
			(m.anyType || g.Variant() == f.Variant()) {
			return other
		}
	}
	return ""
}

// write carries out one change. It returns an error for what the API would
// refuse, if the account enforces the rule on identities.
func (m *model) write(c *Change, enforce bool) error {
	before, there := m.flows[c.SID]
	switch {
	case (c.Action == Create) == there:
		return fmt.Errorf("%s of %q: there is %v", c.Action, c.SID, there)
	case there && c.Step == "" && c.Action == Delete && before != *c.Before:
		return fmt.Errorf("%s is not what the plan says it was", c.SID)
	}
	to := c.SID
	switch c.Action {
	case Delete:
		delete(m.flows, c.SID)
		return nil
	case Create:
		for taken := true; taken; _, taken = m.flows[to] {
			m.next++
			to = sid("FO", m.next)
		}
	}
	after := *c.After
	if other := m.collision(to, &after); enforce && other != "" {
		return fmt.Errorf("45210: %s %q collides with %s", c.Action, c.ID, other)
	}
	m.flows[to] = after
	return nil
}

func (m *model) snapshot() []state.Resource {
	var flows []state.Resource
	for _, sid := range slices.Sorted(maps.Keys(m.flows)) {
		flows = append(flows, state.Resource{SID: sid, AccountSID: "AC1", Object: m.flows[sid]})
	}
	return flows
}

func (m *model) collides() bool {
	for sid, f := range m.flows {
		if m.collision(sid, &f) != "" {
			return true
		}
	}
	return false
}

// carryOut applies the plan to an account and fails the test when Twilio would
// refuse a write, in either reading of its rule, unless the account is not going
// to hold the rule anyway.
func carryOut(t *rapid.T, p *Plan, flows []state.Resource) *model {
	end := newModel(flows)
	for i := range p.Changes {
		if err := end.write(&p.Changes[i], false); err != nil {
			t.Fatal(err)
		}
	}
	for _, end.anyType = range []bool{false, true} {
		if end.collides() {
			continue
		}
		m := newModel(flows)
		m.anyType = end.anyType
		for i := range p.Changes {
			if err := m.write(&p.Changes[i], true); err != nil {
				t.Fatalf("%v\nafter %s", err, strings.Join(changes(p)[:i], "\n"))
			}
		}
	}
	return end
}

func (w *world) input() Input {
	return Input{Config: w.config, Snapshot: account(w.flows...), MaxDeletes: anyDeletes, CreatedAt: someTime}
}

// Applying a plan makes the account as declared, in an order that Twilio
// takes, and planning again finds nothing to do.
func TestLawApply(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genAny(t)
		p := compute2(t, w.input())
		if len(p.Refusals) > 0 {
			return
		}
		m := carryOut(t, p, w.flows)

		ignored := 0
		before := newModel(w.flows).flows
		for id, f := range before {
			if ignores(w.config.Ignore, &state.Resource{SID: id, Object: f}) {
				ignored++
				if m.flows[id] != f {
					t.Fatalf("%s is ignored, and it was changed", id)
				}
			}
		}
		if len(m.flows) != len(w.config.Resources)+ignored {
			t.Fatalf("%d flows, %d declared, %d ignored", len(m.flows), len(w.config.Resources), ignored)
		}
		for i := range w.config.Resources {
			d := &w.config.Resources[i]
			id := d.SID
			for other, f := range m.flows {
				if id == "" && f.ID() == d.ID() && !ignores(w.config.Ignore, &state.Resource{SID: other, Object: f}) {
					id = other
				}
			}
			is, there := m.flows[id]
			if !there {
				t.Fatalf("%q is not there", d.ID())
			}
			was, existed := before[id]
			for i := range schema.Flows.Fields {
				f := &schema.Flows.Fields[i]
				want := d.Get(f)
				open := d.Object.Variant() == "" || d.IgnoreChanges.Has(schema.Flows.Variant) && existed && was.Variant() != d.Object.Variant()
				switch {
				case !existed && f == schema.Flows.Field("integration.creation_on_message") && want == nil:
					continue
				case !existed:
				case open && schema.Flows.Typed.Has(f):
					want = was.Get(f)
				case f == schema.Flows.Field("integration.creation_on_message") && want == nil:
					want = was.Get(f)
					if !f.AppliesTo(is.Variant()) {
						want = nil
					}
				case d.IgnoreChanges.Has(f) && (f.Variants == nil || f.AppliesTo(was.Variant()) && f.AppliesTo(is.Variant())):
					want = was.Get(f)
				}
				if got := is.Get(f); got != want {
					t.Fatalf("%q: %s is %v, want %v", d.ID(), f.Path, got, want)
				}
			}
		}

		again := w
		again.flows = m.snapshot()
		q := compute2(t, again.input())
		if q.HasChanges() || len(q.Refusals) > 0 {
			t.Fatalf("planning again finds %q, %v", changes(q), q.Refusals)
		}
		if q.Summary.Unchanged != len(w.config.Resources) {
			t.Fatalf("%d unchanged, %d declared", q.Summary.Unchanged, len(w.config.Resources))
		}
	})
}

func compute2(t *rapid.T, in Input) *Plan {
	p, err := Compute(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A run that fails anywhere, and another one after it, end in the same account.
func TestLawInterrupted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genAny(t)
		for i := range w.config.Resources { // what is left as it was depends on what was
			w.config.Resources[i].IgnoreChanges &= schema.Flows.Enabled.Bit()
			if f := &w.config.Resources[i].Object; f.Variant() == "" {
				set(f, "integration_type", schema.External)
				set(f, "integration.url", "https://example.com/")
				set(f, "enabled", false)
			} else if f.Variant() == schema.Task {
				set(f, "integration.creation_on_message", true)
			}
		}
		p := compute2(t, w.input())
		if len(p.Refusals) > 0 || len(p.Changes) == 0 {
			return
		}
		want := carryOut(t, p, w.flows)
		m := newModel(w.flows)
		// Some fail, and with them what waits for them; the deletes that
		// nothing waits for come last, and only when all went well.
		deps := Dependencies(p.Changes)
		needed := map[int]bool{}
		for i := range deps {
			for _, j := range deps[i] {
				needed[j] = true
			}
		}
		done, all := map[int]bool{}, true
		attempt := func(i int) {
			ready := !slices.ContainsFunc(deps[i], func(j int) bool { return !done[j] })
			if !ready || rapid.IntRange(0, 2).Draw(t, "fails") == 0 {
				all = false
				return
			}
			if err := m.write(&p.Changes[i], false); err != nil {
				t.Fatal(err)
			}
			done[i] = true
		}
		last := func(i int) bool { return p.Changes[i].Action == Delete && !needed[i] }
		for i := range p.Changes {
			if !last(i) {
				attempt(i)
			}
		}
		for i := range p.Changes {
			if last(i) && all {
				attempt(i)
			}
		}
		again := w
		again.flows = m.snapshot()
		q := compute2(t, again.input())
		if len(q.Refusals) > 0 {
			t.Fatalf("the next run is refused: %v\nafter part of %q", q.Refusals, changes(p))
		}
		got := carryOut(t, q, again.flows)
		contents := func(m *model) (all []schema.Object) {
			for _, f := range m.snapshot() {
				all = append(all, f.Object)
			}
			slices.SortFunc(all, func(a, b schema.Object) int { return strings.Compare(a.String(), b.String()) })
			return all
		}
		if diff := cmp.Diff(contents(want), contents(got), asText); diff != "" {
			t.Fatal(diff)
		}
	})
}

// A plan is the same whatever the order of flows, globs and pages.
func TestLawOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genAny(t)
		in := w.input()
		in.NoDelete = rapid.Bool().Draw(t, "no-delete")
		in.Ignore = genGlobs(t, "--ignore")
		in.Only = genGlobs(t, "--only")
		p, err := Compute(context.Background(), in)

		shuffled := in
		cfg := *w.config
		cfg.Resources = rapid.Permutation(cfg.Resources).Draw(t, "flows")
		cfg.Ignore = rapid.Permutation(cfg.Ignore).Draw(t, "ignore")
		shuffled.Config = &cfg
		shuffled.Ignore = rapid.Permutation(in.Ignore).Draw(t, "--ignore")
		shuffled.Only = rapid.Permutation(in.Only).Draw(t, "--only")
		shuffled.CreatedAt = someTime
		var listing pages
		for _, f := range rapid.Permutation(w.flows).Draw(t, "listing") {
			if len(listing) == 0 || rapid.Bool().Draw(t, "new page") {
				listing = append(listing, nil)
			}
			last := len(listing) - 1
			listing[last] = append(listing[last], listed(&f))
		}
		if shuffled.Snapshot, _ = state.Read(context.Background(), listing, []*schema.Kind{schema.Flows}); shuffled.Snapshot == nil {
			t.Fatal("the listing is not read")
		}
		q, err2 := Compute(context.Background(), shuffled)
		if (err == nil) != (err2 == nil) {
			t.Fatal(err, err2)
		}
		if err == nil {
			if diff := cmp.Diff(string(asJSON(t, p)), string(asJSON(t, q))); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func genGlobs(t *rapid.T, label string) []glob.Glob {
	if rapid.IntRange(0, 2).Draw(t, label+" given") > 0 {
		return nil
	}
	return globs(rapid.SliceOfN(rapid.SampledFrom(someGlobs), 1, 2).Draw(t, label)...)
}

// What the files or the flags leave out is in no change, nor is the other side
// of it; nothing is planned that would not be planned without the flags.
func TestLawLeftOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorld(t)
		in := w.input()
		in.Ignore = genGlobs(t, "--ignore")
		// A SID of the flag is as one of the YAML's, and the declared flow may
		// then need another resource.
		whole := w.input()
		cfg := *w.config
		cfg.Ignore = slices.Clone(cfg.Ignore)
		for _, g := range in.Ignore {
			if !slices.ContainsFunc(cfg.Resources, func(d schema.Declared) bool { return g.MatchSID(d.SID) }) && schema.IsSID("FO", g.String()) {
				cfg.Ignore = append(cfg.Ignore, g)
			}
		}
		whole.Config = &cfg
		in.Only = genGlobs(t, "--only")
		in.NoDelete = rapid.Bool().Draw(t, "no-delete")
		p, err := Compute(context.Background(), in)
		var unmatched *UnmatchedError
		if errors.As(err, &unmatched) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		planned := map[string]bool{}
		for _, c := range compute2(t, whole).Changes {
			planned[changeKey(&c)] = true
		}
		names := map[string]string{} // SID → the name that the plan gives it
		for i := range p.Changes {
			if c := &p.Changes[i]; c.Step == "" && c.SID != "" {
				names[c.SID] = c.ID
			}
		}
		for i := range p.Changes {
			c := &p.Changes[i]
			if c.Step == "" && !planned[changeKey(c)] {
				t.Fatalf("%s is only planned with the flags", changeKey(c))
			}
			sides := []string{c.ID}
			if name, ok := names[c.SID]; ok {
				sides = append(sides, name)
			}
			if c.Before != nil {
				sides = append(sides, c.Before.ID())
			}
			matches := func(gs []glob.Glob) bool {
				return slices.ContainsFunc(gs, func(g glob.Glob) bool {
					return slices.ContainsFunc(sides, g.MatchName) || g.MatchSID(c.SID)
				})
			}
			switch {
			case c.Before != nil && ignores(w.config.Ignore, &state.Resource{SID: c.SID, Object: *c.Before}):
				t.Fatalf("%s: the files ignore it", changeKey(c))
			case matches(in.Ignore):
				t.Fatalf("%s: --ignore leaves it out", changeKey(c))
			case len(in.Only) > 0 && c.CopyOf == "" && !matches(in.Only):
				t.Fatalf("%s: --only leaves it out", changeKey(c))
			case in.NoDelete && c.Action == Delete:
				t.Fatalf("%s in spite of --no-delete", changeKey(c))
			}
		}
		if moved, err := p.Stale(in.Snapshot); err != nil || len(moved) > 0 {
			t.Fatalf("stale at once: %v, %v", moved, err)
		}
	})
}

func changeKey(c *Change) string { return fmt.Sprintf("%s %q %s", c.Action, c.ID, c.SID) }

// holdsIn is what a side of a change holds in one of the readings, "" is nothing.
func holdsIn(f *schema.Object, anyType bool) string {
	switch {
	case f == nil || !f.Enabled() || f.Text(schema.Flows.Contact) == "":
		return ""
	case anyType:
		return fmt.Sprintf("%q %q", f.Text(schema.Flows.Channel), f.Text(schema.Flows.Contact))
	}
	return fmt.Sprintf("%q %q %q", f.Text(schema.Flows.Channel), f.Text(schema.Flows.Contact), f.Variant())
}

// needs reports whether c ends up holding what o frees, in one of the readings.
func needs(c, o *Change, anyType bool) bool {
	k := holdsIn(c.After, anyType)
	return k != "" && c != o && holdsIn(o.Before, anyType) == k && holdsIn(o.After, anyType) != k
}

// isCyclic reports whether changes wait for each other in a cycle.
func isCyclic(cs []*Change, waits func(c, o *Change) bool) bool {
	for {
		rest := slices.DeleteFunc(slices.Clone(cs), func(c *Change) bool {
			return !slices.ContainsFunc(cs, func(o *Change) bool { return waits(c, o) })
		})
		if len(rest) == len(cs) {
			return len(cs) > 0
		}
		cs = rest
	}
}

// A cycle is broken at flows that the next run enables again, and only a cycle
// is; a plan is refused for one exactly when it has no such flow.
func TestLawCycles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genAny(t)
		p := compute2(t, w.input())
		unmanaged := map[yamldoc.Pos]bool{}
		for i := range w.config.Resources {
			d := &w.config.Resources[i]
			unmanaged[d.Pos] = d.IgnoreChanges.Has(schema.Flows.Enabled)
		}
		either := func(c, o *Change) bool { return needs(c, o, false) || needs(c, o, true) }
		var all, fixed []*Change
		steps := 0
		for i := range p.Changes {
			c := &p.Changes[i]
			if c.Step != "" {
				steps++
				if unmanaged[*c.Source] {
					t.Fatalf("%s is disabled for a moment, and nobody would enable it again", c.SID)
				}
				continue
			}
			all = append(all, c)
			if c.Action == Update && unmanaged[*c.Source] {
				fixed = append(fixed, c)
			}
		}
		refused := slices.Contains(codes(p.Refusals), RefuseCycleUnmanaged)
		if want := isCyclic(fixed, either); refused != want {
			t.Fatalf("refused: %v, want %v\n%v", refused, want, changes(p))
		}
		if cyclic := isCyclic(all, either); cyclic != (steps > 0 || refused) {
			t.Fatalf("cycles: %v, %d steps, refused: %v", cyclic, steps, refused)
		}
		if steps > 0 && !isCyclic(all, func(c, o *Change) bool { return needs(c, o, false) }) && !isCyclic(all, func(c, o *Change) bool { return needs(c, o, true) }) {
			t.Fatalf("a step for what is a cycle in neither reading:\n%s", strings.Join(changes(p), "\n"))
		}
	})
}

// A change comes after all that it needs, and what Dependencies says it needs
// is what it needs: everything that frees the identity that it takes.
func TestLawDependencies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genAny(t)
		p := compute2(t, w.input())
		deps := Dependencies(p.Changes)
		// A saved plan has the same.
		q, err := Read(asJSON(t, p))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(deps, Dependencies(q.Changes)); diff != "" {
			t.Fatal(diff)
		}
		if slices.Contains(codes(p.Refusals), RefuseCycleUnmanaged) {
			return // there is no order
		}
		steps := map[string]int{}
		for i := range p.Changes {
			c := &p.Changes[i]
			if c.Step == "" {
				continue
			}
			if _, twice := steps[c.SID]; twice {
				t.Fatalf("%s is disabled twice", c.SID)
			}
			steps[c.SID] = i
		}
		for i := range p.Changes {
			c := &p.Changes[i]
			var want []int
			for j := range p.Changes {
				o := &p.Changes[j]
				_, stepped := steps[o.SID]
				frees := needs(c, o, false) || needs(c, o, true)
				switch {
				case j == i:
				case o.SID == c.SID && c.SID != "":
					if o.Step != "" {
						want = append(want, j)
					}
				case frees && (o.Step != "" || !stepped), c.Action == Update && o.CopyOf == c.SID:
					want = append(want, j)
				}
			}
			if diff := cmp.Diff(want, deps[i]); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", changeKey(c), diff)
			}
			if len(want) > 0 && want[len(want)-1] >= i {
				t.Fatalf("%s waits for what is later", changeKey(c))
			}
		}
	})
}

// But for cycles, a plan is refused exactly when a declared flow cannot be told
// in the account: its pin is not there, or its name is there several times and not
// for the same content.
func TestLawRefusals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorld(t)
		if len(w.config.Resources) == 0 {
			return
		}
		p := compute2(t, w.input())

		var free []state.Resource // not ignored, not pinned
		pinned := map[string]bool{}
		for i := range w.config.Resources {
			pinned[w.config.Resources[i].SID] = true
		}
		there := map[string]bool{}
		for _, f := range w.flows {
			if !ignores(w.config.Ignore, &f) {
				there[f.SID] = true
				if !pinned[f.SID] {
					free = append(free, f)
				}
			}
		}
		var want []string
		for i := range w.config.Resources {
			d := &w.config.Resources[i]
			if d.SID != "" {
				if !there[d.SID] {
					want = append(want, RefuseSIDAbsent)
				}
				continue
			}
			for _, name := range append([]string{d.ID()}, d.RenamedFrom...) {
				var contents []schema.Object
				for _, f := range free {
					if f.ID() == name && !slices.Contains(contents, f.Object) {
						contents = append(contents, f.Object)
					}
				}
				if len(contents) > 1 {
					want = append(want, RefuseDuplicateRemote)
				}
				if len(contents) > 0 {
					break
				}
			}
		}
		got := slices.DeleteFunc(codes(p.Refusals), func(code string) bool { return code == RefuseCycleUnmanaged })
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// The summary counts the changes, and every flow of the account and of the
// YAML once.
func TestLawSummary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorld(t)
		in := w.input()
		in.NoDelete = rapid.Bool().Draw(t, "no-delete")
		in.Ignore = genGlobs(t, "--ignore")
		p := compute2(t, in)
		var got Summary
		for i := range p.Changes {
			switch c := &p.Changes[i]; {
			case c.Step != "":
			case c.Action == Create:
				got.Create++
			case c.Action == Update:
				got.Update++
			case c.Action == Delete:
				got.Delete++
			}
		}
		got.Unchanged, got.Ignored, got.Kept = p.Summary.Unchanged, p.Summary.Ignored, len(p.Kept)
		if diff := cmp.Diff(got, p.Summary); diff != "" {
			t.Fatal(diff)
		}
		if len(p.State)+got.Ignored != len(w.flows) {
			t.Fatalf("%d flows, %d seen, %d ignored", len(w.flows), len(p.State), got.Ignored)
		}
		if len(p.Refusals) == 0 && got.Update+got.Delete+got.Unchanged+got.Kept+got.Ignored != len(w.flows) {
			t.Fatalf("%d flows, and %+v", len(w.flows), got)
		}
	})
}

// What was saved is read back, and what was changed since is not taken for it.
func TestLawSavedPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorld(t)
		in := w.input()
		in.NoDelete = rapid.Bool().Draw(t, "no-delete")
		in.Ignore = genGlobs(t, "--ignore")
		in.BaseURL, in.FlexsyncVersion = rapid.String().Draw(t, "base URL"), rapid.String().Draw(t, "version")
		p := compute2(t, in)
		if rapid.Bool().Draw(t, "base") {
			p.SetOrigins(compute2(t, w.input()))
		}
		doc := asJSON(t, p)
		q, err := Read(doc)
		if err != nil {
			t.Fatal(err)
		}
		if again := asJSON(t, q); !bytes.Equal(doc, again) {
			t.Fatal(cmp.Diff(string(doc), string(again)))
		}
		for range 15 {
			at := rapid.IntRange(0, len(doc)-1).Draw(t, "at")
			damaged := slices.Clone(doc)
			switch rapid.IntRange(0, 3).Draw(t, "damage") {
			case 0:
				damaged[at] = rapid.Byte().Draw(t, "byte")
			case 1:
				damaged = damaged[:at]
			case 2:
				damaged = slices.Delete(damaged, at, at+1)
			case 3:
				damaged = slices.Insert(damaged, at, rapid.Byte().Draw(t, "byte"))
			}
			checkDamaged(t, doc, damaged)
		}
	})
}

// checkDamaged demands that a document is refused as damaged, or says the same
// as the whole one: white space, or the case of a key.
func checkDamaged(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, doc, damaged []byte) {
	q, err := Read(damaged)
	if err != nil {
		var e *DamagedError
		if !errors.As(err, &e) {
			t.Fatalf("not a *DamagedError: %v", err)
		}
		return
	}
	if !bytes.Equal(asJSON(t, q), doc) {
		t.Fatalf("taken for a plan: %s", damaged)
	}
}

// An export is a configuration: it plans to no change, and it rebuilds the
// account from nothing.
func TestLawExport(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorld(t)
		for i := range w.flows {
			if rapid.IntRange(0, 5).Draw(t, "odd name") == 0 {
				set(&w.flows[i], "friendly_name", rapid.SampledFrom([]string{"", "a\nb", "yes", "${x}", "# x", sid("FO", 1), sid("FO", 2), "*", "[", "::error::x", "\u202e"}).Draw(t, "name"))
			}
		}
		snap := account(w.flows...)
		text := snap.Export(state.ExportOptions{}).Encode()
		cfg, err := schema.Load([]string{"-"}, schema.Options{Stdin: bytes.NewReader(text)})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		p := compute2(t, Input{Config: cfg, Snapshot: snap})
		if p.HasChanges() || len(p.Refusals) > 0 {
			t.Fatalf("%q %v\n%s", changes(p), p.Refusals, text)
		}
		if p.Summary.Unchanged+p.Summary.Ignored != len(w.flows) || p.Summary.Unchanged != len(cfg.Resources) {
			t.Fatalf("%+v", p.Summary)
		}

		for i := range cfg.Resources {
			if cfg.Resources[i].SID != "" {
				return // duplicates are told apart by their SIDs, which another account does not have
			}
		}
		rebuilt := compute2(t, Input{Config: cfg, Snapshot: account()})
		m := carryOut(t, rebuilt, nil)
		var want []schema.Object
		for i := range snap.Resources {
			if !ignores(cfg.Ignore, &snap.Resources[i]) {
				want = append(want, snap.Resources[i].Object)
			}
		}
		if diff := cmp.Diff(want, contentsByName(m), asText); diff != "" {
			t.Fatal(diff)
		}
	})
}

// A backup can be applied after the plan that it was made for: what could be
// declared of the account is there again, equal copies once. The flows that
// were left alone are the ones that they were.
func TestLawBackup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorld(t)
		for i := range w.flows { // what the YAML cannot take back: no integration, no creation_on_message
			if f := &w.flows[i].Object; f.Variant() == "" {
				set(f, "integration_type", schema.External)
				set(f, "integration.url", "https://example.com/")
			} else if f.Variant() == schema.Task {
				set(f, "integration.creation_on_message", true)
			}
		}
		in := w.input()
		in.Ignore = genGlobs(t, "--ignore")
		in.NoDelete = rapid.IntRange(0, 3).Draw(t, "no-delete") == 0
		p := compute2(t, in)
		if len(p.Refusals) > 0 {
			return
		}
		text := in.Snapshot.Export(p.Backup()).Encode()
		cfg, err := schema.Load([]string{"-"}, schema.Options{Stdin: bytes.NewReader(text)})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		// The plan is carried out, or stops before its last deletes: a name of
		// which all flows were to be deleted is then as it was, and needs no
		// restoring.
		m := newModel(w.flows)
		stops := rapid.Bool().Draw(t, "stops")
		for i := range p.Changes {
			if stops && p.Changes[i].Action == Delete {
				continue
			}
			if err := m.write(&p.Changes[i], false); err != nil {
				t.Fatal(err)
			}
		}
		restore := Input{Config: cfg, Snapshot: account(m.snapshot()...), MaxDeletes: anyDeletes, CreatedAt: someTime}
		q := compute2(t, restore)
		if stops {
			if slices.Contains(codes(q.Refusals), RefuseSIDAbsent) {
				t.Fatalf("%v\nafter %q\n%s", q.Refusals, changes(p), text)
			}
			return
		}
		if len(q.Refusals) > 0 {
			t.Fatalf("%v\nafter %q\n%s", q.Refusals, changes(p), text)
		}
		for i := range q.Changes {
			if err := m.write(&q.Changes[i], false); err != nil {
				t.Fatal(err)
			}
		}
		var undeclared []schema.Object // it is in comments, and a copy of it is, too
		for i := range w.flows {
			if ignores(cfg.Ignore, &w.flows[i]) {
				undeclared = append(undeclared, w.flows[i].Object)
			}
		}
		numbered := regexp.MustCompile(`( \(\d+\))?$`)
		contents := func(flows []state.Resource) (all []schema.Object) {
			for i := range flows {
				if f := flows[i].Object; len(f.Problems()) == 0 && !ignores(cfg.Ignore, &flows[i]) {
					set(&f, "friendly_name", numbered.ReplaceAllString(f.ID(), ""))
					if !slices.Contains(undeclared, f) {
						all = append(all, f)
					}
				}
			}
			slices.SortFunc(all, func(a, b schema.Object) int { return strings.Compare(a.String(), b.String()) })
			return slices.Compact(all)
		}
		if diff := cmp.Diff(contents(w.flows), contents(m.snapshot()), asText); diff != "" {
			t.Fatalf("(-before +restored):\n%s\n%s", diff, text)
		}
	})
}

func contentsByName(m *model) []schema.Object {
	var flows []schema.Object
	for _, f := range m.snapshot() {
		flows = append(flows, f.Object)
	}
	slices.SortStableFunc(flows, func(a, b schema.Object) int { return strings.Compare(a.ID(), b.ID()) })
	return flows
}

// Whatever the names: the document is JSON, and safe to print.
func TestLawJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorld(t)
		odd := rapid.OneOf(rapid.SampledFrom(hostile), rapid.String())
		for i := range w.flows {
			if f := &w.flows[i]; rapid.IntRange(0, 2).Draw(t, "odd flow") == 0 {
				set(f, "friendly_name", odd.Draw(t, "name"))
				set(f, "channel_type", odd.Draw(t, "channel"))
			}
		}
		in := w.input()
		in.MaxDeletes = Limit{}
		in.NoDelete = rapid.IntRange(0, 3).Draw(t, "no-delete") == 0
		doc := asJSON(t, compute2(t, in))
		checkPrintable(t, string(doc), "")
		if !json.Valid(doc) {
			t.Fatal("not JSON")
		}
	})
}
