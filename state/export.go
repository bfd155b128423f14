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
	// Names maps SIDs to the names to write instead of them; see
	// [Snapshot.Names]. If it is not nil, SIDs are written only where no name
	// will do: equal accounts export equal bytes.
	Names map[string]string
	// Gone has the SIDs of flows that are about to be deleted, for an export that
	// can be applied both before and after that. After it, a pin of such a flow
	// is an error, so equal copies are written once, and a flow whose name
	// another one keeps gets a number: "Support SMS (2)".
	Gone map[string]bool
	// Coming has names that other flows are about to get: a flow that has one of
	// them and stays is pinned.
	Coming map[string]bool
	// Renamed has the SIDs of flows that are about to get another name: they are
	// pinned too, so that the export gives them their name back.
	Renamed map[string]bool
}

// exportHeader is what a reader has to know about the file.
func exportHeader(kinds []*schema.Kind) []string {
	titles, plurals := make([]string, len(kinds)), make([]string, len(kinds))
	for i, k := range kinds {
		plurals[i], titles[i] = k.Plural, k.Plural
		if k == schema.Flows {
			titles[i] = k.Title + "s"
		}
	}
	return []string{
		fmt.Sprintf("The %s of a Twilio account, as flexsync export found them.", strings.Join(titles, " and ")),
		"Omitted keys have their documented defaults.",
		fmt.Sprintf("flexsync apply deletes %s that are in no file and not ignored.", strings.Join(plurals, " and ")),
	}
}

// Export returns the account as a configuration whose plan is empty, sorted by
// channel, then by name. It omits the SIDs of flows, so that it can also rebuild an
// empty account, except where only the SID tells flows of one name apart. A flow
// that the YAML cannot declare is ignored by its SID (with opts.Names by its name),
// with the reason and its content in a comment.
func (s *Snapshot) Export(opts ExportOptions) schema.Export {
	e := schema.Export{Header: exportHeader(s.listed()), Names: opts.Names, Channels: true, Kinds: s.listed()}
	names := s.lasting(opts.Gone)
	count := make(map[schema.Key]int, len(s.Resources))
	all := make(map[schema.Key]int, len(s.Resources))
	sids := make(map[string]bool, len(s.Resources))
	for i := range s.Resources {
		f := &s.Resources[i]
		sids[f.SID] = true
		all[f.Key()]++
		if len(f.Problems()) == 0 && !names.copies[f.SID] {
			count[f.Key()]++
		}
	}
	named := func(f *Resource) bool {
		return opts.Names != nil && all[f.Key()] == 1 && !sids[f.ID()] && isPortable(f.ID())
	}
	holders := make(map[schema.TypedClaim]*Resource)
	flows := make(map[schema.Claim]*Resource) // what is enabled, and not identified by it
	addresses := make(map[schema.Key]*Resource)
	for i := range s.Resources {
		f := &s.Resources[i]
		if names.copies[f.SID] {
			continue
		}
		why := strings.Join(f.Problems(), "; ")
		if why == "" && sids[f.ID()] {
			// A pattern of ignore could not tell the two apart.
			why = "its name is the SID of another resource"
			count[f.Key()]--
		}
		if f.Kind.ByContact() && why == "" {
			if other := addresses[f.Key()]; other != nil {
				why = fmt.Sprintf("%s has the same identity", other.SID)
			} else if other := flows[f.Route()]; other != nil && f.Enabled() {
				why = fmt.Sprintf("it is enabled for the same identity as %s %q", other.Kind.Name, other.ID())
			} else {
				addresses[f.Key()] = f
			}
		}
		if k := f.Claim(); !f.Kind.ByContact() && why == "" && k != (schema.TypedClaim{}) {
			// Twilio refuses such a pair (45210), and so does the YAML.
			if other := holders[k]; other != nil && k.Variant != "" {
				why = fmt.Sprintf("it is enabled for the same identity as %q", other.ID())
				if !named(other) {
					why += " (" + other.SID + ")"
				}
				count[f.Key()]--
			} else {
				holders[k] = f
				flows[f.Route()] = f
			}
		}
		if why != "" {
			pattern, content := f.SID, f.Object
			if named(f) {
				pattern = glob.Quote(f.ID())
			}
			for field, sid := range f.References() {
				if name := opts.Names[sid]; field.Name != "" && name != "" {
					content.Set(field, name)
				}
			}
			e.Ignore = append(e.Ignore, schema.ExportIgnore{
				Pattern: pattern,
				Comment: fmt.Sprintf("cannot be declared: %s: %s", why, content),
			})
			continue
		}
		e.Entries = append(e.Entries, schema.ExportEntry{SID: f.SID, Object: f.Object})
	}
	for i := range e.Entries {
		x := &e.Entries[i]
		if x.Kind.ByContact() {
			continue
		}
		if fresh := names.renamed[x.SID]; fresh != "" {
			x.Comment = []string{fmt.Sprintf("Was %q, a name that another flow has.", x.ID())}
			x.Set(x.Kind.ID, fresh)
		} else if n := count[x.Key()]; opts.Gone[x.SID] {
			continue
		} else if n > 1 {
			x.Pin = true
			x.Comment = []string{fmt.Sprintf("%d flows have this name; only the sid tells them apart.", n)}
		} else if opts.Coming[x.ID()] {
			x.Pin = true
			x.Comment = []string{"Another flow is about to get this name; only the sid tells them apart."}
		} else if opts.Renamed[x.SID] {
			x.Pin = true
			x.Comment = []string{"This name is about to change, so the sid identifies the flow."}
		}
	}
	channel := func(x *schema.ExportEntry) int { return slices.Index(x.Kind.Channel.Enum, x.Text(x.Kind.Channel)) }
	slices.SortStableFunc(e.Entries, func(a, b schema.ExportEntry) int { return cmp.Compare(channel(&a), channel(&b)) })
	return e
}

