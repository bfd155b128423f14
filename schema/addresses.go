package schema

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"flexsync/internal/yamldoc"
)

// Addresses is the kind of the addresses of Conversations, which take the place of
// flows. Names, types, bounds and defaults of the fields are those of the API reference
// of Configuration/Addresses, except that an omitted `enabled` is true.
var Addresses = newKind(Kind{
	Name: "address", Plural: "addresses", Title: "address of Conversations", Defaults: "address_defaults", SID: "IG", Group: "auto_creation",
	GroupDoc: "Settings of the conversation that a first message creates",

	Fields: []Field{
		{Path: "address", Form: "Address", Type: String, Required: true, Immutable: true,
			Doc:  "The identity that messages are sent to: +15551230000, whatsapp:+15551230000, messenger:PAGE_ID. It identifies the address; case matters.",
			rule: addressRule},
		{Path: "type", Form: "Type", Type: String, Enum: []string{typeSMS, typeWhatsApp, typeMessenger, typeChat, "email", "rcs", "apple", "gbm"}, AnyCase: true, Required: true, Immutable: true,
			words: map[string]string{
				"facebook": typeMessenger, "fb": typeMessenger, "text": typeSMS, "web": typeChat, "webchat": typeChat, "wa": typeWhatsApp, "mail": "email",
			},
			hints: map[string]string{"voice": noAddressCalls, "phone": noAddressCalls, "call": noAddressCalls, "line": noAddress, "custom": noAddress},
			Doc:   "The channel that messages arrive on."},
		{Path: "address_country", Form: "AddressCountry", Type: String, Immutable: true, Left: true,
			Doc:  "The country of a short code, as two capital letters (ISO 3166-1); if omitted, it stays as it is in the account.",
			rule: countryRule},
		{Path: "friendly_name", Form: "FriendlyName", Type: String, Cleared: true,
			Doc:  "A name for people, at most 256 characters. It need not be unique.",
			rule: labelRule},
		{Path: "auto_creation.enabled", Form: "AutoCreation.Enabled", Type: Bool, Default: true,
			Doc: "Whether the first message of a conversation creates it: whether the address receives messages."},
		{Path: "auto_creation.type", Form: "AutoCreation.Type", Type: String, Enum: []string{Studio, Webhook, Plain}, AnyCase: true, Required: true,
			words: map[string]string{"flow": Studio, "external": Webhook, "http": Webhook, "https": Webhook, "url": Webhook, "none": Plain},
			hints: map[string]string{"task": "addresses have no task integration: write studio or webhook"},
			Doc:   "What handles new conversations: a Studio flow, a webhook, or neither."},
		{Path: "auto_creation.conversation_service_sid", Form: "AutoCreation.ConversationServiceSid", Type: String, SID: "IS", Name: "auto_creation.conversation_service", Cleared: true,
			Doc: "The SID of the conversation service; if omitted, the account's default service."},
		{Path: "auto_creation.studio_flow_sid", Form: "AutoCreation.StudioFlowSid", Type: String, SID: "FW", Name: "auto_creation.studio_flow", Variants: []string{Studio}, Required: true, Routing: true,
			Event: "incomingConversationMessage",
			Doc:   "The SID of the Studio flow."},
		{Path: "auto_creation.studio_retry_count", Form: "AutoCreation.StudioRetryCount", Type: Int, Max: 3, Variants: []string{Studio}, Default: int64(3),
			Doc: "How often the Studio flow is retried after a failure, 0 to 3."},
		{Path: "auto_creation.webhook_url", Form: "AutoCreation.WebhookUrl", Type: String, Variants: []string{Webhook}, Required: true, Routing: true,
			Doc:  "The absolute http or https URL of the webhook.",
			rule: urlRule},
		{Path: "auto_creation.webhook_method", Form: "AutoCreation.WebhookMethod", Type: String, Enum: []string{"get", "post"}, AnyCase: true, Variants: []string{Webhook}, Default: "post",
			Doc:  "The HTTP method of the webhook, get or post; case makes no difference.",
			rule: methodRule},
		{Path: "auto_creation.webhook_filters", Form: "AutoCreation.WebhookFilters", Type: Words, Enum: []string{
			"onMessageAdded", "onMessageUpdated", "onMessageRemoved", "onConversationUpdated", "onConversationStateUpdated",
			"onConversationRemoved", "onParticipantAdded", "onParticipantUpdated", "onParticipantRemoved", "onDeliveryUpdated",
		}, AnyCase: true, Variants: []string{Webhook}, Required: true,
			Doc: "The events that the webhook is called for; order and repetition make no difference."},
	},

	lint:     lintAddress,
	refuse:   refuseAddress,
	settle:   settleAddress,
	prefixes: addressPrefixes,
	synonyms: map[string]string{
		"name": "friendly_name", "channel": "type", "channeltype": "type", "identity": "address", "contactidentity": "address",
		"phonenumber": "address", "number": "address", "country": "address_country", "autocreate": "auto_creation", "integration": "auto_creation",
	},
	inner: map[string]string{
		"flowsid": "studio_flow_sid", "studiosid": "studio_flow_sid", "flow": "studio_flow", "url": "webhook_url", "method": "webhook_method",
		"filters": "webhook_filters", "events": "webhook_filters", "retrycount": "studio_retry_count", "retries": "studio_retry_count",
		"chatservicesid": "conversation_service_sid", "chatservice": "conversation_service", "servicesid": "conversation_service_sid",
		"integrationtype": "type", "disabled": "enabled",
	},
}, "address", "auto_creation.type", "auto_creation.enabled", "type", "address")

