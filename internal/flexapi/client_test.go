package flexapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const testSID = "FO0123456789abcdef0123456789abcdef"

var testFlows = Collection{Product: Flex, Path: "/v1/FlexFlows", Key: "flex_flows", PageSize: 1000}

// script answers the n-th try with its n-th step, the last one for ever.
func script(log *[]time.Duration, steps ...func(*http.Request) (*http.Response, error)) roundTripper {
	start, n := time.Now(), 0
	return func(r *http.Request) (*http.Response, error) {
		*log = append(*log, time.Since(start))
		step := steps[min(n, len(steps)-1)]
		n++
		return step(r)
	}
}

func gives(status int, body string, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return answer(status, body, headers...), nil }
}

func fails(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func silentBody(r *http.Request) (*http.Response, error) {
	res := answer(200, "")
	res.ContentLength = 100
	res.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"a":`), readerFunc(func([]byte) (int, error) {
		<-r.Context().Done()
		return 0, r.Context().Err()
	})))
	return res, nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func cutOff(*http.Request) (*http.Response, error) {
	res := answer(201, "")
	res.ContentLength = 100
	res.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"a":`), readerFunc(func([]byte) (int, error) {
		return 0, io.ErrUnexpectedEOF
	})))
	return res, nil
}

// undialled fails as net/http does when no connection could be made.
func undialled(r *http.Request) (*http.Response, error) {
	httptrace.ContextClientTrace(r.Context()).GetConn("host:443")
	return nil, errors.New("tls handshake timeout")
}

