// Package migrate turns YAML that declares flows into YAML that declares the
// addresses which take their place. It works on what is written: variables stay
// ${name}, names stay names, comments stay comments.
//
// The YAML must be valid. Package migrate neither checks it nor knows an account or
// the value of a variable.
package migrate

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/glob"
	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
)

// Result is what became of the flows.
type Result struct {
	Text      []byte // a YAML document for each one of the sources
	Moved     int    // flows that are addresses now
	Dropped   int    // disabled flows whose identity another flow's address has
	Stayed    int    // flows that cannot move; without those that only leaves out
	Unmatched []glob.Glob
}

// Run writes the documents of the sources again, with addresses in place of the
// flows that can move. Only flows whose name, as it is written, matches one of only
// move; an empty only matches all. Unmatched has those of only that match no name.
func Run(sources []*yamldoc.Source, only []glob.Glob) (Result, error) {
	result, err := once(sources, only)
	// What a comment belongs to depends on its neighbours, and those may be new now.
	for range 4 {
		if err != nil {
			return Result{}, err
		}
		src, problem := yamldoc.NewSource("", result.Text)
		if problem != nil {
			return Result{}, yamldoc.Problems{*problem}
		}
		var again Result
		if again, err = once([]*yamldoc.Source{src}, only); bytes.Equal(again.Text, result.Text) {
			break
		}
		result.Text = again.Text
	}
	return result, err
}

// once is Run without the check that another run changes nothing.
func once(sources []*yamldoc.Source, only []glob.Glob) (Result, error) {
	var docs []*document
	var loose string // comments of documents that hold nothing else
	for _, src := range sources {
		problems := src.Trees(func(tree *yamldoc.Node) {
			root := tree.Content[0]
			if !yamldoc.IsMapping(root) {
				loose = join(loose, leftovers(nil, tree))
				return
			}
			tree.HeadComment, loose = join(loose, tree.HeadComment), ""
			docs = append(docs, newDocument(src, tree, root, only))
		})
		if len(problems) > 0 {
			return Result{}, problems
		}
	}
	if len(docs) > 0 {
		last := docs[len(docs)-1].tree
		last.FootComment = join(last.FootComment, loose)
	}

	decide(docs)
	result := Result{Unmatched: slices.Clone(only)}
	for _, doc := range docs {
		for _, f := range doc.flows {
			result.Unmatched = slices.DeleteFunc(result.Unmatched, func(g glob.Glob) bool { return g.MatchName(f.name) })
			switch {
			case f.fate == moves:
				result.Moved++
			case f.fate == dropped:
				result.Dropped++
			case f.selected:
				result.Stayed++
			}
		}
	}
	var trees []*yamldoc.Node
	for _, doc := range docs {
		doc.write()
		if result.Moved+result.Dropped > 0 {
			doc.sayWhatWasDone(len(sources) > 1)
		}
		trees = append(trees, doc.tree)
	}
	var err error
	result.Text, err = yamldoc.Encode(trees)
	return result, err
}

// document is one document of a source.
type document struct {
	src        *yamldoc.Source
	tree, root *yamldoc.Node
	top        entries
	flows      []*flow

	// What is written under defaults and address_defaults, and below them.
	base, integration         entries
	addressBase, autoCreation entries
}

func newDocument(src *yamldoc.Source, tree, root *yamldoc.Node, only []glob.Glob) *document {
	d := &document{src: src, tree: tree, root: root, top: entriesOf(root)}
	d.base = d.top.below("defaults")
	d.integration = d.base.below("integration")
	d.addressBase = d.top.below("address_defaults")
	d.autoCreation = d.addressBase.below("auto_creation")
	if list, ok := d.top.get("flows"); ok {
		for _, item := range list.value.Content {
			d.flows = append(d.flows, newFlow(d, item, only))
		}
	}
	return d
}

// decide finds the fate of each flow, which depends on the others of its identity.
func decide(docs []*document) {
	declared := map[string]answer{} // addresses of the YAML, and whether they are enabled
	var ignore []glob.Glob
	for _, d := range docs {
		if list, ok := d.top.get("addresses"); ok {
			for _, item := range list.value.Content {
				own := entriesOf(yamldoc.Resolved(item))
				if address, ok := own.get("address"); ok {
					enabled, given := own.below("auto_creation").get("enabled")
					if !given {
						enabled, given = d.autoCreation.get("enabled")
					}
					declared[address.value.Value] = answerOf(enabled, given, yes)
				}
			}
		}
		if list, ok := d.top.get("ignore"); ok {
			for _, item := range list.value.Content {
				if g, err := glob.Compile(yamldoc.Resolved(item).Value); err == nil {
					ignore = append(ignore, g)
				}
			}
		}
	}
	var order []claim
	groups := map[claim][]*flow{}
	for _, d := range docs {
		for _, f := range d.flows {
			f.classify()
			if f.claim == (claim{}) {
				continue
			}
			if f.reason == "" && slices.ContainsFunc(ignore, func(g glob.Glob) bool { return g.MatchName(f.address) }) {
				f.reason = "a pattern of ignore matches its address"
			}
			if groups[f.claim] == nil {
				order = append(order, f.claim)
			}
			groups[f.claim] = append(groups[f.claim], f)
		}
	}
	for _, c := range order {
		enabled, isDeclared := declared[c.address]
		if settle(groups[c], isDeclared, enabled) {
			declared[c.address] = no // for the flows of any other channel
		}
	}
}

