package plan

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
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

	Only []glob.Glob // the names in scope; empty: all
	// Unmatched, unless nil, is called with each glob of Only that matches nothing,
	// in place of the error: the name may be in another account of the run.
	Unmatched func(*UnmatchedError)
	Ignore    []glob.Glob // names and SIDs to leave out, beside those of the configuration
	NoDelete  bool
	// MaxDeletes is the most resources of a kind that may be deleted; the zero value
	// is the default, DefaultPercent of those in scope.
	MaxDeletes Limit

	// ExpectAccount is the account that the credentials are for, or "".
	ExpectAccount string

	BaseURL         string
	FlexsyncVersion string
	CreatedAt       time.Time

	isBase bool // see ComputeBase
}

// UnmatchedError is the error of a glob in Input.Only that matches no name
// or SID, neither declared nor in the account.
type UnmatchedError struct {
	Glob  glob.Glob
	Kinds []*schema.Kind // that were searched
	// Literally reports that there is a resource whose name is the text of the
	// glob, as "Support [EU]".
	Literally bool
}

func (e *UnmatchedError) Error() string {
	names := make([]string, len(e.Kinds))
	for i, k := range e.Kinds {
		names[i] = k.Name
	}
	return fmt.Sprintf("--only %s matches no %s in the YAML or in the account", safetext.Quote(e.Glob.String()), strings.Join(names, " or "))
}

// Compute returns the plan. The order of files, resources and pages makes no
// difference. What a person has to decide is in Refusals.
//
// The error is an *UnmatchedError, yamldoc.Problems about names that the account
// does not have, or the context's. A plan that is refused anyway has these
// problems as warnings instead, and no change for the resources concerned.
func Compute(ctx context.Context, in Input) (*Plan, error) {
	cfg, snap := in.Config, in.Snapshot
	p := &Plan{
		FlexsyncVersion: in.FlexsyncVersion,
		CreatedAt:       in.CreatedAt,
		AccountSID:      cmp.Or(snap.AccountSID, in.ExpectAccount, cfg.AccountSID),
		BaseURL:         in.BaseURL,
		State:           make(map[string]Seen, len(snap.Resources)),
		Managed:         make(map[*schema.Kind][]string, len(cfg.Kinds)),
		NoDelete:        in.NoDelete,
		config:          cfg,
	}
	for _, g := range slices.Concat(cfg.Ignore, in.Ignore) {
		p.Ignore = append(p.Ignore, g.String())
	}
	for _, g := range in.Only {
		p.Only = append(p.Only, g.String())
	}
	p.Only = sorted(p.Only)
	scope := newScope(&in)
	if err := scope.unmatched(cfg, snap, in.Unmatched); err != nil && !in.isBase {
		return nil, err
	}
	declared := sortedDeclared(cfg)
	matches, ignored := pair(scope, declared, snap)
	p.Summary.Ignored, p.LeftOut = ignored, slices.Sorted(maps.Keys(scope.leftOut))
	p.mask.Join(cfg.Mask)
	r := resolver{dir: in.Directory, isBase: in.isBase}
	for _, k := range cfg.Kinds {
		p.Managed[k] = nil
	}
	inScope := make(map[*schema.Kind]int)
	for i := range matches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		mt := &matches[i]
		mt.each(func(r *state.Resource) {
			inScope[r.Kind]++
			p.State[r.SID] = Seen{ID: r.ID(), object: &r.Object}
		})
		if want := mt.want; want != nil {
			p.Managed[want.Kind] = append(p.Managed[want.Kind], want.ID())
			var ok bool
			mt.want, ok = r.resolve(mt.want, mt.have)
			if mt.fault = !ok; ok && mt.refuse == nil {
				mt.after = desired(mt.want, mt.have)
			}
			p.hide(mt.want, mt.have)
			for _, other := range mt.also {
				p.hide(mt.want, other)
			}
		}
		switch {
		case mt.refuse != nil:
			p.Refusals = append(p.Refusals, *mt.refuse)
		case mt.fault:
		case mt.want == nil:
			p.remove(mt.have, mt.reason, "")
		default:
			stays := "stays"
			if p.reconcile(mt) {
				stays = "is replaced"
			}
			for _, f := range mt.also {
				p.remove(f, fmt.Sprintf("it is a copy of %s, which %s", mt.have.SID, stays), mt.have.SID)
			}
		}
	}
	p.Ignore = sorted(p.Ignore)
	for k, ids := range p.Managed {
		p.Managed[k] = sorted(ids)
	}
	p.Names = r.names
	places := placesOf(matches)
	p.move(places)
	p.order(matches)
	p.name(in.Directory)
	wrong := wrongAccount(in)
	problems := r.problems()
	if len(problems) > 0 && len(p.Refusals) == 0 && wrong == "" {
		return nil, problems
	}
	p.guard(in, wrong, inScope)
	p.warn(in)
	p.warnHeld(in, matches, places)
	p.checkTriggers(in, matches)
	if wrong == "" { // another account has other names, of course
		p.warnNames(problems)
	}
	if in.CheckRefs {
		p.checkRefs(in.Directory, matches)
	}
	return p, nil
}

// sortedDeclared returns the declarations by key and SID, whatever their order in
// the files.
func sortedDeclared(cfg *schema.Config) []*schema.Declared {
	declared := make([]*schema.Declared, len(cfg.Resources))
	for i := range cfg.Resources {
		declared[i] = &cfg.Resources[i]
	}
	slices.SortFunc(declared, func(a, b *schema.Declared) int {
		return cmp.Or(a.Key().Compare(b.Key()), cmp.Compare(a.SID, b.SID))
	})
	return declared
}

