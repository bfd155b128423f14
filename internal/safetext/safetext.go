// Package safetext makes text of unknown origin safe to show to a person.
//
// Friendly names and API errors can contain anything: terminal escapes, bidi
// overrides that reorder what follows, line breaks that forge a line of output,
// commands to the job runner that reads the log, or 100 KB. [Quote] and [Line]
// return one line of printable text of bounded length, for screens and comments.
// [JSON] keeps every value and escapes it as JSON can.
//
// [Quote] and [Line] also hide the user name and password of a URL, which are
// secrets: see [MaskUserinfo].
//
// A runner's commands have two forms: GitHub's `::name::`, recognised at the start
// of a line, also after spaces, and its older `##[name]`, recognised anywhere in a
// line (actions/runner, ActionCommand.cs), like Azure's `##vso[name]`.
package safetext

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// The longest texts that are shown in full, in runes.
const (
	Limit     = 256  // of Quote, for names and values
	LineLimit = 2048 // of Line, for sentences
)

// Quote returns s in double quotes. It escapes what does not print as Go does, and
// one # of each pair. If s is longer than Limit runes, it cuts the rest and appends
// the length of s in bytes. It masks the userinfo of URLs.
func Quote(s string) string {
	head, cut := clip(MaskUserinfo(s), Limit)
	quoted := breakHashes(strconv.Quote(head))
	if !cut {
		return quoted
	}
	return fmt.Sprintf("%s… (%d bytes)", quoted, len(s))
}

// Line returns s as one line without quotes. It trims spaces, escapes what does not
// print as Go does and one # of each pair, puts a backslash before a leading `::`,
// and cuts what is longer than LineLimit runes as Quote does. It masks the userinfo
// of URLs.
func Line(s string) string {
	head, cut := clip(strings.TrimSpace(MaskUserinfo(s)), LineLimit)
	head = breakHashes(escape(head))
	if strings.HasPrefix(head, "::") {
		head = `\` + head
	}
	if cut {
		return fmt.Sprintf("%s… (%d bytes)", head, len(s))
	}
	return head
}

// MaskUserinfo returns s with *** in place of the user name and password of every
// URL in it. In a sentence, a URL ends at a space or a quotation mark; a text that
// begins with a scheme is a URL as a whole.
func MaskUserinfo(s string) string {
	const mark = "://"
	var b strings.Builder
	for begun := false; ; begun = true {
		i := strings.Index(s, mark)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i+len(mark)])
		whole := !begun && isScheme(strings.TrimSpace(s[:i]))
		s = s[i+len(mark):]
		end := strings.IndexAny(s, "/?#")
		if end < 0 {
			end = len(s)
		}
		if !whole {
			if space := strings.IndexFunc(s[:end], func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"'`<>", r) }); space >= 0 {
				end = space
			}
		}
		if at := strings.LastIndexByte(s[:end], '@'); at >= 0 {
			b.WriteString("***")
			s = s[at:]
		}
	}
}

// isScheme reports whether s can be the scheme of a URL.
func isScheme(s string) bool {
	for i, r := range s {
		if letter := r|0x20 >= 'a' && r|0x20 <= 'z'; !letter && (i == 0 || (r < '0' || r > '9') && !strings.ContainsRune("+-.", r)) {
			return false
		}
	}
	return s != ""
}

// breakHashes escapes one # of each pair.
func breakHashes(s string) string { return strings.ReplaceAll(s, "##", `#\x23`) }

// JSON returns an equal JSON text that is safe to print: it writes what does not
// print, and one # of each pair, as \u escapes. In valid JSON both occur only in
// strings.
func JSON(text []byte) []byte {
	if !bytes.ContainsFunc(text, func(r rune) bool { return r == '#' || r >= 0x7f }) {
		return text // as nearly all are
	}
	safe := make([]byte, 0, len(text)+64)
	var last rune
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r > 0xffff && isHidden(r):
			high, low := utf16.EncodeRune(r)
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
		case isHidden(r), r == '#' && last == '#':
			safe = fmt.Appendf(safe, `\u%04x`, r)
			r = 0
		default:
			safe = append(safe, text[:size]...)
		}
		last = r
		text = text[size:]
	}
	return safe
}

// isHidden reports whether a character of a JSON text does not print. Below 0x20,
// JSON has only its own line breaks.
func isHidden(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) }

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
