package emulator

import "time"

// era is the records as they were from a time on.
type era struct {
	from    time.Time
	records records
}

// history is a list of eras, oldest first. Each lasts until the next begins.
type history []era

// remember notes the records as they are now, for listings that are late, and
// forgets what none can show anymore. s.mu is held, or s is not shared yet.
func (s *Server) remember() {
	lag := s.opts.Behaviour.ListLag
	if lag <= 0 {
		return
	}
	now := time.Now()
	s.past = append(s.past, era{now, s.acct.records})
	s.past = s.past[s.past.at(now.Add(-lag)):]
}

// at returns the index of the era at a time, the oldest one for any time before it.
func (h history) at(t time.Time) int {
	i := len(h) - 1
	for i > 0 && h[i].from.After(t) {
		i--
	}
	return i
}

// listed returns what listings show now.
func (s *Server) listed(a *account) records {
	lag := s.opts.Behaviour.ListLag
	if lag <= 0 {
		return a.records
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.past[s.past.at(time.Now().Add(-lag))].records
}
