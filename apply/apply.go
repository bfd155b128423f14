package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"flexsync/internal/flexapi"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// API is the account to write to. Its methods are safe for concurrent use. When the
// context ends, a write under way is finished and nothing new is sent. Errors of the
// API are *flexapi.Error: Unknown says that the write may have been carried out. To
// delete a resource that does not exist is no error; to fetch one is, with Status 404.
type API interface {
	state.Lister
	Fetch(ctx context.Context, of flexapi.Collection, sid string) (flexapi.Answer, error)
	Create(ctx context.Context, in flexapi.Collection, form url.Values) (flexapi.Answer, error)
	Update(ctx context.Context, of flexapi.Collection, sid string, form url.Values) (flexapi.Answer, error)
	Delete(ctx context.Context, of flexapi.Collection, sid string) (flexapi.Answer, error)
}

var _ API = (*flexapi.Client)(nil)

// AbsentAfter is the least time between two listings that lack a resource before its
// create is sent again: a request whose answer was lost may still be on its way.
const AbsentAfter = 2 * time.Second

// LateAfter is how long after its last write a run waits for resources that
// listings may show late: of a create that was sent again, or of another run.
const LateAfter = 10 * time.Second

// GracePeriod is how long the last listing and the settlement of copies may take
// once the context has ended.
const GracePeriod = 20 * time.Second

// maxCreates is how often a create is sent at most.
const maxCreates = 6

// Options are how to carry out a plan.
type Options struct {
	// Parallelism is how many requests are under way at once. Less than 1 is 1.
	Parallelism int
	// Observe, unless nil, is called with each result as it comes, one at a time.
	Observe func(Result)
}

// Run carries out a plan without refusals. The snapshot is the listing that the plan
// was made from, or, for a saved plan, one against which it is not stale.
//
// The report has a result for each change, whatever happened. The error is that of
// [plan.Plan.Scope], and then nothing was written.
func Run(ctx context.Context, api API, p *plan.Plan, snap *state.Snapshot, opts Options) (*Report, error) {
	scope, err := p.Scope()
	if err != nil {
		return nil, err
	}
	r := &run{
		api: api, plan: p, snap: snap, opts: opts, scope: scope,
		expect:  p.AccountSID,
		results: make([]outcome, len(p.Changes)),
		proven:  make(map[string]*state.Resource),
		rivals:  make(map[string]int),
		settled: make(map[string]bool),
		kept:    make(map[string]bool),
		enabled: make(map[string]*schema.Object),
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		r.results[i] = outcome{change: c, Result: Result{
			Action: c.Action, Key: c.Key, SID: c.SID, Step: c.Step, Before: c.Before,
			Status: Skipped,
		}}
	}
	for i := range p.Kept {
		r.kept[p.Kept[i].SID] = true
	}
	report := &Report{AccountSID: p.AccountSID, Kept: make(map[*schema.Kind]int)}
	r.carryOut(ctx, snap.AccountSID != "")
	if r.wrote && !r.stopped {
		r.verify(ctx, report, snap)
	}
	if report.SIDs == nil {
		report.SIDs = r.managed(r.project(snap))
	}
	for sid := range r.kept {
		report.Kept[schema.KindOf(sid)]++
	}
	for i := range r.results {
		report.Results = append(report.Results, r.results[i].Result)
	}
	report.Results = append(report.Results, r.extra...)
	counts := report.Counts()
	switch {
	case !p.HasChanges():
		report.Status = Unchanged
	case ctx.Err() != nil:
		report.Status = Interrupted
	case counts.Failed > 0 || counts.Skipped > 0:
		report.Status = Partial
	case len(report.Mismatches) > 0 || report.ListErr != nil:
		report.Status = Mismatched
	default:
		report.Status = Applied
	}
	return report, nil
}

// run carries out one plan, once.
type run struct {
	api    API
	plan   *plan.Plan
	snap   *state.Snapshot
	opts   Options
	scope  *plan.Scope
	expect string // the account that every answer has to be from, or ""

	wrote   bool // a write was begun
	stopped bool // the account is another one: nothing more is begun

	results []outcome // one a change
	extra   []Result  // of StepSettle and StepEnable

	// By SID:
	proven  map[string]*state.Resource // what fetches showed as the answers had said; nil is gone
	rivals  map[string]int             // in how many views a resource was seen that another run has to take back
	settled map[string]bool            // copies that were deleted
	kept    map[string]bool            // what --no-delete keeps, of the plan and of copies
	enabled map[string]*schema.Object  // what an update disabled for a move that did not succeed, enabled again
}

