package schema

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"flexsync/internal/yamldoc"
)

// path is the key path of a value in its document, made into text only for a
// problem. Its numbers count from 1; 0 is none.
type path struct {
	root  string // "flows", "defaults", or "" at the top
	entry int    // in the list of resources
	group string // "integration", for what is below it
	key   string
	item  int // in the key's list
}

func (p path) at(key string) path { p.key = key; return p }
func (p path) nth(item int) path  { p.item = item; return p }

func (p path) String() string {
	var parts []string
	if p.root != "" {
		part := p.root
		if p.entry > 0 {
			part = fmt.Sprintf("%s[%d]", part, p.entry-1)
		}
		parts = append(parts, part)
	}
	if p.group != "" {
		parts = append(parts, p.group)
	}
	if p.key != "" {
		parts = append(parts, yamldoc.QuoteKey(p.key))
	}
	s := strings.Join(parts, ".")
	if p.item > 0 {
		s = fmt.Sprintf("%s[%d]", s, p.item-1)
	}
	return s
}

// The readers of values. Each takes a node that is neither an alias nor null,
// reports what is wrong with it, and returns false when there is no value to go
// on with. That is also so, without a problem, for a value that holds a variable
// that may stay unset.

// text reads a string that outputs show.
func (d *decoder) text(n *yamldoc.Node, at path) (string, bool) {
	x, ok := d.hideable(n, at)
	return x.Text, ok && d.open(x, n, at)
}

// open refuses a secret where outputs show the value.
func (d *decoder) open(x yamldoc.Expanded, n *yamldoc.Node, at path) bool {
	if x.Template == "" {
		return true
	}
	d.problem(n, at, complaint{"a secret variable cannot be used here, because the value is shown",
		"use an ordinary variable; secrets are for values such as the URL of a webhook"})
	return false
}

// hideable reads a string that may hold a secret.
func (d *decoder) hideable(n *yamldoc.Node, at path) (x yamldoc.Expanded, ok bool) {
	if !yamldoc.IsScalar(n) {
		d.problem(n, at, complaint{fmt.Sprintf("expected a string, found %s", yamldoc.TypeOf(n)), ""})
		return x, false
	}
	if yamldoc.HasTag(n) && n.Tag != yamldoc.TagStr {
		d.tagged(n, at)
		return x, false
	}
	switch n.Tag { // those of these tags are made of letters, digits and + - . _
	case yamldoc.TagBool, yamldoc.TagInt, yamldoc.TagFloat, yamldoc.TagNull:
		d.problem(n, at, complaint{fmt.Sprintf("%s is %s, not a string: quote it", clip(n.Value), yamldoc.TypeOf(n)), fmt.Sprintf("write %q", n.Value)})
		return x, false
	}
	return d.expand(n, at)
}

// expand replaces the variables in a scalar.
func (d *decoder) expand(n *yamldoc.Node, at path) (x yamldoc.Expanded, ok bool) {
	if !strings.Contains(n.Value, "${") {
		return yamldoc.Expanded{Text: n.Value}, true
	}
	x, ok = d.vars.Expand(d.src, n, func(pos yamldoc.Pos, c yamldoc.Complaint) { d.report(pos, at, complaint(c)) })
	for name, value := range x.Secrets {
		d.out.secrets[name] = true
		d.out.mask.Add(value)
	}
	if x.Template != "" {
		d.out.mask.Add(x.Text)
	}
	return x, ok
}

// literal reads the text of a value that is not a string: a plain scalar, or one
// variable and nothing else, quoted or not.
func (d *decoder) literal(n *yamldoc.Node, at path, expected string) (s string, ok bool) {
	switch {
	case !yamldoc.IsScalar(n):
		d.problem(n, at, complaint{fmt.Sprintf("expected %s, found %s", expected, yamldoc.TypeOf(n)), ""})
		return "", false
	case yamldoc.HasTag(n):
		d.tagged(n, at)
		return "", false
	}
	x, ok := d.expand(n, at)
	if !ok || !d.open(x, n, at) {
		return "", false
	}
	if !x.Whole && !yamldoc.IsPlain(n) {
		d.problem(n, at, complaint{fmt.Sprintf("%q is a string: write %s without quotes", clip(x.Text), expected), ""})
		return "", false
	}
	return x.Text, true
}

// boolean reads a bool.
func (d *decoder) boolean(n *yamldoc.Node, at path) (value, ok bool) {
	s, ok := d.literal(n, at, "true or false")
	if !ok {
		return false, false
	}
	switch s {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	c := complaint{"expected true or false, found " + yamldoc.Quote(s), ""}
	switch strings.ToLower(s) {
	case "yes", "on", "y", "1":
		c.Hint = "write true"
	case "no", "off", "n", "0":
		c.Hint = "write false"
	}
	d.problem(n, at, c)
	return false, false
}

var decimalRE = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

// integer reads a whole number. YAML's other notations (0x10, 0o7, 1_000) are
// refused: its readers do not agree on them.
func (d *decoder) integer(n *yamldoc.Node, at path) (int64, bool) {
	s, ok := d.literal(n, at, "a whole number")
	if !ok {
		return 0, false
	}
	if !decimalRE.MatchString(s) {
		c := complaint{"expected a whole number, found " + yamldoc.Quote(s), "write decimal digits, as in 3"}
		if x, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64); err == nil && x == float64(int64(x)) && x >= 0 && x < 1e15 && !leadingZero(s) {
			c.Hint = "write " + strconv.FormatInt(int64(x), 10)
		}
		d.problem(n, at, c)
		return 0, false
	}
	value, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		d.problem(n, at, complaint{fmt.Sprintf("%s is too large", yamldoc.Quote(s)), ""})
		return 0, false
	}
	return value, true
}

// leadingZero reports whether a number may be octal, so that its value is
// ambiguous.
func leadingZero(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9'
}

// texts visits the strings of a list.
func (d *decoder) texts(n *yamldoc.Node, at path, visit func(s string, n *yamldoc.Node, at path)) {
	if !yamldoc.IsSequence(n) {
		c := complaint{fmt.Sprintf("expected a list, found %s", yamldoc.TypeOf(n)), "begin each entry with -"}
		if yamldoc.IsScalar(n) && len(n.Value) <= 60 {
			c.Hint = fmt.Sprintf("write [%q]", n.Value)
		}
		d.problem(n, at, c)
		return
	}
	if yamldoc.HasTag(n) && n.Tag != "!!seq" {
		d.tagged(n, at)
		return
	}
	for i, item := range n.Content {
		item = yamldoc.Resolved(item)
		at := at.nth(i + 1)
		if yamldoc.IsNull(item) {
			d.problem(item, at, complaint{"the entry is empty", "write a string, or remove the entry"})
			continue
		}
		if s, ok := d.text(item, at); ok {
			visit(s, item, at)
		}
	}
}

// words reads a list of words. With one that is not known, there is no value.
func (d *decoder) words(f *Field, n *yamldoc.Node, at path) (words []string, ok bool) {
	before := len(d.out.problems)
	d.texts(n, at, func(s string, n *yamldoc.Node, at path) {
		if c := f.checkWords([]string{s}); c.Message != "" {
			d.problem(n, at, c)
		}
		words = append(words, s)
	})
	return words, len(words) == len(n.Content) && len(d.out.problems) == before
}

func (d *decoder) tagged(n *yamldoc.Node, at path) {
	d.problem(n, at, complaint(yamldoc.Tagged(n)))
}

// clip cuts a text for a message that quotes it itself.
func clip(s string) string {
	const limit = 60
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}
