package render

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// cells measures text as a terminal of a Western locale does. The condition is
// a value of our own, since the library's default one looks at the environment.
var cells = runewidth.Condition{StrictEmojiNeutral: true}

// Width is how many cells a printable text takes on a terminal: two for an East
// Asian character or an emoji, none for a combining mark.
func Width(s string) int { return cells.StringWidth(s) }

// Cut shortens a printable text to at most width cells; what is left out has an
// … in its place.
func Cut(s string, width int) string { return cells.Truncate(s, width, "…") }

// pad returns a text with spaces behind it, up to width cells.
func pad(s string, width int) string { return s + strings.Repeat(" ", max(0, width-Width(s))) }
