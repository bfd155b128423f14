package flexapi

import (
	"errors"
	"fmt"
	"time"
)

// Event is a step of one request.
type Event struct {
	Request any // the same value in all events of one request; comparable
	Write   bool
	Step    Step

	// Of Waiting:
	Until  time.Time // when it is sent again at the earliest
	Reason string    // why: "connection refused", "HTTP 503", "rate limited"
	Retry  int       // which retry comes next, from 1; 0 after a 429
	Of     int       // how many retries there are at most; 0 after a 429
}

// Step is how far a request is.
type Step int

// The steps of a request. Sent and Waiting repeat with each try; Ended is the last,
// and the only one of a request that is never sent.
const (
	Sent    Step = iota // a try is under way
	Waiting             // it has failed, and there will be another one
	Ended
)

// tell tells the observer of a step.
func (x *exchange) tell(e Event) {
	if x.client.observe == nil {
		return
	}
	e.Request, e.Write = x, !x.do.reads()
	x.client.observe(e)
}

// waiting is the step between two tries.
func (x *exchange) waiting() Event {
	now := time.Now()
	e := Event{Step: Waiting, Until: now.Add(x.wait)}
	switch {
	case x.last.class == refused:
		e.Until, _, _ = x.limiter.due(now)
		e.Reason = "rate limited"
		return e
	case x.last.status != 0:
		e.Reason = fmt.Sprintf("HTTP %d", x.last.status)
	default:
		e.Reason = x.client.cleanErr(errors.New(cause(x.last.err))).Error()
	}
	e.Retry = x.spent.failures
	e.Of = x.spent.failures - 1 + min(maxTries-x.spent.failures, maxTimeouts-x.spent.timeouts)
	return e
}
