package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// adopt returns the YAML that makes drift the configuration: the entries of what was
// changed by hand, as they are written but with the account's values, and those of
// what was created by hand. A comment names what was deleted by hand, what the YAML
// cannot declare, and what is a secret. It is empty without drift.
func (s *session) adopt(ctx context.Context) ([]byte, error) {
	a := adoption{
		session: s, names: s.snapshot.Names(s.directory),
		sources: make(map[string]*yamldoc.Source), entries: make(map[*schema.Kind][]*yamldoc.Node),
	}
	replaced := make(map[string]*schema.Object)
	for i := range s.plan.Changes {
		if c := &s.plan.Changes[i]; c.Replaces != "" {
			replaced[c.Replaces] = nil
		}
	}
	for i := range s.plan.Changes {
		c := s.plan.Changes[i]
		if _, ok := replaced[c.SID]; ok && c.Action == plan.Delete {
			replaced[c.SID] = c.Before
			continue
		}
		if c.Replaces != "" { // it is an update, but for the API
			c.Fields = c.FieldsFrom(replaced[c.Replaces])
			c.Action, c.SID, c.Before = plan.Update, c.Replaces, replaced[c.Replaces]
		}
		if c.Step != "" || c.CopyOf != "" || !drifts(&c) {
			continue
		}
		if err := a.change(ctx, &c); err != nil {
			return nil, err
		}
	}
	for i := range s.plan.Kept {
		if k := &s.plan.Kept[i]; k.Origin == plan.Drift && k.CopyOf == "" {
			if err := a.created(k.SID, &k.Object); err != nil {
				return nil, err
			}
		}
	}
	return a.encode()
}

// adoption is the YAML that adopts drift, as it is made.
type adoption struct {
	*session
	names   map[string]string // see state.Snapshot
	sources map[string]*yamldoc.Source
	entries map[*schema.Kind][]*yamldoc.Node
	notes   []string // comments about what has no entry
}

// encode returns the text; empty if there is nothing to adopt.
func (a *adoption) encode() ([]byte, error) {
	head := a.plan.Mask().Text(strings.Join(a.notes, "\n"))
	text := ""
	for _, k := range schema.Kinds {
		if len(a.entries[k]) > 0 {
			text += k.Plural + ": []\n"
		}
	}
	if text == "" {
		return []byte(strings.TrimPrefix(head+"\n", "\n")), nil
	}
	doc, err := document([]byte(text))
	if err != nil {
		return nil, err
	}
	doc.HeadComment = head
	root := doc.Content[0].Content
	for i := 0; i < len(root); i += 2 {
		list := root[i+1]
		yamldoc.SetBlock(list)
		list.Content = a.entries[schema.Kinds[slices.IndexFunc(schema.Kinds, func(k *schema.Kind) bool { return k.Plural == root[i].Value })]]
	}
	data, err := yamldoc.Encode([]*yamldoc.Node{doc})
	return []byte(a.plan.Mask().Text(string(data))), err
}

// add adds an entry with a comment above.
func (a *adoption) add(k *schema.Kind, item *yamldoc.Node, above ...string) {
	item.HeadComment, item.FootComment = "# "+strings.Join(above, "\n# "), ""
	a.entries[k] = append(a.entries[k], item)
}

// change adds what a change puts back.
func (a *adoption) change(ctx context.Context, c *plan.Change) error {
	switch c.Action {
	case plan.Create:
		a.notes = append(a.notes, fmt.Sprintf("# Deleted in the account: remove %s, at %s", safetext.Quote(c.ID), declaredAt(c)))
		return nil
	case plan.Delete:
		if c.MovedTo != "" {
			return a.created(c.SID, c.Before, fmt.Sprintf("It has the identity of address %s: only one of the two may be enabled.", safetext.Quote(c.MovedTo)))
		}
		return a.created(c.SID, c.Before)
	}
	item, err := a.written(ctx, c)
	if err != nil {
		return err
	}
	above := []string{"Replaces the one at " + declaredAt(c)}
	if item == nil { // it was read from standard input, once
		if item, err = a.exported(c.SID, c.Before); item == nil {
			return err
		}
		above = append(above, a.secrets(c.Before)...)
	} else {
		above = append(above, a.patch(item, c)...)
	}
	a.add(c.Kind, item, above...)
	return nil
}

