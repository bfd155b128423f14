package schema

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"flexsync/internal/nearest"
	"flexsync/internal/yamldoc"
)

// Flows is the kind of the Flex Flows. Names, types, bounds and defaults of the fields
// are those of the API reference of FlexFlows, except that an omitted `enabled` is
// true: the API documents no default for it.
var Flows = newKind(Kind{
	Name: "flow", Plural: "flows", Title: "Flex Flow", Defaults: "defaults", SID: "FO", Group: "integration",
	GroupDoc: "Settings of what handles inbound messages",
	Limit:    2500, // https://www.twilio.com/docs/flex/developer/messaging/limits

	Fields: []Field{
		{Path: "friendly_name", Form: "FriendlyName", Type: String, Required: true,
			Doc:  "The flow's name. It identifies the flow; case matters.",
			rule: nameRule},
		{Path: "chat_service_sid", Form: "ChatServiceSid", Type: String, SID: "IS", Name: "chat_service", Required: true,
			Doc:  "The SID of the chat service.",
			Warn: Warning{Code: "chat-service-change", Message: "moves to another chat service: ongoing conversations stay in the old one"}},
		{Path: "channel_type", Form: "ChannelType", Type: String, Enum: []string{"web", "sms", "facebook", "whatsapp", "line", "custom"}, Required: true,
			words: map[string]string{
				"messenger": "facebook", "fb": "facebook", "text": "sms", "chat": "web", "webchat": "web", "wa": "whatsapp",
			},
			hints:     map[string]string{"voice": noCalls, "phone": noCalls, "call": noCalls},
			otherwise: "use custom for any other channel",
			Doc:       "The channel that messages arrive on."},
		{Path: "contact_identity", Form: "ContactIdentity", Type: String, Cleared: true,
			Doc: "The contact's identity on the channel: +15551230000 for sms, whatsapp:+15551230000, messenger:PAGE_ID, any text for custom; none for web."},
		{Path: "enabled", Form: "Enabled", Type: Bool, Default: true,
			Doc: "Whether the flow receives messages."},
		{Path: "integration_type", Form: "IntegrationType", Type: String, Enum: []string{Studio, External, Task},
			words: map[string]string{
				"flow": Studio, "webhook": External, "http": External, "https": External, "url": External,
				"taskrouter": Task, "tasks": Task, "workflow": Task, "workspace": Task,
			},
			Doc: "What handles inbound messages; if omitted, the integration stays as it is in the account."},
		{Path: "integration.flow_sid", Form: "Integration.FlowSid", Type: String, SID: "FW", Name: "integration.studio_flow", Variants: []string{Studio}, Required: true, Routing: true,
			Doc: "The SID of the Studio flow."},
		{Path: "integration.url", Form: "Integration.Url", Type: String, Variants: []string{External}, Required: true, Routing: true,
			Doc:  "The absolute http or https URL of the webhook.",
			rule: urlRule},
		{Path: "integration.workspace_sid", Form: "Integration.WorkspaceSid", Type: String, SID: "WS", Name: "integration.workspace", Variants: []string{Task}, Required: true,
			Doc: "The SID of the TaskRouter workspace for new tasks."},
		{Path: "integration.workflow_sid", Form: "Integration.WorkflowSid", Type: String, SID: "WW", Name: "integration.workflow", Within: "integration.workspace_sid", Variants: []string{Task}, Required: true, Routing: true,
			Doc: "The SID of the TaskRouter workflow for new tasks."},
		{Path: "integration.channel", Form: "Integration.Channel", Type: String, SID: "TC", SIDOrName: true, Within: "integration.workspace_sid", Variants: []string{Task}, Default: "default", Routing: true,
			Doc: "The task channel's SID or unique name."},
		{Path: "integration.timeout", Form: "Integration.Timeout", Type: Int, Max: maxInt, Variants: []string{Task}, Default: int64(86400),
			Doc: "The task's timeout in seconds."},
		{Path: "integration.priority", Form: "Integration.Priority", Type: Int, Max: maxInt, Variants: []string{Task}, Default: int64(0),
			Doc: "The task's priority."},
		{Path: "integration.creation_on_message", Form: "Integration.CreationOnMessage", Type: Bool, Variants: []string{Task}, Left: true,
			Doc: "Outbound only: true delays the task until the customer answers; if omitted, it stays as it is in the account."},
		{Path: "integration.retry_count", Form: "Integration.RetryCount", Type: Int, Max: 3, Variants: []string{Studio, External}, Default: int64(3),
			Doc: "How often the Studio flow or webhook is retried after a failure, 0 to 3."},
		{Path: "long_lived", Form: "LongLived", Type: Bool, Default: false,
			Doc: "Whether later conversations with the same contact reuse the chat channel."},
		{Path: "janitor_enabled", Form: "JanitorEnabled", Type: Bool, Default: false,
			Doc: "Whether Proxy sessions are removed when their task is deleted outside Flex."},
	},

	lint: lintFlow,
	synonyms: map[string]string{
		"name": "friendly_name", "channel": "channel_type", "type": "channel_type", "identity": "contact_identity",
		"phonenumber": "contact_identity", "servicesid": "chat_service_sid", "previously": "renamed_from",
		"previousname": "renamed_from", "previousnames": "renamed_from", "oldname": "renamed_from", "oldnames": "renamed_from",
		"integrations": "integration", "disabled": "enabled",
	},
	inner: map[string]string{
		"studioflowsid": "flow_sid", "studiosid": "flow_sid", "webhook": "url", "webhookurl": "url", "retries": "retry_count",
	},
}, "friendly_name", "integration_type", "enabled", "channel_type", "contact_identity")

