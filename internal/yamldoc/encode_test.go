package yamldoc

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// encodeAgain reads a text and writes it, with a change to each document.
func encodeAgain(t *testing.T, text string, change func(doc *Node)) string {
	t.Helper()
	src, problem := NewSource("f", []byte(text))
	if problem != nil {
		t.Fatal(problem)
	}
	var docs []*Node
	if problems := src.Trees(func(doc *Node) {
		change(doc)
		docs = append(docs, doc)
	}); len(problems) > 0 {
		t.Fatal(problems)
	}
	out, err := Encode(docs)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestEncode is what a text becomes when it is read and written.
func TestEncode(t *testing.T) {
	removeFirst := func(doc *Node) { doc.Content[0].Content = doc.Content[0].Content[2:] }
	tests := []struct {
		name, text string
		change     func(doc *Node)
		want       string
	}{
		{"comments and quotes", "# top\n\na: \"1\" # x\n# b\nb: 'c'\n# end\n", nil, "# top\n\na: \"1\" # x\n# b\nb: 'c'\n# end\n"},
		{"comments behind a separator", "a: 1\n# end\n--- # one\n# two\n\nb: 2\n", nil, "a: 1\n# end\n---\n# one\n# two\n\nb: 2\n"},
		{"a separator in a text", "a: \"x\n  --- y\"\n", nil, "a: \"x --- y\"\n"},
		{"a comment behind a bracket", "a: [b, # one\n  c]\n# two\nd: [] # three\n", nil, "a:\n  - b # one\n  - c\n# two\nd: [] # three\n"},
		{"an anchor that is gone", "a: &x {b: c} # one\nd: *x\ne: *x\n", removeFirst, "d: &x {b: c}\ne: *x\n"},
		{"a merged anchor that is gone", "a: &x {b: c}\nd: {<<: *x}\n", removeFirst, "d: {<<: &x {b: c}}\n"},
		{"an anchor that is set twice", "a: &x 1\nb: &x 2\nc: *x\n", removeFirst, "b: &x 2\nc: *x\n"},
		{"what does not print", "a: \u202e # \u202e\n", nil, "a: \"\\u202e\" # \\u202e\n"},
		{"commands to a job runner", "a: |-\n  ::error::x\nb: \"c\n\n  ::error::\"\nd: '##[e]' # ##[f]\n", nil,
			"a: \"::error::x\"\nb: \"c\\n::error::\"\nd: \"#\\x23[e]\" # #\\x23[f]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.change == nil {
				tt.change = func(*Node) {}
			}
			got := encodeAgain(t, tt.text, tt.change)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if again := encodeAgain(t, got, func(*Node) {}); again != got {
				t.Errorf("written again, it is\n%s", again)
			}
		})
	}
}

func TestSetBlankAbove(t *testing.T) {
	got := encodeAgain(t, "a: 1\n\n# b\nb: 2\nc: 3\n", func(doc *Node) {
		SetBlankAbove(doc.Content[0].Content[2])
		SetBlankAbove(doc.Content[0].Content[4])
	})
	if want := "a: 1\n\n# b\nb: 2\n\nc: 3\n"; got != want {
		t.Errorf("got\n%s", got)
	}
}
