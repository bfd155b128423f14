package secret

import (
	"strings"
	"testing"
)

// A value is found wherever it is a part, in every form, and where it is cut.
func TestParts(t *testing.T) {
	var m Mask
	m.Add("open sesame")
	m.Add("abc")
	for _, value := range []string{"open sesame", "https://elsewhere.example.com/?open sesame"} {
		if got := m.Value(value); got != Shown(value) {
			t.Errorf("%s is shown as %s", value, got)
		}
	}
	if got := m.Value("abcd"); got != "abcd" {
		t.Errorf("a short secret hides %s", got)
	}
	for _, text := range []string{"no open sesame here", "no open+sesame", "no open%20sesame", "it was cut: open sesa…", `it was cut: "open ses"...`} {
		if got := m.Text(text); strings.Contains(got, "ses") && !strings.Contains(got, "(secret, ") || strings.Contains(got, "open") {
			t.Errorf("%s is shown as %s", text, got)
		}
	}
}

func TestMask(t *testing.T) {
	const token, url = "tok\"en-1234", "https://hooks.example.com/?t=tok\"en-1234"
	var m Mask
	m.Add(token)
	m.Add(url)
	m.Add("abc")
	m.Add("")
	for _, test := range []struct{ value, want string }{
		{url, Shown(url)}, {token, Shown(token)}, {"abc", Shown("abc")}, {"abcd", "abcd"}, {"", ""},
		{"https://user:pass@example.com/x", "https://***@example.com/x"},
	} {
		if got := m.Value(test.value); got != test.want || m.Hides(test.value) != (test.want != test.value) {
			t.Errorf("Value(%q) = %q, want %q", test.value, got, test.want)
		}
	}
	for _, test := range []struct{ text, want string }{
		{"Url " + url + " is invalid", "Url " + Shown(url) + " is invalid"},
		{`flow "tok\"en-1234" and tok"en-1234`, `flow "` + Shown(token) + `" and ` + Shown(token)},
		{"abc stays: it is too short to look for", "abc stays: it is too short to look for"},
		{"see https://user:pass@example.com", "see https://***@example.com"},
	} {
		if got := m.Text(test.text); got != test.want {
			t.Errorf("Text(%q) = %q, want %q", test.text, got, test.want)
		}
	}
	var none *Mask
	if got := none.Text("https://a:b@c"); got != "https://***@c" || none.Value(token) != token {
		t.Errorf("without values: %q", got)
	}
	if s := Shown(token); !IsShown(s) || len(s) != len("(secret, sha256:1a2b3c4d)") || strings.Contains(s, token) {
		t.Errorf("Shown = %q", s)
	}
	if IsShown(url) || !IsShown("https://***@example.com") {
		t.Error("IsShown does not tell them apart")
	}
	var both Mask
	both.Join(&m)
	both.Join(nil)
	if !both.Hides(token) {
		t.Error("Join lost a value")
	}
}
