// Package plan computes the difference between what the YAML wants and what
// the account has, as data.
//
// A [Plan] says what to write, in which order and why, and why apply refuses to. It
// is computed from a configuration and a snapshot ([Compute]), saved and read back
// ([Plan.WriteJSON], [Read]). Package render shows it, package apply carries it out.
// This package connects to nothing and reads no clock.
package plan

import (
	"maps"
	"slices"
	"time"

	"flexsync/internal/secret"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
	"flexsync/state"
)

// FormatVersion is the version of the JSON document.
const FormatVersion = 1

// Action is what a change does to a resource. The value is its symbol.
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

// Plan is the writes that make the account equal to the YAML.
type Plan struct {
	FlexsyncVersion string    `json:"flexsync_version"`
	CreatedAt       time.Time `json:"created_at"`

	AccountSID string `json:"account_sid"` // "" when it is not known
	BaseURL    string `json:"base_url"`

	// State is the account's resources in scope, by SID.
	State map[string]Seen `json:"state"`

	Ignore []string `json:"ignore"` // globs and SIDs of files and flags
	Only   []string `json:"only"`
	// LeftOut is the SIDs of resources that --ignore leaves out by the name of their
	// declaration, not by their own.
	LeftOut []string `json:"left_out"`
	// Managed has, for each kind that the run manages, the IDs of the declared
	// resources in scope, sorted.
	Managed map[*schema.Kind][]string `json:"-"`
	// NoDelete is --no-delete: nothing is deleted, not even copies that appear while
	// the plan is carried out.
	NoDelete bool `json:"no_delete"`

	// Names are the names of things that resources refer to, by SID, for display.
	Names map[string]string `json:"names"`

	Summary  Summary  `json:"summary"`
	Origins  *Origins `json:"origins"` // nil: the plan was made without a base
	Changes  []Change `json:"changes"` // in the order of execution
	Kept     []Kept   `json:"kept"`    // deletions that --no-delete holds back
	Warnings []Notice `json:"warnings"`
	Refusals []Notice `json:"refusals"`

	config       *schema.Config // nil when the plan was read from a document
	configDigest string         // otherwise ""
	mask         secret.Mask
}

// Seen is what the plan found of a resource.
type Seen struct {
	ID     string
	object *schema.Object // nil when the plan was read from a document
	digest string         // otherwise ""
}

// Digest identifies the content of the resource, see [state.Digest]. It is worked out
// when it is asked for: only a document has it.
func (s Seen) Digest() string {
	if s.object != nil {
		return state.Digest(s.object)
	}
	return s.digest
}

// ConfigDigest is "sha256:" and hex, of the resolved configuration, whatever its files
// and their order. It is worked out when it is asked for.
func (p *Plan) ConfigDigest() string {
	if p.config != nil {
		return configDigest(p.config)
	}
	return p.configDigest
}

// Summary counts resources. An extra disabling step is not counted.
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
	Action Action `json:"action"`
	schema.Key
	SID         string `json:"sid,omitempty"`          // "" on create
	RenamedFrom string `json:"renamed_from,omitempty"` // the name in the account, when it is another
	// Step is StepDisable on the extra write that breaks a cycle or begins a move: it
	// disables the resource, and a later change of the same SID finishes it. Otherwise
	// "".
	Step   string       `json:"step,omitempty"`
	Source *yamldoc.Pos `json:"source,omitempty"` // where it is declared; nil on delete
	Reason string       `json:"reason,omitempty"` // of a delete; "" when it is only that no file declares the resource
	// CopyOf is, on the delete of a copy, the SID of the equal resource that stays.
	// Such a delete loses nothing, and does not count for --max-deletes.
	CopyOf string `json:"copy_of,omitempty"`
	// Replaces is, on the create of a resource in place of one whose fields cannot be
	// changed, the SID of that one, which another change deletes.
	Replaces string `json:"replaces,omitempty"`
	// MovedTo is, on the delete of a resource whose identity an enabled one of another
	// kind has or gets, the ID of that one. So it is where --no-delete disables the
	// resource instead. Such a delete does not count for --max-deletes.
	MovedTo string        `json:"moved_to,omitempty"`
	Origin  Origin        `json:"origin,omitempty"` // whose difference it is; see [Plan.SetOrigins]
	Fields  []FieldChange `json:"fields"`
	// Secrets is the fields whose new value holds a secret variable.
	Secrets []Secret `json:"secrets,omitempty"`

	Before *schema.Object `json:"before"` // nil on create
	After  *schema.Object `json:"after"`  // nil on delete; otherwise whole, as it should be
}

