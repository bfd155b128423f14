package yamldoc

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVarFileProblems(t *testing.T) {
	dir := write(t, map[string]string{
		"bad.yaml":  "x: ok\nlist: [a]\nnested: {a: b}\nnothing:\n1st: a\nx: again\nt: !!binary aGk=\n? [a]\n: b\n---\ny: z\n",
		"list.yaml": "- x\n",
		"not.yaml":  "x: \"a\n",
	})
	files := []string{filepath.Join(dir, "bad.yaml"), filepath.Join(dir, "list.yaml"), filepath.Join(dir, "not.yaml"), filepath.Join(dir, "absent.yaml")}
	_, problems, err := new(Files).ReadVars(files)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`absent.yaml: no such file or directory`,
		`bad.yaml:2:7: variable "list" must be a string, a number or a bool, not a list`,
		`bad.yaml:3:9: variable "nested" must be a string, a number or a bool, not a mapping`,
		`bad.yaml:4:9: variable "nothing" has no value`,
		`bad.yaml:5:1: "1st" is not a variable name`,
		`bad.yaml:6:1: duplicate key x; the first is at bad.yaml:1:1`,
		`bad.yaml:7:4: variable "t" has the tag "!!binary", which is not supported`,
		`bad.yaml:8:3: a key must be a string, not a list`,
		`bad.yaml:11:1: a variable file must be a single document`,
		`list.yaml:1:1: a variable file must be a mapping, not a list`,
		`not.yaml:1:1: not valid YAML: a quoted value is not closed`,
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), strings.ReplaceAll(problems.Tidy().Error(), dir+string(filepath.Separator), "")); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// TestVariablePositions is where an unset variable is reported.
func TestVariablePositions(t *testing.T) {
	tests := []struct {
		text string // the value of the only key
		want string
	}{
		{"ab ${u}", "1:10"},
		{`"ab ${u}"`, "1:11"},
		{`'ab ${u}'`, "1:11"},
		{`"é😀 ${u}"`, "1:11"},
		{`"\x41 ${u}"`, "1:7"}, // escapes: the scalar's own
		{`'it''s ${u}'`, "1:7"},
		{">-\n      folded ${u}", "1:7"},
		{"two\n      lines ${u}", "1:7"},
		{"!!str ab ${u}", "1:7"},
	}
	for _, tt := range tests {
		src, problem := NewSource("f", []byte("text: "+tt.text+"\n"))
		if problem != nil {
			t.Fatal(problem)
		}
		var got []string
		problems := src.Documents(func(root *Node) {
			_, ok := (&Variables{}).Expand(src, root.Content[1], func(pos Pos, _ Complaint) {
				got = append(got, strings.TrimPrefix(pos.String(), "f:"))
			})
			if ok {
				t.Errorf("%q: an unset variable is ok", tt.text)
			}
		})
		if len(problems) > 0 || len(got) != 1 || got[0] != tt.want {
			t.Errorf("%q: got %v, %v, want a problem at %s", tt.text, got, problems, tt.want)
		}
	}
}
