package emulator

import (
	"math"
	"net/http"
	"strings"
	"sync"
	"time"
)

// limits are how many requests are let through.
type limits struct {
	all                                 *bucket
	list, fetch, create, update, remove *bucket // of flows
}

func newLimits(o Options) limits {
	return limits{
		all:  newBucket(o.RateLimit),
		list: newBucket(o.Limits.List), fetch: newBucket(o.Limits.Fetch), create: newBucket(o.Limits.Create),
		update: newBucket(o.Limits.Update), remove: newBucket(o.Limits.Delete),
	}
}

// take tells whether a request is let through.
func (l *limits) take(r *http.Request) bool {
	var own *bucket
	one := strings.HasPrefix(r.URL.Path, flowsPath+"/")
	switch {
	case !one && r.URL.Path != flowsPath:
	case r.Method == http.MethodDelete:
		own = l.remove
	case r.Method == http.MethodPost && one:
		own = l.update
	case r.Method == http.MethodPost:
		own = l.create
	case one:
		own = l.fetch
	default:
		own = l.list
	}
	return own.take() && l.all.take()
}

// bucket is a token bucket: it fills at a steady rate up to what a second brings,
// and every request takes one token. A nil bucket never runs dry.
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

// take tells whether there was a token.
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
