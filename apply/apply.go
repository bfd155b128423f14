package apply

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"flexsync/internal/flexapi"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// API is the account to write to. Its methods are safe for concurrent use. When the
// context ends, a write under way is finished and nothing new is sent. Errors of the
// API are *flexapi.Error: Unknown says that the write may have been carried out. To
// delete a flow that does not exist is no error; to fetch one is, with Status 404.
type API interface {
	state.Lister
	FetchFlow(ctx context.Context, sid string) (flexapi.Answer, error)
	CreateFlow(ctx context.Context, form url.Values) (flexapi.Answer, error)
	UpdateFlow(ctx context.Context, sid string, form url.Values) (flexapi.Answer, error)
	DeleteFlow(ctx context.Context, sid string) (flexapi.Answer, error)
}

// AbsentAfter is the least time between two listings that lack a flow before its
// create is sent again: a request whose answer was lost may still be on its way.
const AbsentAfter = 2 * time.Second

// LateAfter is how long after its last write a run waits for flows that listings
// may show late: of a create that was sent again, or of another run.
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
		api: api, plan: p, opts: opts, scope: scope,
		expect:  p.AccountSID,
		results: make([]outcome, len(p.Changes)),
		proven:  make(map[string]*state.Flow),
		rivals:  make(map[string]int),
		settled: make(map[string]bool),
		kept:    make(map[string]bool),
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		r.results[i] = outcome{change: c, Result: Result{
			Action: c.Action, FriendlyName: c.FriendlyName, SID: c.SID, Step: c.Step, Before: c.Before,
			Status: Skipped,
		}}
	}
	for i := range p.Kept {
		r.kept[p.Kept[i].SID] = true
	}
	report := &Report{AccountSID: p.AccountSID}
	r.carryOut(ctx, snap.AccountSID != "")
	if r.wrote && !r.stopped {
		r.verify(ctx, report, snap)
	}
	if report.Flows == nil {
		report.Flows = r.managed(r.project(snap))
	}
	report.Kept = len(r.kept)
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
	opts   Options
	scope  *plan.Scope
	expect string // the account that every answer has to be from, or ""

	wrote   bool // a write was begun
	stopped bool // the account is another one: nothing more is begun

	results []outcome // one a change
	extra   []Result  // of StepSettle and StepEnable

	// By SID:
	proven  map[string]*state.Flow // what fetches showed as the answers had said; nil is gone
	rivals  map[string]int         // in how many views a flow was seen that another run has to take back
	settled map[string]bool        // copies that were deleted
	kept    map[string]bool        // what --no-delete keeps, of the plan and of copies
}

// outcome is a change of the plan and what became of it.
type outcome struct {
	Result
	change   *plan.Change
	answered []Mismatch // what the answer to the write showed
	// loose says of a create that an answer was lost and no flow was found: one may
	// still appear, beside that of a later request.
	loose bool
	// instead is the SID of a flow with other content that has the name of a create
	// in place of the one that this run made; "" when there is none.
	instead string
}

// write carries out one change and returns how it ended.
func (r *run) write(ctx context.Context, o outcome) outcome {
	switch o.Action {
	case plan.Create:
		return r.create(ctx, o)
	case plan.Update:
		o.Result, o.answered = r.update(ctx, o.change, o.Result)
	default:
		answer, err := r.api.DeleteFlow(ctx, o.SID)
		o.Result = finish(o.Result, answer, err)
	}
	return o
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
	answer, err := r.api.UpdateFlow(ctx, c.SID, form)
	res = finish(res, answer, err)
	if e := asAPIError(err); e != nil {
		switch identity := schema.FieldContactIdentity.Form; {
		case e.Status == 404:
			res.Err = fmt.Errorf("the flow no longer exists: it was deleted since the plan was made; run again to create it: %w", err)
		case e.Status == 400 && form.Has(identity) && form.Get(identity) == "":
			res.Err = fmt.Errorf("the update clears contact_identity; if the API does not allow that, delete the flow and apply again to create it without one: %w", err)
		}
	}
	if err != nil {
		return res, nil
	}
	have, err := r.decode(answer)
	if err != nil {
		// It was carried out, and the last listing shows the result.
		res.Status, res.Err = Unknown, err
		return res, nil
	}
	if have.SID != c.SID {
		res.Status, res.Err = Unknown, fmt.Errorf("the response is about another flow, %s", have.SID)
		return res, nil
	}
	return res, answerMismatches(c, &have)
}

