package schema

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// path is the key path of a value in its document, made into text only for a
// problem. Its numbers count from 1; 0 is none.
type path struct {
	root  string // "flows", "defaults", or "" at the top
	flow  int    // in flows
	inner bool   // below integration
	key   string
	item  int // in the key's list
}

func (p path) at(key string) path  { p.key = key; return p }
func (p path) entry(item int) path { p.item = item; return p }

var plainKeyRE = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func (p path) String() string {
	var parts []string
	if p.root != "" {
		part := p.root
		if p.flow > 0 {
			part = fmt.Sprintf("%s[%d]", part, p.flow-1)
		}
		parts = append(parts, part)
	}
	if p.inner {
		parts = append(parts, "integration")
	}
	if p.key != "" {
		key := p.key
		if !plainKeyRE.MatchString(key) {
			key = quote(key)
		}
		parts = append(parts, key)
	}
	s := strings.Join(parts, ".")
	if p.item > 0 {
		s = fmt.Sprintf("%s[%d]", s, p.item-1)
	}
	return s
}

// The readers of values. Each takes a node that is neither an alias nor null,
// reports what is wrong with it, and says whether there is a value to go on
// with. There is none, and no problem, for a value that holds a variable that
// may be left unset.

// text reads a string.
func (d *decoder) text(n *node, at path) (string, bool) {
	if !isScalar(n) {
		d.problem(n, at, complaint{fmt.Sprintf("this is %s, and a string is due", kindOf(n)), "write one text"})
		return "", false
	}
	if hasTag(n) && n.Tag != tagStr {
		d.tagged(n, at)
		return "", false
	}
	switch n.Tag { // those of these tags are made of letters, digits and + - . _
	case tagBool, tagInt, tagFloat, tagNull:
		d.problem(n, at, complaint{fmt.Sprintf("%s is %s, not a string: quote it", clip(n.Value), kindOf(n)), fmt.Sprintf("write %q", n.Value)})
		return "", false
	}
	s, _, ok := d.expand(n, at)
	return s, ok
}

// expand replaces the variables in a scalar. whole is true when the scalar was
// one reference and nothing else.
func (d *decoder) expand(n *node, at path) (s string, whole, ok bool) {
	if !strings.Contains(n.Value, "${") {
		return n.Value, false, true
	}
	refs := references(n.Value)
	const many = 100 // finding the column of each would take too long
	pos := func(i int) Pos {
		if i < many {
			return d.src.posIn(n, refs[i].offset, "${")
		}
		return d.src.pos(n)
	}
	var b strings.Builder
	last := 0
	ok = true
	for i, r := range refs {
		b.WriteString(n.Value[last:r.offset])
		last = r.end
		if r.problem.message != "" {
			ok = false
			d.report(pos(i), at, r.problem)
			continue
		}
		if r.name == "" {
			b.WriteString("${")
			continue
		}
		value, set := d.vars.lookup(r.name)
		if !set {
			ok = false
			if !d.vars.lenient {
				d.report(pos(i), at, d.vars.unset(r.name))
			}
			continue
		}
		b.WriteString(value)
	}
	b.WriteString(n.Value[last:])
	whole = len(refs) == 1 && refs[0].name != "" && refs[0].offset == 0 && refs[0].end == len(n.Value)
	return b.String(), whole, ok
}

// literal reads the text of a value that is no string: a plain scalar, or one
// variable and nothing else, quoted or not.
func (d *decoder) literal(n *node, at path, due complaint) (s string, ok bool) {
	switch {
	case !isScalar(n):
		d.problem(n, at, complaint{"this is " + kindOf(n) + ": " + due.message, due.hint})
		return "", false
	case hasTag(n):
		d.tagged(n, at)
		return "", false
	}
	s, whole, ok := d.expand(n, at)
	if ok && !whole && !isPlain(n) {
		d.problem(n, at, complaint{fmt.Sprintf("%q is a string: %s without quotes", clip(s), due.message), due.hint})
		return "", false
	}
	return s, ok
}

// boolean reads a bool.
func (d *decoder) boolean(n *node, at path) (value, ok bool) {
	due := complaint{"write true or false", ""}
	s, ok := d.literal(n, at, due)
	if !ok {
		return false, false
	}
	switch s {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	switch strings.ToLower(s) {
	case "yes", "on", "y", "1":
		due.hint = "write true"
	case "no", "off", "n", "0":
		due.hint = "write false"
	}
	d.problem(n, at, complaint{fmt.Sprintf("%s is not a bool: write true or false", quote(s)), due.hint})
	return false, false
}

var decimalRE = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

// integer reads a whole number. YAML's other notations (0x10, 0o7, 1_000) are
// refused: its readers do not agree on them.
func (d *decoder) integer(n *node, at path) (int64, bool) {
	due := complaint{"write a whole number", ""}
	s, ok := d.literal(n, at, due)
	if !ok {
		return 0, false
	}
	if !decimalRE.MatchString(s) {
		c := complaint{fmt.Sprintf("%s is not a whole number in decimal digits", quote(s)), "write it like 3"}
		if x, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64); err == nil && x == float64(int64(x)) && x >= 0 && x < 1e15 && !leadingZero(s) {
			c.hint = "write " + strconv.FormatInt(int64(x), 10)
		}
		d.problem(n, at, c)
		return 0, false
	}
	value, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		d.problem(n, at, complaint{fmt.Sprintf("%s is too large a number", quote(s)), ""})
		return 0, false
	}
	return value, true
}

// leadingZero reports whether a number may be octal, so that nobody can say
// what was meant.
func leadingZero(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9'
}

// texts visits the strings of a list.
func (d *decoder) texts(n *node, at path, visit func(s string, n *node, at path)) {
	if !isSequence(n) {
		c := complaint{fmt.Sprintf("this is %s, and a list is due", kindOf(n)), "write a list, each entry with -"}
		if isScalar(n) && len(n.Value) <= 60 {
			c.hint = fmt.Sprintf("write [%q]", n.Value)
		}
		d.problem(n, at, c)
		return
	}
	if hasTag(n) && n.Tag != "!!seq" {
		d.tagged(n, at)
		return
	}
	for i, item := range n.Content {
		item = resolved(item)
		at := at.entry(i + 1)
		if isNull(item) {
			d.problem(item, at, complaint{"the entry is empty", "write a text, or remove the entry"})
			continue
		}
		if s, ok := d.text(item, at); ok {
			visit(s, item, at)
		}
	}
}

func (d *decoder) tagged(n *node, at path) {
	d.problem(n, at, complaint{fmt.Sprintf("the tag %s is not supported", quote(n.Tag)), "write the value without a tag"})
}

// clip cuts a text for a message that quotes it itself.
func clip(s string) string {
	const limit = 60
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}
