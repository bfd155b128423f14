package platform

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// editor is the client's side of the Language Server Protocol, as much of it
// as an editor needs that opens a file.
type editor struct {
	t  *testing.T
	in io.WriteCloser

	mu          sync.Mutex
	next        int
	answers     map[string]chan json.RawMessage
	diagnostics map[string]chan []diagnostic // by URI
}

type diagnostic struct {
	Message string
	Range   struct{ Start struct{ Line, Character int } }
}

type lspMessage struct {
	ID     json.RawMessage `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

func startEditor(t *testing.T, folder string, command []string) *editor {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "HOME="+folder)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e := &editor{t: t, in: in, answers: map[string]chan json.RawMessage{}, diagnostics: map[string]chan []diagnostic{}}
	read := make(chan error, 1)
	go func() { read <- e.read(bufio.NewReader(out)) }()
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		if err := <-read; err != nil && t.Failed() {
			t.Logf("the server's output: %v\n%s", err, &stderr)
		}
		_ = cmd.Wait()
	})
	e.call("initialize", map[string]any{
		"processId": nil, "rootUri": fileURI(folder),
		"capabilities": map[string]any{
			"workspace":    map[string]any{"configuration": true},
			"textDocument": map[string]any{"hover": map[string]any{"contentFormat": []string{"markdown"}}},
		},
	})
	e.notify("initialized", map[string]any{})
	return e
}

// read takes in what the server sends until it ends.
func (e *editor) read(r *bufio.Reader) error {
	for {
		header, err := textproto.NewReader(r).ReadMIMEHeader()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
				return nil
			}
			return err
		}
		n, err := strconv.Atoi(header.Get("Content-Length"))
		if err != nil {
			return err
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return err
		}
		var m lspMessage
		if err := json.Unmarshal(body, &m); err != nil {
			return err
		}
		switch {
		case m.Method == "textDocument/publishDiagnostics":
			var p struct {
				URI         string
				Diagnostics []diagnostic
			}
			if err := json.Unmarshal(m.Params, &p); err != nil {
				return err
			}
			e.published(p.URI) <- p.Diagnostics
		case m.Method == "workspace/configuration":
			var p struct{ Items []struct{ Section string } }
			if err := json.Unmarshal(m.Params, &p); err != nil {
				return err
			}
			settings := make([]any, len(p.Items))
			for i, item := range p.Items {
				if item.Section == "yaml" { // and no list of schemas from the network
					settings[i] = map[string]any{"validate": true, "hover": true, "completion": true, "schemaStore": map[string]any{"enable": false}}
				}
			}
			e.answer(m.ID, settings)
		case m.Method != "" && m.ID != nil:
			e.answer(m.ID, nil)
		case m.ID != nil:
			result := m.Result
			if m.Error != nil {
				result = m.Error
			}
			e.mu.Lock()
			answer := e.answers[string(m.ID)]
			e.mu.Unlock()
			if answer == nil {
				return fmt.Errorf("an answer to nothing: %s", body)
			}
			answer <- result
		}
	}
}

func (e *editor) published(uri string) chan []diagnostic {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.diagnostics[uri] == nil {
		e.diagnostics[uri] = make(chan []diagnostic, 100)
	}
	return e.diagnostics[uri]
}

func (e *editor) send(message map[string]any) {
	message["jsonrpc"] = "2.0"
	body, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	// A server that has ended gives no answer, and that is said.
	_, _ = fmt.Fprintf(e.in, "Content-Length: %d\r\n\r\n%s", len(body), body)
}

func (e *editor) answer(id json.RawMessage, result any) {
	e.send(map[string]any{"id": id, "result": result})
}

func (e *editor) notify(method string, params any) {
	e.send(map[string]any{"method": method, "params": params})
}

func (e *editor) call(method string, params any) json.RawMessage {
	e.t.Helper()
	e.mu.Lock()
	e.next++
	id := e.next
	answer := make(chan json.RawMessage, 1)
	e.answers[strconv.Itoa(id)] = answer
	e.mu.Unlock()
	e.send(map[string]any{"id": id, "method": method, "params": params})
	select {
	case result := <-answer:
		return result
	case <-time.After(time.Minute):
		e.t.Fatalf("%s is not answered", method)
		return nil
	}
}

func fileURI(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

// open opens a document, and returns what the server marks in it, in order.
func (e *editor) open(path, text string) []string {
	e.t.Helper()
	uri := fileURI(path)
	e.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "yaml", "version": 1, "text": text}})
	select {
	case found := <-e.published(uri):
		var lines []string
		for _, d := range found {
			lines = append(lines, fmt.Sprintf("%d: %s", d.Range.Start.Line+1, d.Message))
		}
		slices.Sort(lines)
		return lines
	case <-time.After(time.Minute):
		e.t.Fatalf("nothing is said of %s", path)
		return nil
	}
}

// at is a place in a document: the | in the text.
func at(t *testing.T, text string) (plain string, line, character int) {
	t.Helper()
	before, after, ok := strings.Cut(text, "|")
	if !ok {
		t.Fatalf("no | in %q", text)
	}
	return before + after, strings.Count(before, "\n"), len(before) - strings.LastIndexByte(before, '\n') - 1
}

// strictValidator compiles the schema on its standard input with ajv, as ajv is
// by default: a keyword that it does not know is an error.
const strictValidator = `
const Ajv = require(process.argv[1] + '/ajv/dist/2020').default
const schema = JSON.parse(require('fs').readFileSync(0))
const valid = new Ajv({logger: false}).compile(schema)
if (!valid({version: 1, flows: []}) || valid({version: 2})) throw 'wrong'
`

// TestEditor drives the real yaml-language-server with the schema, as an editor
// does that follows docs/yaml.md.
func TestEditor(t *testing.T) {
	t.Parallel()
	command := append(node(t, "yaml-language-server/bin/yaml-language-server"), "--stdio")
	dir := t.TempDir()
	schemaText := must(t, "", nil, flexsync(t), "schema")
	writeText(t, filepath.Join(dir, "flexsync.schema.json"), schemaText)
	const modeline = "# yaml-language-server: $schema=flexsync.schema.json\n"
	if !strings.Contains(readText(t, filepath.Join(repository, "docs", "yaml.md")), "\n"+modeline+"version: 1\n") {
		t.Errorf("docs/yaml.md does not say %q", modeline)
	}
	t.Run("ajv", func(t *testing.T) {
		modules := filepath.Join(filepath.Dir(command[1]), "..", "..")
		validate := exec.Command(command[0], "-e", strictValidator, modules)
		validate.Stdin = strings.NewReader(schemaText)
		if out, err := validate.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	e := startEditor(t, dir, command)
	document := 0
	open := func(text string) (uri string, marked []string) {
		document++
		path := filepath.Join(dir, fmt.Sprintf("flows%d.yaml", document))
		return fileURI(path), e.open(path, modeline+text)
	}
	position := func(uri string, line, character int) map[string]any {
		return map[string]any{"textDocument": map[string]any{"uri": uri}, "position": map[string]any{"line": line + 1, "character": character}}
	}
	const head = "version: 1\nflows:\n  - friendly_name: A\n    chat_service: S\n    channel_type: sms\n"

	for name, test := range map[string]struct {
		text       string
		want, lack []string
	}{
		"document keys":          {"version: 1\n|", []string{"account_sid", "ignore", "defaults", "flows"}, []string{"version", "channel_type"}},
		"flow keys":              {head + "    |", []string{"contact_identity", "enabled", "integration_type", "integration", "long_lived", "janitor_enabled", "sid", "renamed_from", "ignore_changes"}, []string{"friendly_name", "version", "flow_sid"}},
		"the beginning of a key": {head + "    cont|", []string{"contact_identity"}, nil},
		"keys of defaults":       {"version: 1\ndefaults:\n  |\nflows: []\n", []string{"chat_service_sid", "chat_service", "channel_type"}, []string{"friendly_name", "sid"}},
		"integration keys":       {head + "    integration_type: studio\n    integration:\n      |", []string{"flow_sid", "studio_flow", "retry_count"}, []string{"channel_type"}},
		"channels":               {"version: 1\nflows:\n  - friendly_name: A\n    channel_type: |", []string{"web", "sms", "facebook", "whatsapp", "line", "custom"}, nil},
		"integration types":      {head + "    integration_type: |", []string{"studio", "external", "task"}, nil},
		"bools":                  {head + "    enabled: |", []string{"true", "false"}, nil},
		"ignored changes":        {head + "    ignore_changes:\n      - |", []string{"enabled", "integration", "integration.timeout"}, nil},
	} {
		t.Run("completion of "+name, func(t *testing.T) {
			text, line, character := at(t, test.text)
			uri, _ := open(text)
			var list struct {
				Items []struct{ Label, InsertText string }
			}
			if raw := e.call("textDocument/completion", position(uri, line, character)); json.Unmarshal(raw, &list) != nil {
				t.Fatalf("%s", raw)
			}
			var labels []string
			for _, item := range list.Items {
				labels = append(labels, item.Label)
			}
			for _, want := range test.want {
				if !slices.Contains(labels, want) {
					t.Errorf("%s is not offered: %q", want, labels)
				}
			}
			for _, lack := range test.lack {
				if slices.Contains(labels, lack) {
					t.Errorf("%s is offered: %q", lack, labels)
				}
			}
		})
	}

	for name, test := range map[string]struct{ text, want string }{
		"channel_type": {head[:strings.Index(head, "channel_type")] + "chan|nel_type: sms\n", "The channel that messages arrive on"},
		"enabled":      {head + "    ena|bled: true\n", "Default: true"},
		"retry_count":  {head + "    integration_type: studio\n    integration: {studio_flow: S, retry|_count: 3}\n", "How often the Studio flow or webhook is retried"},
		"renamed_from": {head + "    rena|med_from: [B]\n", "keeps its SID"},
		"ignore":       {"version: 1\nign|ore: [A]\nflows: []\n", "never changes or deletes"},
	} {
		t.Run("hover over "+name, func(t *testing.T) {
			text, line, character := at(t, test.text)
			uri, _ := open(text)
			var hover struct{ Contents struct{ Value string } }
			raw := e.call("textDocument/hover", position(uri, line, character))
			// Markdown escapes what stands in the description.
			if json.Unmarshal(raw, &hover) != nil || !strings.Contains(strings.ReplaceAll(hover.Contents.Value, `\`, ""), test.want) {
				t.Errorf("there is no %q in %s", test.want, raw)
			}
		})
	}

	for name, test := range map[string]struct {
		text string
		want []string // the line, which counts from the modeline, and the message
	}{
		"a good file":        {head + "    contact_identity: \"+15551230000\"\n", nil},
		"a key":              {head + "    chanel_type: sms\n", []string{"7: Property chanel_type is not allowed."}},
		"a key of documents": {"version: 1\nflow: []\n", []string{"3: Property flow is not allowed."}},
		"an enum":            {strings.Replace(head, "sms", "smss", 1), []string{"6: Value is not accepted. Valid values: \"web\", \"sms\", \"facebook\", \"whatsapp\", \"line\", \"custom\"."}},
		"a number":           {head + "    contact_identity: +15551230000\n", []string{"7: Incorrect type. Expected one of string, null."}},
		"a bool":             {head + "    enabled: \"yes\"\n", []string{"7: Incorrect type. Expected \"boolean | null\"."}},
		"an integer":         {head + "    integration_type: studio\n    integration: {studio_flow: S, retry_count: 9}\n", []string{"8: Value is above the maximum of 3."}},
		"a SID":              {head + "    sid: FO1\n", []string{"7: String does not match the pattern of \"^FO[0-9a-fA-F]{32}$\"."}},
		"a missing key":      {"version: 1\nflows:\n  - friendly_name: A\n    chat_service: S\n", []string{"4: Missing property \"channel_type\"."}},
		"another type's key": {head + "    integration_type: studio\n    integration: {studio_flow: S, timeout: 3}\n", []string{"8: Incorrect type. Expected \"null\"."}},
		"no type":            {head + "    integration: {studio_flow: S}\n", []string{"7: Incorrect type. Expected \"null\"."}},
		"a variable":         {head + "    enabled: ${on}\n    contact_identity: ${number}\n", nil},
	} {
		t.Run("diagnostics of "+name, func(t *testing.T) {
			_, marked := open(test.text)
			if !slices.Equal(marked, test.want) {
				t.Errorf("marked: %q, want %q", marked, test.want)
			}
		})
	}

	// What the loader takes, the editor does not mark.
	t.Run("examples", func(t *testing.T) {
		files := 0
		for _, pattern := range []string{"*/*.yaml", "*/*/*.yaml"} {
			found, err := filepath.Glob(filepath.Join(repository, "examples", pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range found {
				text := readText(t, file)
				if !strings.Contains(text, "\nflows:") && !strings.HasPrefix(text, "version:") {
					continue // variables, workflows
				}
				files++
				if _, marked := open(text); len(marked) > 0 {
					t.Errorf("%s: %q", file, marked)
				}
			}
		}
		if files < 3 {
			t.Errorf("%d examples", files)
		}
	})
}