// create sends a create until it is known to be done, or known to have failed.
func (r *run) create(ctx context.Context, o outcome) outcome {
	c := o.change
	for {
		answer, err := r.api.CreateFlow(ctx, c.After.Form(nil))
		o.Result = finish(o.Result, answer, err)
		var have state.Flow
		if err == nil {
			if have, err = r.decode(answer); err != nil {
				o.Status, o.Err = Unknown, err
			}
			var other *otherAccountError
			if errors.As(err, &other) {
				o.Status, o.SID = Failed, have.SID
				return o
			}
		}
		switch {
		case o.Status == Done:
			o.SID, o.answered = have.SID, answerMismatches(c, &have)
			return o
		case o.Status != Unknown:
			return o
		}
		found, absent, err := r.find(ctx, c)
		if err == nil && found != nil && sameContent(c.After, &found.Flow) {
			o.Status, o.SID, o.Err = Done, found.SID, nil
			o.Note = "the response was lost, but the account has the flow"
			return o
		}
		o.loose = true
		switch {
		case err != nil:
			o.Err = fmt.Errorf("%w; cannot tell whether the flow was created: %w", o.Err, err)
			return o
		case found != nil:
			o.Status = Failed
			o.Err = fmt.Errorf("a flow of this name with other content, %s, was created since the plan was made; run again to update it: %w", found.SID, o.Err)
			return o
		case !absent || o.Attempts >= maxCreates:
			return o
		}
	}
}

// find looks for a flow that a create may have left: of its name, and created since
// the plan was made. absent is true when two listings lack it.
func (r *run) find(ctx context.Context, c *plan.Change) (found *state.Flow, absent bool, err error) {
	for listing := range 2 {
		if listing > 0 {
			if err := sleep(ctx, AbsentAfter); err != nil {
				return nil, false, err
			}
		}
		snap, err := r.list(ctx)
		if err != nil {
			return nil, false, err
		}
		for i := range snap.Flows {
			f := &snap.Flows[i]
			// A flow that is ignored existed before, and is not ours.
			if f.FriendlyName != c.FriendlyName || r.planned(f.SID) || !r.scope.Covers(f) {
				continue
			}
			// Of several, the one that a settlement would keep.
			if found == nil || sameContent(c.After, &f.Flow) && (!sameContent(c.After, &found.Flow) || f.Older(found)) {
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
type otherAccountError struct{ got, want, sid string }

func (e *otherAccountError) Error() string {
	return fmt.Sprintf("the response is from account %s, but the plan is for %s: nothing more is written; delete flow %s, which was created there, and correct the credentials",
		e.got, e.want, e.sid)
}

func (r *run) decode(answer flexapi.Answer) (state.Flow, error) {
	f, err := state.Decode(answer.Body)
	if err != nil {
		return f, fmt.Errorf("the response is not a flow: %w", err)
	}
	if r.expect != "" && f.AccountSID != "" && f.AccountSID != r.expect {
		return f, &otherAccountError{got: f.AccountSID, want: r.expect, sid: f.SID}
	}
	return f, nil
}

// sameContent reports whether the account's flow is as it should be. Fields that are
// left open may have any value.
func sameContent(want, have *schema.Flow) bool {
	for i := range schema.Fields {
		if f := &schema.Fields[i]; !leftOpen(f, want) && !f.Equal(want, have) {
			return false
		}
	}
	return true
}

// leftOpen reports whether a flow of the plan leaves a field to the account.
func leftOpen(f *schema.Field, want *schema.Flow) bool {
	return want.IntegrationType == "" && schema.IntegrationFields.Has(f) ||
		f == schema.FieldCreationOnMessage && want.CreationOnMessage == schema.Unset
}

// differences returns the fields in which the account's flow is not as it should be.
func differences(name string, want *schema.Flow, have *state.Flow, where string) []Mismatch {
	var ms []Mismatch
	for i := range schema.Fields {
		f := &schema.Fields[i]
		if leftOpen(f, want) || f.Equal(want, &have.Flow) {
			continue
		}
		m := Mismatch{FriendlyName: name, SID: have.SID, Path: f.Path, Want: f.Get(want), Have: f.Get(&have.Flow), Note: where}
		if f.Cleared && m.Want == nil {
			m.Note = "the API does not clear this field: delete the flow and apply again to create it without"
		}
		ms = append(ms, m)
	}
	return ms
}

func answerMismatches(c *plan.Change, have *state.Flow) []Mismatch {
	return differences(c.FriendlyName, c.After, have, "in the response to the "+c.Action.String())
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
