package apply

import (
	"fmt"
	"io"

	"flexsync/internal/jsondoc"
	"flexsync/internal/safetext"
	"flexsync/plan"
	"flexsync/schema"
)

// past is what an action is called once it is done.
func (res *Result) past() string {
	switch {
	case res.Step == plan.StepDisable:
		return "switched off"
	case res.Step == StepEnable:
		return "switched on again"
	case res.Step == StepSettle:
		return "deleted a copy of"
	case res.Action == plan.Create:
		return "created"
	case res.Action == plan.Update:
		return "updated"
	}
	return "deleted"
}

// Text returns the result as one line for a person, or two where there is
// something to do.
func (res *Result) Text(style safetext.Style) string {
	head := fmt.Sprintf("%c %s", res.Action, res.past())
	paint := res.Action.Paint()
	switch res.Status {
	case Failed, Unknown:
		head = fmt.Sprintf("! %s: %s", res.Status, res.Action)
		paint = safetext.Alarm
	case Skipped:
		head = fmt.Sprintf("! skipped: %s", res.Action)
		paint = safetext.Mind
	}
	line := style.Paint(paint, head) + " " + safetext.Quote(res.FriendlyName)
	if res.SID != "" {
		line += "  " + safetext.Line(res.SID)
	}
	if res.Err != nil {
		line += ": " + safetext.Line(res.Err.Error())
		if e := asAPIError(res.Err); e != nil {
			if e.RequestID != "" {
				line += " [request " + safetext.Line(e.RequestID) + "]"
			}
			if e.MoreInfo != "" {
				line += "\n    see " + safetext.Line(e.MoreInfo)
			}
			if e.Hint != "" {
				line += "\n    " + safetext.Line(e.Hint)
			}
		}
	} else if res.Note != "" {
		line += ": " + safetext.Line(res.Note)
	}
	return line
}

// Text returns the difference as one line for a person.
func (m *Mismatch) Text(style safetext.Style) string {
	line := style.Paint(safetext.Alarm, "! mismatch:") + " " + safetext.Quote(m.FriendlyName)
	if m.SID != "" {
		line += "  " + safetext.Line(m.SID)
	}
	if m.Path != "" {
		line += fmt.Sprintf(": %s is %s, wanted %s", m.Path, show(m.Have), show(m.Want))
	}
	if m.Note != "" {
		line += ": " + safetext.Line(m.Note)
	}
	return line
}

func show(v schema.Value) string {
	if s, ok := v.(string); ok {
		return safetext.Quote(s)
	}
	if v == nil {
		return "none"
	}
	return fmt.Sprint(v)
}

// Totals says in one sentence what the run came to.
func (r *Report) Totals() string {
	n := r.Counts()
	line := fmt.Sprintf("%d created, %d updated, %d deleted", n.Created, n.Updated, n.Deleted)
	if n.Failed > 0 {
		line += fmt.Sprintf(", %d failed", n.Failed)
	}
	if n.Skipped > 0 {
		line += fmt.Sprintf(", %d skipped", n.Skipped)
	}
	switch r.Status {
	case Unchanged:
		return "Nothing to do: the account is as the YAML says."
	case Applied:
		return "Applied: " + line + "."
	case Partial:
		return "Not all is applied: " + line + ". What is done stays done: fix the cause and run again."
	case Mismatched:
		return "Applied, but not as it should be: " + line + ". Look at the differences and run again."
	case Interrupted:
		return "Interrupted: " + line + ". Run again to finish."
	}
	return line
}

// Deleted returns the flows that the run deleted, in the order of results.
func (r *Report) Deleted() []schema.ExportFlow {
	var flows []schema.ExportFlow
	for i := range r.Results {
		if res := &r.Results[i]; res.Action == plan.Delete && res.Status == Done && res.Before != nil {
			flows = append(flows, schema.ExportFlow{SID: res.SID, Flow: *res.Before})
		}
	}
	return flows
}

type jsonResult struct {
	Action       string       `json:"action"`
	FriendlyName string       `json:"friendly_name"`
	SID          string       `json:"sid,omitempty"`
	Step         string       `json:"step,omitempty"`
	Status       Status       `json:"status"`
	Attempts     int          `json:"attempts"`
	RequestID    string       `json:"request_id,omitempty"`
	Note         string       `json:"note,omitempty"`
	Error        *JSONError   `json:"error,omitempty"`
	Before       *schema.Flow `json:"before,omitempty"`
}

// JSONError is an error as the JSON documents have it.
type JSONError struct {
	Message    string `json:"message"`
	HTTPStatus int    `json:"http_status,omitempty"`
	Code       int    `json:"code,omitempty"`
	MoreInfo   string `json:"more_info,omitempty"`
	RequestID  string `json:"request_id,omitempty"`
	Hint       string `json:"hint,omitempty"`
}

// NewJSONError returns err for a JSON document, with the API's part apart.
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

type jsonMismatch struct {
	FriendlyName string       `json:"friendly_name"`
	SID          string       `json:"sid"`
	Path         string       `json:"path"`
	Want         schema.Value `json:"want"`
	Have         schema.Value `json:"have"`
	Note         string       `json:"note,omitempty"`
}

// WriteJSON writes the report as one JSON document, one result a line.
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
				Action: res.Action.String(), FriendlyName: res.FriendlyName, SID: res.SID, Step: res.Step, Status: res.Status,
				Attempts: res.Attempts, RequestID: res.RequestID, Note: res.Note, Error: NewJSONError(res.Err), Before: res.Before,
			})
		}
	})
	d.Member("flows", r.Flows)
	if len(r.Mismatches) > 0 || r.Status == Mismatched {
		d.List("mismatches", func(add func(any)) {
			for _, m := range r.Mismatches {
				add(jsonMismatch(m))
			}
		})
	}
	if r.ListErr != nil {
		d.Member("error", NewJSONError(fmt.Errorf("the account could not be listed after the writes: %w", r.ListErr)))
	}
	return d.Close()
}
