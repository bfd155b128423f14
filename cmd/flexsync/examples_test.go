package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flexsync/schema"
)

const (
	examplesDir = "../../examples"
	// setupsDir holds set-ups of accounts, one a file, in the API's JSON keys: of
	// the shapes of those in realFlowsDir, which contact centres really have, and
	// which are no part of the repository.
	setupsDir    = "testdata/setups"
	realFlowsDir = "../../../shared/real-flows"
)

// localAccount is an embedded account in a file of the test's own.
type localAccount struct {
	t    *testing.T
	file string
}

// newLocalAccount makes an account that holds what the document says; "" is an
// empty account.
func newLocalAccount(t *testing.T, document string) localAccount {
	t.Helper()
	acct := localAccount{t, filepath.Join(t.TempDir(), "account.json")}
	writeText(t, acct.file, cmp.Or(document, "{}"))
	return acct
}

// run runs flexsync against the account and returns its stdout. It fails the
// test when the exit code is another, or when anything is said on stderr that
// the caller does not expect.
func (a localAccount) run(want int, args ...string) string {
	a.t.Helper()
	stdout, stderr := runOffline(a.t, want, append(args, "--local", a.file)...)
	if stderr != "" && want == exitOK {
		a.t.Errorf("flexsync %s said on stderr:\n%s", strings.Join(args, " "), stderr)
	}
	return stdout
}

// runOffline runs flexsync with an empty environment and nothing on stdin.
func runOffline(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	return runOfflineWith(t, "", want, args...)
}

func runOfflineWith(t *testing.T, stdin string, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, conversation bytes.Buffer
	noEnv := func(string) (string, bool) { return "", false }
	if code := run(t.Context(), args, strings.NewReader(stdin), &out, &conversation, noEnv); code != want {
		t.Fatalf("flexsync %s: exit %d, want %d\nstdout:\n%s\nstderr:\n%s", strings.Join(args, " "), code, want, &out, &conversation)
	}
	return out.String(), conversation.String()
}

// flows is what the account's file holds, by name.
func (a localAccount) flows() map[string]map[string]any {
	a.t.Helper()
	byName := make(map[string]map[string]any)
	flows, _ := a.document()["flows"].([]any) // a file written by hand may have none
	for _, f := range flows {
		flow := f.(map[string]any)
		byName[flow["friendly_name"].(string)] = flow
	}
	return byName
}

// content is the flows without what the API sets: SIDs and dates.
func (a localAccount) content() map[string]map[string]any {
	a.t.Helper()
	flows := a.flows()
	for _, f := range flows {
		for _, key := range []string{"sid", "account_sid", "date_created", "date_updated", "url"} {
			delete(f, key)
		}
	}
	return flows
}

func (a localAccount) document() map[string]any {
	a.t.Helper()
	data, err := os.ReadFile(a.file)
	if err != nil {
		a.t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		a.t.Fatalf("%s: %v", a.file, err)
	}
	return doc
}

