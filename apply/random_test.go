package apply_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flexsync/apply"
	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
	"flexsync/plan"
	"flexsync/schema"
)

var (
	firstSeed = flag.Uint64("seed", 1, "first seed of TestRandomFaults")
	seeds     = flag.Int("seeds", 100, "how many seeds TestRandomFaults and TestRandomMoves try")
)

// Whatever goes wrong, and however often: every report is true, nothing is
// written that the plan did not show, and a run that nothing goes wrong in ends
// with exactly what is declared. To repeat a failure: -seed N -seeds 1.
func TestRandomFaults(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 50)
	}
	for seed := *firstSeed; seed < *firstSeed+uint64(n); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &schedule{t: t, Rand: rand.New(rand.NewPCG(seed, 0))}
				s.run()
			})
		})
	}
}

// schedule is one random course of events.
type schedule struct {
	*rand.Rand
	t *testing.T
	w *world
	// late says that requests of an earlier run may still arrive, and mixed that
	// a run was of another configuration.
	late, mixed bool
	// ends is what the account has to end as.
	ends []schema.Declared
	// crowd says that several runs are under way.
	crowd bool
	// lag is how late listings are, and ended is when a run last ended.
	lag   time.Duration
	ended time.Time
	// left says that a run of several configurations could not settle what it
	// made: it was interrupted, say, or its deletes failed.
	left bool
}

func (s *schedule) run() {
	var flows []map[string]any
	for _, d := range s.config() {
		flows = append(flows, inAccount(d))
		if s.IntN(6) == 0 {
			flows = append(flows, inAccount(d)) // a copy, left by a race
		}
	}
	if s.IntN(2) == 0 {
		s.lag = time.Duration(s.IntN(6000)) * time.Millisecond
	}
	s.w = newWorld(s.t, emulator.Options{
		Behaviour: emulator.Behaviour{
			Collisions: s.IntN(3) > 0, CollideAcrossTypes: s.IntN(2) == 0, ReplaceIntegration: s.IntN(2) == 0,
			NumbersAsStrings: s.IntN(4) == 0, NothingToClear: s.IntN(2) == 0, ListLag: s.lag,
		},
		Latency:     time.Duration(s.IntN(300)) * time.Millisecond,
		MaxPageSize: 1 + s.IntN(4),
	}, flows...)
	for range 1 + s.IntN(3) {
		want := s.config()
		s.breakable(want)
		s.ends = s.end(want)
		for range s.IntN(4) {
			if s.IntN(4) == 0 {
				s.faulty(want, s.config())
			} else {
				s.faulty(want)
			}
		}
		// Requests that are still on their way arrive before the run that has
		// to set everything right.
		s.w.setFault(nil)
		s.setLate(nil)
		time.Sleep(time.Minute)
		s.pin()
		if s.mixed {
			s.breakable(want)
			s.ends = s.end(want)
		}
		s.late, s.mixed = false, false
		for range 2 {
			// The first may meet what stands in the way of its order (45210
			// against a copy, say) and leave the rest to the second.
			r, _ := s.apply(s.t.Context(), want)
			time.Sleep(s.lag) // a plan is as good as its listing
			if r != nil && (r.Status == apply.Applied || r.Status == apply.Unchanged) {
				break
			}
		}
		if r, p := s.apply(s.t.Context(), want); r == nil || r.Status != apply.Unchanged || p.HasChanges() {
			s.t.Errorf("not settled: %s", describe(r))
		}
		s.w.mustEqual(s.ends)
	}
}

// breakable makes the cycles of a configuration such that they can be broken:
// where flows that leave enabled to the account swap, it does as the refusal says.
func (s *schedule) breakable(want []schema.Declared) {
	p, _, err := s.w.plan(s.t.Context(), s.w.client(), want)
	if err != nil {
		s.t.Fatal(err)
	}
	if slices.ContainsFunc(p.Refusals, func(n plan.Notice) bool { return n.Code == plan.RefuseCycleUnmanaged }) {
		for i := range want {
			want[i].IgnoreChanges = 0
		}
	}
}

// end is the account that a configuration leads to: what is left to the account
// is as it is now.
func (s *schedule) end(want []schema.Declared) []schema.Declared {
	on := map[string]bool{}
	for _, f := range s.w.flows() {
		on[f.ID()] = f.Enabled()
	}
	ends := slices.Clone(want)
	for i := range ends {
		d := &ends[i]
		if now, there := on[d.ID()]; there && d.IgnoreChanges.Has(schema.Flows.Enabled) {
			set(d, "enabled", now)
		}
	}
	return ends
}

