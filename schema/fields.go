package schema

import (
	"math"
	"math/bits"
	"slices"
	"strings"
)

// ValueType is the type of a field's values.
type ValueType uint8

// The types of values.
const (
	String ValueType = iota
	Bool
	Int
)

// String names the type with its article, for messages.
func (t ValueType) String() string {
	return [...]string{"a string", "a bool", "an integer"}[t]
}

const integrationPrefix = "integration."

// Field is one row of the table that drives everything done with a flow field by
// field: parsing, comparing, encoding, the JSON Schema and the reference. A new
// field of the API is one new row, and the struct field that ref points to.
type Field struct {
	Path string // key in the YAML and in the API's JSON, "integration.timeout"
	Form string // parameter of the API's create and update
	Type ValueType

	// SID is the two letters that begin the SIDs which the field takes; 32 hex
	// digits follow them. A SIDOrName field also takes a name.
	SID       string
	SIDOrName bool

	// Name is the key that takes a name instead of the SID, or "":
	// "chat_service" for "chat_service_sid".
	Name string

	// Variants lists the integration types that the field belongs to; nil for
	// the fields outside the integration.
	Variants []string

	Required bool     // in every flow, or in every flow of Variants
	Enum     []string // nil: any value
	Default  Value    // the value when the key is omitted; nil: unset
	Min, Max int64    // inclusive bounds of an Int
	Cleared  bool     // an empty parameter of an update clears the value

	Doc string // one sentence for the reference and for editors

	index int
	ref   func(*Flow) any
	rule  func(string) complaint // a check beyond the columns above; may be nil
}

// AppliesTo reports whether the field belongs to flows of an integration type;
// "" is a flow without one.
func (f *Field) AppliesTo(integrationType string) bool {
	return f.Variants == nil || slices.Contains(f.Variants, integrationType)
}

// integrationKey returns the field's key and whether it is below `integration`.
func (f *Field) integrationKey() (string, bool) {
	return strings.CutPrefix(f.Path, integrationPrefix)
}

// Bit returns the set that holds the field alone.
func (f *Field) Bit() FieldSet { return 1 << f.index }

// FieldSet is a set of rows of Fields.
type FieldSet uint32

// Has reports whether the set holds the field.
func (s FieldSet) Has(f *Field) bool { return s&f.Bit() != 0 }

// all visits the rows in the set, in the table's order.
func (s FieldSet) all(yield func(*Field) bool) {
	for ; s != 0; s &= s - 1 {
		if !yield(&Fields[bits.TrailingZeros32(uint32(s))]) {
			return
		}
	}
}

// IntegrationFields is integration_type and every field below integration.
var IntegrationFields = func() FieldSet {
	set := FieldIntegrationType.Bit()
	for _, f := range fieldByPath {
		if _, ok := f.integrationKey(); ok {
			set |= f.Bit()
		}
	}
	return set
}()

// maxInt bounds the integers that the API documents no bound for. Its reference
// calls them int, and Twilio's SDKs hold them in 32 bits.
const maxInt = math.MaxInt32

