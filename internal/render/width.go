package render

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// cells measures text as a terminal of a Western locale does. The library's default
// condition depends on the environment, so this is our own.
var cells = runewidth.Condition{StrictEmojiNeutral: true}

// Width is how many cells a printable text takes on a terminal: two for an East
// Asian character or an emoji, none for a combining mark.
func Width(s string) int { return cells.StringWidth(s) }

const ellipsis = "…"

// Cut shortens a printable text to at most width cells, and ends it with … then.
func Cut(s string, width int) string { return cells.Truncate(s, width, ellipsis) }

// pad appends spaces to a text, up to width cells.
func pad(s string, width int) string { return s + strings.Repeat(" ", max(0, width-Width(s))) }
