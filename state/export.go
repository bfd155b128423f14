package state

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"flexsync/internal/glob"
	"flexsync/schema"
)

// ExportOptions say how to write a snapshot as YAML.
type ExportOptions struct {
	// Names are written in place of SIDs, where they have one; see
	// [Snapshot.Names]. Unless it is nil, nothing is written that belongs to
	// one account, as long as a name says it as well: equal accounts export
	// equal bytes.
	Names map[string]string
}

// exportHeader is what a reader has to know of the file.
var exportHeader = []string{
	"The Flex Flows of a Twilio account, as flexsync export found them.",
	"A key that is left out has its documented default.",
	"A flow that is in no file, and not ignored, is deleted by flexsync apply.",
}

// Export returns the account as a configuration that plans to no change: by
// channel, and by name within a channel. SIDs of flows are left out, so that it rebuilds an empty account, except where
// several flows have one name and only the SID tells them apart. A flow that
// the YAML cannot declare is ignored by its SID, or with opts.Names by its name,
// with the reason and its content in a comment.
func (s *Snapshot) Export(opts ExportOptions) schema.Export {
	e := schema.Export{Header: exportHeader, Names: opts.Names, Channels: true}
	count := make(map[string]int, len(s.Flows))
	all := make(map[string]int, len(s.Flows))
	sids := make(map[string]bool, len(s.Flows))
	for i := range s.Flows {
		sids[s.Flows[i].SID] = true
		all[s.Flows[i].FriendlyName]++
		if len(s.Flows[i].Problems()) == 0 {
			count[s.Flows[i].FriendlyName]++
		}
	}
	named := func(f *Flow) bool {
		return opts.Names != nil && all[f.FriendlyName] == 1 && !sids[f.FriendlyName] && isPortable(f.FriendlyName)
	}
	holders := make(map[schema.TypedClaim]*Flow)
	for i := range s.Flows {
		f := &s.Flows[i]
		why := strings.Join(f.Problems(), "; ")
		if why == "" && sids[f.FriendlyName] {
			// A pattern of ignore could not tell the two apart.
			why = "its name is the SID of a flow"
			count[f.FriendlyName]--
		}
		if k := f.TypedClaim(); why == "" && k != (schema.TypedClaim{}) && f.IntegrationType != "" {
			// Twilio refuses such a pair (45210), and so does the YAML.
			if other := holders[k]; other != nil {
				why = fmt.Sprintf("it is enabled for the same identity as %q", other.FriendlyName)
				if !named(other) {
					why += " (" + other.SID + ")"
				}
				count[f.FriendlyName]--
			} else {
				holders[k] = f
			}
		}
		if why != "" {
			pattern, content := f.SID, f.Flow
			if named(f) {
				pattern = glob.Quote(f.FriendlyName)
			}
			for field, sid := range references(&f.Flow) {
				if name := opts.Names[sid]; name != "" {
					_ = field.Set(&content, name) // a string, as the SID is
				}
			}
			e.Ignore = append(e.Ignore, schema.ExportIgnore{
				Pattern: pattern,
				Comment: fmt.Sprintf("cannot be declared: %s: %s", why, content.AppendJSON(nil)),
			})
			continue
		}
		e.Flows = append(e.Flows, schema.ExportFlow{SID: f.SID, Flow: f.Flow})
	}
	for i := range e.Flows {
		x := &e.Flows[i]
		if n := count[x.Flow.FriendlyName]; n > 1 {
			x.Pin = true
			x.Comment = []string{fmt.Sprintf("%d flows have this name, and only the sid tells them apart.", n)}
		}
	}
	channel := func(x *schema.ExportFlow) int { return slices.Index(schema.ChannelTypes, x.Flow.ChannelType) }
	slices.SortStableFunc(e.Flows, func(a, b schema.ExportFlow) int { return cmp.Compare(channel(&a), channel(&b)) })
	return e
}

// references yields the fields of a flow that may be given by name, with their
// SIDs.
func references(flow *schema.Flow) func(yield func(*schema.Field, string) bool) {
	return func(yield func(*schema.Field, string) bool) {
		for i := range schema.Fields {
			f := &schema.Fields[i]
			if f.Name == "" {
				continue
			}
			if sid, ok := f.Get(flow).(string); ok && !yield(f, sid) {
				return
			}
		}
	}
}

// References returns what has to be looked up to name what the flows refer to.
func (s *Snapshot) References() Wanted {
	var w Wanted
	for i := range s.Flows {
		flow := &s.Flows[i].Flow
		for f, sid := range references(flow) {
			switch {
			case !schema.IsSID(f.SID, sid):
			case !inWorkspace(f.SID):
				w.Add(f.SID, Workspace{}, "for --names")
			case schema.IsSID(kindWorkspace, flow.WorkspaceSID):
				w.Add(f.SID, Workspace{SID: flow.WorkspaceSID}, "for --names")
			}
		}
	}
	return w
}

// Names returns, by SID, the names that say as much as the SIDs that the flows
// refer to: those that nothing else of their kind has, in their workspace if
// they are of one, and that fit on a line.
func (s *Snapshot) Names(d *Directory) map[string]string {
	names := make(map[string]string)
	misplaced := make(map[string]bool)
	for i := range s.Flows {
		flow := &s.Flows[i].Flow
		for f, sid := range references(flow) {
			n, ok := d.Lookup(sid)
			if !ok || n.SID != sid || !isPortable(n.Name) || schema.IsSID(f.SID, n.Name) || len(d.Find(f.SID, n.Parent, n.Name)) != 1 {
				continue
			}
			if inWorkspace(f.SID) && !strings.EqualFold(n.Parent, flow.WorkspaceSID) {
				misplaced[sid] = true // by name it would not be found
				continue
			}
			names[sid] = n.Name
		}
	}
	for sid := range misplaced {
		delete(names, sid)
	}
	return names
}

// isPortable reports whether a name can stand in a file that a person reads: on
// one line, and without control characters.
func isPortable(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar
	})
}
