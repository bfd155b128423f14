package flexapi

import "time"

const (
	// The budget of one request, apart from waits after a 429: if the API fails
	// quickly, it is spent within 40 seconds; if the API is silent, within six timeouts.
	maxTries    = 6
	maxTimeouts = 5
	maxWait     = 15*time.Second + 500*time.Millisecond // all waits between tries
	maxFailing  = 30 * time.Second                      // all waits, and tries that failed without a timeout
	firstWait   = 500 * time.Millisecond                // doubles with each try
)

// class is how one try ended.
type class int

const (
	accepted class = iota // carried out, and the answer is what was expected
	refused               // 429: not carried out
	rejected              // 3xx or another 4xx: a clear no
	failed                // 5xx, a timeout, a broken connection, a broken answer
	unusable              // 2xx, but not the expected answer; repeating it does not help
)

// budget is what a request has spent on tries that failed.
type budget struct {
	failures, timeouts int
	waited             time.Duration // between tries
	failing            time.Duration // waits, and tries that failed without a timeout
}

// decide says whether a request is sent again after a try, how long it waits
// before that, and what it has spent by then. random, in [0, 1), spreads the waits.
//
// It follows Twilio's advice: a 429 may always be repeated. A failure that leaves
// open whether the request was carried out may be repeated if a second time makes no
// difference. https://www.twilio.com/docs/api/errors/20500
func decide(do operation, o *outcome, b budget, random float64) (wait time.Duration, again bool, spent budget) {
	switch {
	case o.class == refused:
		return 0, true, b // the endpoint's limiter makes all requests wait
	case o.class != failed || o.final:
		return 0, false, b
	case do == create && o.open:
		return 0, false, b
	}
	b.failures++
	if o.timeout {
		b.timeouts++ // which was a long enough wait
		return 0, b.failures < maxTries && b.timeouts < maxTimeouts, b
	}
	// A random part of the step, but at least half of it: together the waits
	// have to outlast an outage of a few seconds.
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
