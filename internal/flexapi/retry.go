package flexapi

import "time"

const (
	// The budget of one request, waits for 429s apart: an API that fails
	// quickly ends it within 40 seconds, a silent one within six timeouts.
	maxTries    = 6
	maxTimeouts = 5
	maxWait     = 15*time.Second + 500*time.Millisecond // between tries, all together
	maxFailing  = 30 * time.Second                      // of waits and of tries that failed without a timeout
	firstWait   = 500 * time.Millisecond                // doubles with each try
)

// class is what became of one try.
type class int

const (
	accepted class = iota // done, and the answer is the expected one
	refused               // 429: surely not carried out
	rejected              // 3xx or 4xx: a clear no
	failed                // 5xx, timeout, broken connection, broken answer
	unusable              // 2xx, but not the expected answer; repeating would not help
)

// budget is what a request has spent on tries that failed.
type budget struct {
	failures, timeouts int
	waited             time.Duration // between tries
	failing            time.Duration // waits, and tries that failed without a timeout
}

// decide says whether a request is sent again after a try, after what wait, and
// what it has spent then. A random number from 0 up to 1 spreads the waits.
//
// What may be repeated is Twilio's advice per method: a 429 always; a failure
// that leaves open whether the request was carried out, if repeating it comes
// to the same. https://www.twilio.com/docs/api/errors/20500
func decide(do operation, o *outcome, b budget, random float64) (wait time.Duration, again bool, spent budget) {
	switch {
	case o.class == refused:
		return 0, true, b // the endpoint's limiter makes everyone wait
	case o.class != failed || o.final:
		return 0, false, b
	case do == create && o.open:
		return 0, false, b
	}
	b.failures++
	if o.timeout {
		b.timeouts++ // long enough a wait in itself
		return 0, b.failures < maxTries && b.timeouts < maxTimeouts, b
	}
	// Between half and the whole of the step: spread out, and in sum never so
	// short that a hiccup of a few seconds outlives all tries.
	step := firstWait << (b.failures - 1)
	wait = step/2 + time.Duration(random*float64(step/2))
	if o.retryAfter > 0 {
		wait = o.retryAfter
	}
	wait = min(wait, maxWait-b.waited)
	b.waited += wait
	b.failing += o.took + wait
	return wait, wait > 0 && b.failures < maxTries && b.failing <= maxFailing, b
}
