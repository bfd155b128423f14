package emulator

import (
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// maxRequests is how many requests are remembered: enough for any test, and a
// bound for a server that runs for weeks.
const maxRequests = 20_000

// Request is what was asked of the server, for tests.
type Request struct {
	Call      int        // counts from 1, as for Options.Fault
	Method    string     // GET, POST, DELETE
	Path      string     // without the query
	Query     url.Values // of the address
	Form      url.Values // of the body
	Status    int        // what was answered; 0 if nothing was, or not yet
	Committed bool       // whether the account was changed
}

// requests is the log of the last requests.
type requests struct {
	mu   sync.Mutex
	list []*Request
}

func (l *requests) begin(call int, r *http.Request, body []byte) *Request {
	entry := &Request{Call: call, Method: r.Method, Path: r.URL.Path, Query: r.URL.Query()}
	if len(body) > 0 {
		entry.Form, _ = url.ParseQuery(string(body))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) >= 2*maxRequests {
		l.list = slices.Clone(l.list[maxRequests:])
	}
	l.list = append(l.list, entry)
	return entry
}

func (l *requests) commit(entry *Request, committed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry.Committed = committed
}

func (l *requests) end(entry *Request, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry.Status = status
}

// Requests is what was asked so far, in order of arrival. Of a long-lived
// server only the last 20,000 requests are sure to be there.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	list := make([]Request, len(s.log.list))
	for i, entry := range s.log.list {
		list[i] = *entry
	}
	return list
}
