package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"flexsync/internal/yamldoc"
)

// Export is a configuration to be written as YAML. Load reads what Encode writes
// back to the same flows, if none of them has [Flow.Problems] and flows of one name
// are pinned.
type Export struct {
	Header     []string // comment lines at the top
	AccountSID string   // "" leaves it out
	Ignore     []ExportIgnore
	Flows      []ExportFlow // written in this order

	// Names maps SIDs to the names to write instead of them, for the fields that
	// have a key for that.
	Names map[string]string

	// Channels writes the channel type above each run of flows of one channel,
	// if the flows have several.
	Channels bool
	// Whole keeps every key in its flow and moves none to defaults, so that a
	// flow can be copied to another file.
	Whole bool
}

// ExportIgnore is an entry of ignore: a SID or a glob, see [glob.Quote].
type ExportIgnore struct {
	Pattern string
	Comment string // above the entry; may be empty
}

// ExportFlow is one flow.
type ExportFlow struct {
	SID     string
	Pin     bool // write the SID, which ties the flow to this account
	Flow    Flow
	Comment []string // lines above the flow
}

// spelledOut are the fields that a reader expects in every flow: they are written
// even with their default, and never move to defaults.
var spelledOut = FieldFriendlyName.Bit() | fieldChannelType.Bit() | FieldContactIdentity.Bit() |
	FieldEnabled.Bit() | FieldIntegrationType.Bit()

// routing is where a flow's messages go: a reader expects it in the flow, so it
// does not move to defaults either.
var routing = fieldByPath["integration.flow_sid"].Bit() | fieldByPath["integration.url"].Bit() |
	fieldByPath["integration.workflow_sid"].Bit() | fieldByPath["integration.channel"].Bit()

// Encode returns the YAML. It omits keys that have their documented default, and
// moves what all flows share to defaults.
func (e Export) Encode() []byte {
	w := &encoder{names: e.Names}
	w.comment("", e.Header)
	w.line("version: 1")
	if e.AccountSID != "" {
		w.line("account_sid: ", scalar(e.AccountSID))
	}
	if len(e.Ignore) > 0 {
		w.line("ignore:")
		for _, entry := range e.Ignore {
			if entry.Comment != "" {
				w.comment("  ", []string{entry.Comment})
			}
			w.line("  - ", scalar(entry.Pattern))
		}
	}
	if len(e.Flows) == 0 {
		w.line("flows: []")
		return w.text
	}
	var shared FieldSet
	var of map[*Field]*Flow
	if !e.Whole {
		shared, of = e.shared()
	}
	if shared != 0 {
		w.line("defaults:")
		inside := false
		for f := range shared.all {
			inside = w.key("  ", f, of[f], inside)
		}
	}
	w.line("flows:")
	channels := e.Channels && slices.ContainsFunc(e.Flows, func(x ExportFlow) bool { return x.Flow.ChannelType != e.Flows[0].Flow.ChannelType })
	for i := range e.Flows {
		if i > 0 {
			w.line()
		}
		x := &e.Flows[i]
		if channels && (i == 0 || x.Flow.ChannelType != e.Flows[i-1].Flow.ChannelType) {
			w.comment("  ", []string{x.Flow.ChannelType})
		}
		w.flow(x, shared)
	}
	return w.text
}

// shared returns the fields that have one value, not the default, in all flows to
// which they apply, if those are two or more. of maps each to one of these flows.
func (e Export) shared() (set FieldSet, of map[*Field]*Flow) {
	of = make(map[*Field]*Flow)
	for f := range ((fieldsOf[""] | IntegrationFields) &^ (spelledOut | routing)).all {
		var first *Flow
		again, same := false, true
		for i := range e.Flows {
			flow := &e.Flows[i].Flow
			switch {
			case !f.AppliesTo(flow.IntegrationType):
			case first == nil:
				first = flow
			default:
				again, same = true, same && f.Equal(first, flow)
			}
		}
		if again && same && f.Get(first) != f.Default {
			set |= f.Bit()
			of[f] = first
		}
	}
	return set, of
}

