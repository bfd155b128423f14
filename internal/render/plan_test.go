package render

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"flexsync/internal/yamldoc"
	"flexsync/plan"
	"flexsync/schema"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	table "github.com/yuin/goldmark/extension/ast"
	goldtext "github.com/yuin/goldmark/text"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

// The random tests are the same in every run, unless -rapid.seed=0 asks for
// others; -rapid.checks=100000 for more of them, -short for fewer.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": "400", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	flag.Parse()
	if checks := flag.Lookup("rapid.checks").Value; testing.Short() && checks.String() == "400" {
		if err := checks.Set("100"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// saved reads a plan of package plan's golden files: what is shown here is what
// is saved there.
func saved(t testing.TB, name string) *plan.Plan {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "plan", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// place and job are where the plans of these tests are made.
var (
	place = Place{Local: "account.json"}
	job   = Job{Commit: "0123456789abcdef0123456789abcdef01234567", URL: "https://github.com/octo/flows/actions/runs/42"}
)

func text(t fataler, p *plan.Plan, style Style) string {
	var b bytes.Buffer
	if err := Plan(&b, p, PlanOptions{Style: style, Place: place}); err != nil {
		t.Fatalf("%v", err)
	}
	return b.String()
}

func markdown(t fataler, p *plan.Plan, limit int) string {
	var b bytes.Buffer
	if err := PlanMarkdown(&b, p, MarkdownOptions{MaxBytes: limit, Place: place, Version: "v0.1.0", Job: job}); err != nil {
		t.Fatalf("%v", err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"rich", "hostile", "none", "kept", "empty"} {
		p := saved(t, name)
		for ext, got := range map[string]string{
			"txt": text(t, p, Style{}), "color.txt": text(t, p, Style{Color: true}), "md": markdown(t, p, 65_000),
		} {
			t.Run(name+"."+ext, func(t *testing.T) { golden(t, name+"."+ext, got) })
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./internal/render -update writes it", err)
	}
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
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

// flow has a text wherever an account can have one.
func flow(text string) *schema.Object {
	o := schema.Flows.Make(schema.Values{
		"friendly_name": text, "chat_service_sid": text, "channel_type": text, "contact_identity": text, "enabled": true,
		"integration_type": schema.External, "integration.url": text,
	})
	return &o
}

func key(name string) schema.Key { return schema.Key{Kind: schema.Flows, ID: name} }

func sid(prefix string, n int) string { return fmt.Sprintf("%s%032x", prefix, n) }

// fields is what an update shows: the first field is set, the others are changed.
func fields(before, after *schema.Object) (list []plan.FieldChange) {
	for f := range schema.Flows.In(schema.Differ(before, after)) {
		list = append(list, plan.FieldChange{Path: f.Path, Before: before.Get(f), After: after.Get(f)})
	}
	return list
}

// planOf has one change of each action, something kept, a warning and a refusal
// for each text, and the text in all places of them.
func planOf(texts []string) *plan.Plan {
	p := &plan.Plan{AccountSID: "\x1b[31m##[error]", Names: map[string]string{sid("FW", 1): "`\x1b[31m::error::`"}}
	for i, text := range texts {
		at := &yamldoc.Pos{File: "::error::" + text, Line: i}
		other := flow(text + text)
		other.Set(schema.Flows.Enabled, false)
		p.Changes = append(p.Changes,
			plan.Change{Action: plan.Delete, Key: key(text), SID: sid("FO", 3*i), Reason: text, Before: flow(text)},
			plan.Change{Action: plan.Update, Key: key(text), SID: sid("FO", 3*i+1), RenamedFrom: text, Source: at,
				Fields: fields(flow(text), other), Before: flow(text), After: other},
			plan.Change{Action: plan.Create, Key: key(text), Source: at, Fields: fields(flow(""), flow(text)), After: flow(text)})
		p.Kept = append(p.Kept, plan.Kept{Key: key(text), SID: sid("FO", 3*i+2), Reason: text, Object: *flow(text)})
		p.Warnings = append(p.Warnings, plan.Notice{Code: text, Message: text, Source: at})
		p.Refusals = append(p.Refusals, plan.Notice{Code: text, Message: text, Source: at})
	}
	return p
}

func TestHostile(t *testing.T) {
	p := planOf(hostile)
	plain, colored := text(t, p, Style{}), text(t, p, Style{Color: true})
	checkText(t, plain, Style{})
	checkText(t, colored, Style{Color: true})
	if diff := cmp.Diff(plain, paint.ReplaceAllString(colored, "")); diff != "" {
		t.Errorf("colour is not all that differs:\n%s", diff)
	}
	for _, limit := range []int{0, MinMarkdownBytes, 10_000, 65_000, 10 << 20} {
		checkMarkdown(t, p, markdown(t, p, limit), limit)
	}
}

// Whatever the texts: the views keep to their forms.
func TestLawViews(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := planOf(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(hostile), rapid.String()), 0, 30).Draw(t, "texts"))
		width := rapid.SampledFrom([]int{1, 20, 80, 120}).Draw(t, "width")
		for _, style := range []Style{{}, {Color: true}, {Width: width}, {Color: true, Width: width}} {
			text := text(t, p, style)
			checkText(t, text, style)
			var b bytes.Buffer
			if err := Plan(&b, p, PlanOptions{Style: style, Place: place, Compact: true}); err != nil {
				t.Fatalf("%v", err)
			}
			checkText(t, b.String(), style)
			if width := style.Width; width > 0 {
				_, changes, _ := strings.Cut(b.String(), "\n\n")
				for _, line := range strings.Split(changes, "\n")[:len(p.Changes)+len(p.Kept)] {
					if n := Width(paint.ReplaceAllString(line, "")); n > width {
						t.Fatalf("%d cells of %d: %q", n, width, line)
					}
				}
			}
			if lines := strings.Split(text, "\n"); lines[len(lines)-1] != "" || !strings.HasPrefix(lines[len(lines)-2], "Plan: ") {
				t.Fatalf("the last line is not the total:\n%s", text)
			}
		}
		limit := rapid.SampledFrom([]int{0, MinMarkdownBytes, 3000, 65000}).Draw(t, "limit")
		checkMarkdown(t, p, markdown(t, p, limit), limit)
	})
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

func checkText(t fataler, text string, style Style) {
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
	commentLine = regexp.MustCompile(`^<!-- flexsync:plan (([^<>-]|-[^<>-])*) -->\n$`)
	ourText     = regexp.MustCompile(`^[A-Za-z0-9 .,:;?!()'%_→·❌⛔📝➕⏳🔒⚠\x{fe0f}✅/-]*$`)
	ourTags     = regexp.MustCompile(`^(</details>|<details><summary>Field by field( \(\d+ of \d+ changes\))?</summary>)\n$`)
	notShown    = regexp.MustCompile(`(\d+) of (\d+) changes[,.]`)
)

// content is what there is in a plan's Markdown, for a reader.
type content struct {
	rows   []string // the first cells of the table's rows
	blocks int
}

// readMarkdown reads Markdown as GitHub does, and demands that all foreign text is
// inside code.
func readMarkdown(t fataler, source string) (c content) {
	src := []byte(source)
	open, rows := 0, 0
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(goldtext.NewReader(src))
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			if text := string(n.Value(src)); !ourText.MatchString(text) {
				t.Fatalf("outside of code there is %q:\n%s", text, source)
			}
		case *ast.CodeSpan:
			return ast.WalkSkipChildren, nil
		case *ast.FencedCodeBlock:
			c.blocks++
			if string(n.Language(src)) != "diff" {
				t.Fatalf("a block of %q", n.Language(src))
			}
			for i := range n.Lines().Len() {
				at := n.Lines().At(i)
				if line := string(at.Value(src)); line != "\n" && !strings.HasPrefix(line, "- ") && !strings.HasPrefix(line, "+ ") {
					t.Fatalf("in a block: %q", line)
				}
			}
			return ast.WalkSkipChildren, nil
		case *ast.HTMLBlock:
			for i := range n.Lines().Len() {
				at := n.Lines().At(i)
				line := string(at.Value(src))
				if n.PreviousSibling() == nil && i == 0 && commentLine.MatchString(line) {
					continue
				}
				if !ourTags.MatchString(line) {
					t.Fatalf("HTML: %q", line)
				}
				open += strings.Count(line, "<details>") - strings.Count(line, "</details>")
			}
			if n.HasClosure() {
				if at := n.ClosureLine; !commentLine.MatchString(string(at.Value(src))) {
					t.Fatalf("HTML ends with %q", at.Value(src))
				}
			}
		case *ast.Link:
			if string(n.Destination) != job.URL {
				t.Fatalf("a link to %q", n.Destination)
			}
		case *ast.Heading:
			if n.Level == 4 && string(n.Lines().Value(src)) == driftHeading {
				break
			}
			if n.Level != 3 || n.PreviousSibling() == nil || n.PreviousSibling().Kind() != ast.KindHTMLBlock || n.PreviousSibling().PreviousSibling() != nil {
				t.Fatalf("a heading that is not the first:\n%s", source)
			}
		case *table.TableRow:
			rows++
			if n.ChildCount() != 4 {
				t.Fatalf("a row of %d cells:\n%s", n.ChildCount(), source)
			}
			first := n.FirstChild().Lines().At(0)
			c.rows = append(c.rows, string(first.Value(src)))
		case *ast.Document, *ast.TextBlock, *ast.Paragraph, *ast.List, *ast.ListItem, *ast.Emphasis, *table.Table, *table.TableHeader, *table.TableCell:
		default:
			t.Fatalf("there is a %s:\n%s", n.Kind(), source)
		}
		return ast.WalkContinue, nil
	})
	if err != nil || open != 0 {
		t.Fatalf("%v; %d left open:\n%s", err, open, source)
	}
	// No row is lost or split: each line that looks like one is.
	lines := strings.Count(source, "\n| ") - 2*strings.Count(source, "\n| --- |")
	if rows != lines {
		t.Fatalf("%d rows in %d lines:\n%s", rows, lines, source)
	}
	return c
}

