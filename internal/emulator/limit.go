package emulator

import (
	"math"
	"net/http"
	"strings"
	"sync"
	"time"
)

// limits decide which requests are let through.
type limits struct {
	all  *bucket
	kind [len(kinds)]endpoints
}

// endpoints are the limits of one kind's endpoints.
type endpoints struct{ list, fetch, create, update, remove *bucket }

func newLimits(o Options) limits {
	l := limits{all: newBucket(o.RateLimit)}
	for i, own := range [...]Limits{o.Limits, o.AddressLimits} {
		l.kind[i] = endpoints{newBucket(own.List), newBucket(own.Fetch), newBucket(own.Create), newBucket(own.Update), newBucket(own.Delete)}
	}
	return l
}

// take reports whether a request is let through.
func (l *limits) take(r *http.Request) bool {
	var own *bucket
	for _, k := range kinds {
		e := &l.kind[k.index]
		one := strings.HasPrefix(r.URL.Path, k.path+"/")
		switch {
		case !one && r.URL.Path != k.path:
		case r.Method == http.MethodDelete:
			own = e.remove
		case r.Method == http.MethodPost && one:
			own = e.update
		case r.Method == http.MethodPost:
			own = e.create
		case one:
			own = e.fetch
		default:
			own = e.list
		}
	}
	return own.take() && l.all.take()
}

// bucket is a token bucket: it fills at a steady rate up to what a second brings,
// and every request takes one token. A nil bucket is never empty.
type bucket struct {
	rate, burst float64

	mu     sync.Mutex
	tokens float64
	filled time.Time
}

func newBucket(rate float64) *bucket {
	if rate <= 0 {
		return nil
	}
	burst := math.Max(1, rate)
	return &bucket{rate: rate, burst: burst, tokens: burst, filled: time.Now()}
}

// take reports whether there was a token.
func (b *bucket) take() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.tokens = math.Min(b.burst, b.tokens+now.Sub(b.filled).Seconds()*b.rate)
	b.filled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
