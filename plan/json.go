package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"flexsync/internal/jsondoc"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
)

// WriteJSON writes the plan as the JSON document that --out saves: one member
// a line, one change a line, so that two plans can be compared line by line.
// status is written as "status" when it is not empty, for a dry run; a saved
// plan has none. The document is streamed: beyond the plan itself it takes no
// memory that grows with it.
func (p *Plan) WriteJSON(w io.Writer, status string) error {
	digest, err := p.digest()
	if err != nil {
		return err
	}
	return p.writeJSON(w, status, digest)
}

// digest is over the document without the digest and without a status.
func (p *Plan) digest() (string, error) {
	h := sha256.New()
	if err := p.writeJSON(h, "", ""); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

func (p *Plan) writeJSON(w io.Writer, status, digest string) error {
	d := jsondoc.New(w)
	d.Member("format_version", FormatVersion)
	if status != "" {
		d.Member("status", status)
	}
	d.Member("flexsync_version", p.FlexsyncVersion)
	d.Member("created_at", p.CreatedAt.UTC().Format(time.RFC3339))
	d.Member("account_sid", p.AccountSID)
	d.Member("base_url", p.BaseURL)
	d.Member("config_digest", p.ConfigDigest)
	if digest != "" {
		d.Member("plan_digest", digest)
	}
	d.Map("state", func(add func(string, any)) {
		for _, sid := range slices.Sorted(maps.Keys(p.State)) {
			add(sid, p.State[sid])
		}
	})
	d.Member("ignore", nonNil(p.Ignore))
	d.Member("only", nonNil(p.Only))
	if len(p.LeftOut) > 0 {
		d.Member("left_out", p.LeftOut)
	}
	d.Member("managed", nonNil(p.Managed))
	if p.NoDelete {
		d.Member("no_delete", true)
	}
	if len(p.Names) > 0 {
		d.Member("names", p.Names)
	}
	d.Member("summary", p.Summary)
	d.List("changes", func(add func(any)) {
		for i := range p.Changes {
			add(&p.Changes[i])
		}
	})
	if len(p.Kept) > 0 {
		d.List("kept", func(add func(any)) {
			for i := range p.Kept {
				add(&p.Kept[i])
			}
		})
	}
	d.Member("warnings", nonNil(p.Warnings))
	d.Member("refusals", nonNil(p.Refusals))
	return d.Close()
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// jsonChange is a Change as it is read from JSON.
type jsonChange struct {
	Action       string        `json:"action"`
	FriendlyName string        `json:"friendly_name"`
	SID          string        `json:"sid,omitempty"`
	RenamedFrom  string        `json:"renamed_from,omitempty"`
	Step         string        `json:"step,omitempty"`
	Source       *yamldoc.Pos  `json:"source,omitempty"`
	Reason       string        `json:"reason,omitempty"`
	CopyOf       string        `json:"copy_of,omitempty"`
	Fields       []FieldChange `json:"fields"`
	Before       *schema.Flow  `json:"before"`
	After        *schema.Flow  `json:"after"`
}

// MarshalJSON implements [json.Marshaler].
func (c *Change) MarshalJSON() ([]byte, error) {
	// Written by hand, since a plan may have 100,000 of them.
	b := make([]byte, 0, 2<<10)
	b = append(b, `{"action":`...)
	b = schema.AppendValue(b, c.Action.String())
	b = append(b, `,"friendly_name":`...)
	b = schema.AppendValue(b, c.FriendlyName)
	optional := func(key, value string) {
		if value != "" {
			b = append(append(append(b, `,"`...), key...), `":`...)
			b = schema.AppendValue(b, value)
		}
	}
	optional("sid", c.SID)
	optional("renamed_from", c.RenamedFrom)
	optional("step", c.Step)
	if c.Source != nil {
		b = append(b, `,"source":{"file":`...)
		b = schema.AppendValue(b, c.Source.File)
		b = append(b, `,"line":`...)
		b = schema.AppendValue(b, int64(c.Source.Line))
		b = append(b, '}')
	}
	optional("reason", c.Reason)
	optional("copy_of", c.CopyOf)
	b = append(b, `,"fields":[`...)
	for i := range c.Fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = c.Fields[i].appendJSON(b)
	}
	b = append(b, ']')
	for _, side := range [...]struct {
		key  string
		flow *schema.Flow
	}{{"before", c.Before}, {"after", c.After}} {
		b = append(append(append(b, `,"`...), side.key...), `":`...)
		if side.flow == nil {
			b = append(b, "null"...)
		} else {
			b = side.flow.AppendJSON(b)
		}
	}
	return append(b, '}'), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *Change) UnmarshalJSON(data []byte) error {
	var j jsonChange
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&j); err != nil {
		return err
	}
	*c = Change{
		FriendlyName: j.FriendlyName, SID: j.SID, RenamedFrom: j.RenamedFrom, Step: j.Step,
		Source: j.Source, Reason: j.Reason, CopyOf: j.CopyOf, Fields: j.Fields, Before: j.Before, After: j.After,
	}
	for _, a := range []Action{Create, Update, Delete} {
		if a.String() == j.Action {
			c.Action = a
		}
	}
	switch {
	case c.Action == 0:
		return fmt.Errorf("%q is not an action", j.Action)
	case (c.Action == Create) != (c.Before == nil), (c.Action == Delete) != (c.After == nil):
		return fmt.Errorf("a %s has the wrong sides", c.Action)
	case (c.Action == Create) != (c.SID == ""):
		return fmt.Errorf("a %s of flow %q: sid is %q", c.Action, c.FriendlyName, c.SID)
	case c.SID != "" && !schema.IsSID("FO", c.SID):
		return fmt.Errorf("%q is not the SID of a flow", c.SID)
	case c.Step != "" && (c.Step != StepDisable || c.Action != Update):
		return fmt.Errorf("a %s of flow %q: %q is not a step of it", c.Action, c.FriendlyName, c.Step)
	}
	return nil
}

