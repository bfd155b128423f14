package schema

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"flexsync/internal/yamldoc"
)

var lineBreak = regexp.MustCompile(`\r\n|\r|\n`)

// FuzzLoad is the law that no input makes the loader panic or hang, and that
// every problem has a position that the file has.
func FuzzLoad(f *testing.F) {
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
			f.Add(string(data))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		config, err := loadText(text, Options{Vars: testVars})
		if took := time.Since(start); took > 5*time.Second {
			t.Fatalf("%d bytes took %v", len(text), took)
		}
		if err == nil {
			for i := range config.Resources {
				checkLoaded(t, &config.Resources[i])
			}
			return
		}
		problems, ok := err.(yamldoc.Problems)
		if !ok || len(problems) == 0 {
			t.Fatalf("got %T %v, want Problems", err, err)
		}
		lines := lineBreak.Split(strings.TrimPrefix(text, "\ufeff"), -1)
		for _, p := range problems {
			if p.Message == "" {
				t.Fatalf("a problem without words: %+v", p)
			}
			if strings.ContainsAny(p.String()+p.Hint, "\n\x1b") {
				t.Fatalf("a problem with control characters: %q", p)
			}
			if p.Line == 0 && strings.HasPrefix(p.Message, "the files declare neither flows nor addresses") {
				continue
			}
			// A value that is left out may stand behind the end of its line.
			if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1])+2 { // the break has a column, too
				t.Fatalf("%s is not in the file", p)
			}
		}
	})
}

// checkLoaded holds a loaded flow against the rules, names in place of SIDs
// filled in.
func checkLoaded(t *testing.T, d *Declared) {
	t.Helper()
	flow := d.Object
	for _, ref := range d.Names {
		flow.Set(ref.Field, ref.Field.SID+strings.Repeat("0", 32))
	}
	if why := normal(&flow); why != "" {
		t.Fatal(why)
	}
	if problems := flow.Problems(); problems != nil {
		t.Fatalf("a loaded flow breaks the rules: %q", problems)
	}
}

// TestAliasBomb is input that grows by aliases: the answer comes at once.
func TestAliasBomb(t *testing.T) {
	levels := func(first, each string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "version: 1\na0: &a0 %s\n", first)
		for i := 1; i < 30; i++ {
			fmt.Fprintf(&b, "a%d: &a%d "+each+"\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
		}
		return b.String()
	}
	bombs := map[string]string{
		"lists":    levels("[x]", "[%s]"),
		"merges":   levels("{colour: red}", "{<<: [%s]}"),
		"mappings": levels("{colour: red}", "{k: [%s]}"),
		"flows":    strings.Replace(levels("{friendly_name: A}", "{<<: [%s]}"), "a29: &a29", "defaults:", 1),
		"deep":     "version: 1\nignore: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "\n",
		"too deep": "version: 1\nignore: " + strings.Repeat("[", 200000),
		"below the budget": "version: 1\ndefaults: &d {colour: red}\nflows:\n" +
			strings.Repeat("  - {<<: [*d, *d, *d, *d, *d, *d, *d, *d, *d]}\n", 2000),
	}
	for name, text := range bombs {
		t.Run(name, func(t *testing.T) {
			_, err := loadText(text, Options{}) // which would not end
			if problems, ok := err.(yamldoc.Problems); !ok || problems[0].Line == 0 {
				t.Errorf("got %.200v, want a problem with a position", err)
			}
		})
	}
}

// manyFlows is a file of many flows, each with most keys.
func manyFlows(n int) []byte {
	text := []byte("version: 1\ndefaults:\n  chat_service_sid: IS00000000000000000000000000000001\nflows:\n")
	for i := range n {
		text = fmt.Appendf(text, `  - friendly_name: Support line %d
    channel_type: sms
    contact_identity: "+1555%07d"
    enabled: true
    integration_type: studio
    integration:
      flow_sid: FW%032x
      retry_count: 2
    janitor_enabled: true
`, i, i, i%10)
	}
	return text
}

// BenchmarkLoad reads 10,000 flows in one file.
func BenchmarkLoad(b *testing.B) {
	const flows = 10_000
	text := manyFlows(flows)
	path := filepath.Join(b.TempDir(), "flows.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		config, err := Load([]string{path}, Options{})
		if err != nil || len(config.Resources) != flows {
			b.Fatal(err)
		}
	}
}

// BenchmarkParse is the part of BenchmarkLoad that is the YAML parser's.
func BenchmarkParse(b *testing.B) {
	text := manyFlows(10_000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		src, _ := yamldoc.NewSource("", text)
		src.Documents(func(*yamldoc.Node) {})
	}
}
