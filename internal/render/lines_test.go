package render

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFill(t *testing.T) {
	for _, test := range []struct {
		width int
		spans []span
		want  string
	}{
		{0, []span{{Name, "a b"}, gap, {Faint, "c"}}, "  \x1b[1ma b\x1b[0m  \x1b[2mc\x1b[0m"},
		{20, []span{{Name, "a b"}, gap, {Faint, "c"}}, "  \x1b[1ma b\x1b[0m  \x1b[2mc\x1b[0m"},
		{7, []span{{Name, "a b"}, gap, {Faint, "c"}}, "  \x1b[1ma b\x1b[0m\n    \x1b[2mc\x1b[0m"},
		{6, []span{{Name, "aa bb"}, plain("!")}, "  \x1b[1maa\x1b[0m\n    \x1b[1mbb\x1b[0m!"},
		{5, []span{plain("word longer word")}, "  word\n    longer\n    word"},
		{8, []span{plain("日本 日本")}, "  日本\n    日本"},
		{8, []span{plain("some ::error::x more")}, "  some ::error::x\n    more"},
		{8, []span{plain("")}, "  "},
	} {
		if got := (Style{Color: true, Width: test.width}).fill(2, 4, test.spans...); got != test.want {
			t.Errorf("width %d: %q, want %q", test.width, got, test.want)
		}
	}
}

// A paragraph keeps its words, and breaks at spaces: a line that is too long has one
// word.
func TestLawFill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.StringMatching(`[a-z日:"]{0,12}`)).Draw(t, "words"), " ")
		width := rapid.IntRange(1, 40).Draw(t, "width")
		filled := Style{Width: width}.fill(0, 2, plain(text))
		if want, have := strings.Fields(text), strings.Fields(filled); !slices.Equal(want, have) {
			t.Fatalf("the words %q are %q", want, have)
		}
		for _, line := range strings.Split(filled, "\n") {
			line = strings.TrimRight(line, " ")
			if Width(line) > width && len(strings.Fields(line)) > 1 && !strings.Contains(line, " ::") {
				t.Fatalf("%d cells of %d: %q", Width(line), width, line)
			}
		}
	})
}
