package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeFile writes a file of mode 0600, whole or not at all; a file that it
// replaces loses its mode. A link stays a link, even one to a file that does not
// exist. A device or a pipe is written to and not replaced: that would break it
// for everyone.
func writeFile(ctx context.Context, path string, data []byte) (err error) {
	if path, err = resolve(path); err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return writeTo(ctx, path, os.O_WRONLY, data)
	}
	t, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // of mode 0600
	if err != nil {
		if open := (*fs.PathError)(nil); errors.As(err, &open) {
			open.Path = path // not the temporary name, which nobody gave
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

// isTaken reports whether there is something at a path that a new file would
// replace: not a device and not a FIFO, which are written to.
func isTaken(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		_, err = os.Lstat(path) // a link to nothing
		return err == nil
	}
	return info.Mode().IsRegular()
}

// writeNew is writeFile for a file that must not exist yet. The error of one that
// does is [fs.ErrExist]. It holds the name with an empty file until the content is
// there.
func writeNew(ctx context.Context, path string, data []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return writeFile(ctx, path, data)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = f.Close(); err == nil {
		err = writeFile(ctx, path, data)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// writeNewIn writes a new YAML file to a directory, which it makes if necessary.
// If the name is taken, the file gets a number, and sorts behind.
func writeNewIn(ctx context.Context, dir, name string, data []byte) (path string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for number := 1; ; number++ {
		path = filepath.Join(dir, name+".yaml")
		if number > 1 {
			path = filepath.Join(dir, fmt.Sprintf("%s_%d.yaml", name, number))
		}
		if err := writeNew(ctx, path, data); !errors.Is(err, fs.ErrExist) {
			return path, err
		}
	}
}

// writeTo opens a file and writes to it. An interruption ends both: the file may
// be a FIFO without another end.
func writeTo(ctx context.Context, path string, flags int, data []byte) error {
	_, err := await(ctx.Done(), grace, func() (struct{}, error) {
		f, err := os.OpenFile(path, flags, 0o600)
		if err != nil {
			return struct{}{}, err
		}
		_, err = f.Write(data)
		return struct{}{}, errors.Join(err, f.Close())
	})
	return err
}

// readFile reads a file of at most limit bytes. An interruption ends it.
func readFile(ctx context.Context, path string, limit int64) ([]byte, error) {
	return await(ctx.Done(), 0, func() ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, limit+1))
		if err == nil && int64(len(data)) > limit {
			err = &fs.PathError{Op: "read", Path: path, Err: errors.New("file is too large")}
		}
		return data, err
	})
}

// resolve is the file that a path leads to through links; it need not exist. A
// path that cannot be resolved is returned as it is: opening it reports why.
func resolve(path string) (string, error) {
	for range 40 {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return real, nil
		}
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return path, nil
		}
		real := filepath.Join(dir, filepath.Base(path))
		link, err := os.Readlink(real)
		switch {
		case err != nil:
			return path, nil
		case filepath.IsAbs(link):
			path = link
		default:
			path = filepath.Join(dir, link)
		}
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: errors.New("too many links")}
}
