package schema

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// loadPieces is loadText with pieces of the given size, and says whether the
// text was read in pieces.
func loadPieces(text string, pieceSize int) (whole contents, inPieces bool) {
	src, problem := newSource("flows.yaml", []byte(text))
	if problem != nil {
		return contents{problems: Problems{*problem}}, false
	}
	vars := &variables{flags: testVars}
	if c, ok := src.readPieces(vars, pieceSize); ok {
		return c, true
	}
	return src.read(vars, 1<<30), false
}

// checkPieces is the law that a file says the same whether or not it is read in
// pieces.
func checkPieces(t *testing.T, text string, pieceSize int) (inPieces bool) {
	t.Helper()
	got, inPieces := loadPieces(text, pieceSize)
	if !inPieces {
		return false
	}
	want, _ := loadPieces(text, 1<<30)
	diff := cmp.Diff(want, got, cmp.AllowUnexported(contents{}, facts{}, placed[string]{}, placed[Glob]{}),
		cmpopts.EquateEmpty(), cmp.Comparer(func(a, b *Field) bool { return a == b }),
		cmp.Comparer(func(a, b Glob) bool { return a.String() == b.String() }))
	if diff != "" {
		t.Fatalf("pieces of %d bytes (-whole +pieces):\n%s\nof\n%s", pieceSize, diff, text)
	}
	return true
}

func FuzzPieces(f *testing.F) {
	for _, pattern := range []string{"testdata/valid/*.yaml", "testdata/invalid/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(data), 1)
		}
	}
	for seed := range uint64(50) {
		f.Add(randomFile(rand.New(rand.NewPCG(seed, 0))), 1+int(seed)*7)
	}
	f.Fuzz(func(t *testing.T, text string, pieceSize int) {
		checkPieces(t, text, max(1, pieceSize))
	})
}

// TestPieces holds random files against the law. Most of them are valid, so
// that the law is not one about fallbacks alone.
func TestPieces(t *testing.T) {
	inPieces := 0
	for seed := range uint64(600) {
		rng := rand.New(rand.NewPCG(seed, 1))
		if checkPieces(t, randomFile(rng), 1+rng.IntN(300)) {
			inPieces++
		}
	}
	if inPieces < 200 {
		t.Errorf("only %d of the files were read in pieces", inPieces)
	}
}

// TestNotInPieces are files that would not say the same in pieces, or that
// cannot be seen through.
func TestNotInPieces(t *testing.T) {
	flow := func(name string) string { return fmt.Sprintf("  - {friendly_name: %s, %s}\n", name, shortFlow) }
	some := flow("A") + flow("B")
	for name, text := range map[string]string{
		"a cut in a quoted text": "version: 1\nflows:\n" + some + "  - friendly_name: \"x\n  - y\"\n    " + blockFlow,
		"a cut in brackets":      "version: 1\nflows:\n" + some + "  - {friendly_name: C, renamed_from: [x,\n  - y], " + shortFlow + "}\n",
		"a key after flows":      "version: 1\nflows:\n" + some + "ignore: [X]\n",
		"another document":       "version: 1\nflows:\n" + some + "---\nversion: 1\nflows:\n" + flow("C") + flow("D"),
		"an end of document":     "version: 1\nflows:\n" + some + "...\n",
		"two documents above":    "version: 1\nignore: [X]\n---\nversion: 1\nflows:\n" + some,
		"an anchor":              "version: 1\nflows:\n" + some + flow("&c C") + flow("D"),
		"an anchor above":        "version: 1\ndefaults: &d {enabled: true}\nflows:\n" + some,
		"an alias":               "version: 1\ndefaults: &d {enabled: true}\nflows:\n" + some + "  - <<: *d\n    friendly_name: E\n    " + blockFlow,
		"another break":          "version: 1\r\nflows:\n" + some,
		"flows in a text":        "version: 1\nignore: [\"a\nflows:\n" + some + "\"]\n",
		"flows in brackets":      "version: 1\nignore: [a,\nflows:\n" + some + "]\n",
		"flows twice":            "version: 1\nflows: []\nflows:\n" + some,
		"no version":             "\nflows:\n" + some,
		"another version":        "version: 2\nflows:\n" + some,
		"a problem":              "version: 1\nflows:\n" + some + flow("A\n    colour: red"),
		"two columns":            "version: 1\nflows:\n" + some + strings.TrimPrefix(flow("C"), " "),
		"no list":                "version: 1\nflows:\n" + "  a: b\n" + some,
		"a tab":                  "version: 1\nflows:\n" + some + "\t\n" + flow("C"),
	} {
		t.Run(name, func(t *testing.T) {
			if _, inPieces := loadPieces(text, 1); inPieces {
				t.Errorf("read in pieces:\n%s", text)
			}
		})
	}
}

