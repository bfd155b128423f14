package plan

import (
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/schema"
	"flexsync/state"
)

// match is a resource that is declared, in the account, or both.
type match struct {
	want *schema.Declared // nil: no file declares it
	have *state.Resource  // nil: not in the account

	// also are further resources of the account that belong to this match: copies
	// of have, left behind by a race or a kill, or, with refuse, those that a person
	// has to decide about.
	also   []*state.Resource
	refuse *Notice
	reason string // why an undeclared resource is left over; "" when nothing explains it
	fault  bool   // want has a name that the account does not have exactly once

	// after is the whole resource that the account should have; nil with refuse or
	// fault, or if nothing is declared.
	after *schema.Object
}

// matcher pairs what is declared with what the account has: by pins first, then by
// names, then by old names, each for all before the next begins, so that the
// strongest reason takes a resource.
type matcher struct {
	byKey   map[schema.Key][]*state.Resource
	bySID   map[string]*state.Resource // by SIDs in lower case
	ignored map[string]*state.Resource // likewise, what the files ignore: never matched
	taken   map[*state.Resource]bool   // belongs to a match
}

func newMatcher(here, ignored []*state.Resource) *matcher {
	m := &matcher{
		byKey:   make(map[schema.Key][]*state.Resource, len(here)),
		bySID:   make(map[string]*state.Resource, len(here)),
		ignored: make(map[string]*state.Resource, len(ignored)),
		taken:   make(map[*state.Resource]bool, len(here)),
	}
	for _, r := range here {
		m.byKey[r.Key()] = append(m.byKey[r.Key()], r)
		m.bySID[strings.ToLower(r.SID)] = r
	}
	for _, r := range ignored {
		m.ignored[strings.ToLower(r.SID)] = r
	}
	return m
}

// take takes and returns the resources of a key that belong to no match yet.
func (m *matcher) take(key schema.Key) []*state.Resource {
	var taken []*state.Resource
	for _, r := range m.byKey[key] {
		if !m.taken[r] {
			m.taken[r] = true
			taken = append(taken, r)
		}
	}
	return taken
}

// match returns a match for each declaration. What is not taken is undeclared.
func (m *matcher) match(declared []*schema.Declared) []match {
	matches := make([]match, len(declared))
	for i, want := range declared {
		matches[i].want = want
		if want.SID == "" {
			continue
		}
		if r, ok := m.bySID[strings.ToLower(want.SID)]; ok && !m.taken[r] {
			matches[i].have = r
			m.taken[r] = true
			continue
		}
		msg := fmt.Sprintf("%s %s (%s) is pinned to %s, but the account has no such %[1]s: correct `sid`, or remove it to match by name",
			want.Kind.Name, safetext.Quote(want.ID()), want.Pos, want.SID)
		if r, ok := m.ignored[strings.ToLower(want.SID)]; ok {
			msg = fmt.Sprintf("%s %s (%s) is pinned to %s, but that %[1]s, %[5]s, is ignored: remove `sid`, or take the %[1]s out of `ignore`",
				want.Kind.Name, safetext.Quote(want.ID()), want.Pos, want.SID, safetext.Quote(r.ID()))
		}
		// Resources of the declared name stay as they are: the right one may be among
		// them.
		matches[i].refuse = &Notice{Code: RefuseSIDAbsent, Message: msg, Source: &want.Pos}
	}
	for i := range matches {
		if want := matches[i].want; want.SID == "" {
			m.matchKey(&matches[i], want.Key())
		}
	}
	for i := range matches {
		mt := &matches[i]
		for _, old := range mt.want.RenamedFrom {
			if mt.have == nil && mt.refuse == nil {
				m.matchKey(mt, schema.Key{Kind: mt.want.Kind, ID: old})
			}
		}
		if mt.refuse != nil && mt.have == nil && mt.also == nil { // the pin is absent
			mt.also = m.take(mt.want.Key())
		}
	}
	return matches
}

// leftOver returns what the account has beyond the matches, in the order of here,
// each with what the declarations say about it.
func (m *matcher) leftOver(here []*state.Resource, matches []match) []match {
	reasons := make(map[*state.Resource]string)
	for i := range matches {
		mt := &matches[i]
		if mt.have == nil || mt.want.SID == "" && mt.want.RenamedFrom == nil {
			continue
		}
		name := safetext.Quote(mt.want.ID())
		for _, old := range mt.want.RenamedFrom {
			for _, r := range m.byKey[schema.Key{Kind: mt.want.Kind, ID: old}] {
				reasons[r] = fmt.Sprintf("it is an old name of %s, which exists as %s", name, mt.have.SID)
			}
		}
		if mt.want.SID != "" {
			for _, r := range m.byKey[mt.want.Key()] {
				reasons[r] = fmt.Sprintf("%s is pinned to %s", name, mt.have.SID)
			}
		}
	}
	var left []match
	for _, r := range here {
		if !m.taken[r] {
			left = append(left, match{have: r, reason: reasons[r]})
		}
	}
	return left
}

func (m *matcher) matchKey(mt *match, key schema.Key) {
	found := m.take(key)
	if len(found) == 0 {
		return
	}
	keep := found[0]
	equal := true
	for _, r := range found[1:] {
		equal = equal && r.Object == keep.Object
		if r.Older(keep) {
			keep = r
		}
	}
	if equal {
		mt.have = keep
		mt.also = slices.DeleteFunc(found, func(r *state.Resource) bool { return r == keep })
		return
	}
	sids := make([]string, len(found))
	for i, r := range found {
		sids[i] = r.SID
	}
	mt.also = found
	message := fmt.Sprintf("the account has %d %s named %s that differ: %s; pin the one to keep, such as with `sid: %s` at %s, and the others are deleted",
		len(found), key.Kind.Plural, safetext.Quote(key.ID), strings.Join(sids, ", "), keep.SID, mt.want.Pos)
	if key.Kind.ByContact() {
		message = fmt.Sprintf("the account has %d %s of the identity %s that differ: %s; delete all but one, or put the others under `ignore`",
			len(found), key.Kind.Plural, safetext.Quote(key.ID), strings.Join(sids, ", "))
	}
	mt.refuse = &Notice{Code: RefuseDuplicateRemote, Message: message, Source: &mt.want.Pos}
}
