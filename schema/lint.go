package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"flexsync/internal/nearest"
	"flexsync/internal/yamldoc"
)

// Values beyond these are likely mistakes. The API documents neither limit;
// Conversations limits names to 256 characters, TaskRouter tasks to two weeks.
const (
	longName    = 256     // characters
	longTimeout = 1209600 // seconds
)

// lint warns of what is allowed in a flow but likely a mistake.
func (d *decoder) lint(flow *Declared, unsure FieldSet, own *layer) {
	warn := func(f *Field, code, message string) {
		pos := flow.Pos // of the flow, when defaults has the value
		if e := own.at[f]; e.value != nil {
			pos = d.src.Pos(e.value)
		}
		d.out.warnings = append(d.out.warnings, Warning{Code: code, Message: fmt.Sprintf("flow %s: %s", yamldoc.Quote(flow.Flow.FriendlyName), message), Pos: pos})
	}
	for _, f := range []*Field{FieldFriendlyName, FieldContactIdentity} {
		if s, _ := f.Get(&flow.Flow).(string); !unsure.Has(f) && len(s) > longName {
			if n := utf8.RuneCountInString(s); n > longName {
				warn(f, "long-name", fmt.Sprintf("%s has %d characters; Twilio may refuse more than %d", f.Path, n, longName))
			}
		}
	}
	if n := flow.Flow.Timeout; n > longTimeout && !unsure.Has(fieldTimeout) {
		warn(fieldTimeout, "long-timeout", fmt.Sprintf("a timeout of %d s exceeds TaskRouter's two weeks (%d s)", n, longTimeout))
	}
	if (unsure & (FieldContactIdentity.Bit() | fieldChannelType.Bit())) == 0 {
		if message := lintIdentity(flow.Flow.ChannelType, flow.Flow.ContactIdentity); message != "" {
			warn(FieldContactIdentity, "identity-format", message)
		}
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
	if identity == "" {
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
