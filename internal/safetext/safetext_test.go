package safetext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestQuote(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", `""`},
		{"Support SMS", `"Support SMS"`},
		{" spaces ", `" spaces "`},
		{`a "b" \`, `"a \"b\" \\"`},
		{"a\nb\r\n", `"a\nb\r\n"`},
		{"\x1b[31m", `"\x1b[31m"`},
		{"\u009b31m", `"\u009b31m"`},
		{"\u202eabc", `"\u202eabc"`},
		{"\u200b\ufeff\u00a0", `"\u200b\ufeff\u00a0"`},
		{"Zürich 日本 😀", `"Zürich 日本 😀"`},
		{"\xff", `"\xff"`},
		{"\ufffd", "\"\ufffd\""},
		{"::error::", `"::error::"`},
		{"##[error]", `"#\x23[error]"`},
		{"a ##vso[x]", `"a #\x23vso[x]"`},
		{"####", `"#\x23#\x23"`},
		{"###", `"#\x23#"`},
		{"# 1", `"# 1"`},
		{strings.Repeat("a", 256), `"` + strings.Repeat("a", 256) + `"`},
		{strings.Repeat("a", 257), `"` + strings.Repeat("a", 256) + `"… (257 bytes)`},
		{strings.Repeat("ü", 256), `"` + strings.Repeat("ü", 256) + `"`},
		{strings.Repeat("ü", 300), `"` + strings.Repeat("ü", 256) + `"… (600 bytes)`},
		{strings.Repeat("\n", 300), `"` + strings.Repeat(`\n`, 256) + `"… (300 bytes)`},
	} {
		if got := Quote(test.text); got != test.want {
			t.Errorf("Quote(%q) = %s, want %s", test.text, got, test.want)
		}
	}
}

func TestMaskUserinfo(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"https://example.com/a?b=c@d", "https://example.com/a?b=c@d"},
		{"https://example.com", "https://example.com"},
		{"https://user:pass@example.com/a", "https://***@example.com/a"},
		{"https://token@example.com", "https://***@example.com"},
		{"https://a@b:c@example.com/@", "https://***@example.com/@"},
		{"HTTPS://user:pass@example.com?x", "HTTPS://***@example.com?x"},
		{" https://user:pa ss\n\"'@example.com/", " https://***@example.com/"},
		{"https://@example.com", "https://***@example.com"},
		{`update flow "A": url "https://u:p@example.com/" is wrong, and https://u:p@example.org, too`,
			`update flow "A": url "https://***@example.com/" is wrong, and https://***@example.org, too`},
		{"see http://example.com or mail bob@example.com", "see http://example.com or mail bob@example.com"},
		{"bob@example.com", "bob@example.com"},
		{"https://u:p@h/https://u:p@h", "https://***@h/https://***@h"},
		{"://u:p@h", "://***@h"},
	} {
		if got := MaskUserinfo(test.text); got != test.want {
			t.Errorf("MaskUserinfo(%q) = %q, want %q", test.text, got, test.want)
		}
	}
	// A text is not cut before it is masked.
	secret := "https://user:" + strings.Repeat("secret", 1000) + "@example.com/"
	for _, shown := range []string{Quote(secret), Line(secret), Line("see " + secret), Code(secret)} {
		if strings.Contains(shown, "secret") || !strings.Contains(shown, "https://***@example.com/") {
			t.Errorf("shown as %s", shown)
		}
	}
}

func TestLine(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{" a sentence \n", "a sentence"},
		{`a "b" \`, `a "b" \`},
		{"a\nb", `a\nb`},
		{"\x1b[31m", `\x1b[31m`},
		{"a\u202eb", `a\u202eb`},
		{"a\u2028::error::", `a\u2028::error::`},
		{"a\xffb", `a\xffb`},
		{"\ufffd", "\ufffd"},
		{"::error::x", `\::error::x`},
		{"  \t::error::x", `\::error::x`},
		{"\u3000::error::x", `\::error::x`},
		{"\ufeff::error::x", `\ufeff::error::x`},
		{"a ::error::x", "a ::error::x"},
		{"##[error]x", `#\x23[error]x`},
		{"see ##[group]x", `see #\x23[group]x`},
		{strings.Repeat("a", 2049), strings.Repeat("a", 2048) + "… (2049 bytes)"},
	} {
		if got := Line(test.text); got != test.want {
			t.Errorf("Line(%q) = %s, want %s", test.text, got, test.want)
		}
	}
}

func TestCode(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "` `"},
		{"a", "`a`"},
		{"a`b", "``a`b``"},
		{"`", "`` ` ``"},
		{"``a", "``` ``a ```"},
		{"a```", "```` a``` ````"},
		{"<b>&amp;", "`<b>&amp;`"},
		{"a\nb", "`a\\nb`"},
		{"@octocat", "`@octocat`"},
		{"::error::", "`\\::error::`"},
		{strings.Repeat("`", 8), strings.Repeat("`", 9) + " " + strings.Repeat("`", 8) + " " + strings.Repeat("`", 9)},
		{strings.Repeat("`", 9) + "a`", "`" + strings.Repeat(`\x60`, 9) + "a\\x60`"},
	} {
		if got := Code(test.text); got != test.want {
			t.Errorf("Code(%q) = %s, want %s", test.text, got, test.want)
		}
	}
}

