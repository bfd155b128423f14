package emulator

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBody is the largest request body that is read. A form is a few hundred bytes.
const maxBody = 1 << 20

// gzipFrom is the smallest answer that is worth compressing.
const gzipFrom = 1 << 10

const studioPath = "/v2/Flows"

// answer is the response to a request.
type answer struct {
	status int
	body   []byte
	header http.Header
}

// apiError is an error as Twilio's APIs report them. The codes are those of
// https://www.twilio.com/docs/api/errors.
type apiError struct {
	status  int
	code    int
	message string
}

func (e *apiError) Error() string { return e.message }

const (
	codeParameter  = 20001 // a parameter is unknown, missing or repeated
	codeAuth       = 20003
	codeMethod     = 20004
	codeForbidden  = 20006
	codeMissing    = 20404
	codeConflict   = 20409 // not documented; the status is what a client goes by
	codeTooMany    = 20429
	codeInternal   = 20500
	codeValidation = 45004 // the Flex family's validation error
	codeCollision  = 45210 // "collided with existing Flex Flows"
)

func badRequest(code int, format string, args ...any) error {
	return &apiError{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// errorAnswer returns the error as Twilio's JSON. An error that is not an apiError
// means that the account could not be read or written.
func errorAnswer(err error) answer {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{http.StatusInternalServerError, codeInternal, err.Error()}
	}
	a := answer{status: e.status, header: http.Header{}, body: marshal(struct {
		Code     int    `json:"code"`
		Message  string `json:"message"`
		MoreInfo string `json:"more_info"`
		Status   int    `json:"status"`
	}{e.code, e.message, "https://www.twilio.com/docs/errors/" + strconv.Itoa(e.code), e.status})}
	if e.status == http.StatusUnauthorized {
		a.header.Set("Www-Authenticate", `Basic realm="Twilio API"`)
	}
	return a
}

// ServeHTTP answers one request. A request that is cut off ends in a panic with
// http.ErrAbortHandler, as is usual for net/http.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == openAPIPath && isLocal(r) {
		serveOpenAPI(w, r)
		return
	}
	w.Header().Set("Twilio-Request-Id", newSID("RQ"))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		panic(http.ErrAbortHandler) // the client went away
	}
	s.wait(r)
	var a answer
	switch {
	case tooLarge != nil:
		a = errorAnswer(&apiError{http.StatusRequestEntityTooLarge, codeParameter, "The request body is too large"})
	case !s.limits.take(r):
		a = errorAnswer(&apiError{http.StatusTooManyRequests, codeTooMany, "Too Many Requests"})
		if s.opts.RetryAfter > 0 {
			a.header.Set("Retry-After", strconv.Itoa(int(s.opts.RetryAfter.Seconds())))
		}
	default:
		a = s.answer(r, body)
	}
	send(w, r, a)
}

// wait waits for the latency. It cuts the connection if the client goes away
// meanwhile.
func (s *Server) wait(r *http.Request) {
	if s.opts.Latency <= 0 {
		return
	}
	timer := time.NewTimer(s.opts.Latency)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

func send(w http.ResponseWriter, r *http.Request, a answer) {
	h := w.Header()
	if len(a.body) > 0 {
		h.Set("Content-Type", "application/json")
	}
	maps.Copy(h, a.header)
	body := a.body
	if len(body) >= gzipFrom {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			body = compress(body)
		}
	}
	if a.status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // it fails only for a client that went away
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, parameters, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") && strings.ReplaceAll(parameters, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = z.Write(body) // a Buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// answer carries out a request.
func (s *Server) answer(r *http.Request, body []byte) answer {
	if !isLocal(r) {
		return errorAnswer(&apiError{http.StatusForbidden, codeForbidden, "This server answers to the names of this machine and of twilio.com only"})
	}
	if !s.authentic(r) {
		return errorAnswer(&apiError{http.StatusUnauthorized, codeAuth, "Authenticate"})
	}
	a, err := s.route(r, body)
	if err != nil {
		return errorAnswer(err)
	}
	return a
}

// isLocal reports whether a request is for this machine, and does not come from a
// web page of another one.
func isLocal(r *http.Request) bool {
	return isKnown(r.Host) && fromKnown(r.Header.Get("Origin"))
}

// isKnown reports whether a Host header names this machine, or Twilio, as that of
// an SDK behind a proxy does. Any other name is that of a web page whose host was
// made to resolve to loopback (DNS rebinding).
func isKnown(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	host = "." + host
	return strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".twilio.com")
}

