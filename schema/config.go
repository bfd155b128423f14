package schema

import (
	"flexsync/internal/glob"
	"flexsync/internal/secret"
	"flexsync/internal/yamldoc"
)

// Config is everything that the YAML declares, resolved and checked: variables
// are replaced, defaults are merged, and all rules hold.
type Config struct {
	// AccountSID is the only account that flexsync may write to, or "" for any.
	AccountSID    string
	AccountSIDPos yamldoc.Pos

	Ignore    []glob.Glob // of all documents, in their order
	Kinds     []*Kind     // what is managed, in the order of the table: a document has the key
	Resources []Declared  // in the order of files and documents
	Warnings  []Warning

	// Mask hides the secret variables, and the values that hold one.
	Mask *secret.Mask

	// Files is how many files were read.
	Files int
}

// Declared is one resource as the YAML wants it.
type Declared struct {
	// Object has every default filled in. What it leaves as it is in the account is
	// [Object.Open].
	Object

	Pos           yamldoc.Pos
	SID           string    // pinned to this resource, or ""
	RenamedFrom   []string  // old names, in order of preference
	IgnoreChanges FieldSet  // fields that keep the account's value
	Names         []NameRef // names instead of SIDs, not looked up yet
	Secrets       []Secret  // in the order of the table
}

// Secret is a field whose value holds a secret variable. Template is the value with
// ${name} in place of each secret, for yamldoc.Fill.
type Secret struct {
	Field    *Field
	Template string
}

// NameRef is a name instead of a SID, to be looked up in the account.
type NameRef struct {
	Field *Field // the one that the SID is for
	Name  string
	Pos   yamldoc.Pos
}

// Warning is something that is allowed but likely a mistake. Its Code is one of
// identity-format, identity-shared, long-name and long-timeout.
type Warning struct {
	Code    string
	Message string
	Pos     yamldoc.Pos
}

// Count returns how many resources of a kind the YAML declares.
func (c *Config) Count(k *Kind) (n int) {
	for i := range c.Resources {
		if c.Resources[i].Kind == k {
			n++
		}
	}
	return n
}
