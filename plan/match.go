package plan

import (
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/schema"
	"flexsync/state"
)

// match is a flow that is declared, in the account, or both.
type match struct {
	want *schema.Declared // nil: no file declares it
	have *state.Flow      // nil: not in the account

	// also are further flows of the account that belong to this match: copies
	// of have, left behind by a race or a kill, or, with refuse, the flows that a
	// person has to decide about.
	also   []*state.Flow
	refuse *Notice
	reason string // why an undeclared flow is left over; "" when nothing explains it
	fault  bool   // want has a name that the account does not have exactly once
}

// matcher pairs declared flows with the account's: by pins first, then by names,
// then by old names, each for all flows before the next begins, so that the
// strongest reason takes a flow.
type matcher struct {
	byName  map[string][]*state.Flow
	bySID   map[string]*state.Flow // by SIDs in lower case
	ignored map[string]*state.Flow // likewise, what the files ignore: never matched
	taken   map[*state.Flow]bool   // belongs to a match
}

func newMatcher(flows, ignored []*state.Flow) *matcher {
	m := &matcher{
		byName:  make(map[string][]*state.Flow, len(flows)),
		bySID:   make(map[string]*state.Flow, len(flows)),
		ignored: make(map[string]*state.Flow, len(ignored)),
		taken:   make(map[*state.Flow]bool, len(flows)),
	}
	for _, f := range flows {
		m.byName[f.FriendlyName] = append(m.byName[f.FriendlyName], f)
		m.bySID[strings.ToLower(f.SID)] = f
	}
	for _, f := range ignored {
		m.ignored[strings.ToLower(f.SID)] = f
	}
	return m
}

// take takes and returns the flows of a name that belong to no match yet.
func (m *matcher) take(name string) []*state.Flow {
	var flows []*state.Flow
	for _, f := range m.byName[name] {
		if !m.taken[f] {
			m.taken[f] = true
			flows = append(flows, f)
		}
	}
	return flows
}

// match returns a match for each declared flow. What is not taken is undeclared.
func (m *matcher) match(declared []*schema.Declared) []match {
	matches := make([]match, len(declared))
	for i, want := range declared {
		matches[i].want = want
		if want.SID == "" {
			continue
		}
		if f, ok := m.bySID[strings.ToLower(want.SID)]; ok && !m.taken[f] {
			matches[i].have = f
			m.taken[f] = true
			continue
		}
		msg := fmt.Sprintf("flow %s (%s) is pinned to %s, but the account has no such flow: correct `sid`, or remove it to match by name",
			safetext.Quote(want.Flow.FriendlyName), want.Pos, want.SID)
		if f, ok := m.ignored[strings.ToLower(want.SID)]; ok {
			msg = fmt.Sprintf("flow %s (%s) is pinned to %s, but that flow, %s, is ignored: remove `sid`, or take the flow out of `ignore`",
				safetext.Quote(want.Flow.FriendlyName), want.Pos, want.SID, safetext.Quote(f.FriendlyName))
		}
		// Flows of the declared name stay as they are: the right one may be among them.
		matches[i].refuse = &Notice{Code: RefuseSIDAbsent, Message: msg, Source: &want.Pos}
	}
	for i := range matches {
		if want := matches[i].want; want.SID == "" {
			m.matchName(&matches[i], want.Flow.FriendlyName)
		}
	}
	for i := range matches {
		mt := &matches[i]
		for _, old := range mt.want.RenamedFrom {
			if mt.have == nil && mt.refuse == nil {
				m.matchName(mt, old)
			}
		}
		if mt.refuse != nil && mt.have == nil && mt.also == nil { // the pin is absent
			mt.also = m.take(mt.want.Flow.FriendlyName)
		}
	}
	return matches
}

// leftOver returns the account's flows that belong to no match, in the order of
// flows, each with what the declared flows say about it.
func (m *matcher) leftOver(flows []*state.Flow, matches []match) []match {
	reasons := make(map[*state.Flow]string)
	for i := range matches {
		mt := &matches[i]
		if mt.have == nil {
			continue
		}
		name := safetext.Quote(mt.want.Flow.FriendlyName)
		for _, old := range mt.want.RenamedFrom {
			for _, f := range m.byName[old] {
				reasons[f] = fmt.Sprintf("it is an old name of %s, which exists as %s", name, mt.have.SID)
			}
		}
		if mt.want.SID != "" {
			for _, f := range m.byName[mt.want.Flow.FriendlyName] {
				reasons[f] = fmt.Sprintf("%s is pinned to %s", name, mt.have.SID)
			}
		}
	}
	var left []match
	for _, f := range flows {
		if !m.taken[f] {
			left = append(left, match{have: f, reason: reasons[f]})
		}
	}
	return left
}

func (m *matcher) matchName(mt *match, name string) {
	found := m.take(name)
	if len(found) == 0 {
		return
	}
	keep := found[0]
	equal := true
	for _, f := range found[1:] {
		equal = equal && f.Flow == keep.Flow
		if f.Older(keep) {
			keep = f
		}
	}
	if equal {
		mt.have = keep
		mt.also = slices.DeleteFunc(found, func(f *state.Flow) bool { return f == keep })
		return
	}
	sids := make([]string, len(found))
	for i, f := range found {
		sids[i] = f.SID
	}
	mt.also = found
	mt.refuse = &Notice{
		Code: RefuseDuplicateRemote,
		Message: fmt.Sprintf("the account has %d flows named %s that differ: %s; pin the one to keep, such as with `sid: %s` at %s, and the others are deleted",
			len(found), safetext.Quote(name), strings.Join(sids, ", "), keep.SID, mt.want.Pos),
		Source: &mt.want.Pos,
	}
}
