package plan

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
)

// Twilio refuses a second enabled flow of one channel type and contact identity
// (error 45210), so a write that enables a flow waits for the writes that free its
// identity. Twilio's documentation leaves open whether this also holds for flows
// of different integration types. One order serves both readings:
//
//   - The identity alone counts, so that a flow makes room for one of another
//     type.
//   - Where the account already lets flows of different types share an identity,
//     and one of them changes its type and keeps the identity, the identity with
//     the type counts as well.

// enters reports whether a resource that goes from one claim to another collides with
// the holder afterwards, in a reading in which it did not before. Backwards, from
// the claim after a change to the one before it, it reports whether the change
// makes room for the holder.
func enters(from, to, holder schema.TypedClaim) bool {
	return to != schema.TypedClaim{} && to.Meets(holder) &&
		(from.Claim != to.Claim || to == holder && from != to)
}

// TakesFrom reports whether the change takes an identity that the other one frees.
func (c *Change) TakesFrom(other *Change) bool {
	return enters(c.Before.Claim(), c.After.Claim(), other.Before.Claim()) &&
		enters(other.After.Claim(), other.Before.Claim(), c.After.Claim())
}

// Dependencies returns, for each change, the indexes of the others that have to
// succeed before it begins, ascending: those that free the identity that it
// claims, the disabling step of the same resource, the deletes of its copies, the
// delete of what it replaces, and, for a move, the change of what it moves to. It
// depends on the changes alone, so a saved plan gives the same. In a plan that is
// not refused, every change comes after those it depends on.
func Dependencies(changes []Change) [][]int {
	freers := make(map[schema.Claim][]int) // of the identity, or of its type, by route
	steps := make(map[string]int)
	copies := make(map[string][]int)
	deletes := make(map[string]int)
	final := make(map[schema.Key][]int) // the creates and the updates that are no steps
	for i := range changes {
		c := &changes[i]
		switch {
		case c.Step != "":
			steps[c.SID] = i
		case c.CopyOf != "":
			copies[c.CopyOf] = append(copies[c.CopyOf], i)
		}
		switch {
		case c.Step != "":
		case c.Action == Delete:
			deletes[c.SID] = i
		default:
			final[c.Key] = append(final[c.Key], i)
		}
	}
	stepOf := func(c *Change) (i int, ok bool) {
		if c.SID == "" || c.Step != "" {
			return 0, false
		}
		i, ok = steps[c.SID]
		return i, ok
	}
	for i := range changes {
		c := &changes[i]
		if _, done := stepOf(c); done {
			continue // its step frees what it held
		}
		if was := c.Before.Claim(); was != (schema.TypedClaim{}) && was != c.After.Claim() {
			freers[was.Route()] = append(freers[was.Route()], i)
		}
	}
	deps := make([][]int, len(changes))
	for i := range changes {
		c := &changes[i]
		is := c.After.Claim()
		for _, j := range freers[is.Route()] {
			o := &changes[j]
			if o.Kind != c.Kind && !c.TakesFrom(o) {
				continue // it has the identity already, and the delete waits for it
			}
			if j != i && enters(o.After.Claim(), o.Before.Claim(), is) {
				deps[i] = append(deps[i], j)
			}
		}
		if step, ok := stepOf(c); ok {
			deps[i] = append(deps[i], step)
		}
		switch {
		case c.Action == Update:
			deps[i] = append(deps[i], copies[c.SID]...)
		case c.Replaces != "":
			deps[i] = append(deps[i], copies[c.Replaces]...)
			if j, ok := deletes[c.Replaces]; ok {
				deps[i] = append(deps[i], j)
			}
		case c.Action == Delete && c.MovedTo != "":
			for _, k := range schema.Kinds {
				for _, j := range final[schema.Key{Kind: k, ID: c.MovedTo}] {
					if k != c.Kind && changes[j].After.Claim().Route() == c.Before.Route() {
						deps[i] = append(deps[i], j)
					}
				}
			}
		}
		slices.Sort(deps[i])
		deps[i] = slices.Compact(deps[i])
	}
	return deps
}