// edit changes the file by hand.
func (a localAccount) edit(change func(flows []any) []any) {
	a.t.Helper()
	doc := a.document()
	doc["flows"] = change(doc["flows"].([]any))
	data, err := json.Marshal(doc)
	if err != nil {
		a.t.Fatal(err)
	}
	writeText(a.t, a.file, string(data))
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkSettles holds the laws of a configuration that is applied: planning and
// applying it again change nothing, the export plans to nothing, and rebuilds
// an empty account to the same. The arguments are those that name the YAML.
func (a localAccount) checkSettles(input ...string) {
	t := a.t
	t.Helper()
	with := func(command string, more ...string) []string {
		return append(append([]string{command}, input...), more...)
	}
	a.run(exitOK, with("plan", "--detailed-exitcode")...)
	before := a.document()
	a.run(exitOK, with("apply", "--yes")...)
	if after := a.document(); !reflect.DeepEqual(before, after) {
		t.Errorf("applying again changed the account:\n%v\n%v", before, after)
	}

	export := filepath.Join(t.TempDir(), "export.yaml")
	writeText(t, export, a.run(exitOK, "export"))
	a.run(exitOK, "plan", export, "--detailed-exitcode")

	empty := newLocalAccount(t, fmt.Sprintf(`{"account_sid": %q}`, before["account_sid"]))
	empty.run(exitOK, "apply", export, "--yes")
	if want, have := a.content(), empty.content(); !reflect.DeepEqual(want, have) {
		t.Errorf("the export rebuilds another account:\nwant %v\nhave %v", want, have)
	}
	if want, have := a.run(exitOK, "export"), empty.run(exitOK, "export"); want != have {
		t.Errorf("the rebuilt account exports to other text:\nwant:\n%s\nhave:\n%s", want, have)
	}
}

// example is one way to run a directory of examples/.
type example struct {
	name  string
	input []string // the arguments that name the YAML
}

// findExamples lists the directories of examples/ in which `flexsync plan`
// needs no path, once for each file of variables in their vars/.
func findExamples(t *testing.T) []example {
	t.Helper()
	var examples []example
	for _, name := range []string{"flows.yaml", "flows.yml", "flows"} {
		for _, path := range globbed(t, filepath.Join(examplesDir, "*", name)) {
			dir := filepath.Dir(path)
			if filepath.Base(dir) == fleetExample {
				continue // it needs accounts that have its names: see TestFleet
			}
			vars := globbed(t, filepath.Join(dir, "vars", "*.yaml"))
			if len(vars) == 0 {
				examples = append(examples, example{filepath.Base(dir), []string{path}})
			}
			for _, file := range vars {
				env := strings.TrimSuffix(filepath.Base(file), ".yaml")
				examples = append(examples, example{filepath.Base(dir) + "/" + env, []string{path, "--var-file", file}})
			}
		}
	}
	for _, want := range []string{"quickstart", "contact-centre", "environments/production"} {
		if !slices.ContainsFunc(examples, func(e example) bool { return e.name == want }) {
			t.Errorf("example %s is not there", want)
		}
	}
	return examples
}

func globbed(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// load reads an example the way flexsync does.
func (e example) load(t *testing.T) *schema.Config {
	t.Helper()
	cfg, err := schema.Load(e.input[:1], schema.Options{VarFiles: e.input[min(2, len(e.input)):]})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// account makes the empty account that the example is for.
func (e example) account(t *testing.T) localAccount {
	t.Helper()
	document := ""
	if sid := e.load(t).AccountSID; sid != "" {
		document = fmt.Sprintf(`{"account_sid": %q}`, sid)
	}
	return newLocalAccount(t, document)
}

func TestExamples(t *testing.T) {
	t.Parallel()
	for _, e := range findExamples(t) {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr := runOffline(t, exitOK, append([]string{"validate"}, e.input...)...)
			if !strings.HasSuffix(stdout, ": valid\n") || stderr != "" {
				t.Errorf("validate said %q, and on stderr %q", stdout, stderr)
			}

			cfg := e.load(t)
			acct := e.account(t)
			acct.run(exitChanges, append([]string{"plan", "--detailed-exitcode"}, e.input...)...)
			acct.run(exitOK, append([]string{"apply", "--yes"}, e.input...)...)
			if n := len(acct.flows()); n != len(cfg.Resources) {
				t.Errorf("the account has %d flows, and the example declares %d", n, len(cfg.Resources))
			}
			acct.checkSettles(e.input...)
		})
	}
}

// TestExampleContactCentre shows that the example teaches what it says: every
// channel, every type of integration, every field; and what its comments claim.
func TestExampleContactCentre(t *testing.T) {
	t.Parallel()
	path := filepath.Join(examplesDir, "contact-centre")
	cfg := example{input: []string{path}}.load(t)

	values := make(map[string]map[schema.Value]bool)
	for _, d := range cfg.Resources {
		for i := range schema.Flows.Fields {
			f := &schema.Flows.Fields[i]
			if values[f.Path] == nil {
				values[f.Path] = make(map[schema.Value]bool)
			}
			if v := d.Get(f); v != nil {
				values[f.Path][v] = true
			}
		}
	}
	for i := range schema.Flows.Fields {
		f := &schema.Flows.Fields[i]
		for _, word := range f.Enum {
			if !values[f.Path][word] {
				t.Errorf("no flow has %s: %s", f.Path, word)
			}
		}
		delete(values[f.Path], f.Default)
		if len(values[f.Path]) == 0 {
			t.Errorf("no flow has a %s other than the default", f.Path)
		}
	}

	acct := newLocalAccount(t, `{"flows": [
		{"friendly_name": "Partner Chat", "sid": "FO000000000000000000000000000000aa", "channel_type": "web"},
		{"friendly_name": "Sandbox of Ann", "channel_type": "sms", "contact_identity": "+15005550009"},
		{"friendly_name": "Campaign Manager", "channel_type": "sms", "contact_identity": "+15005550008"}]}`)
	ignored := []string{"Sandbox of Ann", "Campaign Manager"}
	before := acct.flows()
	acct.run(exitOK, "apply", path, "--yes")
	after := acct.flows()
	if sid := after["Web Chat for Partners"]["sid"]; sid != before["Partner Chat"]["sid"] {
		t.Errorf("the renamed flow has the SID %v, not its old one", sid)
	}
	for _, name := range ignored {
		if err := holds(after[name], before[name]); err != nil {
			t.Errorf("%s is ignored, and was changed: %v", name, err)
		}
	}
	acct.edit(func(flows []any) []any {
		for _, f := range flows {
			if flow := f.(map[string]any); flow["friendly_name"] == "Messenger" {
				flow["enabled"] = false // at the console
			}
		}
		return flows
	})
	acct.run(exitOK, "plan", path, "--detailed-exitcode")
}

// TestExampleEnvironments shows that the environments differ in the variables
// alone, and that none can be applied to the account of another.
func TestExampleEnvironments(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	accounts := make(map[string]bool)
	dir := filepath.Join(examplesDir, "environments")
	files := globbed(t, filepath.Join(dir, "vars", "*.yaml"))
	for _, file := range files {
		cfg := example{input: []string{filepath.Join(dir, "flows"), "--var-file", file}}.load(t)
		accounts[cfg.AccountSID] = true
		var own []string
		for _, d := range cfg.Resources {
			own = append(own, d.ID())
		}
		names[strings.Join(own, ", ")] = true

		other := newLocalAccount(t, `{"account_sid": "AC000000000000000000000000000000ff"}`)
		stdout := other.run(exitRefused, "apply", filepath.Join(dir, "flows"), "--var-file", file, "--yes")
		if !strings.Contains(stdout, "refused (wrong-account)") {
			t.Errorf("%s: applying to another account said:\n%s", file, stdout)
		}
		if len(other.flows()) > 0 {
			t.Errorf("%s: the other account was written to", file)
		}
	}
	if len(files) != 3 || len(accounts) != 3 || len(names) != 1 {
		t.Errorf("%d environments in %d accounts with %d sets of flows; want 3, 3, 1", len(files), len(accounts), len(names))
	}
}

// accountSetup is an account's flows as somebody has set them up.
type accountSetup struct {
	name  string
	text  string // the list of flows, in the API's JSON
	flows []map[string]any
}

func readSetups(t *testing.T, dir string) []accountSetup {
	t.Helper()
	var found []accountSetup
	for _, file := range globbed(t, filepath.Join(dir, "*.json")) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := accountSetup{name: strings.TrimSuffix(filepath.Base(file), ".json"), text: string(data)}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		if err := dec.Decode(&s.flows); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		found = append(found, s)
	}
	return found
}