// outcome is a change of the plan and what became of it.
type outcome struct {
	Result
	change   *plan.Change
	answered []Mismatch // what the answer to the write showed
	// loose says of a create that an answer was lost and nothing was found: one may
	// still appear, beside that of a later request.
	loose bool
	// instead is the SID of a resource with other content that has the name of a create
	// in place of the one that this run made; "" when there is none.
	instead string
}

// write carries out one change and returns how it ended.
func (r *run) write(ctx context.Context, o outcome) outcome {
	switch o.Action {
	case plan.Create:
		o = r.create(ctx, o)
		o.Err = r.held(o.change, o.Err)
		if o.Err != nil && o.change.Replaces != "" && o.change.After.Enabled() {
			o.Err = fmt.Errorf("NOBODY ANSWERS %s: %s was deleted, and nothing has taken its place; run again: %w", o.ID, o.change.Replaces, o.Err)
		}
		return o
	case plan.Update:
		o.Result, o.answered = r.update(ctx, o.change, o.Result)
		o.Err = r.held(o.change, o.Err)
	default:
		answer, err := r.api.Delete(ctx, state.Collection(o.Kind), o.SID)
		o.Result = finish(o.Result, answer, err)
	}
	return o
}

// held adds to the refusal of an enabled resource what to do about one of another kind
// that has the identity: whether the API minds one that is disabled is not documented.
func (r *run) held(c *plan.Change, err error) error {
	if e := asAPIError(err); e == nil || e.Status != http.StatusBadRequest || !c.After.Enabled() {
		return err
	}
	changes := make(map[string]*plan.Change)
	for i := range r.plan.Changes {
		if o := &r.plan.Changes[i]; o.Step == "" {
			changes[o.SID] = o
		}
	}
	for i := range r.snap.Resources {
		other := &r.snap.Resources[i]
		if other.Kind == c.Kind || other.Route() != c.After.Route() || other.Route() == (schema.Claim{}) {
			continue
		}
		first := "remove it first"
		if o := changes[other.SID]; o != nil && o.Action == plan.Delete {
			first = fmt.Sprintf("delete it first, such as with --only %q", other.ID())
		} else if o != nil && o.After.Route() != other.Route() {
			continue // it gave the identity up
		}
		return fmt.Errorf("%s %q (%s) has this identity; if the API allows no %s beside it, even when it is disabled, %s, and apply again: %w",
			other.Kind.Name, other.ID(), other.SID, c.Kind.Name, first, err)
	}
	return err
}

// finish enters an answer or an error into the result.
func finish(res Result, answer flexapi.Answer, err error) Result {
	if err == nil {
		res.Status, res.Err = Done, nil
		res.Attempts += answer.Attempts
		res.RequestID = answer.RequestID
		return res
	}
	res.Status, res.Err = Failed, err
	e := asAPIError(err)
	if e == nil {
		return res
	}
	res.Attempts += e.Attempts
	res.RequestID = e.RequestID
	switch {
	case e.Unknown:
		res.Status = Unknown
	case res.Attempts == 0 && errors.Is(err, context.Canceled):
		res.Status, res.Err = Skipped, nil
	}
	return res
}

func (r *run) update(ctx context.Context, c *plan.Change, res Result) (Result, []Mismatch) {
	form := c.After.Form(c.Before)
	answer, err := r.api.Update(ctx, state.Collection(c.Kind), c.SID, form)
	res = finish(res, answer, err)
	if e := asAPIError(err); e != nil {
		fields := c.Kind.Fields
		cleared := slices.IndexFunc(fields, func(f schema.Field) bool { return form.Has(f.Form) && form.Get(f.Form) == "" })
		switch {
		case e.Status == http.StatusNotFound:
			res.Err = fmt.Errorf("the %s no longer exists: it was deleted since the plan was made; run again to create it: %w", c.Kind.Name, err)
		case e.Status == http.StatusBadRequest && cleared >= 0:
			res.Err = fmt.Errorf("the update clears %s; if the API does not allow that, delete the %s and apply again to create it without one: %w", fields[cleared].Path, c.Kind.Name, err)
		}
	}
	if err != nil {
		return res, nil
	}
	have, err := r.decode(c.Kind, answer)
	if err != nil {
		// It was carried out, and the last listing shows the result.
		res.Status, res.Err = Unknown, err
		return res, nil
	}
	if have.SID != c.SID {
		res.Status, res.Err = Unknown, fmt.Errorf("the response is about another %s, %s", c.Kind.Name, have.SID)
		return res, nil
	}
	return res, answerMismatches(c, &have)
}

