package yamldoc

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"flexsync/internal/safetext"
)

// Pos is a position in a file. Line and Column count from 1, columns in
// characters; Line 0 is the file as a whole.
type Pos struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column,omitempty"`
}

func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Compare orders positions by file, line and column.
func (p Pos) Compare(q Pos) int {
	return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}

// Problem is one reason why a file cannot be used.
type Problem struct {
	Pos
	Path    string // key path in the document, as in flows[2].integration.flow_sid; may be empty
	Message string
	Hint    string // what to do about it; may be empty
}

func (p Problem) String() string {
	s := p.Pos.String() + ": "
	if p.Path != "" {
		s += p.Path + ": "
	}
	return s + p.Message
}

// as is the problem with the name by which its file is reached.
func (p *Problem) as(name string) *Problem {
	if p == nil {
		return nil
	}
	named := *p
	named.File = name
	return &named
}

// Problems is every problem of every file. It is an error: one line a problem.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(a.Compare(b.Pos), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
}

// Tidy sorts the problems by position and drops those that repeat another at the
// same position, as happens where an alias is used several times.
func (ps Problems) Tidy() Problems {
	ps.sort()
	return slices.CompactFunc(ps, func(a, b Problem) bool { return a.Pos == b.Pos && a.Message == b.Message && a.Line > 0 })
}

// Complaint is what is wrong with a value, and what to do about it. The zero
// Complaint is none.
type Complaint struct{ Message, Hint string }

// Quote quotes a value for a message, safe to print and cut after 60 characters.
func Quote(s string) string {
	const limit = 60
	s = safetext.MaskUserinfo(s) // not of a part of the URL
	if utf8.RuneCountInString(s) > limit {
		return safetext.Quote(string([]rune(s)[:limit])) + "…"
	}
	return safetext.Quote(s)
}
