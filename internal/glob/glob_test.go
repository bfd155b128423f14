package glob

import (
	"testing"

	"pgregory.net/rapid"
)

func TestGlob(t *testing.T) {
	tests := []struct {
		pattern string
		match   []string
		not     []string
	}{
		{"Flex Web*", []string{"Flex Web", "Flex Web Channel/Flow\n"}, []string{"flex web", "My Flex Web"}},
		{"*", []string{"", "a/b", "\n", "\xff"}, nil},
		{"?", []string{"a", "é", "😀"}, []string{"", "ab"}},
		{"[a-c]x", []string{"ax", "cx"}, []string{"dx", "Ax", "x"}},
		{"[!a-c]x", []string{"dx", "!x"}, []string{"ax"}},
		{"[]-]", []string{"]", "-"}, []string{"a"}},
		{`\*\[`, []string{"*["}, []string{"a["}},
		{"a.b(c)|d", []string{"a.b(c)|d"}, []string{"axb(c)|d", "d"}},
		{"plain", []string{"plain"}, []string{"Plain", "plain ", "explain"}},
	}
	for _, tt := range tests {
		g, err := Compile(tt.pattern)
		if err != nil {
			t.Errorf("%q: %v", tt.pattern, err)
			continue
		}
		for _, name := range tt.match {
			if !g.MatchName(name) {
				t.Errorf("%q does not match %q", tt.pattern, name)
			}
		}
		for _, name := range tt.not {
			if g.MatchName(name) {
				t.Errorf("%q matches %q", tt.pattern, name)
			}
		}
	}
	for _, bad := range []string{"", "[", "[a", "[]", "[z-a]", `a\`} {
		if _, err := Compile(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	sid := "FO0123456789abcdef0123456789abcdef"
	if g, _ := Compile(sid); !g.MatchSID(sid) || !g.MatchSID("FO0123456789ABCDEF0123456789abcdef") || g.MatchSID("FO0123456789abcdef0123456789abcde0") || g.MatchSID("fo0123456789abcdef0123456789abcdef") {
		t.Error("a SID does not match itself only")
	}
	if g, _ := Compile("*"); g.MatchSID(sid) {
		t.Error("a glob over names matches a SID")
	}
}

// TestQuote is the law that a quoted name matches itself and nothing else.
func TestQuote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-c*?\[\]\\!^-]{0,6}`)).Filter(func(s string) bool { return s != "" }).Draw(t, "name")
		g, err := Compile(Quote(name))
		if err != nil {
			t.Fatal(err)
		}
		if !g.MatchName(name) {
			t.Fatalf("%q does not match %q", g, name)
		}
		if other := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-c*?\[\]\\!^-]{0,6}`)).Draw(t, "other"); other != name && g.MatchName(other) {
			t.Fatalf("%q matches %q", g, other)
		}
	})
}
