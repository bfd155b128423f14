package emulator

import (
	"math"
	"slices"
	"strings"
)

// kind describes one of the two kinds of resource that can be written: all that
// the code for both must know of either.
type kind struct {
	index int    // in account.records
	noun  string // in a generated SID
	path  string // of the listing
	key   string // of the items in a page
	file  string // of the items in the local file

	prefix      string // of the SIDs
	alias       string // key of the unique field that a path may name in place of the SID; "" for none
	label       string // key of the field that errors name a resource by
	filter      string // query parameter that filters the listing
	filterKey   string // key of the field that it compares
	maxPageSize int

	fields  []field
	nested  string   // property that holds the others of a type
	variant string   // key of the field that says of which type
	implied string   // type of nested properties without one
	always  bool     // whether a create without nested properties has them
	unknown []string // nested properties that the OpenAPI file does not have, always null
	enabled string   // key of the field that switches it on
	written []string // keys that a resource without a SID must have in the local file
	invalid int      // code of the error for a value

	valid    func(values) error                       // checks a create as a whole; nil for nothing to check
	collides func(a, b values, acrossTypes bool) bool // whether two enabled resources exclude each other; nil for never
	claim    func(values) string                      // the identity whose messages it takes, "" for none
}

// kinds are in the order of their index.
var kinds = [...]*kind{flowKind, addressKind}

// Integration types of flows, and auto-creation types of addresses.
const (
	studio   = "studio"
	external = "external"
	task     = "task"
	webhook  = "webhook"
	plain    = "default"
)

var flowKind = &kind{
	index: 0, noun: "flow", path: "/v1/FlexFlows", key: "flex_flows", file: "flows",
	prefix: "FO", label: "friendly_name", filter: "FriendlyName", filterKey: "friendly_name", maxPageSize: 1000,
	nested: "integration", variant: "integration_type", enabled: "enabled",
	implied: studio, // "Studio (default)", docs/flex/developer/messaging/manage-flows
	written: []string{"channel_type"}, invalid: codeValidation,
	collides: flowsCollide, claim: flowClaim,
	// In the order of the OpenAPI file. The parameters of a create and of an
	// update are the same.
	fields: []field{
		{param: "FriendlyName", key: "friendly_name", kind: kindText, required: true},
		{param: "ChatServiceSid", key: "chat_service_sid", kind: kindSID, prefix: "IS", required: true},
		{param: "ChannelType", key: "channel_type", kind: kindEnum, required: true, fallback: "",
			values: []string{"web", "sms", "facebook", "whatsapp", "line", "custom"}},
		{param: "ContactIdentity", key: "contact_identity", kind: kindText, clearable: true},
		{param: "Enabled", key: "enabled", kind: kindBool, fallback: false},
		{param: "IntegrationType", key: "integration_type", kind: kindEnum, values: []string{studio, external, task}},
		{param: "Integration.FlowSid", key: "integration.flow_sid", kind: kindSID, prefix: "FW", required: true, types: []string{studio}},
		{param: "Integration.Url", key: "integration.url", kind: kindURL, required: true, types: []string{external}},
		{param: "Integration.WorkspaceSid", key: "integration.workspace_sid", kind: kindSID, prefix: "WS", required: true, types: []string{task}},
		{param: "Integration.WorkflowSid", key: "integration.workflow_sid", kind: kindSID, prefix: "WW", required: true, types: []string{task}},
		{param: "Integration.Channel", key: "integration.channel", kind: kindText, types: []string{task}, fallback: "default"},
		{param: "Integration.Timeout", key: "integration.timeout", kind: kindInt, max: math.MaxInt32, types: []string{task}, fallback: 86400},
		{param: "Integration.Priority", key: "integration.priority", kind: kindInt, max: math.MaxInt32, types: []string{task}, fallback: 0},
		{param: "Integration.CreationOnMessage", key: "integration.creation_on_message", kind: kindBool, types: []string{task}},
		{param: "LongLived", key: "long_lived", kind: kindBool, fallback: false},
		{param: "JanitorEnabled", key: "janitor_enabled", kind: kindBool, fallback: false},
		{param: "Integration.RetryCount", key: "integration.retry_count", kind: kindInt, max: 3, types: []string{studio, external}, fallback: 3},
	},
}

