package render

import (
	"bufio"
	"io"
	"slices"
	"strings"
)

// narrowest is the least width to which a column is cut, in cells.
const narrowest = 8

// Table writes rows in columns; all rows have the same number of cells. With a
// width, in cells, columns are cut so that lines fit: those of the first group of
// flexible before those of the next, and in a group the widest first. Where that is
// not enough, the last column is left out. With width 0, nothing is cut. The error
// is w's.
func Table(w io.Writer, rows [][]string, flexible [][]int, width int) error {
	if len(rows) == 0 {
		return nil
	}
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], Width(cell))
		}
	}
	const gap = 2
	over, least := -width-gap, -width-gap
	for i, n := range widths {
		over += n + gap
		if slices.ContainsFunc(flexible, func(group []int) bool { return slices.Contains(group, i) }) {
			n = min(n, narrowest)
		}
		least += n + gap
	}
	if last := len(widths) - 1; width > 0 && least > 0 {
		over -= widths[last] + gap
		widths = widths[:last]
	}
	for _, group := range flexible {
		for width > 0 && over > 0 {
			widest := slices.MaxFunc(group, func(a, b int) int { return widths[a] - widths[b] })
			if widths[widest] <= narrowest {
				break
			}
			widths[widest]--
			over--
		}
	}
	b := bufio.NewWriter(w)
	for _, r := range rows {
		for i, n := range widths {
			cell := Cut(r[i], n)
			if i < len(widths)-1 {
				cell = pad(cell, n) + strings.Repeat(" ", gap)
			}
			b.WriteString(cell)
		}
		b.WriteByte('\n')
	}
	return b.Flush()
}
