package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/glob"
	"flexsync/internal/safetext"
	"flexsync/schema"
	"flexsync/state"
)

// Scope decides which resources are in scope, of the account's and of the declared
// ones. Planning, lookups, the check of a saved plan and apply all ask it.
//
// What the files ignore does not exist for the run, nor does a SID of --ignore,
// which names a resource and nothing that is declared. A name of --ignore or
// --only names a resource on both sides, so it counts for a declaration and its
// counterpart as a pair, and so does a SID of --only, which has only one side.
type Scope struct {
	ignore []glob.Glob // of files and flags
	flags  []glob.Glob // the part of ignore that is --ignore's
	only   []glob.Glob
	// pinned are SIDs of --ignore that declarations are pinned to, in lower case:
	// both are left out as a pair.
	pinned map[string]bool

	seen     map[string]Seen     // in scope, whatever the name is by now
	replaced map[schema.Key]bool // what gets another SID than --only may name
	leftOut  map[string]bool     // SIDs that are ignored by the name of the declaration
}

// newScope is the scope of a plan before it is made.
func newScope(in *Input) *Scope {
	s := &Scope{ignore: slices.Concat(in.Config.Ignore, in.Ignore), flags: in.Ignore, only: in.Only, pinned: make(map[string]bool), leftOut: make(map[string]bool)}
	for i := range in.Config.Resources {
		if sid := in.Config.Resources[i].SID; sid != "" && matchesSID(in.Ignore, sid) {
			s.pinned[strings.ToLower(sid)] = true
		}
	}
	return s
}

// Scope is the scope that the plan was made with. The error is a *DamagedError: the
// globs compiled when the plan was made.
func (p *Plan) Scope() (*Scope, error) {
	s := &Scope{seen: p.State, leftOut: make(map[string]bool, len(p.LeftOut)), replaced: make(map[schema.Key]bool)}
	for _, sid := range p.LeftOut {
		s.leftOut[sid] = true
	}
	var err error
	if s.only, err = glob.CompileAll(p.Only); err != nil {
		return nil, &DamagedError{Reason: err.Error()}
	}
	if s.ignore, err = glob.CompileAll(p.Ignore); err != nil {
		return nil, &DamagedError{Reason: err.Error()}
	}
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Replaces != "" {
			s.replaced[c.Key] = true
		}
	}
	return s, nil
}

// Covers reports whether a resource of the account is in scope: the plan saw it, or
// would have if it had existed.
func (s *Scope) Covers(r *state.Resource) bool {
	if _, ok := s.seen[r.SID]; ok {
		return true
	}
	return !s.leftOut[r.SID] && !ignores(s.ignore, r) &&
		(len(s.only) == 0 || s.replaced[r.Key()] || takes(s.only, r.ID(), r.SID))
}

// exists reports whether a resource of the account exists for the run.
func (s *Scope) exists(r *state.Resource) bool {
	if s.pinned[strings.ToLower(r.SID)] {
		return true
	}
	return !matchesSID(s.flags, r.SID) && !ignores(s.ignore[:len(s.ignore)-len(s.flags)], r)
}

// judge decides about a match: it is in scope, ignored, or, if neither, outside of
// --only.
func (s *Scope) judge(mt *match) (inScope, ignored bool) {
	only := len(s.only) == 0
	if want := mt.want; want != nil {
		ignored = s.pinned[strings.ToLower(want.SID)] || matchesName(s.flags, want.ID())
		only = only || takes(s.only, want.ID(), want.SID)
	}
	mt.each(func(r *state.Resource) {
		ignored = ignored || matchesName(s.flags, r.ID())
		only = only || takes(s.only, r.ID(), r.SID)
	})
	return only && !ignored, ignored
}

