package apply

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// verify lists the account after the writes, finds out what became of writes without
// a clear answer, settles copies, and reports every difference between the account
// and the plan.
//
// Listings may lag behind the writes. So verify fetches what a listing does not show
// as the answers said, and takes another view for one of these reasons:
//
//   - A difference, or a resource that was not found: once, since another run may be
//     about to finish, and a 404 may be untrue.
//   - One that another run has to take back: [patience] times.
//   - A listing that lacks what this run created, and so may lack those of
//     other runs: until [LateAfter] after the last write.
//   - A create that was sent again, whose first resource may be late: at that time.
//
// verify comes after an interruption, too, or the report would not be true. But then
// someone is waiting: there is one view, within [GracePeriod].
func (r *run) verify(ctx context.Context, report *Report, before *state.Snapshot) {
	grace, cancel := outlive(ctx, GracePeriod)
	defer cancel()
	last := time.Now().Add(LateAfter)
	var final, twice bool // the view is of last or later; a doubt was met before
	for again := true; again; {
		final = !time.Now().Before(last)
		v, err := r.view(grace)
		if err != nil {
			report.ListErr = err
			final = false
			break
		}
		r.settleOutcomes(v)
		r.settleCopies(grace, v)
		report.Mismatches = r.compare(v, before)
		report.SIDs = r.managed(v.resources)
		wait := AbsentAfter
		switch {
		case !twice && (v.doubt || len(report.Mismatches) > 0):
			twice = true
		case v.rival, v.late && !final:
		case r.loose() && !final:
			wait = time.Until(last)
		default:
			again = false
		}
		again = again && sleep(ctx, wait) == nil
	}
	var answered []Mismatch
	for i := range r.results {
		o := &r.results[i]
		if o.loose && o.Status == Failed && !final {
			// The last request was refused, but an earlier one may have been carried out.
			o.Status = Unknown
		}
		answered = append(answered, o.answered...)
	}
	report.Mismatches = append(answered, slices.DeleteFunc(report.Mismatches, func(m Mismatch) bool {
		return slices.ContainsFunc(answered, func(a Mismatch) bool {
			return a.SID == m.SID && a.Path == m.Path && a.Have == m.Have
		})
	})...)
}

// loose reports whether the resource of a create without an answer may still appear.
func (r *run) loose() bool {
	return slices.ContainsFunc(r.results, func(o outcome) bool { return o.loose })
}

// outlive returns a context that ends d after ctx, and not before.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if ctx.Err() != nil {
		return context.WithTimeout(context.WithoutCancel(ctx), d)
	}
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(d, cancel) })
	return longer, func() { stop(); cancel() }
}

// list reads the account, and refuses another one than the plan is for.
func (r *run) list(ctx context.Context, kinds []*schema.Kind) (*state.Snapshot, error) {
	snap, err := state.Read(ctx, r.api, kinds)
	if err == nil && r.expect != "" && snap.AccountSID != "" && snap.AccountSID != r.expect {
		return nil, fmt.Errorf("the listing is from account %s, but the plan is for %s", snap.AccountSID, r.expect)
	}
	return snap, err
}

// view is the account as a listing shows it, with fetches where that is not as the
// answers to the writes said.
type view struct {
	resources []state.Resource // in scope
	gone      map[string]bool  // SIDs of resources that went since
	failed    map[string]error // why a resource could not be fetched, by SID
	late      bool             // the listing lacks what this run created and what exists
	doubt     bool             // a resource that should exist was not found
	rival     bool             // another run has to take one back, and may be about to
}

func (r *run) view(ctx context.Context) (*view, error) {
	snap, err := r.list(ctx, r.plan.Kinds())
	if err != nil {
		return nil, err
	}
	v := &view{
		resources: slices.DeleteFunc(snap.Resources, func(f state.Resource) bool { return r.settled[f.SID] || !r.scope.Covers(&f) }),
		gone:      make(map[string]bool),
		failed:    make(map[string]error),
	}
	bySID := v.bySID()
	var gaps []*outcome // changes that the listing does not show
	var ask []string
	for i := range r.results {
		o := &r.results[i]
		if o.Step != "" || o.SID == "" || o.instead != "" || r.settled[o.SID] || o.Status != Done && o.Status != Unknown ||
			shows(bySID[o.SID], r.after(o)) {
			continue
		}
		gaps = append(gaps, o)
		if _, ok := r.proven[o.SID]; !ok {
			ask = append(ask, o.SID)
		}
	}
	answers := r.fetch(ctx, ask)
	var unlisted []state.Resource
	for _, o := range gaps {
		f, proven := r.proven[o.SID]
		if !proven {
			var err error
			if f, err = answers[o.SID].found, answers[o.SID].err; err != nil {
				v.failed[o.SID] = err
				continue
			}
		}
		if shows(f, r.after(o)) {
			r.proven[o.SID] = f
		} else if f == nil {
			v.doubt = true
		}
		switch listed := bySID[o.SID]; {
		case f == nil:
			v.gone[o.SID] = true
		case listed == nil:
			v.late = true
			unlisted = append(unlisted, *f)
		default:
			*listed = *f
		}
	}
	v.sweep()
	v.resources = append(v.resources, unlisted...)
	return v, nil
}

