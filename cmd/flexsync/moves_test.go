package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

// TestSetupsMigrate takes the accounts of contact centres the whole way: what migrate
// prints plans to moves and to nothing else, and once it is applied, to nothing.
func TestSetupsMigrate(t *testing.T) {
	t.Parallel()
	moved := 0
	for _, s := range setups(t) {
		config := s.yaml(t)
		account := newLocalAccount(t, "")
		account.run(exitOK, "apply", config, "--yes")
		text, _ := runOffline(t, exitOK, "migrate", config)
		migrated := filepath.Join(t.TempDir(), "migrated.yaml")
		writeText(t, migrated, text)
		runOffline(t, exitOK, "validate", migrated)

		var plan struct {
			Changes []struct {
				Action, Kind, Step string
				FriendlyName       string `json:"friendly_name"`
				MovedTo            string `json:"moved_to"`
			}
		}
		document, _ := runOffline(t, exitOK, "plan", migrated, "--format", "json", "--max-deletes", "0", "--local", account.file)
		if err := json.Unmarshal([]byte(document), &plan); err != nil {
			t.Fatal(err)
		}
		for _, c := range plan.Changes {
			switch {
			case c.Action == "create" && c.Kind == "address":
				moved++
			case c.Action == "delete" && c.MovedTo != "", c.Action == "update" && c.Step == "disable":
			default:
				t.Errorf("%s: %+v is no part of a move", s.name, c)
			}
		}
		if want := strings.Count(text, "- address:"); want != countOf(plan.Changes, func(i int) bool { return plan.Changes[i].Kind == "address" }) {
			t.Errorf("%s: not each of %d addresses is created:\n%s", s.name, want, document)
		}
		runOffline(t, exitOK, "apply", migrated, "--yes", "--max-deletes", "0", "--local", account.file)
		runOffline(t, exitOK, "plan", migrated, "--detailed-exitcode", "--local", account.file)
	}
	if moved == 0 {
		t.Error("nothing moved")
	}
}

func countOf[T any](list []T, is func(i int) bool) (n int) {
	for i := range list {
		if is(i) {
			n++
		}
	}
	return n
}