// TestTries is the table of what is tried again, and what is known of it.
func TestTries(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	reset := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	cert := &tls.CertificateVerificationError{Err: errors.New("unknown authority")}
	certUndialled := func(r *http.Request) (*http.Response, error) {
		httptrace.ContextClientTrace(r.Context()).GetConn("host:443")
		return nil, cert
	}
	type step = func(*http.Request) (*http.Response, error)
	ok := gives(200, `{"sid":"FO"}`)
	type want struct {
		tries   int
		ok      bool
		unknown bool
	}
	tests := []struct {
		name                      string
		steps                     []step
		fetch, update, del, creat want
	}{
		{"ok", []step{ok}, want{1, true, false}, want{1, true, false}, want{1, true, false}, want{1, true, false}},
		{"500 once", []step{gives(500, ""), ok}, want{2, true, false}, want{2, true, false}, want{2, true, false}, want{1, false, true}},
		{"503 for ever", []step{gives(503, `{"message":"no"}`)}, want{6, false, false}, want{6, false, true}, want{6, false, true}, want{1, false, true}},
		{"501", []step{gives(501, ""), ok}, want{2, true, false}, want{2, true, false}, want{2, true, false}, want{1, false, true}},
		{"reset", []step{fails(reset), ok}, want{2, true, false}, want{2, true, false}, want{2, true, false}, want{1, false, true}},
		{"eof", []step{fails(io.EOF), ok}, want{2, true, false}, want{2, true, false}, want{2, true, false}, want{1, false, true}},
		{"dial", []step{fails(dial), ok}, want{2, true, false}, want{2, true, false}, want{2, true, false}, want{2, true, false}},
		{"dial for ever", []step{fails(dial)}, want{6, false, false}, want{6, false, false}, want{6, false, false}, want{6, false, false}},
		{"tls", []step{undialled, ok}, want{2, true, false}, want{2, true, false}, want{2, true, false}, want{2, true, false}},
		{"certificate", []step{certUndialled, ok}, want{1, false, false}, want{1, false, false}, want{1, false, false}, want{1, false, false}},
		{"dial, then reset", []step{fails(dial), fails(reset), ok}, want{3, true, false}, want{3, true, false}, want{3, true, false}, want{2, false, true}},
		{"429 twice", []step{gives(429, ""), gives(429, "", "Retry-After", "1"), ok}, want{3, true, false}, want{3, true, false}, want{3, true, false}, want{3, true, false}},
		{"429, then 500", []step{gives(429, ""), gives(500, ""), ok}, want{3, true, false}, want{3, true, false}, want{3, true, false}, want{2, false, true}},
		{"400", []step{gives(400, `{"code":45004}`), ok}, want{1, false, false}, want{1, false, false}, want{1, false, false}, want{1, false, false}},
		{"408", []step{gives(408, ``), ok}, want{1, false, false}, want{1, false, false}, want{1, false, false}, want{1, false, false}},
		{"404", []step{gives(404, `{"code":20404}`), ok}, want{1, false, false}, want{1, false, false}, want{1, true, false}, want{1, false, false}},
		{"500, then 404", []step{gives(500, ``), gives(404, ``)}, want{2, false, false}, want{2, false, true}, want{2, true, false}, want{1, false, true}},
		{"redirect", []step{gives(302, ``, "Location", "https://evil.example/x?y"), ok}, want{1, false, false}, want{1, false, false}, want{1, false, false}, want{1, false, false}},
		{"redirect to nowhere", []step{gives(307, ``, "Location", "://"), ok}, want{1, false, false}, want{1, false, false}, want{1, false, false}, want{1, false, false}},
		{"truncated", []step{cutOff, ok}, want{2, true, false}, want{2, true, false}, want{1, true, false}, want{1, false, true}},
		{"not JSON", []step{gives(200, `<html>`), ok}, want{2, true, false}, want{2, true, false}, want{1, true, false}, want{1, false, true}},
		{"trailing garbage", []step{gives(200, `{} x`), ok}, want{2, true, false}, want{2, true, false}, want{1, true, false}, want{1, false, true}},
		{"empty", []step{gives(200, ``), ok}, want{2, true, false}, want{2, true, false}, want{1, true, false}, want{1, false, true}},
		{"wrong shape", []step{gives(200, `[]`), ok}, want{1, false, false}, want{1, false, true}, want{1, true, false}, want{1, false, true}},
		{"202", []step{gives(202, `{}`), ok}, want{1, false, false}, want{1, false, true}, want{1, true, false}, want{1, false, true}},
		{"204", []step{gives(204, ``), ok}, want{1, false, false}, want{1, false, true}, want{1, true, false}, want{1, false, true}},
		{"silent", []step{silent}, want{5, false, false}, want{5, false, true}, want{5, false, true}, want{1, false, true}},
		{"silent once", []step{silent, ok}, want{2, true, false}, want{2, true, false}, want{2, true, false}, want{1, false, true}},
		{"silent body", []step{silentBody, ok}, want{2, true, false}, want{2, true, false}, want{2, true, false}, want{1, false, true}},
	}
	for _, tt := range tests {
		ops := map[string]struct {
			want want
			do   func(context.Context, *Client) (Answer, error)
		}{
			"fetch": {tt.fetch, func(ctx context.Context, c *Client) (Answer, error) { return c.Fetch(ctx, testFlows, testSID) }},
			"update": {tt.update, func(ctx context.Context, c *Client) (Answer, error) {
				return c.Update(ctx, testFlows, testSID, url.Values{"A": {"b"}})
			}},
			"delete": {tt.del, func(ctx context.Context, c *Client) (Answer, error) { return c.Delete(ctx, testFlows, testSID) }},
			"create": {tt.creat, func(ctx context.Context, c *Client) (Answer, error) {
				return c.Create(ctx, testFlows, url.Values{"A": {"b"}})
			}},
		}
		for op, o := range ops {
			t.Run(tt.name+"/"+op, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if tt.name == "silent body" && op == "delete" {
						t.Skip("a delete needs no body")
					}
					var tries []time.Duration
					var logged bytes.Buffer
					var steps []string
					c := newTestClient(t, script(&tries, tt.steps...), func(cfg *Config) {
						cfg.Logger = slog.New(slog.NewTextHandler(&logged, nil))
						cfg.Observe = func(e Event) {
							steps = append(steps, []string{"sent", "waiting", "ended"}[e.Step])
							if e.Write != (op != "fetch") || e.Step == Waiting && (e.Until.Before(time.Now()) || e.Reason == "" || e.Retry > e.Of) {
								t.Errorf("%+v", e)
							}
						}
					})
					start := time.Now()
					a, err := o.do(t.Context(), c)
					if took := time.Since(start); took > 40*time.Second && !strings.HasPrefix(tt.name, "silent") || took >= 6*defaultTimeout {
						t.Errorf("took %v", took)
					}
					if len(tries) != o.want.tries || (err == nil) != o.want.ok {
						t.Fatalf("%d tries at %v, error %v; want %+v", len(tries), tries, err, o.want)
					}
					if want := strings.Repeat("sent waiting ", len(tries)-1) + "sent ended"; strings.Join(steps, " ") != want {
						t.Errorf("steps %q, want %q", steps, want)
					}
					if n := strings.Count(logged.String(), "\n"); n != len(tries) {
						t.Errorf("%d records of %d tries", n, len(tries))
					}
					if err == nil {
						if a.Attempts != o.want.tries || a.RequestID != "RQ1" {
							t.Errorf("answer %+v", a)
						}
						return
					}
					e, ok := errors.AsType[*Error](err)
					if !ok || e.Unknown != o.want.unknown || e.Attempts != o.want.tries {
						t.Errorf("error %#v, want %+v", err, o.want)
					}
				})
			})
		}
	}
}

func TestTimeoutSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestClient(t, roundTripper(silent), func(cfg *Config) { cfg.Timeout = 2 * time.Second })
		start := time.Now()
		_, err := c.Fetch(t.Context(), testFlows, testSID)
		if err == nil || !strings.Contains(err.Error(), ": no answer from flex-api.twilio.com: timed out after 2 s (5 attempts in 10 s)") {
			t.Error(err)
		}
		if took := time.Since(start); took >= 12*time.Second {
			t.Errorf("took %v, six timeouts are 12s", took)
		}
	})
}

// TestRefusedForEver: after five minutes of nothing but 429, everyone gives
// up, and who comes later does not wait for as long again.
func TestRefusedForEver(t *testing.T) {
	for _, after := range []string{"", "0", "1", "3600", "-5", "soon", "99999999999999999999"} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			c := newTestClient(t, roundTripper(func(*http.Request) (*http.Response, error) {
				n++
				return answer(429, `{"code":20429,"message":"Too Many Requests"}`, "Retry-After", after), nil
			}))
			start := time.Now()
			_, err := c.Create(t.Context(), testFlows, nil)
			took := time.Since(start)
			e, _ := errors.AsType[*Error](err)
			if e == nil || e.Unknown || e.Status != 429 || e.Code != 20429 || !strings.Contains(err.Error(), "429 for 5 minutes") {
				t.Errorf("error %v", err)
			}
			if took < 3*time.Minute || took > 5*time.Minute+time.Second {
				t.Errorf("Retry-After %q: took %v", after, took)
			}
			if n > 310 {
				t.Errorf("Retry-After %q: %d requests", after, n)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"-1", "", 0},
		{"7", "", 7 * time.Second},
		{"61", "", time.Minute},
		{"99999999999999999999999", "", time.Minute},
		{"1.5", "", 0},
		{"soon", "", 0},
		{now.Add(9 * time.Second).Format(http.TimeFormat), "", 9 * time.Second},
		{now.Add(-9 * time.Second).Format(http.TimeFormat), "", 0},
		{now.Add(9000 * time.Second).Format(http.TimeFormat), "", time.Minute},
		{now.Add(9 * time.Second).Format(http.TimeFormat), now.Add(5 * time.Second).Format(http.TimeFormat), 4 * time.Second},
	} {
		h := http.Header{}
		h.Set("Retry-After", tt.value)
		h.Set("Date", tt.date)
		if got := retryAfter(h, now); got != tt.want {
			t.Errorf("Retry-After %q, Date %q: %v, want %v", tt.value, tt.date, got, tt.want)
		}
	}
}

func TestUnavailableRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Duration
		c := newTestClient(t, script(&tries, gives(503, "", "Retry-After", "3")))
		_, _ = c.Fetch(t.Context(), testFlows, testSID)
		want := []time.Duration{0, 3 * time.Second, 6 * time.Second, 9 * time.Second, 12 * time.Second, 15 * time.Second}
		if !slices.Equal(tries, want) {
			t.Errorf("tries at %v, want %v", tries, want)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Duration
		c := newTestClient(t, script(&tries, gives(503, "", "Retry-After", "60")))
		_, _ = c.Fetch(t.Context(), testFlows, testSID)
		if len(tries) != 2 || tries[1] != maxWait {
			t.Errorf("tries at %v", tries)
		}
	})
}

