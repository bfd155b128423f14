// Package fleet reads a fleet file: the accounts of one run, and where the YAML and
// the credentials of each are.
//
// It holds no secret and opens nothing but the fleet file. Whoever runs a fleet
// makes a session of each account.
package fleet

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"flexsync/internal/glob"
	"flexsync/internal/yamldoc"
)

// Fleet is the accounts of a fleet file.
type Fleet struct {
	Accounts []Account // in the order of the file, at least one
}

// Account is one account of a fleet. Exactly one of Credentials, Profile and Local
// is set.
type Account struct {
	Name string // letters, digits and . _ -
	Pos  yamldoc.Pos

	// Paths, at least one, and VarFiles lead from the working directory, as Local
	// does: the fleet file has them relative to itself.
	Paths    []string
	VarFiles []string
	Vars     map[string]string

	Credentials string // what the names of the environment variables begin with, without the _
	Profile     string // of twilio-cli
	Local       string // the file of an embedded account

	Wave int // 1 or more: an account is applied after those of the waves before
}

// The keys of the file and of an account.
var (
	sourceKeys   = []string{"credentials", "profile", "local"}
	fileShape    = &yamldoc.Shape{Name: "a fleet file", Keys: []string{"version", "accounts"}}
	fleetShape   = &yamldoc.Shape{Name: "accounts"}
	accountShape = &yamldoc.Shape{Name: "an account", Keys: append([]string{"paths", "var_files", "vars", "wave"}, sourceKeys...)}
)

