package plan

import (
	"fmt"
	"slices"
	"testing"

	"flexsync/internal/yamldoc"
	"flexsync/schema"
	"flexsync/state"

	"github.com/google/go-cmp/cmp"
)

func TestParseLimit(t *testing.T) {
	for _, test := range []struct {
		text string
		of   map[int]int // in scope → may be deleted
	}{
		{"0", map[int]int{0: 0, 100: 0}},
		{"3", map[int]int{0: 3, 100: 3}},
		{"0%", map[int]int{0: 0, 100: 0}},
		{"1%", map[int]int{0: 0, 1: 1, 100: 1, 101: 2}},
		{"25%", map[int]int{1: 1, 4: 1, 5: 2, 8: 2, 9: 3}},
		{"100%", map[int]int{0: 0, 7: 7}},
	} {
		l, err := ParseLimit(test.text)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		if l.String() != test.text {
			t.Errorf("%s is shown as %s", test.text, l)
		}
		for inScope, want := range test.of {
			if got := l.Of(inScope); got != want {
				t.Errorf("%s of %d is %d, want %d", test.text, inScope, got, want)
			}
		}
	}
	for inScope, want := range map[int]int{0: 0, 1: 1, 2: 1, 4: 1, 5: 2, 100: 25, 101: 26} {
		if got := (Limit{}).Of(inScope); got != want {
			t.Errorf("by default %d of %d may be deleted, want %d", got, inScope, want)
		}
	}
	for _, text := range []string{"", "%", "-1", "+1", "101%", "2.5%", "x", "1 %", "0x1", "1_0", "99999999999999999999"} {
		if l, err := ParseLimit(text); err == nil {
			t.Errorf("%q is read as %s", text, l)
		}
	}
}

func TestMaxDeletes(t *testing.T) {
	// Eight flows, the first of which stays.
	flows := func(gone int) []state.Resource {
		var fs []state.Resource
		for i := range 8 {
			name := "A"
			if i > 7-gone {
				name = "X"
			}
			fs = append(fs, have(i+1, fmt.Sprintf("%s%d", name, i)))
		}
		return fs
	}
	keep := func(fs []state.Resource) []schema.Declared {
		var ds []schema.Declared
		for _, f := range fs {
			if f.ID()[0] == 'A' {
				ds = append(ds, declare(f.ID()))
			}
		}
		return ds
	}
	for _, test := range []struct {
		name  string
		gone  int
		in    Input
		more  []state.Resource
		codes []string
		says  []string
	}{
		{name: "a quarter", gone: 2},
		{name: "more than a quarter", gone: 3, codes: []string{"max-deletes"}, says: []string{"3 of the 8 flows", "limit is 2 (25%)", "--max-deletes 3"}},
		{name: "a number", gone: 3, in: Input{MaxDeletes: mustLimit("3")}},
		{name: "more than a number", gone: 4, in: Input{MaxDeletes: mustLimit("3")}, codes: []string{"max-deletes"}, says: []string{"limit is 3 (3)"}},
		{name: "rounded up", gone: 3, in: Input{MaxDeletes: mustLimit("26%")}},
		{name: "none", gone: 1, in: Input{MaxDeletes: mustLimit("0%")}, codes: []string{"max-deletes"}},
		{name: "copies do not count", gone: 2, more: []state.Resource{have(11, "A0"), have(12, "A0"), have(13, "A0")}},
		{name: "copies are in scope", gone: 3, more: []state.Resource{have(11, "A0")}},
		{name: "nothing is deleted", gone: 7, in: Input{NoDelete: true}},
		{name: "ignored ones are not in scope", gone: 2, in: Input{Ignore: globs("A0")}, codes: nil},
		{name: "nor are they in the share", gone: 2, in: Input{Ignore: globs("A0", "A1", "A2", "A3")}, codes: []string{"max-deletes"}, says: []string{"2 of the 4 flows"}},
		{name: "only what is in scope", gone: 4, in: Input{Only: globs("X4", "A*")}, says: nil},
		{name: "only what is in scope, and too much of it", gone: 2, in: Input{Only: globs("X*")}, codes: []string{"max-deletes"}, says: []string{"2 of the 2 flows"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fs := flows(test.gone)
			in := test.in
			in.Config, in.Snapshot = config(keep(fs)...), account(append(fs, test.more...)...)
			if len(test.in.Only) > 0 && len(in.Config.Resources) == 0 {
				in.Config = config(declare("A0"))
			}
			p := compute(t, in)
			if diff := cmp.Diff(test.codes, codes(p.Refusals)); diff != "" {
				t.Errorf("%v (-want +got):\n%s", p.Refusals, diff)
			}
			if len(p.Refusals) > 0 {
				contains(t, p.Refusals[0].Message, test.says...)
			}
		})
	}
}

