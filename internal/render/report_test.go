package render

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"flexsync/apply"
	"flexsync/plan"
	"flexsync/schema"
)

// Whatever the account is called, the least limit is kept to, and says how much
// was cut.
func TestReportMarkdownFloor(t *testing.T) {
	for _, account := range []string{
		"AC00000000000000000000000000000001", strings.Repeat("`", 40), strings.Repeat("-", 40), strings.Repeat("\x1b", 40), strings.Repeat("é", 5000),
	} {
		r := &apply.Report{Status: apply.Partial, AccountSID: account, ListErr: errors.New(strings.Repeat("long ", 100))}
		for range 1000 {
			r.Results = append(r.Results, apply.Result{Action: plan.Create, Key: key(strings.Repeat("`", 200)), Status: apply.Failed})
		}
		var b bytes.Buffer
		if err := ReportMarkdown(&b, r, MarkdownOptions{Place: place, Version: "v0.1.0", Job: job}); err != nil {
			t.Fatal(err)
		}
		if b.Len() > MinMarkdownBytes {
			t.Errorf("account %q: %d bytes, and the limit is %d:\n%s", account, b.Len(), MinMarkdownBytes, &b)
		}
		for _, want := range []string{"<!-- flexsync:apply ", "Partially applied", "1001 more lines are not shown here"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("account %q: there is no %q:\n%s", account, want, &b)
			}
		}
	}
}

// TestReportTotals: one line says how each run ended.
func TestReportTotals(t *testing.T) {
	done := apply.Result{Action: plan.Create, Status: apply.Done}
	for _, test := range []struct {
		want   string
		report apply.Report
	}{
		{"Nothing to do: the account matches the YAML.", apply.Report{Status: apply.Unchanged}},
		{"Nothing to do: --no-delete keeps 1 flow that would be deleted.", apply.Report{Status: apply.Unchanged, Kept: map[*schema.Kind]int{schema.Flows: 1}}},
		{"Nothing to do: --no-delete keeps 2 flows and 1 address that would be deleted.", apply.Report{Status: apply.Unchanged, Kept: map[*schema.Kind]int{schema.Flows: 2, schema.Addresses: 1}}},
		{"Applied: 1 created, 2 kept.", apply.Report{Status: apply.Applied, Kept: map[*schema.Kind]int{schema.Flows: 2}, Results: []apply.Result{done}}},
		{"Partially applied: 1 created, 1 failed, 1 skipped. What is done stays done: fix the cause and run again.",
			apply.Report{Status: apply.Partial, Results: []apply.Result{done, {Action: plan.Update, Status: apply.Unknown}, {Action: plan.Delete, Status: apply.Skipped}}}},
		{"Applied, but the account does not match: 1 created. Check the differences and run again.",
			apply.Report{Status: apply.Mismatched, Results: []apply.Result{done}, Mismatches: []apply.Mismatch{{Key: key("A")}}}},
		{"Applied, but not verified: 1 created. Run again to verify.",
			apply.Report{Status: apply.Mismatched, Results: []apply.Result{done}, ListErr: errors.New("no")}},
		{"Interrupted: 1 skipped. Run again to finish.",
			apply.Report{Status: apply.Interrupted, Results: []apply.Result{{Action: plan.Delete, Status: apply.Skipped}}}},
	} {
		if got := ReportTotals(&test.report); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.report.Status, got, test.want)
		}
	}
}

