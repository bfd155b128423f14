package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/glob"
)

// Config is everything that the YAML says, resolved and checked: variables
// replaced, defaults merged, every rule held.
type Config struct {
	// AccountSID is the only account that may be touched, or "".
	AccountSID    string
	AccountSIDPos Pos

	Ignore   []glob.Glob // joined over all documents, in their order
	Flows    []Declared  // in the order of files and documents
	Warnings []Warning

	// Files is how many files were read.
	Files int
}

// Declared is one flow as the YAML wants it.
type Declared struct {
	// Flow has every default filled in. Where the integration type is empty,
	// the integration is left as the account has it; where CreationOnMessage
	// is unset, that field is.
	Flow Flow

	Pos           Pos
	SID           string    // pinned to this resource, or ""
	RenamedFrom   []string  // old names, the most wanted first
	IgnoreChanges FieldSet  // left as the account has them
	Names         []NameRef // names that stand for SIDs, not looked up yet
}

// NameRef is a name in place of a SID: the account has to be asked for it.
type NameRef struct {
	Field *Field // the SID's row
	Name  string
	Pos   Pos
}

// Pos is a place in the YAML. Line and Column count from 1; Line 0 is the
// file as a whole.
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

func (p Pos) compare(q Pos) int {
	return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}

// Warning is something that is allowed and likely a mistake. Codes:
// identity-format, identity-shared, long-name, long-timeout.
type Warning struct {
	Code    string
	Message string
	Pos     Pos
}

// Problem is one reason why the YAML cannot be used.
type Problem struct {
	Pos
	Path    string // key path in the document, flows[2].integration.flow_sid
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

// Problems is every problem of every file, sorted by position. It is the error
// of Load whenever the input is at fault.
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
		return cmp.Or(a.compare(b.Pos), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
}