var addressKind = &kind{
	index: 1, noun: "address", path: "/v1/Configuration/Addresses", key: "address_configurations", file: "addresses",
	prefix: "IG", alias: "address", label: "address", filter: "Type", filterKey: "type", maxPageSize: 50,
	nested: "auto_creation", variant: "auto_creation.type", enabled: "auto_creation.enabled", implied: plain, always: true,
	unknown: []string{"binding_name"}, // null in a captured answer
	written: []string{"type", "address"}, invalid: codeParameter,
	valid: checkAddress, claim: addressClaim,
	// In the order of the OpenAPI file, save for the country, which is last there.
	fields: []field{
		// A sample of the OpenAPI file creates a "whAtsAPP", and is answered that.
		{param: "Type", key: "type", kind: kindEnum, required: true, fixed: true, anyCase: true, fallback: "",
			values: []string{"sms", "whatsapp", "messenger", "gbm", "email", "rcs", "apple", "chat"}},
		{param: "Address", key: "address", kind: kindText, required: true, fixed: true, fallback: ""},
		{param: "FriendlyName", key: "friendly_name", kind: kindText, max: 256, clearable: true},
		{param: "AddressCountry", key: "address_country", kind: kindCountry, fixed: true},
		{param: "AutoCreation.Enabled", key: "auto_creation.enabled", kind: kindBool, fallback: false},
		{param: "AutoCreation.Type", key: "auto_creation.type", kind: kindEnum, anyCase: true, values: []string{webhook, studio, plain}},
		{param: "AutoCreation.ConversationServiceSid", key: "auto_creation.conversation_service_sid", kind: kindSID, prefix: "IS", clearable: true},
		{param: "AutoCreation.WebhookUrl", key: "auto_creation.webhook_url", kind: kindURL, required: true, types: []string{webhook}},
		{param: "AutoCreation.WebhookMethod", key: "auto_creation.webhook_method", kind: kindEnum, anyCase: true, upper: true,
			types: []string{webhook}, values: []string{"get", "post"}},
		{param: "AutoCreation.WebhookFilters", key: "auto_creation.webhook_filters", kind: kindList, types: []string{webhook}, values: []string{
			"onMessageAdded", "onMessageUpdated", "onMessageRemoved", "onConversationUpdated", "onConversationStateUpdated",
			"onConversationRemoved", "onParticipantAdded", "onParticipantUpdated", "onParticipantRemoved", "onDeliveryUpdated",
		}},
		{param: "AutoCreation.StudioFlowSid", key: "auto_creation.studio_flow_sid", kind: kindSID, prefix: "FW", required: true, types: []string{studio}},
		{param: "AutoCreation.StudioRetryCount", key: "auto_creation.studio_retry_count", kind: kindInt, max: 3, types: []string{studio}},
	},
}

// field returns the field with the key, and nil if there is none.
func (k *kind) field(key string) *field {
	for i := range k.fields {
		if k.fields[i].key == key {
			return &k.fields[i]
		}
	}
	return nil
}

// find returns the record that a path names, by its SID or its alias, and its
// index in the list, -1 if it is not there.
func (k *kind) find(list []*record, ref string, bare bool) (*record, int) {
	r, at := find(list, ref)
	if at < 0 && k.alias != "" {
		at = slices.IndexFunc(list, func(r *record) bool {
			have := r.values.text(k.alias)
			return have == ref || bare && withoutPrefix(have) == withoutPrefix(ref)
		})
		if at >= 0 {
			r = list[at]
		}
	}
	return r, at
}

// flowsCollide implements the rule of Twilio's Flex Flow page: "inbound flows
// must adhere to strict non-conflict checks across contact identity and
// integration type"; or across the identity alone, for the page can be read so,
// and Twilio's blog says "only one can have enabled=true".
func flowsCollide(a, b values, acrossTypes bool) bool {
	identity := a.text("contact_identity")
	return identity != "" && identity == b.text("contact_identity") &&
		a.text("channel_type") == b.text("channel_type") &&
		(acrossTypes || a.text("integration_type") == b.text("integration_type"))
}

// flowClaim returns the claim of the address that would take the flow's place.
func flowClaim(v values) string {
	channel, identity := v.text("channel_type"), v.text("contact_identity")
	if channel == "facebook" {
		channel = "messenger"
	}
	if identity == "" || !slices.Contains([]string{"sms", "whatsapp", "messenger"}, channel) {
		return ""
	}
	return channel + " " + withoutPrefix(identity)
}

func addressClaim(v values) string {
	return strings.ToLower(v.text("type")) + " " + withoutPrefix(v.text("address"))
}

const whatsApp = "whatsapp:"

// withoutPrefix returns a WhatsApp address in its bare form.
func withoutPrefix(address string) string { return strings.TrimPrefix(address, whatsApp) }

// checkAddress refuses an address whose form is documented to be another. The
// types that are not here take any.
func checkAddress(v values) error {
	address := v.text("address")
	number := func(s string) bool {
		digits := strings.TrimPrefix(s, "+")
		return digits != "" && strings.Trim(digits, "0123456789") == ""
	}
	good, want := true, ""
	switch strings.ToLower(v.text("type")) {
	case "sms":
		good, want = number(address), "a phone number or a short code"
	case "whatsapp":
		digits, ok := strings.CutPrefix(address, whatsApp)
		good, want = ok && number(digits), whatsApp+" and a phone number"
	case "messenger":
		page, ok := strings.CutPrefix(address, "messenger:")
		good, want = ok && page != "", "messenger: and the ID of a page"
	case "email":
		name, domain, ok := strings.Cut(address, "@")
		good, want = ok && name != "" && domain != "", "an email address"
	}
	if !good {
		return badRequest(codeParameter, "Address must be %s, not %q", want, address)
	}
	return nil
}
