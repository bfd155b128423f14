//go:build !windows

package emulator

import (
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

// replace replaces the file at path with data, durably and as a whole. A new file
// gets mode 0600, an existing one keeps its own.
func replace(path string, data []byte, modified time.Time) error {
	t, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o600), renameio.WithExistingPermissions())
	if err != nil {
		return err
	}
	defer func() { _ = t.Cleanup() }()
	if _, err := t.Write(data); err != nil {
		return err
	}
	if err := os.Chtimes(t.Name(), modified, modified); err != nil {
		return err
	}
	if err := t.CloseAtomicallyReplace(); err != nil {
		return err
	}
	// The rename is on disk once the directory is. A file system that cannot sync
	// a directory offers no more.
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}