// setups is every set-up of the repository.
func setups(t *testing.T) []accountSetup {
	t.Helper()
	found := readSetups(t, setupsDir)
	if len(found) < 5 {
		t.Errorf("%d set-ups", len(found))
	}
	return found
}

// yaml writes the set-up as a file of YAML.
func (s accountSetup) yaml(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), s.name+".yaml")
	writeText(t, file, realYAML(t, s.flows))
	return file
}

var (
	sidRE    = regexp.MustCompile(`^([A-Z]{2})[0-9a-f]{32}$`)
	digitsRE = regexp.MustCompile(`[0-9]+`)
)

// shape is what the flows are apart from their names: which keys they have, which
// values where there are but a few, of which form the others are, and which flows
// share an identity.
func (s accountSetup) shape() string {
	first := make(map[any]int)
	var lines []string
	for i, flow := range s.flows {
		var parts []string
		var walk func(prefix string, m map[string]any)
		walk = func(prefix string, m map[string]any) {
			for _, key := range slices.Sorted(maps.Keys(m)) {
				value := fmt.Sprint(m[key])
				switch inner, nested := m[key].(map[string]any); {
				case nested:
					walk(prefix+key+".", inner)
					continue
				case key == "friendly_name":
					value = "name"
				case sidRE.MatchString(value):
					value = value[:2]
				case strings.HasPrefix(value, "https://"):
					value = "https"
				case key == "contact_identity" && digitsRE.MatchString(value):
					value = digitsRE.ReplaceAllString(value, "N")
				case (key == "contact_identity" || key == "channel") && value != "null":
					value = "word"
				}
				parts = append(parts, prefix+key+"="+value)
			}
		}
		walk("", flow)
		if identity, ok := flow["contact_identity"]; ok {
			if other, shared := first[identity]; shared {
				parts = append(parts, fmt.Sprint("identity of ", other))
			} else {
				first[identity] = i
			}
		}
		lines = append(lines, strings.Join(parts, " "))
	}
	return strings.Join(lines, "\n")
}

