package plan

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"flexsync/internal/glob"
	"flexsync/internal/safetext"
	"flexsync/schema"
	"flexsync/state"
)

// Input is what a plan is made from. Config and Snapshot are not nil.
type Input struct {
	Config   *schema.Config
	Snapshot *state.Snapshot
	// Directory is what the lookup of References found; nil when there is nothing
	// to look up.
	Directory *state.Directory
	// CheckRefs adds warnings about SIDs that the account does not have.
	CheckRefs bool

	Only     []glob.Glob // the names in scope; empty: all
	Ignore   []glob.Glob // names and SIDs to leave out, beside those of the configuration
	NoDelete bool
	// MaxDeletes is the most flows that may be deleted; the zero value is the
	// default, DefaultPercent of the flows in scope.
	MaxDeletes Limit

	// ExpectAccount is the account that the credentials are for, or "".
	ExpectAccount string

	BaseURL         string
	FlexsyncVersion string
	CreatedAt       time.Time
}

// UnmatchedError is the error of a glob in Input.Only that matches no name,
// neither declared nor in the account.
type UnmatchedError struct {
	Glob glob.Glob
	// Literally reports that there is a flow whose name is the text of the glob,
	// as "Support [EU]".
	Literally bool
}

func (e *UnmatchedError) Error() string {
	return fmt.Sprintf("--only %s matches no flow in the YAML or in the account", safetext.Quote(e.Glob.String()))
}

// Compute returns the plan. The order of files, flows and pages makes no
// difference. What a person has to decide is in Refusals.
//
// The error is an *UnmatchedError, yamldoc.Problems about names that the account
// does not have, or the context's. A plan that is refused anyway has these
// problems as warnings instead, and no change for the flows concerned.
func Compute(ctx context.Context, in Input) (*Plan, error) {
	cfg, snap := in.Config, in.Snapshot
	p := &Plan{
		FlexsyncVersion: in.FlexsyncVersion,
		CreatedAt:       in.CreatedAt,
		AccountSID:      cmp.Or(snap.AccountSID, in.ExpectAccount, cfg.AccountSID),
		BaseURL:         in.BaseURL,
		State:           make(map[string]Seen, len(snap.Flows)),
		NoDelete:        in.NoDelete,
	}
	for _, g := range slices.Concat(cfg.Ignore, in.Ignore) {
		p.Ignore = append(p.Ignore, g.String())
	}
	for _, g := range in.Only {
		p.Only = append(p.Only, g.String())
	}
	p.Only = sorted(p.Only)
	scope := newScope(&in)
	if err := scope.unmatched(cfg, snap); err != nil {
		return nil, err
	}
	declared := sortedFlows(cfg)
	p.ConfigDigest = configDigest(cfg, declared)
	matches, ignored := pair(scope, declared, snap)
	p.Summary.Ignored, p.LeftOut = ignored, slices.Sorted(maps.Keys(scope.leftOut))
	r := resolver{dir: in.Directory}
	inScope := 0
	for i := range matches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		mt := &matches[i]
		mt.each(func(f *state.Flow) {
			inScope++
			p.State[f.SID] = Seen{FriendlyName: f.FriendlyName, Digest: state.Digest(&f.Flow)}
		})
		if mt.want != nil {
			p.Managed = append(p.Managed, mt.want.Flow.FriendlyName)
			var ok bool
			mt.want, ok = r.resolve(mt.want, mt.have)
			mt.fault = !ok
		}
		switch {
		case mt.refuse != nil:
			p.Refusals = append(p.Refusals, *mt.refuse)
		case mt.fault:
		case mt.want == nil:
			p.remove(mt.have, mt.reason, "")
		default:
			p.reconcile(mt)
			for _, f := range mt.also {
				p.remove(f, "it is a copy of "+mt.have.SID+", which stays", mt.have.SID)
			}
		}
	}
	p.Ignore, p.Managed = sorted(p.Ignore), sorted(p.Managed)
	p.Names = r.names
	p.order(matches)
	p.name(in.Directory)
	wrong := wrongAccount(in)
	problems := r.problems()
	if len(problems) > 0 && len(p.Refusals) == 0 && wrong == "" {
		return nil, problems
	}
	p.guard(in, wrong, inScope)
	p.warn(in)
	if wrong == "" { // another account has other names, of course
		p.warnNames(problems)
	}
	if in.CheckRefs {
		p.checkRefs(in.Directory, matches)
	}
	return p, nil
}

// sortedFlows returns the declared flows by name and SID, whatever their order in
// the files.
func sortedFlows(cfg *schema.Config) []*schema.Declared {
	declared := make([]*schema.Declared, len(cfg.Flows))
	for i := range cfg.Flows {
		declared[i] = &cfg.Flows[i]
	}
	slices.SortFunc(declared, func(a, b *schema.Declared) int {
		return cmp.Or(cmp.Compare(a.Flow.FriendlyName, b.Flow.FriendlyName), cmp.Compare(a.SID, b.SID))
	})
	return declared
}

