package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flexsync/apply"
	"flexsync/internal/flexapi"
)

// line is the status line of a run on a terminal of 80 cells.
type line struct {
	*status
	tty   output
	begun time.Time
	t     *testing.T
}

func newLine(t *testing.T) *line {
	l := &line{begun: time.Now(), t: t}
	stderr := newStream(t.Context(), &l.tty)
	l.status = newStatus(time.Now, stderr, func() int { return 80 })
	stderr.status = l.status
	return l
}

// at holds that the screen is as it should be, some time after the beginning.
func (l *line) at(after time.Duration, want string) {
	l.t.Helper()
	time.Sleep(after - time.Since(l.begun) + tick/2)
	synctest.Wait()
	screen := newScreen(80)
	screen.write(strings.ReplaceAll(l.tty.String(), "\n", "\r\n"))
	if have := screen.String(); have != want+"\n" || len(screen.broken) > 0 {
		l.t.Errorf("after %v:\n%swant:\n%s\n%v", after, have, want, screen.broken)
	}
}

// TestStatus is the line of a run from beginning to end.
func TestStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLine(t)
		stderr, tty, at := s.line, &s.tty, s.at
		write := func(text string) {
			if _, err := stderr.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		blank := func() {
			tty.mu.Lock()
			defer tty.mu.Unlock()
			tty.text.Reset()
		}
		step := func(request any, write bool, step flexapi.Step) {
			s.observe(flexapi.Event{Request: request, Write: write, Step: step})
		}
		waits := func(request any, write bool, reason string, retry int, d time.Duration) {
			s.observe(flexapi.Event{Request: request, Write: write, Step: flexapi.Waiting, Reason: reason, Retry: retry, Of: min(5, 5*retry), Until: time.Now().Add(d)})
		}
		result := func(status apply.Status) { s.result(&apply.Result{Status: status}) }

		step("a", false, flexapi.Sent)
		at(800*time.Millisecond, "")
		at(time.Second, "Reading the account: 1 request, 1 s")
		step("b", false, flexapi.Sent)
		at(4*time.Second, "Reading the account: 2 requests, 4 s")
		waits("b", false, "connection \x1brefused", 3, 4*time.Second)
		at(4500*time.Millisecond, `Reading the account: 2 requests, 4 s; retry 3 of 5 in 4 s: connection \x1bre…`)
		waits("b", false, "connection refused", 3, 3*time.Second)
		at(7*time.Second, "Reading the account: 2 requests, 7 s; retry 3 of 5 in 1 s: connection refused")
		step("b", false, flexapi.Sent)
		step("a", false, flexapi.Ended)
		at(8*time.Second, "Reading the account: 2 requests, 8 s; retry 3 of 5: connection refused")
		write("time=now msg=request\n") // the log
		at(8200*time.Millisecond, "time=now msg=request\nReading the account: 2 requests, 8 s; retry 3 of 5: connection refused")
		unhide := s.hide()
		at(8400*time.Millisecond, "time=now msg=request")
		unhide()
		at(8600*time.Millisecond, "time=now msg=request\nReading the account: 2 requests, 8 s; retry 3 of 5: connection refused")
		step("b", false, flexapi.Ended)
		blank()
		write("Plan: 4\nApply? ")
		at(9*time.Second, "Plan: 4\nApply?")
		at(20*time.Second, "Plan: 4\nApply?")
		write("yes\n") // in place of the terminal's echo

		blank()
		s.apply(4)
		step("c", true, flexapi.Sent)
		at(21100*time.Millisecond, "Applying: 0 of 4")
		result(apply.Done)
		at(22100*time.Millisecond, "Applying: 1 of 4, 6 s left")
		waits("c", true, "rate limited", 0, 2*time.Second)
		at(23200*time.Millisecond, "Applying: 1 of 4, 9 s left; rate limited, next request in 1 s")
		at(25100*time.Millisecond, "Applying: 1 of 4, 15 s left; rate limited")
		step("c", true, flexapi.Sent)
		result(apply.Failed)
		s.result(&apply.Result{Status: apply.Done, Step: apply.StepEnable})
		at(220*time.Second, "Applying: 2 of 4, 1 failed, 3 min left")
		write("+ created\n")
		at(221*time.Second, "+ created\nApplying: 2 of 4, 1 failed, 3 min left")
		step("c", true, flexapi.Ended)
		result(apply.Skipped)
		result(apply.Skipped)
		blank()
		at(222100*time.Millisecond, "Verifying: 0 requests, 1 s")
		step("d", false, flexapi.Sent)
		at(224100*time.Millisecond, "Verifying: 1 request, 3 s")
		step("d", false, flexapi.Ended)
		at(225100*time.Millisecond, "Verifying: 1 request, 4 s")
		s.applied()
		at(226*time.Second, "")
		write("Applied\n")
		step("e", false, flexapi.Sent)
		at(227100*time.Millisecond, "Applied\nReading the account: 1 request, 1 s")
		s.close()
		at(228*time.Second, "Applied")
		write("flexsync: done\n")
		at(229*time.Second, "Applied\nflexsync: done")
	})
}