// sweep removes what is gone.
func (v *view) sweep() {
	v.resources = slices.DeleteFunc(v.resources, func(f state.Resource) bool { return v.gone[f.SID] })
}

func (v *view) bySID() map[string]*state.Resource {
	bySID := make(map[string]*state.Resource, len(v.resources))
	for i := range v.resources {
		bySID[v.resources[i].SID] = &v.resources[i]
	}
	return bySID
}

// after is what a change has made of its resource.
func (r *run) after(o *outcome) *schema.Object { return cmp.Or(r.enabled[o.SID], o.change.After) }

// shows reports whether a resource, nil when there is none, is as a change makes it.
func shows(f *state.Resource, want *schema.Object) bool {
	if f == nil || want == nil {
		return f == nil && want == nil
	}
	return sameContent(want, &f.Object)
}

// fetched is one resource as a fetch showed it; nil is gone.
type fetched struct {
	found *state.Resource
	err   error
}

// fetch reads resources, at most Parallelism at once.
func (r *run) fetch(ctx context.Context, sids []string) map[string]fetched {
	answers := make([]fetched, len(sids))
	var g errgroup.Group
	g.SetLimit(max(1, r.opts.Parallelism))
	for i, sid := range sids {
		g.Go(func() error {
			answers[i].found, answers[i].err = r.fetchOne(ctx, sid)
			return nil
		})
	}
	_ = g.Wait() // each answer has its own error
	found := make(map[string]fetched, len(sids))
	for i, sid := range sids {
		found[sid] = answers[i]
	}
	return found
}

func (r *run) fetchOne(ctx context.Context, sid string) (*state.Resource, error) {
	k := schema.KindOf(sid)
	answer, err := r.api.Fetch(ctx, state.Collection(k), sid)
	if e := asAPIError(err); e != nil && e.Status == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f, err := r.decode(k, answer)
	if err == nil && f.SID != sid {
		err = fmt.Errorf("the response is about another %s, %s", k.Name, f.SID)
	}
	return &f, err
}

// settleOutcomes finds out what became of writes without a clear answer. A create
// that was refused is one, too: the refusal may be of the second of two requests, or
// another run may have been a moment faster.
func (r *run) settleOutcomes(v *view) {
	bySID := v.bySID()
	fresh := r.fresh(v.resources)
	for i := range r.results {
		o := &r.results[i]
		if o.Status != Unknown && (o.Status != Failed || o.Action != plan.Create) {
			continue
		}
		f := bySID[o.SID]
		if o.Action == plan.Create {
			f = nil
			for _, g := range fresh[o.Key] {
				if shows(g, o.change.After) && (f == nil || g.Older(f)) {
					f = g
				}
			}
		}
		if shows(f, o.change.After) {
			if f != nil {
				o.SID = f.SID
			}
			o.Status, o.Err = Done, nil
			o.Note = "there was no clear response, but the account shows the change"
		}
	}
}

// fresh is what was created since the plan was made.
func (r *run) fresh(resources []state.Resource) map[schema.Key][]*state.Resource {
	fresh := make(map[schema.Key][]*state.Resource)
	for i := range resources {
		if f := &resources[i]; !r.planned(f.SID) {
			fresh[f.Key()] = append(fresh[f.Key()], f)
		}
	}
	return fresh
}

func (r *run) planned(sid string) bool {
	_, ok := r.plan.State[sid]
	return ok
}

// settleCopies leaves one resource of each name that this run created, when another run,
// or a lost request of this one, created a second: the older stays, then the one of
// the lower SID, by which all runs choose the same.
func (r *run) settleCopies(ctx context.Context, v *view) {
	fresh := r.fresh(v.resources)
	for i := range r.results {
		if o := &r.results[i]; o.Action == plan.Create && o.Status == Done {
			r.settle(ctx, v, o, fresh[o.Key])
		}
	}
	v.sweep()
}

