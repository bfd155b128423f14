package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/schema"
	"flexsync/state"
)

// resolver puts SIDs in the place of names.
type resolver struct {
	dir    *state.Directory
	names  map[string]string // SID → name
	faults map[fault]*blamed
}

// fault is a name that cannot be resolved. A name in defaults stands for all
// flows below, and is still one fault.
type fault struct {
	pos     schema.Pos
	path    string
	message string
	hint    string
}

// blamed is the flows that a fault or a warning is about.
type blamed struct {
	first string
	more  int
}

func (b *blamed) String() string {
	s := "flow " + safetext.Quote(b.first)
	if b.more > 0 {
		s += fmt.Sprintf(" and %d more", b.more)
	}
	return s
}

// resolve returns the declaration with every name looked up. A name that the
// account has not exactly once is a fault, unless nothing depends on it: have
// is the matching flow of the account, or nil, and what ignore_changes leaves
// as it is there may have any name.
func (r *resolver) resolve(want *schema.Declared, have *state.Flow) *schema.Declared {
	if len(want.Names) == 0 {
		return want
	}
	var unused schema.FieldSet
	if have != nil {
		unused = leftAlone(want, &have.Flow)
	}
	resolved := *want
	for _, ref := range inOrder(want.Names) {
		parent := ""
		if ref.Field.SID == "WW" {
			parent = resolved.Flow.WorkspaceSID
		}
		sid, message, hint := r.find(ref, parent)
		if sid == "" {
			if message != "" && !unused.Has(ref.Field) {
				r.blame(fault{ref.Pos, ref.Field.Name, message, hint}, want.Flow.FriendlyName)
			}
			continue
		}
		if err := ref.Field.Set(&resolved.Flow, sid); err != nil {
			panic(err) // a field that has a name is a string
		}
		if r.names == nil {
			r.names = make(map[string]string)
		}
		r.names[sid] = ref.Name
	}
	return &resolved
}

// inOrder returns the names such that a workspace comes before its workflow,
// whichever of them is a flow's own and whichever is from defaults.
func inOrder(names []schema.NameRef) []schema.NameRef {
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b schema.NameRef) int { return cmp.Compare(a.Field.SID, b.Field.SID) })
	return names
}

// find returns the one SID of a name, or what is wrong. It returns nothing at
// all for a workflow whose workspace is at fault already.
func (r *resolver) find(ref schema.NameRef, parent string) (sid, message, hint string) {
	kind := ref.Field.SID
	noun, where := state.Noun(kind), "the account"
	if kind == "WW" {
		switch where = "workspace " + parent; {
		case parent == "":
			return "", "", ""
		case r.dir.Lacks(parent):
			return "", fmt.Sprintf("the account has no workspace %s, so there is no workflow named %s in it", parent, safetext.Quote(ref.Name)),
				"correct integration.workspace_sid, or write integration.workspace with the workspace's name"
		}
		if w, ok := r.dir.Lookup(parent); ok && w.Name != "" {
			where += " (" + safetext.Quote(w.Name) + ")"
		}
	}
	switch found := r.dir.Find(kind, parent, ref.Name); len(found) {
	case 0:
		return "", fmt.Sprintf("%s has no %s named %s", where, noun, safetext.Quote(ref.Name)), r.near(ref, parent, where)
	case 1:
		return found[0].SID, "", ""
	default:
		sids := make([]string, len(found))
		for i, n := range found {
			sids[i] = n.SID
		}
		slices.Sort(sids)
		return "", fmt.Sprintf("%s has %d %ss named %s: %s", where, len(found), noun, safetext.Quote(ref.Name), strings.Join(sids, ", ")),
			fmt.Sprintf("write %s with the SID that is meant, or rename the others", ref.Field.Path)
	}
}

// near says which names there are in the place of one that is not.
func (r *resolver) near(ref schema.NameRef, parent, where string) string {
	const most = 5
	known := r.dir.NamesOf(ref.Field.SID, parent)
	noun := state.Noun(ref.Field.SID)
	if same := slices.IndexFunc(known, func(name string) bool { return strings.EqualFold(name, ref.Name) }); same >= 0 {
		return fmt.Sprintf("upper and lower case count: there is %s", safetext.Quote(known[same]))
	}
	near := schema.Nearest(ref.Name, known, 3)
	switch {
	case len(known) == 0:
		return fmt.Sprintf("%s has no %s at all: create it there first", where, noun)
	case len(near) > 0:
		return "did you mean " + quoteAll(near, " or ") + "?"
	case len(known) > most:
		return fmt.Sprintf("there are %s and %d more", quoteAll(known[:most], ", "), len(known)-most)
	}
	return "there is " + quoteAll(known, ", ")
}

func (r *resolver) blame(f fault, flow string) {
	if r.faults == nil {
		r.faults = make(map[fault]*blamed)
	}
	if b, ok := r.faults[f]; ok {
		b.more++
		return
	}
	r.faults[f] = &blamed{first: flow}
}

// problems returns every fault, sorted by position.
func (r *resolver) problems() schema.Problems {
	var problems schema.Problems
	for f, b := range r.faults {
		problems = append(problems, schema.Problem{Pos: f.pos, Path: f.path, Message: fmt.Sprintf("%s: %s", b, f.message), Hint: f.hint})
	}
	slices.SortFunc(problems, func(a, b schema.Problem) int {
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
