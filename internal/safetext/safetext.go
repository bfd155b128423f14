// Package safetext makes foreign text safe to show to a person.
//
// Friendly names and API errors can hold anything: terminal escapes, bidi
// overrides that reorder what follows, line breaks that forge a line of ours
// (a GitHub workflow command, say), or 100 KB. What leaves this package is one
// line of printable text of bounded length. It is for screens and comments
// only: JSON and YAML have escapes of their own and keep every byte.
package safetext

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The longest texts that are shown whole, in runes.
const (
	Limit     = 256  // of Quote, for names and values
	LineLimit = 2048 // of Line, for sentences
)

// Quote returns s in double quotes, everything that does not print escaped as
// in Go, and cut after Limit
// runes with the length in bytes behind it.
func Quote(s string) string {
	head, cut := clip(s, Limit)
	if !cut {
		return strconv.Quote(s)
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.TrimSuffix(strconv.Quote(head), `"`)+`"`, len(s))
}

// Line returns s as one line without quotes: what does not print is escaped as
// in Go, spaces around are cut, and a text that a job runner could read as a
// command (`::` or `##[` in front) is set apart from the start of the line.
func Line(s string) string {
	head, cut := clip(strings.TrimSpace(s), LineLimit)
	head = escape(head)
	if strings.HasPrefix(head, "::") || strings.HasPrefix(head, "##") {
		head = `\` + head
	}
	if cut {
		return fmt.Sprintf("%s… (%d bytes)", head, len(s))
	}
	return head
}

func escape(s string) string {
	clean := true
	for _, r := range s {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				fmt.Fprintf(&b, `\x%02x`, s[i])
			} else {
				b.WriteRune(r)
			}
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

func clip(s string, limit int) (head string, cut bool) {
	if len(s) <= limit {
		return s, false
	}
	n := 0
	for i := range s {
		if n == limit {
			return s[:i], true
		}
		n++
	}
	return s, false
}
