package render

import (
	"bytes"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	t.Parallel()
	rows := [][]string{
		{"NAME", "SID", "CHANNEL", "IDENTITY", "ENABLED", "INTEGRATION"},
		{"Support SMS of the whole company", "FO00000000000000000000000000000001", "sms", "+15551230000", "yes", "studio"},
		{"日本語のサポート窓口と名前", "FO00000000000000000000000000000002", "custom", "a-very-long-identity-of-a-custom-channel", "no", "-"},
		{"Cafe\u0301", "FO00000000000000000000000000000003", "web", "-", "yes", "task"},
	}
	table := func(width int) []string {
		var b bytes.Buffer
		if err := Table(&b, rows, [][]int{{1, 3}, {0}}, width); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	}
	whole := strings.Join(table(0), "\n")
	if strings.Contains(whole, "…") || !strings.Contains(whole, rows[2][3]) {
		t.Errorf("a table for a pipe is cut:\n%s", whole)
	}
	for width := 75; width < 160; width++ {
		lines := table(width)
		text := strings.Join(lines, "\n")
		for _, line := range lines {
			if Width(line) > width {
				t.Errorf("width %d: %d cells: %s", width, Width(line), line)
			}
		}
		for i, r := range rows { // the name is the last to be cut
			cut := strings.Contains(text, Cut(rows[1][1], narrowest)) && strings.Contains(text, "  "+Cut(rows[1][3], narrowest)+"  ")
			if !cut && !strings.HasPrefix(lines[i], r[0]+" ") {
				t.Errorf("width %d: %s is cut and the SID is not:\n%s", width, r[0], text)
			}
		}
		at := Width(lines[0][:strings.Index(lines[0], "SID")])
		for i, line := range lines[1:] {
			if have := Width(line[:strings.Index(line, "FO0")]); have != at {
				t.Errorf("width %d: the SID of row %d stands at %d, not %d", width, i, have, at)
			}
		}
		if cut := strings.Contains(text, "…"); cut != (text != whole) {
			t.Errorf("width %d: cut %v:\n%s", width, cut, text)
		}
	}
	if lines := table(58); strings.Contains(lines[0], "INTEGRATION") || !strings.Contains(lines[0], "ENABLED") {
		t.Errorf("the last column does not go: %q", lines)
	}
	if lines := table(10); !strings.Contains(lines[1], "Support…") {
		t.Errorf("too narrow: %q", lines)
	}
}
