package plan

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode"
	"weak"

	"flexsync/internal/yamldoc"
	"flexsync/schema"
	"flexsync/state"

	"github.com/google/go-cmp/cmp"
)

// richPlan has every kind of change, a warning and a refusal.
func richPlan(t testing.TB) *Plan {
	cfg, err := schema.Load([]string{filepath.Join("testdata", "rich.yaml")}, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range cfg.Resources {
		cfg.Resources[i].Pos.File = filepath.ToSlash(cfg.Resources[i].Pos.File)
	}
	for i := range cfg.Warnings {
		cfg.Warnings[i].Pos.File = filepath.ToSlash(cfg.Warnings[i].Pos.File)
	}
	whatsapp := func(d *schema.Declared) { set(d, "channel_type", "whatsapp") }
	web := func(d *schema.Declared) { set(d, "channel_type", "web") }
	janitor := func(d *schema.Declared) { set(d, "janitor_enabled", true) }
	p := compute(t, Input{
		Config: cfg,
		Snapshot: account(
			have(1, "Support Texts", on("+15551230000"), janitor),
			have(2, "Sales WhatsApp", whatsapp, on("whatsapp:+15551230001"), janitor),
			have(3, "East", on("+15551230010"), janitor),
			have(4, "West", on("+15551230011"), janitor),
			have(5, "Same", web, janitor),
			have(6, "Same", web, janitor),
			have(7, "Flex Web Channel Flow", web),
			have(8, "Old campaign", on("+15551230099")),
			have(9, "Twitter", func(d *schema.Declared) { set(d, "channel_type", "custom") }, on("line"), task),
			have(10, "", openIntegration, off("")),
			have(11, "Page", func(d *schema.Declared) { set(d, "channel_type", "facebook") }, off("messenger:1"), openIntegration, janitor),
			have(12, "Nobody's", web),
		),
		BaseURL: "https://flex-api.twilio.com", FlexsyncVersion: "v0.1.0", ExpectAccount: sid("AC", 1),
	})
	p.Names = map[string]string{sid("FW", 1): "Messaging IVR", sid("FW", 2): "Messaging IVR 2 (new)"}
	return p
}

// hostile are texts that want to be read as something else than a name.
var hostile = []string{
	"", " ", "plain", "::error::x", "  ::error::x", "\t::add-mask::x", "a\n::error file=x::y", "a\r\n::error::y", "\ufeff::error::x", "\u2028::error::x", "\u3000::error::x",
	"##[error]x", "a ##[group]x", "###[error]", "##vso[task.setvariable variable=x]y", "#", "##", "####",
	"\x1b[31mred\x1b[0m", "\x1b]0;title\a", "\u009b31m", "\x00", "\b\b\b", "\x7f", "a\rb",
	"\u202egnirts", "\u2066x\u2069", "\u200f", "\u200b", "\U000e0041", "👩‍👩‍👧", "日本語", "Zu\u0308rich",
	"`", "``", "```", "`x`", "a ``` b", "```\n</details>", "~~~", "`````diff", "x`", "\\`",
	"-->", "--!>", "<!--", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</details>", "</summary>", "&lt;b&gt;", "<http://example.com>",
	"@octocat", "@org/team", "#123", "GH-1", "[x](javascript:alert(1))", "![x](http://example.com/x.png)", "[x]: http://example.com", "http://example.com", "www.example.com",
	"*b*", "_b_", "**", "# h", "- x", "1. x", "> q", "| a | b |", "$a$", ":smile:", "---", "===", "\\", `\"`, `"`, "'", "${x}", "true", "null", "-1", "12", "(none)",
	strings.Repeat("long ", 20_000), strings.Repeat("`", 300), strings.Repeat("\u202e", 300), strings.Repeat("##[", 300),
}

// mostHostile are some of them, for a person to look at in the golden files.
var mostHostile = []string{
	"  ::error file=x::y", "a\n::error::y", "a ##[group]x", "\x1b[31mred\x1b[0m", "\u202egnirts", "```\n</details>", "-->", "<script>alert(1)</script>",
	"@octocat #123", "[x](javascript:alert(1))", strings.Repeat("long ", 200),
}

// hostilePlan has hostile texts wherever an account or a file can have them.
func hostilePlan(t testing.TB, hostile []string) *Plan {
	var flows []state.Resource
	cfg := config()
	for i, h := range hostile {
		flows = append(flows, have(100+i, h, on(h), func(d *schema.Declared) {
			set(d, "channel_type", h)
			set(d, "integration.flow_sid", h)
			set(d, "chat_service_sid", h)
		}))
		cfg.Resources = append(cfg.Resources, declare(fmt.Sprintf("Flow %d", i), on(h+h), pin(100+i), func(d *schema.Declared) {
			set(d, "integration_type", schema.External)
			set(d, "integration.url", h)
			set(d, "integration.flow_sid", "")
			d.Pos.File = "::error::" + h
		}))
		cfg.Warnings = append(cfg.Warnings, schema.Warning{Code: "code", Message: h, Pos: yamldoc.Pos{File: h, Line: 1}})
	}
	for i, h := range hostile {
		flows = append(flows, have(500+i, h, off(h)))
		if !slices.Contains([]string{"", " "}, h) && i%3 == 0 {
			cfg.Resources = append(cfg.Resources, declare(h+" new", pin(900+i)))
		}
	}
	p := compute(t, Input{
		Config: cfg, Snapshot: account(flows...), BaseURL: "https://example.com/::error::", ExpectAccount: "\x1b[31m##[error]",
		FlexsyncVersion: "dev\x1b[31m",
	})
	p.Names = map[string]string{sid("FW", 1): "`\x1b[31m::error::`"}
	return p
}

func TestGolden(t *testing.T) {
	quiet := compute(t, Input{Config: config(declare("A")), Snapshot: account(have(1, "A")), ExpectAccount: sid("AC", 1)})
	kept := compute(t, Input{Config: config(declare("A", retry(1))), Snapshot: account(have(1, "A"), have(2, "A"), have(3, "B", on("+1"))), NoDelete: true})
	empty := compute(t, Input{Config: config(), Snapshot: account(have(1, "A"), have(2, "B", task))})
	for _, test := range []struct {
		name string
		plan *Plan
	}{{"rich", richPlan(t)}, {"hostile", hostilePlan(t, mostHostile)}, {"none", quiet}, {"kept", kept}, {"empty", empty}} {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := test.plan.WriteJSON(&b, ""); err != nil {
				t.Fatal(err)
			}
			golden(t, test.name+".json", b.Bytes())
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./plan -update writes it", err)
	}
	want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestHostile(t *testing.T) {
	p := hostilePlan(t, hostile)
	if len(p.Changes) < 2*len(hostile) || len(p.Refusals) == 0 {
		t.Fatalf("%d changes, %d refusals", len(p.Changes), len(p.Refusals))
	}
	doc := asJSON(t, p)
	checkPrintable(t, string(doc), "")
	q, err := Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Changes {
		if diff := cmp.Diff(p.Changes[i].Before, q.Changes[i].Before, asText); diff != "" {
			t.Errorf("JSON does not keep every byte: %s", diff)
		}
	}
}

// fataler is a test or a random one.
type fataler interface{ Fatalf(string, ...any) }

// checkPrintable demands that nothing reaches a terminal or a job runner that
// is not ours.
func checkPrintable(t fataler, text, allowed string) {
	for i, r := range text {
		if r != '\n' && !unicode.IsPrint(r) && !strings.ContainsRune(allowed, r) {
			t.Fatalf("%q in the output: …%q…", r, text[max(0, i-40):min(len(text), i+40)])
		}
	}
	if i := strings.Index(text, "##["); i >= 0 {
		t.Fatalf("a command in …%q…", text[max(0, i-40):min(len(text), i+40)])
	}
	if i := strings.Index(text, "##vso["); i >= 0 {
		t.Fatalf("a command in …%q…", text[max(0, i-40):min(len(text), i+40)])
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			t.Fatalf("a command: %q", line)
		}
	}
}

// TestDetached holds that a detached plan is the same, and keeps nothing of what it was
// made from.
func TestDetached(t *testing.T) {
	t.Parallel()
	p := richPlan(t)
	var want, have, outline bytes.Buffer
	if err := p.WriteJSON(&want, ""); err != nil {
		t.Fatal(err)
	}
	var objects []weak.Pointer[schema.Object]
	var sources []weak.Pointer[yamldoc.Pos]
	for i := range p.Changes {
		c := &p.Changes[i]
		for _, o := range []*schema.Object{c.Before, c.After} {
			if o != nil {
				objects = append(objects, weak.Make(o))
			}
		}
		if c.Source != nil {
			sources = append(sources, weak.Make(c.Source))
		}
	}
	for _, n := range slices.Concat(p.Warnings, p.Refusals) {
		if n.Source != nil {
			sources = append(sources, weak.Make(n.Source))
		}
	}
	p = p.Detached()
	runtime.GC()
	for _, o := range objects {
		if o.Value() != nil {
			t.Error("a resource of the configuration or the account is kept")
		}
	}
	for _, s := range sources {
		if s.Value() != nil {
			t.Error("a position of the configuration is kept")
		}
	}
	if err := p.WriteJSON(&have, ""); err != nil {
		t.Fatal(err)
	}
	if want.String() != have.String() {
		t.Errorf("it differs:\n%s", cmp.Diff(want.String(), have.String()))
	}
	o := p.Outline()
	if o.State != nil || len(o.Kinds()) != len(p.Kinds()) || o.Managed[schema.Flows] != nil {
		t.Errorf("the outline has what is not shown: %+v", o)
	}
	if err := o.WriteJSON(&outline, ""); err != nil {
		t.Fatal(err)
	}
	_, changes, _ := strings.Cut(want.String(), ` "summary"`)
	if !strings.HasSuffix(outline.String(), changes) {
		t.Errorf("the outline shows other changes:\n%s", outline.String())
	}
}
