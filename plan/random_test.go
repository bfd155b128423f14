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
// other: few names and few identities, so that renames, duplicates, pins, swaps and
// moves are common.
type world struct {
	config *schema.Config
	have   []state.Resource
}

var (
	someNames      = []string{"A", "B", "C", "D", "E", "F"}
	someIdentities = []string{"", "+1", "+2", "+3"}
	someAddresses  = []string{"+1", "+2", "12345", "whatsapp:+1", "whatsapp:+2"}
	someGlobs      = []string{"A", "[BC]", "D*", "?", "*", "[!A-C]", "+1", "whatsapp:*", sid("FO", 1), sid("FO", 2), sid("IG", 1)}
)

// genAddress draws the content of an address.
func genAddress(t *rapid.T, address string) schema.Object {
	pick := func(label string, of ...schema.Value) schema.Value { return rapid.SampledFrom(of).Draw(t, label) }
	typ := schema.Value("whatsapp")
	if !strings.HasPrefix(address, "whatsapp:") {
		typ = pick("type", "sms", "sms", "sms", "rcs")
	}
	o := schema.Addresses.Make(schema.Values{
		"address": address, "type": typ,
		"address_country":                        pick("country", nil, nil, nil, "US", "GB"),
		"friendly_name":                          pick("label", nil, "Support"),
		"auto_creation.enabled":                  pick("enabled", true, true, true, false),
		"auto_creation.type":                     pick("auto-creation", schema.Studio, schema.Studio, schema.Webhook, schema.Plain),
		"auto_creation.conversation_service_sid": pick("service", nil, sid("IS", 1)),
	})
	setGroup(t, &o)
	return o
}

// genFlow draws the content of a flow.
func genFlow(t *rapid.T, name string) schema.Object {
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
	setGroup(t, &f)
	return f
}