// checkMarkdown demands that all foreign text is inside code, that what is counted
// is true, and that deletes and disabled flows come first.
func checkMarkdown(t fataler, p *plan.Plan, text string, limit int) {
	limit = max(limit, MinMarkdownBytes)
	if len(text) > limit {
		t.Fatalf("%d bytes, and the limit is %d", len(text), limit)
	}
	checkPrintable(t, text, "")
	if first, _, _ := strings.Cut(text, "\n"); !commentLine.MatchString(first + "\n") {
		t.Fatalf("the marker is %q", first)
	}
	have := readMarkdown(t, text)
	all := len(p.Changes) + len(p.Kept)
	rowsCut := 0
	if m := notShown.FindStringSubmatch(text[strings.LastIndex(text, "\n**Not shown**")+1:]); m != nil && strings.Contains(text, "**Not shown**") {
		if rowsCut, _ = strconv.Atoi(m[1]); m[2] != strconv.Itoa(all) {
			t.Fatalf("%s of %d changes:\n%s", m[2], all, text)
		}
	}
	if len(have.rows)+rowsCut != all {
		t.Fatalf("%d rows and %d cut are not %d changes:\n%s", len(have.rows), rowsCut, all, text)
	}
	folded := len(p.Changes)
	if m := regexp.MustCompile(`Field by field \((\d+) of (\d+) changes`).FindStringSubmatch(text); m != nil {
		folded, _ = strconv.Atoi(m[1])
	} else if !strings.Contains(text, "Field by field") {
		folded = 0
	}
	if have.blocks != folded {
		t.Fatalf("there are %d diffs, and it says %d:\n%s", have.blocks, folded, text)
	}

	// Deletions are shown before all else.
	harmful, room := 0, 0
	for _, c := range byHarm(p) {
		if harm(c.Change) <= disables {
			harmful++
			room += len(changeRow(p, c))
		}
	}
	for i, first := range have.rows {
		if isHarmful := strings.HasPrefix(first, "❌") || strings.HasPrefix(first, "⛔"); isHarmful != (i < harmful) {
			t.Fatalf("row %d of %d harmful ones is %q", i, harmful, first)
		}
	}
	if len(have.rows) < harmful && room < (limit-600)/2 {
		t.Fatalf("%d of %d harmful changes are shown, and all come to %d bytes of %d:\n%s", len(have.rows), harmful, room, limit, text)
	}
}

