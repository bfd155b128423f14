package emulator

import (
	"fmt"
	"slices"
)

// item is something that is listed. Items are in the order of their creation, and
// so are their numbers: a page token contains the number of the item that a page
// ended with, and stays valid when that item is deleted.
type item interface {
	id() string
	seq() uint64
	setSeq(uint64)
}

// number is an item's number. Every item embeds it.
type number struct{ n uint64 }

func (n *number) seq() uint64     { return n.n }
func (n *number) setSeq(s uint64) { n.n = s }

// renumber gives the items of a document that was read again the numbers that
// they had, as far as the order allows, and gives the others new numbers: tokens of
// the old list stay valid. It returns the largest number used.
func renumber[T item](items, old []T, last uint64) uint64 {
	had := make(map[string]uint64, len(old))
	for _, o := range old {
		had[o.id()] = o.seq()
	}
	before := uint64(0)
	for _, it := range items {
		n := had[it.id()]
		if n <= before {
			last++
			n = last
		}
		it.setSeq(n)
		before = n
	}
	return last
}

// find returns the item with a SID and its index, -1 if it is not there.
func find[T item](items []T, sid string) (found T, index int) {
	index = slices.IndexFunc(items, func(it T) bool { return it.id() == sid })
	if index >= 0 {
		found = items[index]
	}
	return found, index
}

// commit carries out a change and returns once it is stored, on disk if there is a
// file. What change does to the account's lists is undone when it fails, or when
// the account cannot be written.
func (s *Server) commit(change func(*account) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		unlock, err := s.file.lock()
		if err != nil {
			return err
		}
		defer unlock()
		if err := s.reload(); err != nil {
			return err
		}
	}
	next := *s.acct
	for i, list := range next.records {
		next.records[i] = slices.Clone(list)
	}
	if err := change(&next); err != nil {
		return err
	}
	if s.file != nil {
		if err := s.file.write(next.encode()); err != nil {
			return err
		}
	}
	s.acct = &next
	s.remember()
	return nil
}

// view returns the account as it is now, on disk if there is a file. An account
// that was returned never changes: a commit makes a new one.
func (s *Server) view() (*account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		if err := s.reload(); err != nil {
			return nil, err
		}
	}
	return s.acct, nil
}

// reload reads the file again if another process wrote it. s.mu is held.
func (s *Server) reload() error {
	changed, err := s.file.changed()
	if err != nil || !changed {
		return err
	}
	seen := s.file.seen
	data, modified, err := s.file.read()
	if err != nil {
		return err
	}
	next, err := decodeAccount(data, s.acct.sid, modified)
	if err != nil {
		s.file.seen = seen // so that the next request meets the error too
		return fmt.Errorf("%s: %w", s.file.path, err)
	}
	next.renumber(s.acct)
	s.acct = next
	s.remember()
	return nil
}
