package render

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"flexsync/apply"
	"flexsync/plan"
)

// Whatever the account is called, the least limit is kept to, and says how much
// was cut.
func TestReportMarkdownFloor(t *testing.T) {
	for _, account := range []string{
		"AC00000000000000000000000000000001", strings.Repeat("`", 40), strings.Repeat("-", 40), strings.Repeat("\x1b", 40), strings.Repeat("é", 5000),
	} {
		r := &apply.Report{Status: apply.Partial, AccountSID: account, ListErr: errors.New(strings.Repeat("long ", 100))}
		for range 1000 {
			r.Results = append(r.Results, apply.Result{Action: plan.Create, FriendlyName: strings.Repeat("`", 200), Status: apply.Failed})
		}
		var b bytes.Buffer
		if err := ReportMarkdown(&b, r, MinMarkdownBytes); err != nil {
			t.Fatal(err)
		}
		if b.Len() > MinMarkdownBytes {
			t.Errorf("account %q: %d bytes, and the limit is %d:\n%s", account, b.Len(), MinMarkdownBytes, &b)
		}
		for _, want := range []string{"<!-- flexsync:apply ", "Not all is applied", "1001 more lines are not shown here"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("account %q: there is no %q:\n%s", account, want, &b)
			}
		}
	}
}