// However many flows are deleted, each is named as long as the names fit.
func TestMarkdownKeepsDeletions(t *testing.T) {
	p := &plan.Plan{AccountSID: sid("AC", 1), Refusals: []plan.Notice{{Code: plan.RefuseMaxDeletes, Message: "too many"}}}
	for i := range 400 {
		old, made := fmt.Sprintf("Flow %03d", i), fmt.Sprintf("New %03d", i)
		p.Changes = append(p.Changes, plan.Change{Action: plan.Create, Key: key(made), Fields: fields(flow(""), flow(made)), After: flow(made)})
		p.Changes = append(p.Changes, plan.Change{Action: plan.Delete, Key: key(old), SID: sid("FO", i+1), Before: flow(old)})
	}
	for i := range 300 {
		p.Warnings = append(p.Warnings, plan.Notice{Code: "identity-format", Message: strings.Repeat("odd ", 100), Source: &yamldoc.Pos{File: "flows.yaml", Line: i + 1}})
	}
	text := markdown(t, p, 65_000)
	checkMarkdown(t, p, text, 65_000)
	for i := range 400 {
		if !strings.Contains(text, fmt.Sprintf("`Flow %03d`", i)) {
			t.Fatalf("Flow %03d is deleted, and not shown", i)
		}
	}
	contains(t, text, "**Not shown**, because the limit is 65000 bytes: ", " of 800 changes, ", " of 301 warnings and refusals. ", "max-deletes")
	if strings.Contains(text, "<details>") {
		t.Error("there is a fold with nothing in it")
	}
	if strings.Index(text, "Flow 000") > strings.Index(text, "New 000") && strings.Contains(text, "New 000") {
		t.Error("creates come before deletions")
	}

	text = markdown(t, p, 0)
	checkMarkdown(t, p, text, 0)
	contains(t, text, "of 800 changes", "Flow 000")
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("there is no %q in:\n%s", part, text)
		}
	}
}

