package apply_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"flexsync/apply"
	"flexsync/internal/emulator"
	"flexsync/schema"
)

// many are an account and the files for it: 24 flows to create, 12 to update and
// 12 to delete.
func many() (account []map[string]any, want []schema.Declared) {
	for i := range 48 {
		d := studio(fmt.Sprintf("Flow %02d", i), fmt.Sprintf("+155500000%02d", i))
		switch {
		case i < 24:
			want = append(want, d)
			continue
		case i < 36:
			want = append(want, studio(d.ID(), d.Object.Text(schema.Flows.Contact), func(f *schema.Object) { set(f, "enabled", false) }))
		}
		account = append(account, inAccount(d))
	}
	return account, want
}

// TestLimitsSideBySide: the documented limits let 12 updates go in 11 s, 24
// creates in the same time, and then 12 deletes in 5 s.
func TestLimitsSideBySide(t *testing.T) {
	const least, parallelism = 16 * time.Second, 4
	for _, after := range []time.Duration{0, time.Second} {
		t.Run(fmt.Sprintf("retry after %v", after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				account, want := many()
				w := newWorld(t, emulator.Options{Limits: emulator.DocumentedLimits, RetryAfter: after, Latency: 5 * time.Millisecond}, account...)
				start := time.Now()
				w.must(want, apply.Applied)
				took := time.Since(start)
				w.mustEqual(want)
				refused, all := 0, w.server.Requests()
				for _, r := range all {
					if r.Status == 429 {
						refused++
					}
				}
				t.Logf("%v, %d of %d requests refused, %d at once", took, refused, len(all), w.most)
				if took > least*5/4 {
					t.Errorf("took %v, and the limits allow %v", took, least)
				}
				if 5*refused > len(all) {
					t.Errorf("%d of %d requests were refused", refused, len(all))
				}
				if w.most > parallelism {
					t.Errorf("%d requests at once", w.most)
				}
			})
		})
	}
}

// TestNoLimits: without limits nothing is held back. The first create is alone,
// for it proves the account, and the last listing comes after all writes.
func TestNoLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const latency = 50 * time.Millisecond
		var want []schema.Declared
		for i := range 401 {
			want = append(want, studio(fmt.Sprintf("Flow %03d", i), fmt.Sprintf("+1555000%04d", i)))
		}
		w := newWorld(t, emulator.Options{Latency: latency})
		start := time.Now()
		w.must(want, apply.Applied)
		if took, least := time.Since(start), (1+1+400/4+1)*latency; took != least {
			t.Errorf("took %v, want %v", took, least)
		}
		if w.most != 4 {
			t.Errorf("%d requests at once", w.most)
		}
	})
}

// TestInterruptedUnderLimits: what waits for the API's limits ends at once, and
// nothing new begins.
func TestInterruptedUnderLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		account, want := many()
		w := newWorld(t, emulator.Options{Limits: emulator.DocumentedLimits, RetryAfter: 30 * time.Second}, account...)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		start := time.Now()
		r, _ := w.apply(ctx, want)
		if r.Status != apply.Interrupted {
			t.Fatalf("status %s\n%s", r.Status, describe(r))
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
		// Two creates and one update go before the first refusals, which ask for 30 s.
		if counts := r.Counts(); counts.Created != 2 || counts.Updated != 1 || counts.Skipped+counts.Failed != 45 {
			t.Errorf("%+v\n%s", counts, describe(r))
		}
	})
}
