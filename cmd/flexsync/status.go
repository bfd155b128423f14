package main

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"flexsync/apply"
	"flexsync/internal/flexapi"
	"flexsync/internal/render"
	"flexsync/internal/safetext"
)

// status is what a run is doing: the requests of all its sessions, the changes of an
// apply, and the accounts of a fleet. On a terminal it is a line below everything else, from the first
// second on. Whatever is written to stdout or stderr takes its place.
type status struct {
	now   func() time.Time
	begun time.Time
	line  *stream // stderr, if it is a terminal that can clear a line; else nil
	width func() int
	stop  chan struct{}

	screen sync.Mutex // of the terminal; held while something is written
	shown  string     // the line that is on the screen
	inLine bool       // the cursor is in a line of others, such as a question

	mu                  sync.Mutex // of what follows; held for a moment only, since requests wait for it
	hidden              bool
	requests            map[any]*request // those that have not ended
	since               time.Time        // when the phase began: reading, applying, verifying
	asked               int              // requests in this phase
	wrote               bool             // a write was sent
	applying            bool
	total, done, failed int
	accounts            tally // of a fleet, in this phase
}

// tally counts the accounts of a fleet.
type tally struct{ all, underWay, done, failed int }

// request is a request that has not ended.
type request struct {
	sent, write bool
	waits       flexapi.Event // the last one before a retry; zero: none
}

const (
	quiet = time.Second            // a run that is over by then shows no line
	tick  = 100 * time.Millisecond // between two looks at what the line should be
)

// newStatus returns the status of a run. line is nil where no line is to be shown.
func newStatus(now func() time.Time, line *stream, width func() int) *status {
	s := &status{now: now, begun: now(), line: line, width: width, stop: make(chan struct{}), requests: make(map[any]*request)}
	if line != nil {
		go func() {
			ticker := time.NewTicker(tick)
			defer ticker.Stop()
			for {
				select {
				case <-ticker.C:
					s.screen.Lock()
					s.show()
					s.screen.Unlock()
				case <-s.stop:
					return
				}
			}
		}()
	}
	return s
}

// close removes the line for good.
func (s *status) close() {
	close(s.stop)
	s.hide()
}

// hide removes the line until the function that it returns is called: a person types.
func (s *status) hide() (unhide func()) {
	set := func(hidden bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hidden = hidden
	}
	set(true)
	s.screen.Lock()
	defer s.screen.Unlock()
	s.clear()
	return func() { set(false) }
}

// observe follows the requests of a session.
func (s *status) observe(e flexapi.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.requests[e.Request]
	if r == nil {
		if e.Step == flexapi.Ended {
			return
		}
		r = &request{write: e.Write}
		s.requests[e.Request] = r
		if s.asked == 0 && !s.applying && s.accounts.all == 0 {
			s.since = s.now()
		}
		s.asked++
	}
	switch e.Step {
	case flexapi.Sent:
		r.sent = true
		s.wrote = s.wrote || e.Write
	case flexapi.Waiting:
		r.sent, r.waits = false, e
	case flexapi.Ended:
		delete(s.requests, e.Request)
	}
}

// apply begins the phase in which changes are made.
func (s *status) apply(changes int) {
	s.mu.Lock()
	s.applying, s.total, s.since = changes > 0, changes, s.now()
	s.mu.Unlock()
	s.screen.Lock()
	s.inLine = false // the question is answered
	s.screen.Unlock()
}

// applied ends that phase.
func (s *status) applied() {
	s.mu.Lock()
	s.applying, s.total, s.done, s.failed, s.asked, s.accounts = false, 0, 0, 0, 0, tally{}
	s.mu.Unlock()
	s.screen.Lock()
	s.clear()
	s.screen.Unlock()
}

// result follows the changes. After the last one, the account is verified.
func (s *status) result(res *apply.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if res.Step == apply.StepEnable || res.Step == apply.StepSettle {
		return // none of the plan's
	}
	if res.Status == apply.Failed || res.Status == apply.Unknown {
		s.failed++
	}
	if s.done++; s.done == s.total {
		s.asked, s.since = 0, s.now()
	}
}

// fleet begins a phase in which all accounts of a fleet are worked on, side by side.
// Without any, it ends the phase.
func (s *status) fleet(accounts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts, s.since = tally{all: accounts}, s.now()
}

