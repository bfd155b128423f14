package render

// Style says how text is written. The zero value is plain and breaks no lines.
type Style struct {
	Color bool
	Width int // of the terminal, in cells; 0: none, as for a pipe
}

// Meaning is what a colour means. Colour is never the only sign: there is a word or
// a symbol with it. The value is the SGR parameter of ECMA-48.
type Meaning string

// The meanings.
const (
	Success     Meaning = "32"
	Warning     Meaning = "33"
	Destructive Meaning = "31"
	Error       Meaning = "1;31"
	Name        Meaning = "1" // what a person looks for: bold
	Faint       Meaning = "2"
)

// Paint returns text in the colour of a meaning.
func (s Style) Paint(m Meaning, text string) string {
	if !s.Color || m == "" || text == "" {
		return text
	}
	return "\x1b[" + string(m) + "m" + text + "\x1b[0m"
}
