package yamldoc

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// blankMark is a comment that stands for an empty line. No source has it: NUL is
// not allowed in YAML.
const blankMark = "#\x00"

// SetBlankAbove makes Encode write an empty line above a node and its comment.
func SetBlankAbove(n *Node) {
	n.HeadComment = strings.TrimSuffix(blankMark+"\n"+n.HeadComment, "\n")
}

// SetBlock makes Encode write a mapping or list with one entry a line.
func SetBlock(n *Node) { n.Style &^= styleFlow }

// Trees calls visit with each document of a valid file: the node above its root,
// which has the comments around the document. Comments without a document come with
// a null as the root.
func (src *Source) Trees(visit func(doc *Node)) Problems {
	var problems Problems
	start := 0
	for number, line := range append(slices.Collect(bytes.Lines(src.data)), []byte("---")) {
		if !isSeparator(line) || number == 0 {
			continue
		}
		problems = append(problems, src.part(start, number).trees(start, visit)...)
		start = number
	}
	return problems
}

// isSeparator reports whether a line begins a document. No scalar can have such a
// line.
func isSeparator(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	return ok && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\r\n"))
}

// part is some lines of the source, counted from 0, without the separator. The parser
// takes comments behind a separator for those of the document before it.
func (src *Source) part(start, end int) *Source {
	var data []byte
	for number := start; number < end; number++ {
		data = append(data, src.line(number+1)...)
	}
	if isSeparator(data) {
		copy(data, "   ")
	}
	return &Source{src.name, &text{data: data}}
}

// trees is Trees of a source whose lines begin behind some others.
func (src *Source) trees(above int, visit func(doc *Node)) Problems {
	docs, problems := src.parse()
	for _, doc := range docs {
		moveDown(doc, above)
		visit(doc)
	}
	if len(docs) > 0 {
		return problems
	}
	var lines []string
	for line := range bytes.Lines(src.data) {
		if text := strings.TrimSpace(string(line)); strings.HasPrefix(text, "#") {
			lines = append(lines, text)
		}
	}
	visit(&Node{Content: []*Node{NewScalar(TagNull, "")}, HeadComment: strings.Join(lines, "\n")})
	return problems
}

func moveDown(n *Node, lines int) {
	n.Line += lines
	for _, child := range n.Content {
		moveDown(child, lines)
	}
}

// Encode writes documents of [Source.Trees], whose nodes may have been moved,
// removed and added; it changes them. Comments and quotes stay as they are. An alias
// whose anchor is gone, or comes later, becomes the value that it stands for.
//
// The text is safe to print: what does not print is escaped, and no line begins
// with text of a value, which a job runner could take for a command to it.
func Encode(docs []*Node) ([]byte, error) {
	var text strings.Builder
	for i, doc := range docs {
		w := writer{anchors: map[string]*Node{}, origins: map[*Node]*Node{}}
		w.node(doc)
		part, err := encode(doc)
		if err != nil {
			return nil, err
		}
		// The parser's writer loses some comments, such as one behind a bracket.
		if lost := missing(w.comments, part); len(lost) > 0 {
			doc.HeadComment = strings.TrimPrefix(doc.HeadComment+"\n"+strings.Join(lost, "\n"), "\n")
			if part, err = encode(doc); err != nil {
				return nil, err
			}
		}
		if i > 0 {
			text.WriteString("---\n")
		}
		for line := range bytes.Lines(part) {
			if bytes.Equal(bytes.TrimSpace(line), []byte(blankMark)) {
				line = []byte("\n")
			}
			text.Write(line)
		}
	}
	var safe strings.Builder
	for _, r := range runnerCommandRE.ReplaceAllString(text.String(), `#\x23$1`) {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			safe.WriteRune(r)
		} else {
			safe.WriteString(EscapeRune(r))
		}
	}
	return []byte(safe.String()), nil
}

// missing returns the comments that a text does not have. It looks for each behind
// the one before it first: most are in order.
func missing(comments []string, text []byte) (lost []string) {
	at := 0
	for _, c := range comments {
		if i := bytes.Index(text[at:], []byte(c)); i >= 0 {
			at += i
		} else if i := bytes.Index(text, []byte(c)); i >= 0 {
			at = i
		} else {
			lost = append(lost, c)
		}
	}
	return lost
}

// EscapeRune returns a character as double quotes write it.
func EscapeRune(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// writer makes a document fit to be written.
type writer struct {
	anchors map[string]*Node // what each anchor stands for, up to here
	origins map[*Node]*Node  // of the nodes that are copies

	comments []string // all lines of comments, trimmed
}

// node prepares a node and what is below it, and reports whether any of it has a
// comment.
func (w *writer) node(n *Node) (commented bool) {
	if IsAlias(n) && w.anchors[n.Value] != n.Alias {
		value := w.copy(n.Alias)
		value.Anchor, value.HeadComment, value.LineComment, value.FootComment = n.Value, n.HeadComment, n.LineComment, n.FootComment
		w.origins[n] = n.Alias
		*n = *value
	}
	if n.Anchor != "" {
		origin := n
		if o := w.origins[n]; o != nil {
			origin = o
		}
		w.anchors[n.Anchor] = origin
	}
	inside := false
	for i, child := range n.Content {
		if IsMapping(n) && i%2 == 0 && IsMerge(child) {
			child.Tag = "" // written out otherwise
		}
		if IsSequence(n) && IsMapping(child) && len(child.Content) > 0 {
			// Otherwise it would stand behind the dash.
			first := child.Content[0]
			child.HeadComment, first.HeadComment = strings.Trim(child.HeadComment+"\n"+first.HeadComment, "\n"), ""
		}
		inside = w.node(child) || inside
	}
	for i := 0; IsMapping(n) && i+1 < len(n.Content); i += 2 {
		// Behind a key there is room for a comment only if nothing else follows.
		key, value := n.Content[i], n.Content[i+1]
		if key.LineComment != "" && (len(value.Content) == 0 || value.Style&styleFlow != 0) {
			key.HeadComment, key.LineComment = strings.Trim(key.HeadComment+"\n"+key.LineComment, "\n"), ""
		}
	}
	if inside {
		SetBlock(n) // the parser's writer misplaces comments in braces
	}
	if IsScalar(n) && !isSafe(n) {
		n.Style = n.Style&styleTagged | styleDouble
	}
	for _, comment := range []string{n.HeadComment, n.LineComment, n.FootComment} {
		for line := range strings.Lines(comment) {
			w.comments = append(w.comments, strings.TrimSpace(line))
		}
		inside = inside || comment != ""
	}
	return inside
}

// copy copies a node without its comments: those are where it is taken from.
func (w *writer) copy(n *Node) *Node {
	c := *n
	c.HeadComment, c.LineComment, c.FootComment = "", "", ""
	c.Content = make([]*Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = w.copy(child)
	}
	w.origins[&c] = n
	return &c
}

// isSafe reports whether a scalar may be written in its own style: on one line, and
// with nothing to escape.
func isSafe(n *Node) bool {
	return n.Style&(styleLiteral|styleFolded) == 0 && !runnerCommandRE.MatchString(n.Value) &&
		!strings.ContainsFunc(n.Value, func(r rune) bool { return !unicode.IsPrint(r) })
}

// runnerCommandRE finds `##[name]` and `##vso[name]`, which job runners recognise
// anywhere in a line.
var runnerCommandRE = regexp.MustCompile(`##(\w*\[)`)