// pair matches the declared flows with the account's, and returns the matches in
// scope and how many of the account's flows are ignored. A match is in scope as a
// whole: to leave out a declared flow does not make its counterpart undeclared.
func pair(scope *Scope, declared []*schema.Declared, snap *state.Snapshot) (matches []match, ignored int) {
	var flows, absent []*state.Flow
	for i := range snap.Flows {
		if f := &snap.Flows[i]; scope.exists(f) {
			flows = append(flows, f)
		} else {
			absent = append(absent, f)
		}
	}
	m := newMatcher(flows, absent)
	matches = m.match(declared)
	matches = append(matches, m.leftOver(flows, matches)...)
	ignored = len(absent)
	return slices.DeleteFunc(matches, func(mt match) bool {
		inScope, ignore := scope.judge(&mt)
		if ignore {
			mt.each(func(*state.Flow) { ignored++ })
			scope.leaveOut(&mt)
		}
		return !inScope
	}), ignored
}

// sorted returns the texts in order and each once, whatever the order of files and
// flags.
func sorted(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}

// each visits the flows of the account that belong to the match.
func (mt *match) each(visit func(*state.Flow)) {
	if mt.have != nil {
		visit(mt.have)
	}
	for _, f := range mt.also {
		visit(f)
	}
}

// remove adds the delete of a flow, or what --no-delete makes of it.
func (p *Plan) remove(f *state.Flow, reason, copyOf string) {
	if p.NoDelete {
		p.Summary.Kept++
		p.Kept = append(p.Kept, Kept{FriendlyName: f.FriendlyName, SID: f.SID, Reason: reason, CopyOf: copyOf, Flow: f.Flow})
		return
	}
	p.Summary.Delete++
	p.Changes = append(p.Changes, Change{Action: Delete, FriendlyName: f.FriendlyName, SID: f.SID, Reason: reason, CopyOf: copyOf, Before: &f.Flow})
}

// reconcile adds the change that a declared flow needs, if any.
func (p *Plan) reconcile(mt *match) {
	source := mt.want.Pos
	if mt.have == nil {
		p.Summary.Create++
		after := mt.want.Flow
		p.Changes = append(p.Changes, Change{
			Action: Create, FriendlyName: after.FriendlyName, Source: &source,
			Fields: diff(nil, &after), After: &after,
		})
		return
	}
	after := desired(mt.want, mt.have)
	if after == mt.have.Flow {
		p.Summary.Unchanged++
		return
	}
	p.Summary.Update++
	c := Change{
		Action: Update, FriendlyName: after.FriendlyName, SID: mt.have.SID, Source: &source,
		Fields: diff(&mt.have.Flow, &after), Before: &mt.have.Flow, After: &after,
	}
	if old := mt.have.FriendlyName; old != after.FriendlyName {
		c.RenamedFrom = old
	}
	p.Changes = append(p.Changes, c)
}

// desired is the whole flow that the account should have: what is declared, and
// the account's value of each field that the declaration leaves alone.
func desired(want *schema.Declared, have *state.Flow) schema.Flow {
	flow := want.Flow
	leave := leftAlone(want, have)
	if leave == 0 {
		return flow
	}
	for i := range schema.Fields {
		if f := &schema.Fields[i]; leave.Has(f) {
			f.Copy(&flow, &have.Flow)
		}
	}
	return flow
}

// leftAlone is the fields that stay as the account has them; none when the account
// does not have the flow.
func leftAlone(want *schema.Declared, have *state.Flow) schema.FieldSet {
	if have == nil {
		return 0
	}
	typ, leave := want.Flow.IntegrationType, want.IgnoreChanges
	if typ == "" || leave.Has(schema.FieldIntegrationType) && typ != have.IntegrationType {
		// Keys of another type than the account's mean nothing.
		leave |= schema.IntegrationFields
	}
	if want.Flow.CreationOnMessage == schema.Unset {
		leave |= schema.FieldCreationOnMessage.Bit()
	}
	if leave&schema.IntegrationFields == schema.IntegrationFields {
		return leave
	}
	for i := range schema.Fields {
		// A single key can only be left as it is where the account has it.
		if f := &schema.Fields[i]; leave.Has(f) && f.Variants != nil && !(f.AppliesTo(typ) && f.AppliesTo(have.IntegrationType)) {
			leave &^= f.Bit()
		}
	}
	return leave
}

// diff lists the fields that differ, in the order of schema.Fields. A nil flow has
// no fields.
func diff(before, after *schema.Flow) []FieldChange {
	var fields []FieldChange
	for i := range schema.Fields {
		f := &schema.Fields[i]
		var b, a schema.Value
		if before != nil {
			b = f.Get(before)
		}
		if after != nil {
			a = f.Get(after)
		}
		if a != b {
			fields = append(fields, FieldChange{Path: f.Path, Before: b, After: a})
		}
	}
	return fields
}

// configDigest identifies what the configuration wants, not how it is written:
// the order of files and flows and their positions make no difference. The flows
// are sorted.
func configDigest(cfg *schema.Config, flows []*schema.Declared) string {
	h := sha256.New()
	fmt.Fprintf(h, "account %q\n", cfg.AccountSID)
	ignore := make([]string, len(cfg.Ignore))
	for i, g := range cfg.Ignore {
		ignore[i] = g.String()
	}
	for _, g := range sorted(ignore) {
		fmt.Fprintf(h, "ignore %q\n", g)
	}
	var b []byte
	for _, d := range flows {
		b = d.Flow.AppendJSON(append(b[:0], "flow "...))
		b = fmt.Appendf(b, " %q %q %d", d.SID, d.RenamedFrom, d.IgnoreChanges)
		for _, n := range d.Names {
			b = fmt.Appendf(b, " %s=%q", n.Field.Path, n.Name)
		}
		h.Write(append(b, '\n'))
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
