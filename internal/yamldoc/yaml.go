package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Only this file knows the YAML parser. Files are read into nodes and no further:
// the parser's own decoding loses columns and accepts wrong types (1.5 for an
// integer, yes for a bool, +1555 without its +).

// Node is a node of a document.
type Node = yaml.Node

// The tags of scalars, written out or resolved by the parser.
const (
	TagNull  = "!!null"
	TagBool  = "!!bool"
	TagInt   = "!!int"
	TagFloat = "!!float"
	TagStr   = "!!str"
	tagMerge = "!!merge"
)

// IsScalar reports whether a node is a string, number, bool or null.
func IsScalar(n *Node) bool { return n.Kind == yaml.ScalarNode }

// IsMapping reports whether a node is a mapping.
func IsMapping(n *Node) bool { return n.Kind == yaml.MappingNode }

// IsSequence reports whether a node is a list.
func IsSequence(n *Node) bool { return n.Kind == yaml.SequenceNode }

// IsNull reports whether a value is null, which is the same as omitting its key.
func IsNull(n *Node) bool { return IsScalar(n) && n.Tag == TagNull && !HasTag(n) }

// IsPlain reports whether a scalar is neither quoted nor a block of text.
func IsPlain(n *Node) bool { return n.Style&^(yaml.TaggedStyle|yaml.FlowStyle) == 0 }

func isQuoted(n *Node) bool {
	return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0
}

// HasTag reports whether a tag is written out.
func HasTag(n *Node) bool { return n.Style&yaml.TaggedStyle != 0 }

// IsMerge reports whether a key is <<, and not the string "<<".
func IsMerge(n *Node) bool { return IsScalar(n) && n.Tag == tagMerge && !HasTag(n) }

const (
	styleFlow    = yaml.FlowStyle
	styleDouble  = yaml.DoubleQuotedStyle
	styleLiteral = yaml.LiteralStyle
	styleFolded  = yaml.FoldedStyle
	styleTagged  = yaml.TaggedStyle
)

// IsAlias reports whether a node stands for another, see [Resolved].
func IsAlias(n *Node) bool { return n.Kind == yaml.AliasNode }

// NewScalar returns a scalar of one of the tags above. Encode quotes a string that
// would be something else without quotes.
func NewScalar(tag, value string) *Node {
	return &Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

// NewMapping returns an empty mapping.
func NewMapping() *Node { return &Node{Kind: yaml.MappingNode, Tag: "!!map"} }

// NewList returns a list, written on one line if it is inline.
func NewList(inline bool, items ...*Node) *Node {
	n := &Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items}
	if inline {
		n.Style = styleFlow
	}
	return n
}

// Resolved returns the node that an alias stands for, and any other node as it is.
func Resolved(n *Node) *Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// TypeOf names the type of a node for messages: "a mapping", "a list", "a string",
// "a number", "a bool" or "null".
func TypeOf(n *Node) string {
	switch {
	case IsMapping(n):
		return "a mapping"
	case IsSequence(n):
		return "a list"
	case !IsPlain(n):
		return "a string"
	}
	switch n.Tag {
	case TagNull:
		return "null"
	case TagBool:
		return "a bool"
	case TagInt, TagFloat:
		return "a number"
	}
	return "a string"
}

// Documents calls visit with the root of each document in the file that is not
// empty, up to the first syntax error, which it returns. A document whose aliases
// cannot be followed safely is a problem and is not visited; the others are.
//
// A file is parsed once: visit must not change the nodes.
func (src *Source) Documents(visit func(root *Node)) Problems {
	src.parsing.Do(func() { src.docs, src.problems = src.parse() })
	for _, doc := range src.docs {
		visit(doc.Content[0])
	}
	problems := slices.Clone(src.problems)
	for i := range problems {
		problems[i].File = src.name
	}
	return problems
}

// parse returns the nodes above the roots.
func (src *Source) parse() (docs []*Node, problems Problems) {
	r := bytes.NewReader(src.data)
	dec := yaml.NewDecoder(r)
	for {
		doc, err := nextDocument(dec)
		if errors.Is(err, io.EOF) {
			return docs, problems
		}
		if err != nil {
			return docs, append(problems, src.syntaxProblem(err, len(src.data)-r.Len()))
		}
		if p := src.checkAliases(doc.Content[0]); p != nil {
			problems = append(problems, *p)
			continue
		}
		docs = append(docs, doc)
	}
}

