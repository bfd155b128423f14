package emutest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"

	"github.com/google/go-cmp/cmp"
)

const path = "/v1/FlexFlows"

var create = url.Values{"FriendlyName": {"a"}, "ChatServiceSid": {"IS00000000000000000000000000000001"}, "ChannelType": {"web"}}

func newServer(t *testing.T, opts emulator.Options, fault func(*http.Request, int) emutest.Fault) *emutest.Server {
	t.Helper()
	s, err := emutest.New(opts, fault)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// client asks a server.
type client struct {
	t         *testing.T
	base      string
	account   string
	transport http.RoundTripper
}

func newClient(t *testing.T, s *emutest.Server) *client {
	return &client{t, "https://flex-api.twilio.com", s.AccountSID(), s.Transport()}
}

func (c *client) request(method, target string, form url.Values) *http.Request {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+target, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.SetBasicAuth(c.account, "secret")
	return req
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (c *client) try(req *http.Request) (reply, error) {
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(body)}, err
}

// want asks and fails unless the answer has the status.
func (c *client) want(status int, method, target string, form url.Values) reply {
	c.t.Helper()
	r, err := c.try(c.request(method, target, form))
	if err != nil || r.status != status {
		c.t.Fatalf("%s %s: %d %s %v, want %d", method, target, r.status, r.body, err, status)
	}
	return r
}

// first is a fault that hits the first request.
func first(f emutest.Fault) func(*http.Request, int) emutest.Fault {
	return func(_ *http.Request, call int) emutest.Fault {
		if call > 1 {
			return emutest.Fault{}
		}
		return f
	}
}

// eachTransport runs a test over a real connection and in this process: a fault
// must look the same to a client.
func eachTransport(t *testing.T, fault emutest.Fault, test func(t *testing.T, s *emutest.Server, c *client)) {
	t.Run("network", func(t *testing.T) {
		s := newServer(t, emulator.Options{}, first(fault))
		server := httptest.NewServer(s)
		t.Cleanup(server.Close)
		test(t, s, &client{t, server.URL, s.AccountSID(), &http.Transport{DisableKeepAlives: true}})
	})
	t.Run("in process", func(t *testing.T) {
		s := newServer(t, emulator.Options{}, first(fault))
		test(t, s, newClient(t, s))
	})
}

func TestFaults(t *testing.T) {
	html := "<html>504 Gateway Time-out</html>"
	document := func(code, status int, message string) func(reply) bool {
		return func(r reply) bool {
			want := fmt.Sprintf(`{"code":%d,"message":%q,"more_info":"https://www.twilio.com/docs/errors/%d","status":%d}`, code, message, code, status)
			return r.body == want && r.header.Get("Content-Type") == "application/json"
		}
	}
	page := func(r reply) bool { return r.body == html && r.header.Get("Content-Type") == "text/html" }
	tests := []struct {
		name      string
		fault     emutest.Fault
		committed bool
		status    int // 0: no whole answer
		check     func(reply) bool
	}{
		{"none", emutest.Fault{}, true, 201, nil},
		{"429", emutest.Fault{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, false, 429,
			func(r reply) bool {
				return r.header.Get("Retry-After") == "7" && document(20429, 429, "Too Many Requests")(r)
			}},
		{"401", emutest.Fault{Status: 401}, false, 401,
			func(r reply) bool {
				return r.header.Get("Www-Authenticate") != "" && document(20003, 401, "Unauthorized")(r)
			}},
		{"503", emutest.Fault{Status: 503}, false, 503, document(20503, 503, "Service Unavailable")},
		{"proxy's page", emutest.Fault{Status: 502, Body: html, ContentType: "text/html"}, false, 502, page},
		{"drop before", emutest.Fault{DropBefore: true}, false, 0, nil},
		{"drop after", emutest.Fault{DropAfter: true}, true, 0, nil},
		{"cut body", emutest.Fault{CutBody: true}, true, 0, nil},
		{"status after", emutest.Fault{StatusAfter: 504, Body: html, ContentType: "text/html"}, true, 504, page},
		{"500 after", emutest.Fault{StatusAfter: 500}, true, 500, document(20500, 500, "Internal Server Error")},
		{"delay", emutest.Fault{Delay: time.Millisecond, DelayAfter: time.Millisecond}, true, 201, nil},
		{"rewrite", emutest.Fault{Rewrite: func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`"a"`), []byte(`"another"`)) }}, true, 201,
			func(r reply) bool { return strings.Contains(r.body, `"friendly_name":"another"`) }},
		{"header", emutest.Fault{Header: http.Header{"Retry-After": {"1"}}}, true, 201,
			func(r reply) bool {
				return r.header.Get("Retry-After") == "1" && r.header.Get("Content-Type") == "application/json"
			}},
		{"redirect", emutest.Fault{Redirect: "http://example.com/"}, false, 307,
			func(r reply) bool { return r.header.Get("Location") == "http://example.com/" }},
		{"301", emutest.Fault{Redirect: "/", Status: 301}, false, 301, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachTransport(t, tt.fault, func(t *testing.T, s *emutest.Server, c *client) {
				r, err := c.try(c.request("POST", path, create))
				switch {
				case tt.status == 0 && err == nil:
					t.Errorf("got %d %s, want no whole answer", r.status, r.body)
				case tt.status != 0 && (err != nil || r.status != tt.status):
					t.Errorf("got %d %s %v, want %d", r.status, r.body, err, tt.status)
				case tt.check != nil && !tt.check(r):
					t.Errorf("got %v %s", r.header, r.body)
				case tt.status != 0 && !strings.HasPrefix(r.header.Get("Twilio-Request-Id"), "RQ"):
					t.Errorf("Twilio-Request-Id %q", r.header.Get("Twilio-Request-Id"))
				}
				if tt.name == "cut body" && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("got %v, want an unexpected EOF", err)
				}
				if got := len(s.Flows()) == 1; got != tt.committed {
					t.Errorf("the flow was made: %v, want %v", got, tt.committed)
				}
				if got := s.Requests()[0].Committed; got != tt.committed {
					t.Errorf("logged as committed: %v, want %v", got, tt.committed)
				}
			})
		})
	}
}

