package plan

import (
	"cmp"
	"fmt"
	"slices"

	"flexsync/internal/safetext"
	"flexsync/schema"
	"flexsync/state"
)

// Scope tells which flows a plan looks at beside those it saw: the ones that
// came since.
type Scope struct{ only, ignore []schema.Glob }

// Scope compiles the plan's globs. They were compiled when the plan was made,
// so an error means a plan that is not one of ours.
func (p *Plan) Scope() (Scope, error) {
	only, err := schema.CompileGlobs(p.Only)
	if err != nil {
		return Scope{}, &DamagedError{Reason: err.Error()}
	}
	ignore, err := schema.CompileGlobs(p.Ignore)
	if err != nil {
		return Scope{}, &DamagedError{Reason: err.Error()}
	}
	return Scope{only, ignore}, nil
}

// Covers reports whether a flow that the plan did not see would be looked at.
func (s Scope) Covers(f *state.Flow) bool {
	return !ignoresFlow(s.ignore, f) &&
		(len(s.only) == 0 || slices.ContainsFunc(s.only, func(g schema.Glob) bool { return g.MatchName(f.FriendlyName) }))
}

// Moved is one thing that is not as a saved plan saw it.
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

// Stale compares the account with what the plan saw and returns everything
// that moved since, sorted as the snapshot is; nothing means that the plan can
// be carried out. account is the one that the credentials are for.
func (p *Plan) Stale(snap *state.Snapshot, account string) ([]Moved, error) {
	scope, err := p.Scope()
	if err != nil {
		return nil, err
	}
	if snap.AccountSID != "" {
		account = snap.AccountSID
	}
	if p.AccountSID != "" && account != p.AccountSID {
		return []Moved{{What: fmt.Sprintf("the plan is for account %s, and this is account %s", safetext.Line(p.AccountSID), safetext.Line(account))}}, nil
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
