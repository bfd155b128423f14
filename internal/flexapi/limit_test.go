package flexapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
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

// serverLimit is an API that takes no more than so many requests a second.
type serverLimit interface{ take(now time.Time) bool }

// serverLimits are the ways to count a second. Which one is Twilio's is not known.
var serverLimits = map[string]func(limit int) serverLimit{
	"fixed":   func(n int) serverLimit { return &fixedWindow{limit: n} },
	"sliding": func(n int) serverLimit { return &slidingWindow{limit: n} },
	"bucket":  func(n int) serverLimit { return &tokenBucket{rate: float64(n), burst: float64(n)} },
	"drip":    func(n int) serverLimit { return &tokenBucket{rate: float64(n), burst: max(1, float64(n)/10)} },
}

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

// whim takes the requests, counted from 1, that it says.
type whim struct {
	n     int
	takes func(n int) bool
}

func (l *whim) take(time.Time) bool { l.n++; return l.takes(l.n) }

// load is so many requests to one endpoint, under its own limit.
type load struct {
	do    operation
	n     int
	limit serverLimit
}

// run sends the loads side by side, at most parallelism requests under way at
// once, and returns how long it took and how many were refused.
func run(t *testing.T, parallelism int, latency time.Duration, after string, loads ...load) (took time.Duration, refused int) {
	t.Helper()
	var mu sync.Mutex
	underWay := 0
	limits := map[string]serverLimit{}
	for _, l := range loads {
		limits[l.do.method()+fmt.Sprint(l.do == create)] = l.limit
	}
	c := newTestClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		if underWay++; underWay > parallelism {
			t.Errorf("%d requests under way", underWay)
		}
		mu.Unlock()
		time.Sleep(latency / 2)
		mu.Lock()
		ok := limits[r.Method+fmt.Sprint(r.URL.Path == testFlows.Path)].take(time.Now())
		if !ok {
			refused++
		}
		mu.Unlock()
		time.Sleep(latency - latency/2)
		mu.Lock()
		underWay--
		mu.Unlock()
		if !ok {
			return answer(429, `{"code":20429,"message":"Too many requests"}`, "Retry-After", after), nil
		}
		return answer(200, `{}`), nil
	}))
	start := time.Now()
	slots := make(chan struct{}, parallelism)
	var wg sync.WaitGroup
	for _, l := range loads {
		jobs := make(chan int, l.n)
		for i := range l.n {
			jobs <- i
		}
		close(jobs)
		for range parallelism {
			wg.Go(func() {
				for range jobs {
					s := &testSlot{slots: slots}
					_ = s.Acquire(t.Context())
					var err error
					if ctx := WithSlot(t.Context(), s); l.do == create {
						_, err = c.Create(ctx, testFlows, nil)
					} else {
						_, err = c.one(ctx, l.do, testFlows, testSID, nil)
					}
					if err != nil {
						t.Error(err)
					}
					s.Release()
				}
			})
		}
	}
	wg.Wait()
	return time.Since(start), refused
}

// testSlot is one of a number of slots.
type testSlot struct {
	slots chan struct{}
	held  bool
}