var (
	nameRE   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	prefixRE = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Read reads a fleet file. The error is yamldoc.Problems, all of them, when the file
// is at fault; any other comes from the operating system.
func Read(path string) (*Fleet, error) {
	src, root, problems, err := new(yamldoc.Files).Single(path, yamldoc.Complaint{Message: "a fleet file must be a single document", Hint: "put all accounts under one accounts key"})
	if err != nil {
		return nil, err
	}
	r := &reader{src: src, dir: filepath.Dir(path), fleet: new(Fleet), problems: problems}
	switch {
	case root != nil:
		r.mappings = yamldoc.NewMappings(src)
		r.file(root)
	case len(problems) == 0:
		r.problems = yamldoc.Problems{{Pos: yamldoc.Pos{File: path}, Message: "the fleet file is empty", Hint: "write version: 1 and accounts"}}
	}
	if len(r.problems) > 0 {
		return nil, r.problems.Tidy()
	}
	return r.fleet, nil
}

type reader struct {
	src      *yamldoc.Source
	mappings *yamldoc.Mappings
	dir      string // of the file
	fleet    *Fleet // not in the reader: who keeps it keeps no nodes of the file
	problems yamldoc.Problems
}

func (r *reader) problem(n *yamldoc.Node, at, message, hint string) {
	r.problems = append(r.problems, yamldoc.Problem{Pos: r.src.Pos(n), Path: at, Message: message, Hint: hint})
}

// report takes complaints about the mapping at a path.
func (r *reader) report(at string) yamldoc.Report {
	return func(n *yamldoc.Node, key string, c yamldoc.Complaint) {
		r.problem(n, below(at, key), c.Message, c.Hint)
	}
}

func below(at, key string) string {
	switch {
	case key == "":
		return at
	case at != "":
		at += "."
	}
	return at + yamldoc.QuoteKey(key)
}

func (r *reader) file(root *yamldoc.Node) {
	top, ok := r.mappings.Read(root, fileShape, r.report(""))
	if !ok {
		return
	}
	if e := top["version"]; !e.Given() {
		r.problem(root, "version", "version is missing", "write version: 1 at the top of the file")
	} else if !yamldoc.IsScalar(e.Value) || e.Value.Value != "1" {
		r.problem(e.Value, "version", "expected version 1", "write version: 1")
	}
	e := top["accounts"]
	if !e.Given() {
		r.problem(root, "accounts", "accounts is missing", "name each account under accounts")
		return
	}
	accounts, ok := r.mappings.Read(e.Value, fleetShape, r.report("accounts"))
	if ok && len(accounts) == 0 {
		r.problem(e.Value, "accounts", "the fleet has no accounts", "name at least one")
	}
	for _, e := range accounts.InOrder() {
		r.account(e)
	}
}

func (r *reader) account(e yamldoc.Entry) {
	a := Account{Name: e.Name(), Pos: r.src.Pos(e.Key), Wave: 1}
	at := below("accounts", a.Name)
	if !nameRE.MatchString(a.Name) {
		r.problem(e.Key, "accounts", yamldoc.Quote(a.Name)+" is not a name of an account", "write letters, digits and . _ -")
	}
	entries, ok := r.mappings.Read(e.Value, accountShape, r.report(at))
	if !ok {
		return
	}
	if paths := entries["paths"]; paths.Given() {
		if a.Paths = r.files(paths.Value, at+".paths"); yamldoc.IsSequence(paths.Value) && len(paths.Value.Content) == 0 {
			r.problem(paths.Value, at+".paths", "paths is empty", "name the files or directories of the account's YAML")
		}
	} else {
		r.problem(e.Key, at, "paths is missing", "name the files or directories of the account's YAML")
	}
	if e := entries["var_files"]; e.Given() {
		a.VarFiles = r.files(e.Value, at+".var_files")
	}
	if e := entries["vars"]; e.Given() {
		a.Vars = r.mappings.Variables(e.Value, "vars", r.report(at+".vars"))
	}
	if e := entries["wave"]; e.Given() {
		var err error
		if a.Wave, err = strconv.Atoi(e.Value.Value); err != nil || a.Wave < 1 || !yamldoc.IsScalar(e.Value) || !yamldoc.IsPlain(e.Value) {
			r.problem(e.Value, at+".wave", "expected a whole number, 1 or more", "accounts of wave 1 are applied first")
		}
	}
	sources := slices.DeleteFunc(entries.InOrder(), func(e yamldoc.Entry) bool { return !e.Given() || !slices.Contains(sourceKeys, e.Name()) })
	for i, e := range sources {
		at := at + "." + e.Name()
		if i > 0 {
			r.problem(e.Key, at, fmt.Sprintf("%s and %s cannot both be given", sources[0].Name(), e.Name()), "an account has one source of credentials")
		}
		r.source(&a, e, at)
	}
	if len(sources) == 0 {
		r.problem(e.Key, at, "the account has no credentials", "write one of "+strings.Join(sourceKeys, ", "))
	}
	r.fleet.Accounts = append(r.fleet.Accounts, a)
}

// source reads where the credentials are.
func (r *reader) source(a *Account, e yamldoc.Entry, at string) {
	s, ok := r.scalar(e.Value, at, "a string")
	switch {
	case !ok:
	case e.Name() == "profile":
		a.Profile = s
	case e.Name() == "local":
		a.Local = r.relative(s)
	case !prefixRE.MatchString(s):
		r.problem(e.Value, at, "credentials is what the names of the environment variables begin with: letters, digits and _",
			"write credentials: DEV for DEV_TWILIO_ACCOUNT_SID and so on; the secrets themselves never belong in a file")
	default:
		a.Credentials = s
	}
}

// files reads a list of paths.
func (r *reader) files(n *yamldoc.Node, at string) (paths []string) {
	if !yamldoc.IsSequence(n) {
		r.problem(n, at, "expected a list, found "+yamldoc.TypeOf(n), "")
		return nil
	}
	for i, item := range n.Content {
		item = yamldoc.Resolved(item)
		at := fmt.Sprintf("%s[%d]", at, i)
		s, ok := r.scalar(item, at, "a path")
		switch {
		case !ok:
		case s == "-":
			r.problem(item, at, "a fleet does not read standard input", "name a file")
		default:
			paths = append(paths, r.relative(s))
		}
	}
	return paths
}

func (r *reader) relative(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.dir, path)
}

// scalar returns a value as it is written. An empty one is a problem.
func (r *reader) scalar(n *yamldoc.Node, at, what string) (string, bool) {
	switch {
	case !yamldoc.IsScalar(n) || yamldoc.IsNull(n) || yamldoc.HasTag(n):
		r.problem(n, at, fmt.Sprintf("expected %s, found %s", what, yamldoc.TypeOf(n)), "")
	case n.Value == "":
		r.problem(n, at, "the value is empty", "")
	default:
		return n.Value, true
	}
	return "", false
}

// Select leaves the accounts whose names one of the globs matches; without globs,
// all. A glob that matches none is an error.
func (f *Fleet) Select(globs []glob.Glob) error {
	if len(globs) == 0 {
		return nil
	}
	for _, g := range globs {
		if !slices.ContainsFunc(f.Accounts, func(a Account) bool { return g.MatchName(a.Name) }) {
			return fmt.Errorf("%s matches no account of the fleet", yamldoc.Quote(g.String()))
		}
	}
	f.Accounts = slices.DeleteFunc(f.Accounts, func(a Account) bool {
		return !slices.ContainsFunc(globs, func(g glob.Glob) bool { return g.MatchName(a.Name) })
	})
	return nil
}