func TestHang(t *testing.T) {
	for name, fault := range map[string]emutest.Fault{"before": {Hang: true}, "after": {HangAfter: true}, "slow": {Delay: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, fault, func(t *testing.T, s *emutest.Server, c *client) {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				_, err := c.try(c.request("POST", path, create).WithContext(ctx))
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want the deadline", err)
				}
				want := 0
				if name == "after" {
					want = 1
				}
				if got := len(s.Flows()); got != want {
					t.Errorf("%d flows, want %d", got, want)
				}
			})
		})
	}
}

func TestEndless(t *testing.T) {
	eachTransport(t, emutest.Fault{Endless: true}, func(t *testing.T, _ *emutest.Server, c *client) {
		res, err := c.transport.RoundTrip(c.request("GET", path, nil))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.CopyN(io.Discard, res.Body, 4<<20); err != nil {
			t.Errorf("it ended after %d bytes: %v", n, err)
		}
		res.Body.Close()
		c.want(200, "GET", path, nil)
	})
}

// TestLatency: a request that is not carried out takes its time, too.
func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, emulator.Options{Latency: time.Second}, first(emutest.Fault{Status: 500, Delay: time.Minute}))
		c := newClient(t, s)
		for _, want := range []struct {
			status int
			took   time.Duration
		}{{500, time.Minute + time.Second}, {201, time.Second}} {
			began := time.Now()
			c.want(want.status, "POST", path, create)
			if took := time.Since(began); took != want.took {
				t.Errorf("took %v, want %v", took, want.took)
			}
		}
	})
}

