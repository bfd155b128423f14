package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// writeFile makes a file of mode 0600, whole or not at all, also where one of
// another mode is. A link stays a link. What is no regular file (a device, a
// pipe) is written to: a file in its place would break it for everyone.
func writeFile(path string, data []byte) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	}
	t, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // of mode 0600
	if err != nil {
		if open := (*fs.PathError)(nil); errors.As(err, &open) {
			open.Path = path // not a name that nobody gave
		}
		return err
	}
	_, err = t.Write(data)
	if err = errors.Join(err, t.Sync(), t.Close()); err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(t.Name()))
	}
	return nil
}
