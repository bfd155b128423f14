package apply_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flexsync/apply"
	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
	"flexsync/internal/render"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

func late(lag time.Duration) emulator.Options {
	return emulator.Options{Latency: 100 * time.Millisecond, Behaviour: emulator.Behaviour{ListLag: lag}}
}

// A listing that is merely late is no mismatch: what it does not show yet is
// fetched, and nothing else is.
func TestLateListing(t *testing.T) {
	for _, lag := range []time.Duration{time.Second, 4 * time.Second, 6 * time.Second, time.Hour} {
		t.Run(lag.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, late(lag), inAccount(studio("A", "+15550000009")), inAccount(studio("Old", "+15550000003")),
					inAccount(studio("Same", "+15550000004")), inAccount(studio("X", "+15550000005")), inAccount(studio("Y", "+15550000006")))
				want := []schema.Declared{
					studio("A", "+15550000001"), studio("B", "+15550000002"), studio("Same", "+15550000004"),
					studio("X", "+15550000006"), studio("Y", "+15550000005"), // a swap
				}
				begun := time.Now()
				r := w.must(want, apply.Applied)
				w.mustEqual(want)
				if n := w.asked(isFetch); n == 0 || n > 5 {
					t.Errorf("%d fetches, want one for each of at most 5 flows", n)
				}
				for _, f := range w.flows() {
					if r.SIDs[schema.Flows][f.ID()] != f.SID {
						t.Errorf("flows has %s for %q, and the account %s", r.SIDs[schema.Flows][f.ID()], f.ID(), f.SID)
					}
				}
				if d := time.Since(begun); d > apply.LateAfter+5*time.Second {
					t.Errorf("it took %v", d)
				}
			})
		})
	}
}

// What is really not as the answers said stays a mismatch.
func TestLateListingOfAMismatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := late(4 * time.Second)
		opts.Behaviour.EmptyDoesNotClear = true
		w := newWorld(t, opts, inAccount(studio("A", "+15550000001")))
		r := w.must([]schema.Declared{studio("A", "", func(f *schema.Object) { set(f, "long_lived", true) })}, apply.Mismatched)
		if len(r.Mismatches) != 1 || r.Mismatches[0].Path != "contact_identity" {
			t.Errorf("mismatches\n%s", describe(r))
		}
	})
}

// A write whose every answer is lost is found out by a fetch.
func TestLateListingOfAnUnknownWrite(t *testing.T) {
	for name, is := range map[string]func(*http.Request) bool{"update": isUpdate, "delete": isDelete} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				have := map[string]schema.Declared{"update": studio("A", "+15550000009"), "delete": studio("Old", "+15550000003")}[name]
				w := newWorld(t, late(time.Hour), inAccount(have))
				w.setFault(func(r *http.Request) emutest.Fault {
					if is(r) {
						return emutest.Fault{StatusAfter: 502}
					}
					return emutest.Fault{}
				})
				var want []schema.Declared
				if name == "update" {
					want = append(want, studio("A", "+15550000001"))
				}
				w.must(want, apply.Applied)
			})
		})
	}
}

// A create whose answer is lost is missing from two listings that are late, and
// is sent again. The copy that shows up later is settled by the same run.
func TestLateListingOfALostCreate(t *testing.T) {
	for _, lag := range []time.Duration{time.Second, 3 * time.Second, 4 * time.Second, 6 * time.Second, 9 * time.Second} {
		t.Run(lag.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, late(lag))
				w.once(isCreate, emutest.Fault{DropAfter: true})
				want := []schema.Declared{studio("A", "+15550000001"), studio("B", "+15550000002")}
				r := w.must(want, apply.Applied)
				w.mustEqual(want)
				for _, f := range w.flows() {
					if r.SIDs[schema.Flows][f.ID()] != f.SID {
						t.Errorf("flows has %v, and the account %s %s", r.SIDs[schema.Flows], f.ID(), f.SID)
					}
				}
			})
		})
	}
}

// A run that had to send a create again looks once more, 10 s after its last
// write, and one that had not does not wait.
func TestLooksOnceMoreAfterARepeatedCreate(t *testing.T) {
	for _, lost := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, emulator.Options{})
			if lost {
				w.once(isCreate, emutest.Fault{DropBefore: true})
			}
			begun := time.Now()
			r := w.must([]schema.Declared{studio("A", "+15550000001")}, apply.Applied)
			if res := r.Results[0]; res.Err != nil {
				t.Errorf("done, with the error %v", res.Err)
			}
			lists, took := w.asked(isList), time.Since(begun)
			if want := map[bool]int{false: 2, true: 5}[lost]; lists != want {
				t.Errorf("lost %t: %d listings, want %d", lost, lists, want)
			}
			if lost != (took >= apply.LateAfter) {
				t.Errorf("lost %t: it took %v", lost, took)
			}
		})
	}
}

