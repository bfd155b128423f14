package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"flexsync/internal/flexapi"
	"flexsync/plan"
)

// carryOut writes the changes: each as soon as those it depends on are done,
// in the plan's order where several could begin, at most Parallelism requests
// at once. A change whose endpoint is held back by the API's rate limit waits
// without a place among these, so that the limits of creates, updates and
// deletes run side by side.
// The deletes that nothing waits for come last, and only when all else
// succeeded. It reports whether any write was begun.
//
// proven says that the account's own flows have shown which account it is.
// Otherwise the first answer to a create is the proof, and until it has come
// nothing else is begun.
func (r *run) carryOut(ctx context.Context, proven bool) (wrote bool) {
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
		if changes[i].Action == plan.Delete && !needed[i] {
			last = append(last, i)
		} else {
			first = append(first, i)
		}
	}
	stage := func(indexes []int) bool { return r.stage(ctx, indexes, deps, &wrote) }
	ok := true
	for !proven && len(first) > 0 {
		ok = stage(first[:1]) && ok
		proven = r.results[first[0]].Status == Done
		first = first[1:]
	}
	ok = stage(first) && ok
	r.enableAgain(ctx)
	if ok {
		stage(last)
	} else {
		r.skip(last, "not deleted, because another change did not succeed")
	}
	return wrote
}

func (r *run) skip(indexes []int, why string) {
	for _, i := range indexes {
		if r.results[i].Status == Skipped && r.results[i].Note == "" {
			r.results[i].Note = why
			r.observe(r.results[i].Result)
		}
	}
}

func (r *run) observe(res Result) {
	if r.opts.Observe != nil {
		r.opts.Observe(res)
	}
}

// stage carries out the changes of the given indexes, which are ascending, and
// reports whether all of them succeeded.
func (r *run) stage(ctx context.Context, indexes []int, deps [][]int, wrote *bool) bool {
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
	waiting := make(map[int][]int)              // change → those that look at it next
	ready := make(map[plan.Action][]int)        // to be looked at, ascending
	running := make(map[plan.Action]int)        // as many of each as there are slots
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
	// look begins change i, or finds out why it cannot be begun. It holds a slot,
	// which goes to the change.
	look := func(i int) (begun bool) {
		for _, d := range deps[i] {
			if pending[d] {
				waiting[d] = append(waiting[d], i)
				return false
			}
			if r.results[d].Status != Done {
				res := r.results[i]
				res.Note = fmt.Sprintf("not begun, because it needs the %s of flow %q, which did not succeed", r.results[d].Action, r.results[d].FriendlyName)
				end(i, res)
				return false
			}
		}
		res := r.results[i]
		switch {
		case r.stopped:
			res.Note = "not begun, because the credentials are for another account"
			end(i, res)
			return false
		case ctx.Err() != nil:
			res.Note = "not begun, because of the interruption"
			end(i, res)
			return false
		}
		go func() {
			s := &slot{slots: slots, held: true}
			outcomes <- ended{i, r.write(flexapi.WithSlot(ctx, s), res), s} // with its slot: nothing begins before this is known
		}()
		return true
	}
	for len(pending) > 0 {
		next := -1
		for a, list := range ready {
			if len(list) > 0 && running[a] < cap(slots) && (next < 0 || list[0] < next) {
				next = list[0]
			}
		}
		take := slots
		if next < 0 {
			take = nil
		}
		var o ended
		select {
		case take <- struct{}{}:
			ready[action(next)] = ready[action(next)][1:]
			if look(next) {
				running[action(next)]++
				*wrote = true
			} else {
				<-slots
			}
			continue
		case o = <-outcomes:
		}
		o.slot.Release()
		running[action(o.index)]--
		var other *otherAccountError
		if errors.As(o.Err, &other) {
			r.stopped = true
			stop() // what waits for the API's limits, too
		}
		end(o.index, o.outcome)
	}
	return ok
}

// slot is a place among the requests that are under way at once.
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

// enableAgain switches on the flows that were switched off for a swap which
// then did not come about, unless their identity is taken by now.
func (r *run) enableAgain(ctx context.Context) {
	changes := r.plan.Changes
	finals := make(map[string]int) // SID → the change that would have finished the flow
	for i := range changes {
		if changes[i].Step == "" && changes[i].SID != "" {
			finals[changes[i].SID] = i
		}
	}
	for i := range changes {
		c := &changes[i]
		if c.Step != plan.StepDisable || r.results[i].Status == Skipped || r.results[i].Status == Failed {
			continue
		}
		final, ok := finals[c.SID]
		if !ok || r.results[final].Status == Done || r.results[final].Status == Unknown {
			continue
		}
		res := Result{Action: plan.Update, FriendlyName: c.FriendlyName, SID: c.SID, Step: StepEnable, Before: c.After}
		if j := r.takenBy(i); j >= 0 {
			res.Status = Failed
			res.Err = fmt.Errorf("the flow stays switched off: flow %q has its identity now; run again to finish", changes[j].FriendlyName)
		} else {
			// An interruption must not leave it off.
			var ms []Mismatch
			res, ms = r.update(context.WithoutCancel(ctx), &plan.Change{
				Action: plan.Update, FriendlyName: c.FriendlyName, SID: c.SID, Before: c.After, After: c.Before,
			}, res)
			r.results[i].answered = append(r.results[i].answered, ms...)
			switch res.Status {
			case Done:
				res.Note = "switched on again, because the swap of identities did not succeed"
			default:
				res.Err = fmt.Errorf("the flow may be switched off still, and then no messages reach it; run again to switch it on: %w", res.Err)
			}
		}
		r.extra = append(r.extra, res)
		r.observe(res)
	}
}

// takenBy returns a change that took, or may have taken, the identity that
// change i freed, or -1.
func (r *run) takenBy(i int) int {
	changes := r.plan.Changes
	for j := range changes {
		if changes[j].SID != changes[i].SID && changes[j].TakesFrom(&changes[i]) &&
			(r.results[j].Status == Done || r.results[j].Status == Unknown) {
			return j
		}
	}
	return -1
}