func (s *testSlot) Acquire(ctx context.Context) error {
	if s.held {
		return nil
	}
	select {
	case s.slots <- struct{}{}:
		s.held = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *testSlot) Release() {
	if s.held {
		s.held = false
		<-s.slots
	}
}

// TestLimits holds the limiters to their purpose, however the API counts a
// second, at any latency, and whether or not it says when to come back: least is
// what the limits and the latency alone dictate. The pauses are random, so the
// bounds are well above what hundreds of runs took; the benchmarks have the figures.
func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name        string
		kinds       []string
		parallelism []int
		loads       func(limit func(int) serverLimit) []load
		least       time.Duration
		most        float64 // of the least
		refused     float64 // of the requests
	}{
		// Twilio's documented limits, side by side: half of the writes of an apply.
		{"documented", []string{"bucket", "fixed", "sliding"}, []int{4}, func(limit func(int) serverLimit) []load {
			return []load{{create, 24, limit(2)}, {update, 12, limit(1)}}
		}, 11 * time.Second, 1.6, 0.3},
		{"deletes", []string{"bucket", "fixed"}, []int{4}, func(limit func(int) serverLimit) []load {
			return []load{{remove, 12, limit(2)}}
		}, 5 * time.Second, 1.9, 0.45},
		{"forty a second", []string{"bucket", "fixed", "sliding"}, []int{4, 16}, func(limit func(int) serverLimit) []load {
			return []load{{create, 120, limit(40)}}
		}, 2 * time.Second, 3.5, 0.2},
		{"long", []string{"bucket", "fixed", "sliding"}, []int{4, 64}, func(limit func(int) serverLimit) []load {
			return []load{{create, 1000, limit(50)}}
		}, 20 * time.Second, 1.5, 0.1},
		{"drip", []string{"drip"}, []int{4, 64}, func(limit func(int) serverLimit) []load {
			return []load{{create, 1000, limit(50)}}
		}, 20 * time.Second, 2, 0.1},
	} {
		for _, kind := range tt.kinds {
			for _, workers := range tt.parallelism {
				for _, latency := range []time.Duration{0, 5 * time.Millisecond, 50 * time.Millisecond} {
					for _, after := range []string{"", "1"} {
						t.Run(fmt.Sprintf("%s/%s/workers=%d/latency=%v/after=%s", tt.name, kind, workers, latency, after), func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) {
								loads := tt.loads(serverLimits[kind])
								writes := 0
								for _, l := range loads {
									writes += l.n
								}
								took, refused := run(t, workers, latency, after, loads...)
								least := max(tt.least, latency*time.Duration(writes/workers))
								ratio, share := took.Seconds()/least.Seconds(), float64(refused)/float64(writes+refused)
								t.Logf("%.2f of the least, %.0f %% refused", ratio, 100*share)
								if ratio > tt.most {
									t.Errorf("took %v, %.2f of the least", took, ratio)
								}
								if share > tt.refused {
									t.Errorf("%d of %d requests refused", refused, writes+refused)
								}
							})
						})
					}
				}
			}
		}
	}
}

// TestLimitOff: without a 429 there is no limit.
func TestLimitOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, _ := run(t, 10, 10*time.Millisecond, "", load{create, 1000, &whim{takes: func(int) bool { return true }}})
		if took != time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// TestLimitSpeedsUp: after refusals that do not come back, the limiter gets out
// of the way, and refusals that have nothing to do with the rate do not stop it.
func TestLimitSpeedsUp(t *testing.T) {
	for _, tt := range []struct {
		name  string
		takes func(n int) bool
		most  time.Duration
	}{
		{"ten at first", func(n int) bool { return n > 10 }, 30 * time.Second},
		{"one in twenty", func(n int) bool { return n%20 != 0 }, 8 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				took, refused := run(t, 8, 10*time.Millisecond, "", load{create, 1000, &whim{takes: tt.takes}})
				t.Logf("%v, %d refused", took, refused)
				if took > tt.most {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// TestLimitHoldsNobodyElseUp: the requests of one endpoint wait without a slot.
func TestLimitHoldsNobodyElseUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodDelete {
				return answer(429, "", "Retry-After", "30"), nil
			}
			return answer(200, "{}"), nil
		}))
		slots := make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(t.Context())
		held := make(chan error)
		go func() {
			s := &testSlot{slots: slots}
			_ = s.Acquire(ctx)
			_, err := c.Delete(WithSlot(ctx, s), testFlows, testSID)
			s.Release()
			held <- err
		}()
		synctest.Wait()
		s := &testSlot{slots: slots}
		_ = s.Acquire(ctx)
		start := time.Now()
		if _, err := c.Update(WithSlot(ctx, s), testFlows, testSID, nil); err != nil || time.Since(start) > 0 || !s.held {
			t.Errorf("the update took %v, error %v, its slot held: %v", time.Since(start), err, s.held)
		}
		// The end of the context ends the wait for a turn, and that for a slot.
		cancel()
		if err := <-held; !errors.Is(err, context.Canceled) || time.Since(start) > 0 {
			t.Errorf("the delete ended after %v with %v", time.Since(start), err)
		}
	})
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
