package flexapi

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	// The budget of one request, waits for 429s apart: an API that fails
	// quickly ends it within 40 seconds, a silent one within six timeouts.
	maxTries    = 6
	maxTimeouts = 5
	maxWait     = 15*time.Second + 500*time.Millisecond // between tries, all together
	maxFailing  = 30 * time.Second                      // of waits and of tries that failed without a timeout
	firstWait   = 500 * time.Millisecond                // doubles with each try
)

// kind is how a request may be repeated after a failure that leaves open
// whether it was carried out. Twilio's advice per method:
// https://www.twilio.com/docs/api/errors/20500
type kind int

const (
	read   kind = iota // repeat, and abort at once when the context ends
	write              // repeat: it sets absolute values, or deletes
	create             // never repeat
)

// request is what one call of the API asks for, tries apart.
type request struct {
	kind   kind
	method string
	url    *url.URL
	form   url.Values // body of a POST
	expect int        // about how many bytes the answer has; 0 is not known
}

// call is one request on its way: it decides, between the tries, whether there
// is another one and when. It serves retryablehttp as policy, backoff and
// transport, since retryablehttp shows the request to none of the first two
// when a connection fails.
type call struct {
	client *Client
	request

	last    outcome // of the newest try
	tries   int
	open    bool // some try may have been carried out without a clear answer
	due     bool // another try is due and was not begun
	gateErr error

	failures, timeouts int
	wait               time.Duration // before the next try
	waited             time.Duration // between tries
	failing            time.Duration // waits, and tries that failed without a timeout
	queued             time.Duration // in the pacer, 429 pauses included
}

// do carries a request through all its tries.
func (c *Client) do(ctx context.Context, r request) (Answer, error) {
	k := &call{client: c, request: r, due: true}
	var body any
	if r.method == http.MethodPost {
		body = []byte(r.form.Encode())
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, r.method, r.url.String(), body)
	if err != nil {
		return Answer{}, k.fail(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	c.authorize(req.Request)

	// A client of its own for each call costs one small allocation. Its
	// transport is not the real one, so that a failed call, upon which
	// retryablehttp closes idle connections, does not close those of others.
	retrying := &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     k,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax:     1 << 30, // the budgets are in again
		CheckRetry:   func(ctx context.Context, _ *http.Response, _ error) (bool, error) { return k.again(ctx), nil },
		Backoff:      func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return k.wait },
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	resp, err := retrying.Do(req)
	if resp != nil {
		resp.Body.Close() // in memory: k.last has it
	}
	switch stopped := ctx.Err(); {
	case stopped != nil && (k.due || k.kind == read && k.last.class == failed):
		return Answer{}, k.fail(stopped)
	case k.due && k.gateErr != nil:
		return Answer{}, k.fail(k.gateErr)
	case k.due:
		return Answer{}, k.fail(err) // net/http refused to send it
	case k.last.class != accepted:
		return Answer{}, k.fail(nil)
	}
	return Answer{Body: k.last.body, Status: k.last.status, Attempts: k.tries, RequestID: k.last.requestID}, nil
}

// again decides whether there is another try, and sets the wait before it.
func (k *call) again(ctx context.Context) bool {
	if k.due { // the try was not begun: the context ended or the pacer gave up
		return false
	}
	if k.kind != read && k.last.open {
		k.open = true
	}
	k.wait = 0
	switch {
	case k.last.class == refused:
		// The pacer makes everyone wait, this request too.
		k.due = true
	case k.last.class != failed || k.last.final:
	case k.kind == create && k.last.open:
	default:
		k.due = k.backOff()
	}
	return k.due && ctx.Err() == nil
}

// backOff spends from the request's budget and reports whether it lasted.
func (k *call) backOff() bool {
	k.failures++
	if k.last.timeout {
		k.timeouts++ // long enough a wait in itself
	} else {
		// Between half and the whole of the step: spread out, and in sum
		// never so short that a hiccup of a few seconds outlives all tries.
		step := firstWait << (k.failures - 1)
		k.wait = step/2 + rand.N(step/2)
		if k.last.retryAfter > 0 {
			k.wait = k.last.retryAfter
		}
		k.wait = min(k.wait, maxWait-k.waited)
		k.waited += k.wait
		k.failing += k.last.took + k.wait
		if k.last.retryAfter > 0 && k.wait <= 0 {
			return false
		}
	}
	return k.failures < maxTries && k.timeouts < maxTimeouts && k.failing <= maxFailing
}
