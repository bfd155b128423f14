package migrate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"flexsync/internal/glob"
	"flexsync/internal/yamldoc"
)

// flow is one entry of flows.
type flow struct {
	doc        *document
	item       *yamldoc.Node // as it is written; may be an alias
	own, below entries       // its keys, and those of its integration
	name       string
	selected   bool

	channel string // "" when it is a variable
	typ     string // integration_type; "" when there is none or it is a variable
	address string // as an address; "" for none
	claim   claim
	enabled answer

	fate   fate
	reason string   // why it stays
	notes  []string // what the reader of the address needs to know

	unmapped []string // paths of ignore_changes that an address does not have
}

// fate is what becomes of a flow.
type fate int

const (
	stays fate = iota
	moves
	dropped
)

func newFlow(d *document, item *yamldoc.Node, only []glob.Glob) *flow {
	f := &flow{doc: d, item: item, own: entriesOf(yamldoc.Resolved(item))}
	f.below = f.own.below("integration")
	f.name = f.text("friendly_name")
	f.selected = len(only) == 0 || slices.ContainsFunc(only, func(g glob.Glob) bool { return g.MatchName(f.name) })
	return f
}

// find returns the value of a field that has one of these keys, and whether it is
// that of defaults and not the flow's own.
func (f *flow) find(keys ...string) (e entry, inherited, ok bool) {
	for _, key := range keys {
		if e, ok := pick(f.own, f.below, "integration.", key); ok {
			return e, false, true
		}
	}
	for _, key := range keys {
		if e, ok := pick(f.doc.base, f.doc.integration, "integration.", key); ok {
			return e, true, true
		}
	}
	return entry{}, false, false
}

// pick returns the entry of a path: of inner if it begins with prefix.
func pick(outer, inner entries, prefix, path string) (entry, bool) {
	if key, ok := strings.CutPrefix(path, prefix); ok {
		return inner.get(key)
	}
	return outer.get(path)
}

// text returns a string as it is written.
func (f *flow) text(key string) string {
	e, _, ok := f.find(key)
	if !ok {
		return ""
	}
	return e.value.Value
}

// hasVariable reports whether a text depends on a variable.
func hasVariable(s string) bool {
	return strings.Contains(strings.ReplaceAll(s, "$${", ""), "${")
}

// addressTypes are the types of addresses that take over from a channel.
var addressTypes = map[string]string{"sms": "sms", "whatsapp": "whatsapp", "facebook": "messenger"}

// prefixes are what the addresses of a type begin with.
var prefixes = map[string]string{"whatsapp": "whatsapp:", "messenger": "messenger:"}

var (
	numberRE    = regexp.MustCompile(`^\+[0-9]`)
	digitsRE    = regexp.MustCompile(`^[0-9]+$`)
	shortCodeRE = regexp.MustCompile(`^[0-9]{3,8}$`)
)

// longName is the longest name that an address may have, in characters.
const longName = 256

// classify finds out what the flow is, and whether it can move as far as it alone
// is concerned.
func (f *flow) classify() {
	e, _, given := f.find("enabled")
	f.enabled = answerOf(e, given, yes)
	if s := f.text("channel_type"); !hasVariable(s) {
		f.channel = s
	}
	if s := f.text("integration_type"); !hasVariable(s) {
		f.typ = s
	}
	identity := f.text("contact_identity")
	switch _, ok := addressTypes[f.channel]; {
	case f.channel == "":
		f.reason = "its channel_type is a variable"
	case f.channel == "web":
		f.reason = "a web chat needs a deployment key, which Twilio's console makes"
	case !ok:
		f.reason = fmt.Sprintf("there is no type of address for the channel %s", f.channel)
	case identity == "":
		f.reason = "it has no contact_identity"
	case strings.ContainsFunc(identity, unicode.IsControl):
		f.reason = "its contact_identity has a control character"
	default:
		f.findAddress(identity)
	}
	if f.address != "" {
		f.claim = claim{f.channel, f.address}
	}
	if f.reason != "" {
		return
	}
	switch {
	case f.typ == "task":
		f.reason = "an address cannot create tasks; let a Studio flow do it"
	case f.text("integration_type") == "":
		f.reason = "it has no integration_type, so what answers is only known to the account"
	case f.typ == "":
		f.reason = "its integration_type is a variable"
	case !hasVariable(f.name) && utf8.RuneCountInString(f.name) > longName:
		f.reason = fmt.Sprintf("the name of an address has at most %d characters", longName)
	}
}

// findAddress makes an address of the identity, with the prefix of its type.
func (f *flow) findAddress(identity string) {
	prefix := prefixes[addressTypes[f.channel]]
	switch {
	case strings.HasPrefix(identity, prefix):
		f.address = identity
	case f.channel == "whatsapp" && numberRE.MatchString(identity), f.channel == "facebook" && digitsRE.MatchString(identity):
		f.address = prefix + identity
		f.note("The prefix %s is new: an address needs it.", prefix)
	case strings.HasPrefix(identity, "${"):
		f.address = identity
		f.note("If the value does not begin with %s, write %s%s.", prefix, prefix, identity)
	default:
		f.reason = fmt.Sprintf("its contact_identity does not begin with %s", prefix)
	}
	if f.channel == "sms" && shortCodeRE.MatchString(identity) {
		f.note("A short code needs address_country, the two letters of its country.")
	}
}

func (f *flow) note(format string, args ...any) {
	f.notes = append(f.notes, fmt.Sprintf(format, args...))
}

// noteLosses says what of the flow has no place in an address.
func (f *flow) noteLosses() {
	var lost []string
	for _, key := range []string{"long_lived", "janitor_enabled"} {
		if e, _, ok := f.find(key); ok && answerOf(e, ok, no) != no {
			lost = append(lost, key+": "+e.value.Value)
		}
	}
	if e, _, ok := f.find("integration.retry_count"); ok && f.typ == "external" {
		lost = append(lost, "integration.retry_count: "+e.value.Value)
	}
	if e, ok := f.own.get("sid"); ok {
		lost = append(lost, "sid: "+e.value.Value)
	}
	if e, ok := f.own.get("renamed_from"); ok {
		lost = append(lost, "renamed_from: "+strings.Join(texts(e.value), ", "))
	}
	for _, path := range f.unmapped {
		lost = append(lost, "ignore_changes: "+path)
	}
	if len(lost) > 0 {
		f.note("Lost: %s. An address has no such setting.", strings.Join(lost, ", "))
	}
	if f.typ == "external" {
		f.note("The webhook gets onMessageAdded, another payload, and must create an Interaction, not a task.")
	}
}

// texts are the strings of a list.
func texts(list *yamldoc.Node) []string {
	var all []string
	for _, item := range list.Content {
		all = append(all, yamldoc.Resolved(item).Value)
	}
	return all
}
