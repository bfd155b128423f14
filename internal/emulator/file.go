package emulator

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// file is the local file. Everyone who writes it replaces it whole, so that a
// reader sees either the old or the new one and needs no lock.
type file struct {
	path string
	seen fs.FileInfo // the file as it was last read or written; nil while it does not exist
}

// openFile checks that the file, or its directory, can be used. It neither creates
// nor locks anything.
func openFile(path string) (*file, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // or else a write would replace the link itself
	}
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("the directory of %s: %w", path, err)
	}
	if !dir.IsDir() {
		return nil, fmt.Errorf("%s: %s is not a directory", path, filepath.Dir(path))
	}
	return &file{path: path}, nil
}

// read returns the file's content and when it was last changed, and nil while it
// does not exist.
func (f *file) read() ([]byte, time.Time, error) {
	r, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.seen = nil
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read %s: %w", f.path, err)
	}
	if data == nil {
		data = []byte{}
	}
	f.seen = info
	return data, info.ModTime(), nil
}

// changed reports whether the file is not the one last seen. A file that was there
// and is gone is an error: to take it for an empty account would be a guess.
func (f *file) changed() (bool, error) {
	now, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.seen == nil:
		return false, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("%s no longer exists", f.path)
	case err != nil:
		return false, err
	case f.seen == nil:
		return true, nil
	}
	return !os.SameFile(f.seen, now) || !now.ModTime().Equal(f.seen.ModTime()) || now.Size() != f.seen.Size(), nil
}

// write replaces the file, whole or not at all, and returns once it is on disk.
//
// Each version gets a later time than the one before, even within one tick of the
// file system's clock: another process notices a write by the time, because the
// size and even the inode may be the same.
func (f *file) write(data []byte) error {
	modified := time.Now()
	if f.seen != nil && !modified.After(f.seen.ModTime()) {
		modified = f.seen.ModTime().Add(time.Microsecond)
	}
	if err := replace(f.path, data, modified); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	info, err := os.Stat(f.path)
	if err != nil {
		// It is written; the next request reads it again, or fails like this one.
		f.seen = nil
		return nil
	}
	f.seen = info
	return nil
}
