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

// API is the account that is written to. Its methods are safe for concurrent
// use. When the context ends, a write under way is finished and nothing new is
// sent. An error that is a *flexapi.Error says with Unknown whether the write
// may have been carried out; deleting a flow that is not there is no error.
type API interface {
	state.Lister
	CreateFlow(ctx context.Context, form url.Values) (flexapi.Answer, error)
	UpdateFlow(ctx context.Context, sid string, form url.Values) (flexapi.Answer, error)
	DeleteFlow(ctx context.Context, sid string) (flexapi.Answer, error)
}

// AbsentAfter is the least time between the two listings that a flow has to be
// missing from before its create is sent again: a request whose answer was
// lost may still be on its way.
const AbsentAfter = 2 * time.Second

// Farewell is how long the last listing and the settlement may take once the
// context has ended.
const Farewell = 20 * time.Second

// maxCreates is how often one create is sent.
const maxCreates = 6

// Options say how to carry out a plan.
type Options struct {
	// Parallelism is how many writes are under way at once; 1 or more.
	Parallelism int
	// Observe, if not nil, is told of each result as it comes, one at a time.
	Observe func(Result)
}

// Run carries the plan out. The snapshot is the listing that the plan was made
// from, or, for a saved plan, one that it is not stale against. The plan must
// be free of refusals.
//
// Run always reports. The report's Results have one entry for each change,
// whatever happened.
//
// The error is that of a plan whose globs do not compile; nothing was written.
func Run(ctx context.Context, api API, p *plan.Plan, snap *state.Snapshot, opts Options) (*Report, error) {
	scope, err := p.Scope()
	if err != nil {
		return nil, err
	}
	r := &run{
		api: api, plan: p, opts: opts, scope: scope,
		expect:  p.AccountSID,
		results: make([]Result, len(p.Changes)),
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		r.results[i] = Result{
			Action: c.Action, FriendlyName: c.FriendlyName, SID: c.SID, Step: c.Step, Before: c.Before,
			Status: Skipped,
		}
	}
	report := &Report{AccountSID: p.AccountSID, Status: Unchanged, Kept: len(p.Kept)}
	if !p.HasChanges() {
		report.Flows = r.managed(r.project(snap))
		return report, nil
	}
	wrote := r.carryOut(ctx, snap.AccountSID != "")
	if wrote && !r.stopped {
		r.verify(ctx, report, snap)
	} else {
		report.Flows = r.managed(r.project(snap))
	}
	report.Results = append(r.results, r.extra...)
	counts := report.Counts()
	switch {
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

// run is one carrying out of a plan.
type run struct {
	api    API
	plan   *plan.Plan
	opts   Options
	scope  *plan.Scope
	expect string // the account that every answer has to be from, or ""

	stopped bool // the account is another one: nothing more is begun

	results []Result // one a change
	extra   []Result // settlements and restorations

	// mismatches are those that the answers to writes showed, by the write's
	// index, so that their order does not depend on the workers'.
	mismatches map[int][]Mismatch
}

// write carries out one change and returns how it ended.
func (r *run) write(ctx context.Context, c *plan.Change, res Result) (Result, []Mismatch) {
	switch c.Action {
	case plan.Create:
		return r.create(ctx, c, res)
	case plan.Update:
		return r.update(ctx, c, res)
	default:
		answer, err := r.api.DeleteFlow(ctx, c.SID)
		return finish(res, answer, err), nil
	}
}

// finish enters an answer or an error into the result.
func finish(res Result, answer flexapi.Answer, err error) Result {
	if err == nil {
		res.Status = Done
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
			res.Err = fmt.Errorf("the flow is no longer in the account: it was deleted since the plan was made; run again to create it: %w", err)
		case e.Status == 400 && form.Has(identity) && form.Get(identity) == "":
			res.Err = fmt.Errorf("contact_identity is to be cleared; if the API refuses that, delete the flow, and apply again to create it without: %w", err)
		}
	}
	if err != nil {
		return res, nil
	}
	have, err := r.decode(answer)
	if err != nil {
		// It was done: only what the account made of it is not known, and the
		// last listing shows that.
		res.Status, res.Err = Unknown, err
		return res, nil
	}
	if have.SID != c.SID {
		res.Status, res.Err = Unknown, fmt.Errorf("the answer is about another flow, %s", have.SID)
		return res, nil
	}
	return res, answerMismatches(c, &have)
}

// create sends a create until it is known to be done, or known to have failed.
func (r *run) create(ctx context.Context, c *plan.Change, res Result) (Result, []Mismatch) {
	for {
		answer, err := r.api.CreateFlow(ctx, c.After.Form(nil))
		res = finish(res, answer, err)
		var have state.Flow
		if err == nil {
			if have, err = r.decode(answer); err != nil {
				res.Status, res.Err = Unknown, err
			}
			var other *otherAccountError
			if errors.As(err, &other) {
				res.Status, res.SID = Failed, have.SID
				return res, nil
			}
		}
		switch {
		case res.Status == Done:
			res.SID = have.SID
			return res, answerMismatches(c, &have)
		case res.Status != Unknown:
			return res, nil
		}
		found, absent, err := r.find(ctx, c)
		switch {
		case err != nil:
			res.Err = fmt.Errorf("%w; and whether it was created could not be found out: %w", res.Err, err)
			return res, nil
		case found != nil && sameContent(c.After, &found.Flow):
			res.Status, res.SID, res.Err = Done, found.SID, nil
			res.Note = "the answer was lost, and the flow was found in the account"
			return res, nil
		case found != nil:
			res.Status = Failed
			res.Err = fmt.Errorf("a flow of this name with other content, %s, came into the account since the plan was made; run again to change it: %w", found.SID, res.Err)
			return res, nil
		case !absent || res.Attempts >= maxCreates:
			return res, nil
		}
	}
}

// find looks for a flow that a create may have left: of its name, and not
// there at planning. absent is true when it was missing from two listings.
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
			// A flow that is ignored was there all along, and is not ours.
			if f.FriendlyName != c.FriendlyName || r.planned(f.SID) || !r.scope.Covers(f) {
				continue
			}
			// Of several the one that a settlement would keep.
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

// otherAccountError is the error of an answer from another account than the
// plan is for.
type otherAccountError struct{ got, want, sid string }

func (e *otherAccountError) Error() string {
	return fmt.Sprintf("the answer is from account %s, and the plan is for %s: nothing more is written; flow %s was created there and has to be deleted by hand, and the credentials corrected",
		e.got, e.want, e.sid)
}

func (r *run) decode(answer flexapi.Answer) (state.Flow, error) {
	var d state.Decoder
	f, err := d.Decode(answer.Body)
	if err != nil {
		return f, fmt.Errorf("the answer is not a flow: %w", err)
	}
	if r.expect != "" && f.AccountSID != "" && f.AccountSID != r.expect {
		return f, &otherAccountError{got: f.AccountSID, want: r.expect, sid: f.SID}
	}
	return f, nil
}

// sameContent reports whether the account's flow is what was wanted; what was
// left open may be anything.
func sameContent(want, have *schema.Flow) bool {
	for i := range schema.Fields {
		if f := &schema.Fields[i]; !leftOpen(f, want) && !f.Equal(want, have) {
			return false
		}
	}
	return true
}

// leftOpen reports whether a wanted flow leaves a field to the account.
func leftOpen(f *schema.Field, want *schema.Flow) bool {
	return want.IntegrationType == "" && schema.IntegrationFields.Has(f) ||
		f == schema.FieldCreationOnMessage && want.CreationOnMessage == schema.Unset
}

// differences names the fields in which the account's flow is not what was
// wanted.
func differences(name string, want *schema.Flow, have *state.Flow, where string) []Mismatch {
	var ms []Mismatch
	for i := range schema.Fields {
		f := &schema.Fields[i]
		if leftOpen(f, want) || f.Equal(want, &have.Flow) {
			continue
		}
		m := Mismatch{FriendlyName: name, SID: have.SID, Path: f.Path, Want: f.Get(want), Have: f.Get(&have.Flow), Note: where}
		if f.Cleared && m.Want == nil {
			m.Note = "the API does not clear it: delete the flow, and apply again to create it without"
		}
		ms = append(ms, m)
	}
	return ms
}

func answerMismatches(c *plan.Change, have *state.Flow) []Mismatch {
	return differences(c.FriendlyName, c.After, have, "in the answer to the "+c.Action.String())
}

// sleep waits, or returns the context's error when it ends first.
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