// TestSetupsCoverRealFlows holds that there is a set-up of the repository's own
// for each that is found in the wild.
func TestSetupsCoverRealFlows(t *testing.T) {
	t.Parallel()
	theirs := readSetups(t, realFlowsDir)
	if len(theirs) == 0 {
		t.Skipf("%s is no part of the repository", realFlowsDir)
	}
	ours := make(map[string]string)
	for _, s := range setups(t) {
		ours[s.shape()] = s.name
	}
	for _, s := range theirs {
		if ours[s.shape()] == "" {
			t.Errorf("no set-up has the shape of %s:\n%s", s.name, s.shape())
		}
	}
}

// TestSetups runs the main job on accounts as contact centres have them: into an
// empty account, again, after drift by hand, and back out.
func TestSetups(t *testing.T) {
	t.Parallel()
	for _, s := range setups(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			testSetup(t, s)
		})
	}
}

func testSetup(t *testing.T, s accountSetup) {
	real, config := s.flows, s.yaml(t)
	if _, stderr := runOffline(t, exitOK, "validate", config); stderr != "" {
		t.Errorf("validate warns of flows that work:\n%s", stderr)
	}

	acct := newLocalAccount(t, "")
	acct.run(exitChanges, "plan", config, "--detailed-exitcode")
	acct.run(exitOK, "apply", config, "--yes")
	have := acct.content()
	for _, want := range real {
		name := want["friendly_name"].(string)
		if err := holds(have[name], want); err != nil {
			t.Errorf("flow %q: %v", name, err)
		}
	}
	if len(have) != len(real) {
		t.Errorf("the account has %d flows, and %d are wanted", len(have), len(real))
	}
	acct.checkSettles(config)

	// A flow copied from an answer of the API reads the same: JSON is YAML.
	copied := filepath.Join(t.TempDir(), "copied.yaml")
	writeText(t, copied, fmt.Sprintf(`{"version": 1, "flows": %s}`, s.text))
	acct.run(exitOK, "plan", copied, "--detailed-exitcode")

	export := acct.run(exitOK, "export")
	checkDrift(acct, config, real)
	if after := acct.content(); !reflect.DeepEqual(have, after) {
		t.Errorf("after the drift was undone:\nwant %v\nhave %v", have, after)
	}
	if after := acct.run(exitOK, "export"); export != after {
		t.Errorf("after the drift was undone, the export is other text:\nwant:\n%s\nhave:\n%s", export, after)
	}
	acct.checkSettles(config)
}

