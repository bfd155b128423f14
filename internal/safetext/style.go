package safetext

// Style says whether text is coloured. The zero value is plain.
type Style struct{ Color bool }

// Paint is what a colour means. A meaning never stands in colour alone: there
// is a word or a symbol beside it.
type Paint string

// The meanings.
const (
	Good  Paint = "32"
	Mind  Paint = "33"
	Harm  Paint = "31"
	Alarm Paint = "1;31"
	Faint Paint = "2"
)

// Paint returns text in the colour of a meaning.
func (s Style) Paint(p Paint, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + string(p) + "m" + text + "\x1b[0m"
}
