package flexapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	maxMessage = 2 << 10 // bytes of any text from the API
	maxSnippet = 200     // bytes of an answer that is not the API's JSON
)

// Error is a request that did not succeed.
//
// Message, MoreInfo, Details and Code are the API's own words, bounded in
// length and otherwise as they came: who prints them has to clean them.
type Error struct {
	Method string
	Path   string // without the query, which may hold personal data

	Status int // HTTP status of the last answer; 0 when there was none
	Code   int // Twilio's error code, https://www.twilio.com/docs/api/errors; 0 when there was none
	Message,
	MoreInfo,
	Details string // Details is JSON

	RequestID string // Twilio-Request-Id of the last answer
	Attempts  int    // tries; 0 when none was begun

	// Unknown says of a write that it may have been carried out though no
	// clear answer came. It is false when a write was surely not carried out.
	Unknown bool

	Hint string // what to look at, for a person; may be empty
	Err  error  // what happened to the connection, or the context's error
}

// Error gives all but MoreInfo, RequestID and the hint.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Method, e.Path)
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
		fmt.Fprintf(&b, " (%d tries)", e.Attempts)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// cleanError is an error of which the secrets are out. It does not unwrap to
// the one that held them.
type cleanError string

func (e cleanError) Error() string { return string(e) }

// fail makes the error of an exchange that ended because of cause, or, when that is
// nil, because of the last outcome.
func (x *exchange) fail(cause error) error {
	c, o := x.client, &x.last
	e := &Error{
		Method:    x.do.method(),
		Path:      x.url.Path,
		Status:    o.status,
		Attempts:  x.tries,
		RequestID: o.requestID,
		Unknown:   x.open,
		Err:       cause,
	}
	switch {
	case cause == nil && o.err != nil:
		e.Err = c.cleanErr(o.err)
	case cause != nil && !isContextError(cause):
		e.Err = c.cleanErr(cause)
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
		add("the credentials are from %s, for account %s: check that they belong together, and that an API key is one of this region", c.source, c.account)
	case o.status == http.StatusForbidden && x.of.Product == Flex:
		add("a restricted API key cannot be allowed Flex: use a standard key or the auth token (the credentials are from %s)", c.source)
	case o.status == http.StatusForbidden:
		add("check what a restricted API key is allowed (the credentials are from %s)", c.source)
	case o.status == http.StatusNotFound && x.of.Product == Flex && strings.HasSuffix(x.url.Path, x.of.Path):
		add("there are no Flex Flows at this address: check the base URL, and that account %s is a Flex account", c.account)
	case o.status == http.StatusGone && x.of.Product == Flex:
		add("Programmable Chat for Flex, and Flex Flows with it, reached its end of life on June 1, 2026: move to Flex Conversations")
	case 300 <= o.status && o.status < 400:
		add("redirects are not followed%s: check the base URL", redirectTarget(x.url, x.location))
	}
	if isHTML(o) {
		add("HTML came where JSON was expected: is a proxy, a gateway or a login page in between?")
	}
	if r := c.hosts.region; r != "" && r != "us1" && (o.status == 0 || o.status == 401 || o.status == 404) {
		add("Flex exists in region us1 only, and the region is set to %q", r)
	}
	return c.clean(strings.Join(hints, "; "), maxMessage)
}

func isHTML(o *outcome) bool {
	return o.class != accepted &&
		(strings.HasPrefix(o.header.Get("Content-Type"), "text/html") || bytes.HasPrefix(bytes.TrimSpace(o.body), []byte("<")))
}

// redirectTarget names no more than the host: the rest of the URL may hold secrets.
func redirectTarget(from *url.URL, location string) string {
	u, err := from.Parse(location)
	if location == "" || err != nil {
		return ""
	}
	return fmt.Sprintf(" (this one leads to %q)", cut(u.Host, 200))
}

// clean bounds a text from the API and takes the secrets out.
func (c *Client) clean(s string, limit int) string { return cut(c.redact.Replace(s), limit) }

// userinfo is what stands before the @ in a URL.
var userinfo = regexp.MustCompile(`[^\s"'/]+@`)

// cleanErr does the same to an error of the connection. net/http quotes a
// proxy setting that it cannot read as it is, password and all.
func (c *Client) cleanErr(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL: its query may hold personal data
	}
	return cleanError(c.clean(userinfo.ReplaceAllString(err.Error(), redacted+"@"), maxMessage))
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
