package render

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"flexsync/plan"
)

// Whatever the texts and the origins: drift is below its heading, nothing else is,
// and what is harmful is shown as long as it fits.
func TestLawTwoParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := planOf(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(hostile), rapid.String()), 0, 10).Draw(t, "texts"))
		p.Origins = &plan.Origins{}
		drawn := rapid.SampledFrom([]plan.Origin{plan.Config, plan.Drift, plan.Both})
		drifted := 0
		for i := range p.Changes {
			c := &p.Changes[i]
			if c.Origin = drawn.Draw(t, "origin"); c.Origin == plan.Drift {
				drifted++
			}
			for j := range c.Fields {
				c.Fields[j].Origin = drawn.Draw(t, "field")
			}
		}
		checkText(t, text(t, p, Style{Width: 80}), Style{})
		_, below, found := strings.Cut(text(t, p, Style{}), "\n"+driftHeading+"\n")
		if found != (drifted > 0) {
			t.Fatalf("a heading: %t, and %d changes are drift", found, drifted)
		}
		heads := 0
		for line := range strings.Lines(below) {
			if strings.HasPrefix(line, "+ create ") || strings.HasPrefix(line, "~ update ") || strings.HasPrefix(line, "- delete ") {
				heads++
			}
		}
		if heads != drifted {
			t.Fatalf("%d changes below the heading, and %d are drift", heads, drifted)
		}

		limit := rapid.SampledFrom([]int{MinMarkdownBytes, 3000, 65000, 1 << 20}).Draw(t, "limit")
		md := markdown(t, p, limit)
		checkPrintable(t, md, "")
		if len(md) > limit {
			t.Fatalf("%d bytes, and the limit is %d", len(md), limit)
		}
		have := readMarkdown(t, md)
		above, below, found := strings.Cut(md, "\n#### "+driftHeading+"\n")
		below, _, _ = strings.Cut(below, "\n<details>")
		rows := func(s string) int { return strings.Count(s, "\n| ") - 2*strings.Count(s, "\n| --- |") }
		if found != (rows(below) > 0) || rows(above)+rows(below) != len(have.rows) {
			t.Fatalf("%d rows above and %d below the heading:\n%s", rows(above), rows(below), md)
		}
		if len(have.rows) == len(p.Changes)+len(p.Kept) && rows(below) != drifted {
			t.Fatalf("%d rows below the heading, and %d changes are drift:\n%s", rows(below), drifted, md)
		}
	})
}