// patience is in how many views a run sees another run's resource before it assumes
// that it stays: one more than the other run needs to take it back.
const patience = 3

// settle settles the resources of one name that were created since the plan was made.
// Where they differ, a run deletes only its own: the other run takes back the other
// one, and the next run decides what the one that stays holds.
func (r *run) settle(ctx context.Context, v *view, o *outcome, group []*state.Resource) {
	o.instead = ""
	if len(group) > 1 {
		// The listing may be late, and a delete is final.
		group = r.confirm(ctx, v, group)
	}
	if len(group) == 0 {
		return
	}
	keep := slices.MinFunc(group, func(f, g *state.Resource) int {
		if f.Older(g) {
			return -1
		}
		return 1
	})
	want := o.change.After
	equal := shows(keep, want)
	for _, f := range group {
		switch mine := f.SID == o.SID || o.loose && shows(f, want); {
		case f == keep:
		case mine, equal && shows(f, want):
			r.takeBack(ctx, v, f, keep)
		default:
			r.rivals[f.SID]++
			v.rival = v.rival || r.rivals[f.SID] < patience
		}
	}
	if !equal {
		o.instead = keep.SID
		return
	}
	mine := o.SID == keep.SID
	o.SID = keep.SID // another run may have made it, and have deleted ours
	for _, f := range group {
		// Of two of the same second, this run's may be the later one in spite of its
		// lower SID. Then the other run ended before, and takes nothing back.
		if mine && r.rivals[f.SID] >= patience && f.DateCreated == keep.DateCreated && !r.plan.NoDelete {
			r.takeBack(ctx, v, keep, f)
			if v.gone[keep.SID] {
				o.instead = f.SID
			}
			return
		}
	}
}

// confirm fetches resources of one name and returns those that exist and still have it,
// as they are now; none when a fetch failed.
func (r *run) confirm(ctx context.Context, v *view, flows []*state.Resource) []*state.Resource {
	sids := make([]string, len(flows))
	for i, f := range flows {
		sids[i] = f.SID
	}
	var there []*state.Resource
	answers := r.fetch(ctx, sids)
	for _, f := range flows {
		switch a := answers[f.SID]; {
		case a.err != nil:
			for _, g := range flows {
				v.failed[g.SID] = a.err // which of them stays is open for all
			}
			return nil
		case a.found == nil:
			v.gone[f.SID] = true
			v.doubt = true
		default:
			renamed := f.Key() != a.found.Key()
			if *f = *a.found; !renamed {
				there = append(there, f)
			}
		}
	}
	return there
}

// takeBack deletes one of several resources of a name, or keeps it with --no-delete.
func (r *run) takeBack(ctx context.Context, v *view, f, keep *state.Resource) {
	content := f.Object
	res := Result{
		Action: plan.Delete, Key: f.Key(), SID: f.SID, Step: StepSettle, Before: &content,
		Note: fmt.Sprintf("a second %s of this %s, created at the same time; %s stays", f.Kind.Name, sameAs(f.Kind), keep.SID),
	}
	if r.plan.NoDelete {
		if r.kept[f.SID] {
			return
		}
		r.kept[f.SID] = true
		res.Status, res.Note = Skipped, fmt.Sprintf("a second %s of this %s, created at the same time as %s; --no-delete keeps it", f.Kind.Name, sameAs(f.Kind), keep.SID)
	} else {
		answer, err := r.api.Delete(ctx, state.Collection(f.Kind), f.SID)
		res = finish(res, answer, err)
		if res.Status == Done {
			v.gone[f.SID] = true
			r.settled[f.SID] = true
		}
	}
	r.extra = slices.DeleteFunc(r.extra, func(e Result) bool { return e.Step == StepSettle && e.SID == f.SID })
	r.extra = append(r.extra, res)
	r.observe(res)
}