// TestCompression: a client that takes gzip gets it, and a rewrite plain text.
func TestCompression(t *testing.T) {
	s := newServer(t, emulator.Options{}, func(r *http.Request, _ int) (f emutest.Fault) {
		if r.URL.Query().Has("PageSize") {
			f.Rewrite = bytes.ToUpper
		}
		return f
	})
	c := newClient(t, s)
	for range 10 {
		c.want(201, "POST", path, create)
	}
	ask := func(target string) reply {
		req := c.request("GET", target, nil)
		req.Header.Set("Accept-Encoding", "gzip")
		r, err := c.try(req)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := ask(path + "?PageSize=10"); r.header.Get("Content-Encoding") != "" || !strings.Contains(r.body, `"FLEX_FLOWS":`) {
		t.Errorf("rewritten: %v %s", r.header, r.body)
	}
	r := ask(path)
	z, err := gzip.NewReader(strings.NewReader(r.body))
	if err != nil {
		t.Fatalf("%v: %v", r.header, err)
	}
	if text, err := io.ReadAll(z); err != nil || !strings.Contains(string(text), `"flex_flows":`) {
		t.Errorf("unpacked: %s, %v", text, err)
	}
}

func TestFaultSeesTheForm(t *testing.T) {
	var seen atomic.Value
	s := newServer(t, emulator.Options{}, func(r *http.Request, _ int) emutest.Fault {
		body, _ := io.ReadAll(r.Body)
		seen.Store(r.PostForm.Get("FriendlyName") + " " + string(body))
		return emutest.Fault{}
	})
	newClient(t, s).want(201, "POST", path, create)
	if want := "a " + create.Encode(); seen.Load() != want {
		t.Errorf("seen %q, want %q", seen.Load(), want)
	}
}

func TestRequests(t *testing.T) {
	s := newServer(t, emulator.Options{}, func(_ *http.Request, call int) emutest.Fault {
		switch call {
		case 4:
			return emutest.Fault{StatusAfter: 504}
		case 5:
			return emutest.Fault{DropAfter: true}
		case 6:
			return emutest.Fault{DropBefore: true}
		}
		return emutest.Fault{}
	})
	c := newClient(t, s)
	c.want(201, "POST", path, create)
	one := path + "/" + s.Flows()[0]["sid"].(string)
	invalid, off := url.Values{"Enabled": {"maybe"}}, url.Values{"Enabled": {"false"}}
	c.want(200, "GET", path+"?PageSize=7", nil)
	c.want(400, "POST", one, invalid)
	c.want(504, "POST", one, off)
	for range 2 {
		if r, err := c.try(c.request("DELETE", one, nil)); err == nil {
			t.Errorf("got %d %s, want no answer", r.status, r.body)
		}
	}
	none := url.Values{}
	want := []emutest.Request{
		{Call: 1, Method: "POST", Path: path, Query: none, Form: create, Status: 201, Committed: true},
		{Call: 2, Method: "GET", Path: path, Query: url.Values{"PageSize": {"7"}}, Form: none, Status: 200},
		{Call: 3, Method: "POST", Path: one, Query: none, Form: invalid, Status: 400},
		{Call: 4, Method: "POST", Path: one, Query: none, Form: off, Status: 504, Committed: true},
		{Call: 5, Method: "DELETE", Path: one, Query: none, Form: none, Committed: true},
		{Call: 6, Method: "DELETE", Path: one, Query: none, Form: none},
	}
	if diff := cmp.Diff(want, s.Requests()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEdit edits the flows alone: the rest of the account stays.
func TestEdit(t *testing.T) {
	s := newServer(t, emulator.Options{Seed: []byte(`{
		"flows": [{"friendly_name": "a", "channel_type": "web"}, {"friendly_name": "b", "channel_type": "web"}, {"friendly_name": "c", "channel_type": "web"}],
		"services": [{"friendly_name": "Chat", "number": 12345678901234567890}]}`)}, nil)
	names := func() (names []any) {
		for _, flow := range s.Flows() {
			names = append(names, flow["friendly_name"])
		}
		return names
	}
	rest := func() string {
		_, rest, _ := strings.Cut(string(s.Snapshot()), `"services"`)
		return rest
	}
	before := rest()
	if err := s.Edit(func(flows []map[string]any) []map[string]any {
		flows[0]["friendly_name"] = "renamed"
		return append(flows[:2], map[string]any{"channel_type": "web"})
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{"renamed", "b", nil}, names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	err := s.Edit(func(flows []map[string]any) []map[string]any {
		flows[1]["enabled"] = 7
		return flows
	})
	if err == nil || !strings.Contains(err.Error(), `flows[1] "b": enabled: must be true or false, not a number`) {
		t.Errorf("got %v", err)
	}
	if err := s.Edit(func([]map[string]any) []map[string]any { return nil }); err != nil || len(s.Flows()) != 0 {
		t.Errorf("flows are left: %v, %v", names(), err)
	}
	if diff := cmp.Diff(before, rest()); diff != "" {
		t.Errorf("the rest changed:\n%s", diff)
	}
}

// TestAddresses: addresses have the faults, the log and the back door of flows.
func TestAddresses(t *testing.T) {
	const path = "/v1/Configuration/Addresses"
	s := newServer(t, emulator.Options{}, first(emutest.Fault{DropAfter: true}))
	c := newClient(t, s)
	create := url.Values{"Type": {"sms"}, "Address": {"+1555"}, "AutoCreation.WebhookFilters": {"onMessageAdded", "onMessageRemoved"}}
	if len(s.Addresses()) != 0 {
		t.Errorf("addresses %v", s.Addresses())
	}
	if r, err := c.try(c.request("POST", path, create)); err == nil {
		t.Errorf("got %d %s, want no answer", r.status, r.body)
	}
	c.want(409, "POST", path, create)
	want := []emutest.Request{
		{Call: 1, Method: "POST", Path: path, Query: url.Values{}, Form: create, Committed: true},
		{Call: 2, Method: "POST", Path: path, Query: url.Values{}, Form: create, Status: 409},
	}
	if diff := cmp.Diff(want, s.Requests()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.Addresses(); len(got) != 1 || got[0]["address"] != "+1555" {
		t.Errorf("addresses %v", got)
	}
	err := s.EditAddresses(func(addresses []map[string]any) []map[string]any {
		addresses[0]["friendly_name"] = "Support"
		return append(addresses, map[string]any{"type": "rcs", "address": "x"})
	})
	if got := s.Addresses(); err != nil || len(got) != 2 || got[0]["friendly_name"] != "Support" || len(s.Flows()) != 0 {
		t.Errorf("addresses %v, %v", got, err)
	}
	if err := s.EditAddresses(func([]map[string]any) []map[string]any { return nil }); err != nil || len(s.Addresses()) != 0 {
		t.Errorf("addresses are left: %v, %v", s.Addresses(), err)
	}
}