// pin is what a person does about flows of one name that differ, which only runs
// of several configurations leave, and only when they could not finish.
func (s *schedule) pin() {
	if !s.mayDiffer() {
		return
	}
	s.left = false
	if err := s.w.server.Edit(func(flows []map[string]any) []map[string]any {
		seen := map[any]bool{}
		return slices.DeleteFunc(flows, func(f map[string]any) bool {
			twice := seen[f["friendly_name"]]
			seen[f["friendly_name"]] = true
			return twice
		})
	}); err != nil {
		s.t.Error(err)
	}
	time.Sleep(s.lag)
}

// mayDiffer reports whether the account may have two flows of a name that differ.
func (s *schedule) mayDiffer() bool { return s.left || s.late && s.mixed }

// config is a random configuration without a collision of its own.
func (s *schedule) config() []schema.Declared {
	var ds []schema.Declared
	identities := s.Perm(6)
	for i, n := range s.Perm(6)[:s.IntN(7)] {
		identity := fmt.Sprintf("+1555000000%d", identities[i])
		if identities[i] == 5 {
			identity = ""
		}
		ds = append(ds, studio(fmt.Sprintf("Flow %c", 'A'+n), identity, func(f *schema.Object) {
			set(f, "enabled", s.IntN(4) > 0)
			set(f, "long_lived", s.IntN(2) == 0)
			set(f, "integration.retry_count", s.Int64N(4))
			if s.IntN(4) == 0 {
				toTask(f)
				set(f, "integration.timeout", 60*s.Int64N(3))
				set(f, "integration.priority", s.Int64N(3))
				set(f, "integration.creation_on_message", s.IntN(2) == 0)
			}
		}))
		if d := &ds[len(ds)-1]; s.IntN(3) == 0 {
			d.IgnoreChanges = schema.Flows.Enabled.Bit()
		}
	}
	return ds
}

func (s *schedule) setLate(late func(*http.Request) time.Duration) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.late = late
}

// faulty is a run, or several at once, in which things go wrong. With others,
// runs of those configurations are under way at the same time.
func (s *schedule) faulty(want []schema.Declared, others ...[]schema.Declared) {
	rate := s.Float64() * 0.4
	var lateRate float64
	if s.IntN(3) == 0 && others == nil {
		lateRate, s.late = 0.1, true
	}
	// Drawn from under the world's lock, also by requests that outlive their run.
	dice := rand.New(rand.NewPCG(s.Uint64(), s.Uint64()))
	s.w.setFault(func(r *http.Request) emutest.Fault {
		if dice.Float64() > rate {
			return emutest.Fault{}
		}
		if dice.IntN(5) == 0 {
			return emutest.Fault{Status: 400}
		}
		return faults[dice.IntN(len(faults))].fault
	})
	s.setLate(func(r *http.Request) time.Duration {
		if isCreate(r) && dice.Float64() < lateRate {
			return time.Duration(dice.IntN(20000)) * time.Millisecond
		}
		return 0
	})
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	if s.IntN(4) == 0 {
		time.AfterFunc(time.Duration(s.IntN(10000))*time.Millisecond, cancel)
	}
	if s.IntN(3) == 0 { // to the account it is as if the process were killed
		pull := time.AfterFunc(time.Duration(s.IntN(3000))*time.Millisecond, func() { s.w.setCut(true) })
		defer func() {
			pull.Stop()
			s.w.setCut(false)
		}()
	}
	s.mixed = s.mixed || others != nil
	configs := append([][]schema.Declared{want}, others...)
	if s.IntN(4) == 0 {
		for range 1 + s.IntN(3) {
			configs = append(configs, configs[s.IntN(len(configs))])
		}
	}
	s.crowd = len(configs) > 1
	defer func() { s.crowd, s.ended = false, time.Now() }()
	if s.IntN(2) == 0 {
		time.Sleep(s.lag)
	}
	alone := !s.crowd && !s.late && time.Since(s.ended) > s.lag
	reports := make(chan *apply.Report)
	for _, config := range configs {
		go func() {
			begun := len(s.w.server.Requests())
			r, p := s.apply(ctx, config)
			defer func() { reports <- r }()
			if r == nil || !alone {
				return
			}
			s.onlyPlanned(p, r, begun)
			s.truthful(p, r)
			if r.Status == apply.Applied {
				if bad := s.w.differs(s.ends); bad != "" {
					s.t.Errorf("reported as applied, and %s\n%s", bad, describe(r))
				}
			}
		}()
	}
	for range configs {
		if r := <-reports; r != nil && others != nil {
			s.left = s.left || unfinished(r)
		}
	}
	if others != nil { // which leave enabled as they want it
		s.ends = s.end(want)
	}
}