// setGroup draws what the variant has in its group.
func setGroup(t *rapid.T, f *schema.Object) {
	switch n := rapid.IntRange(1, 2).Draw(t, "integration value"); f.Variant() {
	case schema.Webhook:
		set(f, "auto_creation.webhook_url", fmt.Sprintf("https://example.com/%d", n))
		set(f, "auto_creation.webhook_method", rapid.SampledFrom([]schema.Value{"get", "post"}).Draw(t, "method"))
		set(f, "auto_creation.webhook_filters", schema.NewWordSet([]string{"onMessageAdded", "onMessageRemoved"}[:n]))
	case schema.Studio:
		if f.Kind == schema.Addresses {
			set(f, "auto_creation.studio_flow_sid", sid("FW", n))
			set(f, "auto_creation.studio_retry_count", int64(n))
			break
		}
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
	w := world{config: &schema.Config{Kinds: rapid.SampledFrom([][]*schema.Kind{
		{schema.Flows}, schema.Kinds, schema.Kinds, schema.Kinds, {schema.Addresses},
	}).Draw(t, "kinds")}}
	w.genFlows(t)
	w.genAddresses(t)
	w.have = genAccount(t, w.config)
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

// genFlows draws declared flows.
func (w *world) genFlows(t *rapid.T) {
	if !slices.Contains(w.config.Kinds, schema.Flows) {
		return
	}
	var flows []schema.Declared
	names := rapid.Permutation(someNames).Draw(t, "names")
	next := func() string { name := names[0]; names = names[1:]; return name }
	claims := map[schema.TypedClaim]bool{}
	pins := rapid.Permutation([]int{1, 2, 3, 4, 5, 6, 99}).Draw(t, "pins")
	for range rapid.IntRange(0, 4).Draw(t, "declared") {
		if len(names) == 0 {
			break
		}
		d := schema.Declared{Pos: yamldoc.Pos{File: "flows.yaml", Line: len(flows) + 1}}
		if last := len(flows) - 1; last >= 0 && flows[last].SID != "" && rapid.IntRange(0, 3).Draw(t, "same name") == 0 {
			d.Object = genFlow(t, flows[last].ID()) // both are pinned
			d.SID = sid("FO", pins[len(flows)])
		} else {
			d.Object = genFlow(t, next())
			if rapid.IntRange(0, 3).Draw(t, "pinned") == 0 {
				d.SID = sid("FO", pins[len(flows)])
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
		flows = append(flows, d)
	}
	w.config.Resources = flows
}

// genAddresses draws declared addresses.
func (w *world) genAddresses(t *rapid.T) {
	if !slices.Contains(w.config.Kinds, schema.Addresses) {
		return
	}
	for i, address := range rapid.Permutation(someAddresses).Draw(t, "addresses")[:rapid.IntRange(0, 3).Draw(t, "declared addresses")] {
		d := schema.Declared{Object: genAddress(t, address), Pos: yamldoc.Pos{File: "addresses.yaml", Line: i + 1}}
		if rapid.IntRange(0, 2).Draw(t, "leaves") == 0 {
			leave(rapid.SliceOfN(rapid.SampledFrom([]string{
				"type", "address_country", "friendly_name", "auto_creation", "auto_creation.enabled", "auto_creation.type",
				"auto_creation.studio_retry_count", "auto_creation.webhook_filters",
			}), 1, 2).Draw(t, "ignore_changes")...)(&d)
		}
		w.add(d)
	}
}

// add declares an address: disabled, if a flow of its identity is enabled, unless
// either may be otherwise in the account.
func (w *world) add(d schema.Declared) {
	for i := range w.config.Resources {
		flow := &w.config.Resources[i]
		loose := flow.IgnoreChanges&(schema.Flows.Enabled.Bit()|schema.Flows.Channel.Bit()|schema.Flows.Contact.Bit()) != 0 || d.IgnoreChanges.Has(schema.Addresses.Enabled)
		if flow.Kind == schema.Flows && flow.Enabled() && flow.Route() == d.Route() && !loose {
			set(&d, "auto_creation.enabled", false)
		}
	}
	w.config.Resources = append(w.config.Resources, d)
}

// genSwaps draws an account whose identities move around among its flows, some of
// which leave `enabled` to it, and from flows to addresses.
func genSwaps(t *rapid.T) world {
	w := world{config: &schema.Config{Kinds: schema.Kinds}}
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
		setGroup(t, &f)
		if rapid.IntRange(0, 5).Draw(t, "is there") > 0 {
			w.have = append(w.have, state.Resource{SID: sid("FO", len(w.have)+1), AccountSID: sid("AC", 1), Object: f})
		}
		f = schema.Flows.Make(schema.Values{"friendly_name": name, "chat_service_sid": sid("IS", 1), "channel_type": "sms", "contact_identity": is[i]})
		set(&f, "integration_type", rapid.SampledFrom(types).Draw(t, "integration"))
		setGroup(t, &f)
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
	for n := range rapid.IntRange(0, 5).Draw(t, "addresses") {
		o := genAddress(t, fmt.Sprintf("+%d", n+1))
		w.add(schema.Declared{Object: o, Pos: yamldoc.Pos{File: "addresses.yaml", Line: n + 1}})
		set(&o, "auto_creation.enabled", rapid.Bool().Draw(t, "was enabled"))
		if rapid.IntRange(0, 2).Draw(t, "is there") == 0 {
			w.have = append(w.have, state.Resource{SID: sid("IG", n+1), AccountSID: sid("AC", 1), Object: o})
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
	var have []state.Resource
	add := func(o schema.Object) {
		n := 1
		for i := range have {
			if have[i].Kind == o.Kind {
				n++
			}
		}
		date := rapid.SampledFrom([]string{"", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"}).Draw(t, "date")
		have = append(have, state.Resource{SID: sid(o.Kind.SID, n), AccountSID: sid("AC", 1), DateCreated: date, Object: o})
	}
	// What was applied before, with the identities moved around.
	if rapid.Bool().Draw(t, "like the YAML") && len(cfg.Resources) > 0 {
		var identities []string
		for i := range cfg.Resources {
			if cfg.Resources[i].Kind == schema.Flows {
				identities = append(identities, cfg.Resources[i].Text(schema.Flows.Contact))
			}
		}
		identities = rapid.Permutation(identities).Draw(t, "identities")
		for i := range cfg.Resources {
			o := cfg.Resources[i].Object
			switch {
			case o.Kind == schema.Flows:
				set(&o, "contact_identity", identities[0])
				identities = identities[1:]
				if len(cfg.Resources[i].RenamedFrom) > 0 && rapid.Bool().Draw(t, "by its old name") {
					set(&o, "friendly_name", cfg.Resources[i].RenamedFrom[0])
				}
			case rapid.Bool().Draw(t, "has changed"):
				o = genAddress(t, o.ID())
			}
			add(o)
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "in the account") {
		switch kind := rapid.SampledFrom(cfg.Kinds).Draw(t, "kind"); {
		case len(have) > 0 && rapid.IntRange(0, 3).Draw(t, "copy") == 0:
			add(have[rapid.IntRange(0, len(have)-1).Draw(t, "of")].Object)
		case kind == schema.Addresses:
			add(genAddress(t, rapid.SampledFrom(someAddresses).Draw(t, "address")))
		default:
			f := genFlow(t, rapid.SampledFrom(someNames).Draw(t, "name"))
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
	if rapid.Bool().Draw(t, "holds Twilio's rules") {
		model := newModel(nil)
		model.anyType, model.held = rapid.Bool().Draw(t, "whatever the type"), rapid.Bool().Draw(t, "whatever the kind")
		have = slices.DeleteFunc(have, func(r state.Resource) bool {
			if model.collision(r.SID, &r.Object) != "" {
				r.Set(r.Kind.Enabled, false)
			}
			if model.collision(r.SID, &r.Object) != "" {
				return true
			}
			model.has[r.SID] = r.Object
			return false
		})
		for i := range have {
			have[i].Object = model.has[have[i].SID]
		}
	}
	return have
}

// model is an account that refuses what Twilio refuses, in any reading.
type model struct {
	has     map[string]schema.Object // by SID
	next    int
	anyType bool // flows collide whatever their integration types
	held    bool // so do a flow and an address
}

func newModel(have []state.Resource) *model {
	m := &model{has: map[string]schema.Object{}, next: 1000}
	for _, r := range have {
		m.has[r.SID] = r.Object
	}
	return m
}

// collision returns the SID of another resource that has what o would take.
func (m *model) collision(sid string, o *schema.Object) string {
	for other, p := range m.has {
		k := p.Kind
		takes := other != sid && o.Enabled() && p.Enabled() && o.Text(o.Kind.Contact) != ""
		switch {
		case o.Kind != k:
			takes = takes && m.held && o.Route() == p.Route()
		case k == schema.Addresses:
			_, there := m.has[sid]
			takes = !there && o.ID() == p.ID()
		default:
			takes = takes && o.Text(k.Channel) == p.Text(k.Channel) && o.Text(k.Contact) == p.Text(k.Contact) && (m.anyType || o.Variant() == p.Variant())
		}
		if takes {
			return other
		}
	}
	return ""
}

// write carries out one change. It returns an error for what the API would
// refuse, if the account enforces the rule on identities.
func (m *model) write(c *Change, enforce bool) error {
	before, there := m.has[c.SID]
	switch {
	case (c.Action == Create) == there:
		return fmt.Errorf("%s of %q: there is %v", c.Action, c.SID, there)
	case there && c.Action == Delete && before != *c.Before && (c.MovedTo == "" || before != *disableStep(c).After):
		return fmt.Errorf("%s is not what the plan says it was", c.SID)
	}
	to := c.SID
	switch c.Action {
	case Delete:
		delete(m.has, c.SID)
		return nil
	case Create:
		for taken := true; taken; _, taken = m.has[to] {
			m.next++
			to = sid(c.Kind.SID, m.next)
		}
	}
	after := *c.After
	if other := m.collision(to, &after); enforce && other != "" {
		return fmt.Errorf("%s %q collides with %s", c.Action, c.ID, other)
	}
	m.has[to] = after
	return nil
}

func (m *model) snapshot() []state.Resource {
	var have []state.Resource
	for _, sid := range slices.Sorted(maps.Keys(m.has)) {
		have = append(have, state.Resource{SID: sid, AccountSID: "AC1", Object: m.has[sid]})
	}
	return have
}

func (m *model) collides() bool {
	for sid, o := range m.has {
		if m.collision(sid, &o) != "" {
			return true
		}
	}
	return false
}

// carryOut applies the plan to an account and fails the test when Twilio would
// refuse a write, in any reading of its rules, unless the account is not going to
// hold them anyway.
func carryOut(t *rapid.T, p *Plan, have []state.Resource) *model {
	end := newModel(have)
	for i := range p.Changes {
		if err := end.write(&p.Changes[i], false); err != nil {
			t.Fatal(err)
		}
	}
	for _, end.anyType = range []bool{false, true} {
		for _, end.held = range []bool{false, true} {
			m := newModel(have)
			m.anyType, m.held = end.anyType, end.held
			if end.collides() || m.held && m.collides() {
				continue
			}
			for i := range p.Changes {
				if err := m.write(&p.Changes[i], true); err != nil {
					t.Fatalf("%v\nafter %s", err, strings.Join(changes(p)[:i], "\n"))
				}
			}
		}
	}
	return end
}

func (w *world) input() Input {
	return Input{Config: w.config, Snapshot: snapshot(w.config.Kinds, pages{w.have}), MaxDeletes: anyDeletes, CreatedAt: someTime}
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
		m := carryOut(t, p, w.have)

		ignored := 0
		before := newModel(w.have).has
		for id, f := range before {
			if ignores(w.config.Ignore, &state.Resource{SID: id, Object: f}) {
				ignored++
				if m.has[id] != f {
					t.Fatalf("%s is ignored, and it was changed", id)
				}
			}
		}
		if len(m.has) != len(w.config.Resources)+ignored {
			t.Fatalf("%d are there, %d declared, %d ignored", len(m.has), len(w.config.Resources), ignored)
		}
		for i := range w.config.Resources {
			d := &w.config.Resources[i]
			id := d.SID
			for other, f := range m.has {
				if id == "" && f.Key() == d.Key() && !ignores(w.config.Ignore, &state.Resource{SID: other, Object: f}) {
					id = other
				}
			}
			is, there := m.has[id]
			if !there {
				t.Fatalf("%q is not there", d.ID())
			}
			was, existed := before[id]
			for i := range p.Changes {
				if c := &p.Changes[i]; !existed && c.Replaces != "" && c.Key == d.Key() {
					was, existed = before[c.Replaces], true
				}
			}
			for f := range d.Kind.In(d.Kind.All()) {
				want := d.Get(f)
				open := d.Object.Variant() == "" || d.IgnoreChanges.Has(d.Kind.Variant) && existed && was.Variant() != d.Object.Variant()
				switch {
				case !existed && f.Left && want == nil:
					continue
				case !existed:
				case open && d.Kind.Typed.Has(f):
					want = was.Get(f)
				case f.Left && want == nil:
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
		again.have = m.snapshot()
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
			if f := &w.config.Resources[i].Object; f.Kind == schema.Addresses {
				w.config.Resources[i].IgnoreChanges = 0
				set(f, "address_country", "US")
			} else if f.Variant() == "" {
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
		want := carryOut(t, p, w.have)
		m := newModel(w.have)
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
		again.have = m.snapshot()
		q := compute2(t, again.input())
		if len(q.Refusals) > 0 {
			t.Fatalf("the next run is refused: %v\nafter part of %q", q.Refusals, changes(p))
		}
		got := carryOut(t, q, again.have)
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
		cfg.Resources = rapid.Permutation(cfg.Resources).Draw(t, "declared")
		cfg.Ignore = rapid.Permutation(cfg.Ignore).Draw(t, "ignore")
		shuffled.Config = &cfg
		shuffled.Ignore = rapid.Permutation(in.Ignore).Draw(t, "--ignore")
		shuffled.Only = rapid.Permutation(in.Only).Draw(t, "--only")
		shuffled.CreatedAt = someTime
		var listing pages
		for _, r := range rapid.Permutation(w.have).Draw(t, "listing") {
			if len(listing) == 0 || rapid.Bool().Draw(t, "new page") {
				listing = append(listing, nil)
			}
			last := len(listing) - 1
			listing[last] = append(listing[last], r)
		}
		shuffled.Snapshot = snapshot(w.config.Kinds, listing)
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
			if !slices.ContainsFunc(cfg.Resources, func(d schema.Declared) bool { return g.MatchSID(d.SID) }) && schema.KindOf(g.String()) != nil {
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
			off := Change{Action: Delete, Key: c.Key, SID: c.SID} // in its place, --no-delete disables what moves
			if c.Step == "" && !planned[changeKey(c)] && !(in.NoDelete && c.MovedTo != "" && planned[changeKey(&off)]) {
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
					return slices.ContainsFunc(sides, g.MatchName) || g.MatchSID(c.SID) || g.MatchSID(c.Replaces)
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
	switch k := f.Claim(); {
	case k == schema.TypedClaim{}:
		return ""
	case anyType:
		return fmt.Sprintf("%q %q", k.Channel, k.Contact)
	default:
		return fmt.Sprintf("%q %q %q", k.Channel, k.Contact, k.Variant)
	}
}

// needs reports whether c ends up holding what o frees, in one of the readings. What
// another kind frees, c needs only if it did not hold it before.
func needs(c, o *Change, anyType bool) bool {
	if c.Kind != o.Kind {
		return holdsIn(c.After, true) != "" && holdsIn(c.Before, true) != holdsIn(c.After, true) &&
			o.Before.Claim().Route() == c.After.Claim().Route() && holdsIn(o.After, true) != holdsIn(o.Before, true)
	}
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
			unmanaged[d.Pos] = d.IgnoreChanges.Has(d.Kind.Enabled)
		}
		either := func(c, o *Change) bool { return needs(c, o, false) || needs(c, o, true) }
		var all, fixed []*Change
		steps := 0
		moves := map[string]bool{} // that begin with a step
		for i := range p.Changes {
			c := &p.Changes[i]
			if c.Step != "" && c.Source == nil {
				moves[c.SID] = true
				continue
			}
			if moves[c.SID] {
				if c.MovedTo == "" {
					t.Fatalf("%s is disabled for a moment, and it neither moves nor is declared", c.SID)
				}
				continue
			}
			if c.Step != "" {
				steps++
				if unmanaged[*c.Source] {
					t.Fatalf("%s is disabled for a moment, and nobody would enable it again", c.SID)
				}
				continue
			}
			all = append(all, c)
			if c.Action == Update && c.Source != nil && unmanaged[*c.Source] {
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
				case frees && (o.Step != "" || !stepped), c.Action == Update && o.CopyOf == c.SID,
					c.Replaces != "" && (o.CopyOf == c.Replaces || o.SID == c.Replaces && o.Action == Delete),
					c.MovedTo != "" && c.Action == Delete && o.Kind != c.Kind && o.Step == "" && o.ID == c.MovedTo && o.After.Claim().Route() == c.Before.Route():
					want = append(want, j)
				}
			}
			if diff := cmp.Diff(want, deps[i]); diff != "" {
				t.Fatalf("%s (-want +got):\n%s\n%s", changeKey(c), diff, strings.Join(changes(p), "\n"))
			}
			if len(want) > 0 && want[len(want)-1] >= i {
				t.Fatalf("%s waits for what is later", changeKey(c))
			}
		}
	})
}

// But for cycles, a plan is refused exactly when a declared resource cannot be told
// in the account: its pin is not there, or its name is there several times and not
// for the same content; or when an ignored one stands in the way of a create.
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
		for _, f := range w.have {
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
					if f.Key() == (schema.Key{Kind: d.Kind, ID: name}) && !slices.Contains(contents, f.Object) {
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
			if d.Kind == schema.Addresses && slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Action == Create && c.Key == d.Key() }) &&
				slices.ContainsFunc(w.have, func(r state.Resource) bool { return r.Key() == d.Key() && !there[r.SID] }) {
				want = append(want, RefuseDuplicateRemote)
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

// The summary counts the changes, and every resource of the account and of the
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
		if len(p.State)+got.Ignored != len(w.have) {
			t.Fatalf("%d are there, %d seen, %d ignored", len(w.have), len(p.State), got.Ignored)
		}
		twice := 0 // disabled and kept
		for i := range p.Changes {
			if c := &p.Changes[i]; c.Action == Update && c.MovedTo != "" {
				twice++
			}
		}
		if len(p.Refusals) == 0 && got.Update+got.Delete+got.Unchanged+got.Kept+got.Ignored-twice != len(w.have) {
			t.Fatalf("%d are there, and %+v", len(w.have), got)
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
		for i := range w.have {
			if rapid.IntRange(0, 5).Draw(t, "odd name") == 0 {
				r := &w.have[i]
				set(r, r.Kind.ID.Path, rapid.SampledFrom([]string{"", "a\nb", "yes", "${x}", "# x", sid("FO", 1), sid("FO", 2), sid("IG", 1), "*", "[", "::error::x", "\u202e"}).Draw(t, "name"))
			}
		}
		snap := snapshot(w.config.Kinds, pages{w.have})
		text := snap.Export(state.ExportOptions{}).Encode()
		cfg, err := schema.Load([]string{"-"}, schema.Options{Stdin: bytes.NewReader(text)})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		p := compute2(t, Input{Config: cfg, Snapshot: snap})
		if p.HasChanges() || len(p.Refusals) > 0 {
			t.Fatalf("%q %v\n%s", changes(p), p.Refusals, text)
		}
		if p.Summary.Unchanged+p.Summary.Ignored != len(w.have) || p.Summary.Unchanged != len(cfg.Resources) {
			t.Fatalf("%+v", p.Summary)
		}

		for i := range cfg.Resources {
			if cfg.Resources[i].SID != "" {
				return // duplicates are told apart by their SIDs, which another account does not have
			}
		}
		rebuilt := compute2(t, Input{Config: cfg, Snapshot: snapshot(w.config.Kinds, nil)})
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
		for i := range w.have { // what the YAML cannot take back: no integration, no creation_on_message, no country
			if f := &w.have[i].Object; f.Kind == schema.Addresses {
				set(f, "address_country", "US")
			} else if f.Variant() == "" {
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
		m := newModel(w.have)
		stops := rapid.Bool().Draw(t, "stops")
		for i := range p.Changes {
			if stops && p.Changes[i].Action == Delete {
				continue
			}
			if err := m.write(&p.Changes[i], false); err != nil {
				t.Fatal(err)
			}
		}
		restore := Input{Config: cfg, Snapshot: snapshot(w.config.Kinds, pages{m.snapshot()}), MaxDeletes: anyDeletes, CreatedAt: someTime}
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
		for i := range w.have {
			if ignores(cfg.Ignore, &w.have[i]) {
				undeclared = append(undeclared, w.have[i].Object)
			}
		}
		numbered := regexp.MustCompile(`( \(\d+\))?$`)
		contents := func(flows []state.Resource) (all []schema.Object) {
			for i := range flows {
				if f := flows[i].Object; len(f.Problems()) == 0 && !ignores(cfg.Ignore, &flows[i]) {
					set(&f, f.Kind.ID.Path, numbered.ReplaceAllString(f.ID(), ""))
					if !slices.Contains(undeclared, f) {
						all = append(all, f)
					}
				}
			}
			slices.SortFunc(all, func(a, b schema.Object) int { return strings.Compare(a.String(), b.String()) })
			return slices.Compact(all)
		}
		if diff := cmp.Diff(contents(w.have), contents(m.snapshot()), asText); diff != "" {
			t.Fatalf("(-before +restored):\n%s\n%s", diff, text)
		}
	})
}

func contentsByName(m *model) []schema.Object {
	var contents []schema.Object
	for _, r := range m.snapshot() {
		contents = append(contents, r.Object)
	}
	slices.SortStableFunc(contents, func(a, b schema.Object) int { return a.Key().Compare(b.Key()) })
	return contents
}

// Whatever the names: the document is JSON, and safe to print.
func TestLawJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorld(t)
		odd := rapid.OneOf(rapid.SampledFrom(hostile), rapid.String())
		for i := range w.have {
			if f := &w.have[i]; rapid.IntRange(0, 2).Draw(t, "odd one") == 0 {
				set(f, f.Kind.ID.Path, odd.Draw(t, "name"))
				set(f, f.Kind.Channel.Path, odd.Draw(t, "channel"))
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
