package schema

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"flexsync/internal/yamldoc"
)

// Export is a configuration to be written as YAML. Load reads what Encode writes
// back to the same resources, if none of them has [Object.Problems] and those of one
// name are pinned.
type Export struct {
	Header     []string // comment lines at the top
	AccountSID string   // "" leaves it out
	Ignore     []ExportIgnore
	Kinds      []*Kind       // written in this order
	Entries    []ExportEntry // of these kinds, written in this order

	// Names maps SIDs to the names to write instead of them, for the fields that
	// have a key for that.
	Names map[string]string

	// Channels writes the channel above each run of resources of one channel, if
	// they have several.
	Channels bool
	// Whole keeps every key in its resource and moves none to defaults, so that one
	// can be copied to another file.
	Whole bool
}

// ExportIgnore is an entry of ignore: a SID or a glob, see [glob.Quote].
type ExportIgnore struct {
	Pattern string
	Comment string // above the entry; may be empty
}

// ExportEntry is one resource.
type ExportEntry struct {
	SID string
	Pin bool // write the SID, which ties the resource to this account
	Object
	Comment []string // lines above the resource
}

// Encode returns the YAML. It omits keys that have their documented default, and
// moves what all resources share to defaults.
func (e Export) Encode() []byte {
	w := &encoder{names: e.Names}
	w.comment("", e.Header...)
	w.line("version: 1")
	if e.AccountSID != "" {
		w.line("account_sid: ", scalar(e.AccountSID))
	}
	if len(e.Ignore) > 0 {
		w.line("ignore:")
		for _, entry := range e.Ignore {
			if entry.Comment != "" {
				w.comment("  ", entry.Comment)
			}
			w.line("  - ", scalar(entry.Pattern))
		}
	}
	for _, k := range e.Kinds {
		e.encode(w, k)
	}
	return w.text
}

// Of returns the entries of a kind.
func (e Export) Of(k *Kind) []ExportEntry {
	return slices.DeleteFunc(slices.Clone(e.Entries), func(x ExportEntry) bool { return x.Kind != k })
}

// encode writes the entries of a kind.
func (e Export) encode(w *encoder, k *Kind) {
	entries := e.Of(k)
	if len(entries) == 0 {
		w.line(k.Plural, ": []")
		return
	}
	var shared FieldSet
	var of Object
	if !e.Whole {
		shared, of = k.shared(entries)
	}
	if shared != 0 {
		w.line(k.Defaults, ":")
		w.fields("  ", &of, shared)
	}
	w.line(k.Plural, ":")
	channel := func(i int) string { return entries[i].Text(k.Channel) }
	channels := e.Channels && slices.ContainsFunc(entries, func(x ExportEntry) bool { return x.Text(k.Channel) != channel(0) })
	for i := range entries {
		if i > 0 {
			w.line()
		}
		if channels && (i == 0 || channel(i) != channel(i-1)) {
			w.comment("  ", channel(i))
		}
		w.entry(&entries[i], shared)
	}
}

// shared returns the fields that have one value, not the default, in all resources
// to which they apply, if those are two or more, and an object with these values.
func (k *Kind) shared(entries []ExportEntry) (set FieldSet, of Object) {
	of.Kind = k
	for i := range k.Fields {
		f := &k.Fields[i]
		if f.Routing || k.Roles().Has(f) {
			continue
		}
		n, same := 0, true
		for j := range entries {
			if x := &entries[j]; f.AppliesTo(x.Variant()) {
				if n++; n == 1 {
					of.values[i] = x.values[i]
				}
				same = same && of.values[i] == x.values[i]
			}
		}
		if n > 1 && same && of.values[i] != f.Default {
			set |= f.Bit()
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

func (w *encoder) entry(x *ExportEntry, shared FieldSet) {
	w.comment("  ", x.Comment...)
	start := len(w.text)
	var set FieldSet
	for f := range x.Kind.In(x.Kind.All() &^ shared) {
		if v := x.Get(f); v != nil && (v != f.Default || x.Kind.Roles().Has(f)) {
			set |= f.Bit()
		}
	}
	if x.Pin {
		id := x.Kind.ID.Bit()
		w.fields("    ", &x.Object, set&id)
		w.line("    sid: ", scalar(x.SID))
		set &^= id
	}
	w.fields("    ", &x.Object, set)
	copy(w.text[start:], "  - ")
}

// fields writes the fields of a set: each with its value, or with the name for it,
// and the group's key above the first that is inside of it.
func (w *encoder) fields(indent string, o *Object, set FieldSet) {
	inside := false
	for f := range o.Kind.In(set) {
		key, value, deeper := f.Key, "", ""
		switch v := o.Get(f).(type) {
		default:
			value = fmt.Sprint(v)
		case string:
			if name := w.names[v]; f.Name != "" && f.checkReference(name).Message == "" {
				key, v = f.keysOf()[1], name
			}
			if value = scalar(v); f == o.Kind.Contact {
				value = quoted(yamldoc.Escape(v))
			}
		}
		if f.Inside {
			deeper = "  "
			if !inside {
				w.line(indent, o.Kind.Group, ":")
			}
		}
		inside = f.Inside
		w.line(indent, deeper, key, ": ", value)
	}
}

// comment writes lines that stay comments, whatever they hold.
func (w *encoder) comment(indent string, lines ...string) {
	for _, line := range lines {
		w.text = append(append(w.text, indent...), '#')
		if line != "" {
			w.text = append(w.text, ' ')
		}
		for _, r := range line {
			if unicode.IsPrint(r) && r != utf8.RuneError && (r != '#' || w.text[len(w.text)-1] != '#') {
				w.text = utf8.AppendRune(w.text, r)
			} else {
				w.text = append(w.text, yamldoc.EscapeRune(r)...)
			}
		}
		w.text = append(w.text, '\n')
	}
}

// scalar writes a text such that Load reads it back: plain where it is
// unambiguous, otherwise in double quotes.
func scalar(s string) string {
	if s = yamldoc.Escape(s); isSafePlain(s) {
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
	return !slices.Contains([]string{"", "null", "true", "false", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s))
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
			b = append(b, yamldoc.EscapeRune(r)...)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return string(append(b, '"'))
}
