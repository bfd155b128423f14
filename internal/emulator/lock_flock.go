//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package emulator

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lock keeps other processes from writing the file until unlock is called. It
// locks the file's directory: the file itself is replaced by every write, and a
// lock file beside it would stay behind. A file system without such locks, as some
// network ones, goes unlocked.
func (f *file) lock() (unlock func(), err error) {
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	switch {
	case err == nil, errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.EBADF):
		return func() { dir.Close() }, nil // closing unlocks
	}
	dir.Close()
	return nil, &os.PathError{Op: "lock", Path: dir.Name(), Err: err}
}
