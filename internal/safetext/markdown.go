package safetext

import "strings"

// Code returns s as a Markdown code span. Whatever s holds, nothing of it is
// read as Markdown, HTML, a mention or a link.
func Code(s string) string {
	s = Line(s)
	if s == "" {
		return "` `"
	}
	ticks := strings.Repeat("`", longestRun(s, '`')+1)
	if s[0] == '`' || s[len(s)-1] == '`' {
		s = " " + s + " "
	}
	return ticks + s + ticks
}

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
