package flexapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	maxBody      = 64 << 20 // of a success; a page of 1000 flows has about 0.5 MB
	maxErrorBody = 1 << 20
)

// request is one call of the API, however many tries it takes.
type request struct {
	do   operation
	of   Collection
	url  *url.URL
	form url.Values // body of a POST
}

// exchange is one request and its tries so far.
type exchange struct {
	client  *Client
	limiter *limiter
	request

	start  time.Time
	due    bool // the next try has not begun
	tries  int
	open   bool // a try without a clear answer may have been carried out
	last   outcome
	spent  budget
	wait   time.Duration // before the next try
	queued time.Duration // time in the limiter, including pauses

	// Of the current try:
	began    time.Time
	wire     context.Context // ends at the timeout
	cancel   context.CancelFunc
	trace    *connTrace
	location string // where a redirect leads
}

// outcome is the result of one try, after its answer was read to the end.
type outcome struct {
	class      class
	status     int // 0 when no answer began
	header     http.Header
	requestID  string // Twilio-Request-Id, for Twilio's support
	body       []byte
	err        error         // why there is no answer, or no usable one
	open       bool          // there is no clear answer, and it may have been carried out
	unmade     bool          // there was no connection
	final      bool          // another try would fail for the same reason
	timeout    bool          // it took longer than it may
	retryAfter time.Duration // 0: the API did not say
	took       time.Duration
}

// send carries a request through all its tries.
func (c *Client) send(ctx context.Context, r request) (Answer, error) {
	x := &exchange{client: c, limiter: c.limiterOf(r), request: r, start: time.Now(), due: true}
	defer x.tell(Event{Step: Ended})
	var body any
	if r.do.method() == http.MethodPost {
		body = []byte(r.form.Encode())
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, r.do.method(), r.url.String(), body)
	if err != nil {
		return Answer{}, x.fail(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	c.authorize(req.Request)

	// Each request has a client of its own: retryablehttp tells neither its policy
	// nor its backoff which request a connection broke for.
	retrying := &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     x,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax: math.MaxInt32, // decide has the budgets
		CheckRetry: func(ctx context.Context, resp *http.Response, err error) (bool, error) {
			return x.again(ctx, resp, err), nil
		},
		Backoff:      func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return x.wait },
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	resp, err := retrying.Do(req)
	if resp != nil {
		resp.Body.Close() // x.again has read it
	}
	switch stopped := ctx.Err(); {
	case stopped != nil && (x.due || r.do.reads() && x.last.class == failed):
		return Answer{}, x.fail(stopped)
	case x.due:
		return Answer{}, x.fail(err)
	case x.last.class != accepted:
		return Answer{}, x.fail(nil)
	}
	return Answer{Body: x.last.body, Status: x.last.status, Attempts: x.tries, RequestID: x.last.requestID}, nil
}

// RoundTrip makes one try: it waits for its turn and sends the request. The timeout
// also covers the reading of the answer, which comes later.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	start := time.Now()
	burst, err := x.limiter.wait(ctx, refusedFor-x.queued, slotOf(ctx))
	x.queued += time.Since(start)
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	x.due = false
	x.tries++
	x.tell(Event{Step: Sent})
	if !x.do.reads() {
		ctx = context.WithoutCancel(ctx) // the answer to a write is waited for
	}
	x.trace = &connTrace{}
	x.wire, x.cancel = context.WithTimeout(ctx, x.client.timeout)
	x.began = time.Now()
	resp, err := x.client.transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(x.wire, x.trace.hooks())))
	if err != nil {
		x.limiter.answered(burst, false, false, 0)
		return nil, err
	}
	refused := resp.StatusCode == http.StatusTooManyRequests
	x.limiter.answered(burst, refused, !refused && resp.StatusCode < 500, retryAfter(resp.Header, time.Now()))
	// net/http parses Location even if it may not follow the redirect, and fails if
	// it is not a URL.
	x.location = resp.Header.Get("Location")
	resp.Header.Del("Location")
	return resp, nil
}

// again reads the answer to a try and decides whether there is another try.
func (x *exchange) again(ctx context.Context, resp *http.Response, err error) bool {
	if x.due {
		return false // nothing was sent: the limiter gave up, or the context ended
	}
	x.last = x.hear(resp, err)
	x.last.took = time.Since(x.began)
	x.cancel()
	x.record(ctx)
	if !x.do.reads() && x.last.open {
		x.open = true
	}
	x.wait, x.due, x.spent = decide(x.do, &x.last, x.spent, rand.Float64())
	if !x.due || ctx.Err() != nil {
		return false
	}
	x.tell(x.waiting())
	return true
}