// A create that is refused after one whose answer was lost may be refused
// because of it: 45210, with a listing that is too late to show it.
func TestLateListingOfACollisionWithOneself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := late(4 * time.Second)
		opts.Behaviour.Collisions = true
		w := newWorld(t, opts)
		w.once(isCreate, emutest.Fault{DropAfter: true})
		want := []schema.Declared{studio("A", "+15550000001")}
		r := w.must(want, apply.Applied)
		w.mustEqual(want)
		if r.SIDs[schema.Flows]["A"] != w.flows()[0].SID {
			t.Errorf("flows %v", r.SIDs[schema.Flows])
		}
	})
}

// Interrupted before the copy could be seen, the run does not claim that a
// refused create left nothing.
func TestInterruptedAfterACollisionWithOneself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := late(4 * time.Second)
		opts.Behaviour.Collisions = true
		w := newWorld(t, opts)
		w.once(isCreate, emutest.Fault{DropAfter: true})
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		r, _ := w.apply(ctx, []schema.Declared{studio("A", "+15550000001")})
		if r.Status != apply.Interrupted || r.Results[0].Status != apply.Unknown {
			t.Errorf("%s\n%s", r.Status, describe(r))
		}
	})
}

// A fetch may answer 404 once though the flow is there. Twice is gone.
func TestFetchNotFound(t *testing.T) {
	for n, want := range []apply.Status{apply.Applied, apply.Applied, apply.Mismatched} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, late(time.Hour))
				w.times(n, isFetch, emutest.Fault{Status: 404})
				r := w.must([]schema.Declared{studio("A", "+15550000001")}, want)
				if want == apply.Mismatched && !strings.Contains(describe(r), "the flow does not exist") {
					t.Error(describe(r))
				}
			})
		})
	}
}

// When the fetch fails, what the listing shows stands, and why is said.
func TestFetchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, late(time.Hour), inAccount(studio("A", "+15550000009")))
		w.setFault(func(r *http.Request) emutest.Fault {
			if isFetch(r) {
				return emutest.Fault{Status: 403}
			}
			return emutest.Fault{}
		})
		r := w.must([]schema.Declared{studio("A", "+15550000001")}, apply.Mismatched)
		if len(r.Mismatches) != 1 || r.Mismatches[0].Path != "contact_identity" || !strings.Contains(r.Mismatches[0].Note, "could not be fetched: GET /v1/FlexFlows/FO") {
			t.Errorf("mismatches\n%s", describe(r))
		}
	})
}

// An interruption cuts the waits short; the fetches still come, within the
// grace period.
func TestLateListingWhenInterrupted(t *testing.T) {
	for name, fault := range map[string]emutest.Fault{"": {}, "silent": {Hang: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := late(4 * time.Second)
				opts.Latency = time.Second
				w := newWorld(t, opts, inAccount(studio("A", "+15550000009")))
				w.setFault(func(r *http.Request) emutest.Fault {
					if isFetch(r) {
						return fault
					}
					return emutest.Fault{}
				})
				ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond) // the update is under way
				defer cancel()
				begun := time.Now()
				r, _ := w.apply(ctx, []schema.Declared{studio("A", "+15550000001")})
				if r.Status != apply.Interrupted || r.Results[0].Status != apply.Done || (len(r.Mismatches) > 0) != fault.Hang {
					t.Errorf("%s\n%s", r.Status, describe(r))
				}
				if d := time.Since(begun); d > 2*time.Second+apply.GracePeriod+time.Second {
					t.Errorf("it took %v to end", d)
				}
			})
		})
	}
}

// Runs of different commits that create a flow of one name at the same time
// leave one, without a person, whoever is first, also when listings are late.
// The run whose flow has gone says so.
func TestDifferentCommitsAtOnce(t *testing.T) {
	for _, lag := range []time.Duration{0, time.Second, 4 * time.Second} {
		for _, apart := range []time.Duration{0, 50 * time.Millisecond, 150 * time.Millisecond, 250 * time.Millisecond, 450 * time.Millisecond, time.Second} {
			for _, runs := range []int{2, 3} {
				t.Run(fmt.Sprintf("%d runs %v apart, lag %v", runs, apart, lag), func(t *testing.T) {
					for i := range 4 { // SIDs are random
						synctest.Test(t, func(t *testing.T) { differentCommits(t, runs, apart, lag, i%2) })
					}
				})
			}
		}
	}
}

