package apply

import (
	"errors"

	"flexsync/internal/flexapi"
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

// Report is what a run did.
type Report struct {
	Status     Status
	AccountSID string
	Results    []Result // in the order of the plan; settlements and restorations behind
	// Flows maps every managed name to its SID after the run. It lacks names
	// that are not there, or not there once.
	Flows      map[string]string
	Mismatches []Mismatch
	Kept       int // flows that would be deleted without --no-delete
	// ListErr is why the account could not be listed after the writes.
	ListErr error
}

// Steps of results that are not changes of the plan, beside plan.StepDisable.
const (
	StepSettle = "settle" // a copy that a second run left was deleted, or is kept (skipped)
	StepEnable = "enable" // a flow that was switched off for a swap was switched on again
)

// Result is how one change ended.
type Result struct {
	Action       plan.Action
	FriendlyName string
	SID          string // of a create: the new one
	Step         string
	Status       Status
	Attempts     int    // requests sent for it, listings not counted
	RequestID    string // Twilio-Request-Id of the last answer
	Note         string // what is worth knowing of a change that is done or skipped
	Err          error  // of a failed or unknown change
	Before       *schema.Flow
}

// Counts sums up results. Steps are not counted, unless they failed.
type Counts struct {
	Created int `json:"created"`
	Updated int `json:"updated"`
	Deleted int `json:"deleted"`
	Failed  int `json:"failed"` // failed or unknown
	Skipped int `json:"skipped"`
	// Kept is copies that came up during the run and that --no-delete keeps.
	Kept int `json:"kept,omitempty"`
}

// Counts sums up the results.
func (r *Report) Counts() Counts {
	var n Counts
	for i := range r.Results {
		res := &r.Results[i]
		switch {
		case res.Status == Failed || res.Status == Unknown:
			n.Failed++
		case res.Step == StepSettle && res.Status == Skipped:
			n.Kept++
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

// Mismatch is one difference between what was wanted and what the account
// shows. Path is a field's, or "" when the flow as a whole is missing, is there
// though it should not be, or is there more than once.
type Mismatch struct {
	FriendlyName string
	SID          string
	Path         string
	Want, Have   schema.Value
	Note         string
}

// asAPIError returns the API's part of an error, or nil.
func asAPIError(err error) *flexapi.Error {
	var api *flexapi.Error
	if errors.As(err, &api) {
		return api
	}
	return nil
}
