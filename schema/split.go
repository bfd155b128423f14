package schema

import (
	"bytes"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// A large file is parsed in pieces, side by side, for the nodes of a file take
// 25 times its size and most of the time of a plan. A piece is some entries of
// `flows`, and the head is all before them.
//
// The law is that nobody can tell: what the pieces say is what the whole file
// says, to the column. So a cut is only made before an entry of the list at the
// top of a file that is plain to see through (see split), and the whole file is
// read after all when a piece is not valid by itself, which is how a cut in the
// middle of a quoted text or of brackets shows; when anything has an anchor; and
// when anything at all is wrong with the input, so that the words and paths of
// problems have one source.

// pieceSize is the least size of a piece, in bytes.
const pieceSize = 128 << 10

// read decodes a file, in pieces if it can be.
func (src *source) read(vars *variables, pieceSize int) contents {
	if c, ok := src.readPieces(vars, pieceSize); ok {
		return c
	}
	return newDecoder(src, vars).file()
}

func (src *source) readPieces(vars *variables, pieceSize int) (all contents, ok bool) {
	head, pieces := src.split(pieceSize)
	if len(pieces) < 2 {
		return all, false
	}
	d := newDecoder(head, vars)
	root, ok := head.only()
	if !ok || !endsInFlows(root) {
		return all, false
	}
	d.document(root)
	if len(d.out.problems) > 0 {
		return all, false
	}

	parts := make([]contents, 1+len(pieces))
	parts[0] = d.out
	var odd atomic.Bool
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, piece := range pieces {
		g.Go(func() error {
			if odd.Load() {
				return nil
			}
			list, ok := piece.only()
			if !ok || !isSequence(list) {
				odd.Store(true)
				return nil
			}
			p := newDecoder(piece, vars)
			p.told, p.base = map[*node]bool{}, d.base
			p.flows(list)
			if len(p.out.problems) > 0 {
				odd.Store(true)
			}
			parts[1+i] = p.out
			return nil
		})
	}
	_ = g.Wait() // of nil
	if odd.Load() {
		return all, false
	}
	count := 0
	for _, part := range parts {
		for i := range part.facts {
			part.facts[i].index += int32(count)
		}
		count += len(part.flows)
	}
	return *join(parts), true
}

// only is the root of a source that is one valid document without anchors.
func (src *source) only() (root *node, ok bool) {
	documents := 0
	problems := src.documents(func(n *node) {
		root = n
		documents++
	})
	return root, documents == 1 && len(problems) == 0 && !hasAnchor(root)
}

// endsInFlows reports whether a document's last key is `flows`, without a value.
func endsInFlows(root *node) bool {
	if !isMapping(root) || root.Column != 1 || len(root.Content) < 2 {
		return false
	}
	key, value := root.Content[len(root.Content)-2], root.Content[len(root.Content)-1]
	return isScalar(key) && isPlain(key) && key.Value == "flows" && key.Column == 1 && isNull(value) && value.Value == ""
}

// split cuts a file before entries of its `flows`, where the list is the last
// of its document and of the file: behind the first line that is `flows:`, there
// are only entries at one column, what is indented deeper, comments and empty
// lines. It returns no pieces for any other file.
func (src *source) split(pieceSize int) (head *source, pieces []*source) {
	const flowsLine = "\nflows:\n"
	data := src.data
	body := bytes.Index(data, []byte(flowsLine)) + len(flowsLine)
	if body < len(flowsLine) || len(data)-body < 2*pieceSize {
		return nil, nil
	}
	for _, lineBreak := range []string{"\r", "\u0085", "\u2028", "\u2029"} { // those that are not \n
		if bytes.Contains(data, []byte(lineBreak)) {
			return nil, nil
		}
	}
	before := bytes.Count(data[:body], []byte("\n"))
	piece := &source{name: src.name, before: before}
	start, column := body, -1
	for at, lines := body, before; at < len(data); lines++ {
		line := data[at:]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end+1]
		}
		text := bytes.TrimLeft(line, " ")
		indent := len(line) - len(text)
		switch {
		case len(text) == 0 || text[0] == '\n' || text[0] == '#':
		case isEntry(text) && (column < 0 || indent == column):
			column = indent
			if at-start >= pieceSize {
				piece.data = data[start:at]
				pieces = append(pieces, piece)
				piece = &source{name: src.name, before: lines}
				start = at
			}
		case indent <= column || column < 0:
			return nil, nil
		}
		at += len(line)
	}
	piece.data = data[start:]
	return &source{name: src.name, data: data[:body]}, slices.Concat(pieces, []*source{piece})
}

// isEntry reports whether a line's text begins an entry of a list.
func isEntry(text []byte) bool {
	return text[0] == '-' && (len(text) == 1 || text[1] == ' ' || text[1] == '\n')
}