// created adds a resource that was created by hand, with more to say of it.
func (a *adoption) created(sid string, o *schema.Object, more ...string) error {
	item, err := a.exported(sid, o)
	if item == nil {
		return err
	}
	a.add(o.Kind, item, slices.Concat([]string{"New: " + safetext.Line(sid)}, more, a.secrets(o))...)
	return nil
}

// secrets says which values of a resource cannot be shown.
func (a *adoption) secrets(o *schema.Object) (said []string) {
	for f := range o.Kind.In(o.Kind.All() &^ o.Kind.ID.Bit()) {
		if a.hides(f, o.Get(f)) {
			said = append(said, f.Path+" is a secret: write it as a variable.")
		}
	}
	return said
}

// hides reports whether a value of the account cannot be shown.
func (a *adoption) hides(f *schema.Field, v schema.Value) bool {
	text, ok := v.(string)
	return ok && f.Enum == nil && a.plan.Mask().Hides(text)
}

// writeAdopted writes the YAML that adopts the drift of a fleet, a document for each
// account.
func writeAdopted(w io.Writer, members []*member) error {
	var text bytes.Buffer
	for _, m := range members {
		if m.result == nil || len(m.result.adopted) == 0 {
			continue
		}
		if text.Len() > 0 {
			text.WriteString("---\n")
		}
		fmt.Fprintf(&text, "# Account %s\n\n%s", m.Name, m.result.adopted)
	}
	_, err := w.Write(text.Bytes())
	return err
}

// drifts reports whether a change puts back something that was changed by hand.
func drifts(c *plan.Change) bool {
	if c.Action == plan.Update {
		return slices.ContainsFunc(c.Fields, func(f plan.FieldChange) bool { return f.Origin == plan.Drift })
	}
	return c.Origin == plan.Drift || c.Origin == plan.Both
}

// sayNotices says on stderr what the YAML has no place for: warnings, one of which may
// be that the base is of no use, and refusals.
func (a *app) sayNotices(p *plan.Plan) {
	p = p.Masked()
	for _, n := range p.Warnings {
		a.say("warning (%s): %s", n.Code, safetext.Line(n.Message))
	}
	for _, n := range p.Refusals {
		a.say("refused (%s): %s", n.Code, safetext.Line(n.Message))
	}
}

// declaredAt is where a resource is declared, as FILE:LINE.
func declaredAt(c *plan.Change) string {
	return safetext.Line(yamldoc.Pos{File: c.Source.File, Line: c.Source.Line}.String())
}

// document parses a document of ours.
func document(data []byte) (doc *yamldoc.Node, err error) {
	src, problem := yamldoc.NewSource("", data)
	if problem != nil {
		return nil, yamldoc.Problems{*problem}
	}
	if problems := src.Trees(func(n *yamldoc.Node) { doc = n }); len(problems) > 0 {
		return nil, problems
	}
	return doc, nil
}

// written returns the entry of a change as its file has it; nil if that was standard
// input.
func (a *adoption) written(ctx context.Context, c *plan.Change) (item *yamldoc.Node, err error) {
	if c.Source.File == "<stdin>" {
		return nil, nil
	}
	src, ok := a.sources[c.Source.File]
	if !ok {
		data, err := readFile(ctx, c.Source.File, maxPlanBytes)
		if err != nil {
			return nil, err
		}
		var problem *yamldoc.Problem
		if src, problem = yamldoc.NewSource(c.Source.File, data); problem != nil {
			return nil, yamldoc.Problems{*problem}
		}
		a.sources[c.Source.File] = src
	}
	problems := src.Trees(func(doc *yamldoc.Node) {
		for _, list := range doc.Content[0].Content {
			for _, n := range list.Content {
				if at := yamldoc.Resolved(n); n.Line == c.Source.Line && src.Pos(n).Column == c.Source.Column && yamldoc.IsMapping(at) {
					item = at
				}
			}
		}
	})
	if len(problems) > 0 {
		return nil, problems
	}
	if item == nil {
		return nil, fmt.Errorf("%s changed while it was read", safetext.Line(c.Source.File))
	}
	return item, nil
}

// exported returns the entry of a resource that is written nowhere; nil, with a note,
// if it cannot be declared.
func (a *adoption) exported(sid string, o *schema.Object) (*yamldoc.Node, error) {
	export := state.Restore([]state.Resource{{SID: sid, Object: *plan.MaskObject(a.plan.Mask(), o)}}, "")
	export.Names = a.names
	if len(export.Entries) == 0 {
		a.notes = append(a.notes, "# To keep it, add its SID to ignore: "+safetext.Line(strings.Join(export.Header[1:], " ")))
		return nil, nil
	}
	doc, err := document(export.Encode())
	if err != nil {
		return nil, err
	}
	root := doc.Content[0].Content
	return root[len(root)-1].Content[0], nil
}