// mayCover reports whether a declaration may be in scope, as far as can be told
// without the account.
func (s *Scope) mayCover(d *schema.Declared) bool {
	inScope, ignored := s.judge(&match{want: d})
	return inScope || !ignored && (d.SID != "" || slices.ContainsFunc(s.only, func(g glob.Glob) bool {
		return schema.IsSID(d.Kind.SID, g.String()) || slices.ContainsFunc(d.RenamedFrom, g.MatchName)
	}))
}

// leaveOut notes the resources of an ignored match that only the declaration's name
// ignores: a saved plan would take them for new ones.
func (s *Scope) leaveOut(mt *match) {
	mt.each(func(r *state.Resource) {
		if !ignores(s.ignore, r) {
			s.leftOut[r.SID] = true
		}
	})
}

// unmatched returns an *UnmatchedError for the first glob of --only that matches no
// resource on either side, or nil. Unless tell is nil, it gets all of them instead.
func (s *Scope) unmatched(cfg *schema.Config, snap *state.Snapshot, tell func(*UnmatchedError)) error {
	for _, g := range s.only {
		any := func(match func(name, sid string) bool) bool {
			return slices.ContainsFunc(cfg.Resources, func(d schema.Declared) bool { return match(d.ID(), d.SID) }) ||
				slices.ContainsFunc(snap.Resources, func(r state.Resource) bool { return match(r.ID(), r.SID) })
		}
		if !any(func(name, sid string) bool { return g.MatchName(name) || g.MatchSID(sid) }) {
			err := &UnmatchedError{Glob: g, Kinds: cfg.Kinds, Literally: any(func(name, _ string) bool { return name == g.String() })}
			if tell == nil {
				return err
			}
			tell(err)
		}
	}
	return nil
}

func matchesName(globs []glob.Glob, name string) bool {
	return slices.ContainsFunc(globs, func(g glob.Glob) bool { return g.MatchName(name) })
}

func matchesSID(globs []glob.Glob, sid string) bool {
	return slices.ContainsFunc(globs, func(g glob.Glob) bool { return g.MatchSID(sid) })
}

func takes(globs []glob.Glob, id, sid string) bool {
	return matchesName(globs, id) || matchesSID(globs, sid)
}

func ignores(globs []glob.Glob, r *state.Resource) bool { return takes(globs, r.ID(), r.SID) }

// Moved is a difference between the account and what a saved plan saw of a resource.
type Moved struct {
	schema.Key
	SID  string
	What string
}

func (m Moved) String() string {
	return fmt.Sprintf("%s %s (%s) %s", m.Kind.Name, safetext.Quote(m.ID), safetext.Line(m.SID), m.What)
}

// Stale returns every difference between the account and what the plan saw: what
// changed or is new in the order of the snapshot, then what was deleted, by name.
// Without any, the plan can be carried out. The snapshot is of the plan's account:
// another one is no reason to review the plan again. The error is that of
// [Plan.Scope].
func (p *Plan) Stale(snap *state.Snapshot) ([]Moved, error) {
	scope, err := p.Scope()
	if err != nil {
		return nil, err
	}
	var moved []Moved
	there := make(map[string]bool, len(snap.Resources))
	for i := range snap.Resources {
		r := &snap.Resources[i]
		there[r.SID] = true
		seen, ok := p.State[r.SID]
		switch {
		case ok && seen.Digest() != state.Digest(&r.Object):
			moved = append(moved, Moved{r.Key(), r.SID, "was changed"})
		case !ok && scope.Covers(r):
			moved = append(moved, Moved{r.Key(), r.SID, "is new"})
		}
	}
	var gone []Moved
	for sid, seen := range p.State {
		if !there[sid] {
			gone = append(gone, Moved{schema.Key{Kind: schema.KindOf(sid), ID: seen.ID}, sid, "was deleted"})
		}
	}
	slices.SortFunc(gone, func(a, b Moved) int {
		return cmp.Or(a.Key.Compare(b.Key), cmp.Compare(a.SID, b.SID))
	})
	return append(moved, gone...), nil
}
