// Package glob matches patterns against whole names. It knows no files and no
// paths: a slash is a character like any other.
package glob

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
	prefix  string         // what every match begins with
	re      *regexp.Regexp // nil when the prefix is all of the pattern
}

// Compile reads a pattern. The error says what is wrong with it.
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

// CompileAll reads several patterns and stops at the first bad one.
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

// MatchSID reports whether the pattern is this SID. Hex digits of a SID are
// compared without regard to case.
func (g Glob) MatchSID(sid string) bool {
	const kind = 2 // letters, which count as they are
	return len(sid) == len(g.pattern) && len(sid) > kind && g.pattern[:kind] == sid[:kind] && strings.EqualFold(g.pattern, sid)
}

// Quote returns the pattern that matches this name and no other.
func Quote(name string) string {
	return quoter.Replace(name)
}

var quoter = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
