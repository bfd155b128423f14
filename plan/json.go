package plan

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"flexsync/internal/jsondoc"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
)

// WriteJSON writes the plan as the JSON document that --out saves: a member a line
// and a change a line, so that two plans can be compared line by line. status,
// unless "", is the member "status" of a dry run; a saved plan has none. The
// document is streamed, so memory does not grow with it. It has what [Plan.Masked]
// shows.
func (p *Plan) WriteJSON(w io.Writer, status string) error {
	p = p.Masked()
	p.settleDigests() // the document is written twice
	digest, err := p.digest()
	if err != nil {
		return err
	}
	return p.writeJSON(w, status, digest)
}

// digest is of the document without a digest and a status: "sha256:" and hex.
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
	d.Member("config_digest", p.ConfigDigest())
	if digest != "" {
		d.Member("plan_digest", digest)
	}
	d.Map("state", func(add func(string, any)) {
		for _, sid := range slices.Sorted(maps.Keys(p.State)) {
			seen := p.State[sid]
			add(sid, jsonSeen{schema.Key{Kind: schema.KindOf(sid), ID: seen.ID}.JSON(), seen.Digest()})
		}
	})
	d.Member("ignore", nonNil(p.Ignore))
	d.Member("only", nonNil(p.Only))
	if len(p.LeftOut) > 0 {
		d.Member("left_out", p.LeftOut)
	}
	for _, k := range schema.Kinds {
		if ids, ok := p.Managed[k]; ok || k == schema.Flows && len(p.Managed) == 0 {
			d.Member(managedKey(k), nonNil(ids))
		}
	}
	if p.NoDelete {
		d.Member("no_delete", true)
	}
	if len(p.Names) > 0 {
		d.Member("names", p.Names)
	}
	d.Member("summary", p.Summary)
	if p.Origins != nil {
		d.Member("origins", p.Origins)
	}
	d.List("changes", func(add func(any)) {
		for i := range p.Changes {
			c := p.Changes[i]
			if c.Source != nil {
				c.Source = &yamldoc.Pos{File: c.Source.File, Line: c.Source.Line}
			}
			c.Fields = nonNil(c.Fields)
			add(jsonOf(&c))
		}
	})
	if len(p.Kept) > 0 {
		d.List("kept", func(add func(any)) {
			for i := range p.Kept {
				k := &p.Kept[i]
				j := jsonKept{KeyJSON: k.Key.JSON(), SID: k.SID, Reason: k.Reason, CopyOf: k.CopyOf}
				if k.Kind == schema.Flows {
					j.Flow = &k.Object
				} else {
					j.Before = &k.Object
				}
				add(j)
			}
		})
	}
	d.Member("warnings", nonNil(p.Warnings))
	d.Member("refusals", nonNil(p.Refusals))
	return d.Close()
}

// managedKey is the member that lists what the run manages of a kind. Those of flows
// keep the names that they had when there was no other kind.
func managedKey(k *schema.Kind) string {
	if k == schema.Flows {
		return "managed"
	}
	return "managed_" + k.Plural
}

type jsonSeen struct {
	schema.KeyJSON
	Digest string `json:"digest"`
}

type jsonChange struct {
	Action Action `json:"action"`
	schema.KeyJSON
	*Change
}

func jsonOf(c *Change) jsonChange { return jsonChange{c.Action, c.Key.JSON(), c} }

type jsonKept struct {
	schema.KeyJSON
	SID    string         `json:"sid"`
	Reason string         `json:"reason,omitempty"`
	CopyOf string         `json:"copy_of,omitempty"`
	Flow   *schema.Object `json:"flow,omitempty"`
	Before *schema.Object `json:"before,omitempty"` // of another kind
}

// JSON returns the difference for a JSON document.
func (m Moved) JSON() any {
	return struct {
		schema.KeyJSON
		SID  string `json:"sid"`
		What string `json:"what"`
	}{m.Key.JSON(), m.SID, m.What}
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// MarshalText implements [encoding.TextMarshaler]: the action's name.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *Action) UnmarshalText(text []byte) error {
	for _, known := range []Action{Create, Update, Delete} {
		if string(text) == known.String() {
			*a = known
			return nil
		}
	}
	return fmt.Errorf("%q is not an action", text)
}

// decode reads JSON and refuses what WriteJSON does not write. Numbers in
// values of fields stay as they are written, see [Change.accept].
func decode(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	return dec.Decode(v)
}

