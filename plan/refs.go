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

// References returns what to look up in the account, beside its flows, to plan
// in.Config: what names stand for and, with in.CheckRefs, what SIDs do. It does not
// need in.Snapshot, so that both can be read at the same time. So a declared flow
// counts if its counterpart in the account may bring it into scope, and what
// depends on the account's flows is left to [LateReferences].
func References(in Input) state.Wanted {
	var w state.Wanted
	scope := newScope(&in)
	for i := range in.Config.Flows {
		if d := &in.Config.Flows[i]; scope.mayCover(d) {
			in.want(&w, d, mayLeave(d), state.Workspace{})
		}
	}
	return w
}

// LateReferences returns what to look up once in.Snapshot is known, on top of
// [References]: fields that ignore_changes names but does not leave alone, and what
// is inside of a workspace that it leaves as the account has it.
func LateReferences(in Input) state.Wanted {
	var w state.Wanted
	if !slices.ContainsFunc(in.Config.Flows, func(d schema.Declared) bool { return mayLeave(&d)&referring != 0 }) {
		return w
	}
	matches, _ := pair(newScope(&in), sortedFlows(in.Config), in.Snapshot)
	for i := range matches {
		want, have := matches[i].want, matches[i].have
		if want == nil || mayLeave(want)&referring == 0 {
			continue
		}
		left := leftAlone(want, have)
		var current state.Workspace
		if left.Has(schema.FieldWorkspaceSID) {
			current.SID = have.WorkspaceSID
		}
		in.want(&w, want, left, current)
	}
	return w
}

// referring are the fields that refer to something.
var referring = func() (set schema.FieldSet) {
	for i := range schema.Fields {
		if f := &schema.Fields[i]; f.SID != "" {
			set |= f.Bit()
		}
	}
	return set
}()

// mayLeave is the fields that a declared flow leaves alone if its counterpart
// in the account is such that it can.
func mayLeave(d *schema.Declared) schema.FieldSet {
	if d.IgnoreChanges.Has(schema.FieldIntegrationType) {
		return d.IgnoreChanges | schema.IntegrationFields
	}
	return d.IgnoreChanges
}

// want adds what a declared flow refers to, less the fields that are left
// alone. current is the workspace where that is left alone; unknown, it leaves out
// what is inside of it.
func (in *Input) want(w *state.Wanted, d *schema.Declared, left schema.FieldSet, current state.Workspace) {
	workspace := state.Workspace{SID: d.Flow.WorkspaceSID}
	names := inOrder(d.Names)
	for _, ref := range names {
		if ref.Field == schema.FieldWorkspaceSID {
			workspace = state.Workspace{Name: ref.Name}
		}
	}
	if left.Has(schema.FieldWorkspaceSID) {
		workspace = current
	}
	add := func(f *schema.Field, why string) {
		if !left.Has(f) && (!isInside(f) || workspace != state.Workspace{}) {
			w.Add(f.SID, workspace, why)
		}
	}
	for _, ref := range names {
		add(ref.Field, "for the name at "+ref.Pos.String())
	}
	if !in.CheckRefs {
		return
	}
	for f, sid := range references(&d.Flow) {
		if f.SID != "TC" || sid != f.Default {
			add(f, "for --check-refs")
		}
	}
}

// references yields what a flow refers to: the fields that hold a SID or, for
// a task channel, a unique name.
func references(flow *schema.Flow) func(yield func(*schema.Field, string) bool) {
	return func(yield func(*schema.Field, string) bool) {
		for i := range schema.Fields {
			f := &schema.Fields[i]
			if f.SID == "" {
				continue
			}
			if s, ok := f.Get(flow).(string); ok && !yield(f, s) {
				return
			}
		}
	}
}

// The codes of the warnings about what flows refer to.
const (
	warnRefMissing = "ref-missing"
	warnRefDraft   = "ref-draft"
)

// checkRefs warns of what the declared flows refer to and the account does not
// have, and of Studio flows that are drafts. What ignore_changes leaves as the
// account has it is passed over, and so is the task channel "default", which
// every workspace has. Many flows that refer to one thing make one warning.
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
		for f, ref := range references(&want.Flow) {
			if left.Has(f) || f.SID == "TC" && ref == f.Default {
				continue
			}
			var at finding
			if at.code, at.message = checkRef(dir, f, ref, workspaceInEffect(&want.Flow, have, left)); at.code == "" {
				continue
			}
			if known, ok := found[at]; ok {
				known.more++
				continue
			}
			found[at] = &place{blamed{first: want.Flow.FriendlyName}, want.Pos}
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
func checkRef(dir *state.Directory, f *schema.Field, ref, workspace string) (code, message string) {
	noun := state.Noun(f.SID)
	parent, where := "", "the account"
	if isInside(f) {
		parent, where = workspace, "workspace "+cmp.Or(workspace, "(none)")
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
		return warnRefMissing, fmt.Sprintf("%s: the account has no workspace %s, so no %s %s in it", f.Path, parent, noun, ref)
	case !ok:
		return warnRefMissing, fmt.Sprintf("%s: %s has no %s %s", f.Path, where, noun, ref)
	case !strings.EqualFold(n.Parent, parent):
		return warnRefMissing, fmt.Sprintf("%s: %s has no %s %s: it is in workspace %s", f.Path, where, noun, ref, n.Parent)
	case n.Status == "draft":
		return warnRefDraft, fmt.Sprintf("%s: %s %s (%s) is a draft: publish it in Studio", f.Path, noun, ref, safetext.Quote(n.Name))
	}
	return "", ""
}

// name adds the names of the SIDs that a change or a kept flow shows, as far
// as they happen to be known.
func (p *Plan) name(dir *state.Directory) {
	if dir.Empty() {
		return
	}
	add := func(flow *schema.Flow) {
		if flow == nil {
			return
		}
		for _, sid := range references(flow) {
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
		add(&p.Kept[i].Flow)
	}
}