// Whatever the account is called and however large the numbers are, the least
// limit is kept to, and says what was cut.
func TestPlanMarkdownFloor(t *testing.T) {
	for _, account := range []string{
		sid("AC", 1), strings.Repeat("`", 40), strings.Repeat("-", 40), strings.Repeat("\x1b", 40), strings.Repeat("\U0010ffff", 10),
		strings.Repeat("`a", 20), strings.Repeat("é", 200), strings.Repeat("<!--", 100),
	} {
		p := &plan.Plan{AccountSID: account}
		for i := range 200 {
			p.Changes = append(p.Changes, plan.Change{Action: plan.Create, Key: key(strings.Repeat("`", 250)), After: flow("")})
			p.Warnings = append(p.Warnings, plan.Notice{Code: "code", Message: fmt.Sprint(i, strings.Repeat("long ", 50))})
			p.Refusals = append(p.Refusals, plan.Notice{Code: "code", Message: fmt.Sprint(i, strings.Repeat("long ", 50))})
		}
		p.Summary = plan.Summary{Create: 1234567, Update: 1234567, Delete: 1234567, Unchanged: 1234567, Ignored: 1234567, Kept: 1234567}
		text := markdown(t, p, MinMarkdownBytes)
		if len(text) > MinMarkdownBytes {
			t.Errorf("account %q: %d bytes, and the limit is %d:\n%s", account, len(text), MinMarkdownBytes, text)
		}
		contains(t, text, "<!-- flexsync:plan ", "refused", "200 of 200 changes", "400 of 400 warnings and refusals")
	}
}

func TestTextShowsHarmFirst(t *testing.T) {
	text := text(t, saved(t, "rich"), Style{})
	last := -1
	for _, head := range []string{"- delete \"Old campaign\"", "- delete \"Same\"", "DISABLED", "~ update \"East\"", "+ create \"Line\"", "warning (", "refused (", "Plan: "} {
		i := strings.Index(text, head)
		if i <= last {
			t.Errorf("%s is at %d, what comes before it at %d", head, i, last)
		}
		last = i
	}
}

// What is folded is counted when it is known what fits.
// A plan that manages addresses does not call them flows.
func TestKindsAreNamed(t *testing.T) {
	address := plan.Change{Action: plan.Delete, Key: schema.Key{Kind: schema.Addresses, ID: "+1"}, SID: sid("IG", 1),
		Before: &schema.Object{Kind: schema.Addresses}}
	for _, test := range []struct {
		managed      []*schema.Kind
		header, none string
	}{
		{[]*schema.Kind{schema.Flows}, "| | Flow | Channel | Change |", "no flows"},
		{[]*schema.Kind{schema.Addresses}, "| | Resource | Channel | Change |", "no addresses"},
		{schema.Kinds, "| | Resource | Channel | Change |", "no flows or addresses"},
	} {
		p := plan.Plan{Managed: map[*schema.Kind][]string{}}
		for _, k := range test.managed {
			p.Managed[k] = nil
		}
		if got := PlanTotals(&p); got != test.none {
			t.Errorf("the totals are %q, want %q", got, test.none)
		}
		p.Changes = []plan.Change{address}
		var b strings.Builder
		if err := PlanMarkdown(&b, &p, MarkdownOptions{}); err != nil {
			t.Fatal(err)
		}
		contains(t, b.String(), test.header)
	}
}