// create sends a create until it is known to be done, or known to have failed.
func (r *run) create(ctx context.Context, o outcome) outcome {
	c := o.change
	for {
		answer, err := r.api.Create(ctx, state.Collection(c.Kind), c.After.Form(nil))
		o.Result = finish(o.Result, answer, err)
		var have state.Resource
		if err == nil {
			if have, err = r.decode(c.Kind, answer); err != nil {
				o.Status, o.Err = Unknown, err
			}
			var other *otherAccountError
			if errors.As(err, &other) {
				o.Status, o.SID = Failed, have.SID
				return o
			}
		}
		conflict := asAPIError(o.Err) != nil && asAPIError(o.Err).Status == http.StatusConflict
		switch {
		case o.Status == Done:
			o.SID, o.answered = have.SID, answerMismatches(c, &have)
			return o
		case o.Status != Unknown && !conflict:
			return o
		}
		found, absent, err := r.find(ctx, c)
		if err == nil && found != nil && sameContent(c.After, &found.Object) {
			o.Status, o.SID, o.Err = Done, found.SID, nil
			o.Note = "the response was lost, but the account has the " + c.Kind.Name
			if conflict {
				o.Note = "it was created since the plan was made, as the plan has it"
			}
			return o
		}
		o.loose = o.loose || !conflict
		switch {
		case conflict && err == nil && found == nil:
			o.Err = fmt.Errorf("the API says that the account has this %s, but the listing does not show it, or it is ignored: %w", c.Kind.Name, o.Err)
			return o
		case err != nil:
			o.Err = fmt.Errorf("%w; cannot tell whether the %s was created: %w", o.Err, c.Kind.Name, err)
			return o
		case found != nil:
			o.Status = Failed
			o.Err = fmt.Errorf("%s of this %s with other content, %s, was created since the plan was made; run again to update it: %w", c.Kind.One(), sameAs(c.Kind), found.SID, o.Err)
			return o
		case !absent || o.Attempts >= maxCreates:
			return o
		}
	}
}

// find looks for a resource that a create may have left: of its name, and created since
// the plan was made. absent is true when two listings lack it.
func (r *run) find(ctx context.Context, c *plan.Change) (found *state.Resource, absent bool, err error) {
	for listing := range 2 {
		if listing > 0 {
			if err := sleep(ctx, AbsentAfter); err != nil {
				return nil, false, err
			}
		}
		snap, err := r.list(ctx, []*schema.Kind{c.Kind})
		if err != nil {
			return nil, false, err
		}
		for i := range snap.Resources {
			f := &snap.Resources[i]
			// One that is ignored existed before, and is not ours.
			if f.Key() != c.Key || r.planned(f.SID) || !r.scope.Covers(f) {
				continue
			}
			// Of several, the one that a settlement would keep.
			if found == nil || sameContent(c.After, &f.Object) && (!sameContent(c.After, &found.Object) || f.Older(found)) {
				found = f
			}
		}
		if found != nil {
			return found, false, nil
		}
	}
	return nil, true, nil
}

// otherAccountError is the error of a create that was carried out in another account
// than the plan is for.
type otherAccountError struct{ got, want, created string }

func (e *otherAccountError) Error() string {
	return fmt.Sprintf("the response is from account %s, but the plan is for %s: nothing more is written; delete %s, which was created there, and correct the credentials",
		e.got, e.want, e.created)
}

func (r *run) decode(k *schema.Kind, answer flexapi.Answer) (state.Resource, error) {
	f, err := state.Decode(k, answer.Body)
	if err != nil {
		return f, fmt.Errorf("the response is not %s: %w", k.One(), err)
	}
	if r.expect != "" && f.AccountSID != "" && f.AccountSID != r.expect {
		return f, &otherAccountError{got: f.AccountSID, want: r.expect, created: k.Name + " " + f.SID}
	}
	return f, nil
}

// sameAs is what two resources of one key have in common, for messages.
func sameAs(k *schema.Kind) string {
	if k.ByContact() {
		return "identity"
	}
	return "name"
}

// sameContent reports whether the account's resource is as it should be. Fields that
// are left open may have any value.
func sameContent(want, have *schema.Object) bool {
	return schema.Differ(want, have)&^want.Open() == 0
}

// differences returns the fields in which the account's resource is not as it should
// be.
func differences(key schema.Key, want *schema.Object, have *state.Resource, where string) []Mismatch {
	var ms []Mismatch
	for f := range want.Kind.In(schema.Differ(want, &have.Object) &^ want.Open()) {
		m := Mismatch{Key: key, SID: have.SID, Path: f.Path, Want: want.Get(f), Have: have.Get(f), Note: where}
		if f.Cleared && m.Want == nil {
			m.Note = fmt.Sprintf("the API does not clear this field: delete the %s and apply again to create it without", key.Kind.Name)
		}
		ms = append(ms, m)
	}
	return ms
}

func answerMismatches(c *plan.Change, have *state.Resource) []Mismatch {
	return differences(c.Key, c.After, have, "in the response to the "+c.Action.String())
}

// sleep waits for d. It returns the context's error when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
