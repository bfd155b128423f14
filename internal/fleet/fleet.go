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
	"flexsync/internal/nearest"
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
	fileKeys    = []string{"version", "accounts"}
	sourceKeys  = []string{"credentials", "profile", "local"}
	accountKeys = append([]string{"paths", "var_files", "vars", "wave"}, sourceKeys...)
)

var (
	nameRE   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	prefixRE = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Read reads a fleet file. The error is yamldoc.Problems, all of them, when the file
// is at fault; any other comes from the operating system.
func Read(path string) (*Fleet, error) {
	src, problem, err := new(yamldoc.Files).Read(yamldoc.Input{Name: path, Path: path}, nil)
	if err != nil {
		return nil, err
	}
	if problem != nil {
		return nil, yamldoc.Problems{*problem}
	}
	r := &reader{src: src, dir: filepath.Dir(path)}
	documents := 0
	syntax := src.Documents(func(root *yamldoc.Node) {
		if documents++; documents > 1 {
			r.problem(root, "", "a fleet file must be a single document", "put all accounts under one accounts key")
			return
		}
		r.file(yamldoc.Resolved(root))
	})
	r.problems = append(r.problems, syntax...)
	if documents == 0 && len(r.problems) == 0 {
		r.problems = yamldoc.Problems{{Pos: yamldoc.Pos{File: path}, Message: "the fleet file is empty", Hint: "write version: 1 and accounts"}}
	}
	if len(r.problems) > 0 {
		return nil, r.problems.Tidy()
	}
	return &r.fleet, nil
}

type reader struct {
	src      *yamldoc.Source
	dir      string // of the file
	fleet    Fleet
	problems yamldoc.Problems
}

func (r *reader) problem(n *yamldoc.Node, at, message, hint string) {
	r.problems = append(r.problems, yamldoc.Problem{Pos: r.src.Pos(n), Path: at, Message: message, Hint: hint})
}

type entry struct {
	name       string
	key, value *yamldoc.Node
}

// mapping returns the entries of a mapping. Without known, any key is one.
func (r *reader) mapping(n *yamldoc.Node, at string, known []string) (entries []entry) {
	if !yamldoc.IsMapping(n) || yamldoc.HasTag(n) {
		r.problem(n, at, "expected a mapping, found "+yamldoc.TypeOf(n), "")
		return nil
	}
	seen := make(map[string]*yamldoc.Node)
	for i := 0; i+1 < len(n.Content); i += 2 {
		written, value := n.Content[i], yamldoc.Resolved(n.Content[i+1])
		key := yamldoc.Resolved(written)
		switch first := seen[key.Value]; {
		case yamldoc.IsMerge(key):
			r.problem(written, at, "<< is not supported in a fleet file", "write the keys out; an alias of a list works")
		case !yamldoc.IsScalar(key) || yamldoc.HasTag(key):
			r.problem(written, at, "a key must be a string, not "+yamldoc.TypeOf(key), "")
		case first != nil:
			r.problem(written, below(at, key.Value), fmt.Sprintf("duplicate key %s; the first is at %s", yamldoc.Quote(key.Value), r.src.Pos(first)), "remove one")
		case known != nil && !slices.Contains(known, key.Value):
			message := "unknown key " + yamldoc.Quote(key.Value)
			if near := nearest.Word(key.Value, known); near != "" {
				message += "; did you mean " + near + "?"
			}
			r.problem(written, at, message, "the keys are "+strings.Join(known, ", "))
		default:
			seen[key.Value] = written
			if !yamldoc.IsNull(value) || known == nil {
				entries = append(entries, entry{key.Value, written, value})
			}
		}
	}
	return entries
}

func below(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

func (r *reader) file(root *yamldoc.Node) {
	version, accounts := false, false
	for _, e := range r.mapping(root, "", fileKeys) {
		switch e.name {
		case "version":
			if version = true; !yamldoc.IsScalar(e.value) || e.value.Value != "1" {
				r.problem(e.value, "version", "expected version 1", "write version: 1")
			}
		case "accounts":
			accounts = true
			entries := r.mapping(e.value, "accounts", nil)
			if yamldoc.IsMapping(e.value) && len(e.value.Content) == 0 {
				r.problem(e.value, "accounts", "the fleet has no accounts", "name at least one")
			}
			for _, e := range entries {
				r.account(e)
			}
		}
	}
	if !yamldoc.IsMapping(root) {
		return
	}
	if !version {
		r.problem(root, "version", "version is missing", "write version: 1 at the top of the file")
	}
	if !accounts {
		r.problem(root, "accounts", "accounts is missing", "name each account under accounts")
	}
}

func (r *reader) account(e entry) {
	at := below("accounts", e.name)
	a := Account{Name: e.name, Pos: r.src.Pos(e.key), Wave: 1}
	if !nameRE.MatchString(e.name) {
		r.problem(e.key, "accounts", yamldoc.Quote(e.name)+" is not a name of an account", "write letters, digits and . _ -")
	}
	entries := r.mapping(e.value, at, accountKeys)
	var sources []string
	paths := false
	for _, e := range entries {
		at := below(at, e.name)
		switch e.name {
		case "paths":
			paths = true
			if a.Paths = r.files(e.value, at); yamldoc.IsSequence(e.value) && len(e.value.Content) == 0 {
				r.problem(e.value, at, "paths is empty", "name the files or directories of the account's YAML")
			}
		case "var_files":
			a.VarFiles = r.files(e.value, at)
		case "vars":
			a.Vars = make(map[string]string)
			for _, v := range r.mapping(e.value, at, nil) {
				if s, ok := r.scalar(v.value, below(at, v.name), "a string, a number or a bool"); ok {
					a.Vars[v.name] = s
				}
			}
		case "wave":
			wave, err := strconv.Atoi(e.value.Value)
			if a.Wave = wave; err != nil || wave < 1 || !yamldoc.IsScalar(e.value) || !yamldoc.IsPlain(e.value) {
				r.problem(e.value, at, "expected a whole number, 1 or more", "accounts of wave 1 are applied first")
			}
		default:
			if sources = append(sources, e.name); len(sources) > 1 {
				r.problem(e.key, at, fmt.Sprintf("%s and %s cannot both be given", sources[0], e.name), "an account has one source of credentials")
			}
			r.source(&a, e, at)
		}
	}
	if yamldoc.IsMapping(e.value) {
		if !paths {
			r.problem(e.key, at, "paths is missing", "name the files or directories of the account's YAML")
		}
		if len(sources) == 0 {
			r.problem(e.key, at, "the account has no credentials", "write one of "+strings.Join(sourceKeys, ", "))
		}
	}
	r.fleet.Accounts = append(r.fleet.Accounts, a)
}

// source reads where the credentials are.
func (r *reader) source(a *Account, e entry, at string) {
	s, ok := r.scalar(e.value, at, "a string")
	switch {
	case !ok:
	case e.name == "profile":
		a.Profile = s
	case e.name == "local":
		a.Local = r.relative(s)
	case !prefixRE.MatchString(s):
		r.problem(e.value, at, "credentials is what the names of the environment variables begin with: letters, digits and _",
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
		at := fmt.Sprintf("%s[%d]", at, i+1)
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
	case n.Value == "" && what != "a string, a number or a bool":
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
