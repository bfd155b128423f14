package emulator_test

import (
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"flexsync/internal/emulator"
)

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
		s := newServer(t, emulator.Options{Seed: flowsJSON(9), Limits: emulator.DocumentedLimits, RetryAfter: time.Second,
			AddressLimits: emulator.Limits{List: 5, Fetch: 4, Create: 3, Update: 2, Delete: 1}})
		c := newClient(t, s)
		flow := "/v1/FlexFlows/" + sidOf(c.flows()[0])
		time.Sleep(time.Second) // for what that listing took
		for second := range 3 {
			for _, tt := range []struct {
				method, path string
				form         url.Values
				limit        int
			}{
				{"GET", "/v1/FlexFlows", nil, 10}, {"GET", flow, nil, 2}, {"POST", "/v1/FlexFlows", form("a"), 2},
				{"POST", flow, form("b"), 1}, {"DELETE", "/v1/FlexFlows/FO00000000000000000000000000000abc", nil, 2},
				{"GET", "/v1/Services", nil, 99},
				{"GET", addressesPath, nil, 5}, {"GET", addressesPath + "/+1", nil, 4}, {"POST", addressesPath, url.Values{}, 3},
				{"POST", addressesPath + "/+1", url.Values{}, 2}, {"DELETE", addressesPath + "/+1", nil, 1},
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
