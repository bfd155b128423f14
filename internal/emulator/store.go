package emulator

import (
	"fmt"
	"slices"
)

// item is something that is listed. Items stand in the order of their creation,
// and their numbers grow along it: a page token is the number of the item that
// a page ended with, and stays good when that item is deleted.
type item interface {
	id() string
	seq() uint64
	setSeq(uint64)
}

// number is what every item embeds.
type number struct{ n uint64 }

func (n *number) seq() uint64     { return n.n }
func (n *number) setSeq(s uint64) { n.n = s }

// renumber gives the items of a document that was read again the numbers that
// they had, as far as the order allows, and the others numbers that were never
// used: tokens into the old list stay good. It returns the largest number used.
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

// find returns the item of a SID, and where it stands.
func find[T item](items []T, sid string) (found T, index int) {
	index = slices.IndexFunc(items, func(it T) bool { return it.id() == sid })
	if index >= 0 {
		found = items[index]
	}
	return found, index
}

// commit carries out a change and returns once it is kept, on disk if there is a
// file. What change does to the account's lists is undone when it fails, or when
// the account cannot be kept.
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

// view returns the account as it is now, on disk if there is a file. Nobody
// changes an account that was handed out: a commit makes another one.
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

// reload takes over what another process wrote to the file, if it did. s.mu is
// held.
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
