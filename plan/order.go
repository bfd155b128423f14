package plan

import (
	"cmp"
	"container/heap"
	"slices"

	"flexsync/schema"
)

// Twilio refuses a second enabled flow of the same channel type, contact
// identity and integration type (error 45210), so a write that takes an
// identity has to wait for the write that frees it.

// claimOf is the claim of a side of a change that may not be there.
func claimOf(f *schema.Flow) schema.Claim {
	if f == nil {
		return schema.Claim{}
	}
	return f.Claim()
}

func (c *Change) frees() (k schema.Claim, ok bool) {
	k = claimOf(c.Before)
	return k, k != schema.Claim{} && k != claimOf(c.After)
}

func (c *Change) takes() (k schema.Claim, ok bool) {
	k = claimOf(c.After)
	return k, k != schema.Claim{} && k != claimOf(c.Before)
}

// order puts the changes in the order of execution: writes that free an
// identity which a later write needs, other updates, creates, the remaining
// deletes; by name and SID within each. A swap of identities among flows, in
// which each waits for the next, is broken by an extra step that disables one
// of them first.
//
// Before all of them come the deletes of copies whose kept flow is changed or
// switched off: a run that ends in between must not leave flows of one name
// that differ, since the next run could not tell which is meant.
func order(changes []Change) []Change {
	updated := make(map[string]bool)
	for i := range changes {
		if changes[i].Action == Update {
			updated[changes[i].SID] = true
		}
	}
	var copies, rest []Change
	for _, c := range changes {
		if c.CopyOf != "" && updated[c.CopyOf] {
			copies = append(copies, c)
		} else {
			rest = append(rest, c)
		}
	}
	slices.SortFunc(copies, func(a, b Change) int { return compare(&a, &b) })
	return append(copies, orderByIdentity(rest)...)
}

func orderByIdentity(changes []Change) []Change {
	freers := make(map[schema.Claim][]int)
	for i := range changes {
		if k, ok := changes[i].frees(); ok {
			freers[k] = append(freers[k], i)
		}
	}
	waits := make([]int, len(changes))  // how many writes each one still waits for
	next := make([][]int, len(changes)) // who waits for it
	rank := make([]int, len(changes))
	for i := range changes {
		rank[i] = rankOf(changes[i].Action)
	}
	for i := range changes {
		k, ok := changes[i].takes()
		if !ok {
			continue
		}
		for _, j := range freers[k] {
			if j != i {
				waits[i]++
				next[j] = append(next[j], i)
				rank[j] = 0
			}
		}
	}

	ordered := breakRings(changes, waits, next, rank)

	q := &queue{changes: changes, rank: rank}
	for i := range changes {
		if waits[i] == 0 {
			q.index = append(q.index, i)
		}
	}
	heap.Init(q)
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

// breakRings takes one write of each ring out of the waiting and returns the
// steps that make up for it. A step frees the identity in place of its write,
// which becomes one that nobody waits for.
func breakRings(changes []Change, waits []int, next [][]int, rank []int) (steps []Change) {
	left := slices.Clone(waits)
	done := make([]bool, len(changes)) // waits for no ring
	var ready []int
	for i := range changes {
		if left[i] == 0 {
			ready = append(ready, i)
		}
	}
	for count := 0; ; {
		for ; len(ready) > 0; count++ {
			i := ready[len(ready)-1]
			ready = ready[:len(ready)-1]
			done[i] = true
			for _, j := range next[i] {
				if left[j]--; left[j] == 0 {
					ready = append(ready, j)
				}
			}
		}
		if count == len(changes) {
			slices.SortFunc(steps, func(a, b Change) int { return compare(&a, &b) })
			return steps
		}
		for _, i := range rings(changes, next, done) {
			steps = append(steps, disableStep(&changes[i]))
			for _, j := range next[i] {
				waits[j]--
				if left[j]--; left[j] == 0 {
					ready = append(ready, j)
				}
			}
			next[i] = nil
			rank[i] = rankOf(Update)
		}
	}
}

// rings returns one write of every ring of writes that wait for each other:
// the first by name. Each write that is not done waits for another that is not
// done, so walking backwards from any of them ends in a ring.
func rings(changes []Change, next [][]int, done []bool) []int {
	prev := make(map[int]int)
	for i := range changes {
		if done[i] {
			continue
		}
		for _, j := range next[i] {
			prev[j] = i
		}
	}
	const unseen, walking, walked = 0, 1, 2
	seen := make([]int8, len(changes))
	var firsts []int
	for start := range changes {
		if _, waiting := prev[start]; !waiting {
			continue
		}
		i := start
		for ; seen[i] == unseen; i = prev[i] {
			seen[i] = walking
		}
		if seen[i] == walking { // came round: i is on a new ring
			first := i
			for j := prev[i]; j != i; j = prev[j] {
				if before(&changes[j], &changes[first]) {
					first = j
				}
			}
			firsts = append(firsts, first)
		}
		for i := start; seen[i] == walking; i = prev[i] {
			seen[i] = walked
		}
	}
	return firsts
}

func disableStep(c *Change) Change {
	off := *c.Before
	off.Enabled = false
	return Change{
		Action: Update, FriendlyName: c.Before.FriendlyName, SID: c.SID, Step: StepDisable, Source: c.Source,
		Fields: diff(c.Before, &off), Before: c.Before, After: &off,
	}
}

func compare(a, b *Change) int {
	return cmp.Or(cmp.Compare(a.FriendlyName, b.FriendlyName), cmp.Compare(a.SID, b.SID))
}

func before(a, b *Change) bool { return compare(a, b) < 0 }

// rankOf is an action's place where nothing waits for it; 0 is for the writes
// that others wait for.
func rankOf(a Action) int {
	switch a {
	case Update:
		return 1
	case Create:
		return 2
	}
	return 3
}

// queue is the writes that wait for nothing, the next one first.
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

// Dependencies returns, for each change, the earlier ones that have to succeed
// before it may begin: those that free the identity it takes, earlier steps of
// the same flow, and the deletes of its copies. It is derived from the changes
// alone, so a saved plan has the same.
func Dependencies(changes []Change) [][]int {
	deps := make([][]int, len(changes))
	freers := make(map[schema.Claim][]int)
	steps := make(map[string]int)
	copies := make(map[string][]int)
	for i := range changes {
		c := &changes[i]
		if j, ok := steps[c.SID]; ok && c.SID != "" {
			deps[i] = append(deps[i], j)
		}
		if k, ok := c.takes(); ok {
			deps[i] = append(deps[i], freers[k]...)
		}
		if c.Action == Update {
			deps[i] = append(deps[i], copies[c.SID]...)
		}
		if c.CopyOf != "" {
			copies[c.CopyOf] = append(copies[c.CopyOf], i)
		}
		if c.SID != "" {
			steps[c.SID] = i
		}
		if k, ok := c.frees(); ok {
			freers[k] = append(freers[k], i)
		}
		slices.Sort(deps[i])
		deps[i] = slices.Compact(deps[i])
	}
	return deps
}
