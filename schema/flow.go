package schema

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"flexsync/internal/jsondoc"
)

// Flow is the content of one Flex Flow, normalised: the same flow is the same
// value, whether it was written in YAML or listed by the API, so two flows are
// compared with ==.
//
// It has neither the SID nor the dates: those belong to a resource, not to its
// content. A field that does not apply to IntegrationType is zero.
type Flow struct {
	FriendlyName    string
	ChatServiceSID  string // IS + 32 hex digits
	ChannelType     string // one of ChannelTypes
	ContactIdentity string // "" is none, as are the API's null and ""
	Enabled         bool
	LongLived       bool
	JanitorEnabled  bool

	// IntegrationType is one of IntegrationTypes. In the account, "" is a flow
	// without an integration; in a declaration, "" keeps the account's
	// integration.
	IntegrationType string

	FlowSID           string  // studio: FW + 32 hex digits
	URL               string  // external: absolute http or https URL
	WorkspaceSID      string  // task: WS + 32 hex digits
	WorkflowSID       string  // task: WW + 32 hex digits
	Channel           string  // task: TC + 32 hex digits, or a unique name
	Timeout           int64   // task: seconds, 0 to 2147483647
	Priority          int64   // task: 0 to 2147483647
	CreationOnMessage OptBool // task
	RetryCount        int64   // studio and external: 0 to 3
}

// Claim is what an enabled flow holds alone: a second enabled flow of the same
// channel type and contact identity collides with it (error 45210,
// https://www.twilio.com/docs/api/errors/45210). The zero Claim is none.
//
// Twilio's texts leave open whether flows of different integration types
// collide; those of one type do, see [TypedClaim].
type Claim struct{ ChannelType, ContactIdentity string }

// TypedClaim is a claim with the integration type of its flow: by any reading of
// Twilio's texts, the API refuses a second enabled flow of one TypedClaim. The zero
// TypedClaim is none.
type TypedClaim struct {
	Claim
	IntegrationType string
}

// Claim returns what the flow holds alone: nothing unless it is enabled and has an
// identity.
func (flow *Flow) Claim() Claim {
	if !flow.Enabled || flow.ContactIdentity == "" {
		return Claim{}
	}
	return Claim{flow.ChannelType, flow.ContactIdentity}
}

// TypedClaim returns the flow's claim with its integration type.
func (flow *Flow) TypedClaim() TypedClaim {
	c := flow.Claim()
	if c == (Claim{}) {
		return TypedClaim{}
	}
	return TypedClaim{c, flow.IntegrationType}
}

// OptBool is a bool that may be unset. The zero value is unset.
type OptBool int8

// The values of an OptBool.
const (
	Unset OptBool = iota
	False
	True
)

// OptBoolOf returns True or False.
func OptBoolOf(b bool) OptBool {
	if b {
		return True
	}
	return False
}

func (b OptBool) String() string {
	switch b {
	case True:
		return "true"
	case False:
		return "false"
	}
	return "unset"
}

// The channel types and integration types that the API knows, in its order
// (API reference: FlexFlows, ChannelType and IntegrationType).
var (
	ChannelTypes     = []string{"web", "sms", "facebook", "whatsapp", "line", "custom"}
	IntegrationTypes = []string{Studio, External, Task}
)

// The integration types.
const (
	Studio   = "studio"
	External = "external"
	Task     = "task"
)

// Value is one field of a flow: a string, a bool, an int64, or nil for unset.
type Value = any

// unset reports whether the field does not apply to the flow's integration
// type, or has no value there.
func (f *Field) unset(flow *Flow) bool {
	if !f.AppliesTo(flow.IntegrationType) {
		return true
	}
	switch p := f.ref(flow).(type) {
	case *string:
		return *p == ""
	case *OptBool:
		return *p == Unset
	}
	return false
}

// Get returns the field's value in the flow: nil if the field does not apply to
// the flow's integration type, or is unset.
func (f *Field) Get(flow *Flow) Value {
	if f.unset(flow) {
		return nil
	}
	switch p := f.ref(flow).(type) {
	case *string:
		return *p
	case *bool:
		return *p
	case *int64:
		return *p
	case *OptBool:
		return *p == True
	}
	panic("schema: field " + f.Path + " has a type that Get does not know")
}

// Equal reports whether the field is the same in both flows.
func (f *Field) Equal(a, b *Flow) bool { return f.Get(a) == f.Get(b) }

