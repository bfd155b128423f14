package emulator_test

import (
	"bytes"
	"context"
	"errors"
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
)

// eachTransport runs a test over a real connection and in this process: a fault
// must look the same to a client.
func eachTransport(t *testing.T, opts emulator.Options, test func(t *testing.T, s *emulator.Server, c *client)) {
	t.Run("network", func(t *testing.T) {
		s := newServer(t, opts)
		server := httptest.NewServer(s)
		t.Cleanup(server.Close)
		transport := &http.Transport{DisableKeepAlives: true}
		test(t, s, &client{t, server.URL, s.AccountSID(), transport})
	})
	t.Run("in process", func(t *testing.T) {
		s := newServer(t, opts)
		test(t, s, newClient(t, s))
	})
}

// first is a fault that hits the first request.
func first(f emulator.Fault) emulator.Options {
	return emulator.Options{Fault: func(_ *http.Request, call int) emulator.Fault {
		if call > 1 {
			return emulator.Fault{}
		}
		return f
	}}
}

func TestFaults(t *testing.T) {
	html := "<html>504 Gateway Time-out</html>"
	tests := []struct {
		name      string
		fault     emulator.Fault
		committed bool
		status    int // 0: no whole answer
		check     func(reply) bool
	}{
		{"none", emulator.Fault{}, true, 201, nil},
		{"429", emulator.Fault{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, false, 429,
			func(r reply) bool { return r.header.Get("Retry-After") == "7" && r.body["code"] == 20429.0 }},
		{"503", emulator.Fault{Status: 503}, false, 503, func(r reply) bool { return r.body["code"] == 20503.0 }},
		{"proxy's page", emulator.Fault{Status: 502, Body: html, ContentType: "text/html"}, false, 502,
			func(r reply) bool { return string(r.raw) == html && r.header.Get("Content-Type") == "text/html" }},
		{"drop before", emulator.Fault{DropBefore: true}, false, 0, nil},
		{"drop after", emulator.Fault{DropAfter: true}, true, 0, nil},
		{"cut body", emulator.Fault{CutBody: true}, true, 0, nil},
		{"status after", emulator.Fault{StatusAfter: 504, Body: html, ContentType: "text/html"}, true, 504,
			func(r reply) bool { return string(r.raw) == html }},
		{"500 after", emulator.Fault{StatusAfter: 500}, true, 500, func(r reply) bool { return r.body["code"] == 20500.0 }},
		{"delay", emulator.Fault{Delay: time.Millisecond, DelayAfter: time.Millisecond}, true, 201, nil},
		{"rewrite", emulator.Fault{Rewrite: func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("AC0"), []byte("AC9")) }}, true, 201,
			func(r reply) bool { return strings.HasPrefix(r.body["account_sid"].(string), "AC9") }},
		{"header", emulator.Fault{Header: http.Header{"Retry-After": {"1"}}}, true, 201,
			func(r reply) bool { return r.header.Get("Retry-After") == "1" }},
		{"redirect", emulator.Fault{Redirect: "http://example.com/"}, false, 307,
			func(r reply) bool { return r.header.Get("Location") == "http://example.com/" }},
		{"301", emulator.Fault{Redirect: "/", Status: 301}, false, 301, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachTransport(t, first(tt.fault), func(t *testing.T, s *emulator.Server, c *client) {
				r, err := c.try(c.request("POST", "/v1/FlexFlows", form("a")))
				switch {
				case tt.status == 0 && err == nil:
					t.Errorf("got %d %s, want no whole answer", r.status, r.raw)
				case tt.status != 0 && (err != nil || r.status != tt.status):
					t.Errorf("got %d %s %v, want %d", r.status, r.raw, err, tt.status)
				case tt.check != nil && !tt.check(r):
					t.Errorf("got %v %s", r.header, r.raw)
				}
				if tt.name == "cut body" && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("got %v, want an unexpected EOF", err)
				}
				if got := len(c.names()) == 1; got != tt.committed {
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
	for name, fault := range map[string]emulator.Fault{"before": {Hang: true}, "after": {HangAfter: true}, "slow": {Delay: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, first(fault), func(t *testing.T, _ *emulator.Server, c *client) {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				_, err := c.try(c.request("POST", "/v1/FlexFlows", form("a")).WithContext(ctx))
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want the deadline", err)
				}
				want := 0
				if name == "after" {
					want = 1
				}
				if got := len(c.names()); got != want {
					t.Errorf("%d flows, want %d", got, want)
				}
			})
		})
	}
}