// Fields is the table, in the order in which flows are written and shown. Names,
// types, bounds and defaults are those of the API reference of FlexFlows, except
// that an omitted `enabled` is true: the API documents no default for it.
var Fields = []Field{
	{Path: "friendly_name", Form: "FriendlyName", Type: String, Required: true,
		Doc:  "The flow's name. It identifies the flow; case matters.",
		ref:  func(f *Flow) any { return &f.FriendlyName },
		rule: checkName},
	{Path: "chat_service_sid", Form: "ChatServiceSid", Type: String, SID: "IS", Name: "chat_service", Required: true,
		Doc: "The SID of the chat service.",
		ref: func(f *Flow) any { return &f.ChatServiceSID }},
	{Path: "channel_type", Form: "ChannelType", Type: String, Enum: ChannelTypes, Required: true,
		Doc: "The channel that messages arrive on.",
		ref: func(f *Flow) any { return &f.ChannelType }},
	{Path: "contact_identity", Form: "ContactIdentity", Type: String, Cleared: true,
		Doc: "The contact's identity on the channel: +15551230000 for sms, whatsapp:+15551230000, messenger:PAGE_ID, any text for custom; none for web.",
		ref: func(f *Flow) any { return &f.ContactIdentity }},
	{Path: "enabled", Form: "Enabled", Type: Bool, Default: true,
		Doc: "Whether the flow receives messages.",
		ref: func(f *Flow) any { return &f.Enabled }},
	{Path: "integration_type", Form: "IntegrationType", Type: String, Enum: IntegrationTypes,
		Doc: "What handles inbound messages; if omitted, the integration stays as it is in the account.",
		ref: func(f *Flow) any { return &f.IntegrationType }},
	{Path: "integration.flow_sid", Form: "Integration.FlowSid", Type: String, SID: "FW", Name: "integration.studio_flow", Variants: []string{Studio}, Required: true,
		Doc: "The SID of the Studio flow.",
		ref: func(f *Flow) any { return &f.FlowSID }},
	{Path: "integration.url", Form: "Integration.Url", Type: String, Variants: []string{External}, Required: true,
		Doc:  "The absolute http or https URL of the webhook.",
		ref:  func(f *Flow) any { return &f.URL },
		rule: checkURL},
	{Path: "integration.workspace_sid", Form: "Integration.WorkspaceSid", Type: String, SID: "WS", Name: "integration.workspace", Variants: []string{Task}, Required: true,
		Doc: "The SID of the TaskRouter workspace for new tasks.",
		ref: func(f *Flow) any { return &f.WorkspaceSID }},
	{Path: "integration.workflow_sid", Form: "Integration.WorkflowSid", Type: String, SID: "WW", Name: "integration.workflow", Variants: []string{Task}, Required: true,
		Doc: "The SID of the TaskRouter workflow for new tasks.",
		ref: func(f *Flow) any { return &f.WorkflowSID }},
	{Path: "integration.channel", Form: "Integration.Channel", Type: String, SID: "TC", SIDOrName: true, Variants: []string{Task}, Default: "default",
		Doc: "The task channel's SID or unique name.",
		ref: func(f *Flow) any { return &f.Channel }},
	{Path: "integration.timeout", Form: "Integration.Timeout", Type: Int, Max: maxInt, Variants: []string{Task}, Default: int64(86400),
		Doc: "The task's timeout in seconds.",
		ref: func(f *Flow) any { return &f.Timeout }},
	{Path: "integration.priority", Form: "Integration.Priority", Type: Int, Max: maxInt, Variants: []string{Task}, Default: int64(0),
		Doc: "The task's priority.",
		ref: func(f *Flow) any { return &f.Priority }},
	{Path: "integration.creation_on_message", Form: "Integration.CreationOnMessage", Type: Bool, Variants: []string{Task},
		Doc: "Outbound only: true delays the task until the customer answers; if omitted, it stays as it is in the account.",
		ref: func(f *Flow) any { return &f.CreationOnMessage }},
	{Path: "integration.retry_count", Form: "Integration.RetryCount", Type: Int, Max: 3, Variants: []string{Studio, External}, Default: int64(3),
		Doc: "How often the Studio flow or webhook is retried after a failure, 0 to 3.",
		ref: func(f *Flow) any { return &f.RetryCount }},
	{Path: "long_lived", Form: "LongLived", Type: Bool, Default: false,
		Doc: "Whether later conversations with the same contact reuse the chat channel.",
		ref: func(f *Flow) any { return &f.LongLived }},
	{Path: "janitor_enabled", Form: "JanitorEnabled", Type: Bool, Default: false,
		Doc: "Whether Proxy sessions are removed when their task is deleted outside Flex.",
		ref: func(f *Flow) any { return &f.JanitorEnabled }},
}

var fieldByPath = func() map[string]*Field {
	byPath := make(map[string]*Field, len(Fields))
	for i := range Fields {
		f := &Fields[i]
		f.index = i
		byPath[f.Path] = f
	}
	return byPath
}()

// The fields that code names one by one. They point into Fields.
var (
	FieldFriendlyName      = fieldByPath["friendly_name"]
	FieldContactIdentity   = fieldByPath["contact_identity"]
	FieldEnabled           = fieldByPath["enabled"]
	FieldIntegrationType   = fieldByPath["integration_type"]
	FieldWorkspaceSID      = fieldByPath["integration.workspace_sid"]
	FieldCreationOnMessage = fieldByPath["integration.creation_on_message"]

	fieldChannelType = fieldByPath["channel_type"]
	fieldTimeout     = fieldByPath["integration.timeout"]
)

// FieldByPath returns the row of a path such as "integration.timeout", or nil.
func FieldByPath(path string) *Field { return fieldByPath[path] }
