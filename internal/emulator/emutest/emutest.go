// Package emutest is an emulated account for tests: with faults between it and a
// client, a log of the requests, and a back door to its flows and addresses.
//
// It is a layer around [emulator.Server] and changes nothing of what the server
// answers by itself. The program does not link it.
package emutest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"

	"flexsync/internal/emulator"
)

// Server is an emulated account that can be made to fail. It is safe for
// concurrent use.
type Server struct {
	*emulator.Server
	fault   func(r *http.Request, call int) Fault
	latency time.Duration // of the options; it holds for a request that a fault ends, too

	mu  sync.Mutex
	log []*Request
}

// New returns a server for the account that opts describe, and fails as
// [emulator.New] does. Fault is called for every request, from several goroutines
// at once; nil means that nothing goes wrong. Calls count from 1. Both the body of
// the request and its PostForm can be read.
func New(opts emulator.Options, fault func(r *http.Request, call int) Fault) (*Server, error) {
	s := &Server{fault: fault, latency: opts.Latency}
	opts.Latency = 0
	var err error
	s.Server, err = emulator.New(opts)
	return s, err
}

// Transport is [emulator.Transport] for this server, its faults included.
func (s *Server) Transport() http.RoundTripper { return emulator.Transport(s) }

// ServeHTTP answers one request. A request that is cut off ends in a panic with
// http.ErrAbortHandler, as is usual for net/http.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away
	}
	asked := withBody(r, body)
	_ = asked.ParseForm() // the server refuses what cannot be parsed
	asked.Body = io.NopCloser(bytes.NewReader(body))
	entry := s.begin(asked)
	var fault Fault
	if s.fault != nil {
		fault = s.fault(asked, entry.Call)
	}

	pause(r, s.latency+fault.Delay)
	a, ok := fault.before(r)
	if !ok {
		inner := withBody(r, body)
		if fault.Rewrite != nil || fault.Endless {
			inner.Header.Del("Accept-Encoding") // these need plain text
		}
		rec := httptest.NewRecorder()
		s.Server.ServeHTTP(rec, inner)
		a = answer{rec.Code, rec.Header(), rec.Body.Bytes()}
		if r.Method != http.MethodGet && a.status/100 == 2 {
			s.note(func() { entry.Committed = true })
		}
		a = fault.after(r, a)
	}
	s.note(func() { entry.Status = a.status })
	fault.send(w, r, a)
}

// withBody returns the request with a body of its own to read.
func withBody(r *http.Request, body []byte) *http.Request {
	c := r.Clone(r.Context())
	c.Body = io.NopCloser(bytes.NewReader(body))
	return c
}

// Request is a request to the server.
type Request struct {
	Call      int        // counts from 1, as for the fault
	Method    string     // GET, POST, DELETE
	Path      string     // without the query
	Query     url.Values // of the URL
	Form      url.Values // of the body
	Status    int        // of the answer; 0 if there was none, or not yet
	Committed bool       // whether the account was changed
}

// Requests returns the requests so far, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Request, len(s.log))
	for i, entry := range s.log {
		list[i] = *entry
	}
	return list
}

func (s *Server) begin(r *http.Request) *Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := &Request{Call: len(s.log) + 1, Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Form: r.PostForm}
	s.log = append(s.log, entry)
	return entry
}

// note changes an entry of the log.
func (s *Server) note(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// Flows returns every flow as of the last request, in creation order and as the
// local file has it.
func (s *Server) Flows() []map[string]any { return s.list("flows") }

// Addresses is [Server.Flows] for addresses.
func (s *Server) Addresses() []map[string]any { return s.list("addresses") }

func (s *Server) list(key string) (list []map[string]any) {
	document := map[string]json.RawMessage{}
	err := json.Unmarshal(s.Snapshot(), &document)
	if text := document[key]; err == nil && text != nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		panic(err) // the server has just written it
	}
	return list
}

// Edit is [emulator.Server.Edit] for the flows alone: change gets all of them in
// creation order, and what it returns becomes the account's flows, in that order.
func (s *Server) Edit(change func(flows []map[string]any) []map[string]any) error {
	return s.edit("flows", change)
}

// EditAddresses is [Server.Edit] for addresses.
func (s *Server) EditAddresses(change func(addresses []map[string]any) []map[string]any) error {
	return s.edit("addresses", change)
}

func (s *Server) edit(key string, change func([]map[string]any) []map[string]any) error {
	return s.Server.Edit(func(text []byte) ([]byte, error) {
		var document map[string]json.RawMessage
		if err := json.Unmarshal(text, &document); err != nil {
			return nil, err
		}
		var list []map[string]any
		if text := document[key]; text != nil {
			if err := json.Unmarshal(text, &list); err != nil {
				return nil, err
			}
		}
		// Through JSON, so that change may use any type of number or list.
		edited, err := json.Marshal(change(list))
		if err != nil {
			return nil, err
		}
		document[key] = edited
		return json.Marshal(document)
	})
}
