package main

import (
	"bufio"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// row is one line of the table that list prints.
type row [6]string

// The columns that a narrow terminal cuts, and how narrow they may get.
const (
	nameColumn     = 0
	identityColumn = 3
	narrowest      = 8
)

// terminalWidth is the width of a terminal in cells; 0 for anything else.
func terminalWidth(stream any) int {
	f, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// writeTable writes rows in columns. With a width, names and identities are
// cut so that a line fits, as far as that goes: what is left out has an … in
// its place. Where that is not enough, the last column goes. Without a width,
// nothing is cut.
func writeTable(w io.Writer, rows []row, width int) error {
	widths := make([]int, len(row{}))
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], cells(cell))
		}
	}
	const gap = 2
	over, least := -width-gap, -width-gap
	for i, n := range widths {
		over += n + gap
		if i == nameColumn || i == identityColumn {
			n = min(n, narrowest)
		}
		least += n + gap
	}
	if last := len(widths) - 1; width > 0 && least > 0 {
		over -= widths[last] + gap
		widths = widths[:last]
	}
	for width > 0 && over > 0 {
		widest := nameColumn
		if widths[identityColumn] > widths[nameColumn] {
			widest = identityColumn
		}
		if widths[widest] <= narrowest {
			break
		}
		widths[widest]--
		over--
	}
	b := bufio.NewWriter(w)
	for _, r := range rows {
		for i := range widths {
			cell := cut(r[i], widths[i])
			b.WriteString(cell)
			if i < len(widths)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-cells(cell)+gap))
			}
		}
		b.WriteByte('\n')
	}
	return b.Flush()
}

// cut shortens a text to so many cells.
func cut(s string, most int) string {
	if cells(s) <= most {
		return s
	}
	used := 0
	for i, r := range s {
		if used += runeCells(r); used > most-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// cells is how much room a printable text takes on a terminal.
func cells(s string) (n int) {
	for _, r := range s {
		n += runeCells(r)
	}
	return n
}

// wide are the blocks whose characters take two cells: East Asian scripts and
// emoji (Unicode, UAX #11, rounded to blocks).
var wide = [][2]rune{
	{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xa960, 0xa97f}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f},
	{0xff01, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd},
}

func runeCells(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	for _, block := range wide {
		if r >= block[0] && r <= block[1] {
			return 2
		}
	}
	return 1
}