func TestMarkdownCountsDiffs(t *testing.T) {
	p := &plan.Plan{AccountSID: sid("AC", 1), Summary: plan.Summary{Create: 30}}
	for i := range 30 {
		name := fmt.Sprintf("Flow %03d", i)
		p.Changes = append(p.Changes, plan.Change{Action: plan.Create, Key: key(name), Fields: fields(flow(""), flow(name)), After: flow(name)})
	}
	p.Kept = []plan.Kept{{Key: key("Old"), SID: sid("FO", 1), Object: *flow("Old")}}
	text := markdown(t, p, 5_000)
	checkMarkdown(t, p, text, 5_000)
	shown := strings.Count(text, "```diff")
	if shown == 0 || shown == 30 {
		t.Fatalf("%d diffs are no test", shown)
	}
	contains(t, text, fmt.Sprintf("<summary>Field by field (%d of 30 changes)</summary>", shown), fmt.Sprintf("5000 bytes: %d of 30 diffs.", 30-shown), "| 🔒 keep | `Old` |")
}

func TestVerdictAndQuestion(t *testing.T) {
	enabled, disabled := flow("A"), flow("A")
	disabled.Set(schema.Flows.Enabled, false)
	off := plan.Change{Action: plan.Update, Key: key("A"), Before: enabled, After: disabled}
	step := off
	step.Step = plan.StepDisable
	gone := plan.Change{Action: plan.Delete, Key: key("A"), Before: enabled}
	const asked = "Apply these changes to account AC1 (profile prod)? [yes/no] "
	for _, test := range []struct {
		plan              plan.Plan
		verdict, question string
	}{
		{plan.Plan{}, "no changes", asked},
		{plan.Plan{Kept: []plan.Kept{{Key: key("A")}, {Key: key("B")}}}, "no changes to make, 2 flows kept", asked},
		{plan.Plan{Kept: []plan.Kept{{Key: key("A")}, {Key: schema.Key{Kind: schema.Addresses, ID: "+1"}}}}, "no changes to make, 1 flow and 1 address kept", asked},
		{plan.Plan{Summary: plan.Summary{Create: 1}, Changes: []plan.Change{{Action: plan.Create}}}, "1 change", asked},
		{plan.Plan{Summary: plan.Summary{Update: 1}, Changes: []plan.Change{off}}, "1 change, disables 1 flow", "This DISABLES 1 flow.\n" + asked},
		{plan.Plan{Summary: plan.Summary{Update: 1}, Changes: []plan.Change{step}}, "1 change", asked},
		{plan.Plan{Summary: plan.Summary{Update: 2, Delete: 3}, Changes: []plan.Change{off, off, gone, gone, gone}, Refusals: make([]plan.Notice, 1)},
			"refused (5 changes, deletes 3 flows, disables 2 flows)", "This DELETES 3 flows and DISABLES 2 flows.\n" + asked},
	} {
		test.plan.AccountSID = "AC1"
		if got := verdict(&test.plan); got != test.verdict {
			t.Errorf("the verdict is %q, want %q", got, test.verdict)
		}
		if got := Question(&test.plan, Place{Profile: "prod"}, Style{}); got != test.question {
			t.Errorf("the question is %q, want %q", got, test.question)
		}
	}
}

// Whatever a CI system says of its job, the last line is ours.
func TestFooter(t *testing.T) {
	const commit, url = "0123456789abcdef0123456789abcdef01234567", "https://github.com/o/r/actions/runs/1"
	for _, test := range []struct {
		options MarkdownOptions
		want    string
	}{
		{MarkdownOptions{}, "\nAccount `AC1`\n"},
		{MarkdownOptions{Place: Place{Profile: "`x`"}, Version: "v1", Job: Job{commit, url}},
			"\nAccount `AC1` (profile `` `x` ``) · commit `0123456` · flexsync `v1` · [job](" + url + ")\n"},
		{MarkdownOptions{Job: Job{"HEAD", "javascript:alert(1)"}}, "\nAccount `AC1`\n"},
		{MarkdownOptions{Job: Job{"`0123456`", "https://a/)[x](b"}}, "\nAccount `AC1`\n"},
		{MarkdownOptions{Job: Job{commit + "\n", "https://a/b\nc"}}, "\nAccount `AC1`\n"},
		{MarkdownOptions{Job: Job{"", "https://user:pass@a/"}}, "\nAccount `AC1`\n"},
		{MarkdownOptions{Version: "v1", Job: Job{commit, url + strings.Repeat("1", 500)}}, "\nAccount `AC1` · commit `0123456` · flexsync `v1`\n"},
	} {
		if got := test.options.footer("AC1", 400); got != test.want {
			t.Errorf("%+v: %q, want %q", test.options, got, test.want)
		}
	}
}
