package flexapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	maxBody      = 64 << 20 // of a success; a page of 1000 flows has about 0.5 MB
	maxErrorBody = 1 << 20
)

// class is what became of one try.
type class int

const (
	accepted class = iota // done, and the answer is what was due
	refused               // 429: surely not carried out
	rejected              // 3xx or 4xx: a clear no
	failed                // 5xx, timeout, broken connection, broken answer
	unusable              // 2xx, but not what was due; repeating would not help
)

// outcome is one try, its answer read to the end.
type outcome struct {
	class      class
	status     int // 0 when no answer began
	header     http.Header
	requestID  string // Twilio-Request-Id, for Twilio's support
	body       []byte
	err        error         // why there is no answer, or none to use
	open       bool          // it may have been carried out without a clear answer
	final      bool          // it failed for a reason that stays
	timeout    bool          //
	retryAfter time.Duration // 0 is none
	took       time.Duration
}

// RoundTrip makes one try: it waits for its turn, sends the request under the
// timeout, and reads the answer into memory. The response it returns only
// tells net/http that there was one; k.last holds what counts.
func (k *call) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, c := req.Context(), k.client
	start := time.Now()
	pass, err := c.pace.enter(ctx, refusedFor-k.queued)
	k.queued += time.Since(start)
	if err != nil {
		k.gateErr = err
		return nil, err
	}
	k.due = false
	k.tries++

	wire := ctx
	if k.kind != read {
		wire = context.WithoutCancel(ctx) // a write that is sent is heard out
	}
	wire, cancel := context.WithTimeout(wire, c.timeout)
	defer cancel()
	start = time.Now()
	k.last = k.try(req.WithContext(wire))
	k.last.took = time.Since(start)
	c.pace.done(pass, k.last.class == refused, k.last.class != refused && k.last.status != 0 && k.last.status < 500, k.last.retryAfter)
	k.record(ctx)

	if k.last.status == 0 {
		return nil, k.last.err
	}
	return &http.Response{
		StatusCode: k.last.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{}, // without Location, net/http looks for no redirect
		Body:    http.NoBody,
		Request: req,
	}, nil
}

func (k *call) record(ctx context.Context) {
	attrs := []slog.Attr{
		slog.String("method", k.method), slog.String("path", k.url.Path), slog.Int("try", k.tries),
		slog.Duration("duration", k.last.took.Round(time.Millisecond)),
	}
	if k.last.status != 0 {
		attrs = append(attrs, slog.Int("status", k.last.status), slog.String("request_id", k.last.requestID))
	}
	if k.last.err != nil {
		attrs = append(attrs, slog.Any("error", k.client.cleanErr(k.last.err)))
	}
	k.client.log.LogAttrs(ctx, slog.LevelInfo, "request", attrs...)
}

func (k *call) try(req *http.Request) outcome {
	var trace connTrace
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace.hooks()))
	resp, err := k.client.transport.RoundTrip(req)
	if err != nil {
		o := outcome{class: failed, open: !trace.neverMade(err)}
		o.final = !o.open && (isCertificate(err) || errors.Is(err, http.ErrSchemeMismatch))
		o.setErr(req, k.client.timeout, err)
		return o
	}
	defer resp.Body.Close()
	o := outcome{status: resp.StatusCode, header: resp.Header, requestID: k.client.clean(resp.Header.Get("Twilio-Request-Id"), 128)}
	success := 200 <= o.status && o.status < 300
	limit := int64(maxErrorBody)
	if success {
		limit = maxBody
	}
	size := resp.ContentLength
	if size < 0 { // it is, whenever the answer was compressed
		size = int64(k.expect)
	}
	body, err := readAll(resp.Body, size, limit)
	o.body = body

	switch {
	case k.method == http.MethodDelete && (success || o.status == http.StatusNotFound):
		o.body = nil
	case success:
		k.judge(&o, req, err)
	case o.status == http.StatusTooManyRequests:
		o.class = refused
		o.retryAfter = retryAfter(o.header, time.Now())
	case o.status >= 500:
		o.class, o.open = failed, true
		if o.status == http.StatusServiceUnavailable {
			o.retryAfter = retryAfter(o.header, time.Now())
		}
	default:
		o.class = rejected
	}
	return o
}

func isCertificate(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

var errTooLarge = fmt.Errorf("the answer is larger than %d MiB", maxBody>>20)

// judge decides whether a success is the JSON object that was due.
func (k *call) judge(o *outcome, req *http.Request, readErr error) {
	o.open = true
	switch {
	case errors.Is(readErr, errTooLarge):
		o.class, o.err, o.body = unusable, readErr, nil
	case readErr != nil:
		o.class = failed
		o.setErr(req, k.client.timeout, fmt.Errorf("the answer broke off: %w", readErr))
	case o.status != http.StatusOK && o.status != http.StatusCreated:
		o.class, o.err = unusable, errors.New("not the answer that was due")
	case !json.Valid(o.body):
		o.class, o.err = failed, errors.New("the answer is not JSON, or was cut short")
	case bytes.TrimLeft(o.body, " \t\r\n")[0] != '{':
		o.class, o.err = unusable, errors.New("the answer is not a JSON object")
	default:
		o.open = false
	}
}

func (o *outcome) setErr(req *http.Request, timeout time.Duration, err error) {
	o.err = err
	if errors.Is(req.Context().Err(), context.DeadlineExceeded) {
		o.timeout = true
		o.err = fmt.Errorf("no answer within %v", timeout)
	}
}

// readAll reads a body that is expected to have size bytes; it may have more or
// fewer. Of an answer over the limit it returns the beginning.
func readAll(r io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		size = limit
	}
	buf := bytes.NewBuffer(make([]byte, 0, max(size, 0)+bytes.MinRead))
	n, err := buf.ReadFrom(io.LimitReader(r, limit+1))
	if n > limit {
		return buf.Bytes()[:limit], errTooLarge
	}
	return buf.Bytes(), err
}

// connTrace tells whether a request can have left: it cannot without a connection.
type connTrace struct{ asked, got atomic.Bool }

func (t *connTrace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { t.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.got.Store(true) },
	}
}

// neverMade reports whether err is about a connection that was never made: its
// name, its dial or its TLS handshake. A transport that knows no httptrace is
// believed when it says so; else the request may have left.
func (t *connTrace) neverMade(err error) bool {
	if t.asked.Load() || t.got.Load() {
		return !t.got.Load()
	}
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// retryAfter reads the header: seconds or a date, bounded by longestPause. What
// is absent, in the past or not readable is 0. A date counts from the server's
// own clock if it tells it.
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
