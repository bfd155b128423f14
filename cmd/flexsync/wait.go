package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// Ctrl-C ends whatever flexsync waits for. Requests know the context. What does
// not (the other end of a FIFO, a terminal, a reader that stalls) is awaited.

// errInterrupted is the error of what was left behind.
var errInterrupted = errors.New("interrupted")

// grace is how long a write may still take after an interruption: the report of
// an apply has to come through, and a reader that stalls must not hold it up.
const grace = time.Second

// await runs f, and leaves it behind with errInterrupted when interrupted is
// closed (it is a context's Done) and f does not return within patience from
// then. f must not touch what the caller goes on to use.
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

// stream is stdout or stderr, whose writes are awaited. An io.Writer gets no
// context, so a stream is made with the end of one.
type stream struct {
	interrupted <-chan struct{}
	w           io.Writer
	left        atomic.Bool // a write was left behind, and what follows cannot overtake it
}

func newStream(ctx context.Context, w io.Writer) *stream {
	return &stream{interrupted: ctx.Done(), w: w}
}

func (s *stream) Write(p []byte) (int, error) {
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
