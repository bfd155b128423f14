package render

// Style says whether text is coloured. The zero value is plain.
type Style struct{ Color bool }

// Meaning is what a colour means. Colour is never the only sign: there is a word or
// a symbol with it. The value is the SGR parameter of ECMA-48.
type Meaning string

// The meanings.
const (
	Success     Meaning = "32"
	Warning     Meaning = "33"
	Destructive Meaning = "31"
	Error       Meaning = "1;31"
	Faint       Meaning = "2"
)

// Paint returns text in the colour of a meaning.
func (s Style) Paint(m Meaning, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + string(m) + "m" + text + "\x1b[0m"
}
