package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
	"flexsync/state"
)

// References returns what to look up in the account, beside its resources, to plan
// in.Config: what names stand for and, with in.CheckRefs, what SIDs do. It does not
// need in.Snapshot, so that both can be read at the same time. So a declaration counts
// if its counterpart in the account may bring it into scope, and what depends on the
// account's resources is left to [LateReferences].
func References(in Input) state.Wanted {
	var w state.Wanted
	scope := newScope(&in)
	for i := range in.Config.Resources {
		if d := &in.Config.Resources[i]; scope.mayCover(d) {
			in.want(&w, d, mayLeave(d), nil)
		}
	}
	return w
}

// LateReferences returns what to look up once in.Snapshot is known, on top of
// [References]: fields that ignore_changes names but does not leave alone, and what
// is inside of a workspace that it leaves as the account has it.
func LateReferences(in Input) state.Wanted {
	var w state.Wanted
	late := func(d *schema.Declared) bool { return mayLeave(d)&d.Kind.Referring != 0 }
	if !slices.ContainsFunc(in.Config.Resources, func(d schema.Declared) bool { return late(&d) }) {
		return w
	}
	matches, _ := pair(newScope(&in), sortedDeclared(in.Config), in.Snapshot)
	for i := range matches {
		if want, have := matches[i].want, matches[i].have; want != nil && late(want) {
			in.want(&w, want, leftAlone(want, have), have)
		}
	}
	return w
}

// mayLeave is the fields that a declaration leaves alone if its counterpart in the
// account is such that it can.
func mayLeave(d *schema.Declared) (set schema.FieldSet) {
	if set = d.IgnoreChanges; set.Has(d.Kind.Variant) {
		set |= d.Kind.Typed
	}
	return set
}

// want adds what a declaration refers to, less the fields that are left alone. What
// is inside of something that is left alone is looked up where have has it, and is
// left out while have is not known.
func (in *Input) want(w *state.Wanted, d *schema.Declared, left schema.FieldSet, have *state.Resource) {
	names := inOrder(d.Names)
	add := func(f *schema.Field, why string) {
		var of state.Workspace
		if f.Parent != nil {
			of.SID = inEffect(f.Parent, &d.Object, have, left)
			at := slices.IndexFunc(names, func(ref schema.NameRef) bool { return ref.Field == f.Parent })
			if at >= 0 && !left.Has(f.Parent) {
				of = state.Workspace{Name: names[at].Name}
			}
		}
		if !left.Has(f) && (f.Parent == nil || of != state.Workspace{}) {
			w.Add(f.SID, of, why)
		}
	}
	for _, ref := range names {
		add(ref.Field, "for the name at "+ref.Pos.String())
	}
	if !in.CheckRefs {
		return
	}
	for f, sid := range d.References() {
		if sid != f.Default { // which every account has
			add(f, "for --check-refs")
		}
	}
}

// The codes of the warnings about what flows refer to.
const (
	warnRefMissing = "ref-missing"
	warnRefDraft   = "ref-draft"
)

// checkRefs warns of what the declared resources refer to and the account does not
// have, and of Studio flows that are drafts. What ignore_changes leaves as the
// account has it is passed over, and so is the task channel "default", which
// every workspace has. Many resources that refer to one thing make one warning.
func (p *Plan) checkRefs(dir *state.Directory, matches []match) {
	type finding struct{ code, message string }
	type place struct {
		blamed
		pos yamldoc.Pos
	}
	found := make(map[finding]*place)
	for i := range matches {
		want, have := matches[i].want, matches[i].have
		if want == nil || matches[i].fault {
			continue
		}
		left := leftAlone(want, have)
		for f, ref := range want.References() {
			if left.Has(f) || ref == f.Default {
				continue
			}
			parent := ""
			if f.Parent != nil {
				parent = inEffect(f.Parent, &want.Object, have, left)
			}
			var at finding
			if at.code, at.message = checkRef(dir, f, ref, parent); at.code == "" {
				continue
			}
			if known, ok := found[at]; ok {
				known.more++
				continue
			}
			found[at] = &place{blamed{first: want.Key()}, want.Pos}
		}
	}
	var notices []Notice
	for at, known := range found {
		notices = append(notices, Notice{Code: at.code, Message: fmt.Sprintf("%s: %s", &known.blamed, at.message), Source: &known.pos})
	}
	slices.SortFunc(notices, func(a, b Notice) int {
		return cmp.Or(cmp.Compare(a.Source.File, b.Source.File), cmp.Compare(a.Source.Line, b.Source.Line), cmp.Compare(a.Message, b.Message))
	})
	p.Warnings = append(p.Warnings, notices...)
}

// checkRef holds one value against the account. An empty code is no complaint.
func checkRef(dir *state.Directory, f *schema.Field, ref, parent string) (code, message string) {
	noun := state.Noun(f.SID)
	where, outer := "the account", ""
	if f.Parent != nil {
		outer = state.Noun(f.Parent.SID)
		where = outer + " " + cmp.Or(parent, "(none)")
	}
	if f.SIDOrName && !schema.IsSID(f.SID, ref) {
		if dir.Lacks(parent) || len(dir.Find(f.SID, parent, ref)) > 0 {
			return "", ""
		}
		return warnRefMissing, fmt.Sprintf("%s: %s has no %s with the unique name %s", f.Path, where, noun, safetext.Quote(ref))
	}
	n, ok := dir.Lookup(ref)
	switch {
	case !ok && dir.Lacks(parent):
		return warnRefMissing, fmt.Sprintf("%s: the account has no %s %s, so no %s %s in it", f.Path, outer, parent, noun, ref)
	case !ok:
		return warnRefMissing, fmt.Sprintf("%s: %s has no %s %s", f.Path, where, noun, ref)
	case !strings.EqualFold(n.Parent, parent):
		return warnRefMissing, fmt.Sprintf("%s: %s has no %s %s: it is in %s %s", f.Path, where, noun, ref, outer, n.Parent)
	case n.Status == "draft":
		return warnRefDraft, fmt.Sprintf("%s: %s %s (%s) is a draft: publish it in Studio", f.Path, noun, ref, safetext.Quote(n.Name))
	}
	return "", ""
}

// name adds the names of the SIDs that a change or a kept resource shows, as far
// as they happen to be known.
func (p *Plan) name(dir *state.Directory) {
	if dir.Empty() {
		return
	}
	add := func(o *schema.Object) {
		if o == nil {
			return
		}
		for _, sid := range o.References() {
			n, ok := dir.Lookup(sid)
			if !ok || n.Name == "" || p.Names[sid] != "" {
				continue
			}
			if p.Names == nil {
				p.Names = make(map[string]string)
			}
			p.Names[sid] = n.Name
		}
	}
	for i := range p.Changes {
		add(p.Changes[i].Before)
		add(p.Changes[i].After)
	}
	for i := range p.Kept {
		add(&p.Kept[i].Object)
	}
}