// unfinished reports whether a run may have left a flow that it should have
// taken back.
func unfinished(r *apply.Report) bool {
	return r.ListErr != nil || r.Status == apply.Interrupted ||
		slices.ContainsFunc(r.Results, func(res apply.Result) bool {
			return res.Status == apply.Unknown || res.Step == apply.StepSettle && res.Status != apply.Done
		}) ||
		slices.ContainsFunc(r.Mismatches, func(m apply.Mismatch) bool { return strings.Contains(m.Note, "could not be fetched") })
}

// apply is one run; nil when planning failed or was refused.
func (s *schedule) apply(ctx context.Context, want []schema.Declared) (*apply.Report, *plan.Plan) {
	c := s.w.client()
	shown := time.Since(s.ended) > s.lag
	p, snap, err := s.w.plan(ctx, c, want)
	if err != nil {
		return nil, nil
	}
	if len(p.Refusals) > 0 {
		// Only flows that differ under one name can be refused here, and no
		// run of ours may leave those. A listing of several pages that another
		// run writes between may show what never was at one time; to refuse
		// that is right, and so it is when the listing is late.
		if !s.crowd && !s.mayDiffer() && shown {
			s.t.Errorf("refused: %v", p.Refusals)
		}
		return nil, nil
	}
	r, err := apply.Run(ctx, c, p, snap, apply.Options{Parallelism: 1 + int(time.Now().UnixNano()%4)})
	if err != nil {
		s.t.Error(err)
		return nil, nil
	}
	return r, p
}

// onlyPlanned holds every write that the account took against the plan.
func (s *schedule) onlyPlanned(p *plan.Plan, r *apply.Report, begun int) {
	allowed := map[string]bool{}
	for i := range p.Changes {
		c := &p.Changes[i]
		switch c.Action {
		case plan.Create:
			allowed["POST /v1/FlexFlows "+c.After.Form(nil).Encode()] = true
		case plan.Update:
			allowed["POST /v1/FlexFlows/"+c.SID+" "+c.After.Form(c.Before).Encode()] = true
		case plan.Delete:
			allowed["DELETE /v1/FlexFlows/"+c.SID+" "] = true
		}
	}
	for i := range r.Results {
		switch res := &r.Results[i]; res.Step {
		case apply.StepEnable:
			on := *res.Before
			set(&on, "enabled", true)
			allowed["POST /v1/FlexFlows/"+res.SID+" "+on.Form(res.Before).Encode()] = true
		case apply.StepSettle:
			allowed["DELETE /v1/FlexFlows/"+res.SID+" "] = true
		}
	}
	for _, req := range s.w.server.Requests()[begun:] {
		if req.Method == http.MethodGet {
			continue
		}
		if key := req.Method + " " + req.Path + " " + req.Form.Encode(); !allowed[key] {
			s.t.Errorf("%s was sent, and the plan does not show it", key)
		}
	}
}

// truthful holds every result against the account, after a run that was alone.
func (s *schedule) truthful(p *plan.Plan, r *apply.Report) {
	bySID := map[string]schema.Object{}
	byName := map[string]int{}
	for _, f := range s.w.flows() {
		bySID[f.SID] = f.Object
		byName[f.ID()]++
	}
	seen := map[string]bool{} // SIDs with a later step
	for i := len(p.Changes) - 1; i >= 0; i-- {
		c, res := &p.Changes[i], &r.Results[i]
		if c.SID != "" && seen[c.SID] || c.Step != "" {
			continue
		}
		seen[c.SID] = true
		have, there := bySID[res.SID]
		wrong := ""
		switch {
		case c.Action == plan.Create && res.Status == apply.Done && (!there || have != *c.After):
			wrong = "created, and the account does not show it"
		case c.Action == plan.Create && (res.Status == apply.Failed || res.Status == apply.Skipped) && byName[c.ID] > 0:
			wrong = "not created, and the account has it"
		case c.Action == plan.Update && res.Status == apply.Done && have != *c.After:
			wrong = "updated, and the account does not show it"
		case c.Action == plan.Update && (res.Status == apply.Failed || res.Status == apply.Skipped) && have == *c.After:
			wrong = "not updated, and the account shows it"
		case c.Action == plan.Delete && res.Status == apply.Done && there:
			wrong = "deleted, and it is still there"
		case c.Action == plan.Delete && (res.Status == apply.Failed || res.Status == apply.Skipped) && !there:
			wrong = "not deleted, and it is gone"
		}
		if wrong != "" {
			s.t.Errorf("%s %q: reported as %s (%v): %s", c.Action, c.ID, res.Status, res.Err, wrong)
		}
	}
	for name := range r.SIDs[schema.Flows] {
		if strings.TrimSpace(name) == "" || byName[name] == 0 {
			s.t.Errorf("flows has %q, and the account has not", name)
		}
	}
}
