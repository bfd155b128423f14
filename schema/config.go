package schema

import (
	"flexsync/internal/glob"
	"flexsync/internal/yamldoc"
)

// Config is everything that the YAML says, resolved and checked: variables
// replaced, defaults merged, every rule held.
type Config struct {
	// AccountSID is the only account that may be touched, or "".
	AccountSID    string
	AccountSIDPos yamldoc.Pos

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

	Pos           yamldoc.Pos
	SID           string    // pinned to this resource, or ""
	RenamedFrom   []string  // old names, the most wanted first
	IgnoreChanges FieldSet  // left as the account has them
	Names         []NameRef // names that stand for SIDs, not looked up yet
}

// NameRef is a name in place of a SID: the account has to be asked for it.
type NameRef struct {
	Field *Field // the SID's row
	Name  string
	Pos   yamldoc.Pos
}

// Warning is something that is allowed and likely a mistake. Codes:
// identity-format, identity-shared, long-name, long-timeout.
type Warning struct {
	Code    string
	Message string
	Pos     yamldoc.Pos
}
