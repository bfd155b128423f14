package apply

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// verify lists the account after the writes, finds out what became of writes
// without a clear answer, settles copies, and names every difference between
// the account and what the plan made of it. A difference is looked at twice:
// it may be another run that is about to finish.
//
// It comes after an interruption, too: without it the report would not be true.
// But then someone waits, and an API that makes it wait for longer than
// [Farewell] gets no listing.
func (r *run) verify(ctx context.Context, report *Report, before *state.Snapshot) {
	unending, cancel := outlive(ctx, Farewell)
	defer cancel()
	for look := 0; ; look++ {
		after, err := r.list(unending)
		if err != nil {
			report.ListErr = err
			report.Flows = r.managed(r.project(before))
			break
		}
		flows := slices.DeleteFunc(after.Flows, func(f state.Flow) bool { return !r.scope.Covers(&f) })
		r.settleOutcomes(flows)
		flows = r.settleCopies(unending, flows)
		report.Mismatches = r.compare(flows, before)
		report.Flows = r.managed(flows)
		if len(report.Mismatches) == 0 || look > 0 {
			break
		}
		if sleep(ctx, AbsentAfter) != nil {
			break
		}
	}
	var answered []Mismatch
	for i := range r.results {
		answered = append(answered, r.mismatches[i]...)
	}
	report.Mismatches = append(answered, slices.DeleteFunc(report.Mismatches, func(m Mismatch) bool {
		return slices.ContainsFunc(answered, func(a Mismatch) bool {
			return a.SID == m.SID && a.Path == m.Path && a.Have == m.Have
		})
	})...)
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

// settleOutcomes finds out in the listing what became of writes that have no
// clear answer. A create that was refused counts, too: the refusal may be of
// the second of two requests, or another run may have been a moment faster.
func (r *run) settleOutcomes(flows []state.Flow) {
	bySID := make(map[string]*state.Flow, len(flows))
	for i := range flows {
		bySID[flows[i].SID] = &flows[i]
	}
	var fresh map[string][]*state.Flow // flows that came since planning, by name
	for i := range r.results {
		res, c := &r.results[i], &r.plan.Changes[i]
		if res.Status != Unknown && (res.Status != Failed || c.Action != plan.Create) {
			continue
		}
		done := false
		switch c.Action {
		case plan.Create:
			if fresh == nil {
				fresh = make(map[string][]*state.Flow)
				for i := range flows {
					if f := &flows[i]; !r.planned(f.SID) {
						fresh[f.FriendlyName] = append(fresh[f.FriendlyName], f)
					}
				}
			}
			var keep *state.Flow
			for _, f := range fresh[c.FriendlyName] {
				if sameContent(c.After, &f.Flow) && (keep == nil || f.Older(keep)) {
					keep = f
				}
			}
			if keep != nil {
				done, res.SID = true, keep.SID
			}
		case plan.Update:
			f := bySID[c.SID]
			done = f != nil && sameContent(c.After, &f.Flow)
		case plan.Delete:
			done = bySID[c.SID] == nil
		}
		if done {
			res.Status, res.Err = Done, nil
			res.Note = "without a clear answer, but the account shows it"
		}
	}
}

func (r *run) planned(sid string) bool {
	_, ok := r.plan.State[sid]
	return ok
}

// settleCopies deletes what a second run, or a lost request of this one, left
// of the names that this run created, and returns the flows without them. Of
// equal copies the older stays, then the one of the lower SID. Where the oldest
// has other content, only the flow that this run made is taken back: the next
// run changes the older one.
func (r *run) settleCopies(ctx context.Context, flows []state.Flow) []state.Flow {
	created := make(map[string]*Result)
	for i := range r.results {
		if res := &r.results[i]; res.Action == plan.Create && res.Status == Done {
			created[res.FriendlyName] = res
		}
	}
	if len(created) == 0 {
		return flows
	}
	wants := make(map[string]*schema.Flow, len(created))
	for i := range r.plan.Changes {
		if c := &r.plan.Changes[i]; c.Action == plan.Create {
			wants[c.FriendlyName] = c.After
		}
	}
	groups := make(map[string][]*state.Flow)
	for i := range flows {
		f := &flows[i]
		if _, ok := created[f.FriendlyName]; ok && !r.planned(f.SID) {
			groups[f.FriendlyName] = append(groups[f.FriendlyName], f)
		}
	}
	gone := make(map[string]bool)
	for i := range r.plan.Changes { // in the plan's order
		name := r.plan.Changes[i].FriendlyName
		group, mine, want := groups[name], created[name], wants[name]
		if r.plan.Changes[i].Action != plan.Create || mine == nil || len(group) == 0 {
			continue
		}
		keep := group[0]
		for _, f := range group[1:] {
			if f.Older(keep) {
				keep = f
			}
		}
		for _, f := range group {
			copied := sameContent(want, &keep.Flow) && sameContent(want, &f.Flow)
			if f == keep || !copied && f.SID != mine.SID {
				continue
			}
			content := f.Flow
			answer, err := r.api.DeleteFlow(ctx, f.SID)
			res := finish(Result{
				Action: plan.Delete, FriendlyName: name, SID: f.SID, Step: StepSettle, Before: &content,
				Note: fmt.Sprintf("a second flow of this name, made at the same time; %s stays", keep.SID),
			}, answer, err)
			r.extra = append(r.extra, res)
			r.observe(res)
			if res.Status == Done {
				gone[f.SID] = true
			}
		}
		if sameContent(want, &keep.Flow) {
			mine.SID = keep.SID // which another run may have made, and have deleted ours
		}
	}
	return slices.DeleteFunc(flows, func(f state.Flow) bool { return gone[f.SID] })
}

// compare names what the account does not show. Changes that did not succeed
// are reported as such, and not again as a difference.
func (r *run) compare(flows []state.Flow, before *state.Snapshot) []Mismatch {
	type wanted struct {
		name   string
		flow   *schema.Flow // nil: must not be there
		absent string       // what it means when it is not there
	}
	want := make(map[string]wanted, len(before.Flows))
	for i := range before.Flows {
		if f := &before.Flows[i]; r.planned(f.SID) {
			want[f.SID] = wanted{f.FriendlyName, &f.Flow, "it was deleted by someone else during the run"}
		}
	}
	open := make(map[string]bool) // names of creates that did not succeed
	for i := range r.plan.Changes {
		c, res := &r.plan.Changes[i], &r.results[i]
		switch {
		case c.Step != "":
		case c.Action == plan.Create && res.Status != Done:
			open[c.FriendlyName] = true
		case res.Status != Done:
			delete(want, c.SID)
			open[c.SID] = true
		default:
			want[res.SID] = wanted{c.FriendlyName, c.After, "the API said that it was done, and the flow is not there"}
		}
	}
	missing := make(map[string]string) // name → SID of a flow that is not there
	here := make(map[string]bool, len(flows))
	for i := range flows {
		here[flows[i].SID] = true
	}
	for sid, w := range want {
		if w.flow != nil && !here[sid] {
			missing[w.name] = sid
		}
	}
	var ms []Mismatch
	for i := range flows {
		f := &flows[i]
		w, ok := want[f.SID]
		if !ok {
			// Another run may have settled copies, and an equal one is left.
			if sid, gone := missing[f.FriendlyName]; gone && sameContent(want[sid].flow, &f.Flow) {
				delete(missing, f.FriendlyName)
				delete(want, sid)
				continue
			}
		}
		delete(want, f.SID)
		switch {
		case ok && w.flow == nil:
			ms = append(ms, Mismatch{FriendlyName: f.FriendlyName, SID: f.SID, Note: "the API said that it was deleted, and the flow is still there"})
		case ok:
			ms = append(ms, differences(w.name, w.flow, f, "")...)
		case !open[f.SID] && !open[f.FriendlyName]:
			ms = append(ms, Mismatch{FriendlyName: f.FriendlyName, SID: f.SID, Note: "it came into the account during the run, and no file declares it"})
		}
	}
	for sid, w := range want {
		if w.flow != nil {
			ms = append(ms, Mismatch{FriendlyName: w.name, SID: sid, Note: w.absent})
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
	kept := make(map[string]bool, len(r.plan.Kept))
	for _, k := range r.plan.Kept {
		kept[k.SID] = true
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
