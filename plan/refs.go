package plan

import (
	"cmp"
	"fmt"
	"iter"
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
	warnTrigger    = "studio-trigger"
)

// checkRefs warns of what the declared resources refer to and the account does not
// have, and of Studio flows that are drafts. What ignore_changes leaves as the
// account has it is passed over, and so is the task channel "default", which
// every workspace has.
func (p *Plan) checkRefs(dir *state.Directory, matches []match) {
	found := make(findings)
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
			if code, message := checkRef(dir, f, ref, parent); code != "" {
				found.add(finding{code, message}, want)
			}
		}
	}
	p.warnFound(found)
}

// Triggers returns the SIDs of the Studio flows whose triggers are to be checked:
// those that resources refer to which are created or get another one. It needs
// in.Snapshot, and in.Directory for names.
func Triggers(in Input) []string {
	has := func(f schema.Field) bool { return f.Event != "" }
	if !slices.ContainsFunc(in.Config.Kinds, func(k *schema.Kind) bool { return slices.ContainsFunc(k.Fields, has) }) {
		return nil
	}
	r := resolver{dir: in.Directory}
	matches, _ := pair(newScope(&in), sortedDeclared(in.Config), in.Snapshot)
	var sids []string
	for i := range matches {
		mt := &matches[i]
		if mt.want == nil || mt.refuse != nil {
			continue
		}
		if mt.want, _ = r.resolve(mt.want, mt.have); mt.want == nil {
			continue
		}
		mt.after = desired(mt.want, mt.have)
		for _, sid := range mt.triggers() {
			sids = append(sids, sid)
		}
	}
	return sorted(sids)
}

// triggers yields the fields that refer to a Studio flow whose trigger is to be
// checked, with its SID.
func (mt *match) triggers() iter.Seq2[*schema.Field, string] {
	return func(yield func(*schema.Field, string) bool) {
		replaced := mt.have != nil && schema.Differ(&mt.have.Object, mt.after)&mt.after.Kind.Immutable != 0
		for f, sid := range mt.after.References() {
			if f.Event == "" || !schema.IsSID(f.SID, sid) || mt.have != nil && !replaced && mt.have.Text(f) == sid {
				continue
			}
			if !yield(f, sid) {
				return
			}
		}
	}
}

// checkTriggers warns of Studio flows, of those that [Triggers] names, that would
// lose messages. What --check-refs says of a flow is not said again.
func (p *Plan) checkTriggers(in Input, matches []match) {
	found := make(findings)
	for i := range matches {
		mt := &matches[i]
		if mt.after == nil {
			continue
		}
		for f, sid := range mt.triggers() {
			flow, ok := in.Directory.StudioFlow(sid)
			add := func(code, format string, args ...any) {
				found.add(finding{code, f.Path + ": " + fmt.Sprintf(format, args...)}, mt.want)
			}
			switch {
			case !ok:
			case flow.Denied != 0:
				add(warnTrigger, "the trigger of Studio flow %s could not be checked: Studio answers these credentials with HTTP %d", sid, flow.Denied)
			case flow.Absent && !in.CheckRefs:
				add(warnRefMissing, "the account has no Studio flow %s", sid)
			case flow.Absent:
			default:
				name := safetext.Quote(flow.Name)
				if flow.Status == "draft" && !in.CheckRefs {
					add(warnRefDraft, "Studio flow %s (%s) is a draft: publish it in Studio", sid, name)
				}
				if !flow.Leads[f.Event] {
					add(warnTrigger, "the trigger of Studio flow %s (%s) has no next step on %s, so the flow would swallow messages: connect Incoming Conversation in Studio", sid, name, f.Event)
				}
			}
		}
	}
	p.warnFound(found)
}

// findings are what is wrong with what resources refer to. Many resources that refer
// to one thing make one warning.
type findings map[finding]*found

type finding struct{ code, message string }

type found struct {
	blamed
	pos yamldoc.Pos
}

func (fs findings) add(at finding, of *schema.Declared) {
	if known, ok := fs[at]; ok {
		known.more++
		return
	}
	fs[at] = &found{blamed{first: of.Key()}, of.Pos}
}

// warnFound adds findings as warnings, sorted by position.
func (p *Plan) warnFound(found findings) {
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
