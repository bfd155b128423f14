// Package internal has no code: only the test of what may import what.
package internal

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers are the packages of this module and what each may import of it, from
// the top to the bottom: cmd > render > apply > plan > state > schema. A package that is
// not here is an error: whoever adds one decides where it belongs.
var layers = []struct {
	path string
	may  []string
}{
	{"cmd/flexsync", []string{"apply", "plan", "state", "schema", "internal/render", "internal/flexapi", "internal/emulator", "internal/migrate", "internal/fleet", "internal/glob", "internal/nearest", "internal/yamldoc", "internal/jsondoc", "internal/safetext", "internal/secret", "examples/ci"}},
	{"internal/render", []string{"apply", "plan", "state", "schema", "internal/yamldoc", "internal/flexapi", "internal/safetext", "internal/secret"}},
	{"apply", []string{"plan", "state", "schema", "internal/flexapi", "internal/jsondoc", "internal/safetext", "internal/secret"}},
	{"plan", []string{"state", "schema", "internal/glob", "internal/nearest", "internal/yamldoc", "internal/jsondoc", "internal/safetext", "internal/secret"}},
	{"state", []string{"schema", "internal/flexapi", "internal/glob", "internal/jsondoc", "internal/safetext"}},
	{"schema", []string{"internal/glob", "internal/nearest", "internal/yamldoc", "internal/jsondoc", "internal/safetext", "internal/secret"}},
	{"internal/migrate", []string{"internal/yamldoc", "internal/glob", "internal/safetext"}},
	{"internal/fleet", []string{"internal/yamldoc", "internal/glob"}},
	{"internal/yamldoc", []string{"internal/nearest", "internal/safetext"}},
	// The client knows nothing of flows, and the emulator nothing of anything: a
	// mistake in what it shared with the client would be hidden in both.
	{"internal/flexapi", nil},
	{"internal/emulator/emutest", []string{"internal/emulator"}},
	{"internal/emulator", nil},
	{"internal/glob", nil},
	{"internal/nearest", nil},
	{"internal/jsondoc", []string{"internal/safetext"}},
	{"internal/secret", []string{"internal/safetext"}},
	{"internal/safetext", nil},
	{"examples/ci", nil}, // files, no code
}

// isTool reports whether a package measures or tests the others: it may import
// them, and the program has nothing of it.
func isTool(path string) bool {
	return path == "internal/contract" || path == "internal/bench" || strings.HasPrefix(path, "internal/bench/")
}

// onlyInTests are modules and packages that the program is not made of.
var onlyInTests = []string{
	"github.com/google/go-cmp", "pgregory.net/rapid", "github.com/getkin/kin-openapi",
	"github.com/rogpeppe/go-internal", "github.com/santhosh-tekuri/jsonschema", "testing",
	"net/http/httptest", "flexsync/internal/emulator/emutest",
}

func forTests(path string) bool {
	return slices.ContainsFunc(onlyInTests, func(module string) bool {
		return path == module || strings.HasPrefix(path, module+"/")
	})
}

const yaml = "gopkg.in/yaml.v3"

type goPackage struct {
	Dir, ImportPath string
	Module          struct{ Path string }

	GoFiles, IgnoredGoFiles, CgoFiles []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	list := exec.Command("go", "list", "-json=Dir,ImportPath,Module,GoFiles,IgnoredGoFiles,CgoFiles", "./...")
	list.Dir = ".."
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestLayers(t *testing.T) {
	known := make(map[string][]string)
	for _, l := range slices.Backward(layers) {
		for _, below := range l.may {
			if _, ok := known[below]; !ok {
				t.Errorf("%s may import %s, which is not below it", l.path, below)
			}
		}
		known[l.path] = l.may
	}
	found := make(map[string]bool)
	for _, p := range listPackages(t) {
		prefix := p.Module.Path + "/"
		path := strings.TrimPrefix(p.ImportPath, prefix)
		files := slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles)
		if len(files) == 0 || isTool(path) {
			continue
		}
		may, ok := known[path]
		if !ok {
			t.Errorf("%s has no place among the layers", p.ImportPath)
			continue
		}
		found[path] = true
		for _, imported := range importsOf(t, p, files) {
			below, ours := strings.CutPrefix(imported.path, prefix)
			if ours && !slices.Contains(may, below) {
				t.Errorf("%s imports %s", imported.file, below)
			}
			if forTests(imported.path) && !forTests(p.ImportPath) {
				t.Errorf("%s imports %s, which is for tests", imported.file, imported.path)
			}
		}
	}
	for _, l := range layers {
		if !found[l.path] {
			t.Errorf("there is no package %s", l.path)
		}
	}
}

// TestProgram is what the shipped program is made of, whoever imports it.
func TestProgram(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "./cmd/flexsync")
	list.Dir = ".."
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	packages := strings.Fields(string(out))
	if !slices.Contains(packages, "flexsync/internal/emulator") {
		t.Errorf("the program lacks the emulator: %q", packages)
	}
	for _, path := range packages {
		if forTests(path) || isTool(strings.TrimPrefix(path, "flexsync/")) {
			t.Errorf("the program has %s, which is for tests", path)
		}
	}
}

// The YAML library is frozen: one file imports it, so that moving to its twin
// is one line.
func TestYAMLIsImportedOnce(t *testing.T) {
	var files []string
	for _, p := range listPackages(t) {
		if isTool(strings.TrimPrefix(p.ImportPath, p.Module.Path+"/")) {
			continue
		}
		for _, imported := range importsOf(t, p, slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles)) {
			if imported.path == yaml || strings.HasPrefix(imported.path, "go.yaml.in/") {
				files = append(files, imported.file)
			}
		}
	}
	if len(files) != 1 {
		t.Errorf("%s is imported by %q, and it should be by one file", yaml, files)
	}
}

type imported struct{ file, path string }

// importsOf reads the files, those that other systems build too.
func importsOf(t *testing.T, p goPackage, files []string) []imported {
	t.Helper()
	var all []imported
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, imported{filepath.ToSlash(filepath.Join(p.ImportPath, name)), path})
		}
	}
	return all
}
