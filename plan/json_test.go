package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flexsync/schema"
)

func TestSavedPlan(t *testing.T) {
	for _, p := range []*Plan{
		richPlan(t),
		compute(t, Input{Config: config(), Snapshot: account()}),
		compute(t, Input{Config: config(declare("A")), Snapshot: account(have(1, "B")), NoDelete: true}),
	} {
		doc := asJSON(t, p)
		q, err := Read(doc)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(doc), string(asJSON(t, q))); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(changes(p), changes(q)); diff != "" {
			t.Error(diff)
		}
		if !json.Valid(doc) || bytes.Count(doc, []byte("\n")) < 10 {
			t.Errorf("%s", doc)
		}
	}
}

// A saved plan knows that nothing is to be deleted, whether or not there was
// anything to delete when it was made.
func TestSavedPlanKeepsNoDelete(t *testing.T) {
	for _, noDelete := range []bool{false, true} {
		doc := asJSON(t, compute(t, Input{Config: config(declare("A")), Snapshot: account(), NoDelete: noDelete}))
		if got := bytes.Contains(doc, []byte(`"no_delete"`)); got != noDelete {
			t.Errorf("with NoDelete %t the document is\n%s", noDelete, doc)
		}
		q, err := Read(doc)
		if err != nil {
			t.Fatal(err)
		}
		if q.NoDelete != noDelete {
			t.Errorf("NoDelete is read as %t, want %t", q.NoDelete, noDelete)
		}
	}
}

// Wherever a document is changed or cut: it is found out, or says the same.
func TestDamagedAnywhere(t *testing.T) {
	doc := asJSON(t, compute(t, Input{
		Config:   config(declare("A ü", on("+2"))),
		Snapshot: account(have(1, "A ü", on("+1")), have(3, "D")),
		Ignore:   globs("X*"),
	}))
	step := 1
	if testing.Short() {
		step = 7
	}
	for i := 0; i < len(doc); i += step {
		for _, damaged := range [][]byte{
			doc[:i],
			slices.Delete(slices.Clone(doc), i, i+1),
			slices.Insert(slices.Clone(doc), i, ' '),
			replaced(doc, i, doc[i]^1),
			replaced(doc, i, doc[i]^0x20),
			replaced(doc, i, '"'),
			replaced(doc, i, 0xff),
		} {
			checkDamaged(t, doc, damaged)
		}
	}
	for _, more := range []string{"x", "{}", " null", "\x00", string(doc)} {
		if _, err := Read(append(slices.Clone(doc), more...)); err == nil {
			t.Errorf("%.20q behind it is accepted", more)
		}
	}
}

func replaced(doc []byte, i int, c byte) []byte {
	doc = slices.Clone(doc)
	doc[i] = c
	return doc
}

func TestReadRefuses(t *testing.T) {
	doc := string(asJSON(t, compute(t, Input{Config: config(declare("A", retry(1))), Snapshot: account(have(1, "A"))})))
	for _, test := range []struct{ name, doc, says string }{
		{"nothing", "", "not a complete JSON document"},
		{"half of it", doc[:len(doc)/2], "not a complete JSON document"},
		{"null", "null", "format_version 1"},
		{"a list", "[]", "not a complete JSON document"},
		{"no version", "{}", "format_version 1"},
		{"another version", strings.Replace(doc, `"format_version": 1`, `"format_version": 2`, 1), "format_version 1"},
		{"a member too many", strings.Replace(doc, `"format_version": 1`, `"format_version": 1, "extra": 1`, 1), "extra"},
		{"a dry run", strings.Replace(doc, `"format_version": 1`, `"format_version": 1, "status": "dry-run"`, 1), "status"},
		{"a report", `{"format_version": 1, "status": "applied"}`, "status"},
		{"an edit", strings.Replace(doc, `"after":1`, `"after":2`, 1), "digest"},
		{"an edited digest", strings.Replace(doc, `"plan_digest": "sha256:`, `"plan_digest": "sha256:0`, 1), "digest"},
		{"an edited date", strings.Replace(doc, "2026-01-02T", "2026-01-03T", 1), "digest"},
		{"another action", strings.Replace(doc, `"action":"update"`, `"action":"replace"`, 1), "replace"},
		{"a key of another integration", strings.Replace(doc, `"retry_count":3`, `"retry_count":3,"timeout":5`, 1), "integration.timeout"},
		{"a field that is none", strings.Replace(doc, `"path":"integration.retry_count"`, `"path":"integration.retries"`, 1), "integration.retries"},
		{"no before", strings.Replace(doc, `"before":{`, `"before":null,"x":{`, 1), ""},
		{"a null change", strings.Replace(doc, `"changes": [`, `"changes": [null,`, 1), "action"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.doc == doc {
				t.Fatal("the test changes nothing")
			}
			_, err := Read([]byte(test.doc))
			var damaged *DamagedError
			if !errors.As(err, &damaged) {
				t.Fatalf("%v", err)
			}
			contains(t, err.Error(), test.says, "flexsync plan --out")
		})
	}
}

