package render

import "testing"

func TestPaint(t *testing.T) {
	for _, test := range []struct {
		style      Style
		text, want string
	}{
		{Style{}, "x", "x"},
		{Style{Color: true}, "x", "\x1b[31mx\x1b[0m"},
		{Style{Color: true}, "", ""},
	} {
		if got := test.style.Paint(Destructive, test.text); got != test.want {
			t.Errorf("%q is %q, want %q", test.text, got, test.want)
		}
	}
}

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "Support": 7, "Zürich": 6, "Cafe\u0301": 4, "日本語": 6, "ｱｲ": 2, "한국": 4, "👩‍👩‍👧": 2, "→": 1, "…": 1,
	} {
		if got := Width(text); got != want {
			t.Errorf("%q takes %d cells, want %d", text, got, want)
		}
	}
}