// fromKnown reports whether a request comes from a web page of this machine or of
// Twilio, or from no browser at all.
func fromKnown(origin string) bool {
	u, err := url.Parse(origin)
	return origin == "" || err == nil && isKnown(u.Host)
}

// authentic reports whether the HTTP Basic credentials are right: the account's SID
// or an API key, with the password that goes with it.
func (s *Server) authentic(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	if !ok || password == "" || user != s.AccountSID() && !isSID("SK", user) {
		return false
	}
	want := s.opts.AuthToken
	return want == "" || subtle.ConstantTimeCompare([]byte(password), []byte(want)) == 1
}

// route passes a request to the operation that it is for. Conversations, Studio
// and TaskRouter have hosts of their own at Twilio; here, all are under one.
func (s *Server) route(r *http.Request, body []byte) (answer, error) {
	for _, k := range kinds {
		rest, ok := strings.CutPrefix(r.URL.EscapedPath(), k.path)
		ref, below := strings.CutPrefix(rest, "/")
		switch {
		case !ok || below && (ref == "" || strings.Contains(ref, "/")) || !below && rest != "":
			continue
		case below:
			ref, err := url.PathUnescape(ref)
			if err != nil {
				return answer{}, notFound(r, codeMissing)
			}
			switch r.Method {
			case http.MethodGet:
				return s.fetch(r, k, ref)
			case http.MethodPost:
				return s.update(r, k, ref, body)
			case http.MethodDelete:
				return s.delete(r, k, ref)
			}
		case r.Method == http.MethodGet:
			return s.listRecords(r, k)
		case r.Method == http.MethodPost:
			return s.create(r, k, body)
		}
		return answer{}, notAllowed
	}

	sid, one := strings.CutPrefix(r.URL.Path, studioPath+"/")
	if status := s.opts.Behaviour.StudioStatus; status != 0 && (one || r.URL.Path == studioPath) {
		code := codeForbidden
		if status == http.StatusUnauthorized {
			code = codeAuth
		}
		return answer{}, &apiError{status, code, http.StatusText(status)}
	}
	path, workspaceSID := r.URL.Path, ""
	if parts := strings.Split(path, "/"); len(parts) == 5 && parts[2] == "Workspaces" {
		workspaceSID, parts[3] = parts[3], "*"
		path = strings.Join(parts, "/")
	}
	switch {
	case listings[path].kind == nil && !one:
		return answer{}, notFound(r, codeMissing)
	case r.Method != http.MethodGet:
		return answer{}, notAllowed
	case one:
		return s.fetchStudioFlow(r, sid)
	}
	return s.listResources(r, path, workspaceSID)
}

var notAllowed = &apiError{http.StatusMethodNotAllowed, codeMethod, "Method not allowed"}

func notFound(r *http.Request, code int) error {
	return &apiError{http.StatusNotFound, code, "The requested resource " + r.URL.Path + " was not found"}
}

