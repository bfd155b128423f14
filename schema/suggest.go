package schema

import "strings"

// nearest returns the candidate that word was most likely meant to be, or ""
// when none is near.
func nearest(word string, candidates []string) string {
	const longest = 64 // a longer word is no typing mistake, and costs time
	if len(word) == 0 || len(word) > longest {
		return ""
	}
	best, limit := "", max(1, min(3, len(word)/3))+1
	for _, c := range candidates {
		if len(c) > longest {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < limit {
			best, limit = c, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace, or swap with their
// neighbour to get from a to b (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before := make([]int, len(t)+1)
	prev := make([]int, len(t)+1)
	row := make([]int, len(t)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(t)]
}

// fold takes the case and the punctuation off a key, so that FriendlyName,
// friendlyName and friendly-name are all friendly_name.
func fold(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return -1
	}, key)
}
