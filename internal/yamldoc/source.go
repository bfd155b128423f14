package yamldoc

import (
	"bytes"
	"fmt"
	"sort"
	"sync"
	"unicode/utf8"
)

// maxFileSize is how large a file may be, in bytes.
const maxFileSize = 64 << 20

// Source is the text of one file. It gives the positions of nodes. Several goroutines
// may use it at once.
type Source struct {
	name string
	*text
}

// text is what a file has, by whatever name.
type text struct {
	data []byte

	indexing sync.Once
	lines    []int // offset of each line's start, see index

	parsing  sync.Once
	docs     []*Node
	problems Problems // of the parser
}

// as is the source with the name by which the file is reached.
func (src *Source) as(name string) *Source {
	if src == nil {
		return nil
	}
	return &Source{name, src.text}
}

// Text returns the text of the file, without a byte order mark.
func (src *Source) Text() []byte { return src.data }

// Mentions reports whether a word is anywhere in the file. One that is not can still
// be the value of a quoted scalar with escapes.
func (src *Source) Mentions(word string) bool { return bytes.Contains(src.data, []byte(word)) }

// NewSource checks that data can be YAML at all: UTF-8 of at most 64 MiB, without
// control characters. A byte order mark is removed, so that columns are those that
// an editor shows. name is the file's name in positions.
func NewSource(name string, data []byte) (*Source, *Problem) {
	src := &Source{name, &text{data: bytes.TrimPrefix(data, []byte("\ufeff"))}}
	if len(src.data) > maxFileSize {
		return nil, &Problem{Pos: Pos{File: name}, Message: fmt.Sprintf("the file is larger than %d MiB", maxFileSize>>20),
			Hint: "split it into several files"}
	}
	if offset, what := unreadable(src.data); what.Message != "" {
		return nil, &Problem{Pos: src.posAt(offset), Message: what.Message, Hint: what.Hint}
	}
	return src, nil
}

// unreadable finds the first character that YAML does not allow, or that its
// readers do not agree on: the parser takes U+0085, U+2028 and U+2029 for line
// breaks, so that they would end a comment and change a quoted text, where YAML
// 1.2 and JSON have three characters like any other.
func unreadable(data []byte) (offset int, what Complaint) {
	const save = "save the file as UTF-8 text"
	for i := 0; i < len(data); {
		c := data[i]
		if c >= 0x20 && c < 0x7f || c == '\n' || c == '\t' || c == '\r' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return i, Complaint{fmt.Sprintf("byte 0x%02x is not valid UTF-8", c), save}
		case r == 0x85, r == 0x2028, r == 0x2029:
			return i, Complaint{fmt.Sprintf("the character %U is a line break in YAML 1.1 but not in YAML 1.2", r),
				fmt.Sprintf(`write \u%04x in double quotes, or remove it`, r)}
		case r < 0xa0, r == 0xfffe, r == 0xffff:
			return i, Complaint{fmt.Sprintf("control character %U is not allowed in YAML", r), save}
		}
		i += size
	}
	return 0, Complaint{}
}

// Name returns the file's name, as it is in positions.
func (src *Source) Name() string { return src.name }

// Pos returns the position of a node.
func (src *Source) Pos(n *Node) Pos {
	return Pos{File: src.name, Line: n.Line, Column: n.Column}
}

// index finds the lines. The other breaks that the YAML parser counts are not in
// a source.
func (src *Source) index() []int {
	src.indexing.Do(func() {
		src.lines = []int{0}
		for i, c := range src.data {
			if c == '\n' || c == '\r' && (i+1 == len(src.data) || src.data[i+1] != '\n') {
				src.lines = append(src.lines, i+1)
			}
		}
	})
	return src.lines
}

// line returns the text of a line, counted from 1, with its break.
func (src *Source) line(number int) []byte {
	lines := src.index()
	switch {
	case number < 1 || number > len(lines):
		return nil
	case number == len(lines):
		return src.data[lines[number-1]:]
	}
	return src.data[lines[number-1]:lines[number]]
}

// BlankAbove reports whether an empty line separates a node, with the comment right
// above it, from what comes before.
func (src *Source) BlankAbove(n *Node) bool {
	for number := n.Line - 1; number > 0; number-- {
		switch line := bytes.TrimSpace(src.line(number)); {
		case len(line) == 0:
			return true
		case line[0] != '#':
			return false
		}
	}
	return false
}

// posAt is the position of a byte.
func (src *Source) posAt(offset int) Pos {
	lines := src.index()
	line := sort.SearchInts(lines, offset+1)
	column := utf8.RuneCount(src.data[lines[line-1]:offset]) + 1
	return Pos{File: src.name, Line: line, Column: column}
}

// posIn is the position of the byte at offset in a scalar's value, when want
// stands there in the file: the value of a folded or an escaped scalar is not
// what the file has. Otherwise it is the position of the scalar.
func (src *Source) posIn(n *Node, offset int, want string) Pos {
	pos := src.Pos(n)
	column := n.Column + utf8.RuneCountInString(n.Value[:offset])
	if isQuoted(n) {
		column++
	}
	rest := src.line(n.Line)
	for range column - 1 {
		_, size := utf8.DecodeRune(rest)
		rest = rest[size:]
	}
	if bytes.HasPrefix(rest, []byte(want)) {
		pos.Column = column
	}
	return pos
}
