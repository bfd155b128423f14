package emulator

import (
	"iter"
	"slices"
	"sort"
)

// slot is one place in a table. Its number only ever grows along the table, so
// that a cursor can find its way back in a binary search, even to a place whose
// value is gone.
type slot[T any] struct {
	seq   uint64
	sid   string
	value T
	gone  bool
}

// table keeps values in the order of their creation and finds them by SID.
// Adding and removing are cheap however long it is: a removed slot stays, marked
// as gone, until half of the slots are.
type table[T any] struct {
	slots []*slot[T]
	bySID map[string]*slot[T]
	last  uint64 // the highest number handed out
	dead  int
}

func newTable[T any]() *table[T] {
	return &table[T]{bySID: make(map[string]*slot[T])}
}

func (t *table[T]) len() int { return len(t.bySID) }

func (t *table[T]) get(sid string) (*slot[T], bool) {
	s, ok := t.bySID[sid]
	return s, ok
}

// add puts a value at the end. The SID must be new.
func (t *table[T]) add(sid string, value T) *slot[T] {
	t.last++
	s := &slot[T]{seq: t.last, sid: sid, value: value}
	t.slots = append(t.slots, s)
	t.bySID[sid] = s
	return s
}

func (t *table[T]) remove(s *slot[T]) {
	s.gone = true
	delete(t.bySID, s.sid)
	t.dead++
}

// restore undoes remove. compact must not have come between them.
func (t *table[T]) restore(s *slot[T]) {
	s.gone = false
	t.bySID[s.sid] = s
	t.dead--
}

// compact forgets the removed slots once they are the larger part.
func (t *table[T]) compact() {
	if t.dead <= len(t.slots)/2 {
		return
	}
	t.slots = slices.DeleteFunc(t.slots, func(s *slot[T]) bool { return s.gone })
	t.dead = 0
}

// all iterates over the values in order.
func (t *table[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, s := range t.slots {
			if !s.gone && !yield(s.value) {
				return
			}
		}
	}
}

func (t *table[T]) values() []T {
	return slices.AppendSeq(make([]T, 0, t.len()), t.all())
}

// after numbers t so that cursors into old, an earlier state of the same table,
// stay good: a value that is in both keeps its number as long as the order
// allows, and the others get numbers that old never used.
func (t *table[T]) after(old *table[T]) *table[T] {
	last := uint64(0)
	t.last = old.last
	for _, s := range t.slots {
		if o, ok := old.bySID[s.sid]; ok && o.seq > last {
			s.seq = o.seq
		} else {
			t.last++
			s.seq = t.last
		}
		last = s.seq
	}
	return t
}

// cursor is a place between two slots: just after the slot it names, or just
// before it.
type cursor struct {
	before bool
	sid    string
	seq    uint64
}

// index is where the cursor stands in t.slots: the slots from there on come
// after it. The SID is looked up first, because another process may have
// renumbered the slots; the number tells where the slot was if it is gone.
func (t *table[T]) index(c cursor) int {
	seq := c.seq
	if s, ok := t.bySID[c.sid]; ok {
		seq = s.seq
	}
	if !c.before {
		seq++
	}
	return sort.Search(len(t.slots), func(i int) bool { return t.slots[i].seq >= seq })
}

// forward collects up to n slots from i on that match, and tells whether there
// are more.
func (t *table[T]) forward(i, n int, match func(T) bool) (found []*slot[T], more bool) {
	for ; i < len(t.slots); i++ {
		s := t.slots[i]
		if s.gone || !match(s.value) {
			continue
		}
		if len(found) == n {
			return found, true
		}
		found = append(found, s)
	}
	return found, false
}

// backward is forward in the other direction: up to n slots before i that
// match, in the table's order.
func (t *table[T]) backward(i, n int, match func(T) bool) (found []*slot[T], more bool) {
	for i--; i >= 0; i-- {
		s := t.slots[i]
		if s.gone || !match(s.value) {
			continue
		}
		if len(found) == n {
			more = true
			break
		}
		found = append(found, s)
	}
	slices.Reverse(found)
	return found, more
}
