// Package secret hides the values that no output may show: those that hold a secret
// variable, and the userinfo of URLs.
//
// What is known to hold a secret is hidden as a whole, by field. Texts of unknown
// origin, such as an error of the API that repeats a parameter, are searched.
package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"flexsync/internal/safetext"
)

// Mask knows values that no output may show. The zero value and nil know none, and
// still hide the userinfo of URLs. A Mask is not safe for concurrent use while
// values are added.
type Mask struct{ values map[string]bool }

// shortest is the length, in bytes, from which on a value is searched for in a text:
// a shorter one is part of too many words, and to replace it would tell where it is.
const shortest = 4

// Add makes the mask hide a value. "" hides nothing.
func (m *Mask) Add(value string) {
	if value == "" {
		return
	}
	if m.values == nil {
		m.values = make(map[string]bool)
	}
	m.values[value] = true
}

// Join makes the mask hide what another one hides. It may be nil.
func (m *Mask) Join(other *Mask) {
	if other != nil {
		for value := range other.values {
			m.Add(value)
		}
	}
}

// Hides reports whether a value is shown as something else.
func (m *Mask) Hides(value string) bool { return m.Value(value) != value }

// Value returns a value as outputs show it: one that is hidden, or has a hidden one in
// it, as the URL before a change often has the token of the one after it.
func (m *Mask) Value(value string) string {
	if m.holds(value) {
		return Shown(value)
	}
	return safetext.MaskUserinfo(value)
}

func (m *Mask) holds(value string) bool {
	if m == nil || m.values[value] {
		return m != nil
	}
	for part := range m.values {
		if len(part) >= shortest && strings.Contains(value, part) {
			return true
		}
	}
	return false
}

// Text returns a text with every hidden value in it as outputs show it.
func (m *Mask) Text(text string) string {
	if m != nil {
		// A value may be a part of another one.
		values := make([]string, 0, len(m.values))
		for value := range m.values {
			if len(value) >= shortest {
				values = append(values, value)
			}
		}
		slices.SortFunc(values, func(a, b string) int {
			if len(a) != len(b) {
				return len(b) - len(a)
			}
			return strings.Compare(a, b)
		})
		text = safetext.MaskUserinfo(text) // no space stands in it yet
		for _, value := range values {
			for _, form := range forms(value) {
				text = strings.ReplaceAll(text, form, Shown(value))
			}
			text = hideCut(text, value)
		}
	}
	return safetext.MaskUserinfo(text)
}

// forms is how a value may stand in a text: as it is, quoted, and escaped for JSON,
// HTML and URLs.
func forms(value string) []string {
	quoted := strconv.Quote(value)
	inJSON, _ := json.Marshal(value) // a string always encodes
	return []string{value, quoted[1 : len(quoted)-1], string(inJSON[1 : len(inJSON)-1]),
		html.EscapeString(value), url.QueryEscape(value), url.PathEscape(value)}
}

// leftOver is how much of the beginning of a value gives it away, in bytes.
const leftOver = 8

// hideCut hides the beginning of a value at the end of a text that was cut there.
func hideCut(text, value string) string {
	end := strings.TrimRight(text, `….")' `)
	for n := min(len(value), len(end)); n >= leftOver; n-- {
		if rest, ok := strings.CutSuffix(end, value[:n]); ok {
			return rest + Shown(value) + text[len(end):]
		}
	}
	return text
}

// Shown is what outputs show in place of a value: "(secret, sha256:1a2b3c4d)", the
// first eight digits of its digest. Equal values look alike, and a value cannot be
// told from 32 bits, unless there are few to guess from.
func Shown(value string) string {
	sum := sha256.Sum256([]byte(value))
	return "(secret, sha256:" + hex.EncodeToString(sum[:4]) + ")"
}

// shown is what Shown returns.
var shown = regexp.MustCompile(`^\(secret, sha256:[0-9a-f]{8}\)$`)

// IsSecret reports whether a text is what [Shown] returns.
func IsSecret(text string) bool { return shown.MatchString(text) }

// IsShown reports whether a text stands in place of a value, as [Shown] or as a URL
// without its userinfo.
func IsShown(text string) bool {
	return IsSecret(text) || strings.Contains(text, "://***@")
}