type encoder struct {
	text  []byte
	names map[string]string
}

func (w *encoder) line(parts ...string) {
	for _, p := range parts {
		w.text = append(w.text, p...)
	}
	w.text = append(w.text, '\n')
}

func (w *encoder) flow(x *ExportFlow, shared FieldSet) {
	w.comment("  ", x.Comment)
	start := len(w.text)
	inside := false
	fields, known := fieldsOf[x.Flow.IntegrationType]
	if !known { // it cannot be declared, but it can be shown
		fields = fieldsOf[""]
	}
	for f := range (fields &^ shared).all {
		v := f.Get(&x.Flow)
		if v == nil || v == f.Default && !spelledOut.Has(f) {
			continue
		}
		inside = w.key("    ", f, &x.Flow, inside)
		if f == FieldFriendlyName && x.Pin {
			w.line("    sid: ", scalar(x.SID))
		}
	}
	copy(w.text[start:], "  - ")
}

// key writes a field, with `integration` above the first that is inside of it,
// and returns whether this one is.
func (w *encoder) key(indent string, f *Field, flow *Flow, inside bool) bool {
	_, below := f.integrationKey()
	if below {
		if !inside {
			w.line(indent, "integration:")
		}
		indent += "  "
	}
	w.field(indent, f, flow)
	return below
}

// field writes one key with its value, or with the name for it.
func (w *encoder) field(indent string, f *Field, flow *Flow) {
	path, value := f.Path, ""
	switch v := f.Get(flow).(type) {
	case bool:
		value = strconv.FormatBool(v)
	case int64:
		value = strconv.FormatInt(v, 10)
	case string:
		if name := w.names[v]; f.Name != "" && f.checkReference(name).message == "" {
			path, v = f.Name, name
		}
		if value = scalar(v); f == FieldContactIdentity {
			value = quoted(yamldoc.Escape(v))
		}
	}
	w.line(indent, strings.TrimPrefix(path, integrationPrefix), ": ", value)
}

// comment writes lines that stay comments, whatever they hold.
func (w *encoder) comment(indent string, lines []string) {
	for _, line := range lines {
		w.text = append(w.text, indent...)
		w.text = append(w.text, '#')
		if line != "" {
			w.text = append(w.text, ' ')
		}
		for _, r := range line {
			if unicode.IsPrint(r) && r != utf8.RuneError && (r != '#' || w.text[len(w.text)-1] != '#') {
				w.text = utf8.AppendRune(w.text, r)
			} else {
				w.text = append(w.text, escapedRune(r)...)
			}
		}
		w.text = append(w.text, '\n')
	}
}

// scalar writes a text such that Load reads it back: plain where it is
// unambiguous, otherwise in double quotes.
func scalar(s string) string {
	s = yamldoc.Escape(s)
	if isSafePlain(s) {
		return s
	}
	return quoted(s)
}

// isSafePlain reports whether every reader of YAML 1.1 or 1.2 takes the text for a
// string: it begins with a letter, and is words of letters, digits and a few
// harmless characters, or one URL.
func isSafePlain(s string) bool {
	harmless := "_-./()"
	if !strings.Contains(s, " ") && !strings.HasSuffix(s, ":") {
		harmless += ":?=&%+~@"
	}
	for i, r := range s {
		switch {
		case unicode.IsLetter(r):
		case i > 0 && (r >= '0' && r <= '9' || strings.ContainsRune(harmless, r)):
		case i > 0 && r == ' ' && i < len(s)-1:
		default:
			return false
		}
	}
	switch strings.ToLower(s) {
	case "", "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	return true
}

// quoted writes a text in double quotes. Everything that does not print is
// escaped, so that a reviewer sees what is there.
func quoted(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '#' && b[len(b)-1] == '#':
			b = append(b, `\x23`...) // "##[" is a command of GitHub's runner
		case r == utf8.RuneError || !unicode.IsPrint(r):
			b = append(b, escapedRune(r)...)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return string(append(b, '"'))
}

// escapedRune is a character as YAML's double quotes write it.
func escapedRune(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}
