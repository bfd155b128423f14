package main

import (
	"context"
	"errors"
	"fmt"
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
// what was created by hand. A comment names what was deleted by hand. It is empty
// without drift.
func (s *session) adopt(ctx context.Context) ([]byte, error) {
	doc, list, err := newList()
	if err != nil {
		return nil, err
	}
	sources := make(map[string]*yamldoc.Source)
	var gone []string
	for i := range s.plan.Changes {
		c := &s.plan.Changes[i]
		if c.Step != "" || c.CopyOf != "" || !drifts(c) {
			continue
		}
		if c.Action == plan.Create {
			gone = append(gone, fmt.Sprintf("# Deleted in the account: remove %s, at %s", safetext.Quote(c.ID), declaredAt(c)))
			continue
		}
		var item *yamldoc.Node
		above := "# New: " + c.SID
		if c.Action == plan.Update {
			above = "# Replaces the one at " + declaredAt(c)
			if item, err = s.written(ctx, sources, c); err != nil {
				return nil, err
			}
		}
		if item == nil {
			if item, err = s.exported(c); err != nil {
				return nil, err
			}
		} else {
			for _, path := range s.patch(item, c) {
				above += "\n# The account has no " + path + ": remove it from defaults."
			}
		}
		item.HeadComment, item.FootComment = above, ""
		list.Content = append(list.Content, item)
	}
	if len(list.Content)+len(gone) == 0 {
		return nil, nil
	}
	for _, line := range gone {
		if doc.HeadComment != "" {
			doc.HeadComment += "\n"
		}
		doc.HeadComment += line
	}
	if len(list.Content) == 0 {
		return []byte(doc.HeadComment + "\n"), nil
	}
	return yamldoc.Encode([]*yamldoc.Node{doc})
}

// drifts reports whether a change puts back something that was changed by hand.
func drifts(c *plan.Change) bool {
	return c.Origin == plan.Drift || c.Action == plan.Update && slices.ContainsFunc(c.Fields, func(f plan.FieldChange) bool { return f.Origin == plan.Drift })
}

// declaredAt is where a resource is declared, as FILE:LINE.
func declaredAt(c *plan.Change) string {
	return safetext.Line(yamldoc.Pos{File: c.Source.File, Line: c.Source.Line}.String())
}

// newList returns a document that has a list of flows.
func newList() (doc, list *yamldoc.Node, err error) {
	return firstList("", []byte("flows: []\n"))
}

// firstList reads a document of ours and finds the list at its end.
func firstList(name string, data []byte) (doc, list *yamldoc.Node, err error) {
	src, problem := yamldoc.NewSource(name, data)
	if problem != nil {
		return nil, nil, yamldoc.Problems{*problem}
	}
	if problems := src.Trees(func(n *yamldoc.Node) { doc = n }); len(problems) > 0 {
		return nil, nil, problems
	}
	root := doc.Content[0]
	list = root.Content[len(root.Content)-1]
	yamldoc.SetBlock(list)
	return doc, list, nil
}

// written returns the entry of a change as its file has it; nil if that was standard
// input, which is read once.
func (s *session) written(ctx context.Context, sources map[string]*yamldoc.Source, c *plan.Change) (item *yamldoc.Node, err error) {
	if c.Source.File == "<stdin>" {
		return nil, nil
	}
	src, ok := sources[c.Source.File]
	if !ok {
		data, err := readFile(ctx, c.Source.File, maxPlanBytes)
		if err != nil {
			return nil, err
		}
		var problem *yamldoc.Problem
		if src, problem = yamldoc.NewSource(c.Source.File, data); problem != nil {
			return nil, yamldoc.Problems{*problem}
		}
		sources[c.Source.File] = src
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

// exported returns the entry of a resource that is written nowhere, or not in a file.
func (s *session) exported(c *plan.Change) (*yamldoc.Node, error) {
	export := state.Restore([]state.Resource{{SID: c.SID, Object: *c.Before}}, "")
	export.Names = s.snapshot.Names(s.directory)
	_, list, err := firstList("", export.Encode())
	switch {
	case err != nil:
		return nil, err
	case len(list.Content) != 1:
		return nil, fmt.Errorf("%s %s cannot be declared: %s", c.Kind.Name, safetext.Quote(c.Before.ID()), c.Before)
	}
	return list.Content[0], nil
}

// patch gives an entry the account's values of the fields that drifted. Everything
// else stays as it is written, with names and variables. It returns the paths of
// fields that the account does not have and the entry does not set: null means the
// same as no key, so defaults would win.
func (s *session) patch(item *yamldoc.Node, c *plan.Change) (inherited []string) {
	yamldoc.SetBlock(item)
	names := s.snapshot.Names(s.directory)
	for _, change := range c.Fields {
		if change.Origin != plan.Drift {
			continue
		}
		f := c.Kind.Field(change.Path)
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
		switch name := names[sid]; {
		case change.Before == nil && at < 0:
			if f.AppliesTo(c.Before.Variant()) {
				inherited = append(inherited, f.Path)
			}
		case change.Before == nil:
			in.Content = slices.Delete(in.Content, at, at+2)
		case at < 0:
			in.Content = append(in.Content, yamldoc.NewScalar(yamldoc.TagStr, f.Key), scalarOf(change.Before))
		case name != "" && in.Content[at].Value != f.Key:
			in.Content[at+1] = scalarOf(name)
		default:
			in.Content[at].Value, in.Content[at+1] = f.Key, scalarOf(change.Before)
		}
	}
	return inherited
}

// group returns the mapping at a key of an entry, which it adds if there is none.
func group(item *yamldoc.Node, key string) *yamldoc.Node {
	if at := keyAt(item, key); at >= 0 {
		if n := yamldoc.Resolved(item.Content[at+1]); yamldoc.IsMapping(n) {
			yamldoc.SetBlock(n)
			return n
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

// scalarOf is a field's value in YAML. It is not nil.
func scalarOf(v schema.Value) *yamldoc.Node {
	switch v := v.(type) {
	case bool:
		return yamldoc.NewScalar(yamldoc.TagBool, strconv.FormatBool(v))
	case int64:
		return yamldoc.NewScalar(yamldoc.TagInt, strconv.FormatInt(v, 10))
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
