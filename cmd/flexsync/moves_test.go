package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The steps of the example are moves alone, so nothing counts for --max-deletes, and
// after each of them nothing is left to do.
func TestExampleMigration(t *testing.T) {
	const dir = "../../examples/migration/"
	document, err := os.ReadFile(dir + "account.json")
	if err != nil {
		t.Fatal(err)
	}
	account := newLocalAccount(t, string(document))
	for step := 1; step <= 3; step++ {
		file := fmt.Sprintf("%sstep-%d.yaml", dir, step)
		account.run(exitOK, "apply", file, "--yes", "--max-deletes", "0")
		account.run(exitOK, "plan", file, "--detailed-exitcode")
	}
}

// TestSetupsMigrate takes the accounts of contact centres the whole way to addresses.
func TestSetupsMigrate(t *testing.T) {
	t.Parallel()
	moved := 0
	for _, s := range setups(t) {
		moved += newLocalAccount(t, "").migrate(s.name, s.yaml(t))
	}
	if moved == 0 {
		t.Error("nothing moved")
	}
}

// TestExamplesMigrate takes the accounts of all examples the same way.
func TestExamplesMigrate(t *testing.T) {
	t.Parallel()
	moved := 0
	for _, e := range findExamples(t) {
		moved += e.account(t).migrate(e.name, e.input...)
	}
	fleet := filepath.Join(examplesDir, fleetExample)
	for _, file := range globbed(t, filepath.Join(fleet, "accounts", "*.yaml")) {
		name := filepath.Base(file)
		document, err := os.ReadFile(filepath.Join(fleet, "emulated", strings.TrimSuffix(name, ".yaml")+".json"))
		if err != nil {
			t.Fatal(err)
		}
		moved += newLocalAccount(t, string(document)).migrate(file, filepath.Join(fleet, "flows"), file, "--var-file", filepath.Join(fleet, "vars", name))
	}
	if moved == 0 {
		t.Error("nothing moved")
	}
}

// migrate makes the account as the YAML says, migrates the YAML, and checks that the
// output plans the moves that it announces and, once it is applied, nothing. It returns
// how many flows moved. The input is paths, then flags.
func (a localAccount) migrate(name string, input ...string) (moved int) {
	t := a.t
	t.Helper()
	runOffline(t, exitOK, append([]string{"apply", "--yes", "--max-deletes", "100%", "--local", a.file}, input...)...)
	paths, vars := input, []string(nil)
	if i := slices.IndexFunc(input, func(s string) bool { return strings.HasPrefix(s, "--") }); i >= 0 {
		paths, vars = input[:i], input[i:]
	}
	text, _ := runOffline(t, exitOK, append([]string{"migrate"}, paths...)...)
	migrated := filepath.Join(t.TempDir(), "migrated.yaml")
	writeText(t, migrated, text)
	with := func(args ...string) []string { return append(append(args, migrated), vars...) }
	runOffline(t, exitOK, with("validate")...)

	var plan struct {
		Changes []struct {
			Action, Kind, Step string
			FriendlyName       string `json:"friendly_name"`
			MovedTo            string `json:"moved_to"`
			Before             map[string]any
		}
	}
	document, _ := runOffline(t, exitOK, with("plan", "--format", "json", "--max-deletes", "100%", "--local", a.file)...)
	if err := json.Unmarshal([]byte(document), &plan); err != nil {
		t.Fatal(err)
	}
	counted := 0 // for --max-deletes
	for _, c := range plan.Changes {
		switch {
		case c.Action == "create" && c.Kind == "address":
			moved++
		case c.Action == "delete" && c.MovedTo != "":
		case c.Action == "delete" && c.Kind == "" && c.Before["enabled"] == false: // to a disabled address
			counted++
		case c.Action == "update" && c.Step == "disable":
		default:
			t.Errorf("%s: %+v is no part of a move", name, c)
		}
	}
	if want := strings.Count(text, "- address:"); want != moved {
		t.Errorf("%s: %d of %d addresses are created:\n%s", name, moved, want, document)
	}
	runOffline(t, exitOK, with("apply", "--yes", "--max-deletes", strconv.Itoa(counted), "--local", a.file)...)
	runOffline(t, exitOK, with("plan", "--detailed-exitcode", "--local", a.file)...)
	return moved
}
