package fleet

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flexsync/internal/glob"
	"flexsync/internal/yamldoc"
)

func read(t *testing.T, text string) (*Fleet, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fleet.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	return f, filepath.Dir(path), err
}

func TestRead(t *testing.T) {
	t.Parallel()
	f, dir, err := read(t, `
version: 1
accounts:
  development:
    paths: &paths [flows, /etc/more.yaml]
    var_files: [vars/development.yaml]
    vars: {region: us, number: +1555, empty: ""}
    credentials: DEV
  production: {paths: *paths, profile: production, wave: 2}
  demo: &demo {paths: [flows], vars: &vars {region: us}, local: demo.json, wave: }
  test: {<<: *demo, vars: {<<: *vars, stage: test}, local: test.json}
`)
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{filepath.Join(dir, "flows"), "/etc/more.yaml"}
	at := func(line int) yamldoc.Pos {
		return yamldoc.Pos{File: filepath.Join(dir, "fleet.yaml"), Line: line, Column: 3}
	}
	want := []Account{
		{Name: "development", Pos: at(4), Paths: paths, VarFiles: []string{filepath.Join(dir, "vars/development.yaml")},
			Vars: map[string]string{"region": "us", "number": "+1555", "empty": ""}, Credentials: "DEV", Wave: 1},
		{Name: "production", Pos: at(9), Paths: paths, Profile: "production", Wave: 2},
		{Name: "demo", Pos: at(10), Paths: paths[:1], Vars: map[string]string{"region": "us"}, Local: filepath.Join(dir, "demo.json"), Wave: 1},
		{Name: "test", Pos: at(11), Paths: paths[:1], Vars: map[string]string{"region": "us", "stage": "test"}, Local: filepath.Join(dir, "test.json"), Wave: 1},
	}
	if diff := cmp.Diff(want, f.Accounts); diff != "" {
		t.Error(diff)
	}
	names := func(globs ...string) (string, error) {
		compiled, err := glob.CompileAll(globs)
		if err != nil {
			t.Fatal(err)
		}
		some := &Fleet{Accounts: append([]Account(nil), f.Accounts...)}
		err = some.Select(compiled)
		var got []string
		for _, a := range some.Accounts {
			got = append(got, a.Name)
		}
		return strings.Join(got, " "), err
	}
	if got, err := names("d*", "demo"); err != nil || got != "development demo" {
		t.Errorf("selected %q, %v", got, err)
	}
	if _, err := names("d*", "prod"); err == nil || err.Error() != `"prod" matches no account of the fleet` {
		t.Error(err)
	}
}

func TestReadProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"", ":0: the fleet file is empty"},
		{"[]", "1:1: a fleet file must be a mapping, not a list"},
		{"accounts: {}", "1:1: version: version is missing\n1:11: accounts: the fleet has no accounts"},
		{"version: 2\naccounts: 1", "1:10: version: expected version 1\n2:11: accounts: accounts must be a mapping, not a number"},
		{"version: 1\n---\nversion: 1", "1:1: accounts: accounts is missing\n3:1: a fleet file must be a single document"},
		// All at once, each at its place.
		{`version: 1
acounts: {}
accounts:
  a: {paths: [flows], profil: x}
  b: {paths: flows, local: x, profile: y}
  a: {paths: [x], local: y}
  c: {paths: [], credentials: "MY KEY", wave: 0}
  d: {var_files: [[x], -], local: ""}
  e f: {paths: ["-"], local: f, wave: "2", vars: {a: [], b: 1, b: 2}}
  <<: x
  g: {paths: [x], vars: {1st: a, a-b: a, "": a, none: }, local: g.json}
`, `2:1: acounts: unknown key "acounts"; did you mean accounts?
4:3: accounts.a: the account has no credentials
4:23: accounts.a.profil: unknown key "profil"; did you mean profile?
5:14: accounts.b.paths: expected a list, found a string
5:31: accounts.b.profile: local and profile cannot both be given
6:3: accounts.a: duplicate key a; the first is at 4:3
7:14: accounts.c.paths: paths is empty
7:31: accounts.c.credentials: credentials is what the names of the environment variables begin with: letters, digits and _
7:47: accounts.c.wave: expected a whole number, 1 or more
8:3: accounts.d: paths is missing
8:19: accounts.d.var_files[0]: expected a path, found a list
8:24: accounts.d.var_files[1]: a fleet does not read standard input
8:35: accounts.d.local: the value is empty
9:3: accounts: "e f" is not a name of an account
9:17: accounts."e f".paths[0]: a fleet does not read standard input
9:39: accounts."e f".wave: expected a whole number, 1 or more
9:54: accounts."e f".vars.a: variable "a" must be a string, a number or a bool, not a list
9:64: accounts."e f".vars.b: duplicate key b; the first is at 9:58
10:7: accounts."<<": << takes a mapping or a list of mappings, not a string
11:26: accounts.g.vars: "1st" is not a variable name
11:34: accounts.g.vars: "a-b" is not a variable name
11:42: accounts.g.vars: "" is not a variable name
11:55: accounts.g.vars.none: variable "none" has no value`},
	} {
		_, dir, err := read(t, tt.text)
		var problems yamldoc.Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		got := strings.ReplaceAll(problems.Error(), filepath.Join(dir, "fleet.yaml")+":", "")
		if want := strings.TrimPrefix(tt.want, ":0: "); strings.TrimSpace(got) != want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", tt.text, got, want)
		}
	}
}
