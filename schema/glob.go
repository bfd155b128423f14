package schema

import (
	"fmt"
	"regexp"
	"strings"
)

// Glob is a pattern over a whole friendly name: `*` is any text (slashes and
// line breaks too), `?` one character, `[a-z]` and `[!a-z]` a class, `\` takes
// the next character as it is. It is case-sensitive. A pattern that is a
// flow's SID matches that SID.
type Glob struct {
	pattern string
	sid     bool
	prefix  string         // what every match begins with
	re      *regexp.Regexp // nil when the prefix is all of the pattern
}

// CompileGlob reads a pattern. The error says what is wrong with it.
func CompileGlob(pattern string) (Glob, error) {
	if pattern == "" {
		return Glob{}, fmt.Errorf("an empty pattern matches nothing")
	}
	g := Glob{pattern: pattern, sid: IsSID("FO", pattern), prefix: pattern}
	special := strings.IndexAny(pattern, `*?[\`)
	if special < 0 {
		return g, nil
	}
	g.prefix = pattern[:special]
	var re strings.Builder
	re.WriteString(`(?s)\A`)
	rs := []rune(pattern)
	for i := 0; i < len(rs); i++ {
		switch c := rs[i]; c {
		case '*':
			re.WriteString(`.*`)
		case '?':
			re.WriteString(`.`)
		case '\\':
			if i++; i == len(rs) {
				return Glob{}, fmt.Errorf(`pattern %q ends in a lone \`, pattern)
			}
			re.WriteString(regexp.QuoteMeta(string(rs[i])))
		case '[':
			end := i + 1
			if end < len(rs) && (rs[end] == '!' || rs[end] == '^') {
				end++
			}
			if end < len(rs) && rs[end] == ']' { // []a] holds a bracket
				end++
			}
			for end < len(rs) && rs[end] != ']' {
				end++
			}
			if end >= len(rs) {
				return Glob{}, fmt.Errorf(`pattern %q has a [ without its ]; write \[ for the character itself`, pattern)
			}
			class := rs[i+1 : end]
			re.WriteByte('[')
			if class[0] == '!' || class[0] == '^' {
				re.WriteByte('^')
				class = class[1:]
			}
			for j, r := range class {
				if r == '-' && j > 0 && j < len(class)-1 {
					re.WriteByte('-')
					continue
				}
				if strings.ContainsRune(`\[]^-&~`, r) {
					re.WriteByte('\\')
				}
				re.WriteRune(r)
			}
			re.WriteByte(']')
			i = end
		default:
			re.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	re.WriteString(`\z`)
	var err error
	if g.re, err = regexp.Compile(re.String()); err != nil {
		return Glob{}, fmt.Errorf("pattern %q is not a glob: its [class] is not valid", pattern)
	}
	return g, nil
}

// CompileGlobs reads several patterns and stops at the first bad one.
func CompileGlobs(patterns []string) ([]Glob, error) {
	globs := make([]Glob, 0, len(patterns))
	for _, p := range patterns {
		g, err := CompileGlob(p)
		if err != nil {
			return nil, err
		}
		globs = append(globs, g)
	}
	return globs, nil
}

// String returns the pattern as it was written.
func (g Glob) String() string { return g.pattern }

// MatchName reports whether the pattern matches the whole name.
func (g Glob) MatchName(name string) bool {
	if g.re == nil {
		return name == g.pattern
	}
	return strings.HasPrefix(name, g.prefix) && g.re.MatchString(name)
}

// MatchSID reports whether the pattern is this SID. Hex digits of a SID are
// compared without regard to case.
func (g Glob) MatchSID(sid string) bool { return g.sid && strings.EqualFold(g.pattern, sid) }

// IsSID reports whether s is prefix and 32 hex digits, which is the form of
// every Twilio SID (OpenAPI: "^FO[0-9a-fA-F]{32}$").
func IsSID(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) != 32 {
		return false
	}
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// QuoteGlob returns the pattern that matches this name and no other.
func QuoteGlob(name string) string {
	return globQuoter.Replace(name)
}

var globQuoter = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
