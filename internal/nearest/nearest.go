// Package nearest finds the word that a misspelt one was meant to be. It has no
// vocabulary of its own.
package nearest

import (
	"cmp"
	"slices"
	"strings"
)

// Find returns at most limit of the candidates that word is likely a misspelling
// of, the likeliest first: at most a third of the letters (but one at least) are
// wrong, whatever their case.
func Find(word string, candidates []string, limit int) []string {
	type near struct {
		name string
		dist int
	}
	lower := strings.ToLower(word)
	most := max(1, len([]rune(word))/3)
	var found []near
	for _, c := range candidates {
		d := editDistance(lower, strings.ToLower(c), most)
		if d <= most {
			found = append(found, near{c, d})
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		return cmp.Or(cmp.Compare(a.dist, b.dist), cmp.Compare(a.name, b.name))
	})
	names := make([]string, 0, min(limit, len(found)))
	for _, n := range found[:min(limit, len(found))] {
		names = append(names, n.name)
	}
	return names
}

// Word returns the word of a fixed vocabulary that was most likely meant, or "" if
// none is near. Beyond the rule of [Find], at most three letters may be wrong,
// however long the word.
func Word(word string, vocabulary []string) string {
	const mistakes = 3
	near := Find(word, vocabulary, 1)
	if len(near) == 0 || editDistance(strings.ToLower(word), strings.ToLower(near[0]), mistakes) > mistakes {
		return ""
	}
	return near[0]
}

// Fold removes case and punctuation from a key: FriendlyName, friendlyName and
// friendly-name become the same as friendly_name, "friendlyname".
func Fold(key string) string {
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

// editDistance returns how many letters must be added, removed, changed or swapped
// with their neighbour to turn a into b; more than most is most+1.
func editDistance(a, b string, most int) int {
	x, y := []rune(a), []rune(b)
	if d := len(x) - len(y); d > most || -d > most {
		return most + 1
	}
	if len(x) > 256 { // a name that long is not a misspelling
		return most + 1
	}
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least > most { // and no later row is less
			return most + 1
		}
		before, last, row = last, row, before
	}
	return min(last[len(y)], most+1)
}
