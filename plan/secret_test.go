package plan

import "testing"

func TestHasPassword(t *testing.T) {
	for template, want := range map[string]bool{
		"https://example.com/": false, "https://${u}@example.com/": false, "https://me:${p}@example.com/": false, "https://${u}:${p}@example.com": false,
		"https://me@example.com/": true, "https://${u}:x@example.com/": true, "https://me:x${p}@example.com/": true,
	} {
		if got := hasPassword(template); got != want {
			t.Errorf("%s: %v", template, got)
		}
	}
}
