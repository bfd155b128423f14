// Package plan computes the difference between what the YAML wants and what
// the account has, as data.
//
// A [Plan] says what would be written, in which order, why, and why apply
// would refuse. It holds no function and no connection: it is computed from a
// configuration and a snapshot ([Compute]), saved and read back ([Plan.WriteJSON],
// [Read]). How it looks is package render's work, carrying it out package apply's. The package does no I/O
// of its own and reads no clock.
package plan

import (
	"time"

	"flexsync/internal/yamldoc"
	"flexsync/schema"
	"flexsync/state"
)

// FormatVersion is the version of the JSON document.
const FormatVersion = 1

// Action is what a change does to a flow. The value is its symbol.
type Action rune

// The actions.
const (
	Create Action = '+'
	Update Action = '~'
	Delete Action = '-'
)

func (a Action) String() string {
	switch a {
	case Create:
		return "create"
	case Update:
		return "update"
	case Delete:
		return "delete"
	}
	return "Action(" + string(rune(a)) + ")"
}

// Plan is what has to be written to make the account equal to the YAML.
type Plan struct {
	FlexsyncVersion string    `json:"flexsync_version"`
	CreatedAt       time.Time `json:"created_at"`

	AccountSID   string `json:"account_sid"` // "" when nothing told which account it is
	BaseURL      string `json:"base_url"`
	ConfigDigest string `json:"config_digest"` // of the resolved configuration; files and their order do not matter

	// State is every flow of the account that was looked at, by SID.
	State map[string]Seen `json:"state"`

	Ignore []string `json:"ignore"` // globs and SIDs of files and flags
	Only   []string `json:"only"`
	// LeftOut is the SIDs of flows that --ignore leaves out by the name of the
	// declared flow that they belong to, and not by their own.
	LeftOut []string `json:"left_out"`
	Managed []string `json:"managed"` // names that the YAML declares and that were looked at, sorted
	// NoDelete is --no-delete: nothing is deleted, copies that come up while the
	// plan is carried out included.
	NoDelete bool `json:"no_delete"`

	// Names are the names of the SIDs that were looked up, for display.
	Names map[string]string `json:"names"`

	Summary  Summary  `json:"summary"`
	Changes  []Change `json:"changes"` // in the order of execution
	Kept     []Kept   `json:"kept"`    // deletions that --no-delete holds back
	Warnings []Notice `json:"warnings"`
	Refusals []Notice `json:"refusals"`
}

// Seen is a flow as the plan found it.
type Seen struct {
	FriendlyName string `json:"friendly_name"`
	Digest       string `json:"digest"` // of the compared fields only
}

// Summary counts flows. An extra disabling step is not counted.
type Summary struct {
	Create    int `json:"create"`
	Update    int `json:"update"`
	Delete    int `json:"delete"`
	Unchanged int `json:"unchanged"`
	Ignored   int `json:"ignored"`
	Kept      int `json:"kept"`
}

// Change is one write.
type Change struct {
	Action       Action `json:"action"`
	FriendlyName string `json:"friendly_name"`
	SID          string `json:"sid,omitempty"`          // "" on create
	RenamedFrom  string `json:"renamed_from,omitempty"` // the name that the account's flow has, when it is another
	// Step is "disable" on the extra write that breaks a swap of identities:
	// it switches the flow off, a later change of the same SID finishes it.
	Step   string       `json:"step,omitempty"`
	Source *yamldoc.Pos `json:"source,omitempty"` // where the flow is declared; nil on delete
	Reason string       `json:"reason,omitempty"` // why a delete is one; "" when no file declares the flow
	// CopyOf is, on the delete of a copy, the SID of the equal flow that
	// stays. Nothing is lost by such a delete: it is outside --max-deletes.
	CopyOf string        `json:"copy_of,omitempty"`
	Fields []FieldChange `json:"fields"`

	Before *schema.Flow `json:"before"` // nil on create
	After  *schema.Flow `json:"after"`  // nil on delete: the whole flow as it is sent
}

// StepDisable is the Step of an extra disabling write.
const StepDisable = "disable"

// FieldChange is one field that a change sets: a string, bool, int64 or nil.
type FieldChange struct {
	Path   string       `json:"path"`
	Before schema.Value `json:"before"`
	After  schema.Value `json:"after"`
}

// Disables reports whether the change switches a flow off that is on now.
func (c *Change) Disables() bool {
	return c.Before != nil && c.Before.Enabled && c.After != nil && !c.After.Enabled
}

// Kept is a flow that would be deleted without --no-delete.
type Kept struct {
	FriendlyName string      `json:"friendly_name"`
	SID          string      `json:"sid"`
	Reason       string      `json:"reason,omitempty"`
	CopyOf       string      `json:"copy_of,omitempty"` // as in Change
	Flow         schema.Flow `json:"flow"`
}

// Notice is a warning or a refusal.
type Notice struct {
	Code    string       `json:"code"`
	Message string       `json:"message"`
	Source  *yamldoc.Pos `json:"source,omitempty"`
}

// The codes of refusals.
const (
	RefuseMaxDeletes      = "max-deletes"
	RefuseDuplicateRemote = "duplicate-remote"
	RefuseWrongAccount    = "wrong-account"
	RefuseEmptyConfig     = "empty-config"
	RefuseSIDAbsent       = "sid-absent"
	// RefuseCycleUnmanaged is a cycle of identities among flows whose `enabled`
	// is in ignore_changes: breaking it could leave one of them disabled.
	RefuseCycleUnmanaged = "cycle-unmanaged"
)

// Backup says how to export the account so that it can be applied as it is
// before the plan is carried out, and after.
func (p *Plan) Backup() state.ExportOptions {
	opts := state.ExportOptions{Gone: make(map[string]bool), Coming: make(map[string]bool), Renamed: make(map[string]bool)}
	for i := range p.Changes {
		switch c := &p.Changes[i]; {
		case c.Action == Delete:
			opts.Gone[c.SID] = true
		case c.Action == Create:
			opts.Coming[c.After.FriendlyName] = true
		case c.Before.FriendlyName != c.After.FriendlyName:
			opts.Coming[c.After.FriendlyName], opts.Renamed[c.SID] = true, true
		}
	}
	return opts
}

// HasChanges reports whether apply would write anything.
func (p *Plan) HasChanges() bool { return len(p.Changes) > 0 }
