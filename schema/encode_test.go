package schema

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"flexsync/internal/glob"
)

// hostile are texts that a writer of YAML gets wrong.
var hostile = []string{
	"null", "~", "true", "Yes", "off", "n", "12", "+15551230000", "0x1F", "1e3", "-.inf", ".nan", "2016-08-01", "1:30",
	" leading", "trailing ", "a: b", "a #b", "#x", "- a", "-", "?", "? a", "---", "...", "%YAML 1.2", "@x", "`x", "&a", "*a", "!t",
	"<<", "=", "|", ">", "[a]", "{a}", "a, b", "'", "''", `"`, `\`, `\n`, "a\nb", "a\r\nb", "\n", "\t", "\u0000", "\u007f", "\u0085",
	"\u2028", "\u2029", "\ufeff", "\ufffd", "\uffff", "\U0010ffff", "\u202e", "e\u0301", "Zürich", "日本", "😀", "👩‍👩‍👧",
	"$", "$$", "${", "${x}", "$${x}", "$$${x}", "$$$${", "}${", "a${b", "::error::x", "x: |\n  y", "FO00000000000000000000000000000001",
}

func genText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom(hostile),
		rapid.String(),
		rapid.Custom(func(t *rapid.T) string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom(hostile), 1, 4).Draw(t, "parts"), rapid.SampledFrom([]string{"", " "}).Draw(t, "between"))
		}),
	)
}

func genSID(prefix string) *rapid.Generator[string] {
	return rapid.Map(rapid.IntRange(0, 3), func(n int) string { return fmt.Sprintf("%s%032x", prefix, n) })
}

// genObject draws a flow or an address that can be declared.
func genObject() *rapid.Generator[Object] {
	return rapid.Custom(func(t *rapid.T) Object {
		k := rapid.SampledFrom(Kinds).Draw(t, "kind")
		variants := k.Variant.Enum
		if !k.Variant.Required {
			variants = append([]string{""}, variants...)
		}
		variant := rapid.SampledFrom(variants).Draw(t, "variant")
		channel := rapid.SampledFrom(k.Channel.Enum).Draw(t, "channel")
		o := k.Make(Values{k.Variant.Path: variant})
		right := func(f *Field) func(string) bool { return func(s string) bool { return f.checkString(s).Message == "" } }
		for f := range k.In(k.of(variant)) {
			var v Value
			switch {
			case f == k.Variant:
				v = variant
			case f == k.Channel:
				v = channel
			case f == k.ID && k.ByContact():
				v = k.prefixes[channel] + genText().Filter(right(f)).Draw(t, f.Path)
			case f == k.ID:
				v = genText().Filter(right(f)).Draw(t, f.Path)
			case f == k.Contact:
				v = rapid.OneOf(rapid.Just(""), genText()).Draw(t, f.Path)
			case f.Type == Words:
				v = NewWordSet(rapid.SliceOfN(rapid.SampledFrom(f.Enum), 1, 3).Draw(t, f.Path))
			case f.Enum != nil:
				v = rapid.SampledFrom(f.Enum).Draw(t, f.Path)
			case f.SIDOrName:
				v = rapid.OneOf(genSID(f.SID), rapid.Just("default"), genText().Filter(right(f))).Draw(t, f.Path)
			case f.SID != "":
				v = genSID(f.SID).Draw(t, f.Path)
			case f.rule == urlRule:
				v = "https://example.com/" + rapid.StringMatching(`[a-z0-9/?&=#$.:@{}-]*`).Draw(t, f.Path)
				if f.rule.check(v.(string)).Message != "" {
					v = "https://example.com/${x}"
				}
			case f.rule == countryRule:
				v = rapid.SampledFrom([]string{"", "US", "NO"}).Draw(t, f.Path)
			case f.rule == methodRule:
				v = rapid.SampledFrom([]string{"get", "POST"}).Draw(t, f.Path)
			case f.Type == String:
				v = rapid.OneOf(rapid.Just(""), genText()).Filter(right(f)).Draw(t, f.Path)
			case f.Type == Int:
				v = rapid.Int64Range(f.Min, f.Max).Draw(t, f.Path)
			case f.Default == nil && f.Type == Bool:
				v = rapid.SampledFrom([]Value{nil, true, false}).Draw(t, f.Path)
			default:
				v = rapid.Bool().Draw(t, f.Path)
			}
			o.Set(f, v)
		}
		return o
	})
}

