package emulator

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strconv"
	"time"
)

// flow is one Flex Flow as the API answers it, save for its URL, which depends
// on where it was asked for. A flow in an account is never changed, only
// replaced, so that readers need no lock once they hold it.
type flow struct {
	number          `json:"-"`
	SID             string      `json:"sid"`
	AccountSID      string      `json:"account_sid"`
	DateCreated     string      `json:"date_created"`
	DateUpdated     string      `json:"date_updated"`
	FriendlyName    *string     `json:"friendly_name"`
	ChatServiceSID  *string     `json:"chat_service_sid"`
	ChannelType     string      `json:"channel_type"`
	ContactIdentity *string     `json:"contact_identity"`
	Enabled         bool        `json:"enabled"`
	IntegrationType *string     `json:"integration_type"`
	Integration     integration `json:"integration"`
	LongLived       bool        `json:"long_lived"`
	JanitorEnabled  bool        `json:"janitor_enabled"`

	text []byte // its JSON in the local file, once it was needed
}

// integration holds what belongs to the flow's integration type, by JSON key.
// Nil is null.
type integration map[string]any

func (f *flow) id() string { return f.SID }

func newFlow(sid, accountSID string, created time.Time) *flow {
	date := timestamp(created)
	return &flow{SID: sid, AccountSID: accountSID, DateCreated: date, DateUpdated: date}
}

// clone is the flow to change on.
func (f *flow) clone() *flow {
	c := *f
	c.text = nil
	return &c
}

// set takes over the given values outside the integration.
func (f *flow) set(v values) {
	for key, value := range v {
		switch key {
		case "friendly_name":
			f.FriendlyName = new(value.(string))
		case "chat_service_sid":
			f.ChatServiceSID = new(value.(string))
		case "channel_type":
			f.ChannelType = value.(string)
		case "contact_identity":
			f.ContactIdentity = nil
			if identity := value.(string); identity != "" {
				f.ContactIdentity = &identity
			}
		case "enabled":
			f.Enabled = value.(bool)
		case "long_lived":
			f.LongLived = value.(bool)
		case "janitor_enabled":
			f.JanitorEnabled = value.(bool)
		}
	}
}

// integrate makes the flow's integration one of the given type: the values that
// belong to the type, then those of base, then the defaults. Values that belong
// to another type are dropped, as Twilio accepts and does not echo them. It fails
// for a blank value of the type's own.
func (f *flow) integrate(integrationType string, v values, base integration) error {
	f.IntegrationType = &integrationType
	f.Integration = integration{}
	for i := range fields {
		field := &fields[i]
		if !field.belongs(integrationType) {
			continue
		}
		key := field.integrationKey()
		if value, ok := v[field.key]; ok {
			if empty, ok := value.(blank); ok {
				return field.refused(empty.err)
			}
			f.Integration[key] = value
		} else if value, ok := base[key]; ok {
			f.Integration[key] = value
		} else if field.fallback != nil {
			f.Integration[key] = field.fallback
		}
	}
	return nil
}

// missing is the first parameter that the flow's integration type requires and
// the integration lacks.
func (f *flow) missing() string {
	for i := range fields {
		field := &fields[i]
		if !field.required || !field.belongs(*f.IntegrationType) {
			continue
		}
		if _, ok := f.Integration[field.integrationKey()]; !ok {
			return field.param
		}
	}
	return ""
}

// collides tells whether two flows want the same conversations, by the rule of
// Twilio's Flex Flow page: "inbound flows must adhere to strict non-conflict
// checks across contact identity and integration type"; or across the identity
// alone, for the page can be read so, and Twilio's blog says "only one can have
// enabled=true".
func (f *flow) collides(other *flow, acrossTypes bool) bool {
	return f.SID != other.SID && f.Enabled && other.Enabled &&
		f.ContactIdentity != nil && other.ContactIdentity != nil &&
		*f.ContactIdentity == *other.ContactIdentity &&
		f.ChannelType == other.ChannelType &&
		(acrossTypes || deref(f.IntegrationType) == deref(other.IntegrationType))
}

// renderedFlow is a flow as an answer carries it.
type renderedFlow struct {
	*flow
	Integration integration `json:"integration"`
	URL         string      `json:"url"`
}

func (s *Server) render(f *flow, base string) renderedFlow {
	r := renderedFlow{flow: f, Integration: f.Integration, URL: base + flowsPath + "/" + f.SID}
	switch {
	case s.opts.Behaviour.NullIntegration:
		r.Integration = nil
	case s.opts.Behaviour.NumbersAsStrings && f.Integration != nil:
		r.Integration = maps.Clone(f.Integration)
		for key, value := range r.Integration {
			switch value := value.(type) {
			case int:
				r.Integration[key] = strconv.Itoa(value)
			case bool:
				r.Integration[key] = strconv.FormatBool(value)
			}
		}
	}
	return r
}

// newSID is a random SID.
func newSID(prefix string) string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return prefix + hex.EncodeToString(b[:])
}

// timestamp is a time in the form of the API's answers.
func timestamp(t time.Time) string {
	return t.UTC().Truncate(time.Second).Format(time.RFC3339)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// marshal is json.Marshal that leaves &, < and > as they are.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		// Only values that were decoded or checked before come here.
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
