package flexapi

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// refusedFor is how long one request waits because of 429s, all pauses
	// and queues added up, and how long an API may refuse every request until
	// all waiting ends.
	refusedFor = 5 * time.Minute

	longestPause  = time.Minute            // of one pause, whatever Retry-After says
	shortestPause = 500 * time.Millisecond // bound of the first random pause; doubles with each refusal in a row
	probeFor      = 2 * time.Second        // the most that others wait for a probe's answer

	// Rates are in requests a second. The first guess is what went through in
	// the last second, for limits are mostly meant per second; but a few
	// requests prove nothing.
	firstRateMin = 25.0
	rateMin      = 1.0
	rateFree     = 1000.0 // from here on the pacer is off

	keep       = 0.9  // of the rate that was refused, when it had held for a second
	keepLittle = 0.7  // when it had not
	doubleIn   = 3.0  // seconds, while no rate is known to be too much
	regainIn   = 16.0 // seconds, once it is
)

var (
	errRefusedTooLong = errors.New("rate limited: the API kept answering 429 for " + refusedFor.String())
	errNoTime         = errors.New("rate limited: the API answers 429 and asks for a longer wait than there is time for")
)

// pacer slows all requests of a client down together when the API answers 429
// (Twilio error 20429), and lets them speed up again by themselves. Before the
// first 429 it is off and costs an atomic load.
//
// A refusal pauses everyone: as long as Retry-After says, else for a random
// time that grows with each refusal in a row. When the pause was a guess, one
// request goes ahead as a probe. Then all follow at a rate. The
// first rate is a guess, what the API took in a second, and doubles in three
// seconds. A refusal at a rate tells that this one is too much: from then on
// the rate starts below it, nears it in 16 seconds, quickly and then slowly,
// and rises ever faster beyond (the curve of TCP CUBIC, RFC 9438). Refusals of
// requests that were under way when another came are of the same burst, and
// change nothing.
//
// Requests queue for their turn; only the one at the head watches the clock,
// so that every change of the rate or the pause holds from the next request on.
type pacer struct {
	on     atomic.Bool
	bursts atomic.Int64  // refusals that were news
	turn   chan struct{} // holds the token of whoever is at the head of the queue

	mu       sync.Mutex
	taken    window
	rate     float64       // at the time since; 0 is no limit
	tooMuch  float64       // the rate that was refused; 0 is not known
	since    time.Time     // end of the last pause
	next     time.Time     // the earliest time of the next request
	inRow    int           // refusals in a row
	firstRow time.Time     // when the first of them came
	probeDue bool          // the next request is a probe
	opened   bool          // the last probe was taken
	probe    chan struct{} // closed when the probe is answered; nil when none is out
	probeEnd time.Time
}

func newPacer() *pacer { return &pacer{turn: make(chan struct{}, 1)} }

// pass is the permission to send one request; it is given back with done.
type pass struct {
	bursts int64         // there had been when the request was sent
	probe  chan struct{} // not nil when the others wait for this one
}

// enter waits until a request may be sent, at most for left. It fails with the
// context's error, or with errRefusedTooLong; at once with errNoTime when the
// pause will outlast the context's deadline.
func (p *pacer) enter(ctx context.Context, left time.Duration) (pass, error) {
	if err := ctx.Err(); err != nil {
		return pass{}, err
	}
	sent := pass{bursts: p.bursts.Load()} // before on is read: see slowDown
	if !p.on.Load() {
		return sent, nil
	}
	end, tooLong := time.Now().Add(left), errRefusedTooLong
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end, tooLong = deadline, errNoTime
	}
	limited, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	ended := func() (pass, error) {
		if err := ctx.Err(); err != nil {
			return pass{}, err
		}
		return pass{}, tooLong
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-limited.Done():
		return ended()
	}
	for {
		if ctx.Err() != nil {
			return ended()
		}
		now := time.Now()
		given, until, probe := p.ask(now)
		if given != nil {
			return *given, nil
		}
		switch {
		case p.hopeless(now):
			return pass{}, errRefusedTooLong
		case until.After(end):
			return pass{}, tooLong
		}
		timer := time.NewTimer(until.Sub(now))
		select {
		case <-timer.C:
		case <-probe:
		case <-limited.Done():
			timer.Stop()
			return ended()
		}
		timer.Stop()
	}
}

