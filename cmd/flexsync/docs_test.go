package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
	"flexsync/schema"
)

// The tests of the Markdown files. The commands in them are readme_test.go's;
// -update rewrites the tables of docs/yaml.md and the examples of docs/json.md.

// markdownFiles are all Markdown files of the repository, by their paths in it.
func markdownFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules" || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			rel, err := filepath.Rel(repository, path)
			files = append(files, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("found only the Markdown files %q", files)
	}
	return files
}

// A fence of a Markdown file, with what stands behind its backticks.
var fenceRE = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")

// TestREADMEIsShort keeps the README a front door.
func TestREADMEIsShort(t *testing.T) {
	t.Parallel()
	if n := strings.Count(readme(t, "README.md"), "\n"); n > 200 {
		t.Errorf("README.md has %d lines, want at most 200: move what is not for the first hour to docs/", n)
	}
}

// TestMarkdownLinks holds that every relative link and every anchor resolves.
func TestMarkdownLinks(t *testing.T) {
	t.Parallel()
	anchors := make(map[string][]string)
	files := markdownFiles(t)
	for _, file := range files {
		anchors[file] = anchorsOf(readme(t, file))
	}
	linkRE := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, file := range files {
		text := fenceRE.ReplaceAllString(readme(t, file), "")
		for _, m := range linkRE.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target, anchor, hasAnchor := strings.Cut(m[1], "#")
			path := file
			if target != "" {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(file), target))
			}
			if _, err := os.Stat(filepath.Join(repository, path)); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
			} else if hasAnchor && !slices.Contains(anchors[path], anchor) {
				t.Errorf("%s links to %s, and %s has no such heading", file, m[1], path)
			}
		}
	}
}

// anchorsOf are what GitHub calls the headings of a text.
func anchorsOf(text string) []string {
	var anchors []string
	seen := make(map[string]int)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(fenceRE.ReplaceAllString(text, ""), -1) {
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])
		if n := seen[anchor]; n > 0 {
			anchors = append(anchors, fmt.Sprintf("%s-%d", anchor, n))
		} else {
			anchors = append(anchors, anchor)
		}
		seen[anchor]++
	}
	return anchors
}

// notRun are commands that no test runs, each with a reason.
var notRun = map[string]string{
	"export TWILIO_":          "needs a real account",
	"go test ":                "would run this test again",
	"bash .ci/run":            "would run this test again",
	"go run ./internal/bench": "takes 20 minutes",
	"git worktree add ":       "the copy in which commands run is no repository",

	"flexsync plan flows.yaml --base ../main/":         "needs the worktree",
	"flexsync plan --fleet fleet.yaml --base ../main/": "needs the worktree",

	"gh release download ":  "needs a published release",
	"cosign verify":         "needs a published release",
	"sha256sum --check ":    "needs a published release",
	"git clone --branch ":   "needs a published release",
	"cd flexsync":           "needs a published release",
	"CGO_ENABLED=0 GOOS=":   "internal/platform rebuilds a release",
	"tar -xzOf ../flexsync": "needs a published release",
}

// TestDocumentedCommandsRun holds that a block of commands is one that
// TestREADMERuns runs, or has a reason not to be.
func TestDocumentedCommandsRun(t *testing.T) {
	t.Parallel()
	for _, file := range documents(t) {
		for _, m := range fenceRE.FindAllStringSubmatch(readme(t, file), -1) {
			if m[1] == "sh run" || m[1] == "sh run account" || !strings.HasPrefix(m[1], "sh") {
				continue
			}
			for line := range strings.Lines(strings.ReplaceAll(m[2], "\\\n", "")) {
				excused := false
				for prefix := range notRun {
					excused = excused || strings.HasPrefix(line, prefix)
				}
				if !excused {
					t.Errorf("%s: no test runs `%s`: begin the block with ```sh run", file, strings.TrimSpace(line))
				}
			}
		}
	}
}

// documents are the Markdown files that TestREADMERuns follows: those below
// examples/fleet and examples/ci have tests of their own.
func documents(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(markdownFiles(t), func(file string) bool {
		return strings.HasPrefix(file, "examples/fleet/") || strings.HasPrefix(file, "examples/ci/")
	})
}

