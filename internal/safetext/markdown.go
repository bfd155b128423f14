package safetext

import (
	"strconv"
	"strings"
)

// Code returns s as a Markdown code span. Whatever s holds, nothing of it is
// read as Markdown, HTML, a mention or a link.
func Code(s string) string {
	s = Line(s)
	if s == "" {
		return "` `"
	}
	if longestRun(s, '`') > maxTicks {
		s = strings.ReplaceAll(s, "`", `\x60`)
	}
	ticks := strings.Repeat("`", longestRun(s, '`')+1)
	if s[0] == '`' || s[len(s)-1] == '`' {
		s = " " + s + " "
	}
	return ticks + s + ticks
}

// Prose returns a sentence as Markdown: words and numbers as they are, and what
// could be read as anything else, such as names, SIDs and what is in double quotes,
// as code spans.
func Prose(s string) string {
	var b strings.Builder
	for rest := Line(s); rest != ""; {
		if rest[0] == ' ' || rest[0] == '(' {
			b.WriteByte(rest[0])
			rest = rest[1:]
			continue
		}
		word, core := rest, ""
		if quoted, err := strconv.QuotedPrefix(rest); err == nil && rest[0] == '"' {
			word, core = quoted, quoted
		} else if code := codePrefix(rest); code != "" {
			b.WriteString(Code(code[1 : len(code)-1])) // it is meant as code
			rest = rest[len(code):]
			continue
		} else {
			word, _, _ = strings.Cut(rest, " ")
			core = strings.TrimRight(word, ".,:;?!)") // which is the sentence's
			if strings.Contains(core, "(") {
				core = word
			}
		}
		switch {
		case core == "":
		case isWord(core):
			b.WriteString(core)
		default:
			b.WriteString(Code(core))
		}
		b.WriteString(word[len(core):])
		rest = rest[len(word):]
	}
	return b.String()
}

// codePrefix returns what s begins with in backticks, "" without. A backtick within
// double quotes ends nothing.
func codePrefix(s string) string {
	if s[0] != '`' {
		return ""
	}
	for i := 1; i < len(s); i++ {
		if quoted, err := strconv.QuotedPrefix(s[i:]); err == nil && s[i] == '"' {
			i += len(quoted) - 1
		} else if s[i] == '`' && i > 1 {
			return s[:i+1]
		} else if s[i] == '`' {
			return ""
		}
	}
	return ""
}

// isWord reports whether s is a word or a number, which Markdown leaves alone.
func isWord(s string) bool {
	letters, digits := 0, 0
	for _, r := range strings.TrimSuffix(s, "%") {
		switch {
		case r|0x20 >= 'a' && r|0x20 <= 'z':
			letters++
		case r >= '0' && r <= '9':
			digits++
		case r != '\'' || letters == 0:
			return false
		}
	}
	return letters == 0 || digits == 0
}

// Cell returns Markdown for a cell of a table. What looks like the border of a
// cell is escaped, also in code.
func Cell(markdown string) string {
	if !strings.Contains(markdown, "|") {
		return markdown
	}
	// Renderers do not agree on what a backslash before the escape means.
	return strings.ReplaceAll(strings.ReplaceAll(markdown, `\|`, `\\x7c`), "|", `\|`)
}

// maxTicks is the longest run of backticks that is shown as it is. GitHub's renderer
// knows no code span with more than 80 (cmark-gfm, MAXBACKTICKS in inlines.c).
const maxTicks = 8

// Fence returns lines as a fenced code block of a language.
func Fence(language string, lines []string) string {
	run := 2
	for _, l := range lines {
		run = max(run, longestRun(l, '`'))
	}
	ticks := strings.Repeat("`", run+1)
	return ticks + language + "\n" + strings.Join(lines, "\n") + "\n" + ticks + "\n"
}

// Comment returns s for the inside of an HTML comment, which ends at "-->" and
// may have no "--" before that.
func Comment(s string) string {
	s = Line(strings.NewReplacer("<", "", ">", "").Replace(s)) // in this order: what is left may begin with ::
	for strings.Contains(s, "--") {
		s = strings.ReplaceAll(s, "--", "- -")
	}
	return s
}

func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := 0; i < len(s); i++ {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
