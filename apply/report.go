package apply

import (
	"errors"
	"slices"

	"flexsync/internal/flexapi"
	"flexsync/internal/secret"
	"flexsync/plan"
	"flexsync/schema"
)

// Status is how a run as a whole, or one change, ended.
type Status string

// How a run ended.
const (
	Applied     Status = "applied"     // everything is done, and the account shows it
	Unchanged   Status = "unchanged"   // there was nothing to do
	Partial     Status = "partial"     // a write failed, was skipped, or its outcome is unknown
	Mismatched  Status = "mismatch"    // done, but the account does not show it, or could not be listed
	Interrupted Status = "interrupted" // the context ended first
)

// How a change ended.
const (
	Done    Status = "done"
	Failed  Status = "failed"  // it was refused: nothing was changed by it
	Skipped Status = "skipped" // it was not begun
	Unknown Status = "unknown" // it may have been carried out
)

// Report is what a run did. WriteJSON writes it as JSON.
type Report struct {
	Status     Status
	AccountSID string
	Results    []Result // in the order of the plan, then those with StepSettle or StepEnable
	// SIDs maps, for each kind that the run manages, each declared ID in scope to its
	// SID after the run. One that the account does not have exactly once is missing.
	SIDs       map[*schema.Kind]map[string]string
	Mismatches []Mismatch
	// Kept is how many resources of each kind --no-delete keeps, copies that appeared
	// during the run included.
	Kept    map[*schema.Kind]int
	ListErr error // why the account could not be listed after the writes; nil when it was
}

// Steps of results that are not changes of the plan, beside plan.StepDisable.
const (
	StepSettle = "settle" // the delete of a copy from a lost request or another run; skipped when --no-delete keeps it
	StepEnable = "enable" // a resource that was disabled to break a cycle is enabled again
)

// Result is how one change ended.
type Result struct {
	Action plan.Action
	schema.Key
	SID       string // of a create: the new one
	Step      string
	Status    Status
	Attempts  int    // requests sent for it, without listings and fetches
	RequestID string // Twilio-Request-Id of the last answer
	Note      string // why a change was skipped, or how one came to be done; may be ""
	Err       error  // of a failed or unknown change
	Before    *schema.Object
}

// Counts are totals of a report. Steps count only when they failed.
type Counts struct {
	Created int `json:"created"`
	Updated int `json:"updated"`
	Deleted int `json:"deleted"`
	Failed  int `json:"failed"` // failed or unknown
	Skipped int `json:"skipped"`
	Kept    int `json:"kept,omitempty"` // of all kinds
}

// Counts returns the totals.
func (r *Report) Counts() Counts {
	var n Counts
	for _, kept := range r.Kept {
		n.Kept += kept
	}
	for i := range r.Results {
		res := &r.Results[i]
		switch {
		case res.Status == Failed || res.Status == Unknown:
			n.Failed++
		case res.Step != "":
		case res.Status == Skipped:
			n.Skipped++
		case res.Action == plan.Create:
			n.Created++
		case res.Action == plan.Update:
			n.Updated++
		case res.Action == plan.Delete:
			n.Deleted++
		}
	}
	return n
}

// Mismatch is a difference between the plan and the account. Path is a
// schema.Field's, with values as in plan.FieldChange, or "" when the resource is missing,
// should not exist, or exists more than once.
type Mismatch struct {
	schema.Key
	SID  string       `json:"sid"`
	Path string       `json:"path"`
	Want schema.Value `json:"want"`
	Have schema.Value `json:"have"`
	Note string       `json:"note,omitempty"`
}

// asAPIError returns the *flexapi.Error in an error, or nil.
func asAPIError(err error) *flexapi.Error {
	var api *flexapi.Error
	if errors.As(err, &api) {
		return api
	}
	return nil
}

// Masked returns the report as outputs show it: without the secrets of the plan, and
// without the userinfo of URLs.
func (r *Report) Masked(p *plan.Plan) *Report {
	mask := p.Mask()
	secrets := make(map[schema.Key]map[string]bool) // fields
	for i := range p.Changes {
		for _, s := range p.Changes[i].Secrets {
			key := p.Changes[i].Key
			if secrets[key] == nil {
				secrets[key] = make(map[string]bool)
			}
			secrets[key][s.Path] = true
		}
	}
	m := *r
	m.Results = slices.Clone(r.Results)
	for i := range m.Results {
		res := &m.Results[i]
		res.Before = plan.MaskObject(mask, res.Before)
	}
	m.Mismatches = slices.Clone(r.Mismatches)
	for i := range m.Mismatches {
		mis := &m.Mismatches[i]
		for _, v := range []*schema.Value{&mis.Want, &mis.Have} {
			if s, ok := (*v).(string); ok && secrets[mis.Key][mis.Path] {
				*v = secret.Shown(s) // the account's value may be a part of the secret
			} else if ok {
				*v = mask.Value(s)
			}
		}
	}
	return &m
}
