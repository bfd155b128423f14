package flexapi

import (
	"testing"
	"time"
)

// TestDecide is the table of what is sent again, when, and what that costs.
func TestDecide(t *testing.T) {
	ok, no, open, never := outcome{}, outcome{class: rejected}, outcome{class: failed, open: true}, outcome{class: failed}
	limited, final, useless := outcome{class: refused, retryAfter: time.Second}, outcome{class: failed, final: true}, outcome{class: unusable, open: true}
	silent := outcome{class: failed, open: true, timeout: true, took: 30 * time.Second}
	slow := outcome{class: failed, open: true, took: 20 * time.Second}
	later := func(d time.Duration) outcome { return outcome{class: failed, open: true, retryAfter: d} }
	spent := budget{failures: 5, timeouts: 4, waited: 7 * time.Second, failing: 20 * time.Second}

	for _, tt := range []struct {
		name   string
		do     operation
		last   outcome
		spent  budget
		random float64
		wait   time.Duration
		again  bool
		after  budget
	}{
		{"a success", update, ok, budget{}, 0, 0, false, budget{}},
		{"a no", fetch, no, budget{}, 0, 0, false, budget{}},
		{"another answer", update, useless, budget{}, 0, 0, false, budget{}},
		{"a bad certificate", list, final, budget{}, 0, 0, false, budget{}},
		{"429 costs nothing here", update, limited, spent, 0, 0, true, spent},
		{"429 of a create", create, limited, spent, 0, 0, true, spent},
		{"a create that may have been carried out", create, open, budget{}, 0, 0, false, budget{}},
		{"a create that was never sent", create, never, budget{}, 0, 250 * time.Millisecond, true,
			budget{failures: 1, waited: 250 * time.Millisecond, failing: 250 * time.Millisecond}},
		{"the shortest first wait", list, open, budget{}, 0, 250 * time.Millisecond, true,
			budget{failures: 1, waited: 250 * time.Millisecond, failing: 250 * time.Millisecond}},
		{"the longest first wait", remove, open, budget{}, 1, 500 * time.Millisecond, true,
			budget{failures: 1, waited: 500 * time.Millisecond, failing: 500 * time.Millisecond}},
		{"the fifth wait", update, open, budget{failures: 4, waited: 7 * time.Second, failing: 7 * time.Second}, 1, 8 * time.Second, true,
			budget{failures: 5, waited: 15 * time.Second, failing: 15 * time.Second}},
		{"the sixth failure", update, open, budget{failures: 5}, 1, 15500 * time.Millisecond, false,
			budget{failures: 6, waited: 15500 * time.Millisecond, failing: 15500 * time.Millisecond}},
		{"as long as the API says", fetch, later(3 * time.Second), budget{}, 1, 3 * time.Second, true,
			budget{failures: 1, waited: 3 * time.Second, failing: 3 * time.Second}},
		{"longer than there is time for", fetch, later(time.Minute), budget{failures: 1, waited: 3 * time.Second, failing: 3 * time.Second}, 0, 12500 * time.Millisecond, true,
			budget{failures: 2, waited: maxWait, failing: maxWait}},
		{"no time is left", fetch, later(time.Second), budget{failures: 2, waited: maxWait, failing: maxWait}, 0, 0, false,
			budget{failures: 3, waited: maxWait, failing: maxWait}},
		{"slow failures", fetch, slow, budget{}, 0, 250 * time.Millisecond, true,
			budget{failures: 1, waited: 250 * time.Millisecond, failing: 20250 * time.Millisecond}},
		{"slow failures that add up", fetch, slow, budget{failures: 1, failing: 20 * time.Second}, 0, 500 * time.Millisecond, false,
			budget{failures: 2, waited: 500 * time.Millisecond, failing: 40500 * time.Millisecond}},
		{"a timeout is wait enough", update, silent, budget{}, 1, 0, true, budget{failures: 1, timeouts: 1}},
		{"the fifth timeout", update, silent, budget{failures: 4, timeouts: 4}, 1, 0, false, budget{failures: 5, timeouts: 5}},
		{"a create without an answer", create, silent, budget{}, 0, 0, false, budget{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wait, again, after := decide(tt.do, &tt.last, tt.spent, tt.random)
			if again != tt.again || after != tt.after || again && wait != tt.wait {
				t.Errorf("wait %v, again %v, then %+v\nwant %v, %v, %+v", wait, again, after, tt.wait, tt.again, tt.after)
			}
		})
	}
}
