package emulator

import (
	"fmt"
	"sync"
)

// write is a change that waits for its turn. It answers with a function that
// takes the change back, or with an error when it changed nothing.
type write struct {
	change func(*account) (revert func(), err error)
	done   chan struct{} // closed once err is final
	err    error
}

// writeQueue gathers the writes that arrive while others are being kept, so
// that many of them cost one writing of the file.
type writeQueue struct {
	turn sync.Mutex // held by the one who carries writes out

	mu      sync.Mutex
	waiting []*write
}

func (q *writeQueue) push(w *write) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, w)
}

func (q *writeQueue) take() []*write {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := q.waiting
	q.waiting = nil
	return batch
}

// commit carries out a change and returns once it is kept, on disk if there is a
// file. Whoever's turn it is carries out all changes that wait; the others then
// find theirs done.
func (s *Server) commit(change func(*account) (revert func(), err error)) error {
	w := &write{change: change, done: make(chan struct{})}
	s.queue.push(w)

	s.queue.turn.Lock()
	defer s.queue.turn.Unlock()
	select {
	case <-w.done:
	default:
		s.carryOut(s.queue.take())
	}
	return w.err
}

// carryOut applies a batch and keeps it. If it cannot be kept, none of it
// happened, and all of it gets that error: what one of them was refused for may
// be the work of another that did not happen either.
func (s *Server) carryOut(batch []*write) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		for _, w := range batch {
			close(w.done)
		}
	}()
	fail := func(err error) {
		for _, w := range batch {
			w.err = err
		}
	}

	if s.file != nil {
		unlock, err := s.file.lock()
		if err != nil {
			fail(err)
			return
		}
		defer unlock()
		if err := s.reload(); err != nil {
			fail(err)
			return
		}
	}

	var reverts []func()
	for _, w := range batch {
		revert, err := w.change(s.acct)
		if err != nil {
			w.err = err
			continue
		}
		reverts = append(reverts, revert)
	}
	if len(reverts) == 0 {
		return
	}
	if s.file != nil {
		if err := s.file.write(s.acct.encode()); err != nil {
			for i := len(reverts) - 1; i >= 0; i-- {
				reverts[i]()
			}
			fail(err)
			return
		}
	}
	s.acct.flows.compact()
}

// view calls read on the account as it is now, on disk if there is a file. What
// read returns to its caller must not be changed.
func (s *Server) view(read func(*account)) error {
	if s.file != nil {
		s.mu.RLock()
		changed, err := s.file.changed()
		s.mu.RUnlock()
		if err == nil && changed {
			s.mu.Lock()
			err = s.reload()
			s.mu.Unlock()
		}
		if err != nil {
			return err
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	read(s.acct)
	return nil
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
	next.flows.after(s.acct.flows)
	next.services.after(s.acct.services)
	next.studioFlows.after(s.acct.studioFlows)
	next.workspaces.after(s.acct.workspaces)
	s.acct = next
	return nil
}