const (
	noAddressCalls = "addresses do not handle calls"
	noAddress      = "no address is for this channel: keep it a flow"
)

// The auto-creation types beside [Studio], the variants of addresses.
const (
	Webhook = "webhook"
	Plain   = "default"
)

// Types of addresses that rules depend on.
const (
	typeSMS       = "sms"
	typeWhatsApp  = "whatsapp"
	typeMessenger = "messenger"
	typeChat      = "chat"
)

// addressPrefixes are what the addresses of some types begin with.
var addressPrefixes = map[string]string{typeWhatsApp: "whatsapp:", typeMessenger: "messenger:"}

// settleAddress gives the bare and the prefixed form of a number under whatsapp one
// value: they are the same address.
func settleAddress(o *Object) {
	prefix := addressPrefixes[typeWhatsApp]
	if s := o.Text(o.Kind.ID); o.Text(o.Kind.Channel) == typeWhatsApp && strings.HasPrefix(s, "+") {
		o.values[o.Kind.ID.index] = prefix + s
	}
}

// refuseAddress is the rule on prefixes, for an address as it is written.
func refuseAddress(o *Object) (*Field, complaint) {
	s, typ := o.Text(o.Kind.ID), o.Text(o.Kind.Channel)
	prefix := addressPrefixes[typ]
	if s == "" || strings.HasPrefix(s, prefix) && len(s) > len(prefix) {
		return nil, complaint{}
	}
	c := complaint{fmt.Sprintf("address %s does not begin with %s, as type %s requires", yamldoc.Quote(s), prefix, typ), "write " + prefix + strings.TrimSpace(s)}
	switch before, after, ok := strings.Cut(s, ":"); {
	case s == prefix:
		c = complaint{fmt.Sprintf("address %s has nothing after %s", yamldoc.Quote(s), prefix), ""}
	case ok:
		c.Message += fmt.Sprintf(": it begins with %s", yamldoc.Quote(before+":"))
		c.Hint = "write " + prefix + after
	}
	return o.Kind.ID, c
}

func lintAddress(o *Object, warn func(f *Field, code, message string)) {
	k := o.Kind
	address, typ, country := o.Text(k.ID), o.Text(k.Channel), k.Field("address_country")
	number := strings.TrimPrefix(address, addressPrefixes[typ])
	switch {
	case address == "":
	case typ == typeSMS && !e164RE.MatchString(address) && !shortCodeRE.MatchString(address):
		warn(k.ID, "identity-format", "it is neither an E.164 number like +15551230000 nor a short code")
	case typ == typeWhatsApp && !e164RE.MatchString(number):
		warn(k.ID, "identity-format", "it has no E.164 number after whatsapp:, as in whatsapp:+15551230000")
	case typ == typeMessenger && strings.TrimSpace(number) == "":
		warn(k.ID, "identity-format", "it has no page ID after messenger:")
	}
	if s := o.Text(country); s != "" && e164RE.MatchString(number) {
		warn(country, "address-country", fmt.Sprintf("address_country %s is only for short codes, and this is an E.164 number", s))
	}
}

var (
	addressRule = &rule{checkAddress, nameSchema}
	countryRule = &rule{checkCountry, orVariable(`^[A-Z]{2}$`)}
	labelRule   = &rule{checkLabel, textSchema}
	methodRule  = &rule{checkMethod, orVariable(`^(?:[Gg][Ee][Tt]|[Pp][Oo][Ss][Tt])$`)}
)

// checkAddress is the rule on the identities of addresses.
func checkAddress(s string) complaint {
	switch {
	case s == "":
		return complaint{"the address is empty", "write the identity that messages are sent to, such as +15551230000"}
	case strings.ContainsFunc(s, unicode.IsControl):
		return complaint{fmt.Sprintf("the address %s contains a control character", yamldoc.Quote(s)), "remove line breaks, tabs and other control characters"}
	}
	return complaint{}
}

// checkCountry is the rule on countries.
func checkCountry(s string) complaint {
	if len(s) == 2 && !strings.ContainsFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return complaint{}
	}
	c := complaint{fmt.Sprintf("%s is not the code of a country", yamldoc.Quote(s)), "write two capital letters, as in US"}
	if up := strings.ToUpper(s); up != s && checkCountry(up).Message == "" {
		c.Hint = "write " + up
	}
	return c
}

// checkMethod is the rule on the methods of webhooks.
func checkMethod(s string) complaint {
	if strings.EqualFold(s, "get") || strings.EqualFold(s, "post") {
		return complaint{}
	}
	return complaint{yamldoc.Quote(s) + " is not one of get, post", "write get or post"}
}

// checkLabel is the rule on the names of addresses.
func checkLabel(s string) complaint {
	if n := utf8.RuneCountInString(s); n > longText {
		return complaint{fmt.Sprintf("the name has %d characters, more than the %d that Twilio allows", n, longText), "shorten it"}
	}
	return complaint{}
}

// checkWords applies the rules of the field to a set.
func (f *Field) checkWords(words []string) complaint {
	if len(words) == 0 {
		return complaint{"the list is empty", "write one or more of " + strings.Join(f.Enum, ", ")}
	}
	i := slices.IndexFunc(words, func(w string) bool { return !slices.Contains(f.Enum, w) })
	if i < 0 {
		return complaint{}
	}
	return f.wrongWord(words[i])
}
