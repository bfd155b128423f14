package flexapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// refusedFor is how long one request waits because of 429s, including all
	// pauses and queues. When an endpoint has refused every request for as long, no
	// request waits for it any more.
	refusedFor = 5 * time.Minute

	longestPause = time.Minute            // a longer Retry-After is cut
	firstPause   = 500 * time.Millisecond // limit of the first random pause; doubles with each refusal in a row
	probeFor     = 2 * time.Second        // how long others wait at most for the answer that ends a row

	// Rates are in requests per second, like Twilio's limits.
	rateMin     = 0.5
	rateUnknown = 2.0    // if the very first request is refused
	rateFree    = 1000.0 // at this rate the limiter turns off
	keep        = 0.97   // of the rate that worked

	// Each answer raises the rate by a step. While nothing is refused, the step
	// doubles: quickly after the first refusal, when the rate is a guess that may be
	// far too low; slowly once a rate has proved too high.
	firstStep    = 0.002
	largestStep  = 1.0
	doubleGuess  = time.Second
	doubleProven = 5 * time.Second
)

var (
	errRefusedTooLong = fmt.Errorf("rate limited: the API kept answering 429 for %.0f minutes", refusedFor.Minutes())
	errNoTime         = errors.New("rate limited: the API answers 429 and asks for a longer wait than the time that is left")
)

// limiter paces the requests to one endpoint. Twilio has a limit for each endpoint,
// and answers 429 (error 20429) above it.
//
// The limiter is off until the first refusal. Only the requests after the first
// answer wait briefly, until those that were sent together with the first one are
// answered: their answers give the best guess at the rate.
//
// A refusal pauses the endpoint: for as long as Retry-After says, or for a random
// time that grows with each refusal in a row. After that, requests are sent one by
// one, at the rate that has just worked, and each answer raises the rate by a step.
// The next refusal lowers it, at most by half. If requests that were already under
// way are refused too, that is the same burst and changes nothing.
//
// Requests queue for their turn. Only the one at the head watches the clock, so a
// change of pace takes effect with the next request.
type limiter struct {
	turn chan struct{} // full while a request is at the head of the queue

	mu       sync.Mutex
	pace     *rate.Limiter // nil while the limiter is off
	bursts   int           // bursts of refusals so far
	taken    []time.Time   // when requests of the last second were taken, not refused
	inRow    int           // bursts since a request was last taken
	firstRow time.Time     // when the first of them began
	slowed   time.Time     // when the rate was last lowered
	doubling time.Duration // how long the step takes to double since then
	until    time.Time     // end of the pause
	probing  time.Time     // until then, others wait for answers to those under way
	underWay int
	begun    bool          // all first requests are answered
	changed  chan struct{} // closed by the next change
}

func newLimiter() *limiter {
	return &limiter{turn: make(chan struct{}, 1), changed: make(chan struct{})}
}

// wait waits until a request may be sent, for left at most. It releases the slot
// while it waits, and returns with it acquired. Pass the burst to answered. The error
// is the context's, errRefusedTooLong, or at once errNoTime if the wait would go
// beyond the context's deadline.
func (l *limiter) wait(ctx context.Context, left time.Duration, s Slot) (burst int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if burst, ok := l.take(time.Now(), false); ok {
		return burst, nil
	}
	end, tooLong := time.Now().Add(left), errRefusedTooLong
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end, tooLong = deadline, errNoTime
	}
	limited, cancel := context.WithDeadlineCause(ctx, end, tooLong)
	defer cancel()
	ended := func() (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return 0, tooLong
	}
	s.Release()
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-limited.Done():
		return ended()
	}
	for {
		now := time.Now()
		due, changed, hopeless := l.due(now)
		switch {
		case !due.After(now):
			if s.Acquire(limited) != nil {
				return ended()
			}
			if burst, ok := l.take(time.Now(), true); ok {
				return burst, nil
			}
			continue
		case hopeless:
			return 0, errRefusedTooLong
		case due.After(end):
			return 0, tooLong
		}
		s.Release()
		timer := time.NewTimer(due.Sub(now))
		select {
		case <-timer.C:
		case <-changed:
		case <-limited.Done():
		}
		timer.Stop()
		if limited.Err() != nil {
			return ended()
		}
	}
}

// due is the earliest time of the next request, unless changed is closed before.
// hopeless reports that the endpoint has only refused for as long as a request waits.
func (l *limiter) due(now time.Time) (due time.Time, changed <-chan struct{}, hopeless bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next(now), l.changed, l.inRow > 0 && now.Sub(l.firstRow) >= refusedFor
}