// TestReport: what was shown before is not shown again, what was deleted is there to
// be restored, and the totals come last.
func TestReport(t *testing.T) {
	deleted := schema.Flows.Make(schema.Values{"friendly_name": "C", "chat_service_sid": sid("IS", 1), "channel_type": "web"})
	r := &apply.Report{
		Status: apply.Mismatched,
		Results: []apply.Result{
			{Action: plan.Create, Key: key("A"), SID: sid("FO", 1), Status: apply.Done},
			{Action: plan.Update, Key: key("B"), SID: sid("FO", 2), Status: apply.Done},
			{Action: plan.Delete, Key: key("C"), SID: sid("FO", 3), Status: apply.Done, Before: &deleted},
		},
		Mismatches: []apply.Mismatch{{Key: key("B"), SID: sid("FO", 2), Path: "enabled", Want: true, Have: false}},
		ListErr:    errors.New("\x1b[31mno"),
	}
	var b bytes.Buffer
	if err := Report(&b, r, Style{}, func(res *apply.Result) bool { return res.ID == "A" }); err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, want := range []string{
		"~ updated \"B\"  " + sid("FO", 2) + "\n", "- deleted \"C\"  " + sid("FO", 3) + "\n",
		"! mismatch: \"B\"  " + sid("FO", 2) + ": enabled is false, expected true\n",
		`not verified: \x1b[31mno` + "\n", "\n# What was deleted, to restore it:\n", "friendly_name: C\n", "Applied, but the account does not match: ",
	} {
		i := strings.Index(b.String()[at:], want)
		if i < 0 {
			t.Fatalf("no %q from byte %d on:\n%s", want, at, &b)
		}
		at += i
	}
	if strings.Contains(b.String(), "created \"A\"") {
		t.Errorf("A is shown again:\n%s", &b)
	}
}

// The password of a webhook is in no view, and a text that was meant for restoring a
// flow says that it lacks it.
func TestUserinfo(t *testing.T) {
	const url = "https://user:pass@example.com/hook"
	before, after := flow("A"), flow("A")
	webhook := schema.Flows.Field("integration.url")
	before.Set(webhook, url)
	after.Set(webhook, url+"2")
	p := &plan.Plan{Names: map[string]string{sid("FW", 1): url}, Changes: []plan.Change{
		{Action: plan.Delete, Key: key(url), Before: before, Reason: "see " + url},
		{Action: plan.Update, Key: key("A"), Before: before, After: after, Fields: fields(before, after)},
		{Action: plan.Create, Key: key("A"), After: after, Fields: fields(flow(""), after)},
	}, Warnings: []plan.Notice{{Code: "x", Message: "not " + url}}, Kept: []plan.Kept{{Key: key("B"), Object: *before}}}
	r := &apply.Report{Status: apply.Mismatched, Results: []apply.Result{
		{Action: plan.Delete, Key: key("A"), SID: sid("FO", 1), Status: apply.Done, Before: before},
		{Action: plan.Update, Key: key("B"), Status: apply.Failed, Err: errors.New("no " + url)},
	}, Mismatches: []apply.Mismatch{{Key: key("B"), Path: "integration.url", Want: url, Have: url + "2"}}}
	var report, comment, compact bytes.Buffer
	if err := errors.Join(
		Report(&report, r, Style{}, func(*apply.Result) bool { return false }),
		ReportMarkdown(&comment, r, MarkdownOptions{MaxBytes: 65_000}),
		Plan(&compact, p, PlanOptions{Compact: true}),
	); err != nil {
		t.Fatal(err)
	}
	for _, view := range []string{text(t, p, Style{}), text(t, p, Style{Width: 40}), compact.String(), markdown(t, p, 65_000), report.String(), comment.String()} {
		if strings.Contains(view, "pass@") || !strings.Contains(view, "https://***@example.com/hook") {
			t.Errorf("the userinfo is not masked:\n%s", view)
		}
	}
	if !strings.Contains(report.String(), "Put the secrets back, and the credentials in place of ***") || before.Text(webhook) != url {
		t.Errorf("what is deleted:\n%s", &report)
	}
	r.Results[0].Before = flow("A")
	report.Reset()
	if err := Report(&report, r, Style{}, func(*apply.Result) bool { return false }); err != nil || strings.Contains(report.String(), "credentials") {
		t.Errorf("%v: nothing is missing:\n%s", err, &report)
	}
}