// ask gives a pass, or the time at which to ask again and what may come before.
func (p *pacer) ask(now time.Time) (given *pass, until time.Time, probe <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case now.Before(p.since):
		return nil, p.since, nil
	case p.probeDue:
		p.probeDue = false
		p.probe = make(chan struct{})
		p.probeEnd = now.Add(probeFor)
		p.next = now.Add(time.Duration(float64(time.Second) / p.rate))
		return &pass{p.bursts.Load(), p.probe}, time.Time{}, nil
	case p.probe != nil && now.Before(p.probeEnd):
		return nil, p.probeEnd, p.probe
	}
	rate := p.rateAt(now)
	if rate >= rateFree || now.Sub(p.since) > refusedFor {
		p.rate, p.tooMuch, p.inRow = 0, 0, 0
		p.on.Store(false)
		return &pass{bursts: p.bursts.Load()}, time.Time{}, nil
	}
	if now.Before(p.next) {
		return nil, p.next, nil
	}
	// A late timer may be made up for, but not so much that two requests meet.
	gap := time.Duration(float64(time.Second) / rate)
	if late := now.Add(-min(gap/20, time.Millisecond)); p.next.Before(late) {
		p.next = late
	}
	p.next = p.next.Add(gap)
	return &pass{bursts: p.bursts.Load()}, time.Time{}, nil
}

// rateAt is what the rate has grown to since the last pause.
func (p *pacer) rateAt(now time.Time) float64 {
	t := max(0, now.Sub(p.since).Seconds())
	if p.tooMuch == 0 {
		return p.rate * math.Exp2(t/doubleIn)
	}
	x := t/regainIn - 1
	return p.tooMuch + (p.tooMuch-p.rate)*x*x*x
}

// hopeless reports whether all waiting is in vain: nothing but refusals came
// for as long as a request would wait.
func (p *pacer) hopeless(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inRow > 0 && now.Sub(p.firstRow) >= refusedFor
}

// done takes back a pass when the request has ended. With refused, the API
// answered 429 and asked for the pause after (0: it did not say). With taken,
// the API took the request. Neither is true of a broken connection.
func (p *pacer) done(ok pass, refused, taken bool, after time.Duration) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if ok.probe != nil && ok.probe == p.probe {
		close(p.probe)
		p.probe = nil
	}
	news := ok.bursts == p.bursts.Load()
	switch {
	case taken:
		p.taken.add(now)
		switch {
		case ok.probe != nil:
			p.opened, p.firstRow = true, now // no proof yet that the pause was long enough
		case news:
			p.inRow = 0
		case p.rate > 0 && p.tooMuch == 0:
			p.rate = p.guess(now)
		}
	case refused && news:
		p.slowDown(now)
		p.pause(now, after)
	case refused:
		if end := now.Add(min(after, longestPause)); end.After(p.since) {
			p.since, p.next = end, end
		}
	}
}

func (p *pacer) slowDown(now time.Time) {
	p.on.Store(true) // before the count: who sees the new one is to see this
	p.bursts.Add(1)
	p.inRow++
	opened := p.opened
	p.opened = false
	switch {
	case p.inRow == 1:
		p.firstRow = now
	case !opened || p.inRow == 2:
		// Nothing but the probe was taken since the last refusal: the pause was
		// too short, which says little about the rate unless it goes on.
		return
	}
	if p.rate == 0 {
		p.rate = p.guess(now)
		return
	}
	nominal := p.rateAt(now)
	if now.Sub(p.since) < time.Second {
		p.rate, p.tooMuch = keepLittle*nominal, nominal
	} else {
		// The rate may have grown beyond what was asked for, and what was taken
		// in a second that began slower is less than what could have been.
		real := min(nominal, max(firstRateMin, p.taken.sum(now)))
		p.rate, p.tooMuch = keep*real, 0.7*real+0.3*min(nominal, 2*real)
	}
	p.rate = max(p.rate, rateMin)
	p.tooMuch = max(p.tooMuch, p.rate)
}

// guess is a first rate. Answers that were under way when the refusal came
// still correct it.
func (p *pacer) guess(now time.Time) float64 { return max(firstRateMin, p.taken.sum(now)) }

func (p *pacer) pause(now time.Time, after time.Duration) {
	random := after <= 0
	if random {
		// Short pauses in a row do not add up to a reason for a long one.
		row := max(time.Second, 2*now.Sub(p.firstRow))
		bound := min(longestPause, shortestPause<<min(p.inRow-1, 10), row)
		after = rand.N(bound) + 1
	}
	p.since = now.Add(min(after, longestPause))
	p.next = p.since
	p.probeDue = random || p.inRow > 1 // else the API has said when
}

// window counts what happened in the last second, to a twentieth of it.
type window struct {
	slots [20]struct {
		tick int64
		n    int
	}
}

func (w *window) add(now time.Time) {
	tick := now.UnixMilli() / 50
	s := &w.slots[tick%20]
	if s.tick != tick {
		s.tick, s.n = tick, 0
	}
	s.n++
}

func (w *window) sum(now time.Time) float64 {
	oldest := now.UnixMilli()/50 - 19
	n := 0
	for _, s := range w.slots {
		if s.tick >= oldest {
			n += s.n
		}
	}
	return float64(n)
}
