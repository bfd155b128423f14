package plan

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"flexsync/internal/safetext"
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
	for i := range cfg.Flows {
		cfg.Flows[i].Pos.File = filepath.ToSlash(cfg.Flows[i].Pos.File)
	}
	for i := range cfg.Warnings {
		cfg.Warnings[i].Pos.File = filepath.ToSlash(cfg.Warnings[i].Pos.File)
	}
	whatsapp := func(d *schema.Declared) { d.Flow.ChannelType = "whatsapp" }
	web := func(d *schema.Declared) { d.Flow.ChannelType = "web" }
	janitor := func(d *schema.Declared) { d.Flow.JanitorEnabled = true }
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
			have(9, "Twitter", func(d *schema.Declared) { d.Flow.ChannelType = "custom" }, on("line"), task),
			have(10, "", openIntegration, off("")),
			have(11, "Page", func(d *schema.Declared) { d.Flow.ChannelType = "facebook" }, off("messenger:1"), openIntegration, janitor),
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
	var flows []state.Flow
	cfg := config()
	for i, h := range hostile {
		flows = append(flows, have(100+i, h, on(h), func(d *schema.Declared) {
			d.Flow.ChannelType, d.Flow.FlowSID, d.Flow.ChatServiceSID = h, h, h
		}))
		cfg.Flows = append(cfg.Flows, declare(fmt.Sprintf("Flow %d", i), on(h+h), pin(100+i), func(d *schema.Declared) {
			d.Flow.IntegrationType, d.Flow.URL, d.Flow.FlowSID = schema.External, h, ""
			d.Pos.File = "::error::" + h
		}))
		cfg.Warnings = append(cfg.Warnings, schema.Warning{Code: "code", Message: h, Pos: schema.Pos{File: h, Line: 1}})
	}
	for i, h := range hostile {
		flows = append(flows, have(500+i, h, off(h)))
		if !slices.Contains([]string{"", " "}, h) && i%3 == 0 {
			cfg.Flows = append(cfg.Flows, declare(h+" new", pin(900+i)))
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
		for ext, write := range map[string]func(*bytes.Buffer) error{
			"txt":       func(b *bytes.Buffer) error { return test.plan.WriteText(b, safetext.Style{}) },
			"color.txt": func(b *bytes.Buffer) error { return test.plan.WriteText(b, safetext.Style{Color: true}) },
			"json":      func(b *bytes.Buffer) error { return test.plan.WriteJSON(b, "") },
			"md":        func(b *bytes.Buffer) error { return test.plan.WriteMarkdown(b, 65000) },
		} {
			t.Run(test.name+"."+ext, func(t *testing.T) {
				var b bytes.Buffer
				if err := write(&b); err != nil {
					t.Fatal(err)
				}
				golden(t, test.name+"."+ext, b.Bytes())
			})
		}
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
	var plain, colored bytes.Buffer
	if err := p.WriteText(&plain, safetext.Style{}); err != nil {
		t.Fatal(err)
	}
	checkText(t, plain.String(), safetext.Style{})
	if err := p.WriteText(&colored, safetext.Style{Color: true}); err != nil {
		t.Fatal(err)
	}
	checkText(t, colored.String(), safetext.Style{Color: true})
	if diff := cmp.Diff(plain.String(), paint.ReplaceAllString(colored.String(), "")); diff != "" {
		t.Errorf("colour is not all that differs:\n%s", diff)
	}
	for _, limit := range []int{0, MinMarkdownBytes, 10_000, 65_000, 10 << 20} {
		var md bytes.Buffer
		if err := p.WriteMarkdown(&md, limit); err != nil {
			t.Fatal(err)
		}
		checkMarkdown(t, p, md.String(), limit)
	}
	doc := asJSON(t, p)
	checkPrintable(t, string(doc), "")
	q, err := Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Changes {
		if diff := cmp.Diff(p.Changes[i].Before, q.Changes[i].Before); diff != "" {
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

var paint = regexp.MustCompile("\x1b\\[[0-9;]+m")

func checkText(t fataler, text string, style safetext.Style) {
	allowed := ""
	if style.Color {
		allowed = "\x1b"
		// Each line ends as it began.
		for line := range strings.Lines(text) {
			codes := paint.FindAllString(line, -1)
			if strings.Count(line, "\x1b") != len(codes) || len(codes)%2 != 0 {
				t.Fatalf("escapes: %q", line)
			}
			for i, code := range codes {
				if (code == "\x1b[0m") != (i%2 == 1) {
					t.Fatalf("colours: %q", line)
				}
			}
		}
	}
	checkPrintable(t, text, allowed)
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(line) > 25_000 {
			t.Fatalf("a line of %d characters", utf8.RuneCountInString(line))
		}
	}
}

var (
	commentLine = regexp.MustCompile(`^<!-- flexsync:plan (([^<>-]|-[^<>-])*) -->$`)
	fenceLine   = regexp.MustCompile("^(`{3,})([a-z]*)$")
	ourText     = regexp.MustCompile(`^[A-Za-z0-9 .,:*()#-]*$`)
	ourTags     = regexp.MustCompile(`^(</details>|<details><summary>\d+ more changes</summary>)$`)
)

// checkMarkdown reads Markdown as GitHub does, as far as it needs to, and
// demands that all foreign text is inside code.
func checkMarkdown(t fataler, p *Plan, text string, limit int) {
	limit = max(limit, MinMarkdownBytes)
	if len(text) > limit {
		t.Fatalf("%d bytes, and the limit is %d", len(text), limit)
	}
	checkPrintable(t, text, "")
	lines := strings.Split(text, "\n")
	if !commentLine.MatchString(lines[0]) {
		t.Fatalf("the marker is %q", lines[0])
	}
	fence := ""
	open := 0
	for _, line := range lines[1:] {
		if fence != "" {
			if line == fence {
				fence = ""
			} else if line != "" && !strings.HasPrefix(line, "- ") && !strings.HasPrefix(line, "+ ") {
				t.Fatalf("in a block: %q", line)
			}
			continue
		}
		if m := fenceLine.FindStringSubmatch(line); m != nil {
			if m[2] != "diff" {
				t.Fatalf("a block begins with %q", line)
			}
			fence = m[1]
			continue
		}
		if ourTags.MatchString(line) {
			open += strings.Count(line, "<details>") - strings.Count(line, "</details>")
			continue
		}
		rest, ok := withoutCode(line)
		if !ok || !ourText.MatchString(rest) {
			t.Fatalf("outside of code there is %q: %q", rest, line)
		}
	}
	if fence != "" || open != 0 {
		t.Fatalf("something is left open:\n%s", text)
	}

	// Deletions are shown before all else.
	var deletes []string
	room := 0
	for _, c := range p.byHarm() {
		if c.Action == Delete || c.Disables() {
			deletes = append(deletes, c.SID)
			room += len(nameLine(c))
		}
	}
	if room > (limit-400)/2 {
		return
	}
	for _, sid := range deletes {
		if !strings.Contains(text, "`"+sid+"`") {
			t.Fatalf("the deletion of %s is not shown, and the names of all come to %d bytes of %d:\n%s", sid, room, limit, text)
		}
	}
}

// withoutCode takes the code spans out of a line.
func withoutCode(line string) (rest string, ok bool) {
	var b strings.Builder
	for line != "" {
		i := strings.IndexByte(line, '`')
		if i < 0 {
			b.WriteString(line)
			break
		}
		b.WriteString(line[:i])
		line = line[i:]
		run := len(line) - len(strings.TrimLeft(line, "`"))
		line = line[run:]
		closed := false
		for at := 0; at < len(line); {
			if line[at] != '`' {
				at++
				continue
			}
			n := len(line[at:]) - len(strings.TrimLeft(line[at:], "`"))
			at += n
			if n == run {
				line, closed = line[at:], true
				break
			}
		}
		if !closed {
			return b.String(), false
		}
	}
	return b.String(), true
}

// However many flows are deleted, each is named as long as the names fit.
func TestMarkdownKeepsDeletions(t *testing.T) {
	var flows []state.Flow
	var declared []schema.Declared
	for i := range 400 {
		flows = append(flows, have(i+1, fmt.Sprintf("Flow %03d", i), on(fmt.Sprintf("+1555%07d", i))))
		declared = append(declared, declare(fmt.Sprintf("New %03d", i), task))
	}
	cfg := config(declared...)
	for i := range 300 {
		cfg.Warnings = append(cfg.Warnings, schema.Warning{Code: "identity-format", Message: strings.Repeat("odd ", 100), Pos: schema.Pos{File: "flows.yaml", Line: i + 1}})
	}
	p := compute(t, Input{Config: cfg, Snapshot: account(flows...)})
	var b bytes.Buffer
	if err := p.WriteMarkdown(&b, 65_000); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	checkMarkdown(t, p, text, 65_000)
	for _, f := range flows {
		if !strings.Contains(text, f.SID) {
			t.Fatalf("%s is deleted, and not shown", f.FriendlyName)
		}
	}
	contains(t, text, "**400 of 800 flows are not shown here**", "warnings and refusals are not shown here", "max-deletes")
	if strings.Contains(text, "<details>") {
		t.Error("there is a fold with nothing in it")
	}
	if strings.Index(text, "Flow 000") > strings.Index(text, "New 000") && strings.Contains(text, "New 000") {
		t.Error("creates come before deletions")
	}

	b.Reset()
	if err := p.WriteMarkdown(&b, 0); err != nil {
		t.Fatal(err)
	}
	checkMarkdown(t, p, b.String(), 0)
	contains(t, b.String(), "flows are not shown here", "Flow 000")
}

// Whatever the account is called and however large the numbers are, the least
// limit is kept to, and says what was cut.
func TestMarkdownFloor(t *testing.T) {
	for _, account := range []string{
		sid("AC", 1), strings.Repeat("`", 40), strings.Repeat("-", 40), strings.Repeat("\x1b", 40), strings.Repeat("\U0010ffff", 10),
		strings.Repeat("`a", 20), strings.Repeat("é", 200), strings.Repeat("<!--", 100),
	} {
		p := &Plan{AccountSID: account}
		for i := range 200 {
			p.Changes = append(p.Changes, Change{Action: Create, FriendlyName: strings.Repeat("`", 250), After: &schema.Flow{}})
			p.Warnings = append(p.Warnings, Notice{Code: "code", Message: fmt.Sprint(i, strings.Repeat("long ", 50))})
			p.Refusals = append(p.Refusals, Notice{Code: "code", Message: fmt.Sprint(i, strings.Repeat("long ", 50))})
		}
		p.Summary = Summary{Create: 1234567, Update: 1234567, Delete: 1234567, Unchanged: 1234567, Ignored: 1234567, Kept: 1234567}
		var b bytes.Buffer
		if err := p.WriteMarkdown(&b, MinMarkdownBytes); err != nil {
			t.Fatal(err)
		}
		if b.Len() > MinMarkdownBytes {
			t.Errorf("account %q: %d bytes, and the limit is %d:\n%s", account, b.Len(), MinMarkdownBytes, &b)
		}
		contains(t, b.String(), "<!-- flexsync:plan ", "refused", "**200 of 200 flows are not shown here**", "400 warnings and refusals are not shown here")
	}
}

func TestTextShowsHarmFirst(t *testing.T) {
	var b bytes.Buffer
	if err := richPlan(t).WriteText(&b, safetext.Style{}); err != nil {
		t.Fatal(err)
	}
	last := -1
	for _, head := range []string{"- delete \"Old campaign\"", "- delete \"Same\"", "SWITCHED OFF", "~ update \"East\"", "+ create \"Line\"", "warning (", "refused (", "Plan: "} {
		i := strings.Index(b.String(), head)
		if i <= last {
			t.Errorf("%s is at %d, what comes before it at %d", head, i, last)
		}
		last = i
	}
}
