package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// Ctrl-C ends everything that flexsync waits for. Requests end with the context;
// what takes no context (a FIFO, a terminal, a reader that stalls) goes through
// await.

// errInterrupted is the error of what an interruption ended.
var errInterrupted = errors.New("interrupted")

// grace is the grace period of a write after an interruption: the report of an
// apply still gets through, but a reader that stalls cannot hold up the exit.
const grace = time.Second

// await runs f. When interrupted (a context's Done) is closed and f does not return
// within patience from then, await returns errInterrupted and f goes on in the
// background: it must not touch what the caller still uses.
func await[T any](interrupted <-chan struct{}, patience time.Duration, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-interrupted:
	}
	select {
	case r := <-done:
		return r.value, r.err
	case <-time.After(patience):
		var none T
		return none, errInterrupted
	}
}

// stream is stdout or stderr. An interruption ends its writes: an io.Writer takes no
// context, so it is made with the Done of one.
type stream struct {
	interrupted <-chan struct{}
	w           io.Writer
	left        atomic.Bool // a write goes on in the background, and no other may overtake it
	status      *status     // its line makes room for what is written; nil: there is none
}

func newStream(ctx context.Context, w io.Writer) *stream {
	return &stream{interrupted: ctx.Done(), w: w}
}

func (s *stream) Write(p []byte) (int, error) {
	if s.status != nil {
		return s.status.around(p, s.write)
	}
	return s.write(p)
}

func (s *stream) write(p []byte) (int, error) {
	if s.left.Load() {
		return 0, errInterrupted
	}
	p = bytes.Clone(p)
	n, err := await(s.interrupted, grace, func() (int, error) { return s.w.Write(p) })
	if errors.Is(err, errInterrupted) {
		s.left.Store(true)
	}
	return n, err
}