// StepDisable is the Step of the extra write that breaks a cycle or begins a move.
const StepDisable = "disable"

// FieldChange is one field that a change sets. Path is a schema.Field's; the values
// are each a string, a bool, an int64, or nil for none.
type FieldChange struct {
	Path   string       `json:"path"`
	Before schema.Value `json:"before"`
	After  schema.Value `json:"after"`
	Origin Origin       `json:"origin,omitempty"`
}

// Disables reports whether the change disables a resource that is enabled now.
func (c *Change) Disables() bool {
	return c.Before != nil && c.Before.Enabled() && c.After != nil && !c.After.Enabled()
}

// Kept is a resource that --no-delete keeps.
type Kept struct {
	schema.Key
	SID    string        `json:"sid"`
	Reason string        `json:"reason,omitempty"`
	CopyOf string        `json:"copy_of,omitempty"` // as in Change
	Origin Origin        `json:"origin,omitempty"`
	Object schema.Object `json:"flow"`
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
	RefuseAccountFull     = "account-full"
	// RefuseCycleUnmanaged is a cycle of resources that all have `enabled` in
	// ignore_changes: to break it could leave one of them disabled.
	RefuseCycleUnmanaged = "cycle-unmanaged"
)

// Backup returns how to export the account so that the export can be applied
// unedited, both before and after the plan is carried out.
func (p *Plan) Backup() state.ExportOptions {
	opts := state.ExportOptions{Gone: make(map[string]bool), Coming: make(map[string]bool), Renamed: make(map[string]bool)}
	for i := range p.Changes {
		switch c := &p.Changes[i]; {
		case c.Action == Delete:
			opts.Gone[c.SID] = true
		case c.Action == Create && c.Replaces == "":
			opts.Coming[c.ID] = true
		case c.Action == Create:
		case c.Before.ID() != c.After.ID():
			opts.Coming[c.After.ID()], opts.Renamed[c.SID] = true, true
		}
	}
	return opts
}

// settleDigests works out the digests, and forgets what they are of.
func (p *Plan) settleDigests() {
	p.configDigest, p.config = p.ConfigDigest(), nil
	p.State = maps.Clone(p.State)
	for sid, s := range p.State {
		p.State[sid] = Seen{ID: s.ID, digest: s.Digest()}
	}
}

// Detached returns the plan in memory of its own. A plan points into the configuration
// and the snapshot that it was made from, and keeps both whole as long as it lives.
func (p *Plan) Detached() *Plan {
	d := *p
	d.settleDigests()
	d.Changes = slices.Clone(p.Changes)
	for i := range d.Changes {
		c := &d.Changes[i]
		c.Source, c.Before, c.After = detached(c.Source), detached(c.Before), detached(c.After)
	}
	notices := func(list []Notice) []Notice {
		list = slices.Clone(list)
		for i := range list {
			list[i].Source = detached(list[i].Source)
		}
		return list
	}
	d.Warnings, d.Refusals = notices(p.Warnings), notices(p.Refusals)
	return &d
}

func detached[T any](v *T) *T {
	if v == nil {
		return nil
	}
	own := *v
	return &own
}

// Outline returns what text and Markdown show of the plan, in memory of its own:
// masked, and without what only saves the plan or carries it out.
func (p *Plan) Outline() *Plan {
	o := p.Masked() // a copy
	o.State, o.LeftOut, o.config = nil, nil, nil
	o = o.Detached()
	o.Managed = make(map[*schema.Kind][]string)
	for k := range p.Managed {
		o.Managed[k] = nil
	}
	return o
}

// Kinds returns the kinds that the run manages, in the order of the table.
func (p *Plan) Kinds() []*schema.Kind {
	return slices.DeleteFunc(slices.Clone(schema.Kinds), func(k *schema.Kind) bool { _, ok := p.Managed[k]; return !ok })
}

// HasChanges reports whether apply would write anything.
func (p *Plan) HasChanges() bool { return len(p.Changes) > 0 }
