package apply

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// verify lists the account after the writes, finds out what became of writes
// without a clear answer, settles copies, and names every difference between
// the account and what the plan made of it.
//
// A listing may lag behind the writes. So what it does not show as the answers
// said is fetched, and it is looked at again for four reasons: a difference,
// or a flow that was not found, is looked at twice, since another run may be
// about to finish, and a 404 may be untrue once; a flow that another run has to
// take back, at a few looks; a listing that does not show
// the creates yet cannot show what other runs made at the same time; and the
// flow of a create that was sent again may be late. The last two end
// [LateAfter] after the last write.
//
// It comes after an interruption, too: without it the report would not be true.
// But then someone waits: there is one look, and an API that makes it wait for
// longer than [Farewell] gets none.
func (r *run) verify(ctx context.Context, report *Report, before *state.Snapshot) {
	unending, cancel := outlive(ctx, Farewell)
	defer cancel()
	last := time.Now().Add(LateAfter)
	whole, twice := false, false
	for again := true; again; {
		whole = !time.Now().Before(last)
		l, err := r.look(unending)
		if err != nil {
			report.ListErr = err
			if report.Flows == nil {
				report.Flows = r.managed(r.project(before))
			}
			whole = false
			break
		}
		r.settleOutcomes(l)
		r.settleCopies(unending, l)
		report.Mismatches = r.compare(l, before)
		report.Flows = r.managed(l.flows)
		wait := AbsentAfter
		switch doubt := l.doubt || len(report.Mismatches) > 0; {
		case doubt && !twice:
			twice = true
		case l.rival, l.late && !whole:
		case r.loose() && !whole:
			wait = time.Until(last)
		default:
			again = false
		}
		again = again && sleep(ctx, wait) == nil
	}
	var answered []Mismatch
	for i := range r.results {
		o := &r.results[i]
		if o.loose && o.Status == Failed && !whole {
			// The last request was refused. What became of one before is open.
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

// loose reports whether a flow may still come that a create without an answer
// made.
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
func (r *run) list(ctx context.Context) (*state.Snapshot, error) {
	snap, err := state.Read(ctx, r.api)
	if err == nil && r.expect != "" && snap.AccountSID != "" && snap.AccountSID != r.expect {
		return nil, fmt.Errorf("the listing is from account %s, and the plan is for %s", snap.AccountSID, r.expect)
	}
	return snap, err
}

// look is the account as a listing shows it, and fetches where the listing does
// not show what the answers to the writes said.
type look struct {
	flows  []state.Flow     // those that the plan looks at
	late   bool             // the listing does not show a flow that was created, and is there
	doubt  bool             // a flow that should be there was not found
	rival  bool             // another run has to take a flow back, and may be about to
	failed map[string]error // why a flow could not be fetched, by SID
}

func (r *run) look(ctx context.Context) (*look, error) {
	snap, err := r.list(ctx)
	if err != nil {
		return nil, err
	}
	l := &look{flows: slices.DeleteFunc(snap.Flows, func(f state.Flow) bool { return r.settled[f.SID] || !r.scope.Covers(&f) })}
	bySID := l.bySID()
	type gap struct {
		sid    string
		want   *schema.Flow
		listed bool
	}
	var gaps []gap
	var ask []string
	for i := range r.results {
		o := &r.results[i]
		if o.Step != "" || o.SID == "" || o.instead != "" || r.settled[o.SID] || o.Status != Done && o.Status != Unknown {
			continue
		}
		f := bySID[o.SID]
		if shows(f, o.change.After) {
			continue
		}
		gaps = append(gaps, gap{o.SID, o.change.After, f != nil})
		if _, ok := r.proven[o.SID]; !ok {
			ask = append(ask, o.SID)
		}
	}
	answers := r.fetch(ctx, ask)
	for _, g := range gaps {
		f, proven := r.proven[g.sid]
		if !proven {
			var err error
			if f, err = answers[g.sid].flow, answers[g.sid].err; err != nil {
				l.fail(g.sid, err)
				continue
			}
		}
		if shows(f, g.want) {
			r.proven = enter(r.proven, g.sid, f)
		} else if f == nil {
			l.doubt = true
		}
		l.late = l.late || f != nil && !g.listed
		l.put(g.sid, f)
	}
	return l, nil
}

func (l *look) bySID() map[string]*state.Flow {
	bySID := make(map[string]*state.Flow, len(l.flows))
	for i := range l.flows {
		bySID[l.flows[i].SID] = &l.flows[i]
	}
	return bySID
}

// shows reports whether a flow, nil when there is none, is what a change made.
func shows(f *state.Flow, want *schema.Flow) bool {
	if f == nil || want == nil {
		return f == nil && want == nil
	}
	return sameContent(want, &f.Flow)
}

// put makes a flow what a fetch showed, nil for gone.
func (l *look) put(sid string, f *state.Flow) {
	i := slices.IndexFunc(l.flows, func(g state.Flow) bool { return g.SID == sid })
	switch {
	case i < 0 && f != nil:
		l.flows = append(l.flows, *f)
	case i >= 0 && f != nil:
		l.flows[i] = *f
	case i >= 0:
		l.flows = slices.Delete(l.flows, i, i+1)
	}
}

func (l *look) fail(sid string, err error) { l.failed = enter(l.failed, sid, err) }

// enter enters a value into a map that may be nil.
func enter[V any](m map[string]V, sid string, v V) map[string]V {
	if m == nil {
		m = make(map[string]V)
	}
	m[sid] = v
	return m
}

// fetched is one flow as a fetch showed it; nil is gone.
type fetched struct {
	flow *state.Flow
	err  error
}

// fetch reads flows, at most Parallelism at once.
func (r *run) fetch(ctx context.Context, sids []string) map[string]fetched {
	answers := make([]fetched, len(sids))
	var g errgroup.Group
	g.SetLimit(max(1, r.opts.Parallelism))
	for i, sid := range sids {
		g.Go(func() error {
			answers[i].flow, answers[i].err = r.fetchOne(ctx, sid)
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

func (r *run) fetchOne(ctx context.Context, sid string) (*state.Flow, error) {
	answer, err := r.api.FetchFlow(ctx, sid)
	if e := asAPIError(err); e != nil && e.Status == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f, err := r.decode(answer)
	if err == nil && f.SID != sid {
		err = fmt.Errorf("the answer is about another flow, %s", f.SID)
	}
	return &f, err
}

// settleOutcomes finds out in the listing what became of writes that have no
// clear answer. A create that was refused counts, too: the refusal may be of
// the second of two requests, or another run may have been a moment faster.
func (r *run) settleOutcomes(l *look) {
	bySID := l.bySID()
	var fresh map[string][]*state.Flow
	for i := range r.results {
		o := &r.results[i]
		if o.Status != Unknown && (o.Status != Failed || o.Action != plan.Create) {
			continue
		}
		f := bySID[o.SID]
		if o.Action == plan.Create {
			if fresh == nil {
				fresh = r.fresh(l.flows)
			}
			f = nil
			for _, g := range fresh[o.FriendlyName] {
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
			o.Note = "without a clear answer, but the account shows it"
		}
	}
}

// fresh is the flows that came since planning, by name.
func (r *run) fresh(flows []state.Flow) map[string][]*state.Flow {
	fresh := make(map[string][]*state.Flow)
	for i := range flows {
		if f := &flows[i]; !r.planned(f.SID) {
			fresh[f.FriendlyName] = append(fresh[f.FriendlyName], f)
		}
	}
	return fresh
}

func (r *run) planned(sid string) bool {
	_, ok := r.plan.State[sid]
	return ok
}

// settleCopies leaves one flow of each name that this run created, when a
// second run, or a lost request of this one, made another: the older stays,
// then the one of the lower SID. All runs compute that alike.
func (r *run) settleCopies(ctx context.Context, l *look) {
	var fresh map[string][]*state.Flow
	rivals := make(map[string]int)
	gone := make(map[string]bool)
	for i := range r.results {
		o := &r.results[i]
		if o.Action != plan.Create || o.Status != Done {
			continue
		}
		if fresh == nil {
			fresh = r.fresh(l.flows)
		}
		r.settle(ctx, l, o, fresh[o.FriendlyName], rivals, gone)
	}
	r.rivals = rivals
	l.flows = slices.DeleteFunc(l.flows, func(f state.Flow) bool { return gone[f.SID] })
}

// patience is at how many looks a run sees another run's flow before it counts
// on that to stay: one more than the other run needs to take it back.
const patience = 3

// settle settles the flows of one name, which came since planning. Where they
// differ, a run deletes only what it made itself: the other is the other run's
// to take back, and what it has once it is settled, the next run decides.
func (r *run) settle(ctx context.Context, l *look, o *outcome, group []*state.Flow, rivals map[string]int, gone map[string]bool) {
	o.instead = ""
	if len(group) > 1 {
		// The listing may be late, and what is deleted is gone.
		group = r.confirm(ctx, l, group, gone)
	}
	if len(group) == 0 {
		return
	}
	keep := slices.MinFunc(group, func(f, g *state.Flow) int {
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
			r.takeBack(ctx, f, keep, gone)
		default:
			rivals[f.SID] = r.rivals[f.SID] + 1
			l.rival = l.rival || rivals[f.SID] < patience
		}
	}
	if !equal {
		o.instead = keep.SID
		return
	}
	mine := o.SID == keep.SID
	o.SID = keep.SID // which another run may have made, and have deleted ours
	for _, f := range group {
		// Of two of one second this run's may be the later one, in spite of the
		// lower SID. Then the other run was through before it came, and takes
		// nothing back.
		if mine && rivals[f.SID] >= patience && f.DateCreated == keep.DateCreated && !r.plan.NoDelete {
			r.takeBack(ctx, keep, f, gone)
			if gone[keep.SID] {
				o.instead = f.SID
			}
			return
		}
	}
}

// confirm fetches flows of one name and returns those that are there and still
// have it, as they are; none when that could not be found out.
func (r *run) confirm(ctx context.Context, l *look, flows []*state.Flow, gone map[string]bool) []*state.Flow {
	sids := make([]string, len(flows))
	for i, f := range flows {
		sids[i] = f.SID
	}
	var there []*state.Flow
	answers := r.fetch(ctx, sids)
	for _, f := range flows {
		switch a := answers[f.SID]; {
		case a.err != nil:
			for _, g := range flows {
				l.fail(g.SID, a.err) // which of them stays is open for all
			}
			return nil
		case a.flow == nil:
			gone[f.SID] = true
			l.doubt = true
		default:
			renamed := f.FriendlyName != a.flow.FriendlyName
			if *f = *a.flow; !renamed {
				there = append(there, f)
			}
		}
	}
	return there
}

// takeBack deletes one of several flows of a name, or keeps it if nothing is to
// be deleted.
func (r *run) takeBack(ctx context.Context, f, keep *state.Flow, gone map[string]bool) {
	content := f.Flow
	res := Result{
		Action: plan.Delete, FriendlyName: f.FriendlyName, SID: f.SID, Step: StepSettle, Before: &content,
		Note: fmt.Sprintf("a second flow of this name, made at the same time; %s stays", keep.SID),
	}
	if r.plan.NoDelete {
		if r.kept[f.SID] {
			return
		}
		r.kept = enter(r.kept, f.SID, true)
		res.Status, res.Note = Skipped, fmt.Sprintf("a second flow of this name, made at the same time as %s; --no-delete keeps it", keep.SID)
	} else {
		answer, err := r.api.DeleteFlow(ctx, f.SID)
		res = finish(res, answer, err)
		if res.Status == Done {
			gone[f.SID] = true
			r.settled = enter(r.settled, f.SID, true)
		}
	}
	r.extra = slices.DeleteFunc(r.extra, func(e Result) bool { return e.Step == StepSettle && e.SID == f.SID })
	r.extra = append(r.extra, res)
	r.observe(res)
}

// compare names what the account does not show. Changes that did not succeed
// are reported as such, and not again as a difference.
func (r *run) compare(l *look, before *state.Snapshot) []Mismatch {
	type wanted struct {
		name   string
		flow   *schema.Flow // nil: must not be there
		absent string       // what it means when it is not there
		differ string       // what it means when it differs
	}
	want := make(map[string]wanted, len(before.Flows))
	for i := range before.Flows {
		if f := &before.Flows[i]; r.planned(f.SID) {
			want[f.SID] = wanted{name: f.FriendlyName, flow: &f.Flow, absent: "it was deleted by someone else during the run"}
		}
	}
	open := make(map[string]bool)    // SIDs of changes, and names of creates, that did not succeed
	created := make(map[string]bool) // names
	for i := range r.results {
		o := &r.results[i]
		switch {
		case o.Step != "":
		case o.Action == plan.Create && o.Status != Done:
			open[o.FriendlyName] = true
		case o.Status != Done:
			delete(want, o.SID)
			open[o.SID] = true
		default:
			w := wanted{name: o.FriendlyName, flow: o.change.After, absent: "the API said that it was done, and the flow is not there"}
			if o.instead != "" {
				w.differ = "another run made this flow at the same time, and it stays; run again to change it"
			}
			want[cmp.Or(o.instead, o.SID)] = w
			created[o.FriendlyName] = created[o.FriendlyName] || o.Action == plan.Create
		}
	}
	missing := make(map[string]string) // name → SID of a flow that is not there
	here := l.bySID()
	for sid, w := range want {
		if w.flow != nil && here[sid] == nil {
			missing[w.name] = sid
		}
	}
	var ms []Mismatch
	differs := func(name, sid, what string) {
		ms = append(ms, Mismatch{FriendlyName: name, SID: sid, Note: what})
	}
	for i := range l.flows {
		f := &l.flows[i]
		w, ok := want[f.SID]
		if !ok {
			// Another run may have settled copies, and an equal one is left.
			if sid, gone := missing[f.FriendlyName]; gone && shows(f, want[sid].flow) {
				delete(missing, f.FriendlyName)
				delete(want, sid)
				continue
			}
		}
		delete(want, f.SID)
		switch {
		case ok && w.flow == nil:
			differs(f.FriendlyName, f.SID, "the API said that it was deleted, and the flow is still there")
		case ok:
			ms = append(ms, differences(w.name, w.flow, f, w.differ)...)
		case open[f.SID] || open[f.FriendlyName] || r.kept[f.SID]:
		case created[f.FriendlyName]:
			differs(f.FriendlyName, f.SID, "a second flow of this name, which another run or a person made at the same time; run again, and if that is refused, delete one of the two, or pin one with `sid`")
		default:
			differs(f.FriendlyName, f.SID, "it came into the account during the run, and no file declares it")
		}
	}
	for sid, w := range want {
		if w.flow != nil {
			differs(w.name, sid, w.absent)
		}
	}
	for i := range ms {
		if err := l.failed[ms[i].SID]; err != nil {
			ms[i].Note = strings.TrimPrefix(fmt.Sprintf("%s; the listing shows this, and the flow could not be fetched: %v", ms[i].Note, err), "; ")
		}
	}
	slices.SortStableFunc(ms, func(a, b Mismatch) int {
		return cmp.Or(cmp.Compare(a.FriendlyName, b.FriendlyName), cmp.Compare(a.SID, b.SID))
	})
	return ms
}

// project is the listing as it should be after the writes, for when there is
// no other.
func (r *run) project(before *state.Snapshot) []state.Flow {
	flows := slices.Clone(before.Flows)
	at := make(map[string]int, len(flows))
	for i := range flows {
		at[flows[i].SID] = i
	}
	gone := make(map[string]bool)
	for i := range r.plan.Changes {
		c, res := &r.plan.Changes[i], &r.results[i]
		switch {
		case res.Status != Done:
		case c.Action == plan.Create:
			flows = append(flows, state.Flow{SID: res.SID, Flow: *c.After})
		case c.Action == plan.Delete:
			gone[c.SID] = true
		default:
			if j, ok := at[c.SID]; ok {
				flows[j].Flow = *c.After
			}
		}
	}
	return slices.DeleteFunc(flows, func(f state.Flow) bool { return gone[f.SID] || !r.scope.Covers(&f) })
}

// managed returns the SID of every managed name that the account has once.
func (r *run) managed(flows []state.Flow) map[string]string {
	count := make(map[string]int, len(r.plan.Managed))
	for _, name := range r.plan.Managed {
		count[name] = 0
	}
	kept := maps.Clone(r.kept)
	for _, k := range r.plan.Kept {
		kept = enter(kept, k.SID, true)
	}
	sids := make(map[string]string, len(count))
	for i := range flows {
		f := &flows[i]
		n, ok := count[f.FriendlyName]
		if !ok || kept[f.SID] {
			continue
		}
		count[f.FriendlyName] = n + 1
		if n == 0 {
			sids[f.FriendlyName] = f.SID
		} else {
			delete(sids, f.FriendlyName)
		}
	}
	return sids
}

// API is checked against the client here, where both are known.
var _ API = state.Client{}