// order puts the changes in the order of execution: deletes of copies, extra
// steps, writes that others wait for, other updates, creates, one move after the
// other, the remaining deletes; by name and SID within each.
//
// The deletes of copies whose original changes come first, since a run that ends
// in between must not leave flows of one name that differ: the next run could not
// tell which one is right.
//
// A cycle, in which each write waits for the next, such as a swap of identities, is
// broken by an extra step that disables one of its flows first. A run may end
// after the step and leave the flow disabled, so the next run has to enable it
// again: unmanaged, the SIDs of the flows whose `enabled` stays as the account has
// it, are out of the question. Cycles of such flows alone are returned as stuck,
// each from its first flow by name on. A plan with these cannot be carried out.
func order(changes []Change, unmanaged map[string]bool) (ordered []Change, stuck [][]*Change) {
	deps := Dependencies(changes)
	out := make([]bool, len(changes)) // left out of the search for cycles
	breakAt := func(may func(i int) bool, broken func(cycle []int)) {
		for {
			found := cycles(deps, out)
			if len(found) == 0 {
				return
			}
			for _, cycle := range found {
				if slices.ContainsFunc(cycle, func(i int) bool { return out[i] }) {
					continue // it shares a flow with one that was broken
				}
				first := -1
				for at, i := range cycle {
					if may(i) && (first < 0 || before(&changes[i], &changes[cycle[first]])) {
						first = at
					}
				}
				out[cycle[first]] = true
				broken(slices.Concat(cycle[first:], cycle[:first]))
			}
		}
	}

	// Cycles that nothing breaks: those of unmanaged flows alone.
	free := func(i int) bool { return !unmanaged[changes[i].SID] }
	for i := range changes {
		out[i] = free(i)
	}
	severed := make([]bool, len(changes)) // nothing waits for it, since there is no order
	breakAt(func(int) bool { return true }, func(cycle []int) {
		severed[cycle[0]] = true
		var flows []*Change
		for _, i := range cycle {
			flows = append(flows, &changes[i])
		}
		stuck = append(stuck, flows)
	})

	copy(out, severed)
	all := slices.Clone(changes)
	breakAt(free, func(cycle []int) { all = append(all, disableStep(&changes[cycle[0]])) })
	return sortChanges(all, severed), stuck
}

// cycles returns cycles of changes that wait for each other, at least one if
// there are any; each change waits for the next one of its cycle, and the last
// for the first. Those that are out are passed over.
func cycles(deps [][]int, out []bool) (found [][]int) {
	const unseen, walking, walked = 0, 1, 2
	seen := make([]int8, len(deps))
	at := make([]int, len(deps)) // where a change that is being walked stands in path
	var path []int
	var walk func(i int)
	walk = func(i int) {
		seen[i], at[i] = walking, len(path)
		path = append(path, i)
		for _, j := range deps[i] {
			switch {
			case out[j]:
			case seen[j] == unseen:
				walk(j)
			case seen[j] == walking:
				found = append(found, slices.Clone(path[at[j]:]))
			}
		}
		path = path[:len(path)-1]
		seen[i] = walked
	}
	for i := range deps {
		if seen[i] == unseen && !out[i] {
			walk(i)
		}
	}
	return found
}

// sortChanges puts the changes after those that they depend on. Nothing waits for
// one that is severed.
func sortChanges(changes []Change, severed []bool) []Change {
	waits := make([]int, len(changes))  // how many changes each one still waits for
	next := make([][]int, len(changes)) // those that wait for it
	q := &queue{changes: changes, rank: make([]int, len(changes))}
	moving := make(map[string]bool) // SIDs
	for i := range changes {
		c := &changes[i]
		q.rank[i] = rankOf(c)
		// The links of a move follow each other, so that nobody waits for an identity
		// while others move.
		if c.MovedTo != "" {
			q.rank[i] = rankNeeded
			moving[c.SID] = true
		}
	}
	for i := range changes {
		if c := &changes[i]; c.Step != "" && moving[c.SID] {
			q.rank[i] = rankMove
		}
	}
	for i, deps := range Dependencies(changes) {
		for _, j := range deps {
			if j < len(severed) && severed[j] {
				continue
			}
			waits[i]++
			next[j] = append(next[j], i)
			if changes[j].CopyOf != "" && changes[j].CopyOf == changes[i].SID {
				q.rank[j] = rankCopy
			}
			if q.rank[j] != rankMove {
				q.rank[j] = min(q.rank[j], rankNeeded)
			}
		}
	}
	for i := range changes {
		if waits[i] == 0 {
			q.index = append(q.index, i)
		}
	}
	heap.Init(q)
	ordered := make([]Change, 0, len(changes))
	for q.Len() > 0 {
		i := heap.Pop(q).(int)
		ordered = append(ordered, changes[i])
		for _, j := range next[i] {
			if waits[j]--; waits[j] == 0 {
				heap.Push(q, j)
			}
		}
	}
	return ordered
}