// Restore returns deleted flows as a configuration that creates them again, each
// complete, so that one can be copied from it. Flows that the YAML cannot declare
// are in the comments at the top.
func Restore(flows []Resource, header string) schema.Export {
	s := &Snapshot{Resources: slices.Clone(flows)}
	s.sort()
	for i := range s.Resources {
		if k := s.Resources[i].Kind; !slices.Contains(s.Kinds, k) {
			s.Kinds = append(s.Kinds, k)
		}
	}
	gone := make(map[string]bool, len(flows))
	for i := range flows {
		gone[flows[i].SID] = true
	}
	e := s.Export(ExportOptions{Gone: gone})
	e.Header, e.Channels, e.Whole = []string{header}, false, true
	for _, entry := range e.Ignore {
		e.Header = append(e.Header, entry.Pattern+" "+entry.Comment)
	}
	e.Ignore = nil
	return e
}

// lasting is how flows of one name are written such that it holds after some of
// them are gone.
type lasting struct {
	copies  map[string]bool   // SIDs of flows that are not written, since an equal one is
	renamed map[string]string // SID → the name that it gets
}

// lasting looks at each name that a flow loses which the account is about to
// lose. The name stays with the flows that are not gone, whose pins hold, or
// else with the one of the lost flows that would stay of several copies.
func (s *Snapshot) lasting(gone map[string]bool) lasting {
	l := lasting{make(map[string]bool), make(map[string]string)}
	if len(gone) == 0 {
		return l
	}
	taken := make(map[string]bool, len(s.Resources))
	for i := range s.Resources {
		taken[s.Resources[i].ID()] = true
	}
	for from := 0; from < len(s.Resources); {
		key, to := s.Resources[from].Key(), from
		name := key.ID
		var group []*Resource
		for ; to < len(s.Resources) && s.Resources[to].Key() == key; to++ {
			if f := &s.Resources[to]; len(f.Problems()) == 0 {
				group = append(group, f)
			}
		}
		from = to
		slices.SortFunc(group, func(a, b *Resource) int {
			switch {
			case gone[a.SID] != gone[b.SID]:
				return map[bool]int{true: 1, false: -1}[gone[a.SID]]
			case a.Older(b):
				return -1
			}
			return 1
		})
		number := 1
		for i, f := range group {
			switch {
			case i == 0 || !gone[f.SID]:
			case slices.ContainsFunc(group[:i], func(g *Resource) bool { return g.Object == f.Object }):
				l.copies[f.SID] = true
			case f.Kind.ByContact():
			default:
				fresh := ""
				for ok := true; ok; ok = taken[fresh] {
					number++
					fresh = fmt.Sprintf("%s (%d)", name, number)
				}
				taken[fresh] = true
				l.renamed[f.SID] = fresh
			}
		}
	}
	return l
}

// References returns what to look up to know the names of what the flows refer to.
func (s *Snapshot) References() Wanted {
	var w Wanted
	for i := range s.Resources {
		r := &s.Resources[i]
		for f, sid := range r.References() {
			if f.Name == "" || !schema.IsSID(f.SID, sid) {
				continue
			}
			var of Workspace
			if f.Parent != nil {
				if of.SID = r.Text(f.Parent); !schema.IsSID(f.Parent.SID, of.SID) {
					continue
				}
			}
			w.Add(f.SID, of, "for --names")
		}
	}
	return w
}

// Names maps the SIDs that the flows refer to to names that can replace them: those
// that are unique among resources of the type (in the workspace, for workflows and
// task channels) and that fit on a line.
func (s *Snapshot) Names(d *Directory) map[string]string {
	names := make(map[string]string)
	misplaced := make(map[string]bool)
	for i := range s.Resources {
		r := &s.Resources[i]
		for f, sid := range r.References() {
			if f.Name == "" {
				continue
			}
			n, ok := d.Lookup(sid)
			if !ok || n.SID != sid || !isPortable(n.Name) || schema.IsSID(f.SID, n.Name) || len(d.Find(f.SID, n.Parent, n.Name)) != 1 {
				continue
			}
			if f.Parent != nil && !strings.EqualFold(n.Parent, r.Text(f.Parent)) {
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

// isPortable reports whether a name fits on one line of a file that people read:
// it has no line breaks and no control characters.
func isPortable(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar
	})
}
