package apply

import (
	"fmt"
	"io"

	"flexsync/internal/jsondoc"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// Deleted returns what the run deleted, in the order of results.
func (r *Report) Deleted() []state.Resource {
	var deleted []state.Resource
	for i := range r.Results {
		if res := &r.Results[i]; res.Action == plan.Delete && res.Status == Done && res.Before != nil {
			deleted = append(deleted, state.Resource{SID: res.SID, Object: *res.Before})
		}
	}
	return deleted
}

type jsonResult struct {
	Action string `json:"action"`
	schema.KeyJSON
	SID       string         `json:"sid,omitempty"`
	Step      string         `json:"step,omitempty"`
	Status    Status         `json:"status"`
	Attempts  int            `json:"attempts"`
	RequestID string         `json:"request_id,omitempty"`
	Note      string         `json:"note,omitempty"`
	Error     *JSONError     `json:"error,omitempty"`
	Before    *schema.Object `json:"before,omitempty"`
}

// JSONError is an error in a JSON document. Members but the message are of a
// *flexapi.Error.
type JSONError struct {
	Message    string `json:"message"`
	HTTPStatus int    `json:"http_status,omitempty"`
	Code       int    `json:"code,omitempty"`
	MoreInfo   string `json:"more_info,omitempty"`
	RequestID  string `json:"request_id,omitempty"`
	Hint       string `json:"hint,omitempty"`
}

// NewJSONError returns err for a JSON document, or nil when err is.
func NewJSONError(err error) *JSONError {
	if err == nil {
		return nil
	}
	j := &JSONError{Message: err.Error()}
	if e := asAPIError(err); e != nil {
		j.HTTPStatus, j.Code, j.MoreInfo, j.RequestID, j.Hint = e.Status, e.Code, e.MoreInfo, e.RequestID, e.Hint
	}
	return j
}

// WriteJSON writes the report as a JSON document, a result a line. The error is w's.
func (r *Report) WriteJSON(w io.Writer) error {
	d := jsondoc.New(w)
	d.Member("format_version", plan.FormatVersion)
	d.Member("status", r.Status)
	d.Member("account_sid", r.AccountSID)
	d.Member("summary", r.Counts())
	d.List("results", func(add func(any)) {
		for i := range r.Results {
			res := &r.Results[i]
			add(jsonResult{
				Action: res.Action.String(), KeyJSON: res.Key.JSON(), SID: res.SID, Step: res.Step, Status: res.Status,
				Attempts: res.Attempts, RequestID: res.RequestID, Note: res.Note, Error: NewJSONError(res.Err), Before: res.Before,
			})
		}
	})
	for _, k := range schema.Kinds {
		if sids, ok := r.SIDs[k]; ok {
			d.Member(k.Plural, sids)
		}
	}
	if len(r.Mismatches) > 0 || r.Status == Mismatched {
		d.List("mismatches", func(add func(any)) {
			for i := range r.Mismatches {
				m := &r.Mismatches[i]
				add(struct {
					schema.KeyJSON
					*Mismatch
				}{m.Key.JSON(), m})
			}
		})
	}
	if r.ListErr != nil {
		d.Member("error", NewJSONError(fmt.Errorf("cannot list the account after the writes: %w", r.ListErr)))
	}
	return d.Close()
}