func nextDocument(dec *yaml.Decoder) (doc *Node, err error) {
	defer func() {
		// The parser panics on some malformed input, and says itself that
		// this is a bug of its own.
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	doc = new(Node)
	if err := dec.Decode(doc); err != nil {
		return nil, err
	}
	return doc, nil
}

// encode writes one document as it is.
func encode(doc *Node) (text []byte, err error) {
	defer func() {
		if r := recover(); r != nil { // as nextDocument does
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// The alias budget: how many nodes a document may have with each alias counted
// as a copy. Merging one anchored mapping of every key into each of 100,000
// flows stays below it.
const (
	aliasBudgetBase   = 1_000_000
	aliasBudgetFactor = 20 // times the nodes that are written out
)

// checkAliases refuses a document with an alias inside the value it stands for,
// and one that grows beyond the budget. It visits each written node once.
func (src *Source) checkAliases(root *Node) *Problem {
	if !hasAnchor(root) {
		return nil
	}
	var problem *Problem
	budget := aliasBudgetBase + aliasBudgetFactor*countNodes(root)
	sizes := map[*Node]int{} // of the anchored nodes, once they are complete
	var size func(n *Node) int
	size = func(n *Node) int {
		if n.Kind == yaml.AliasNode {
			total, complete := sizes[n.Alias]
			if !complete && problem == nil {
				problem = &Problem{Pos: src.Pos(n), Message: fmt.Sprintf("alias *%s is inside the value that it refers to", n.Value),
					Hint: fmt.Sprintf("write out the value in place of *%s", n.Value)}
			}
			return total
		}
		total := 1
		for _, child := range n.Content {
			if total += size(child); total > budget && problem == nil {
				problem = &Problem{Pos: src.Pos(child), Message: fmt.Sprintf("aliases expand this document to more than %d values", budget),
					Hint: "use fewer aliases of aliases"}
			}
			if problem != nil {
				break
			}
		}
		if n.Anchor != "" {
			sizes[n] = total
		}
		return total
	}
	size(root)
	return problem
}

// hasAnchor reports whether any node has one: without it there are no aliases.
func hasAnchor(n *Node) bool {
	return n.Anchor != "" || slices.ContainsFunc(n.Content, hasAnchor)
}

func countNodes(n *Node) int {
	total := 1
	for _, child := range n.Content {
		total += countNodes(child)
	}
	return total
}

var (
	parserErrorRE   = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)
	unknownAnchorRE = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

var tabWords = Complaint{"a tab cannot indent", "indent with spaces"}

// syntaxWords replaces the parser's messages by ones that say what to write.
var syntaxWords = map[string]Complaint{
	"mapping values are not allowed in this context": {
		"a second `: ` on this line, or a line that is indented too far", `quote a value that holds ": ", and indent keys of one mapping alike`},
	"did not find expected key": {
		"this line does not fit the mapping around it", "indent keys of one mapping alike, and put nothing after a quoted value"},
	"did not find expected '-' indicator": {
		"this line does not fit the list around it", "begin each entry of a list with - at the same column"},
	"did not find expected ',' or ']'": {
		"a [ is not closed, or a comma is missing", `close it with ], and quote values in it that hold any of , [ ] { }, ${name} too`},
	"did not find expected ',' or '}'": {
		"a { is not closed, or a comma is missing", `close it with }, and quote values in it that hold any of , [ ] { }, ${name} too`},
	"did not find expected node content": {
		"a value is missing here", `write the value, in quotes if it begins with any of , ] } % @`},
	"did not find expected <document start>": {
		"this does not belong to the document before it", "begin another document with ---"},
	"found character that cannot start any token": {
		"a value or key cannot begin with this character", "quote it"},
	"found a tab character that violates indentation":              tabWords,
	"found a tab character where an indentation space is expected": tabWords,
	"found unexpected end of stream": {
		"a quoted value is not closed", "close it with the quote that it begins with"},
	"found unexpected document indicator": {
		"a quoted value is not closed before the document ends", "close it with the quote that it begins with"},
	"could not find expected ':'": {
		"this key has no colon", "write key: value"},
	"found unknown escape character": {
		"unknown escape sequence", `write \\ for a backslash, or use single quotes`},
	"found incompatible YAML document": {
		"this version of YAML is not supported", "remove the %YAML line"},
	"block sequence entries are not allowed in this context": {
		"a list entry cannot stand here", "put the list on lines of its own, each entry with -"},
}

// For these messages of its second stage the parser counts lines from 0. With
// the first four it tells where the mapping or list around the mistake began,
// which may be the top of the file.
var (
	misplaced = []string{
		"did not find expected key",
		"did not find expected '-' indicator",
		"did not find expected node content",
		"did not find expected <document start>",
	}
	countedFromZero = append(slices.Clone(misplaced),
		"did not find expected ',' or ']'",
		"did not find expected ',' or '}'",
		"found undefined tag handle",
		"found duplicate %YAML directive",
		"found duplicate %TAG directive",
		"found incompatible YAML document",
	)
)

// syntaxProblem turns a syntax error into a message and a position: for many
// errors the parser's own line is missing or off by some lines. The parser had read
// the first `read` bytes of the file.
func (src *Source) syntaxProblem(err error, read int) Problem {
	found := parserErrorRE.FindStringSubmatch(err.Error())
	if found == nil {
		return Problem{Pos: Pos{File: src.name, Line: 1, Column: 1}, Message: "not valid YAML: " + err.Error()}
	}
	message := found[2]
	if m := unknownAnchorRE.FindStringSubmatch(message); m != nil {
		return Problem{Pos: src.findAlias(m[1]), Message: fmt.Sprintf("alias *%s has no anchor before it", m[1]),
			Hint: fmt.Sprintf("put &%s on the value that it stands for, or quote the text if the * is literal", m[1])}
	}
	line, atLine := 1, found[1] != ""
	if atLine {
		line, _ = strconv.Atoi(found[1])
	}
	if atLine && slices.Contains(countedFromZero, message) {
		line++
	}
	if slices.Contains(misplaced, message) {
		line = src.bisect(message, line, read)
	}
	line = min(max(line, 1), len(src.index()))
	if strings.HasPrefix(message, "found unexpected") && !bytes.ContainsAny(src.line(line), `'"`) {
		line = 1 // a start on the first line counts as none, and this is the end
	}
	words, ok := syntaxWords[message]
	if !ok {
		words.Message = message
	}
	if strings.Contains(words.Message, "tab") || message == "found character that cannot start any token" {
		// It began before, or is the character.
		for l := line; l <= min(line+20, len(src.index())); l++ {
			if bytes.IndexByte(src.indent(l), '\t') >= 0 {
				line, words = l, tabWords
				break
			}
		}
	}
	column := 1 + len(src.indent(line))
	if tab := bytes.IndexByte(src.indent(line), '\t'); tab >= 0 {
		column = 1 + tab
	}
	return Problem{Pos: Pos{File: src.name, Line: line, Column: column}, Message: "not valid YAML: " + words.Message, Hint: words.Hint}
}

// indent is the blanks that a line begins with.
func (src *Source) indent(line int) []byte {
	text := src.line(line)
	return text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
}

// bisectLimit is the largest file that is parsed again to find a mistake.
const bisectLimit = 4 << 20

// bisect finds the first line such that the file up to it fails with the same
// message. The parser reads ahead by a few KB, so the line is among the last
// of those that it had read.
func (src *Source) bisect(message string, line, read int) int {
	lines := src.index()
	if read > bisectLimit {
		return line
	}
	last := sort.SearchInts(lines, read)
	line = max(line, sort.SearchInts(lines, read-4096))
	fails := func(end int) bool {
		head := src.data
		if end < len(lines) {
			head = head[:lines[end]]
		}
		dec := yaml.NewDecoder(bytes.NewReader(head))
		for {
			if _, err := nextDocument(dec); err != nil {
				return !errors.Is(err, io.EOF) && strings.HasSuffix(err.Error(), message)
			}
		}
	}
	n := sort.Search(max(last-line, 0), func(i int) bool { return fails(line + i) })
	return line + n
}

// findAlias finds the first text that can be the alias.
func (src *Source) findAlias(name string) Pos {
	re, err := regexp.Compile(`(?:^|[\s,\[{:-])(\*` + regexp.QuoteMeta(name) + `)(?:$|[\s,\]}:])`)
	if err == nil {
		if at := re.FindSubmatchIndex(src.data); at != nil {
			return src.posAt(at[2])
		}
	}
	return Pos{File: src.name, Line: 1, Column: 1}
}
