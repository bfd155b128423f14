package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"flexsync/internal/flexapi"
	"flexsync/plan"
)

// carryOut writes the changes: each once those it depends on are done, in the plan's
// order where several could begin, with at most Parallelism requests under way. A
// change that the API's rate limit holds back does not count for that, so that the
// limits of creates, updates and deletes run side by side.
// The deletes that nothing depends on come last, and only when all else succeeded. A
// move is a chain of its own: its delete needs no more than what it moves to.
//
// proven says that the account's own flows have shown which account it is.
// Otherwise the first answer to a create does, and until then nothing else begins.
func (r *run) carryOut(ctx context.Context, proven bool) {
	changes := r.plan.Changes
	deps := plan.Dependencies(changes)
	needed := make([]bool, len(changes))
	for _, ds := range deps {
		for _, d := range ds {
			needed[d] = true
		}
	}
	var first, last []int
	for i := range changes {
		if c := &changes[i]; c.Action == plan.Delete && c.MovedTo == "" && !needed[i] {
			last = append(last, i)
		} else {
			first = append(first, i)
		}
	}
	ok := true
	for !proven && len(first) > 0 {
		ok = r.stage(ctx, first[:1], deps) && ok
		proven = r.results[first[0]].Status == Done
		first = first[1:]
	}
	ok = r.stage(ctx, first, deps) && ok
	r.enableAgain(ctx)
	if ok {
		r.stage(ctx, last, deps)
		return
	}
	for _, i := range last {
		r.results[i].Note = "not deleted, because another change did not succeed"
		r.observe(r.results[i].Result)
	}
}

func (r *run) observe(res Result) {
	if r.opts.Observe != nil {
		r.opts.Observe(res)
	}
}