func TestProse(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"4 of the 11 flows in scope (25%): check the files.", "4 of the 11 flows in scope (25%): check the files."},
		{`flow "Old \"x\" (a)": it's a copy of FO1, which stays`, "flow `\"Old \\\"x\\\" (a)\"`: it's a copy of `FO1`, which stays"},
		{`("Page"), (flows.yaml:3)`, "(`\"Page\"`), (`flows.yaml:3`)"},
		{`an "open quote`, "an `\"open` quote"},
		{"pass --max-deletes 4; did you mean messenger:?", "pass `--max-deletes` 4; did you mean messenger:?"},
		{"@octocat #1 GH-1 :smile: [x](http://a) <b> *c* _d_ `e`, `` ``x`` `y www.example.com", "`@octocat` `#1` `GH-1` `:smile`: `[x](http://a)` `<b>` `*c*` `_d_` `e`, ``` `` ``` ``` ``x`` ``` `` `y `` `www.example.com`"},
		{"f(x) a|b Zürich ... 1.", "`f(x)` `a|b` `Zürich` ... 1."},
		{"::error::x", "`\\::error::x`"},
		{"add `renamed_from: [\"a `b\"]`, or", "add ``renamed_from: [\"a `b\"]``, or"},
	} {
		if got := Prose(test.text); got != test.want {
			t.Errorf("Prose(%q) = %s, want %s", test.text, got, test.want)
		}
	}
}

func TestCell(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"a", "a"},
		{`a|b||`, `a\|b\|\|`},
		{`a\|b`, `a\\x7cb`},
		{`a\\|b`, `a\\\x7cb`},
	} {
		if got := Cell(test.text); got != test.want {
			t.Errorf("Cell(%q) = %s, want %s", test.text, got, test.want)
		}
	}
}

func TestFence(t *testing.T) {
	for _, test := range []struct {
		lines []string
		want  string
	}{
		{[]string{"- a", "+ b"}, "```diff\n- a\n+ b\n```\n"},
		{[]string{"+ ```"}, "````diff\n+ ```\n````\n"},
		{[]string{"+ `", "- `````"}, "``````diff\n+ `\n- `````\n``````\n"},
	} {
		if got := Fence("diff", test.lines); got != test.want {
			t.Errorf("%q is %q, want %q", test.lines, got, test.want)
		}
	}
}

func TestComment(t *testing.T) {
	for _, text := range []string{"-->", "--!>", "->", ">", "---->", "- ->", "-\u200b->", "-<->", "<!--", "AC1", "-", "--", "a--<>-->b", "-<-", "-\n->"} {
		got := Comment(text)
		if strings.Contains(got, "--") || strings.ContainsAny(got, "<>\n") {
			t.Errorf("Comment(%q) = %q", text, got)
		}
	}
	if got := Comment("AC0123"); got != "AC0123" {
		t.Error(got)
	}
}

func TestJSON(t *testing.T) {
	for _, text := range []string{
		"", "plain", "Zürich 日本 😀", "\x1b[31m", "\u009b", "\x7f", "\u202e", "\u2028", "\ufeff", "\U000e0041", "👩‍👩‍👧", "a\u00a0b",
		"##[error]", "###", "####", `\##[`, `\\##`, "#\u200b#", "#", `"`, `\`, "\ufffd", "\U0010ffff", "\ue000",
	} {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(map[string]string{text: text}); err != nil {
			t.Fatal(err)
		}
		safe := JSON(b.Bytes())
		var back map[string]string
		if err := json.Unmarshal(safe, &back); err != nil {
			t.Errorf("%q: %v: %s", text, err, safe)
		} else if back[text] != text {
			t.Errorf("%q is %q", text, back)
		}
		checkSafe(t, text, strings.TrimSuffix(string(safe), "\n"))
		if again := JSON(safe); !bytes.Equal(again, safe) {
			t.Errorf("%q: twice is not once: %s", text, again)
		}
	}
	if text := []byte(`{"a": "ü #1"}`); string(JSON(text)) != string(text) {
		t.Errorf("%s", JSON(text))
	}
}

func checkSafe(t *testing.T, text, safe string) {
	t.Helper()
	for _, r := range safe {
		if !unicode.IsPrint(r) {
			t.Errorf("%q: %q is in %q", text, r, safe)
		}
	}
	if strings.Contains(safe, "##") || strings.HasPrefix(strings.TrimSpace(safe), "::") || !utf8.ValidString(safe) {
		t.Errorf("%q: %q", text, safe)
	}
}

func FuzzSafe(f *testing.F) {
	for _, text := range []string{"", "::error::", "##[x]", "\x1b[31m", "\xff\xfe", "`", "a\n\n::x", "-->", "\u2029 ::a::", ">::a::"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkSafe(t, text, Quote(text))
		checkSafe(t, text, Line(text))
		checkSafe(t, text, Code(text))
		checkSafe(t, text, Comment(text))
		for _, limit := range []struct {
			got string
			max int
		}{{Quote(text), Limit}, {Line(text), LineLimit}} {
			if n := utf8.RuneCountInString(limit.got); n > 10*limit.max+40 {
				t.Errorf("%d characters", n)
			}
		}
		if line := Line(text); Line(line) != line && len(text) <= LineLimit/10 && !strings.HasPrefix(line, `\`) {
			t.Errorf("%q is %q, and then %q", text, line, Line(line))
		}
	})
}

func ExampleQuote() {
	fmt.Println(Quote("evil\n::error::\x1b[31m"))
	// Output: "evil\n::error::\x1b[31m"
}
