package flexapi

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// roundTripper is a transport in memory.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string, headers ...string) *http.Response {
	h := http.Header{"Twilio-Request-Id": {"RQ1"}}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader([]byte(body)))}
}

// TestPaceSmallLimit: an API that takes very little is not hammered either.
func TestPaceSmallLimit(t *testing.T) {
	for _, after := range []string{"", "1"} {
		synctest.Test(t, func(t *testing.T) {
			took, refusals := simulate(t, &slidingWindow{limit: 2}, 120, 4, 50*time.Millisecond, after)
			if took > 120*time.Second || refusals > 40 {
				t.Errorf("120 writes at 2/s: took %v, %d refused", took, refusals)
			}
		})
	}
}

// TestPaceSpeedsUp: after a few refusals that do not come back, the pacer gets
// out of the way.
func TestPaceSpeedsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, _ := simulate(t, limiterFunc(func(n int) bool { return n > 10 }), 1000, 8, 10*time.Millisecond, "")
		if took > 30*time.Second {
			t.Errorf("took %v", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		took, _ := simulate(t, limiterFunc(func(n int) bool { return n%20 != 0 }), 1000, 8, 10*time.Millisecond, "")
		t.Logf("with one in twenty refused at random: %v", took)
		if took > 5*time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// TestPaceFree: without a 429 there is no limit.
func TestPaceFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, _ := simulate(t, limiterFunc(func(int) bool { return true }), 1000, 10, 10*time.Millisecond, "")
		if took != time.Second {
			t.Errorf("took %v", took)
		}
	})
}

type countingLimiter struct {
	n     int
	allow func(int) bool
}

func limiterFunc(f func(n int) bool) limiter { return &countingLimiter{allow: f} }

func (l *countingLimiter) take(time.Time) bool { l.n++; return l.allow(l.n) }

// limiter is an API that takes no more than so many requests a second.
type limiter interface{ take(now time.Time) bool }

// fixedWindow takes limit requests in each second of the clock.
type fixedWindow struct {
	limit int
	tick  int64
	n     int
}

func (l *fixedWindow) take(now time.Time) bool {
	if tick := now.Unix(); tick != l.tick {
		l.tick, l.n = tick, 0
	}
	if l.n >= l.limit {
		return false
	}
	l.n++
	return true
}

// slidingWindow takes limit requests in any second.
type slidingWindow struct {
	limit int
	taken []time.Time
}

func (l *slidingWindow) take(now time.Time) bool {
	if len(l.taken) >= l.limit && now.Sub(l.taken[len(l.taken)-l.limit]) < time.Second {
		return false
	}
	l.taken = append(l.taken, now)
	return true
}

// tokenBucket refills at rate and holds burst.
type tokenBucket struct {
	rate, burst, tokens float64
	last                time.Time
}

func (l *tokenBucket) take(now time.Time) bool {
	if l.last.IsZero() {
		l.tokens, l.last = l.burst, now
	}
	l.tokens = math.Min(l.burst, l.tokens+l.rate*now.Sub(l.last).Seconds())
	l.last = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}

// TestPaceUnderLimit holds the pacer to its purpose: 1000 writes against a
// limit of 50 a second take at most 1.3 times what the limit alone dictates,
// and at most one request in ten is refused, whatever the kind of limit, the
// latency, the number of workers, and whether the API says when to come back.
func TestPaceUnderLimit(t *testing.T) {
	const writes, limit = 1000, 50
	limits := map[string]func() limiter{
		"fixed":    func() limiter { return &fixedWindow{limit: limit} },
		"sliding":  func() limiter { return &slidingWindow{limit: limit} },
		"bucket1":  func() limiter { return &tokenBucket{rate: limit, burst: 1} },
		"bucket50": func() limiter { return &tokenBucket{rate: limit, burst: limit} },
	}
	for kind, newLimit := range limits {
		for _, workers := range []int{4, 16, 64} {
			for _, latency := range []time.Duration{0, 5 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond} {
				for _, after := range []string{"", "1"} {
					name := fmt.Sprintf("%s/workers=%d/latency=%v/after=%s", kind, workers, latency, after)
					t.Run(name, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							took, refusals := simulate(t, newLimit(), writes, workers, latency, after)
							least := max(time.Second*writes/limit, latency*time.Duration(writes/workers))
							t.Logf("%5.2f of the least, %d refused", took.Seconds()/least.Seconds(), refusals)
							if took > least*13/10 {
								t.Errorf("took %v, %.2f times the least", took, took.Seconds()/least.Seconds())
							}
							if refusals > (writes+refusals)/10 {
								t.Errorf("%d requests refused", refusals)
							}
						})
					})
				}
			}
		}
	}
}

func simulate(t *testing.T, l limiter, writes, workers int, latency time.Duration, after string) (time.Duration, int) {
	var mu sync.Mutex
	refusals := 0
	c := newTestClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		time.Sleep(latency / 2)
		mu.Lock()
		ok := l.take(time.Now())
		if !ok {
			refusals++
		}
		mu.Unlock()
		time.Sleep(latency - latency/2)
		if !ok {
			return answer(429, `{"code":20429,"message":"Too many requests"}`, "Retry-After", after), nil
		}
		return answer(201, `{}`), nil
	}))
	start := time.Now()
	jobs := make(chan int, writes)
	for i := range writes {
		jobs <- i
	}
	close(jobs)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range jobs {
				if _, err := c.CreateFlow(t.Context(), url.Values{"FriendlyName": {"x"}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start), refusals
}

const (
	testAccount = "AC0123456789abcdef0123456789abcdef"
	testSecret  = "MARKED-SECRET-d41d8cd98f00b204"
)

func newTestClient(t *testing.T, rt http.RoundTripper, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{
		Credentials: Credentials{AccountSID: testAccount, Username: testAccount, Password: testSecret, Source: "TWILIO_AUTH_TOKEN"},
		Transport:   rt,
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
