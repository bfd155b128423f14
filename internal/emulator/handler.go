package emulator

import (
	"bytes"
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

// maxBody is the largest request body that is read; a flow's form is a few
// hundred bytes.
const maxBody = 1 << 20

// gzipFrom is the size from which an answer is worth compressing.
const gzipFrom = 1 << 10

const flowsPath = "/v1/FlexFlows"

// answer is what a request gets.
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
	codeTooMany    = 20429
	codeInternal   = 20500
	codeValidation = 45004 // the Flex family's validation error
	codeCollision  = 45210 // "collided with existing Flex Flows"
)

func badRequest(code int, format string, args ...any) error {
	return &apiError{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// errorAnswer is the error as JSON. An error that is not the API's own is one of
// keeping the account.
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
// http.ErrAbortHandler, as net/http has it.
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

// wait is the latency. It cuts the connection if the client goes away meanwhile.
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
	_, _ = w.Write(body) // a client that went away does not want to know
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

// answer carries a request out.
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

// isLocal reports whether a request is for this machine, and from no page of
// another one.
func isLocal(r *http.Request) bool {
	return isKnown(r.Host) && fromKnown(r.Header.Get("Origin"))
}

// isKnown reports whether a Host header names this machine, or Twilio, as for an
// SDK behind a proxy. By any other name it is a web page that asks, whose own
// name was made to resolve to loopback (DNS rebinding).
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

// fromKnown reports whether a browser asks for a page of this machine or of
// Twilio, or something else than a browser asks.
func fromKnown(origin string) bool {
	u, err := url.Parse(origin)
	return origin == "" || err == nil && isKnown(u.Host)
}

// authentic checks HTTP Basic credentials: the account's SID or an API key, with
// the password that goes with it.
func (s *Server) authentic(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	if !ok || password == "" || user != s.AccountSID() && !isSID("SK", user) {
		return false
	}
	want := s.opts.AuthToken
	return want == "" || subtle.ConstantTimeCompare([]byte(password), []byte(want)) == 1
}

// route finds what the path stands for. Conversations, Studio and TaskRouter
// have hosts of their own at Twilio; here all are under one.
func (s *Server) route(r *http.Request, body []byte) (answer, error) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	path, workspaceSID := r.URL.Path, ""
	if len(parts) == 4 && parts[1] == "Workspaces" {
		workspaceSID, parts[2] = parts[2], "*"
		path = "/" + strings.Join(parts, "/")
	}
	switch {
	case len(parts) == 2 && r.URL.Path == flowsPath:
		switch r.Method {
		case http.MethodGet:
			return s.listFlows(r)
		case http.MethodPost:
			return s.createFlow(r, body)
		}
	case len(parts) == 3 && strings.HasPrefix(r.URL.Path, flowsPath+"/"):
		switch r.Method {
		case http.MethodGet:
			return s.fetchFlow(r, parts[2])
		case http.MethodPost:
			return s.updateFlow(r, body, parts[2])
		case http.MethodDelete:
			return s.deleteFlow(r, parts[2])
		}
	case listings[path].kind != nil:
		if r.Method == http.MethodGet {
			return s.listResources(r, path, workspaceSID)
		}
	default:
		return answer{}, notFound(r, codeMissing)
	}
	return answer{}, &apiError{http.StatusMethodNotAllowed, codeMethod, "Method not allowed"}
}

func notFound(r *http.Request, code int) error {
	return &apiError{http.StatusNotFound, code, "The requested resource " + r.URL.Path + " was not found"}
}

// baseURL is the scheme and host that the client asked, which is what URLs in
// answers begin with. Forwarding headers are not trusted.
func baseURL(r *http.Request) string {
	u := url.URL{Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u.String()
}

func (s *Server) fetchFlow(r *http.Request, sid string) (answer, error) {
	if err := noQuery(r); err != nil {
		return answer{}, err
	}
	acct, err := s.view()
	if err != nil {
		return answer{}, err
	}
	f, at := find(acct.flows, sid)
	if at < 0 {
		return answer{}, s.flowMissing(r)
	}
	return answer{status: http.StatusOK, body: marshal(s.render(f, baseURL(r)))}, nil
}

func (s *Server) createFlow(r *http.Request, body []byte) (answer, error) {
	given, err := decodeForm(r, body)
	if err != nil {
		return answer{}, err
	}
	f, err := s.build(given)
	if err != nil {
		return answer{}, err
	}
	err = s.commit(func(a *account) error {
		if err := s.checkCollision(a, f); err != nil {
			return err
		}
		a.last++
		f.setSeq(a.last)
		a.flows = append(a.flows, f)
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: marshal(s.render(f, baseURL(r)))}, nil
}

// build makes the flow that a create asks for.
func (s *Server) build(given values) (*flow, error) {
	for i := range fields {
		if f := &fields[i]; f.required && f.types == nil {
			if v, ok := given[f.key]; !ok || v == "" {
				return nil, badRequest(codeParameter, "Missing required parameter %s in the post body", f.param)
			}
		}
	}
	if err := s.refuseEmpty(given, nil); err != nil {
		return nil, err
	}
	f := newFlow(newSID("FO"), s.AccountSID(), s.opts.Now())
	f.Enabled = s.opts.Behaviour.EnabledDefault
	f.set(given)

	integrationType, ok := given["integration_type"].(string)
	if !ok {
		if !given.hasIntegration() {
			return f, nil
		}
		integrationType = studio // "Studio (default)", docs/flex/developer/messaging/manage-flows
	}
	if err := f.integrate(integrationType, given, nil); err != nil {
		return nil, err
	}
	return f, requireIntegration(f)
}

func (s *Server) updateFlow(r *http.Request, body []byte, sid string) (answer, error) {
	given, err := decodeForm(r, body)
	if err != nil {
		return answer{}, err
	}
	if name, ok := given["friendly_name"]; ok && name == "" {
		return answer{}, badRequest(codeValidation, "FriendlyName must not be empty")
	}
	var updated *flow
	err = s.commit(func(a *account) (err error) {
		before, at := find(a.flows, sid)
		if at < 0 {
			return s.flowMissing(r)
		}
		if updated, err = s.change(before, given); err != nil {
			return err
		}
		a.flows[at] = updated
		return s.checkCollision(a, updated)
	})
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: marshal(s.render(updated, baseURL(r)))}, nil
}

// change is the flow after an update. What is not given stays, the keys of the
// integration included, unless the integration becomes one of another type.
func (s *Server) change(f *flow, given values) (*flow, error) {
	if err := s.refuseEmpty(given, f.ContactIdentity); err != nil {
		return nil, err
	}
	f = f.clone()
	identity := f.ContactIdentity
	f.set(given)
	if given["contact_identity"] == "" && s.opts.Behaviour.EmptyDoesNotClear {
		f.ContactIdentity = identity
	}
	f.DateUpdated = timestamp(s.opts.Now())

	integrationType, typed := given["integration_type"].(string)
	if !typed && !given.hasIntegration() {
		return f, nil
	}
	if !typed {
		integrationType = studio
		if f.IntegrationType != nil {
			integrationType = *f.IntegrationType
		}
	}
	base := f.Integration
	fresh := s.opts.Behaviour.ReplaceIntegration || integrationType != deref(f.IntegrationType)
	if fresh {
		base = nil
	}
	if err := f.integrate(integrationType, given, base); err != nil {
		return nil, err
	}
	if fresh {
		return f, requireIntegration(f)
	}
	return f, nil
}

// refuseEmpty is what Behaviour says of an empty identity, where the flow has
// the given one.
func (s *Server) refuseEmpty(given values, identity *string) error {
	b := &s.opts.Behaviour
	if given["contact_identity"] == "" && (b.EmptyRefused || b.NothingToClear && identity == nil) {
		return badRequest(codeValidation, "ContactIdentity must not be empty")
	}
	return nil
}

func requireIntegration(f *flow) error {
	if param := f.missing(); param != "" {
		return badRequest(codeValidation, "%s is required when IntegrationType is %s", param, *f.IntegrationType)
	}
	return nil
}

func (s *Server) checkCollision(a *account, f *flow) error {
	if !s.opts.Behaviour.Collisions || !f.Enabled || f.ContactIdentity == nil {
		return nil
	}
	for _, other := range a.flows {
		if f.collides(other, s.opts.Behaviour.CollideAcrossTypes) {
			return badRequest(codeCollision, "Flex Flow creation failed. Some request attributes were either missing, "+
				"invalid, or collided with existing Flex Flows (%s)", other.SID)
		}
	}
	return nil
}

func (s *Server) deleteFlow(r *http.Request, sid string) (answer, error) {
	if err := noQuery(r); err != nil {
		return answer{}, err
	}
	err := s.commit(func(a *account) error {
		_, at := find(a.flows, sid)
		if at < 0 {
			return s.flowMissing(r)
		}
		a.flows = slices.Delete(a.flows, at, at+1)
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, nil
}

func (s *Server) flowMissing(r *http.Request) error {
	code := s.opts.Behaviour.MissingCode
	if code == 0 {
		code = codeMissing
	}
	return notFound(r, code)
}