// compare returns every difference between the account and what the changes made.
// Changes that did not succeed are reported as such, and not as a difference again.
func (r *run) compare(v *view, before *state.Snapshot) []Mismatch {
	type wanted struct {
		key    schema.Key
		object *schema.Object // nil: must not exist
		absent string         // what it means when the resource does not exist
		differ string         // what it means when the resource differs
	}
	want := make(map[string]wanted, len(before.Resources))
	for i := range before.Resources {
		if f := &before.Resources[i]; r.planned(f.SID) {
			want[f.SID] = wanted{key: f.Key(), object: &f.Object, absent: "it was deleted by someone else during the run"}
		}
	}
	open := make(map[string]bool) // SIDs of changes that did not succeed
	failed := make(map[schema.Key]bool)
	created := make(map[schema.Key]bool)
	for i := range r.results {
		o := &r.results[i]
		switch {
		case o.Step != "":
		case o.Action == plan.Create && o.Status != Done:
			failed[o.Key] = true
		case o.Status != Done:
			delete(want, o.SID)
			open[o.SID] = true
		default:
			w := wanted{key: o.Key, object: r.after(o), absent: fmt.Sprintf("the API reported success, but the %s does not exist", o.Kind.Name)}
			if o.instead != "" {
				w.differ = fmt.Sprintf("another run created this %s at the same time, and it stays; run again to update it", o.Kind.Name)
			}
			want[cmp.Or(o.instead, o.SID)] = w
			created[o.Key] = created[o.Key] || o.Action == plan.Create
		}
	}
	var ms []Mismatch
	differs := func(key schema.Key, sid, what string) {
		ms = append(ms, Mismatch{Key: key, SID: sid, Note: what})
	}
	missing := make(map[schema.Key][]string) // SIDs of what does not exist
	here := v.bySID()
	for sid, w := range want {
		switch f := here[sid]; {
		case f == nil && w.object != nil:
			missing[w.key] = append(missing[w.key], sid)
		case f != nil && w.object == nil:
			differs(f.Key(), sid, fmt.Sprintf("the API reported the delete as done, but the %s still exists", f.Kind.Name))
		case f != nil:
			ms = append(ms, differences(w.key, w.object, f, w.differ)...)
		}
	}
	for i := range v.resources {
		f := &v.resources[i]
		if _, ok := want[f.SID]; ok {
			continue
		}
		key := f.Key()
		sids := missing[key]
		same := slices.IndexFunc(sids, func(sid string) bool { return shows(f, want[sid].object) })
		switch {
		case same >= 0: // another run may have settled copies and left an equal one
			missing[key] = slices.Delete(sids, same, same+1)
		case open[f.SID] || failed[key] || r.kept[f.SID]:
		case created[key]:
			or := " or pin one with `sid`"
			if f.Kind.ByContact() {
				or = ""
			}
			differs(key, f.SID, fmt.Sprintf("a second %s of this %s, which another run or a person created at the same time; run again, and if the plan is refused, delete one of the two%s", f.Kind.Name, sameAs(f.Kind), or))
		default:
			differs(key, f.SID, "it was created during the run, and no file declares it")
		}
	}
	for key, sids := range missing {
		for _, sid := range sids {
			differs(key, sid, want[sid].absent)
		}
	}
	for i := range ms {
		if err := v.failed[ms[i].SID]; err != nil {
			ms[i].Note = strings.TrimPrefix(fmt.Sprintf("%s; the listing shows this, but the %s could not be fetched: %v", ms[i].Note, ms[i].Kind.Name, err), "; ")
		}
	}
	slices.SortStableFunc(ms, func(a, b Mismatch) int {
		return cmp.Or(a.Key.Compare(b.Key), cmp.Compare(a.SID, b.SID))
	})
	return ms
}

// project is what is in scope as it should be after the writes, for when there is no
// listing.
func (r *run) project(before *state.Snapshot) []state.Resource {
	resources := slices.Clone(before.Resources)
	at := make(map[string]int, len(resources))
	for i := range resources {
		at[resources[i].SID] = i
	}
	gone := make(map[string]bool)
	for i := range r.plan.Changes {
		c, res := &r.plan.Changes[i], &r.results[i]
		switch {
		case res.Status != Done:
		case c.Action == plan.Create:
			resources = append(resources, state.Resource{SID: res.SID, Object: *c.After})
		case c.Action == plan.Delete:
			gone[c.SID] = true
		default:
			if j, ok := at[c.SID]; ok {
				resources[j].Object = *c.After
			}
		}
	}
	return slices.DeleteFunc(resources, func(f state.Resource) bool { return gone[f.SID] || !r.scope.Covers(&f) })
}

// managed returns the SID of each managed resource that the account has exactly once.
func (r *run) managed(resources []state.Resource) map[*schema.Kind]map[string]string {
	found := make(map[schema.Key][]string)
	for i := range resources {
		if f := &resources[i]; !r.kept[f.SID] {
			found[f.Key()] = append(found[f.Key()], f.SID)
		}
	}
	managed := make(map[*schema.Kind]map[string]string)
	for k, ids := range r.plan.Managed {
		managed[k] = make(map[string]string, len(ids))
		for _, id := range ids {
			if sids := found[schema.Key{Kind: k, ID: id}]; len(sids) == 1 {
				managed[k][id] = sids[0]
			}
		}
	}
	return managed
}