// checkDrift changes the account by hand: the first flow is switched over, the
// last one goes, one comes that nobody declared. The plan shows these three
// and nothing else, and apply undoes them.
func checkDrift(acct localAccount, config string, real []map[string]any) {
	t := acct.t
	t.Helper()
	switched, gone := real[0]["friendly_name"].(string), real[len(real)-1]["friendly_name"].(string)
	const stray = "Made at the console"
	acct.edit(func(flows []any) []any {
		flows = slices.DeleteFunc(flows, func(f any) bool { return f.(map[string]any)["friendly_name"] == gone })
		for _, f := range flows {
			if flow := f.(map[string]any); flow["friendly_name"] == switched {
				flow["enabled"] = !flow["enabled"].(bool)
				flow["contact_identity"] = "changed by hand"
			}
		}
		return append(flows, map[string]any{"friendly_name": stray, "channel_type": "sms", "contact_identity": "+15005550009"})
	})

	var plan struct {
		Changes []struct {
			Action string `json:"action"`
			Name   string `json:"friendly_name"`
			Fields []struct {
				Path   string
				Before any
				After  any
			} `json:"fields"`
		} `json:"changes"`
	}
	doc := acct.run(exitChanges, "plan", config, "--detailed-exitcode", "--format", "json")
	if err := json.Unmarshal([]byte(doc), &plan); err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, c := range plan.Changes {
		line := c.Action + " " + c.Name
		if c.Action == "update" {
			for _, f := range c.Fields {
				line += fmt.Sprintf("; %s: %v to %v", f.Path, f.Before, f.After)
			}
		}
		have = append(have, line)
	}
	enabled := real[0]["enabled"].(bool)
	want := []string{
		fmt.Sprintf("update %s; contact_identity: changed by hand to %v; enabled: %v to %v", switched, real[0]["contact_identity"], !enabled, enabled),
		"create " + gone,
		"delete " + stray,
	}
	if !slices.Equal(want, have) {
		t.Errorf("the plan shows\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
	acct.run(exitOK, "apply", config, "--yes")
}

// holds reports in which key of want the flow is not the same.
func holds(flow, want map[string]any) error {
	for key, value := range want {
		inner, ok := value.(map[string]any)
		if ok {
			have, _ := flow[key].(map[string]any)
			if err := holds(have, inner); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			continue
		}
		if fmt.Sprint(flow[key]) != fmt.Sprint(value) {
			return fmt.Errorf("%s is %v, and should be %v", key, flow[key], value)
		}
	}
	return nil
}

// realYAML writes flows in the API's JSON keys as a person would write them in
// YAML. It is on its own, so that a mistake of package schema cannot hide.
func realYAML(t *testing.T, flows []map[string]any) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("version: 1\nflows:\n")
	for _, flow := range flows {
		writeMapping(&b, "  - ", "    ", flow)
	}
	return b.String()
}

func writeMapping(b *strings.Builder, first, indent string, m map[string]any) {
	keys := slices.SortedFunc(maps.Keys(m), func(x, y string) int {
		return cmp.Or(-cmp.Compare(strconv.FormatBool(x == "friendly_name"), strconv.FormatBool(y == "friendly_name")), cmp.Compare(x, y))
	})
	for _, key := range keys {
		io.WriteString(b, first+key+":")
		first = indent
		switch v := m[key].(type) {
		case map[string]any:
			b.WriteString("\n")
			writeMapping(b, indent+"  ", indent+"  ", v)
		case string:
			fmt.Fprintf(b, " %q\n", v)
		default:
			fmt.Fprintf(b, " %v\n", v)
		}
	}
}

// TestExamplesAreTested keeps files out of examples/ that flexsync would read
// and nobody tests.
func TestExamplesAreTested(t *testing.T) {
	t.Parallel()
	tested := make(map[string]bool)
	for _, e := range findExamples(t) {
		for _, d := range e.load(t).Resources {
			tested[filepath.Clean(d.Pos.File)] = true
		}
	}
	steps, err := filepath.Glob(filepath.Join(examplesDir, "migration", "step-*.yaml"))
	if err != nil || len(steps) == 0 {
		t.Fatal("no steps of the migration", err)
	}
	for _, step := range steps { // each takes the place of the one before it
		if _, err := schema.Load([]string{step}, schema.Options{AllowUnset: true}); err != nil {
			t.Error(err)
		}
		tested[filepath.Clean(step)] = true
	}
	err = filepath.WalkDir(examplesDir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == fleetExample {
			return fs.SkipDir // see TestFleet
		}
		if dir := filepath.Base(filepath.Dir(path)); dir == "adopt" && strings.HasPrefix(d.Name(), "step-") || dir == "review" && d.Name() == "main.yaml" {
			return err // its README runs them
		}
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && bytes.Contains(data, []byte("\nflows:")) && !tested[filepath.Clean(path)] {
			t.Errorf("%s declares flows, and is in no example", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