// account follows one account of a fleet; the function that it returns ends it.
func (s *status) account() (end func(failed bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts.underWay++
	return func(failed bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.accounts.underWay--
		s.accounts.done++
		if failed {
			s.accounts.failed++
		}
	}
}

// String is "12 of 100 accounts, 1 failed, 8 under way".
func (t tally) String() string {
	said := fmt.Sprintf("%d of %s", t.done, count(t.all, "account"))
	if t.failed > 0 {
		said += fmt.Sprintf(", %d failed", t.failed)
	}
	if t.underWay > 0 {
		said += fmt.Sprintf(", %d under way", t.underWay)
	}
	return said
}

// interrupted is what an apply says when it is interrupted.
func (s *status) interrupted() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	inFlight := 0
	for _, r := range s.requests {
		if r.sent && r.write {
			inFlight++
		}
	}
	const again = " Press Ctrl-C again to stop immediately."
	switch {
	case inFlight > 0:
		return fmt.Sprintf("finishing %s in flight.", count(inFlight, "write")) + again
	case s.wrote:
		return "no writes in flight; only the last check is left." + again
	}
	return "nothing was changed."
}

// text is the line. Between the requests of others, idle says that the line stays
// as it is.
func (s *status) text() (line string, idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	spent := now.Sub(s.since)
	switch {
	case s.hidden || now.Sub(s.begun) < quiet:
		return "", false
	case s.applying && (s.done < s.total || s.accounts.all > 0):
		line = "Applying: "
		if s.accounts.all > 0 {
			line += s.accounts.String() + "; changes: "
		}
		line += fmt.Sprintf("%d of %d", s.done, s.total)
		if s.failed > 0 {
			line += fmt.Sprintf(", %d failed", s.failed)
		}
		if s.done > 0 && s.done < s.total && spent >= 2*time.Second {
			line += ", " + span(spent/time.Duration(s.done)*time.Duration(s.total-s.done)) + " left"
		}
	case s.applying:
		line = fmt.Sprintf("Verifying: %s, %s", count(s.asked, "request"), span(spent))
	case s.accounts.all > 0:
		line = fmt.Sprintf("Reading: %s, %s", s.accounts, span(spent))
	case len(s.requests) == 0:
		return "", true
	default:
		line = fmt.Sprintf("Reading the account: %s, %s", count(s.asked, "request"), span(spent))
	}
	return line + s.waiting(now), false
}

// waiting is why a request is late: of several, that which waits longest.
func (s *status) waiting(now time.Time) string {
	var last *request
	for _, r := range s.requests {
		if !r.waits.Until.IsZero() && (last == nil || r.waits.Until.After(last.waits.Until)) {
			last = r
		}
	}
	if last == nil {
		return ""
	}
	e, in := &last.waits, ""
	if left := e.Until.Sub(now); left > 0 {
		in = " in " + span(left+time.Second-1)
	}
	reason := safetext.Line(e.Reason)
	switch {
	case e.Retry > 0:
		return fmt.Sprintf("; retry %d of %d%s: %s", e.Retry, e.Of, in, reason)
	case last.sent:
		return ""
	case in != "":
		return "; " + reason + ", next request" + in
	}
	return "; " + reason
}

// span is a duration: whole seconds, or whole minutes from 100 seconds on.
func span(d time.Duration) string {
	if d < 100*time.Second {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return fmt.Sprintf("%.0f min", math.Round(d.Minutes()))
}

// around writes with the line out of the way.
func (s *status) around(p []byte, write func([]byte) (int, error)) (int, error) {
	s.screen.Lock()
	defer s.screen.Unlock()
	s.clear()
	n, err := write(p)
	s.inLine = !strings.HasSuffix(string(p), "\n")
	s.show()
	return n, err
}

// show brings the line up to date. It is cut: a line that wraps could not be
// cleared, and the terminal shows a Ctrl-C behind it as "^C".
func (s *status) show() {
	line, idle := s.text()
	if idle || s.inLine || line == s.shown {
		return
	}
	s.clear()
	if line != "" {
		width := s.width()
		if width == 0 {
			width = 80
		}
		_, _ = s.line.write([]byte(render.Cut(line, max(1, width-3))))
		s.shown = line
	}
}

func (s *status) clear() {
	if s.shown != "" {
		_, _ = s.line.write([]byte(takeBack))
		s.shown = ""
	}
}

// takeBack clears the line that the cursor of a terminal is in.
const takeBack = "\r\x1b[K"