func TestOneOfFewMayGo(t *testing.T) {
	p := compute(t, Input{Config: config(declare("A")), Snapshot: account(have(1, "A"), have(2, "B"))})
	if len(p.Refusals) > 0 {
		t.Error(p.Refusals)
	}
}

func TestEmptyConfig(t *testing.T) {
	three := account(have(1, "A"), have(2, "B"), have(3, "C"))
	for _, test := range []struct {
		name  string
		in    Input
		codes []string
	}{
		{"refused", Input{Snapshot: three}, []string{"empty-config"}},
		{"refused for one flow, too", Input{Snapshot: account(have(1, "A"))}, []string{"empty-config"}},
		{"covered", Input{Snapshot: three, MaxDeletes: mustLimit("3")}, nil},
		{"covered by a share", Input{Snapshot: three, MaxDeletes: mustLimit("100%")}, nil},
		{"not covered", Input{Snapshot: three, MaxDeletes: mustLimit("2")}, []string{"empty-config"}},
		{"an empty account", Input{Snapshot: account()}, nil},
		{"nothing is deleted", Input{Snapshot: three, NoDelete: true}, nil},
		{"all ignored", Input{Snapshot: three, Ignore: globs("*")}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.in.Config = config()
			p := compute(t, test.in)
			if diff := cmp.Diff(test.codes, codes(p.Refusals)); diff != "" {
				t.Errorf("%v (-want +got):\n%s", p.Refusals, diff)
			}
		})
	}
}

