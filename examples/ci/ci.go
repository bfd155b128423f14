// Package ci holds the files for CI platforms that are beside it, as
// `flexsync init` writes them.
package ci

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
)

//go:embed github/*.yml gitlab/.gitlab-ci.yml
var files embed.FS

// headRE is how each file begins: it says where it belongs.
var headRE = regexp.MustCompile(`\A# Copy this file to ([^\s,]+\.yml)[.,].*\n#\n`)

// File is a file of a repository.
type File struct {
	Path string // in the repository, with slashes
	Text []byte
}

// For returns the files for a platform, "github" or "gitlab".
func For(platform string) ([]File, error) {
	paths, err := fs.Glob(files, platform+"/*.yml")
	if err != nil {
		return nil, err
	}
	var found []File
	for _, path := range paths {
		text, err := files.ReadFile(path)
		if err != nil {
			return nil, err
		}
		m := headRE.FindSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("%s does not say where it belongs", path)
		}
		found = append(found, File{Path: string(m[1]), Text: text[len(m[0]):]})
	}
	return found, nil
}