// TestDocumentedYAMLIsValid holds that every whole document that a page shows
// is valid, whatever its variables are.
func TestDocumentedYAMLIsValid(t *testing.T) {
	t.Parallel()
	valid := 0
	for _, file := range documents(t) {
		for _, m := range fenceRE.FindAllStringSubmatch(readme(t, file), -1) {
			if m[1] != "yaml" || !strings.Contains(m[2], "version: 1\n") {
				continue
			}
			text := m[2]
			if !strings.Contains(text, "\nflows:") {
				text += "flows: []\n"
			}
			runOfflineWith(t, text, exitOK, "validate", "--allow-unset", "-")
			valid++
		}
	}
	if valid < 3 {
		t.Errorf("found only %d documents", valid)
	}
}

// TestCONTRIBUTING holds that the tests and packages that CONTRIBUTING.md names
// are there.
func TestCONTRIBUTING(t *testing.T) {
	t.Parallel()
	text := readme(t, "CONTRIBUTING.md")
	named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`).FindAllString(text, -1)
	if len(named) == 0 {
		t.Fatal("CONTRIBUTING.md names no test")
	}
	var code strings.Builder
	err := filepath.WalkDir(repository, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			var data []byte
			data, err = os.ReadFile(path)
			code.Write(data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range named {
		if !strings.Contains(code.String(), "\nfunc "+name+"(") {
			t.Errorf("CONTRIBUTING.md names %s, and there is no such test", name)
		}
	}
	for _, m := range regexp.MustCompile(`TestScript/(\w+)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat("testdata/script/" + m[1] + ".txtar"); err != nil {
			t.Error(err)
		}
	}
}

// rewrite compares the text between two marks of a page with what it should
// be, or with -update writes it there.
func rewrite(t *testing.T, file, from, to, want string) {
	t.Helper()
	text := readme(t, file)
	before, rest, ok := strings.Cut(text, from)
	have, after, closed := strings.Cut(rest, to)
	if !ok || !closed {
		t.Fatalf("%s has no %q with %q behind it", file, from, to)
	}
	switch {
	case have == want:
	case *update:
		writeText(t, filepath.Join(repository, file), before+from+want+to+after)
	default:
		t.Errorf("%s is out of date: run `go test ./cmd/flexsync -run TestDocs -update`\nbehind %q it has\n%s\nand should have\n%s", file, from, have, want)
	}
}