const noCalls = "Flex Flows do not handle calls"

// The integration types, the variants of flows.
const (
	Studio   = "studio"
	External = "external"
	Task     = "task"
)

// maxInt bounds the integers that the API documents no bound for. Its reference
// calls them int, and Twilio's SDKs hold them in 32 bits.
const maxInt = math.MaxInt32

// longTimeout is two weeks, TaskRouter's limit, in seconds. The API of flows documents
// none.
const longTimeout = 1209600

func lintFlow(o *Object, warn func(f *Field, code, message string)) {
	timeout := o.Kind.Field("integration.timeout")
	if n, _ := o.Get(timeout).(int64); n > longTimeout {
		warn(timeout, "long-timeout", fmt.Sprintf("a timeout of %d s exceeds TaskRouter's two weeks (%d s)", n, longTimeout))
	}
	if message := lintIdentity(o.Text(o.Kind.Channel), o.Text(o.Kind.Contact)); message != "" {
		warn(o.Kind.Contact, "identity-format", message)
	}
}

var (
	e164RE      = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)
	shortCodeRE = regexp.MustCompile(`^[0-9]{3,8}$`)
	prefixRE    = regexp.MustCompile(`^([A-Za-z]{2,20}):`)
)

// identityPrefixes are what the identities of some channels begin with.
var identityPrefixes = map[string]string{"whatsapp": "whatsapp:", "facebook": "messenger:"}

// lintIdentity says why an identity does not have the form of its channel's
// identities; "" means that it does. The API does not check this: it accepts a
// flow with a wrong identity, and no message ever reaches that flow.
func lintIdentity(channel, identity string) string {
	if channel == "" || identity == "" { // or not known
		return ""
	}
	due, hasPrefix := identityPrefixes[channel]
	if hasPrefix && strings.HasPrefix(identity, due) || channel == "sms" {
		// The prefix is no misspelt one.
	} else if m := prefixRE.FindStringSubmatch(identity); m != nil {
		word := strings.ToLower(m[1])
		near := nearest.Word(word, []string{"whatsapp", "messenger"})
		if channel == "facebook" && slices.Contains([]string{"facebook", "fb"}, word) {
			near = "messenger"
		}
		if near != "" && m[1] != near {
			return fmt.Sprintf("contact_identity %s begins with %s:; did you mean %s:?", yamldoc.Quote(identity), m[1], near)
		}
	}
	switch channel {
	case "sms":
		if !e164RE.MatchString(identity) && !shortCodeRE.MatchString(identity) {
			return fmt.Sprintf("contact_identity %s is neither an E.164 number like +15551230000 nor a short code", yamldoc.Quote(identity))
		}
	case "whatsapp":
		number, ok := strings.CutPrefix(identity, identityPrefixes[channel])
		switch {
		case !ok:
			return fmt.Sprintf("contact_identity %s does not begin with whatsapp:, as in whatsapp:+15551230000", yamldoc.Quote(identity))
		case !e164RE.MatchString(number):
			return fmt.Sprintf("contact_identity %s has no E.164 number after whatsapp:, as in whatsapp:+15551230000", yamldoc.Quote(identity))
		}
	case "facebook":
		id, ok := strings.CutPrefix(identity, identityPrefixes[channel])
		switch {
		case !ok:
			return fmt.Sprintf("contact_identity %s does not begin with messenger:, as in messenger:PAGE_ID", yamldoc.Quote(identity))
		case strings.TrimSpace(id) == "":
			return fmt.Sprintf("contact_identity %s has no page ID after messenger:", yamldoc.Quote(identity))
		}
	case "web":
		return fmt.Sprintf("contact_identity %s is set, but web chats have none", yamldoc.Quote(identity))
	}
	return ""
}