// A plan that fits its digest and makes no sense is refused, too.
func TestReadRefusesNonsense(t *testing.T) {
	flow := have(1, "A").Object
	for name, c := range map[string]Change{
		"no action":                {SID: sid("FO", 1), Before: &flow, After: &flow},
		"a create with a SID":      {Action: Create, SID: sid("FO", 1), After: &flow},
		"an update without a SID":  {Action: Update, Before: &flow, After: &flow},
		"a delete with an after":   {Action: Delete, SID: sid("FO", 1), Before: &flow, After: &flow},
		"a delete without before":  {Action: Delete, SID: sid("FO", 1)},
		"an update without after":  {Action: Update, SID: sid("FO", 1), Before: &flow},
		"a SID that is a path":     {Action: Delete, SID: "FO/../../Accounts", Before: &flow},
		"a step that is none":      {Action: Update, SID: sid("FO", 1), Step: "\x1b[31m", Before: &flow, After: &flow},
		"a delete with a step":     {Action: Delete, SID: sid("FO", 1), Step: StepDisable, Before: &flow},
		"a create that has before": {Action: Create, Before: &flow, After: &flow},
	} {
		t.Run(name, func(t *testing.T) {
			doc := asJSON(t, &Plan{CreatedAt: someTime, Changes: []Change{c}})
			var damaged *DamagedError
			if p, err := Read(doc); !errors.As(err, &damaged) {
				t.Errorf("%v, %v", p, err)
			}
		})
	}
}

// The keys of the document are a promise to scripts.
func TestDocumentKeys(t *testing.T) {
	p := richPlan(t)
	p.Kept = []Kept{{Key: key("K"), SID: sid("FO", 1), Object: schema.Flows.Make(nil)}}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(asJSON(t, p), &doc); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"format_version", "flexsync_version", "created_at", "account_sid", "base_url", "config_digest", "plan_digest", "state",
		"ignore", "only", "managed", "names", "summary", "changes", "kept", "warnings", "refusals",
	} {
		if _, ok := doc[key]; !ok {
			t.Errorf("no %s", key)
		}
		delete(doc, key)
	}
	for key := range doc {
		t.Errorf("%s is new", key)
	}
	var b bytes.Buffer
	if err := p.WriteJSON(&b, "dry-run"); err != nil {
		t.Fatal(err)
	}
	contains(t, b.String(), `"status": "dry-run"`)

	// Empty lists are lists, so that a script need not care.
	contains(t, string(asJSON(t, &Plan{})), `"ignore": []`, `"only": []`, `"managed": []`, `"changes": []`, `"warnings": []`, `"refusals": []`, `"state": {}`)
}

func TestConfigDigest(t *testing.T) {
	digest := func(in Input) string {
		in.Snapshot = account()
		return compute(t, in).ConfigDigest()
	}
	base := digest(Input{Config: config(declare("A"), declare("B"))})
	moved := declare("B")
	moved.Pos.File, moved.Pos.Line = "other.yaml", 99
	if digest(Input{Config: config(moved, declare("A"))}) != base {
		t.Error("where a flow stands changes the digest")
	}
	seen := map[string]int{base: -1}
	for i, cfg := range []func() []edit{
		func() []edit { return []edit{retry(1)} }, func() []edit { return []edit{pin(1)} }, func() []edit { return []edit{old("X")} },
		func() []edit { return []edit{old("X", "Y")} }, func() []edit { return []edit{old("Y", "X")} }, func() []edit { return []edit{leave("enabled")} },
	} {
		d := digest(Input{Config: config(declare("A", cfg()...), declare("B"))})
		if j, twice := seen[d]; twice {
			t.Errorf("configurations %d and %d have one digest", i, j)
		}
		seen[d] = i
	}
	for _, other := range []func() Input{
		func() Input {
			c := config(declare("A"), declare("B"))
			c.AccountSID = sid("AC", 1)
			return Input{Config: c}
		},
		func() Input { c := config(declare("A"), declare("B")); c.Ignore = globs("X"); return Input{Config: c} },
	} {
		if digest(other()) == base {
			t.Error("a change of the configuration leaves the digest")
		}
	}
}

// FuzzRead: whatever the bytes, no panic, and what is read is what is written.
func FuzzRead(f *testing.F) {
	f.Add(asJSON(f, compute(f, Input{Config: config(), Snapshot: account()})))
	f.Add(asJSON(f, compute(f, Input{Config: config(declare("A", on("+2")), declare("B", on("+1"))), Snapshot: account(have(1, "A", on("+1")), have(2, "B", on("+2")))})))
	f.Add([]byte(`{"format_version": 1, "changes": [null, {}], "state": null}`))
	f.Add([]byte(`{"format_version": 1, "created_at": "9999-12-31T23:59:59Z", "kept": [{"flow": {"integration": null}}]}`))
	f.Add([]byte(fmt.Sprintf(`{"format_version": 1, "x": %s1%s}`, strings.Repeat("[", 200), strings.Repeat("]", 200))))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Read(data)
		if err != nil {
			var damaged *DamagedError
			if !errors.As(err, &damaged) {
				t.Fatal(err)
			}
			return
		}
		again := asJSON(t, p)
		q, err := Read(again)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, asJSON(t, q)) {
			t.Fatal("read twice, and not the same")
		}
		Dependencies(p.Changes)
	})
}

// FuzzChange does without the digest, which a fuzzer does not guess.
func FuzzChange(f *testing.F) {
	p := richPlan(f)
	for i := range p.Changes {
		b, err := json.Marshal(jsonOf(&p.Changes[i]))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		read := func(data []byte) (Change, error) {
			var j jsonChange
			if err := decode(data, &j); err != nil {
				return Change{}, err
			}
			return j.accept()
		}
		c, err := read(data)
		if err != nil {
			return
		}
		b, err := json.Marshal(jsonOf(&c))
		if err != nil {
			t.Fatal(err)
		}
		again, err := read(b)
		if err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if diff := cmp.Diff(c, again, asText); diff != "" {
			t.Fatal(diff)
		}
	})
}