// genExport draws flows and addresses that can stand in one file, with everything
// around them.
func genExport() *rapid.Generator[Export] {
	return rapid.Custom(func(t *rapid.T) Export {
		e := Export{
			Kinds:  Kinds,
			Header: rapid.SliceOfN(genText(), 0, 2).Draw(t, "header"),
			Names:  map[string]string{},
		}
		if rapid.Bool().Draw(t, "account") {
			e.AccountSID = genSID("AC").Draw(t, "account SID")
		}
		objects := rapid.SliceOfNDistinct(genObject(), 0, 6, func(o Object) Key { return o.Key() }).Draw(t, "objects")
		slices.SortStableFunc(objects, func(a, b Object) int { return slices.Index(Kinds, a.Kind) - slices.Index(Kinds, b.Kind) })
		claimed := map[TypedClaim]bool{}
		routed := map[Claim]bool{} // by flows
		for i, o := range objects {
			on := o
			on.Set(o.Kind.Enabled, true)
			claim := on.Claim()
			if claimed[claim] && claim != (TypedClaim{}) || o.Kind.ByContact() && routed[o.Route()] {
				o.Set(o.Kind.Enabled, false)
			}
			claimed[claim] = true
			if !o.Kind.ByContact() && o.Get(o.Kind.Contact) != nil {
				routed[o.Route()] = true
			}
			e.Entries = append(e.Entries, ExportEntry{Object: o, SID: fmt.Sprintf("%s%032x", o.Kind.SID, 100+i), Pin: !o.Kind.ByContact() && rapid.Bool().Draw(t, "pin"), Comment: rapid.SliceOfN(genText(), 0, 2).Draw(t, "comment")})
		}
		for _, name := range rapid.SliceOfN(genText(), 0, 3).Draw(t, "ignored") {
			ignored := func(o Object) bool { return o.ID() == name }
			if name != "" && !slices.ContainsFunc(objects, ignored) {
				e.Ignore = append(e.Ignore, ExportIgnore{glob.Quote(name), genText().Draw(t, "comment")})
			}
		}
		for _, sid := range []string{genSID("IS").Draw(t, "named"), genSID("FW").Draw(t, "named"), genSID("WS").Draw(t, "named")} {
			e.Names[sid] = genText().Draw(t, "name")
		}
		return e
	})
}

// load reads what Encode wrote, and puts SIDs back in place of names.
func load(t interface{ Fatalf(string, ...any) }, e Export) *Config {
	text := e.Encode()
	config, err := Load([]string{"-"}, Options{Stdin: strings.NewReader(string(text))})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	sids := map[string]string{}
	for sid, name := range e.Names {
		sids[sid[:2]+name] = sid
	}
	for i := range config.Resources {
		for _, ref := range config.Resources[i].Names {
			config.Resources[i].Set(ref.Field, sids[ref.Field.SID+ref.Name])
		}
	}
	return config
}

// TestEncodeLoad is the law that export then load changes nothing, whatever
// text the flows and addresses hold.
func TestEncodeLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := genExport().Draw(t, "export")
		config := load(t, e)
		if config.AccountSID != e.AccountSID {
			t.Fatalf("account %q, want %q", config.AccountSID, e.AccountSID)
		}
		for i, entry := range e.Ignore {
			if got := config.Ignore[i].String(); got != entry.Pattern {
				t.Fatalf("ignore %q, want %q", got, entry.Pattern)
			}
		}
		if len(config.Resources) != len(e.Entries) {
			t.Fatalf("%d are declared, want %d", len(config.Resources), len(e.Entries))
		}
		for i, want := range e.Entries {
			got := config.Resources[i]
			if diff := cmp.Diff(want.String(), got.String()); diff != "" || want.Object != got.Object {
				t.Fatalf("%s %d (-want +got):\n%s\n%s", want.Kind.Name, i, diff, e.Encode())
			}
			if want.Pin != (got.SID == want.SID) {
				t.Fatalf("%s %d is pinned to %q", want.Kind.Name, i, got.SID)
			}
		}
		for _, r := range string(e.Encode()) {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("the YAML holds the unprintable %U", r)
			}
		}
	})
}