func (f FieldChange) appendJSON(b []byte) []byte {
	b = append(b, `{"path":"`...)
	b = append(b, f.Path...)
	b = append(b, `","before":`...)
	b = schema.AppendValue(b, f.Before)
	b = append(b, `,"after":`...)
	b = schema.AppendValue(b, f.After)
	return append(b, '}')
}

// MarshalJSON implements [json.Marshaler].
func (f FieldChange) MarshalJSON() ([]byte, error) { return f.appendJSON(nil), nil }

// UnmarshalJSON implements [json.Unmarshaler].
func (f *FieldChange) UnmarshalJSON(data []byte) error {
	var j struct {
		Path          string
		Before, After json.RawMessage
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&j); err != nil {
		return err
	}
	if schema.FieldByPath(j.Path) == nil {
		return fmt.Errorf("%q is not a field of a flow", j.Path)
	}
	f.Path = j.Path
	var err error
	if f.Before, err = readValue(j.Before); err != nil {
		return err
	}
	f.After, err = readValue(j.After)
	return err
}

func readValue(raw json.RawMessage) (schema.Value, error) {
	switch text := string(raw); {
	case text == "null":
		return nil, nil
	case text == "true", text == "false":
		return text == "true", nil
	case strings.HasPrefix(text, `"`):
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is no value of a field", text)
		}
		return n, nil
	}
}

// DamagedError is the error of Read for a document that WriteJSON did not
// write, or that was changed since.
type DamagedError struct{ Reason string }

func (e *DamagedError) Error() string {
	return "the saved plan is damaged: " + e.Reason + "; make it again with `flexsync plan --out`"
}

// Read reads a plan that WriteJSON wrote. Whatever was edited, cut short or
// added since is a *DamagedError.
func Read(data []byte) (*Plan, error) {
	var j struct {
		FormatVersion   int               `json:"format_version"`
		FlexsyncVersion string            `json:"flexsync_version"`
		CreatedAt       time.Time         `json:"created_at"`
		AccountSID      string            `json:"account_sid"`
		BaseURL         string            `json:"base_url"`
		ConfigDigest    string            `json:"config_digest"`
		PlanDigest      string            `json:"plan_digest"`
		State           map[string]Seen   `json:"state"`
		Ignore          []string          `json:"ignore"`
		Only            []string          `json:"only"`
		LeftOut         []string          `json:"left_out"`
		Managed         []string          `json:"managed"`
		NoDelete        bool              `json:"no_delete"`
		Names           map[string]string `json:"names"`
		Summary         Summary           `json:"summary"`
		Changes         []Change          `json:"changes"`
		Kept            []Kept            `json:"kept"`
		Warnings        []Notice          `json:"warnings"`
		Refusals        []Notice          `json:"refusals"`
	}
	var version struct {
		FormatVersion *int `json:"format_version"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, &DamagedError{Reason: "it is not a whole JSON document"}
	}
	if v := version.FormatVersion; v == nil || *v != FormatVersion {
		return nil, &DamagedError{Reason: fmt.Sprintf("it is not of format_version %d", FormatVersion)}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&j); err != nil {
		return nil, &DamagedError{Reason: err.Error()}
	}
	p := &Plan{
		FlexsyncVersion: j.FlexsyncVersion, CreatedAt: j.CreatedAt, AccountSID: j.AccountSID, BaseURL: j.BaseURL,
		ConfigDigest: j.ConfigDigest, State: j.State, Ignore: j.Ignore, Only: j.Only, LeftOut: j.LeftOut, Managed: j.Managed, NoDelete: j.NoDelete,
		Names: j.Names, Summary: j.Summary, Changes: j.Changes, Kept: j.Kept, Warnings: j.Warnings, Refusals: j.Refusals,
	}
	digest, err := p.digest()
	if err != nil {
		return nil, err
	}
	if digest != j.PlanDigest {
		return nil, &DamagedError{Reason: "its digest does not fit what it says"}
	}
	return p, nil
}