// TestStop: a context that ends stops waits at once and lets nothing new
// begin, but a write that was sent is heard out.
func TestStop(t *testing.T) {
	slow := func(status int, body string) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(10 * time.Second):
				return answer(status, body), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}
	}
	fetch := func(ctx context.Context, c *Client) (Answer, error) { return c.Fetch(ctx, testFlows, testSID) }
	update := func(ctx context.Context, c *Client) (Answer, error) { return c.Update(ctx, testFlows, testSID, nil) }
	create := func(ctx context.Context, c *Client) (Answer, error) { return c.Create(ctx, testFlows, nil) }
	for _, tt := range []struct {
		name            string
		rt              func(*http.Request) (*http.Response, error)
		do              func(context.Context, *Client) (Answer, error)
		took            time.Duration // -1: anything up to stop
		stopped, unkown bool
	}{
		{"read on its way", slow(200, "{}"), fetch, 3 * time.Second, true, false},
		{"update on its way", slow(200, "{}"), update, 10 * time.Second, false, false},
		{"create on its way", slow(201, "{}"), create, 10 * time.Second, false, false},
		{"create that fails", slow(500, ""), create, 10 * time.Second, false, true},
		{"update that fails", slow(500, ""), update, 10 * time.Second, true, true},
		{"update before a retry", gives(503, "", "Retry-After", "15"), update, 3 * time.Second, true, true},
		{"read before a retry", gives(503, "", "Retry-After", "15"), fetch, 3 * time.Second, true, false},
		{"create in a pause", gives(429, "", "Retry-After", "15"), create, 3 * time.Second, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tries []time.Duration
				c := newTestClient(t, script(&tries, tt.rt))
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(3*time.Second, cancel)
				start := time.Now()
				_, err := tt.do(ctx, c)
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if len(tries) != 1 {
					t.Errorf("tries at %v", tries)
				}
				if errors.Is(err, context.Canceled) != tt.stopped {
					t.Errorf("error %v", err)
				}
				if e, ok := errors.AsType[*Error](err); ok && e.Unknown != tt.unkown {
					t.Errorf("error %#v", e)
				}
				if _, err := tt.do(ctx, c); !errors.Is(err, context.Canceled) || len(tries) != 1 {
					t.Errorf("after the end: error %v, tries at %v", err, tries)
				}
			})
		})
	}
}

// TestRequest: what is sent, over a real connection.
func TestRequest(t *testing.T) {
	var got []string
	tries := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, pass, _ := r.BasicAuth()
		got = append(got, fmt.Sprint(r.Method, " ", r.URL, " ", user == testAccount && pass == testSecret, " ",
			r.Header.Get("Content-Type"), " ", r.Header.Get("Accept"), " ", r.UserAgent(), " ", string(body)))
		if tries++; tries == 1 {
			w.WriteHeader(429)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		defer zip.Close()
		fmt.Fprint(zip, `{"sid":"FO1"}`)
	}))
	defer srv.Close()
	c := newTestClient(t, nil, func(cfg *Config) { cfg.BaseURL = srv.URL + "/prefix/" })
	a, err := c.Update(t.Context(), testFlows, testSID, url.Values{"FriendlyName": {"a b&c"}, "Integration.FlowSid": {"FW"}})
	if err != nil || string(a.Body) != `{"sid":"FO1"}` {
		t.Fatal(a, err)
	}
	want := "POST /prefix/v1/FlexFlows/" + testSID + " true application/x-www-form-urlencoded application/json flexsync FriendlyName=a+b%26c&Integration.FlowSid=FW"
	if len(got) != 2 || got[0] != want || got[1] != want {
		t.Errorf("got %q", got)
	}
	if c.BaseURL(Flex) != srv.URL+"/prefix" {
		t.Error(c.BaseURL(Flex))
	}
	if _, err := c.Delete(t.Context(), testFlows, "../x"); err == nil || len(got) != 2 {
		t.Errorf("a SID with a slash was sent: %v", err)
	}
}