// TestStatusFleet is the line of a fleet: it counts accounts, and it stays while no
// request is under way.
func TestStatusFleet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLine(t)
		s.fleet(12)
		s.at(900*time.Millisecond, "")
		s.at(time.Second, "Reading: 0 of 12 accounts, 1 s")
		var ends []func(bool)
		for i := range 8 {
			ends = append(ends, s.account())
			s.observe(flexapi.Event{Request: i, Step: flexapi.Sent})
		}
		s.at(2*time.Second, "Reading: 0 of 12 accounts, 8 under way, 2 s")
		for i := range 3 {
			s.observe(flexapi.Event{Request: i, Step: flexapi.Ended})
			ends[i](i == 1)
		}
		s.at(3*time.Second, "Reading: 3 of 12 accounts, 1 failed, 5 under way, 3 s")
		s.observe(flexapi.Event{Request: 3, Step: flexapi.Waiting, Reason: "rate limited", Until: time.Now().Add(3 * time.Second)})
		s.at(4*time.Second, "Reading: 3 of 12 accounts, 1 failed, 5 under way, 4 s; rate limited, next re…")
		for i := 3; i < 8; i++ {
			s.observe(flexapi.Event{Request: i, Step: flexapi.Ended})
			ends[i](false)
		}
		s.fleet(0)
		if _, err := s.line.Write([]byte("Apply? ")); err != nil {
			t.Fatal(err)
		}
		s.at(6*time.Second, "Apply?")
		if _, err := s.line.Write([]byte("yes\n")); err != nil { // in place of the terminal's echo
			t.Fatal(err)
		}

		s.fleet(2)
		s.apply(4)
		first, second := s.account(), s.account()
		s.result(&apply.Result{Status: apply.Done})
		s.result(&apply.Result{Status: apply.Failed})
		s.at(8200*time.Millisecond, "Apply? yes\nApplying: 0 of 2 accounts, 2 under way; changes: 2 of 4, 1 failed, 2 s left")
		first(true)
		s.result(&apply.Result{Status: apply.Done})
		s.result(&apply.Result{Status: apply.Done})
		s.at(9100*time.Millisecond, "Apply? yes\nApplying: 1 of 2 accounts, 1 failed, 1 under way; changes: 4 of 4, 1 failed")
		second(false)
		s.applied()
		s.at(10*time.Second, "Apply? yes")
		s.close()
	})
}

// TestStatusInterrupted is what an apply says to the first Ctrl-C, with and without a line.
func TestStatusInterrupted(t *testing.T) {
	s := newStatus(time.Now, nil, nil)
	defer s.close()
	says := func(want string) {
		t.Helper()
		if have := s.interrupted(); have != want {
			t.Errorf("it says %q, want %q", have, want)
		}
	}
	step := func(request any, write bool, step flexapi.Step) {
		s.observe(flexapi.Event{Request: request, Write: write, Step: step, Until: time.Now()})
	}
	says("nothing was changed.")
	step("a", false, flexapi.Sent)
	says("nothing was changed.")
	step("b", true, flexapi.Sent)
	says("finishing 1 write in flight. Press Ctrl-C again to stop immediately.")
	step("c", true, flexapi.Sent)
	says("finishing 2 writes in flight. Press Ctrl-C again to stop immediately.")
	step("b", true, flexapi.Waiting)
	says("finishing 1 write in flight. Press Ctrl-C again to stop immediately.")
	step("b", true, flexapi.Ended)
	step("c", true, flexapi.Ended)
	says("no writes in flight; only the last check is left. Press Ctrl-C again to stop immediately.")
}

// A line is never as wide as the terminal, and a narrow one is no reason to fail.
func TestStatusWidth(t *testing.T) {
	t.Parallel()
	for _, width := range []int{0, 1, 2, 5, 20} {
		synctest.Test(t, func(t *testing.T) {
			var tty output
			s := newStatus(time.Now, newStream(t.Context(), &tty), func() int { return width })
			s.observe(flexapi.Event{Request: 1, Step: flexapi.Sent})
			time.Sleep(quiet + 2*tick)
			s.close()
			have, _, _ := strings.Cut(tty.String(), takeBack)
			want := map[int]string{0: "Reading the account: 1 request, 1 s", 1: "…", 2: "…", 5: "R…", 20: "Reading the acco…"}[width]
			if have != want {
				t.Errorf("width %d: %q, want %q", width, have, want)
			}
		})
	}
}