// TestDeclarable is the law that Problems and the loader agree on what can be
// declared.
func TestDeclarable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := genObject().Draw(t, "object")
		if problems := o.Problems(); problems != nil {
			t.Fatalf("a good %s has problems: %v", o.Kind.Name, problems)
		}
		f := rapid.SampledFrom(slices.Collect(o.Kind.In(o.Kind.of(o.Variant())))).Draw(t, "field")
		switch f.Type {
		case String:
			s := genText().Filter(func(s string) bool { return f != o.Kind.Variant || s != "" }).Draw(t, "text")
			if f == o.Kind.Variant && slices.Contains(f.Enum, s) {
				return
			}
			o.Set(f, s)
		case Int:
			o.Set(f, rapid.Int64().Draw(t, "number"))
		case Words:
			o.Set(f, NewWordSet(rapid.SliceOfN(genText(), 0, 2).Draw(t, "words")))
		}
		text := Export{Kinds: []*Kind{o.Kind}, Entries: []ExportEntry{{Object: o}}}.Encode()
		_, err := Load([]string{"-"}, Options{Stdin: strings.NewReader(string(text))})
		if problems := o.Problems(); (err == nil) != (problems == nil) && (o.Variant() != "" || o.Kind.Variant.Required) {
			t.Fatalf("Load says %v, Problems says %q\n%s", err, problems, text)
		}
	})
}

func TestProblems(t *testing.T) {
	flow := Flows.Make(Values{"friendly_name": "a\x00b", "chat_service_sid": "IS1", "channel_type": "fax", "integration_type": Studio, "integration.retry_count": int64(9)})
	want := []string{
		`friendly_name: the name "a\x00b" contains a control character`,
		`chat_service_sid: expected a SID of type IS (chat service), found "IS1"`,
		`channel_type: "fax" is not one of web, sms, facebook, whatsapp, line, custom`,
		`integration.flow_sid: is missing`,
		`integration.retry_count: 9 is out of range`,
	}
	if diff := cmp.Diff(want, flow.Problems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	bad := Flows.Make(Values{"friendly_name": "\xff", "chat_service_sid": "IS00000000000000000000000000000001", "channel_type": "web", "contact_identity": "\xff"})
	if problems := bad.Problems(); len(problems) != 2 {
		t.Errorf("invalid UTF-8 gives %q", problems)
	}
}

// TestEncodeGolden shows what an export looks like.
func TestEncodeGolden(t *testing.T) {
	is, fw := "IS00000000000000000000000000000001", "FW00000000000000000000000000000001"
	e := Export{
		Kinds:      []*Kind{Flows},
		Header:     []string{"An account with everything", "", "two\nlines"},
		AccountSID: "AC00000000000000000000000000000001",
		Ignore:     []ExportIgnore{{"FO00000000000000000000000000000009", "\"a\x1b[31m\": the name contains a control character"}, {glob.Quote("a*b?[c]"), ""}},
		Names:      map[string]string{fw: "Messaging IVR"},
		Entries: []ExportEntry{
			{Object: Flows.Make(Values{"friendly_name": "Support SMS", "chat_service_sid": is, "channel_type": "sms", "contact_identity": "+15551230000", "enabled": true, "janitor_enabled": true,
				"integration_type": Studio, "integration.flow_sid": fw, "integration.retry_count": int64(3)})},
			{SID: "FO00000000000000000000000000000002", Pin: true, Comment: []string{"one of two of this name"},
				Object: Flows.Make(Values{"friendly_name": "Yes", "chat_service_sid": is, "channel_type": "web", "janitor_enabled": true, "long_lived": true,
					"integration_type": Task, "integration.workspace_sid": "WS00000000000000000000000000000001", "integration.workflow_sid": "WW00000000000000000000000000000001",
					"integration.channel": "default", "integration.timeout": int64(60), "integration.creation_on_message": false})},
			{Object: Flows.Make(Values{"friendly_name": "Café: ${x}\u202e", "chat_service_sid": is, "channel_type": "custom", "contact_identity": "null", "enabled": true, "janitor_enabled": true,
				"integration_type": External, "integration.url": "https://hooks.example.com/flexflow", "integration.retry_count": int64(0)})},
			{Object: Flows.Make(Values{"friendly_name": "No Integration", "chat_service_sid": is, "channel_type": "line", "enabled": true, "janitor_enabled": true})},
		},
	}
	got := string(e.Encode())
	const golden = "testdata/export.yaml"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("YAML (-want +got):\n%s", diff)
	}
	load(t, e)
	if got := string(Export{Kinds: []*Kind{Flows}}.Encode()); got != "version: 1\nflows: []\n" {
		t.Errorf("an empty account gives %q", got)
	}
}

