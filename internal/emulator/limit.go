package emulator

import (
	"math"
	"sync"
	"time"
)

// bucket is a token bucket: it fills at a steady rate up to its burst, and every
// request takes one token.
type bucket struct {
	rate, burst float64

	mu     sync.Mutex
	tokens float64
	filled time.Time
}

func newBucket(rate, burst float64) *bucket {
	return &bucket{rate: rate, burst: burst, tokens: burst, filled: time.Now()}
}

// take tells whether there was a token.
func (b *bucket) take() bool {
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