// pair matches what is declared with what the account has, and returns the matches
// in scope and how many of the account's resources are ignored. A match is in scope
// as a whole: to leave out a declaration does not make its counterpart undeclared.
func pair(scope *Scope, declared []*schema.Declared, snap *state.Snapshot) (matches []match, ignored int) {
	var here, absent []*state.Resource
	for i := range snap.Resources {
		if r := &snap.Resources[i]; scope.exists(r) {
			here = append(here, r)
		} else {
			absent = append(absent, r)
		}
	}
	m := newMatcher(here, absent)
	matches = m.match(declared)
	matches = append(matches, m.leftOver(here, matches)...)
	ignored = len(absent)
	return slices.DeleteFunc(matches, func(mt match) bool {
		inScope, ignore := scope.judge(&mt)
		if ignore {
			mt.each(func(*state.Resource) { ignored++ })
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

// each visits the resources of the account that belong to the match.
func (mt *match) each(visit func(*state.Resource)) {
	if mt.have != nil {
		visit(mt.have)
	}
	for _, f := range mt.also {
		visit(f)
	}
}

// remove adds the delete of a resource, or what --no-delete makes of it.
func (p *Plan) remove(r *state.Resource, reason, copyOf string) {
	if p.NoDelete {
		p.Summary.Kept++
		p.Kept = append(p.Kept, Kept{Key: r.Key(), SID: r.SID, Reason: reason, CopyOf: copyOf, Object: r.Object})
		return
	}
	p.Summary.Delete++
	p.Changes = append(p.Changes, Change{Action: Delete, Key: r.Key(), SID: r.SID, Reason: reason, CopyOf: copyOf, Before: &r.Object})
}

// reconcile adds the change that a declaration needs, if any, or the two of a
// replacement.
func (p *Plan) reconcile(mt *match) (replaced bool) {
	source := mt.want.Pos
	after := mt.after
	create := func(replaces string) {
		p.Summary.Create++
		p.Changes = append(p.Changes, Change{
			Action: Create, Key: after.Key(), Source: &source, Replaces: replaces,
			Fields: diff(nil, after), Secrets: secretsOf(mt.want, after), After: after,
		})
	}
	if mt.have == nil {
		create("")
		return false
	}
	if *after == mt.have.Object {
		p.Summary.Unchanged++
		return false
	}
	if fixed := schema.Differ(&mt.have.Object, after) & after.Kind.Immutable; fixed != 0 {
		var paths []string
		for f := range after.Kind.In(fixed) {
			paths = append(paths, f.Path)
		}
		which := strings.Join(paths, " and ")
		if p.remove(mt.have, "the API cannot change its "+which+": it is deleted, and created again with a new SID", ""); !p.NoDelete {
			create(mt.have.SID)
			return true
		}
		p.Warnings = append(p.Warnings, Notice{Code: warnReplaceKept, Source: &source, Message: fmt.Sprintf(
			"%s %s (%s) stays as it is: the API cannot change its %s, and --no-delete keeps it from being replaced",
			after.Kind.Name, safetext.Quote(after.ID()), mt.have.SID, which)})
		return false
	}
	p.Summary.Update++
	c := Change{
		Action: Update, Key: after.Key(), SID: mt.have.SID, Source: &source,
		Fields: diff(&mt.have.Object, after), Secrets: secretsOf(mt.want, after), Before: &mt.have.Object, After: after,
	}
	if old := mt.have.ID(); old != c.ID {
		c.RenamedFrom = old
	}
	p.Changes = append(p.Changes, c)
	return false
}

// desired is the whole resource that the account should have: what is declared, and
// the account's value of each field that the declaration leaves alone.
func desired(want *schema.Declared, have *state.Resource) *schema.Object {
	left := leftAlone(want, have)
	if left == 0 {
		return &want.Object
	}
	o := want.Object
	o.Copy(&have.Object, left)
	return &o
}

// leftAlone is the fields that stay as the account has them; none when the account
// does not have the resource.
func leftAlone(want *schema.Declared, have *state.Resource) schema.FieldSet {
	if have == nil {
		return 0
	}
	k, typ := want.Kind, want.Variant()
	leave := want.IgnoreChanges | want.Open()
	if leave.Has(k.Variant) && typ != have.Variant() {
		// Keys of another variant than the account's mean nothing.
		return leave | k.Typed
	}
	for f := range k.In(leave & k.Typed) {
		// A single key can only be left as it is where the account has it.
		if !f.AppliesTo(typ) || !f.AppliesTo(have.Variant()) {
			leave &^= f.Bit()
		}
	}
	return leave
}

// diff lists the fields that differ, in the order of the table. A nil object has no
// fields.
func diff(before, after *schema.Object) []FieldChange {
	k := cmp.Or(after, before).Kind
	var fields []FieldChange
	for f := range k.In(schema.Differ(before, after)) {
		fields = append(fields, FieldChange{Path: f.Path, Before: before.Get(f), After: after.Get(f)})
	}
	return fields
}

// configDigest identifies what the configuration wants, not how it is written:
// the order of files and resources and their positions make no difference.
func configDigest(cfg *schema.Config) string {
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
	for _, d := range sortedDeclared(cfg) {
		b = fmt.Appendf(b[:0], "%s %s %q %q %d", d.Kind.Name, d.Object, d.SID, d.RenamedFrom, d.IgnoreChanges)
		for _, n := range d.Names {
			b = fmt.Appendf(b, " %s=%q", n.Field.Path, n.Name)
		}
		h.Write(append(b, '\n'))
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
