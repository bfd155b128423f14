package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestWriteNewIn is that files of one moment get names of their own, which sort in
// the order in which they were written.
func TestWriteNewIn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "directory")
	var paths []string
	for _, text := range []string{"first", "second", "third"} {
		path, err := writeNewIn(context.Background(), dir, "backup-20260102T030405Z", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if have := contents(t, path); have != text {
			t.Errorf("%s holds %q, want %q", path, have, text)
		}
		paths = append(paths, path)
	}
	if !slices.IsSorted(paths) || filepath.Base(paths[0]) != "backup-20260102T030405Z.yaml" {
		t.Errorf("%q", paths)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != len(paths) {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}