// stage carries out the changes of the given indexes, which are ascending, and
// reports whether all of them succeeded.
func (r *run) stage(ctx context.Context, indexes []int, deps [][]int) bool {
	type ended struct {
		index int
		outcome
		slot *slot
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	outcomes := make(chan ended)
	slots := make(chan struct{}, max(1, r.opts.Parallelism))
	pending := make(map[int]bool, len(indexes)) // not ended yet
	waiting := make(map[int][]int)              // change → those that wait for it
	ready := make(map[plan.Action][]int)        // not known to wait for any, ascending
	running := make(map[plan.Action]int)        // begun; at most as many of each as there are slots
	action := func(i int) plan.Action { return r.plan.Changes[i].Action }
	for _, i := range indexes {
		pending[i] = true
		ready[action(i)] = append(ready[action(i)], i)
	}
	ok := true

	end := func(i int, o outcome) {
		r.results[i] = o
		delete(pending, i)
		ok = ok && o.Status == Done
		r.observe(o.Result)
		for _, next := range waiting[i] {
			list := ready[action(next)]
			at, _ := slices.BinarySearch(list, next)
			ready[action(next)] = slices.Insert(list, at, next)
		}
		delete(waiting, i)
	}
	// begin begins change i with a slot, unless it has to wait for another change or
	// cannot be begun at all.
	begin := func(i int) (begun bool) {
		skip := func(why string) {
			o := r.results[i]
			o.Note = "not started, because " + why + r.unanswered(i, deps[i])
			end(i, o)
		}
		for _, d := range deps[i] {
			if pending[d] {
				waiting[d] = append(waiting[d], i)
				return false
			}
			if needs := &r.results[d]; needs.Status != Done {
				skip(fmt.Sprintf("it depends on the %s of %s %q, which did not succeed", needs.Action, needs.Kind.Name, needs.ID))
				return false
			} else if r.plan.Changes[i].MovedTo != "" && len(needs.answered) > 0 && needs.Kind != r.results[i].Kind {
				skip(fmt.Sprintf("the response to the %s of %s %q was not as expected", needs.Action, needs.Kind.Name, needs.ID))
				return false
			}
		}
		switch {
		case r.stopped:
			skip("the credentials are for another account")
			return false
		case ctx.Err() != nil:
			skip("the run was interrupted")
			return false
		}
		o, s := r.results[i], &slot{slots: slots, held: true}
		go func() {
			outcomes <- ended{i, r.write(flexapi.WithSlot(ctx, s), o), s} // with its slot: nothing begins before this is known
		}()
		running[action(i)]++
		r.wrote = true
		return true
	}
	for len(pending) > 0 {
		next := -1
		for a, list := range ready {
			if len(list) > 0 && running[a] < cap(slots) && (next < 0 || list[0] < next) {
				next = list[0]
			}
		}
		var free chan<- struct{} // nil, which blocks, when nothing could begin
		if next >= 0 {
			free = slots
		}
		select {
		case free <- struct{}{}:
			ready[action(next)] = ready[action(next)][1:]
			if !begin(next) {
				<-slots
			}
		case o := <-outcomes:
			o.slot.Release()
			running[action(o.index)]--
			var other *otherAccountError
			if errors.As(o.Err, &other) {
				r.stopped = true
				stop() // also what waits for the API's limits
			}
			end(o.index, o.outcome)
		}
	}
	return ok
}

// slot is one of the requests that may be under way at once, see [flexapi.Slot].
type slot struct {
	slots chan struct{}
	held  bool
}

func (s *slot) Acquire(ctx context.Context) error {
	if s.held {
		return nil
	}
	select {
	case s.slots <- struct{}{}:
		s.held = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slot) Release() {
	if s.held {
		s.held = false
		<-s.slots
	}
}

// unanswered says of a change that is skipped that nobody answers its identity: its
// predecessor was deleted, or the resource that moves is off, found so by the plan.
func (r *run) unanswered(i int, deps []int) string {
	c := &r.plan.Changes[i]
	switch {
	case c.Replaces != "" && c.After.Enabled():
		for _, d := range deps {
			if r.results[d].SID == c.Replaces && r.results[d].Status == Done {
				return fmt.Sprintf("; NOBODY ANSWERS %s: %s was deleted, and nothing has taken its place", c.ID, c.Replaces)
			}
		}
	case c.Action == plan.Delete && c.MovedTo != "" && !c.Before.Enabled():
		for _, d := range deps {
			if to := &r.results[d]; to.Status != Done && (to.Before == nil || !to.Before.Enabled()) {
				identity := c.MovedTo
				if c.Kind.ByContact() {
					identity = c.ID
				}
				return fmt.Sprintf("; NOBODY ANSWERS %s: the %s is disabled, and the %s did not take its place", identity, c.Kind.Name, to.Kind.Name)
			}
		}
	}
	return ""
}

// enableAgain enables what was disabled to break a cycle whose later changes did not
// succeed, unless their identity is taken by now; and what was disabled for a move
// whose resource of the other kind is not there as it should be.
func (r *run) enableAgain(ctx context.Context) {
	changes := r.plan.Changes
	finals := make(map[string]int) // SID → the change that would have finished the resource
	for i := range changes {
		if changes[i].Step == "" && changes[i].SID != "" {
			finals[changes[i].SID] = i
		}
	}
	for i := range changes {
		c := &changes[i]
		if !c.Disables() || r.results[i].Status == Skipped || r.results[i].Status == Failed {
			continue
		}
		why := "the swap of identities did not succeed"
		taken := -1
		if j := r.movedBy(i); j >= 0 {
			to := &r.results[j]
			if to.Status == Done && len(to.answered) == 0 {
				continue
			}
			why = fmt.Sprintf("the %s of %s %q did not succeed", to.Action, to.Kind.Name, to.ID)
		} else {
			final, ok := finals[c.SID]
			if c.Step != plan.StepDisable || !ok || r.results[final].Status == Done || r.results[final].Status == Unknown {
				continue
			}
			taken = r.takenBy(i)
		}
		on := *c.After
		on.Set(on.Kind.Enabled, true)
		res := Result{Action: plan.Update, Key: c.Key, SID: c.SID, Step: StepEnable, Before: c.After}
		if j := taken; j >= 0 {
			res.Status = Failed
			res.Err = fmt.Errorf("the %s stays disabled, because %s %q has its identity now; run again to finish", c.Kind.Name, changes[j].Kind.Name, changes[j].ID)
		} else {
			// An interruption must not leave it disabled.
			var ms []Mismatch
			res, ms = r.update(context.WithoutCancel(ctx), &plan.Change{
				Action: plan.Update, Key: c.Key, SID: c.SID, Before: c.After, After: &on,
			}, res)
			r.results[i].answered = append(r.results[i].answered, ms...)
			if res.Status == Done {
				res.Note = why
				if c.Step == "" {
					r.enabled[c.SID] = &on
				}
			} else {
				res.Err = fmt.Errorf("the %s may still be disabled, and then no messages reach it; run again to enable it: %w", c.Kind.Name, res.Err)
			}
		}
		r.extra = append(r.extra, res)
		r.observe(res)
	}
}

// takenBy returns the index of a change that took, or may have taken, the identity
// that change i freed, or -1.
func (r *run) takenBy(i int) int {
	changes := r.plan.Changes
	for j := range changes {
		if changes[j].SID != changes[i].SID && changes[j].Kind == changes[i].Kind && changes[j].TakesFrom(&changes[i]) &&
			(r.results[j].Status == Done || r.results[j].Status == Unknown) {
			return j
		}
	}
	return -1
}

// movedBy returns the index of the change that gives the identity which change i
// frees to a resource of another kind, or -1.
func (r *run) movedBy(i int) int {
	changes := r.plan.Changes
	return slices.IndexFunc(changes, func(c plan.Change) bool { return c.Kind != changes[i].Kind && c.TakesFrom(&changes[i]) })
}
