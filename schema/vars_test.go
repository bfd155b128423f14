package schema

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"flexsync/internal/yamldoc"
)

// loadText loads one document from standard input.
func loadText(text string, opts Options) (*Config, error) {
	opts.Stdin = strings.NewReader(text)
	return Load([]string{"-"}, opts)
}

// write writes files below a new directory, and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const oneFlow = `version: 1
flows:
  - friendly_name: ${x}
    channel_type: custom
    chat_service_sid: IS00000000000000000000000000000001
`

func TestVariableSources(t *testing.T) {
	dir := write(t, map[string]string{
		"a.yaml": "x: from a\ny: a\n",
		"b.yaml": "# comment\nx: from b\n",
		"c.yaml": "x: +15551230000\n",
		"d.yaml": "x: 0123\n",
		"e.yaml": "x: 'true'\n",
		"f.yaml": "x: 1_000.50\n",
		"none":   "",
	})
	in := func(names ...string) (paths []string) {
		for _, n := range names {
			paths = append(paths, filepath.Join(dir, n))
		}
		return paths
	}
	env := func(name string) (string, bool) { return "from env", name == "FLEXSYNC_VAR_x" }
	tests := []struct {
		name string
		opts Options
		want string
	}{
		{"flag wins", Options{Vars: map[string]string{"x": "flag"}, VarFiles: in("a.yaml"), LookupEnv: env}, "flag"},
		{"later file wins", Options{VarFiles: in("a.yaml", "b.yaml"), LookupEnv: env}, "from b"},
		{"file wins over environment", Options{VarFiles: in("b.yaml", "a.yaml", "none"), LookupEnv: env}, "from a"},
		{"environment", Options{VarFiles: in("none"), LookupEnv: env}, "from env"},
		{"plus stays", Options{VarFiles: in("c.yaml")}, "+15551230000"},
		{"zero stays", Options{VarFiles: in("d.yaml")}, "0123"},
		{"quoted bool", Options{VarFiles: in("e.yaml")}, "true"},
		{"number as written", Options{VarFiles: in("f.yaml")}, "1_000.50"},
		{"empty flag wins", Options{Vars: map[string]string{"x": " "}, LookupEnv: env}, " "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config, err := loadText(oneFlow, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := config.Resources[0].ID(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A secret that a CI system does not have is empty there, and must not become a value.
func TestEmptySecret(t *testing.T) {
	env := func(name string) (string, bool) { return "", name == "FLEXSYNC_SECRET_x" }
	_, err := loadText(oneFlow, Options{LookupEnv: env})
	if err == nil || !strings.Contains(err.Error(), `variable "x" is not set: FLEXSYNC_SECRET_x is empty`) {
		t.Errorf("an empty secret: %v", err)
	}
	if _, err := loadText(oneFlow, Options{LookupEnv: env, AllowUnset: true}); err != nil {
		t.Errorf("with AllowUnset: %v", err)
	}
}

// TestEnvironment is the promise that the YAML can read no environment
// variable but its own.
func TestEnvironment(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	_, err := loadText(strings.ReplaceAll(oneFlow, "${x}", "${HOME} ${TWILIO_AUTH_TOKEN} ${FLEXSYNC_VAR_x} $HOME"), Options{
		LookupEnv: func(name string) (string, bool) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, name)
			return "", false
		},
	})
	if err == nil {
		t.Error("unset variables are accepted")
	}
	slices.Sort(asked)
	asked = slices.Compact(asked)
	want := []string{
		"FLEXSYNC_SECRET_HOME", "FLEXSYNC_VAR_HOME", "FLEXSYNC_SECRET_TWILIO_AUTH_TOKEN", "FLEXSYNC_VAR_TWILIO_AUTH_TOKEN",
		"FLEXSYNC_SECRET_FLEXSYNC_VAR_x", "FLEXSYNC_VAR_FLEXSYNC_VAR_x",
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

func TestAllowUnset(t *testing.T) {
	text := `version: 1
account_sid: ${account}
ignore: ["${glob}", "B*"]
defaults:
  chat_service_sid: ${service}
  channel_type: ${channel}
flows:
  - friendly_name: ${name}
    integration_type: ${type}
    integration: {url: x, flow_sid: "${flow}"}
  - friendly_name: ${name}
    sid: ${sid}
    enabled: ${on}
    renamed_from: ["${old}"]
    ignore_changes: ["${path}"]
    integration_type: task
    integration: {workspace: "${w}", workflow_sid: "a${w}", timeout: "${t}", creation_on_message: "${c}"}
  - friendly_name: C
    contact_identity: "+1${number}"
    integration_type: studio
`
	_, err := loadText(text, Options{AllowUnset: true})
	want := []string{ // what holds no variable is still checked
		`<stdin>:10:24: flows[0].integration.url: "x" is not an absolute http or https URL with a host`,
		`<stdin>:18:5: flows[2].integration.flow_sid: flow "C" has no integration.flow_sid, which integration_type studio requires`,
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), err.Error()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	text = strings.NewReplacer("url: x, ", "", "    integration_type: studio\n", "").Replace(text)
	config, err := loadText(text, Options{AllowUnset: true})
	if err != nil || len(config.Resources) != 3 {
		t.Errorf("got %v, %v, want three flows", config, err)
	}
	if _, err := loadText(text+"  - friendly_name: B ${x", Options{AllowUnset: true}); err == nil {
		t.Error("a malformed reference is accepted")
	}
}

// TestVariableIsText is the law that a value of a variable never changes the
// YAML around it, and that an escaped one reads back.
func TestVariableIsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := genText().Draw(t, "value")
		text := strings.Replace(oneFlow, "${x}", "A", 1) + "    contact_identity: ${x}\n    enabled: false\n"
		config, err := loadText(text, Options{Vars: map[string]string{"x": value}})
		if err != nil {
			t.Fatalf("%v", err)
		}
		if f := &config.Resources[0]; f.Text(Flows.Contact) != value || f.Enabled() {
			t.Fatalf("got %+v", f)
		}
		text = strings.Replace(oneFlow, "${x}", "A", 1) + "    contact_identity: " + quoted(yamldoc.Escape(value)) + "\n    enabled: false\n"
		config, err = loadText(text, Options{})
		if err != nil || config.Resources[0].Text(Flows.Contact) != value {
			t.Fatalf("escaped %q: got %v, %v", value, config, err)
		}
	})
}