// TestDocsYAML holds the tables of keys in docs/yaml.md against the JSON Schema
// and the table of fields.
func TestDocsYAML(t *testing.T) {
	var document struct {
		Properties map[string]described
		Defs       map[string]struct {
			described
			Properties map[string]described
		} `json:"$defs"`
	}
	if err := json.Unmarshal(schema.JSONSchema(), &document); err != nil {
		t.Fatal(err)
	}
	table := func(head ...string) *strings.Builder {
		var b strings.Builder
		b.WriteString("| " + strings.Join(head, " | ") + " |\n|" + strings.Repeat(" --- |", len(head)) + "\n")
		return &b
	}
	row := func(b *strings.Builder, cells ...string) {
		for i := range cells {
			cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	meaning := func(key, description string) string {
		if description == "" {
			t.Errorf("the JSON Schema does not describe %s", key)
		}
		return description
	}

	keys := table("Key", "Meaning")
	for _, key := range knownKeys(t, "version: 1\nzzzzzzzz: 1\nflows: []\n") {
		row(keys, "`"+key+"`", meaning(key, document.Properties[key].Description))
	}
	rewrite(t, "docs/yaml.md", "<!-- generated: document keys -->\n", "<!-- end -->", keys.String())

	for _, k := range schema.Kinds {
		keys = table("Key", "Value", "Meaning", "If omitted")
		for i := range k.Fields {
			f := &k.Fields[i]
			key, value := "`"+f.Path+"`", valueOf(f)
			if f.Name != "" {
				key += ", or `" + f.Name + "`"
			}
			doc := f.Doc
			if f.Variants != nil {
				doc = "For `" + strings.Join(f.Variants, "` and `") + "`. " + doc
			}
			row(keys, key, value, doc, omitted(f))
		}
		// The keys that are no fields.
		about := map[string]struct{ value, omitted string }{
			"sid":            {sidForm("FO"), "matched by name"},
			"renamed_from":   {"list of names", "none"},
			"ignore_changes": {"list of keys", "none"},
			"integration":    {"the keys above that begin with `integration.`", "see `integration_type`"},
			"auto_creation":  {"the keys above that begin with `auto_creation.`", "error"},
		}
		for _, key := range knownKeys(t, "version: 1\n"+k.Plural+": [{zzzzzzzz: 1}]\n") {
			if k.Field(key) != nil || isName(key) {
				continue
			}
			a, ok := about[key]
			if !ok {
				t.Errorf("the table says nothing of the key %s", key)
			}
			d := document.Defs[k.Name].Properties[key]
			if d.Ref != "" {
				d.Description = document.Defs[key].Description
			}
			row(keys, "`"+key+"`", a.value, meaning(key, d.Description), a.omitted)
		}
		rewrite(t, "docs/yaml.md", "<!-- generated: "+k.Name+" keys -->\n", "<!-- end -->", keys.String())
	}
}

// described is what the tables take from a key's JSON Schema.
type described struct {
	Description string
	Ref         string `json:"$ref"`
}

// isName reports whether a key gives the name in place of a field's SID.
func isName(key string) bool {
	return slices.ContainsFunc(schema.Flows.Fields, func(f schema.Field) bool { return f.Name == key })
}

func sidForm(prefix string) string { return "`" + prefix + "` and 32 hex digits" }

func valueOf(f *schema.Field) string {
	switch {
	case f.Type == schema.Words:
		return "list of `" + strings.Join(f.Enum, "`, `") + "`"
	case f.Enum != nil:
		return "`" + strings.Join(f.Enum, "`, `") + "`"
	case f.SIDOrName:
		return sidForm(f.SID) + ", or a unique name"
	case f.Name != "":
		return sidForm(f.SID) + ", or the name"
	case f.SID != "":
		return sidForm(f.SID)
	case f.Type == schema.Int && f.Max > 0:
		return fmt.Sprintf("integer, %d to %d", f.Min, f.Max)
	case f.Type == schema.Int:
		return fmt.Sprintf("integer, %d or more", f.Min)
	case f.Type == schema.Bool:
		return "`true` or `false`"
	}
	return "text"
}

func omitted(f *schema.Field) string {
	switch {
	case f.Required:
		return "error"
	case f.Default != nil:
		return fmt.Sprintf("`%v`", f.Default)
	case f.Cleared:
		return "none; the account's value is cleared"
	}
	return "stays as it is in the account"
}

// TestDocsEnvironment holds the table of environment variables against those
// that the code names.
func TestDocsEnvironment(t *testing.T) {
	t.Parallel()
	nameRE := regexp.MustCompile(`^(?:(?:TWILIO|FLEXSYNC|GITHUB|CI|NO)_[A-Z_]+|CI|TERM)$`)
	var named []string
	for _, dir := range []string{".", "../../internal/flexapi", "../../schema"} {
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if s, err := strconv.Unquote(lit.Value); err == nil && nameRE.MatchString(s) {
						named = append(named, s)
					}
				}
				return true
			})
		}
	}
	named = append(named, "FLEXSYNC_VAR_name", "FLEXSYNC_SECRET_name", "HTTPS_PROXY", "NO_PROXY") // schema's, and net/http's
	named = slices.DeleteFunc(named, func(s string) bool { return s == schema.EnvPrefix || s == schema.SecretPrefix })
	slices.Sort(named)
	var documented []string
	for _, row := range table(t, "docs/cli.md", "## Environment") {
		for _, m := range codeRE.FindAllStringSubmatch(row[0], -1) {
			documented = append(documented, m[1])
		}
	}
	compareSets(t, "variable", documented, slices.Compact(named))
}

// The account and the files of the examples in docs/json.md.
const (
	jsonAccount = `{"flows": [
	{"sid": "FO000000000000000000000000000000a1", "friendly_name": "Support SMS", "channel_type": "sms", "contact_identity": "+15005550001",
	 "chat_service_sid": "IS00000000000000000000000000000001", "integration": {"flow_sid": "FW00000000000000000000000000000001"}},
	{"sid": "FO000000000000000000000000000000a2", "friendly_name": "Old Chat", "channel_type": "web", "chat_service_sid": "IS00000000000000000000000000000001"}],
	"services": [{"sid": "IS00000000000000000000000000000001", "friendly_name": "Flex Chat Service"}],
	"studio_flows": [{"sid": "FW00000000000000000000000000000001", "friendly_name": "Messaging IVR"}]}`
	jsonDefaults = "version: 1\ndefaults: {chat_service_sid: IS00000000000000000000000000000001, channel_type: web}\n"
	jsonSMS      = `  - friendly_name: Support SMS
    channel_type: sms
    contact_identity: "+15005550001"
    integration_type: studio
    integration: {studio_flow: Messaging IVR, retry_count: 1}
`
	jsonYAML = jsonDefaults + "flows:\n" + jsonSMS + "  - friendly_name: Web Chat\n"
)

