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

// Scope decides which flows are in scope, of the account's and of the declared
// ones. Planning, lookups, the check of a saved plan and apply all ask it.
//
// What the files ignore does not exist for the run, nor does a SID of --ignore,
// which names a resource and nothing that is declared. A name of --ignore or
// --only names a flow on both sides, so it counts for a declared flow and its
// resource as a pair.
type Scope struct {
	ignore []glob.Glob // of files and flags
	flags  []glob.Glob // the part of ignore that is --ignore's
	only   []glob.Glob
	// pinned are SIDs of --ignore that declared flows are pinned to, in lower
	// case: the resource and the declared flow are left out as a pair.
	pinned map[string]bool

	seen    map[string]Seen // in scope, whatever the name is by now
	leftOut map[string]bool // SIDs that are ignored by the declared flow's name
}

// newScope is the scope of a plan before it is made.
func newScope(in *Input) *Scope {
	s := &Scope{ignore: slices.Concat(in.Config.Ignore, in.Ignore), flags: in.Ignore, only: in.Only, pinned: make(map[string]bool), leftOut: make(map[string]bool)}
	for i := range in.Config.Flows {
		if sid := in.Config.Flows[i].SID; sid != "" && matchesSID(in.Ignore, sid) {
			s.pinned[strings.ToLower(sid)] = true
		}
	}
	return s
}

// Scope is the scope that the plan was made with. The error is a *DamagedError: the
// globs compiled when the plan was made.
func (p *Plan) Scope() (*Scope, error) {
	s := &Scope{seen: p.State, leftOut: make(map[string]bool, len(p.LeftOut))}
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
	return s, nil
}

// Covers reports whether a flow of the account is in scope: the plan saw it, or
// would have if it had existed.
func (s *Scope) Covers(f *state.Flow) bool {
	if _, ok := s.seen[f.SID]; ok {
		return true
	}
	return !s.leftOut[f.SID] && !ignoresFlow(s.ignore, f) &&
		(len(s.only) == 0 || matchesName(s.only, f.FriendlyName))
}

// exists reports whether a flow of the account exists for the run.
func (s *Scope) exists(f *state.Flow) bool {
	if s.pinned[strings.ToLower(f.SID)] {
		return true
	}
	return !matchesSID(s.flags, f.SID) && !ignoresFlow(s.ignore[:len(s.ignore)-len(s.flags)], f)
}

// judge decides about a match: it is in scope, ignored, or, if neither, outside of
// --only.
func (s *Scope) judge(mt *match) (inScope, ignored bool) {
	var names []string
	if mt.want != nil {
		names = append(names, mt.want.Flow.FriendlyName)
		ignored = s.pinned[strings.ToLower(mt.want.SID)]
	}
	mt.each(func(f *state.Flow) { names = append(names, f.FriendlyName) })
	in := func(globs []glob.Glob) bool {
		return slices.ContainsFunc(names, func(name string) bool { return matchesName(globs, name) })
	}
	ignored = ignored || in(s.flags)
	return !ignored && (len(s.only) == 0 || in(s.only)), ignored
}

// mayCover reports whether a declared flow may be in scope, as far as can be told
// without the account.
func (s *Scope) mayCover(d *schema.Declared) bool {
	inScope, ignored := s.judge(&match{want: d})
	return inScope || !ignored && (d.SID != "" || slices.ContainsFunc(d.RenamedFrom, func(name string) bool { return matchesName(s.only, name) }))
}

// leaveOut notes the flows of an ignored match that only the declared flow's name
// ignores: a saved plan would take them for new ones.
func (s *Scope) leaveOut(mt *match) {
	mt.each(func(f *state.Flow) {
		if !ignoresFlow(s.ignore, f) {
			s.leftOut[f.SID] = true
		}
	})
}

// unmatched returns an *UnmatchedError for the first glob of --only that matches no
// flow on either side, or nil.
func (s *Scope) unmatched(cfg *schema.Config, snap *state.Snapshot) error {
	for _, g := range s.only {
		any := func(match func(name string) bool) bool {
			return slices.ContainsFunc(cfg.Flows, func(d schema.Declared) bool { return match(d.Flow.FriendlyName) }) ||
				slices.ContainsFunc(snap.Flows, func(f state.Flow) bool { return match(f.FriendlyName) })
		}
		if !any(g.MatchName) {
			return &UnmatchedError{Glob: g, Literally: any(func(name string) bool { return name == g.String() })}
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

func ignoresFlow(globs []glob.Glob, f *state.Flow) bool {
	return matchesName(globs, f.FriendlyName) || matchesSID(globs, f.SID)
}

// Moved is a difference between the account and what a saved plan saw: of a flow,
// or, without a SID, of the account as a whole.
type Moved struct {
	FriendlyName string `json:"friendly_name"`
	SID          string `json:"sid"`
	What         string `json:"what"`
}

func (m Moved) String() string {
	if m.SID == "" {
		return m.What
	}
	return fmt.Sprintf("flow %s (%s) %s", safetext.Quote(m.FriendlyName), safetext.Line(m.SID), m.What)
}

// Stale returns every difference between the account and what the plan saw: flows
// that changed or are new in the order of the snapshot, then those that were
// deleted, by name. Without any, the plan can be carried out. account is the one
// that the credentials are for. The error is that of [Plan.Scope].
func (p *Plan) Stale(snap *state.Snapshot, account string) ([]Moved, error) {
	scope, err := p.Scope()
	if err != nil {
		return nil, err
	}
	if snap.AccountSID != "" {
		account = snap.AccountSID
	}
	if p.AccountSID != "" && account != p.AccountSID {
		return []Moved{{What: fmt.Sprintf("the plan is for account %s, but this is account %s", safetext.Line(p.AccountSID), safetext.Line(account))}}, nil
	}
	var moved []Moved
	there := make(map[string]bool, len(snap.Flows))
	for i := range snap.Flows {
		f := &snap.Flows[i]
		there[f.SID] = true
		seen, ok := p.State[f.SID]
		switch {
		case ok && seen.Digest != state.Digest(&f.Flow):
			moved = append(moved, Moved{f.FriendlyName, f.SID, "was changed"})
		case !ok && scope.Covers(f):
			moved = append(moved, Moved{f.FriendlyName, f.SID, "is new"})
		}
	}
	var gone []Moved
	for sid, seen := range p.State {
		if !there[sid] {
			gone = append(gone, Moved{seen.FriendlyName, sid, "was deleted"})
		}
	}
	slices.SortFunc(gone, func(a, b Moved) int {
		return cmp.Or(cmp.Compare(a.FriendlyName, b.FriendlyName), cmp.Compare(a.SID, b.SID))
	})
	return append(moved, gone...), nil
}