const (
	shortFlow = "chat_service_sid: IS00000000000000000000000000000001, channel_type: web"
	blockFlow = "chat_service_sid: IS00000000000000000000000000000001\n    channel_type: web\n"
)

// randomFile is a file of all that YAML has: kinds of text, comments in odd
// places, empty lines; now and then one with a mistake.
func randomFile(rng *rand.Rand) string {
	pick := func(texts ...string) string { return texts[rng.IntN(len(texts))] }
	rarely := func(text string) string {
		if rng.IntN(60) == 0 {
			return text
		}
		return ""
	}
	var b strings.Builder
	b.WriteString(pick("", "---\n", "# comment\n", "\n\n"))
	b.WriteString("version: 1\n")
	b.WriteString(pick("", "ignore: [\"X*\"]\n", "ignore:\n- X*\n", "account_sid: ${account}\n", "defaults:\n  long_lived: true\n  enabled: ${off}\n",
		"defaults:\n  integration_type: studio\n  integration: {flow_sid: FW00000000000000000000000000000001}\n"))
	b.WriteString(rarely("defaults: &d {}\n"))
	b.WriteString("flows:\n")
	indent := pick("", "  ", "    ", " ")
	noise := func() string {
		return pick("", "", "", "\n", "   \n", "# comment\n", indent+"# comment: \"\n", "      # - deep\n") + rarely("stray\n") + rarely("\t\n")
	}
	for i := range 1 + rng.IntN(12) {
		b.WriteString(noise())
		dash := indent + pick("- ", "-   ", "-\n"+indent+"  ")
		in := indent + strings.Repeat(" ", len(dash)-strings.LastIndexByte(dash, '\n')-1-len(indent))
		line := func(first, format string, args ...any) { fmt.Fprintf(&b, first+format+"\n", args...) }
		switch pick("plain", "plain", "quoted", "folded", "flow") {
		case "plain":
			line(dash, "friendly_name: Flow %d%s", i, rarely("\n"+in+"  and more"))
		case "quoted":
			line(dash, "friendly_name: %s", pick(fmt.Sprintf("%q", fmt.Sprintf("é # - %d", i)), fmt.Sprintf("'it''s %d'", i),
				fmt.Sprintf("\"two\n%s   lines %d\"", in, i), fmt.Sprintf("\"a\n%s- b %d\"", indent, i)))
		case "folded":
			line(dash, "friendly_name: %s\n%s  text %d", pick(">-", "|-", "|-2"), in, i)
		case "flow":
			line(dash, "{friendly_name: Flow %d, chat_service_sid: \"${service}\",\n%s channel_type: web%s}", i, in, pick("", ", long_lived: true", ", renamed_from: [a"+fmt.Sprint(i)+"]"))
			continue
		}
		line(in, "chat_service_sid: ${service}%s", pick("", " # the service"))
		line(in, "channel_type: %s", pick("web", "sms", "!!str custom"))
		b.WriteString(noise())
		if rng.IntN(2) == 0 {
			line(in, "contact_identity: %s", pick(`"+1555%07[1]d"`, "${number}%[1]d", "'no number %[1]d'"))
			b2 := strings.ReplaceAll(b.String(), "%07[1]d", fmt.Sprintf("%07d", i))
			b2 = strings.ReplaceAll(b2, "%[1]d", fmt.Sprint(i))
			b.Reset()
			b.WriteString(b2)
		}
		line(in, "renamed_from:\n%s- Old %d", in+pick("", "  "), i)
		b.WriteString(rarely(in + "colour: red\n"))
		b.WriteString(rarely(in + "<<: {enabled: false}\n"))
	}
	return b.String()
}