func TestEndless(t *testing.T) {
	eachTransport(t, first(emulator.Fault{Endless: true}), func(t *testing.T, _ *emulator.Server, c *client) {
		res, err := c.transport.RoundTrip(c.request("GET", "/v1/FlexFlows", nil))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.CopyN(io.Discard, res.Body, 4<<20); err != nil {
			t.Errorf("it ended after %d bytes: %v", n, err)
		}
		res.Body.Close()
		c.want(200, "GET", "/v1/FlexFlows", nil)
	})
}

func TestFaultSeesTheForm(t *testing.T) {
	var seen atomic.Value
	s := newServer(t, emulator.Options{Fault: func(r *http.Request, _ int) emulator.Fault {
		body, _ := io.ReadAll(r.Body)
		seen.Store(r.PostForm.Get("FriendlyName") + " " + string(body))
		return emulator.Fault{}
	}})
	newClient(t, s).create(form("a"))
	if want := "a " + form("a").Encode(); seen.Load() != want {
		t.Errorf("seen %q, want %q", seen.Load(), want)
	}
}

// TestTransportIsATransport checks that it is as a network is to a client.
func TestTransportIsATransport(t *testing.T) {
	s := newServer(t, emulator.Options{Seed: flowsJSON(100)})
	c := newClient(t, s)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.try(c.request("POST", "/v1/FlexFlows", form("a")).WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled request: %v", err)
	}

	if _, err := (&http.Client{Transport: s.Transport()}).Get("http://:/"); err == nil {
		t.Error("a request without a host was answered")
	}
	res, err := (&http.Client{Transport: s.Transport()}).Get("http://localhost/v1/FlexFlows")
	if err != nil || res.StatusCode != 401 {
		t.Errorf("through http.Client: %v, %v", res, err)
	}
	res.Body.Close()
}

// TestClock runs in a bubble with a clock of its own: delays and the rate limit
// take no real time in tests.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, emulator.Options{RateLimit: 10, Latency: 250 * time.Millisecond})
		c := newClient(t, s)
		start := time.Now()
		c.want(200, "GET", "/v1/FlexFlows", nil)
		if took := time.Since(start); took != 250*time.Millisecond {
			t.Errorf("took %v, want the latency", took)
		}
		results := make(chan int)
		for range 20 {
			go func() {
				r, err := c.try(c.request("GET", "/v1/FlexFlows", nil))
				if err != nil {
					t.Error(err)
				}
				results <- r.status
			}()
		}
		count := make(map[int]int)
		for range 20 {
			count[<-results]++
		}
		if count[200] != 10 || count[429] != 10 {
			t.Errorf("answers %v, want ten of each", count)
		}
	})
}

// TestLimits: each endpoint has its own limit, which the others do not use up.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, emulator.Options{Seed: flowsJSON(9), Limits: emulator.DocumentedLimits, RetryAfter: time.Second})
		c := newClient(t, s)
		flow := "/v1/FlexFlows/" + s.Flows()[0]["sid"].(string)
		for second := range 3 {
			for _, tt := range []struct {
				method, path string
				form         url.Values
				limit        int
			}{
				{"GET", "/v1/FlexFlows", nil, 10}, {"GET", flow, nil, 2}, {"POST", "/v1/FlexFlows", form("a"), 2},
				{"POST", flow, form("b"), 1}, {"DELETE", "/v1/FlexFlows/FO00000000000000000000000000000abc", nil, 2},
				{"GET", "/v1/Services", nil, 99},
			} {
				taken := 0
				for range 20 {
					r, err := c.try(c.request(tt.method, tt.path, tt.form))
					if err != nil {
						t.Fatal(err)
					}
					if r.status != 429 {
						taken++
					} else if got := r.header.Get("Retry-After"); got != "1" {
						t.Errorf("Retry-After %q", got)
					}
				}
				if taken != min(tt.limit, 20) {
					t.Errorf("second %d: %d of %s %s let through, want %d", second, taken, tt.method, tt.path, tt.limit)
				}
			}
			time.Sleep(time.Second)
		}
	})
}

// TestServesTLS checks that addresses in answers are those that were asked.
func TestServesTLS(t *testing.T) {
	s := newServer(t, emulator.Options{Seed: flowsJSON(2)})
	server := httptest.NewTLSServer(s)
	defer server.Close()
	c := &client{t, server.URL, s.AccountSID(), server.Client().Transport}
	items, pages := c.list("/v1/FlexFlows?PageSize=1", "flex_flows")
	if pages != 2 || !strings.HasPrefix(items[1]["url"].(string), server.URL+"/v1/FlexFlows/FO") {
		t.Errorf("%d pages, url %v, server %s", pages, items[1]["url"], server.URL)
	}
}