// Set stores v in the flow. A nil v unsets a string or an optional bool; a v of
// another type than the field's is an error.
func (f *Field) Set(flow *Flow, v Value) error {
	switch p := f.ref(flow).(type) {
	case *string:
		if v == nil {
			*p = ""
			return nil
		}
		if s, ok := v.(string); ok {
			*p = s
			return nil
		}
	case *bool:
		if b, ok := v.(bool); ok {
			*p = b
			return nil
		}
	case *int64:
		if n, ok := v.(int64); ok {
			*p = n
			return nil
		}
	case *OptBool:
		if v == nil {
			*p = Unset
			return nil
		}
		if b, ok := v.(bool); ok {
			*p = OptBoolOf(b)
			return nil
		}
	}
	return fmt.Errorf("%s must be %s, not %v", f.Path, f.Type, v)
}

// Copy copies the field from one flow to another.
func (f *Field) Copy(to, from *Flow) {
	switch p := f.ref(to).(type) {
	case *string:
		*p = *f.ref(from).(*string)
	case *bool:
		*p = *f.ref(from).(*bool)
	case *int64:
		*p = *f.ref(from).(*int64)
	case *OptBool:
		*p = *f.ref(from).(*OptBool)
	}
}

// Form encodes the whole flow as the parameters of an update of before, or of a
// create if before is nil. An update keeps the fields whose parameters are missing,
// so it sends an empty contact_identity to clear one that before has; otherwise it
// omits it, as the API does not document whether it accepts an empty one. It sends
// the integration type with all parameters of that type, so that the request means
// the same whether the API merges or replaces the integration.
func (flow *Flow) Form(before *Flow) url.Values {
	form := make(url.Values, len(Fields))
	for i := range Fields {
		f := &Fields[i]
		v := f.Get(flow)
		switch v := v.(type) {
		case nil:
			if f.Cleared && before != nil && !f.unset(before) {
				form.Set(f.Form, "")
			}
		case string:
			form.Set(f.Form, v)
		case bool:
			form.Set(f.Form, strconv.FormatBool(v))
		case int64:
			form.Set(f.Form, strconv.FormatInt(v, 10))
		}
	}
	return form
}

// JSON returns the flow as JSON in the YAML's own keys, in the order of Fields,
// unset fields left out.
func (flow *Flow) JSON() jsondoc.Object {
	var o, integration jsondoc.Object
	at := 0 // of integration in o
	for i := range Fields {
		f := &Fields[i]
		v := f.Get(flow)
		if v == nil {
			continue
		}
		key, inside := f.integrationKey()
		if !inside {
			o = append(o, jsondoc.Member{Name: key, Value: v})
			continue
		}
		if integration == nil {
			at = len(o)
			o = append(o, jsondoc.Member{Name: "integration"})
		}
		integration = append(integration, jsondoc.Member{Name: key, Value: v})
	}
	if integration != nil {
		o[at].Value = integration
	}
	return o
}

// AppendJSON appends the text of [Flow.JSON].
func (flow *Flow) AppendJSON(b []byte) []byte {
	text, err := flow.MarshalJSON()
	if err != nil { // strings, bools and integers always encode
		panic("schema: " + err.Error())
	}
	return append(b, text...)
}

// MarshalJSON implements [json.Marshaler], see [Flow.JSON].
func (flow Flow) MarshalJSON() ([]byte, error) { return flow.JSON().MarshalJSON() }

// UnmarshalJSON reads what MarshalJSON writes. An unknown key, a value of another
// type and a key of another integration type are errors.
func (flow *Flow) UnmarshalJSON(data []byte) error {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return err
	}
	if raw, ok := top["integration"]; ok {
		var sub map[string]json.RawMessage
		if err := json.Unmarshal(raw, &sub); err != nil {
			return fmt.Errorf("integration: %w", err)
		}
		delete(top, "integration")
		for k, v := range sub {
			top[integrationPrefix+k] = v
		}
	}
	*flow = Flow{}
	for path, raw := range top {
		f := FieldByPath(path)
		if f == nil {
			return fmt.Errorf("%q is not a key of a flow", path)
		}
		if err := json.Unmarshal(raw, f.ref(flow)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	for path := range top {
		if !FieldByPath(path).AppliesTo(flow.IntegrationType) {
			return fmt.Errorf("%s does not belong to integration_type %q", path, flow.IntegrationType)
		}
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (b *OptBool) UnmarshalJSON(data []byte) error {
	var v *bool
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	if v == nil {
		*b = Unset
	} else {
		*b = OptBoolOf(*v)
	}
	return nil
}