// settle decides on the flows of one identity. At most one of them moves, and none if
// its address is declared already, which may be enabled. It reports whether one does.
func settle(flows []*flow, isDeclared bool, enabled answer) (moved bool) {
	var staying, moving, disabled []*flow
	for _, f := range flows {
		switch {
		case f.enabled == no:
			disabled = append(disabled, f)
		case f.selected && f.reason == "":
			moving = append(moving, f)
		default:
			staying = append(staying, f)
		}
	}
	const taken = "addresses has its address already; keep one of them"
	switch {
	case len(staying) > 0:
		for _, f := range moving {
			f.reason = fmt.Sprintf("the flow %s keeps its identity, and Twilio prefers flows to addresses", safetext.Quote(staying[0].name))
		}
	case len(moving) > 1:
		for i, f := range moving {
			f.reason = fmt.Sprintf("the flow %s has the same identity; disable one of them first", safetext.Quote(moving[(i+1)%len(moving)].name))
		}
	case len(moving) == 1 && isDeclared:
		moving[0].reason = taken
	case len(moving) == 1:
		moving[0].fate, moved, enabled = moves, true, moving[0].enabled
	}
	for _, f := range disabled {
		switch {
		case !f.selected:
		case (moved || isDeclared) && enabled == yes:
			f.fate = dropped
		case f.reason != "":
		case moved || isDeclared:
			f.reason = taken
		default:
			f.fate, moved, enabled = moves, true, no
		}
	}
	return moved
}

// claim is what one flow or address of an account holds alone. The zero claim is
// none.
type claim struct{ channel, address string }

// answer is what is known of a bool: a variable is unknown.
type answer int

const (
	unknown answer = iota
	yes
	no
)

// answerOf reads a bool; omitted means standard.
func answerOf(e entry, given bool, standard answer) answer {
	switch {
	case !given:
		return standard
	case strings.EqualFold(e.value.Value, "true"):
		return yes
	case strings.EqualFold(e.value.Value, "false"):
		return no
	}
	return unknown
}

// entry is a key of a mapping with its value, which is no alias.
type entry struct {
	key, value *yamldoc.Node
	merged     bool // comes from a << key
}

// entries are the keys of a mapping, merge keys included. A key of the mapping
// itself beats a merged one, and of several merged mappings the first one wins.
type entries []entry

func entriesOf(n *yamldoc.Node) entries {
	var own, merged entries
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := yamldoc.Resolved(n.Content[i]), yamldoc.Resolved(n.Content[i+1])
		if !yamldoc.IsMerge(key) {
			own = append(own, entry{key: key, value: value})
			continue
		}
		sources := []*yamldoc.Node{value}
		if yamldoc.IsSequence(value) {
			sources = value.Content
		}
		for _, source := range sources {
			for _, e := range entriesOf(yamldoc.Resolved(source)) {
				e.merged = true
				merged = append(merged, e)
			}
		}
	}
	for _, e := range merged {
		if !slices.ContainsFunc(own, func(o entry) bool { return o.key.Value == e.key.Value }) {
			own = append(own, e)
		}
	}
	return own
}

// get returns the entry of a key that is given: there, and not null.
func (es entries) get(name string) (entry, bool) {
	for _, e := range es {
		if e.key.Value == name {
			return e, !yamldoc.IsNull(e.value)
		}
	}
	return entry{}, false
}

// below returns the entries of a mapping that is the value of a key.
func (es entries) below(name string) entries {
	e, ok := es.get(name)
	if !ok || !yamldoc.IsMapping(e.value) {
		return nil
	}
	return entriesOf(e.value)
}

// count returns "1 flow" or "2 flows".
func count(n int) string {
	if n == 1 {
		return "1 flow"
	}
	return fmt.Sprintf("%d flows", n)
}

// sayWhatWasDone writes a comment at the top of the document, in place of that of an
// earlier run.
func (d *document) sayWhatWasDone(named bool) {
	fates := map[fate]int{}
	for _, f := range d.flows {
		fates[f.fate]++
	}
	if fates[moves]+fates[dropped] == 0 && !named {
		return
	}
	var done []string
	for _, part := range []struct {
		n    int
		text string
	}{
		{fates[moves], count(fates[moves]) + " moved to addresses"},
		{fates[dropped], count(fates[dropped]) + " dropped"},
		{fates[stays], count(fates[stays]) + " kept"},
	} {
		if part.n > 0 {
			done = append(done, part.text)
		}
	}
	if len(d.flows) == 0 {
		done = []string{"no flows"}
	}
	text := strings.Join(done, ", ")
	if named {
		text = d.src.Name() + ": " + text
	}
	d.tree.HeadComment = join(without(d.tree.HeadComment, summaryMark), summaryMark+safetext.Line(text)+".")
}
