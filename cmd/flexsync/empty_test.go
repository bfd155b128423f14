package main

import (
	"cmp"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestEmptyValues walks the grammar: whatever takes a value refuses an empty
// one, in either spelling, before and behind one that is not empty.
func TestEmptyValues(t *testing.T) {
	t.Parallel()
	for _, command := range model(t).Children {
		refused := func(name string, args ...string) {
			t.Helper()
			code, stdout, stderr := runWith(t, nil, append([]string{command.Name}, args...)...)
			if code != exitInput || stdout != "" || !strings.Contains(stderr, name) {
				t.Errorf("%s %q: exit %d, stdout %q, stderr %q", command.Name, args, code, stdout, stderr)
			}
		}
		var arguments []string // that the command needs
		for _, arg := range command.Positional {
			name := strings.ToUpper(arg.Name)
			switch {
			case arg.Tag.Has("typing"):
			case arg.Enum != "":
				refused(name, append(arguments, "")...)
			default:
				refused(name, append(arguments, "")...)
				refused(name, append(arguments, "--", "")...)
				if arg.IsCumulative() {
					refused(name, append(arguments, "x", "")...)
				}
			}
			if arg.Required {
				arguments = append(arguments, cmp.Or(arg.EnumSlice()[0], "x"))
			}
		}
		for _, flag := range slices.Concat(command.AllFlags(false)...) {
			if flag.IsBool() {
				continue
			}
			name := "--" + flag.Name
			refused(name, append(arguments, name, "")...)
			refused(name, append(arguments, name+"=")...)
			if flag.Target.Kind() == reflect.String || flag.IsSlice() {
				refused(name+" must not be empty", append(arguments, name+"=")...)
			}
			if flag.IsSlice() {
				refused(name, append(arguments, name+"=a=b", name+"=")...)
				refused(name, append(arguments, name+"=", name+"=a=b")...)
			}
		}
	}
}

// model is the grammar.
func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := newParser(&grammar{})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

// An empty variable is most often one that was to be set. Where the real
// account would be taken in its place, it is refused.
func TestEmptyVariables(t *testing.T) {
	t.Parallel()
	local := filepath.Join(t.TempDir(), "account.json")
	writeText(t, local, "{}")
	for _, test := range []struct {
		name string
		env  map[string]string
		args string
		want string // on stderr; "" is success
	}{
		{"local", map[string]string{"FLEXSYNC_LOCAL": ""}, "list", "FLEXSYNC_LOCAL is empty"},
		{"base URL", map[string]string{"FLEXSYNC_BASE_URL": ""}, "export", "FLEXSYNC_BASE_URL is empty"},
		{"beside the other one", map[string]string{"FLEXSYNC_BASE_URL": "http://127.0.0.1:1", "FLEXSYNC_LOCAL": ""}, "list", "FLEXSYNC_LOCAL is empty"},
		{"a flag decides", map[string]string{"FLEXSYNC_BASE_URL": "", "FLEXSYNC_LOCAL": ""}, "list --local " + local, ""},
		{"a variable of the YAML may be empty", map[string]string{"FLEXSYNC_VAR_empty": ""}, "validate testdata/empty.yaml", ""},
		{"so may one that is given", nil, "validate testdata/empty.yaml --var empty=", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := runWith(t, test.env, strings.Fields(test.args)...)
			if want := map[bool]int{true: exitOK, false: exitInput}[test.want == ""]; code != want || !strings.Contains(stderr, test.want) {
				t.Errorf("exit %d, stderr %q", code, stderr)
			}
		})
	}
}
