package main

import (
	"context"
	"fmt"

	"flexsync/apply"
	"flexsync/internal/render"
)

// progress prints each change of an apply when it is done. With the text format,
// changes go to stdout, where they are the report; otherwise to stderr, unless a
// status line counts them. Changes whose outcome is not clear yet are left to the
// report. It also says what an interruption waits for.
type progress struct {
	a       *app
	report  bool // results go to stdout, as part of the report
	printed map[resultKey]apply.Status

	ignore func() bool   // forgets the interruption
	said   chan struct{} // closed when the interruption has been answered
}

type resultKey struct{ name, sid, step string }

func newProgress(ctx context.Context, a *app, changes int, report bool) *progress {
	p := &progress{a: a, report: report, printed: make(map[resultKey]apply.Status), said: make(chan struct{})}
	if a.account != "" { // the fleet counts the changes of all
		p.ignore = func() bool { return true }
		return p
	}
	a.status.apply(changes)
	p.ignore = context.AfterFunc(ctx, func() {
		defer close(p.said)
		a.interrupted(a.status.interrupted())
	})
	return p
}

// end comes after the last result.
func (p *progress) end() {
	if !p.ignore() {
		<-p.said // before the report
	}
	if p.a.account == "" {
		p.a.status.applied()
	}
}

// observe gets the results, one at a time.
func (p *progress) observe(res apply.Result) {
	p.a.status.result(&res)
	if res.Status != apply.Done || !p.report && p.a.status.line != nil {
		return
	}
	w := p.a.stderr
	if p.report {
		w = p.a.stdout
	}
	if _, err := fmt.Fprintln(w, render.Result(&res, p.a.style(w))); err == nil { // otherwise the report shows it
		p.printed[resultKey{res.ID, res.SID, res.Step}] = res.Status
	}
}

// shown reports whether a result was printed with its present status.
func (p *progress) shown(res *apply.Result) bool {
	return p.printed[resultKey{res.ID, res.SID, res.Step}] == res.Status
}
