package render

import "strings"

// span is a part of a line that has one meaning; "" is plain text.
type span struct {
	meaning Meaning
	text    string
}

// plain is a span without colour.
func plain(text string) span { return span{text: text} }

// gap separates the parts of a line.
var gap = plain("  ")

// fill returns a paragraph of spans as lines without the last line feed: the first
// begins after indent spaces, the others after hang. It breaks lines at spaces only,
// so a word wider than the terminal is left to the terminal. No line that follows
// another begins with `::`, which a job runner would obey.
func (s Style) fill(indent, hang int, spans ...span) string {
	text := joined(spans)
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", indent))
	from, to := 0, 0 // the line
	room := s.Width - indent
	for to < len(text) && s.Width > 0 {
		gap := len(text[to:]) - len(strings.TrimLeft(text[to:], " "))
		word := strings.IndexByte(text[to+gap:], ' ')
		end := len(text)
		if word >= 0 {
			end = to + gap + word
		}
		if from < to && Width(text[from:end]) > room && gap > 0 && to+gap < len(text) && !strings.HasPrefix(text[to+gap:], "::") {
			s.paintRange(&b, spans, from, to)
			b.WriteString("\n" + strings.Repeat(" ", hang))
			from, room = to+gap, s.Width-hang
		}
		to = end
	}
	s.paintRange(&b, spans, from, len(text))
	return b.String()
}

// cut returns spans as one line of at most the style's width.
func (s Style) cut(spans ...span) string {
	text := joined(spans)
	head := text
	if s.Width > 0 {
		head = Cut(text, s.Width)
	}
	var b strings.Builder
	if head == text {
		s.paintRange(&b, spans, 0, len(text))
	} else {
		s.paintRange(&b, spans, 0, len(head)-len(ellipsis))
		b.WriteString(ellipsis)
	}
	return b.String()
}

func joined(spans []span) string {
	var b strings.Builder
	for _, sp := range spans {
		b.WriteString(sp.text)
	}
	return b.String()
}

// paintRange writes the bytes from..to of the joined spans.
func (s Style) paintRange(b *strings.Builder, spans []span, from, to int) {
	at := 0
	for _, sp := range spans {
		i, j := max(from-at, 0), min(to-at, len(sp.text))
		if i < j {
			b.WriteString(s.Paint(sp.meaning, sp.text[i:j]))
		}
		at += len(sp.text)
	}
}