// accept takes over the members that have another form in JSON, or says what is wrong
// with them.
func (p *Plan) accept(state map[string]jsonSeen, changes []jsonChange, kept []jsonKept) error {
	p.State = make(map[string]Seen, len(state))
	for sid, j := range state {
		key, err := j.Key()
		if err != nil {
			return err
		}
		if schema.KindOf(sid) != key.Kind {
			return fmt.Errorf("%q is not the SID of %s", sid, key.Kind.One())
		}
		p.State[sid] = Seen{ID: key.ID, digest: j.Digest}
	}
	for _, j := range changes {
		c, err := j.accept()
		if err != nil {
			return err
		}
		p.Changes = append(p.Changes, c)
	}
	for _, j := range kept {
		key, err := j.Key()
		if err != nil {
			return err
		}
		k := Kept{Key: key, SID: j.SID, Reason: j.Reason, CopyOf: j.CopyOf}
		if o := cmp.Or(j.Flow, j.Before); o != nil {
			k.Object = *o
		}
		p.Kept = append(p.Kept, k)
	}
	return nil
}

// accept refuses a change that is not one, and makes the values of its fields
// what package schema has.
func (j jsonChange) accept() (c Change, err error) {
	if j.Action == 0 {
		return c, errors.New("a change without an action")
	}
	if j.Change != nil {
		c = *j.Change
	}
	c.Action = j.Action
	if c.Key, err = j.KeyJSON.Key(); err != nil {
		return c, err
	}
	return c, c.check()
}

func (c *Change) check() error {
	for _, side := range []*schema.Object{c.Before, c.After} {
		if side != nil && side.Kind != c.Kind {
			return fmt.Errorf("the %s of %s %q is of another kind", c.Action, c.Kind.Name, c.ID)
		}
	}
	switch {
	case (c.Action == Create) != (c.Before == nil), (c.Action == Delete) != (c.After == nil):
		return fmt.Errorf("the %s of %s %q has the wrong sides", c.Action, c.Kind.Name, c.ID)
	case (c.Action == Create) != (c.SID == ""):
		return fmt.Errorf("the %s of %s %q has the SID %q", c.Action, c.Kind.Name, c.ID, c.SID)
	case c.SID != "" && !schema.IsSID(c.Kind.SID, c.SID):
		return fmt.Errorf("%q is not the SID of %s", c.SID, c.Kind.One())
	case c.Step != "" && (c.Step != StepDisable || c.Action != Update):
		return fmt.Errorf("the %s of %s %q has the step %q", c.Action, c.Kind.Name, c.ID, c.Step)
	}
	for i := range c.Fields {
		f := &c.Fields[i]
		if c.Kind.Field(f.Path) == nil {
			return fmt.Errorf("%q is not a field of %s", f.Path, c.Kind.One())
		}
		for _, side := range []*schema.Value{&f.Before, &f.After} {
			switch v := (*side).(type) {
			case nil, bool, string:
			case []any:
				words := make([]string, len(v))
				for i := range v {
					words[i], _ = v[i].(string) // the digest tells of another type
				}
				*side = schema.NewWordSet(words)
			case json.Number:
				n, err := strconv.ParseInt(v.String(), 10, 64)
				if err != nil {
					return fmt.Errorf("%s is not a value of %s", v, f.Path)
				}
				*side = n
			default:
				return fmt.Errorf("%s is an object", f.Path)
			}
		}
	}
	return nil
}

// DamagedError is the error of Read for a document that WriteJSON did not write, or
// that was edited since.
type DamagedError struct{ Reason string }

func (e *DamagedError) Error() string {
	return "the saved plan is damaged: " + e.Reason + "; create it again with `flexsync plan --out`"
}

// Read reads a plan that WriteJSON wrote, without a status. The error is a
// *DamagedError when anything was edited, cut or added since.
func Read(data []byte) (*Plan, error) {
	var version struct {
		FormatVersion *int `json:"format_version"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, &DamagedError{Reason: "it is not a complete JSON document"}
	}
	if v := version.FormatVersion; v == nil || *v != FormatVersion {
		return nil, &DamagedError{Reason: fmt.Sprintf("it does not have format_version %d", FormatVersion)}
	}
	var j struct {
		FormatVersion int      `json:"format_version"`
		ConfigDigest  string   `json:"config_digest"`
		PlanDigest    string   `json:"plan_digest"`
		Managed       []string `json:"managed"`
		Addresses     []string `json:"managed_addresses"`
		Plan
		State   map[string]jsonSeen `json:"state"`
		Changes []jsonChange        `json:"changes"`
		Kept    []jsonKept          `json:"kept"`
	}
	if err := decode(data, &j); err != nil {
		return nil, &DamagedError{Reason: err.Error()}
	}
	p := &j.Plan
	p.configDigest = j.ConfigDigest
	if err := p.accept(j.State, j.Changes, j.Kept); err != nil {
		return nil, &DamagedError{Reason: err.Error()}
	}
	p.Managed = make(map[*schema.Kind][]string)
	for k, ids := range map[*schema.Kind][]string{schema.Flows: j.Managed, schema.Addresses: j.Addresses} {
		if ids != nil {
			p.Managed[k] = ids
		}
	}
	digest, err := p.digest()
	if err != nil {
		return nil, err
	}
	if digest != j.PlanDigest {
		return nil, &DamagedError{Reason: "its digest does not match its contents"}
	}
	return p, nil
}