// TestConnectionReuse: parallel writes do not pay for a connection each.
func TestConnectionReuse(t *testing.T) {
	conns := 0
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{}`) }))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns++
		}
	}
	srv.Start()
	defer srv.Close()
	c := newTestClient(t, nil, func(cfg *Config) { cfg.BaseURL, cfg.Parallelism = srv.URL, 16 })
	done := make(chan error)
	for range 16 {
		go func() {
			var err error
			for range 20 {
				_, e := c.Create(context.Background(), testFlows, nil)
				err = errors.Join(err, e)
			}
			done <- err
		}()
	}
	for range 16 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	srv.Close()
	if conns > 32 {
		t.Errorf("%d connections for 16 workers", conns)
	}
}

// TestNoSecrets sends marked secrets through every way to fail.
func TestNoSecrets(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte(testAccount + ":" + testSecret))
	echo := "Authorization: Basic " + basic + " " + testSecret
	echoJSON, _ := json.Marshal(map[string]any{"code": 1, "message": echo, "more_info": echo, "details": map[string]string{"a": echo}, "status": 400})
	steps := []func(*http.Request) (*http.Response, error){
		gives(400, string(echoJSON)), gives(401, string(echoJSON)), gives(403, echo), gives(410, "<html>"+echo), gives(500, echo), gives(429, echo, "Twilio-Request-Id", echo),
		gives(200, echo), gives(200, `["`+echo+`"]`), gives(202, `{"a":"`+echo+`"}`),
		gives(302, echo, "Location", "https://u:"+testSecret+"@h.example/"+testSecret+"?x="+testSecret),
		fails(errors.New(`invalid proxy address "u:` + testSecret + `@proxy": parse`)), fails(errors.New(`proxy "http://u:p%ss@proxy"`)),
		silent, cutOff,
		gives(200, `{"meta":{"next_page_url":"https://`+testSecret+`.example/"},"flex_flows":[]}`),
		gives(200, `{"meta":{"next_page_url":"https://u:`+testSecret+`@flex-api.twilio.com/"},"flex_flows":[]}`),
	}
	for i, step := range steps {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			c := newTestClient(t, roundTripper(step), func(cfg *Config) { cfg.Logger = slog.New(slog.NewJSONHandler(&out, nil)) })
			_, err1 := c.Create(t.Context(), testFlows, url.Values{"FriendlyName": {"personal"}})
			_, err2 := c.Fetch(t.Context(), testFlows, testSID)
			err3 := c.List(t.Context(), testFlows, func([]any) error { return nil })
			_, err4 := c.Delete(t.Context(), testFlows, testSID)
			for _, err := range []error{err1, err2, err3, err4} {
				fmt.Fprintf(&out, "%v %+v %#v\n", err, err, err)
				if e, ok := errors.AsType[*Error](err); ok {
					fmt.Fprintf(&out, "%+v %q %s %v\n", *e, e.Hint, e.Details, e.Err)
				}
			}
			fmt.Fprintf(&out, "%+v %#v", c, c)
			for _, secret := range []string{testSecret, basic, "p%ss", "personal", "PageSize"} {
				if strings.Contains(out.String(), secret) {
					t.Errorf("step %d: %q in %s", i, secret, out.String())
				}
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		step func(*http.Request) (*http.Response, error)
		want string
		hint string
	}{
		{gives(400, `{"code":45210,"message":"collided","more_info":"https://x","status":400,"details":{"a":1}}`),
			`POST /v1/FlexFlows: HTTP 400, code 45210: collided: {"a":1}`, ""},
		{gives(400, `{"code":"45210","message":7}`), `POST /v1/FlexFlows: HTTP 400, code 45210: 7`, ""},
		{gives(400, `null`), `POST /v1/FlexFlows: HTTP 400: the answer begins with null`, ""},
		{gives(400, strings.Repeat("x", 5000)), `POST /v1/FlexFlows: HTTP 400: the answer begins with ` + strings.Repeat("x", 200) + "…", ""},
		{gives(400, `{"message":"`+strings.Repeat("x", 5000)+`"}`), `POST /v1/FlexFlows: HTTP 400: ` + strings.Repeat("x", 2048) + "…", ""},
		{gives(401, `{"code":20003,"message":"Authenticate"}`), `POST /v1/FlexFlows: HTTP 401, code 20003: Authenticate`, "TWILIO_AUTH_TOKEN, for account AC0"},
		{gives(403, ``), `POST /v1/FlexFlows: HTTP 403`, "restricted"},
		{gives(404, ``), `POST /v1/FlexFlows: HTTP 404`, "base URL"},
		{gives(410, ``), `POST /v1/FlexFlows: HTTP 410`, "June 1, 2026"},
		{gives(308, ``, "Location", "//other.example/a?b"), `POST /v1/FlexFlows: HTTP 308`, `"other.example"`},
		{gives(200, `<html>`), `POST /v1/FlexFlows: HTTP 200: the answer is not valid JSON, or is incomplete: the answer begins with <html>`, "login page"},
	} {
		c := newTestClient(t, roundTripper(tt.step))
		_, err := c.Create(t.Context(), testFlows, nil)
		e, ok := errors.AsType[*Error](err)
		if !ok || err.Error() != tt.want || !strings.Contains(e.Hint, tt.hint) || (tt.hint == "") != (e.Hint == "") {
			t.Errorf("error %v\nwant  %v\nhint %q", err, tt.want, e.Hint)
		}
	}
	c := newTestClient(t, roundTripper(gives(404, "")), func(cfg *Config) { cfg.Region = "ie1" })
	_, err := c.Fetch(t.Context(), testFlows, testSID)
	if e, _ := errors.AsType[*Error](err); !strings.Contains(e.Hint, `"ie1"`) {
		t.Errorf("hint %q", e.Hint)
	}
}

func TestTooLarge(t *testing.T) {
	n := 0
	c := newTestClient(t, roundTripper(func(*http.Request) (*http.Response, error) {
		n++
		res := answer(200, "")
		res.ContentLength = -1
		res.Body = io.NopCloser(readerFunc(func(p []byte) (int, error) { return len(p), nil }))
		return res, nil
	}))
	c.maxBody = 1 << 20
	_, err := c.Fetch(t.Context(), testFlows, testSID)
	if err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") || n != 1 {
		t.Errorf("%d tries, error %.200v", n, err)
	}
}