// jsonExamples are the documents that docs/json.md shows, by name. Each is made
// in a directory of its own with the account in account.json and jsonYAML in
// flows.yaml.
var jsonExamples = map[string]func(t *testing.T) string{
	"plan":  func(t *testing.T) string { return local(t, exitOK, "plan", "--format", "json") },
	"apply": func(t *testing.T) string { return local(t, exitOK, "apply", "--yes", "--format", "json") },
	"apply that fails": func(t *testing.T) string {
		writeText(t, "flows.yaml", jsonDefaults+"ignore: [Support SMS, Old Chat]\nflows:\n"+strings.Replace(jsonSMS, "Support SMS", "Second SMS", 1))
		return emulated(t, emulator.Behaviour{Collisions: true}, exitPartial, "apply", "--yes", "--format", "json")
	},
	"apply that is refused": func(t *testing.T) string {
		writeText(t, "flows.yaml", "version: 1\nflows: []\n")
		return local(t, exitRefused, "apply", "--yes", "--format", "json")
	},
	"apply of a stale plan": func(t *testing.T) string {
		local(t, exitOK, "plan", "--out", "plan.json")
		local(t, exitOK, "apply", "--yes", "--only", "Old Chat")
		return local(t, exitStale, "apply", "--plan", "plan.json", "--yes", "--format", "json")
	},
	"apply with a mismatch": func(t *testing.T) string {
		writeText(t, "flows.yaml", jsonDefaults+"ignore: [Old Chat]\nflows:\n"+strings.Replace(jsonSMS, "    contact_identity: \"+15005550001\"\n", "", 1))
		return emulated(t, emulator.Behaviour{EmptyDoesNotClear: true}, exitMismatch, "apply", "--yes", "--format", "json")
	},
	"apply of a fleet": func(t *testing.T) string {
		writeText(t, "fleet.yaml", `version: 1
accounts:
  development: {paths: [flows.yaml], local: development.json}
  staging: {paths: [broken.yaml], local: staging.json}
  production: {paths: [flows.yaml], local: production.json, wave: 2}
`)
		writeText(t, "flows.yaml", jsonDefaults+"flows:\n  - friendly_name: Web Chat\n")
		writeText(t, "broken.yaml", jsonDefaults+"flows:\n  - friendly_name: Web Chat\n    enabeld: false\n")
		stdout, _ := runOffline(t, exitInput, "apply", "--fleet", "fleet.yaml", "--keep-going", "--yes", "--format", "json")
		return stdout
	},
	"whoami": func(t *testing.T) string { return local(t, exitOK, "whoami", "--format", "json") },
	"validate": func(t *testing.T) string {
		writeText(t, "flows.yaml", jsonDefaults+"flows:\n  - friendly_name: Web Chat\n    contact_identity: visitor\n")
		return local(t, exitOK, "validate", "--format", "json")
	},
	"error": func(t *testing.T) string {
		writeText(t, "flows.yaml", jsonDefaults+"flows:\n  - friendly_name: Web Chat\n    enabeld: false\n")
		return local(t, exitInput, "validate", "--format", "json")
	},
	"list": func(t *testing.T) string { return local(t, exitOK, "list", "--format", "json") },
	"code quality": func(t *testing.T) string {
		writeText(t, "flows.yaml", jsonDefaults+"flows:\n  - friendly_name: Web Chat\n    contact_identity: visitor\n")
		local(t, exitOK, "validate", "--code-quality", "report.json")
		return contents(t, "report.json")
	},
	"account file": func(t *testing.T) string {
		local(t, exitOK, "export", "--snapshot", "snapshot.json")
		return contents(t, "snapshot.json")
	},
	"log": func(t *testing.T) string {
		_, stderr := runOffline(t, exitOK, "list", "-v", "--log-format", "json", "--local", "account.json")
		first, _, _ := strings.Cut(stderr, "\n")
		return first
	},
}

