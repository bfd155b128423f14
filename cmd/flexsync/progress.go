package main

import (
	"fmt"
	"time"

	"flexsync/apply"
	"flexsync/internal/render"
)

// progress shows an apply while it runs: on a terminal, a line of counts that is
// rewritten, and each change when it is done. With the text format, changes go to
// stdout, where they are the report; otherwise to stderr. Changes whose outcome is
// not clear yet are left to the report.
type progress struct {
	a      *app
	total  int
	live   bool // stderr is a terminal that can clear a line
	report bool // results go to stdout, as part of the report
	begun  time.Time

	done, failed int
	onScreen     bool // the line of counts is
	printed      map[resultKey]apply.Status
}

type resultKey struct{ name, sid, step string }

func newProgress(a *app, total int, report bool) *progress {
	p := &progress{
		a: a, total: total, report: report, begun: a.now(),
		// The log would break the line.
		live:    isTerminal(a.stderr) && a.env("TERM") != "dumb" && a.logger == nil,
		printed: make(map[resultKey]apply.Status),
	}
	p.show()
	return p
}

// observe gets the results, one at a time.
func (p *progress) observe(res apply.Result) {
	p.done++
	if res.Status == apply.Failed || res.Status == apply.Unknown {
		p.failed++
	}
	p.clear()
	if res.Status == apply.Done && (p.report || !p.live) {
		w := p.a.stderr
		if p.report {
			w = p.a.stdout
		}
		if _, err := fmt.Fprintln(w, render.Result(&res, p.a.style(w))); err == nil { // otherwise the report shows it
			p.printed[resultKey{res.FriendlyName, res.SID, res.Step}] = res.Status
		}
	}
	p.show()
}

// show writes the line of counts while there is something left to do, cut to the
// width of the terminal: a line that wraps cannot be cleared.
func (p *progress) show() {
	if !p.live || p.done >= p.total {
		return
	}
	width := terminalWidth(p.a.stderr)
	if width == 0 {
		width = 80
	}
	fmt.Fprint(p.a.stderr, render.Cut(p.text(), width-1)) // the last cell holds the cursor
	p.onScreen = true
}

// text is the line of counts, with the rate and the time left as soon as they are
// known.
func (p *progress) text() string {
	s := fmt.Sprintf("%d of %d", p.done, p.total)
	if p.failed > 0 {
		s += fmt.Sprintf(", %d failed", p.failed)
	}
	elapsed := p.a.now().Sub(p.begun)
	if elapsed < 2*time.Second || p.done == 0 {
		return s
	}
	perSecond := float64(p.done) / elapsed.Seconds()
	left := time.Duration(float64(p.total-p.done) / perSecond * float64(time.Second))
	return s + fmt.Sprintf(", %.1f per second, %s left", perSecond, left.Round(time.Second))
}

// clear removes the line of counts.
func (p *progress) clear() {
	if p.onScreen {
		fmt.Fprint(p.a.stderr, takeBack)
		p.onScreen = false
	}
}

// takeBack clears the line that the cursor of a terminal is in.
const takeBack = "\r\x1b[K"

// shown reports whether a result was printed with its present status.
func (p *progress) shown(res *apply.Result) bool {
	return p.printed[resultKey{res.FriendlyName, res.SID, res.Step}] == res.Status
}