// patch gives an entry the account's values of the fields that drifted. Everything
// else stays as it is written, with names and variables. It returns what is left to
// do by hand: about secrets, and about fields that the account does not have and the
// entry does not set. Null means the same as no key there, so defaults would win.
func (a *adoption) patch(item *yamldoc.Node, c *plan.Change) (left []string) {
	for _, change := range c.Fields {
		if change.Origin != plan.Drift {
			continue
		}
		f := c.Kind.Field(change.Path)
		if a.hides(f, change.Before) {
			left = append(left, f.Path+" is another secret in the account: change its variable.")
			continue
		}
		in := item
		if f.Inside {
			in = group(item, c.Kind.Group)
		}
		keys := []string{f.Key}
		if f.Name != "" {
			keys = append(keys, f.Name[strings.LastIndexByte(f.Name, '.')+1:])
		}
		at := keyAt(in, keys...)
		sid, _ := change.Before.(string)
		switch name := a.names[sid]; {
		case change.Before == nil && at < 0:
			if f.AppliesTo(c.Before.Variant()) {
				where := c.Kind.Defaults
				if keyAt(in, "<<") >= 0 {
					where = "what this entry merges, or from " + where
				}
				left = append(left, "The account has no "+f.Path+": remove it from "+where+".")
			}
		case change.Before == nil:
			in.Content = slices.Delete(in.Content, at, at+2)
		case at < 0:
			in.Content = append(in.Content, yamldoc.NewScalar(yamldoc.TagStr, f.Key), nodeOf(change.Before))
		case name != "" && in.Content[at].Value != f.Key:
			in.Content[at+1] = nodeOf(name)
		default:
			in.Content[at].Value, in.Content[at+1] = f.Key, nodeOf(change.Before)
		}
	}
	return left
}

// group returns the mapping at a key of an entry, which it adds if there is none.
func group(item *yamldoc.Node, key string) *yamldoc.Node {
	if at := keyAt(item, key); at >= 0 {
		if n := yamldoc.Resolved(item.Content[at+1]); yamldoc.IsMapping(n) {
			own := *n // an alias may stand for it elsewhere, too
			own.Content = slices.Clone(n.Content)
			if yamldoc.IsAlias(item.Content[at+1]) {
				own.Anchor = ""
			}
			item.Content[at+1] = &own
			return &own
		}
		item.Content = slices.Delete(item.Content, at, at+2) // null
	}
	n := yamldoc.NewMapping()
	item.Content = append(item.Content, yamldoc.NewScalar(yamldoc.TagStr, key), n)
	return n
}

// keyAt returns where one of the keys of a mapping is in its content, or -1.
func keyAt(in *yamldoc.Node, keys ...string) int {
	for i := 0; i+1 < len(in.Content); i += 2 {
		if slices.Contains(keys, in.Content[i].Value) {
			return i
		}
	}
	return -1
}

// nodeOf is a field's value in YAML. It is not nil.
func nodeOf(v schema.Value) *yamldoc.Node {
	switch v := v.(type) {
	case bool:
		return yamldoc.NewScalar(yamldoc.TagBool, strconv.FormatBool(v))
	case int64:
		return yamldoc.NewScalar(yamldoc.TagInt, strconv.FormatInt(v, 10))
	case schema.WordSet:
		var words []*yamldoc.Node
		for _, word := range v.List() {
			words = append(words, yamldoc.NewScalar(yamldoc.TagStr, word))
		}
		return yamldoc.NewList(true, words...)
	}
	return yamldoc.NewScalar(yamldoc.TagStr, yamldoc.Escape(fmt.Sprint(v)))
}

// checkAdopt refuses --adopt where it can say nothing.
func (c *planCmd) checkAdopt() error {
	switch {
	case !c.Adopt:
	case len(c.Base) == 0:
		return inputError(errors.New("--adopt needs --base"), "without a base, flexsync cannot tell drift from the change under review")
	case c.Format == "json":
		return inputError(errors.New("--adopt cannot be used with --format json"), "it prints YAML")
	}
	return nil
}