// differentCommits is one such course of events. So many fetches of each run
// answer 404 though the flow is there.
func differentCommits(t *testing.T, runs int, apart, lag time.Duration, notFound int) {
	w := newWorld(t, late(lag))
	w.times(runs*notFound, isFetch, emutest.Fault{Status: 404})
	config := func(i int) []schema.Declared {
		return []schema.Declared{studio("A", fmt.Sprintf("+1555000000%d", i)), studio("B", "+15550000008")}
	}
	var plans []*plan.Plan
	c := w.client()
	for i := range runs { // all are planned before any of them writes
		p, _, err := w.plan(t.Context(), c, config(i))
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, p)
	}
	reports := make([]*apply.Report, runs)
	done := make(chan struct{})
	for i := range runs {
		go func() {
			defer func() { done <- struct{}{} }()
			time.Sleep(time.Duration(i) * apart)
			var err error
			if reports[i], err = apply.Run(t.Context(), w.client(), plans[i], &state.Snapshot{}, apply.Options{Parallelism: 4}); err != nil {
				t.Error(err)
			}
		}()
	}
	for range runs {
		<-done
	}
	flows := w.flows()
	if len(flows) != 2 {
		t.Errorf("%d flows are left, want 2", len(flows))
	}
	for i, r := range reports {
		stays := false
		for _, f := range flows {
			if f.ID() == "A" {
				stays = f.Object == config(i)[0].Object
				// Of three the first to finish may still see two of the others'.
				if sid := r.SIDs[schema.Flows]["A"]; sid != f.SID && (runs == 2 || sid != "") {
					t.Errorf("run %d: flows has %q for A, and the account %s\n%s", i, r.SIDs[schema.Flows]["A"], f.SID, describe(r))
				}
			}
		}
		want := apply.Mismatched
		if stays {
			want = apply.Applied
		}
		if r.Status != want || !stays && !strings.Contains(describe(r), "another run created this flow at the same time") {
			t.Errorf("run %d, whose flow stays %t: %s\n%s", i, stays, r.Status, describe(r))
		}
	}
	time.Sleep(lag)
	w.must(config(9), apply.Applied)
	w.mustEqual(config(9))
}

// A run takes back all that it made of a name, the copy of a lost create too,
// when the flow of another commit is the oldest.
func TestLostCreateBesideAnotherCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, late(6*time.Second))
		theirs := studio("A", "+15550000002")
		w.setFault(func(r *http.Request) emutest.Fault {
			if isCreate(r) {
				w.fault = nil
				go w.add(theirs)
				return emutest.Fault{Delay: 2 * time.Second, DropAfter: true}
			}
			return emutest.Fault{}
		})
		r := w.must([]schema.Declared{studio("A", "+15550000001")}, apply.Mismatched)
		w.mustEqual([]schema.Declared{theirs})
		if n := w.committed(http.MethodDelete); n != 2 || r.SIDs[schema.Flows]["A"] != w.flows()[0].SID {
			t.Errorf("%d deletes, flows %v\n%s", n, r.SIDs[schema.Flows], describe(r))
		}
	})
}

// Under --no-delete copies are kept and reported, also by a saved plan.
func TestNoDeleteKeepsCopies(t *testing.T) {
	for _, saved := range []bool{false, true} {
		t.Run(fmt.Sprintf("saved %t", saved), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, late(0))
				w.noDelete = true
				want := []schema.Declared{studio("A", "+15550000001")}
				c := w.client()
				p, snap, err := w.plan(t.Context(), c, want)
				if err != nil {
					t.Fatal(err)
				}
				if saved {
					var doc bytes.Buffer
					if err := p.WriteJSON(&doc, ""); err != nil {
						t.Fatal(err)
					}
					if p, err = plan.Read(doc.Bytes()); err != nil {
						t.Fatal(err)
					}
				}
				w.add(want[0]) // another run was a moment faster
				older := w.flows()[0].SID
				time.Sleep(time.Second)
				r, err := apply.Run(t.Context(), c, p, snap, apply.Options{Parallelism: 1})
				if err != nil {
					t.Fatal(err)
				}
				if n := w.asked(isDelete); r.Status != apply.Applied || n != 0 || len(w.flows()) != 2 {
					t.Fatalf("%s, %d deletes, %d flows\n%s", r.Status, n, len(w.flows()), describe(r))
				}
				if r.SIDs[schema.Flows]["A"] != older || r.Counts().Kept != 1 || len(r.Deleted()) != 0 {
					t.Errorf("flows %v, counts %+v", r.SIDs[schema.Flows], r.Counts())
				}
				if res := r.Results[1]; res.Step != apply.StepSettle || res.Status != apply.Skipped || res.SID == older || !strings.Contains(describe(r), "= kept") {
					t.Errorf("results\n%s", describe(r))
				}
				if !strings.Contains(render.ReportTotals(r), ", 1 kept") {
					t.Error(render.ReportTotals(r))
				}
				w.must(want, apply.Unchanged)
			})
		})
	}
}

// Two that differ are kept as well under --no-delete, and are a mismatch.
func TestNoDeleteKeepsWhatDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, late(0))
		w.noDelete = true
		w.setFault(func(r *http.Request) emutest.Fault {
			if isCreate(r) {
				w.fault = nil
				go w.add(studio("A", "+15550000002"))
				return emutest.Fault{Delay: 2 * time.Second}
			}
			return emutest.Fault{}
		})
		r := w.must([]schema.Declared{studio("A", "+15550000001")}, apply.Mismatched)
		if w.asked(isDelete) != 0 || len(w.flows()) != 2 || r.Counts().Kept != 1 || !strings.Contains(describe(r), "contact_identity") {
			t.Errorf("%d flows\n%s", len(w.flows()), describe(r))
		}
	})
}
