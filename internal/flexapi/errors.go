package flexapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxMessage = 2 << 10 // bytes of any text from the API
	maxSnippet = 200     // bytes of an answer that is not the API's JSON
)

// Error is a request that did not succeed.
//
// Message, MoreInfo, Details and Code are the API's own, bounded in length and
// otherwise unchanged: whoever prints them has to make them safe.
type Error struct {
	Method string
	Path   string // without the query, which may hold personal data

	Status int // HTTP status of the last answer; 0 when there was none
	Code   int // Twilio's error code, https://www.twilio.com/docs/api/errors; 0 when there was none
	Message,
	MoreInfo,
	Details string // Details is JSON

	RequestID string        // Twilio-Request-Id of the last answer
	Attempts  int           // tries; 0 if none began
	Elapsed   time.Duration // from the first try to the end, waits included

	// Unknown reports that a write may have been carried out although there was no
	// clear answer. If it is false, the write was not carried out.
	Unknown bool

	// Unreached is the host and port to which no connection could be made; "" if
	// there was one, or no try.
	Unreached string

	Hint string // what to check, for a person; may be empty
	Err  error  // what happened to the connection, or the context's error
}

// Error returns everything but MoreInfo, RequestID and Hint; without a connection,
// the host instead of Method and Path.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Unreached != "" {
		fmt.Fprintf(&b, "cannot reach %s", e.Unreached)
	} else {
		fmt.Fprintf(&b, "%s %s", e.Method, e.Path)
	}
	sep := ": "
	add := func(format string, args ...any) {
		b.WriteString(sep)
		fmt.Fprintf(&b, format, args...)
		sep = ": "
	}
	if e.Status != 0 {
		add("HTTP %d", e.Status)
		if e.Code != 0 {
			sep = ", "
			add("code %d", e.Code)
		}
	}
	if e.Err != nil {
		add("%v", e.Err)
	}
	if e.Message != "" {
		add("%s", e.Message)
	}
	if e.Details != "" {
		add("%s", e.Details)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (%d attempts in %.0f s)", e.Attempts, math.Ceil(e.Elapsed.Seconds()))
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// cleanError is an error without its secrets. It does not unwrap to the original.
type cleanError string

func (e cleanError) Error() string { return string(e) }

// fail returns the error of an exchange that was stopped by an error or, if that is
// nil, ended with its last outcome.
func (x *exchange) fail(stopped error) error {
	c, o := x.client, &x.last
	e := &Error{
		Method:    x.do.method(),
		Path:      x.url.Path,
		Status:    o.status,
		Attempts:  x.tries,
		Elapsed:   time.Since(x.start),
		RequestID: o.requestID,
		Unknown:   x.open,
		Err:       stopped,
	}
	switch {
	case stopped != nil && !isContextError(stopped):
		e.Err = c.cleanErr(stopped)
	case stopped != nil || o.err == nil:
	case o.status != 0:
		e.Err = c.cleanErr(o.err)
	case o.unmade:
		e.Unreached = x.url.Host
		e.Err = c.cleanErr(errors.New(cause(o.err)))
	default:
		e.Err = c.cleanErr(errors.New("no answer from " + x.url.Host + ": " + cause(o.err)))
	}
	x.readBody(e)
	e.Hint = x.hint()
	return e
}

// readBody fills in what the API says about an error:
// https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions
func (x *exchange) readBody(e *Error) {
	c, body := x.client, x.last.body
	var fields map[string]json.RawMessage
	if x.last.class == accepted {
		return
	}
	if json.Unmarshal(body, &fields) != nil || fields == nil {
		if text := bytes.TrimSpace(body); len(text) > 0 {
			e.Message = "the answer begins with " + c.clean(string(text), maxSnippet)
		}
		return
	}
	text := func(key string) string {
		var s string
		if json.Unmarshal(fields[key], &s) != nil && string(fields[key]) != "null" {
			s = string(fields[key])
		}
		return c.clean(s, maxMessage)
	}
	_, _ = fmt.Sscan(strings.Trim(string(fields["code"]), `"`), &e.Code)
	e.Message, e.MoreInfo = text("message"), text("more_info")
	if d := fields["details"]; len(d) > 0 && string(d) != "null" {
		e.Details = c.clean(string(d), maxMessage)
	}
}

func (x *exchange) hint() string {
	c, o := x.client, &x.last
	var hints []string
	add := func(format string, args ...any) { hints = append(hints, fmt.Sprintf(format, args...)) }
	switch {
	case o.status == http.StatusUnauthorized:
		add("the credentials are from %s, for account %s: check that they belong together, and that an API key belongs to this region", c.source, c.account)
	case o.status == http.StatusForbidden && x.of.Product == Flex:
		add("restricted API keys have no access to Flex: use a standard key or the auth token (the credentials are from %s)", c.source)
	case o.status == http.StatusForbidden:
		add("check the permissions of a restricted API key (the credentials are from %s)", c.source)
	case o.status == http.StatusNotFound && x.of.Product == Flex && strings.HasSuffix(x.url.Path, x.of.Path):
		add("no Flex Flows API at this address: check the base URL, and that account %s is a Flex account", c.account)
	case o.status == http.StatusGone && x.of.Product == Flex:
		add("Programmable Chat for Flex, and Flex Flows with it, reached its end of life on June 1, 2026: move to Flex Conversations")
	case 300 <= o.status && o.status < 400:
		add("flexsync does not follow redirects%s: check the base URL", redirectTarget(x.url, x.location))
	case o.status >= 500 && c.hosts.fixed == nil:
		add("check status.twilio.com")
	case o.err != nil && (o.status == 0 || speaksTLS(o.err)):
		add("%s", x.checkNetwork())
	}
	if isHTML(o) {
		add("expected JSON, found HTML: check for a proxy, a gateway or a login page in between")
	}
	if r := c.hosts.region; r != "" && r != "us1" && (o.status == 0 || o.status == 401 || o.status == 404) {
		add("Flex exists only in region us1, but the region is set to %q", r)
	}
	return c.clean(strings.Join(hints, "; "), maxMessage)
}

func isHTML(o *outcome) bool {
	return o.class != accepted &&
		(strings.HasPrefix(o.header.Get("Content-Type"), "text/html") || bytes.HasPrefix(bytes.TrimSpace(o.body), []byte("<")))
}

// redirectTarget names only the host: the rest of the URL may contain secrets.
func redirectTarget(from *url.URL, location string) string {
	u, err := from.Parse(location)
	if location == "" || err != nil {
		return ""
	}
	return fmt.Sprintf(" (this one points to %q)", cut(u.Host, 200))
}

// clean shortens a text from the API and removes secrets from it.
func (c *Client) clean(s string, limit int) string {
	if c.hide != nil {
		s = c.hide(s)
	}
	return cut(c.redact.Replace(s), limit)
}

// userinfo is what stands before the @ in a URL.
var userinfo = regexp.MustCompile(`[^\s"'/]+@`)

// cleanErr does the same to an error of the connection. net/http quotes a proxy
// setting that it cannot read, password and all.
func (c *Client) cleanErr(err error) error {
	return cleanError(c.clean(userinfo.ReplaceAllString(bare(err).Error(), redacted+"@"), maxMessage))
}

// bare is an error without the URL that net/http adds: its query may hold personal
// data.
func bare(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// cut shortens s to at most limit bytes and a mark, between two characters.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
