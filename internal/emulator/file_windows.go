package emulator

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// replace replaces the file at path with data. renameio promises nothing on Windows
// and is not built there; this is the closest to it.
func replace(path string, data []byte, modified time.Time) (err error) {
	t, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(t.Name()))
		}
	}()
	_, err = t.Write(data)
	err = errors.Join(err, t.Sync(), t.Close())
	if err != nil {
		return err
	}
	if err := os.Chtimes(t.Name(), modified, modified); err != nil {
		return err
	}
	return os.Rename(t.Name(), path)
}
