package main

import (
	"fmt"
	"os"
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
