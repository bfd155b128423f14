package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/nearest"
	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
	"flexsync/state"
)

// resolver replaces names by SIDs.
type resolver struct {
	dir    *state.Directory
	names  map[string]string // SID → name
	found  map[sought]answer // each name is searched for once
	faults map[fault]*blamed
	isBase bool // see ComputeBase
}

// sought is a name of what has SIDs of a prefix, in a workspace if it belongs to one.
type sought struct{ prefix, parent, name string }

// answer is the SID of a name, or what is wrong with the name.
type answer struct{ sid, message, hint string }

// fault is a name that cannot be resolved. A name in defaults counts once, however
// many resources have it.
type fault struct {
	pos     yamldoc.Pos
	path    string
	message string
	hint    string
}

// blamed is the resources that a fault or a warning is about.
type blamed struct {
	first schema.Key
	more  int
}

func (b *blamed) String() string {
	s := b.first.Kind.Name + " " + safetext.Quote(b.first.ID)
	if b.more > 0 {
		s += fmt.Sprintf(" and %d more", b.more)
	}
	return s
}

// resolve returns the declaration with the SIDs of its names, and whether the
// account has each of the names exactly once. have is the matching resource of
// the account, or nil; names of fields that ignore_changes leaves alone do not count.
func (r *resolver) resolve(want *schema.Declared, have *state.Resource) (_ *schema.Declared, ok bool) {
	if len(want.Names) == 0 {
		return want, true
	}
	left := leftAlone(want, have)
	resolved := *want
	ok = true
	for _, ref := range inOrder(want.Names) {
		if left.Has(ref.Field) {
			continue
		}
		key := sought{prefix: ref.Field.SID, name: ref.Name}
		parent := ref.Field.Parent
		if parent != nil {
			key.parent = inEffect(parent, &resolved.Object, have, left)
		}
		found := r.find(ref, key)
		if parent != nil && left.Has(parent) {
			found = r.ofAccount(found, key, parent, want.Kind)
		}
		if found.sid == "" && r.isBase {
			resolved.IgnoreChanges |= ref.Field.Bit()
			continue
		}
		if found.sid == "" {
			ok = false
			if found.message != "" {
				r.blame(fault{ref.Pos, ref.Field.Name, found.message, found.hint}, want.Key())
			}
			continue
		}
		resolved.Set(ref.Field, found.sid)
		if r.names == nil {
			r.names = make(map[string]string)
		}
		r.names[found.sid] = ref.Name
	}
	return &resolved, ok
}

// inEffect is the value that a text field ends up with: what is declared, or, where
// that is left alone, what the account has, if that is known.
func inEffect(f *schema.Field, want *schema.Object, have *state.Resource, left schema.FieldSet) string {
	switch {
	case !left.Has(f):
		return want.Text(f)
	case have == nil:
		return ""
	}
	return have.Text(f)
}

// ofAccount corrects what is said of a workspace that nobody declared: it is the
// account's, and ignore_changes leaves it as it is.
func (r *resolver) ofAccount(found answer, key sought, parent *schema.Field, k *schema.Kind) answer {
	switch {
	case key.parent == "":
		found.message = fmt.Sprintf("in the account the %s has no %s, so there is no %s named %s", k.Name, state.Noun(parent.SID), state.Noun(key.prefix), safetext.Quote(key.name))
	case !r.dir.Lacks(key.parent):
		return found
	}
	found.hint = fmt.Sprintf("remove %s from ignore_changes, or correct the %s in the account", parent.Path, k.Name)
	return found
}

// inOrder returns the names such that a workspace comes before its workflow,
// whichever of them is a resource's own and whichever is from defaults.
func inOrder(names []schema.NameRef) []schema.NameRef {
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b schema.NameRef) int { return cmp.Compare(a.Field.SID, b.Field.SID) })
	return names
}

// find returns the one SID of a name, or what is wrong. It returns nothing at
// all for a workflow whose workspace is at fault already.
func (r *resolver) find(ref schema.NameRef, key sought) answer {
	found, ok := r.found[key]
	if !ok {
		found = r.search(ref, key)
		if r.found == nil {
			r.found = make(map[sought]answer)
		}
		r.found[key] = found
	}
	return found
}

func (r *resolver) search(ref schema.NameRef, key sought) answer {
	noun, where := state.Noun(key.prefix), "the account"
	if parent := ref.Field.Parent; parent != nil {
		outer := state.Noun(parent.SID)
		switch where = outer + " " + key.parent; {
		case key.parent == "":
			return answer{}
		case r.dir.Lacks(key.parent):
			return answer{message: fmt.Sprintf("the account has no %s %s, so there is no %s named %s in it", outer, key.parent, noun, safetext.Quote(key.name)),
				hint: fmt.Sprintf("correct %s, or set %s to the %s's name", parent.Path, parent.Name, outer)}
		}
		if w, ok := r.dir.Lookup(key.parent); ok && w.Name != "" {
			where += " (" + safetext.Quote(w.Name) + ")"
		}
	}
	switch found := r.dir.Find(key.prefix, key.parent, key.name); len(found) {
	case 0:
		return answer{message: fmt.Sprintf("%s has no %s named %s", where, noun, safetext.Quote(key.name)), hint: r.near(key, where)}
	case 1:
		return answer{sid: found[0].SID}
	default:
		sids := make([]string, len(found))
		for i, n := range found {
			sids[i] = n.SID
		}
		slices.Sort(sids)
		return answer{message: fmt.Sprintf("%s has %d %ss named %s: %s", where, len(found), noun, safetext.Quote(key.name), strings.Join(sids, ", ")),
			hint: fmt.Sprintf("set %s to the SID of the right one, or rename the others", ref.Field.Path)}
	}
}

// near says which names exist in place of one that does not.
func (r *resolver) near(key sought, where string) string {
	const most = 5
	known := r.dir.NamesOf(key.prefix, key.parent)
	noun := state.Noun(key.prefix)
	if same := slices.IndexFunc(known, func(name string) bool { return strings.EqualFold(name, key.name) }); same >= 0 {
		return fmt.Sprintf("names are case-sensitive: there is %s", safetext.Quote(known[same]))
	}
	near := nearest.Find(key.name, known, 3)
	switch {
	case len(known) == 0:
		return fmt.Sprintf("%s has no %ss: create it there first", where, noun)
	case len(near) > 0:
		return "did you mean " + quoteAll(near, " or ") + "?"
	case len(known) > most:
		return fmt.Sprintf("there are %s and %d more", quoteAll(known[:most], ", "), len(known)-most)
	}
	return "there is " + quoteAll(known, ", ")
}

func (r *resolver) blame(f fault, of schema.Key) {
	if r.faults == nil {
		r.faults = make(map[fault]*blamed)
	}
	if b, ok := r.faults[f]; ok {
		b.more++
		return
	}
	r.faults[f] = &blamed{first: of}
}

// problems returns every fault, sorted by position.
func (r *resolver) problems() yamldoc.Problems {
	var problems yamldoc.Problems
	for f, b := range r.faults {
		problems = append(problems, yamldoc.Problem{Pos: f.pos, Path: f.path, Message: fmt.Sprintf("%s: %s", b, f.message), Hint: f.hint})
	}
	slices.SortFunc(problems, func(a, b yamldoc.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return problems
}

func quoteAll(names []string, sep string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = safetext.Quote(n)
	}
	return strings.Join(quoted, sep)
}