func (x *exchange) record(ctx context.Context) {
	attrs := []slog.Attr{
		slog.String("method", x.do.method()), slog.String("path", x.url.Path), slog.Int("try", x.tries),
		slog.Duration("duration", x.last.took.Round(time.Millisecond)),
	}
	if x.last.status != 0 {
		attrs = append(attrs, slog.Int("status", x.last.status), slog.String("request_id", x.last.requestID))
	}
	if x.last.err != nil {
		attrs = append(attrs, slog.Any("error", x.client.cleanErr(x.last.err)))
	}
	x.client.log.LogAttrs(ctx, slog.LevelInfo, "request", attrs...)
}

// hear reads an answer to its end and returns how the try ended.
func (x *exchange) hear(resp *http.Response, err error) outcome {
	if resp == nil {
		err = bare(err)
		o := outcome{class: failed, unmade: x.trace.neverMade(err)}
		o.open = !o.unmade && !speaksTLS(err)
		o.final = !o.open && stays(err)
		o.err = x.timedOut(&o, err)
		return o
	}
	o := outcome{status: resp.StatusCode, header: resp.Header, requestID: x.client.clean(resp.Header.Get("Twilio-Request-Id"), 128)}
	success := 200 <= o.status && o.status < 300
	limit := int64(maxErrorBody)
	if success {
		limit = x.client.maxBody
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	o.body = body
	switch {
	case x.do == remove && (success || o.status == http.StatusNotFound):
		o.body = nil
	case success && int64(len(body)) > limit:
		o.class, o.open, o.body = unusable, true, nil
		o.err = fmt.Errorf("the answer is larger than %d MiB", limit>>20)
	case success:
		x.judge(&o, err)
	case o.status == http.StatusTooManyRequests:
		o.class = refused
	case o.status >= 500:
		o.class, o.open = failed, true
		if o.status == http.StatusServiceUnavailable {
			o.retryAfter = retryAfter(o.header, time.Now())
		}
	default:
		o.class = rejected
		if x.url.Scheme == "http" && o.status == http.StatusBadRequest && wantsTLS.Match(body) {
			o.err, o.body = errSpeaksTLS, nil
		}
	}
	return o
}

// judge checks that a success is the JSON object that is expected.
func (x *exchange) judge(o *outcome, readErr error) {
	o.open = true
	switch {
	case readErr != nil:
		o.class = failed
		o.err = errors.New("the answer is incomplete: " + cause(x.timedOut(o, readErr)))
	case o.status != http.StatusOK && o.status != http.StatusCreated:
		o.class, o.err = unusable, errors.New("unexpected status")
	case !json.Valid(o.body):
		o.class, o.err = failed, errors.New("the answer is not valid JSON, or is incomplete")
	case bytes.TrimLeft(o.body, " \t\r\n")[0] != '{':
		o.class, o.err = unusable, errors.New("the answer is not a JSON object")
	default:
		o.open = false
	}
}

// timedOut returns the error of a try: err, unless it comes from the timeout.
func (x *exchange) timedOut(o *outcome, err error) error {
	if o.timeout = errors.Is(x.wire.Err(), context.DeadlineExceeded); o.timeout {
		return &timeoutError{x.client.timeout}
	}
	return err
}

// connTrace follows a try's connection. Without one, nothing can have been sent.
type connTrace struct{ asked, got atomic.Bool }

func (t *connTrace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { t.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.got.Store(true) },
	}
}

// neverMade reports whether a try failed before it had a connection: in the DNS
// lookup, the dial or the TLS handshake. If the transport does not support httptrace,
// the type of err decides; in doubt, the request may have been sent.
func (t *connTrace) neverMade(err error) bool {
	if t.asked.Load() || t.got.Load() {
		return !t.got.Load()
	}
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// retryAfter reads the header: seconds or a date, at most longestPause. It is 0 if
// the header is absent, invalid or in the past. A date is compared with the server's
// clock if the answer has a Date, else with now.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseInt(v, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(max(n, 0), int64(longestPause/time.Second))) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), longestPause)
}