// TestOrder is the law that it does not matter how flows and addresses are spread over
// files, nor in which order the files are given.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		e := genExport().Draw(t, "export")
		parts := make([]Export, 3)
		for i := range parts {
			parts[i].Kinds, parts[i].AccountSID = Kinds, e.AccountSID
		}
		for _, f := range e.Entries {
			p := &parts[rapid.IntRange(0, len(parts)-1).Draw(t, "part")]
			p.Entries = append(p.Entries, f)
		}
		var paths []string
		for i, p := range parts {
			path := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
			if err := os.WriteFile(path, p.Encode(), 0o600); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
		}
		declared := func(paths []string) []string {
			config, err := Load(paths, Options{})
			if err != nil {
				t.Fatalf("%v", err)
			}
			var texts []string
			for _, f := range config.Resources {
				b, err := json.Marshal(f)
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, string(b))
			}
			slices.Sort(texts)
			return texts
		}
		want := declared(paths)
		if diff := cmp.Diff(want, declared(rapid.Permutation(paths).Draw(t, "order"))); diff != "" {
			t.Fatalf("the order matters:\n%s", diff)
		}
	})
}

// TestEncodeShared is what moves to defaults, and what stays where a reader
// looks for it.
func TestEncodeShared(t *testing.T) {
	sid := func(prefix string, n int) string { return fmt.Sprintf("%s%032x", prefix, n) }
	task := func(name, channel string) ExportEntry {
		return ExportEntry{Object: Flows.Make(Values{"friendly_name": name, "channel_type": channel, "chat_service_sid": sid("IS", 1), "enabled": true, "integration_type": Task,
			"integration.workspace_sid": sid("WS", 1), "integration.workflow_sid": sid("WW", 1), "integration.channel": "chat", "integration.timeout": int64(60)})}
	}
	studio := ExportEntry{Object: Flows.Make(Values{"friendly_name": "C", "channel_type": "web", "chat_service_sid": sid("IS", 1), "integration_type": Studio, "integration.flow_sid": sid("FW", 1), "integration.retry_count": int64(1)})}
	none := ExportEntry{Object: Flows.Make(Values{"friendly_name": "D", "channel_type": "web", "chat_service_sid": sid("IS", 1), "enabled": true})}
	e := Export{
		Kinds:    []*Kind{Flows},
		Names:    map[string]string{sid("WS", 1): "Flex"},
		Channels: true,
		Entries:  []ExportEntry{task("A", "sms"), task("B", "sms"), studio, none},
	}
	const want = `version: 1
defaults:
  chat_service_sid: IS00000000000000000000000000000001
  integration:
    workspace: Flex
    timeout: 60
flows:
  # sms
  - friendly_name: A
    channel_type: sms
    enabled: true
    integration_type: task
    integration:
      workflow_sid: WW00000000000000000000000000000001
      channel: chat

  - friendly_name: B
    channel_type: sms
    enabled: true
    integration_type: task
    integration:
      workflow_sid: WW00000000000000000000000000000001
      channel: chat

  # web
  - friendly_name: C
    channel_type: web
    enabled: false
    integration_type: studio
    integration:
      flow_sid: FW00000000000000000000000000000001
      retry_count: 1

  - friendly_name: D
    channel_type: web
    enabled: true
`
	if diff := cmp.Diff(want, string(e.Encode())); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
	for i, d := range load(t, e).Resources {
		if diff := cmp.Diff(e.Entries[i].String(), d.String()); diff != "" || e.Entries[i].Object != d.Object {
			t.Errorf("read back (-want +have):\n%s", diff)
		}
	}
	e.Entries = e.Entries[:1]
	if text := string(e.Encode()); strings.Contains(text, "defaults") || strings.Contains(text, "# sms") {
		t.Errorf("one flow shares nothing with itself:\n%s", text)
	}
}
