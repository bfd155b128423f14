package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// scenario is how the account differs from the YAML.
type scenario string

const (
	unchanged scenario = "unchanged"
	onePer100 scenario = "1 % changed"
	allNew    scenario = "all new"

	// halfThere is, for n flows of which the first 3n/4 are declared: the first
	// half is not there, a quarter is off, and a quarter is not declared.
	halfThere scenario = "half there"
)

var scenarios = []scenario{unchanged, onePer100, allNew}

const accountSID = "AC00000000000000000000000000000001"

// writeYAML declares n flows: a third of each integration type, every key written
// out as `flexsync export` would.
func writeYAML(w io.Writer, n int) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "version: 1\nflows:\n")
	for i := range n {
		f := flowOf(i)
		fmt.Fprintf(b, "  - friendly_name: Flow %06d\n    chat_service_sid: IS%032x\n    channel_type: %s\n", i, 1, f.channel)
		if f.identity != "" {
			fmt.Fprintf(b, "    contact_identity: %q\n", f.identity)
		}
		fmt.Fprintf(b, "    enabled: true\n    integration_type: %s\n    integration:\n", f.integrationType)
		for _, kv := range f.integration {
			fmt.Fprintf(b, "      %s: %v\n", kv.key, kv.value)
		}
		fmt.Fprint(b, "    long_lived: false\n    janitor_enabled: true\n")
	}
	return b.Flush()
}

// writeAccount writes the same flows as the embedded API's account, but for
// those that the scenario has otherwise.
func writeAccount(w io.Writer, n int, s scenario) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, `{"account_sid": "%s", "flows": [`, accountSID)
	first := 0
	switch s {
	case allNew:
		first = n
	case halfThere:
		first = n / 2
	}
	for i := first; i < n; i++ {
		if i > first {
			b.WriteByte(',')
		}
		f := flowOf(i)
		off := s == onePer100 && i%100 == 0 || s == halfThere && i < n*3/4
		fmt.Fprintf(b, "\n"+`{"sid": "FO%032x", "friendly_name": "Flow %06d", "chat_service_sid": "IS%032x", "channel_type": "%s", "enabled": %t`,
			i+1, i, 1, f.channel, !off)
		if f.identity != "" {
			fmt.Fprintf(b, `, "contact_identity": %q`, f.identity)
		}
		fmt.Fprintf(b, `, "integration_type": "%s", "integration": {`, f.integrationType)
		for j, kv := range f.integration {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(b, `"%s": `, kv.key)
			if text, ok := kv.value.(string); ok {
				fmt.Fprintf(b, "%q", text)
			} else {
				fmt.Fprint(b, kv.value)
			}
		}
		b.WriteString(`}, "long_lived": false, "janitor_enabled": true}`)
	}
	b.WriteString("\n]}\n")
	return b.Flush()
}

type flow struct {
	channel, identity, integrationType string
	integration                        []keyValue
}

type keyValue struct {
	key   string
	value any
}

func flowOf(i int) flow {
	switch i % 3 {
	case 0:
		return flow{"sms", fmt.Sprintf("+1555%07d", i), "studio", []keyValue{
			{"flow_sid", fmt.Sprintf("FW%032x", i%50)}, {"retry_count", 3}}}
	case 1:
		return flow{"whatsapp", fmt.Sprintf("whatsapp:+1555%07d", i), "external", []keyValue{
			{"url", fmt.Sprintf("https://hooks.example.com/flows/%d", i)}, {"retry_count", 2}}}
	}
	return flow{"web", "", "task", []keyValue{
		{"workspace_sid", fmt.Sprintf("WS%032x", 1)}, {"workflow_sid", fmt.Sprintf("WW%032x", i%20)},
		{"channel", "default"}, {"timeout", 86400}, {"priority", 0}}}
}

// file writes n flows as YAML into a file and returns its path.
func file(dir string, n int) (string, error) {
	path := filepath.Join(dir, fmt.Sprintf("flows-%d.yaml", n))
	return path, create(path, func(w io.Writer) error { return writeYAML(w, n) })
}

func create(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
