package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestDocsCodes holds the tables of warnings and refusals in docs/json.md
// against the codes in the source.
func TestDocsCodes(t *testing.T) {
	t.Parallel()
	codes := map[string][]string{"warn": nil, "refuse": nil}
	for _, dir := range []string{".", "../../plan", "../../schema"} {
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v, %d files", dir, err, len(paths))
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			findCodes(file, codes)
		}
	}
	for kind, heading := range map[string]string{"warn": "### Warnings", "refuse": "### Refusals"} {
		var documented []string
		for _, row := range table(t, "docs/json.md", heading) {
			documented = append(documented, firstCode(t, row[0]))
		}
		compareSets(t, kind+" code", documented, codes[kind])
	}
}

var codeOfNoticeRE = regexp.MustCompile(`^[a-z]+(?:-[a-z]+)+$`)

// findCodes adds the codes of a file: constants named for what they are
// (warnName, RefuseSIDAbsent), arguments of a function warn or refuse, and
// literals under Code, of a list of refusals or of warnings.
func findCodes(file *ast.File, codes map[string][]string) {
	add := func(kind string, e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil && codeOfNoticeRE.MatchString(s) {
				codes[kind] = append(codes[kind], s)
			}
		}
	}
	kindOf := func(name string) string {
		for kind := range codes {
			if strings.HasPrefix(strings.ToLower(name), kind) {
				return kind
			}
		}
		return ""
	}
	underCode := func(kind string, n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Code" {
					add(kind, kv.Value)
				}
			}
			return true
		})
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if kind := kindOf(name.Name); kind != "" && i < len(n.Values) {
					add(kind, n.Values[i])
				}
			}
		case *ast.CallExpr:
			name := ""
			switch f := n.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			if kind := kindOf(name); kind != "" {
				for _, arg := range n.Args {
					add(kind, arg)
				}
			}
		case *ast.CompositeLit:
			if t, ok := n.Type.(*ast.Ident); ok && t.Name == "Warning" {
				underCode("warn", n)
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Refusals" {
				underCode("refuse", n.Value)
			}
		}
		return true
	})
}