// local runs flexsync with the account in account.json.
func local(t *testing.T, want int, args ...string) string {
	t.Helper()
	if args[0] != "validate" {
		args = append(args, "--local", "account.json")
	}
	stdout, _ := runOffline(t, want, args...)
	return stdout
}

// emulated runs flexsync with the account of account.json in a server that
// behaves so.
func emulated(t *testing.T, behaviour emulator.Behaviour, want int, args ...string) string {
	t.Helper()
	server, err := emutest.New(emulator.Options{Seed: []byte(jsonAccount), Behaviour: behaviour}, nil)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	stdout, _ := (&servedAccount{t: t, server: server, url: web.URL}).run(want, args...)
	return stdout
}

func contents(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// jsonSteady puts what a reader may expect in the place of what differs from
// run to run.
var jsonSteady = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`"(created_at|time)":( ?)"[^"]*"`), `"$1":$2"2026-11-24T09:00:00Z"`},
	{regexp.MustCompile(`"date_(created|updated)":( ?)"[^"]*"`), `"date_$1":$2"2026-11-24T09:00:00Z"`},
	{regexp.MustCompile(`"flexsync_version": "[^"]+"`), `"flexsync_version": "v0.1.0"`},
	{regexp.MustCompile(`sha256:[0-9a-f]{64}`), `sha256:0123456789abcdef…`},
	{regexp.MustCompile(`"fingerprint": "[0-9a-f]{64}"`), `"fingerprint": "0123456789abcdef…"`},
	{regexp.MustCompile(`"duration":( ?)[^,}]*`), `"duration":${1}1500000`},
	{regexp.MustCompile(`RQ[0-9a-f]{32}`), `RQ0123456789abcdef0123456789abcdef`},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), `http://127.0.0.1:8080`},
}

func steadyJSON(text string) string {
	for _, s := range jsonSteady {
		text = s.re.ReplaceAllString(text, s.with)
	}
	// SIDs that the account gave out are random, those of the example are not.
	return regexp.MustCompile(`FO[0-9a-f]{32}`).ReplaceAllStringFunc(text, func(sid string) string {
		if strings.HasPrefix(sid, "FO0000") {
			return sid
		}
		return "FO000000000000000000000000000000b1"
	})
}

// layOut gives every member a line, and an object or list of plain values one
// line as long as it is short.
func layOut(t *testing.T, doc string) string {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(strings.TrimSpace(doc)), "", "  "); err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	flat := regexp.MustCompile(`([{\[])\n\s+([^{}\[\]]*?)\n\s*([}\]])`)
	return flat.ReplaceAllStringFunc(indented.String(), func(s string) string {
		m := flat.FindStringSubmatch(s)
		lines := strings.Split(m[2], "\n")
		for i := range lines {
			lines[i] = strings.TrimSpace(lines[i])
		}
		if line := m[1] + strings.Join(lines, " ") + m[3]; len(line) <= 120 {
			return line
		}
		return s
	})
}

// TestDocsJSON makes every document that docs/json.md shows, and compares.
func TestDocsJSON(t *testing.T) {
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	const page = "docs/json.md"
	shown := regexp.MustCompile("(?m)^<!-- example: (.*) -->\n```json$").FindAllStringSubmatch(readme(t, page), -1)
	var names []string
	for _, m := range shown {
		names = append(names, m[1])
	}
	var made []string
	for name := range jsonExamples {
		made = append(made, name)
	}
	compareSets(t, "example", names, made)
	if all := strings.Count(readme(t, page), "\n```json\n"); all != len(shown) {
		t.Errorf("%s has %d blocks of JSON, and a test makes %d of them", page, all, len(shown))
	}
	for _, name := range names {
		if jsonExamples[name] == nil {
			continue // compareSets says so
		}
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			writeText(t, "account.json", jsonAccount)
			writeText(t, "flows.yaml", jsonYAML)
			doc := layOut(t, steadyJSON(jsonExamples[name](t)))
			t.Chdir(filepath.Join(root, "cmd/flexsync"))
			rewrite(t, page, "<!-- example: "+name+" -->\n```json\n", "```\n", doc+"\n")
		})
	}
}