// order puts the plan's changes in the order of execution, and refuses those that have
// none.
func (p *Plan) order(matches []match) {
	unmanaged := make(map[string]bool)
	for i := range matches {
		if mt := &matches[i]; mt.want != nil && mt.have != nil && mt.want.IgnoreChanges.Has(mt.want.Kind.Enabled) {
			unmanaged[mt.have.SID] = true
		}
	}
	var stuck [][]*Change
	p.Changes, stuck = order(p.Changes, unmanaged)
	for _, cycle := range stuck {
		p.refuseStuck(cycle)
	}
}

// refuseStuck refuses a plan for a cycle that cannot be broken.
func (p *Plan) refuseStuck(cycle []*Change) {
	const most = 5 // resources that are named
	var names []string
	for _, c := range cycle[:min(len(cycle), most)] {
		names = append(names, fmt.Sprintf("%s (%s)", safetext.Quote(c.ID), yamldoc.Pos{File: c.Source.File, Line: c.Source.Line}))
	}
	list := strings.Join(names, ", ")
	if more := len(cycle) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	p.Refusals = append(p.Refusals, Notice{Code: RefuseCycleUnmanaged, Source: cycle[0].Source, Message: fmt.Sprintf(
		"%s %s swap identities, so one of them has to be disabled for a moment; since all of them have `enabled` in `ignore_changes`, a run that ends at that moment would leave it disabled: remove `enabled` from `ignore_changes` for one of them, such as %s",
		cycle[0].Kind.Plural, list, safetext.Quote(cycle[0].ID))})
}

func disableStep(c *Change) Change {
	off := *c.Before
	off.Set(off.Kind.Enabled, false)
	return Change{
		Action: Update, Key: off.Key(), SID: c.SID, Step: StepDisable, Source: c.Source,
		Fields: diff(c.Before, &off), Before: c.Before, After: &off,
	}
}

func compare(a, b *Change) int {
	return cmp.Or(a.Key.Compare(b.Key), cmp.Compare(a.SID, b.SID))
}

func before(a, b *Change) bool { return compare(a, b) < 0 }

// Places in the order, among changes that wait for nothing.
const (
	rankCopy = iota // the delete of a copy whose original changes
	rankStep
	rankNeeded // others wait for it
	rankUpdate
	rankCreate
	rankMove // the step that begins a move
	rankDelete
)

func rankOf(c *Change) int {
	switch {
	case c.Step != "":
		return rankStep
	case c.Action == Update:
		return rankUpdate
	case c.Action == Create:
		return rankCreate
	}
	return rankDelete
}

// queue is the changes that wait for nothing, a heap with the next one first.
type queue struct {
	changes []Change
	rank    []int
	index   []int
}

func (q *queue) Len() int { return len(q.index) }
func (q *queue) Less(a, b int) bool {
	i, j := q.index[a], q.index[b]
	if q.rank[i] != q.rank[j] {
		return q.rank[i] < q.rank[j]
	}
	return before(&q.changes[i], &q.changes[j])
}
func (q *queue) Swap(a, b int) { q.index[a], q.index[b] = q.index[b], q.index[a] }
func (q *queue) Push(x any)    { q.index = append(q.index, x.(int)) }
func (q *queue) Pop() any {
	last := len(q.index) - 1
	x := q.index[last]
	q.index = slices.Delete(q.index, last, last+1)
	return x
}