// baseURL returns the scheme and host that the client asked, which the URLs in
// answers begin with. Forwarding headers are not trusted.
func baseURL(r *http.Request) string {
	u := url.URL{Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u.String()
}

func (s *Server) fetch(r *http.Request, k *kind, ref string) (answer, error) {
	if err := noQuery(r); err != nil {
		return answer{}, err
	}
	acct, err := s.view()
	if err != nil {
		return answer{}, err
	}
	found, at := s.find(acct, k, ref)
	if at < 0 {
		return answer{}, s.missing(r)
	}
	return s.rendered(http.StatusOK, r, found), nil
}

func (s *Server) create(r *http.Request, k *kind, body []byte) (answer, error) {
	given, err := k.decodeForm(r, body, false)
	if err != nil {
		return answer{}, err
	}
	made, err := s.build(k, given)
	if err != nil {
		return answer{}, err
	}
	err = s.commit(func(a *account) error {
		if _, at := s.find(a, k, made.values.text(k.alias)); at >= 0 {
			return &apiError{http.StatusConflict, codeConflict, "Conflict"}
		}
		if err := s.opts.Behaviour.check(a, made); err != nil {
			return err
		}
		a.last++
		made.setSeq(a.last)
		a.records[k.index] = append(a.records[k.index], made)
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	return s.rendered(http.StatusCreated, r, made), nil
}

// build returns the record that a create asks for.
func (s *Server) build(k *kind, given values) (*record, error) {
	for i := range k.fields {
		if f := &k.fields[i]; f.required && f.types == nil {
			if v, ok := given[f.key]; !ok || v == "" {
				return nil, badRequest(codeParameter, "Missing required parameter %s in the post body", f.param)
			}
		}
	}
	b := &s.opts.Behaviour
	if err := b.refuseEmpty(k, given, nil); err != nil {
		return nil, err
	}
	variant, typed := given[k.variant].(string)
	if !typed && (k.always || k.touched(given)) {
		variant = k.implied
	}
	if _, ok := given[k.enabled]; !ok && b.EnabledDefault {
		given[k.enabled] = true
	}
	v, err := k.merge(variant, given, nil, b.KeepForeign)
	if err == nil {
		err = k.missing(variant, v)
	}
	if err == nil && k.valid != nil {
		err = k.valid(v)
	}
	if err != nil {
		return nil, err
	}
	now := timestamp(s.opts.Now())
	return &record{kind: k, identity: identity{newSID(k.prefix), s.AccountSID(), now, now}, values: v}, nil
}

func (s *Server) update(r *http.Request, k *kind, ref string, body []byte) (answer, error) {
	given, err := k.decodeForm(r, body, true)
	if err != nil {
		return answer{}, err
	}
	for i := range k.fields {
		if f := &k.fields[i]; f.required && given[f.key] == "" {
			return answer{}, badRequest(k.invalid, "%s must not be empty", f.param)
		}
	}
	var updated *record
	err = s.commit(func(a *account) (err error) {
		before, at := s.find(a, k, ref)
		if at < 0 {
			return s.missing(r)
		}
		if updated, err = s.opts.Behaviour.change(before, given, s.opts.Now()); err != nil {
			return err
		}
		a.records[k.index][at] = updated
		return s.opts.Behaviour.check(a, updated)
	})
	if err != nil {
		return answer{}, err
	}
	return s.rendered(http.StatusOK, r, updated), nil
}

func (s *Server) delete(r *http.Request, k *kind, ref string) (answer, error) {
	if err := noQuery(r); err != nil {
		return answer{}, err
	}
	err := s.commit(func(a *account) error {
		_, at := s.find(a, k, ref)
		if at < 0 {
			return s.missing(r)
		}
		a.records[k.index] = slices.Delete(a.records[k.index], at, at+1)
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, nil
}

func (s *Server) find(a *account, k *kind, ref string) (*record, int) {
	return k.find(a.records[k.index], ref, s.opts.Behaviour.BareWhatsApp)
}

func (s *Server) rendered(status int, r *http.Request, rec *record) answer {
	return answer{status: status, body: rec.encode(baseURL(r), &s.opts.Behaviour)}
}

func (s *Server) missing(r *http.Request) error {
	return notFound(r, cmp.Or(s.opts.Behaviour.MissingCode, codeMissing))
}
