package flexapi

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// refusedFor is how long one request waits because of 429s, all pauses
	// and queues added up, and how long an endpoint may refuse every request
	// until all waiting for it ends.
	refusedFor = 5 * time.Minute

	longestPause = time.Minute            // whatever Retry-After says
	firstPause   = 500 * time.Millisecond // bound of the first random pause; doubles with each refusal in a row
	probeFor     = 2 * time.Second        // the most that others wait for the answer that ends a row

	// Rates are in requests a second, as Twilio's limits are.
	rateMin     = 0.5
	rateUnknown = 2.0    // when the very first request is refused
	rateFree    = 1000.0 // from here on the limiter is off
	keep        = 0.97   // of the rate that worked

	// Each answer raises the rate by a step, which doubles while nothing is
	// refused: soon as long as the rate is a guess from the first refusal, which
	// may be far too low, and slowly once a rate was found to be too much.
	firstStep    = 0.002
	largestStep  = 1.0
	doubleGuess  = time.Second
	doubleProven = 5 * time.Second
)

var (
	errRefusedTooLong = errors.New("rate limited: the API kept answering 429 for " + refusedFor.String())
	errNoTime         = errors.New("rate limited: the API answers 429 and asks for a longer wait than the time that is left")
)

// limiter is the pace of one endpoint: Twilio limits each for itself, and
// answers 429 (error 20429) beyond.
//
// It is off until the first refusal. Only the requests that follow the first
// answer wait a moment, until those sent together with the first one are answered,
// too: what they are told is the best guess at the rate.
//
// A refusal pauses the endpoint: as long as Retry-After says, else for a random
// time that grows with each refusal in a row. From then on requests go one by
// one, at the rate that was just seen to work, which each answer raises by a
// step. The next refusal lowers it again, by half at most. Refusals of requests
// that were under way when another came belong to the same burst, and change
// nothing.
//
// Requests queue for their turn; only the one at the head watches the clock,
// so that every change holds from the next request on.
type limiter struct {
	turn chan struct{} // full while someone is at the head of the queue

	mu       sync.Mutex
	pace     *rate.Limiter // nil while the limiter is off
	bursts   int           // refusals so far, each burst counted once
	taken    []time.Time   // requests that were not refused, within the last second
	inRow    int           // bursts with nothing taken in between
	firstRow time.Time     // when the first of them came
	slowed   time.Time     // when the rate went down last
	doubling time.Duration // of the steps up, since then
	until    time.Time     // end of the pause
	probing  time.Time     // until then, others wait for the answers of those under way
	underWay int
	begun    bool          // all answers to the first requests are there
	changed  chan struct{} // closed by the next change
}

func newLimiter() *limiter {
	return &limiter{turn: make(chan struct{}, 1), changed: make(chan struct{})}
}

// wait returns when a request may be sent, after left at most: with its slot,
// which it gives back while it waits. What it returns is for answered. It fails
// with the context's error, with errRefusedTooLong, or at once with errNoTime
// when the wait will outlast the context's deadline.
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
// hopeless says that nothing but refusals came for as long as a request would wait.
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

// take lets a request go, unless it is not due yet. Without a turn it may go
// only while the limiter is off.
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

// answered tells the limiter what became of a request that it let go: with
// refused, the API answered 429 and asked for the pause after (0: it did not
// say); with taken, the API took it. Neither is true of a broken connection.
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
			l.pace.SetLimitAt(now, rate.Limit(worked)) // sent before the refusal, it tells more about the rate
		}
	case refused && news:
		if l.inRow == 0 {
			l.firstRow = now
			l.slowDown(now)
		}
		l.bursts++
		l.inRow++
		if after <= 0 {
			// Short pauses in a row do not add up to a reason for a long one.
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

// worked is the rate that was just seen to work, less a little.
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
			l.pace.AllowN(now, 1) // the next one comes a whole gap later
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

// Slot is a place among a limited number of requests that are under way at once.
// Release does nothing when there is none to give back.
type Slot interface {
	Acquire(ctx context.Context) error
	Release()
}

type slotKey struct{}

// WithSlot tells requests that their caller holds a slot. A request that the
// API's rate limit holds back gives it to others until it may go, so that the
// limit of one endpoint does not hold up the requests of another. When such a
// request fails, its slot may be given back already.
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
