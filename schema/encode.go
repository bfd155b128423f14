package schema

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Export is flows to be written as YAML. What Encode writes, Load reads back
// to the same flows, as long as each of them has no [Flow.Problems] and their
// names differ or are pinned.
type Export struct {
	Header     []string // comment lines at the top
	AccountSID string   // "" leaves it out
	Ignore     []ExportIgnore
	Flows      []ExportFlow // written in this order

	// Names gives, by SID, names to write in place of SIDs, for the fields
	// that have a key for that.
	Names map[string]string
}

// ExportIgnore is one entry of ignore: a SID or a glob, see [QuoteGlob].
type ExportIgnore struct {
	Pattern string
	Comment string // may be empty
}

// ExportFlow is one flow.
type ExportFlow struct {
	SID     string
	Pin     bool // write the SID, which ties the flow to this account
	Flow    Flow
	Comment []string // lines above the flow
}

// spelledOut are the fields that a reader looks for in every flow: they are
// neither left out as a default nor moved to defaults.
var spelledOut = FieldFriendlyName.Bit() | fieldChannelType.Bit() | FieldContactIdentity.Bit() |
	FieldEnabled.Bit() | FieldIntegrationType.Bit()

// Encode writes the YAML. Keys that have their documented default are left
// out, and what all flows share moves to defaults.
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
	shared := e.shared()
	if shared != 0 {
		w.line("defaults:")
		for f := range shared.all {
			w.field("  ", f, &e.Flows[0].Flow)
		}
	}
	w.line("flows:")
	for i := range e.Flows {
		if i > 0 {
			w.line()
		}
		w.flow(&e.Flows[i], shared)
	}
	return w.text
}

// shared is the fields outside the integration that all flows have alike, and
// other than by default.
func (e Export) shared() FieldSet {
	var set FieldSet
	if len(e.Flows) < 2 {
		return 0
	}
	first := &e.Flows[0].Flow
	for f := range (fieldsOf[""] &^ spelledOut).all {
		same := f.Get(first) != f.Default
		for i := range e.Flows {
			same = same && f.Equal(first, &e.Flows[i].Flow)
		}
		if same {
			set |= f.Bit()
		}
	}
	return set
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
	inner := false
	fields, known := fieldsOf[x.Flow.IntegrationType]
	if !known { // it cannot be declared, but it can be shown
		fields = fieldsOf[""]
	}
	for f := range (fields &^ shared).all {
		v := f.Get(&x.Flow)
		if v == nil || v == f.Default && !spelledOut.Has(f) {
			continue
		}
		_, below := f.integrationKey()
		if below && !inner {
			w.line("    integration:")
		}
		inner = below
		indent := "    "
		if below {
			indent = "      "
		}
		w.field(indent, f, &x.Flow)
		if f == FieldFriendlyName && x.Pin {
			w.line("    sid: ", scalar(x.SID))
		}
	}
	copy(w.text[start:], "  - ")
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
			value = quoted(escapeVariables(v))
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

// escapeVariables makes a text literal for Load.
func escapeVariables(s string) string { return strings.ReplaceAll(s, "${", "$${") }

// scalar writes a text such that Load reads it back: plain where nobody could
// take it for anything else, or else in double quotes.
func scalar(s string) string {
	s = escapeVariables(s)
	if isSafePlain(s) {
		return s
	}
	return quoted(s)
}

// isSafePlain reports whether no reader of YAML 1.1 or 1.2 would take the text
// for anything but a string: it begins with a letter, and is words of letters,
// digits and a few harmless characters, or one URL.
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