func (l *limiter) next(now time.Time) time.Time {
	switch {
	case now.Before(l.until):
		return l.until
	case now.Before(l.probing):
		return l.probing
	case l.pace == nil:
		return now
	}
	if missing := 1 - l.pace.TokensAt(now); missing > 0 {
		return now.Add(time.Duration(missing/float64(l.pace.Limit())*1e9) + time.Microsecond)
	}
	return now
}

// take lets a request go if it is due. Without its turn, a request may go only while
// the limiter is off.
func (l *limiter) take(now time.Time, turn bool) (burst int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !turn && l.pace != nil || l.next(now).After(now) {
		return 0, false
	}
	l.underWay++
	if l.pace != nil {
		l.pace.AllowN(now, 1)
		if l.inRow > 0 {
			l.probing = now.Add(probeFor)
		}
	}
	return l.bursts, true
}

// answered tells the limiter how a request ended: refused with 429, and after is the
// Retry-After (0: none); or taken by the API; or neither, as when the connection broke.
func (l *limiter) answered(burst int, refused, taken bool, after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, news := time.Now(), burst == l.bursts
	l.underWay--
	if news {
		l.probing = time.Time{}
		if l.begun = l.begun || refused || l.underWay == 0; !l.begun {
			l.probing = now.Add(probeFor)
		}
	}
	switch {
	case taken:
		l.taken = append(l.taken, now)
		worked := l.worked(now)
		switch {
		case news:
			l.inRow = 0
			l.speedUp(now)
		case l.pace != nil && (l.bursts == 1 || float64(l.pace.Limit()) < worked):
			l.pace.SetLimitAt(now, rate.Limit(worked)) // sent before the refusal, so it says more about the rate
		}
	case refused && news:
		if l.inRow == 0 {
			l.firstRow = now
			l.slowDown(now)
		}
		l.bursts++
		l.inRow++
		if after <= 0 {
			// A row that has only just begun is no reason for a long pause.
			row := max(time.Second, 2*now.Sub(l.firstRow))
			after = rand.N(min(firstPause<<min(l.inRow-1, 10), row)) + 1
		}
		l.pauseUntil(now.Add(min(after, longestPause)))
	case refused:
		l.pauseUntil(now.Add(min(after, longestPause)))
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *limiter) pauseUntil(t time.Time) {
	if t.After(l.until) {
		l.until = t
	}
}

// worked is a little less than the rate that has just worked.
func (l *limiter) worked(now time.Time) float64 {
	old := 0
	for old < len(l.taken) && now.Sub(l.taken[old]) >= time.Second {
		old++
	}
	l.taken = l.taken[old:]
	return max(rateMin, keep*float64(len(l.taken)))
}

func (l *limiter) slowDown(now time.Time) {
	worked := l.worked(now)
	if l.pace == nil {
		if len(l.taken) == 0 {
			l.pace = rate.NewLimiter(rateUnknown, 1)
		} else {
			l.pace = rate.NewLimiter(rate.Limit(worked), 1)
			l.pace.AllowN(now, 1) // the next request waits a whole interval
		}
		l.slowed, l.doubling = now, doubleGuess
		return
	}
	was := float64(l.pace.Limit())
	l.pace.SetLimitAt(now, rate.Limit(max(rateMin, was/2, min(worked, keep*was))))
	l.slowed, l.doubling = now, doubleProven
}

func (l *limiter) speedUp(now time.Time) {
	if l.pace == nil {
		return
	}
	step := min(largestStep, firstStep*math.Exp2(float64(now.Sub(l.slowed))/float64(l.doubling)))
	faster := l.pace.Limit() + rate.Limit(step)
	if faster >= rateFree {
		l.pace = nil
		return
	}
	l.pace.SetLimitAt(now, faster)
}

// Slot is one of a limited number of places for requests under way. Release does
// nothing if the slot is not held.
type Slot interface {
	Acquire(ctx context.Context) error
	Release()
}

type slotKey struct{}

// WithSlot tells requests that their caller holds a slot. A request that waits for
// the API's rate limit releases it until it may be sent, so that the limit of one
// endpoint does not hold up the requests to another. When such a request fails, its
// slot may already be released.
func WithSlot(ctx context.Context, s Slot) context.Context {
	return context.WithValue(ctx, slotKey{}, s)
}

func slotOf(ctx context.Context) Slot {
	if s, ok := ctx.Value(slotKey{}).(Slot); ok {
		return s
	}
	return noSlot{}
}

type noSlot struct{}

func (noSlot) Acquire(context.Context) error { return nil }
func (noSlot) Release()                      {}