func TestWrongAccount(t *testing.T) {
	one, two, three := sid("AC", 1), sid("AC", 2), sid("AC", 3)
	full := account(have(1, "A")) // of account one
	for _, test := range []struct {
		name          string
		yaml, expects string
		snapshot      *state.Snapshot
		refused       bool
		says          []string
		shown         string
	}{
		{name: "nobody says", snapshot: account()},
		{name: "only the flows say", snapshot: full, shown: one},
		{name: "all say the same", yaml: one, expects: one, snapshot: full, shown: one},
		{name: "the YAML says another than the flows", yaml: two, snapshot: full, refused: true, shown: one,
			says: []string{"flows.yaml:2", two, "the flows belong to account " + one}},
		{name: "the YAML says another than the credentials", yaml: two, expects: one, snapshot: account(), refused: true, shown: one,
			says: []string{two, "the credentials are for account " + one}},
		{name: "the flows say another than the credentials", expects: two, snapshot: full, refused: true, shown: one,
			says: []string{"TWILIO_ACCOUNT_SID", one, two}},
		{name: "the flows say another than both", yaml: two, expects: two, snapshot: full, refused: true, shown: one},
		{name: "the flows say another than the credentials, and what the YAML says", yaml: one, expects: two, snapshot: full, refused: true, shown: one},
		{name: "three accounts", yaml: three, expects: two, snapshot: full, refused: true, shown: one},
		{name: "the YAML alone says", yaml: one, snapshot: account(), shown: one},
		{name: "the credentials alone say", expects: one, snapshot: account(), shown: one},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := config(declare("A"))
			cfg.AccountSID, cfg.AccountSIDPos = test.yaml, yamldoc.Pos{File: "flows.yaml", Line: 2}
			p := compute(t, Input{Config: cfg, Snapshot: test.snapshot, ExpectAccount: test.expects})
			if got := len(p.Refusals) > 0; got != test.refused {
				t.Fatalf("refusals: %v", p.Refusals)
			}
			if test.refused {
				if p.Refusals[0].Code != RefuseWrongAccount {
					t.Error(p.Refusals)
				}
				contains(t, p.Refusals[0].Message, test.says...)
			}
			if p.AccountSID != test.shown {
				t.Errorf("account %q, want %q", p.AccountSID, test.shown)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	cfg := config(
		declare("A", func(d *schema.Declared) { set(d, "chat_service_sid", sid("IS", 2)) }),
		declare("B", on("+1")),
		declare("C"),
	)
	cfg.Warnings = []schema.Warning{{Code: "identity-format", Message: "odd", Pos: yamldoc.Pos{File: "flows.yaml", Line: 3}}}
	p := compute(t, Input{Config: cfg, Snapshot: account(have(1, "A"), have(2, "X", on("+1")), have(3, "Y"))})
	if diff := cmp.Diff([]string{"identity-format", "chat-service-change", "likely-rename", "likely-rename"}, codes(p.Warnings)); diff != "" {
		t.Fatal(diff)
	}
	contains(t, p.Warnings[2].Message, `"B" is created for the identity of "X"`, `renamed_from: ["X"]`)
	contains(t, p.Warnings[3].Message, `"C" looks like a rename of "Y" (`+sid("FO", 3)+`)`, `renamed_from: ["Y"]`)
}

// A deleted and a created flow look like a rename when only a name and switches
// changed. Each deleted flow is named once.
func TestWarnLikelyRename(t *testing.T) {
	web := func(d *schema.Declared) { set(d, "channel_type", "web") }
	for _, test := range []struct {
		name   string
		config []schema.Declared
		have   []state.Resource
		want   []string // what the warnings are about
	}{
		{"without identity", []schema.Declared{declare("A", web)}, []state.Resource{have(1, "X", web)}, []string{`"A" looks like a rename of "X"`}},
		{"and other switches", []schema.Declared{declare("A", web, off(""), long)}, []state.Resource{have(1, "X", web)}, []string{`"A" looks like a rename of "X"`}},
		{"another channel", []schema.Declared{declare("A", web)}, []state.Resource{have(1, "X")}, nil},
		{"another integration", []schema.Declared{declare("A", web, retry(1))}, []state.Resource{have(1, "X", web)}, nil},
		{"another integration type", []schema.Declared{declare("A", on("+1"), task)}, []state.Resource{have(1, "X", on("+1"))}, nil},
		{"another chat service", []schema.Declared{declare("A", web, func(d *schema.Declared) { set(d, "chat_service_sid", sid("IS", 2)) })}, []state.Resource{have(1, "X", web)}, nil},
		{"an identity and other settings", []schema.Declared{declare("A", on("+1"), retry(1))}, []state.Resource{have(1, "X", off("+1"))}, []string{`"A" is created for the identity of "X"`}},
		{"two", []schema.Declared{declare("A", web), declare("B", web)}, []state.Resource{have(1, "X", web), have(2, "Y", web)},
			[]string{`"A" looks like a rename of "X"`, `"B" looks like a rename of "Y"`}},
		{"more than were deleted", []schema.Declared{declare("A", web), declare("B", web)}, []state.Resource{have(1, "X", web)}, []string{`"A" looks like a rename of "X"`}},
		{"a copy", []schema.Declared{declare("A", web), declare("X", web)}, []state.Resource{have(1, "X", web), have(2, "X", web)}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := compute(t, Input{Config: config(test.config...), Snapshot: account(test.have...), MaxDeletes: anyDeletes})
			if len(p.Warnings) != len(test.want) {
				t.Fatalf("%v, want %q", p.Warnings, test.want)
			}
			for i, w := range p.Warnings {
				contains(t, w.Message, test.want[i])
			}
		})
	}
}

// A plan must not leave more flows in the account than Twilio allows, whoever
// manages them.
func TestAccountFull(t *testing.T) {
	full := func(n int) (flows []state.Resource) {
		for i := range n {
			flows = append(flows, have(i+1, fmt.Sprintf("Old %d", i)))
		}
		return flows
	}
	for _, test := range []struct {
		name    string
		there   int
		in      Input
		config  []schema.Declared
		refused bool
	}{
		{name: "the last one", there: 2499, in: Input{Ignore: globs("Old *")}, config: []schema.Declared{declare("A")}},
		{name: "one too many", there: 2500, in: Input{Ignore: globs("Old *")}, config: []schema.Declared{declare("A")}, refused: true},
		{name: "one goes", there: 2500, in: Input{MaxDeletes: anyDeletes, Ignore: globs("Old ?*[1-9]")}, config: []schema.Declared{declare("A")}},
		{name: "none may go", there: 2500, in: Input{NoDelete: true}, config: []schema.Declared{declare("A")}, refused: true},
		{name: "nothing is created", there: 2501, in: Input{Ignore: globs("Old *")}, config: []schema.Declared{declare("Old 1")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := test.in
			in.Config, in.Snapshot = config(test.config...), account(full(test.there)...)
			p := compute(t, in)
			if got := codes(p.Refusals); slices.Contains(got, RefuseAccountFull) != test.refused {
				t.Fatal(p.Refusals)
			}
			if test.refused {
				contains(t, p.Refusals[len(p.Refusals)-1].Message, "2501 flows", "ignored ones included", "2500")
			}
		})
	}
}

// A flow that the run leaves alone and that holds an identity which a change
// takes is named: Twilio will refuse the write.
func TestWarnIdentityHeld(t *testing.T) {
	held, taker := have(1, "Held", on("+15550001111")), declare("Taker", on("+15550001111"))
	typed := declare("Taker", on("+15550001111"), task)
	heldOn := func(d schema.Declared) schema.Declared {
		return declare("Held", on(d.Object.Text(schema.Flows.Contact)))
	}
	const refuses, may = "Twilio refuses it (45210)", "Twilio may refuse it (45210)"
	for _, test := range []struct {
		name   string
		config []schema.Declared
		in     Input
		more   []state.Resource
		says   string // "" is no warning
	}{
		{name: "ignored", config: []schema.Declared{taker}, in: Input{Ignore: globs("Held")}, says: refuses},
		{name: "kept", config: []schema.Declared{taker}, in: Input{NoDelete: true}, says: refuses},
		{name: "deleted", config: []schema.Declared{taker}, in: Input{MaxDeletes: mustLimit("1")}},
		{name: "ignored, and of another type", config: []schema.Declared{typed}, in: Input{Ignore: globs("Held")}, says: may},
		{name: "of both types", config: []schema.Declared{typed}, in: Input{NoDelete: true}, more: []state.Resource{have(2, "Other", on("+15550001111"), task)}, says: refuses},
		{name: "declared, and outside --only", config: []schema.Declared{taker, heldOn(taker)}, in: Input{Only: globs("Taker")}, says: refuses},
		{name: "declared, and of another type", config: []schema.Declared{typed, heldOn(typed)}, says: may},
		{name: "shared already", config: []schema.Declared{declare("Taker", on("+15550001111"), task, long), heldOn(typed)}, more: []state.Resource{have(2, "Taker", on("+15550001111"), task)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.in.Config, test.in.Snapshot = config(test.config...), account(append(test.more, held)...)
			p := compute(t, test.in)
			warned := slices.DeleteFunc(p.Warnings, func(n Notice) bool { return n.Code != warnIdentityHeld })
			if (len(warned) == 1) != (test.says != "") {
				t.Fatalf("warnings: %v", p.Warnings)
			}
			if test.says != "" {
				contains(t, warned[0].Message, test.says, `"Taker"`)
			}
		})
	}
}
