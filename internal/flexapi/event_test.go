package flexapi

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEvents is what an observer learns of a request that is sent again.
func TestEvents(t *testing.T) {
	for _, tt := range []struct {
		step func(*http.Request) (*http.Response, error)
		want []string
	}{
		{gives(503, "", "Retry-After", "3"), []string{"0s sent", "0s HTTP 503, retry 1 of 5 in 3s", "3s sent"}},
		{gives(429, "", "Retry-After", "7"), []string{"0s sent", "0s rate limited, retry 0 of 0 in 7s", "7s sent"}},
		{silent, []string{"0s sent", "30s timed out after 30 s, retry 1 of 4 in 0s", "30s sent"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var have []string
			var requests []any
			c := newTestClient(t, script(new([]time.Duration), tt.step, gives(200, "{}")), func(cfg *Config) {
				cfg.Observe = func(e Event) {
					requests = append(requests, e.Request)
					at := time.Since(start).Round(time.Second)
					switch e.Step {
					case Sent:
						have = append(have, fmt.Sprintf("%v sent", at))
					case Waiting:
						have = append(have, fmt.Sprintf("%v %s, retry %d of %d in %v", at, e.Reason, e.Retry, e.Of, time.Until(e.Until).Round(time.Second)))
					case Ended:
						have = append(have, "ended")
					}
				}
			})
			if _, err := c.Fetch(t.Context(), testFlows, testSID); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append(tt.want, "ended"), have); diff != "" {
				t.Error(diff)
			}
			for _, r := range requests {
				if r != requests[0] {
					t.Error("a request changes its name")
				}
			}
		})
	}
}

// The last retry is the one that the budget allows.
func TestEventsCount(t *testing.T) {
	for _, step := range []func(*http.Request) (*http.Response, error){
		fails(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), silent,
	} {
		synctest.Test(t, func(t *testing.T) {
			var last Event
			c := newTestClient(t, roundTripper(step), func(cfg *Config) {
				cfg.Observe = func(e Event) {
					if e.Step == Waiting {
						last = e
					}
				}
			})
			_, err := c.Fetch(t.Context(), testFlows, testSID)
			if e, ok := errors.AsType[*Error](err); !ok || last.Retry != last.Of || last.Retry != e.Attempts-1 {
				t.Errorf("the last retry is %d of %d: %v", last.Retry, last.Of, err)
			}
		})
	}
}
