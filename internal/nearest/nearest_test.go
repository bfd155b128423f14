package nearest

import (
	"testing"

	"pgregory.net/rapid"
)

func TestWord(t *testing.T) {
	tests := []struct{ word, want string }{
		{"chanel_type", "channel_type"},
		{"channel_tpye", "channel_type"},
		{"CHANNEL_TYPE", "channel_type"},
		{"freindly_name", "friendly_name"},
		{"enable", "enabled"},
		{"colour", ""},
		{"", ""},
		{"x", ""},
	}
	for _, tt := range tests {
		if got := Word(tt.word, []string{"friendly_name", "chat_service_sid", "channel_type", "contact_identity", "enabled", "integration_type", "sid"}); got != tt.want {
			t.Errorf("Word(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"é", "e", 1}} {
		if got := editDistance(tt.a, tt.b, 9); got != tt.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.StringN(0, 8, -1).Draw(t, "a"), rapid.StringN(0, 8, -1).Draw(t, "b")
		if d := editDistance(a, b, 9); d != editDistance(b, a, 9) || (d == 0) != (a == b) {
			t.Fatalf("editDistance(%q, %q) = %d, and %d the other way", a, b, d, editDistance(b, a, 9))
		}
	})
}
