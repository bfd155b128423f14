// Package glob matches patterns against whole names. It knows no paths: a slash is
// a character like any other.
package glob

import (
	"fmt"
	"regexp"
	"strings"
)

// Glob is a case-sensitive pattern for a whole name: `*` matches any text (slashes
// and line breaks included), `?` one character, `[a-z]` and `[!a-z]` one of a class,
// and `\` makes the next character literal. A pattern that is a SID also matches
// that SID.
type Glob struct {
	pattern string
	prefix  string         // what every match begins with
	re      *regexp.Regexp // nil when the prefix is all of the pattern
}

// Compile parses a pattern. The error quotes it and says what is wrong.
func Compile(pattern string) (Glob, error) {
	if pattern == "" {
		return Glob{}, fmt.Errorf("an empty pattern matches nothing")
	}
	g := Glob{pattern: pattern, prefix: pattern}
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
				return Glob{}, fmt.Errorf(`pattern %q ends with a single \`, pattern)
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
				return Glob{}, fmt.Errorf(`pattern %q has an unclosed [; write \[ for a literal [`, pattern)
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
		return Glob{}, fmt.Errorf("pattern %q has an invalid [class]", pattern)
	}
	return g, nil
}

// CompileAll parses several patterns and stops at the first invalid one.
func CompileAll(patterns []string) ([]Glob, error) {
	globs := make([]Glob, 0, len(patterns))
	for _, p := range patterns {
		g, err := Compile(p)
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

// MatchSID reports whether the pattern is this SID. The hex digits are compared
// regardless of case.
func (g Glob) MatchSID(sid string) bool {
	const prefix = 2 // letters, which are case-sensitive
	return len(sid) == len(g.pattern) && len(sid) > prefix && g.pattern[:prefix] == sid[:prefix] && strings.EqualFold(g.pattern, sid)
}

// Quote returns a pattern that matches this name and no other.
func Quote(name string) string {
	return quoter.Replace(name)
}

var quoter = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
