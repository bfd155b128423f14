package state

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Named is a resource of another product that a flow refers to: a chat
// service (IS), a Studio flow (FW), a workspace (WS), a workflow (WW) or a
// task channel (TC).
type Named struct {
	SID    string
	Name   string // friendly name; a task channel's unique name
	Parent string // the workspace of a workflow or task channel
	Status string // a Studio flow's: "draft" or "published"
}

// Directory holds the listed resources of those products, to turn names into SIDs
// and SIDs into names. The zero value and nil are empty. The hex digits of SIDs are
// compared regardless of case.
type Directory struct {
	named  []Named
	bySID  map[string]int
	by     map[directoryKey][]int
	lost   map[string]bool // workspaces
	listed map[inside]bool // collections, with the workspace's SID in lower case
	owners map[Owner]bool
	studio map[string]StudioFlow // fetched, by SID in lower case
}

// Owner is an account that a listing says its resources belong to.
type Owner struct {
	AccountSID string
	Noun       string // what was listed, as in "chat service"
}

// Owners returns the owners of the listed resources, sorted. Listings without an
// account are left out. More than one account is a mistake that the caller has to
// refuse.
func (d *Directory) Owners() []Owner {
	if d == nil {
		return nil
	}
	return slices.SortedFunc(maps.Keys(d.owners), func(a, b Owner) int {
		return cmp.Or(cmp.Compare(a.AccountSID, b.AccountSID), cmp.Compare(a.Noun, b.Noun))
	})
}

// own records an owner, unless the listing names no account.
func (d *Directory) own(o Owner) {
	if o.AccountSID == "" {
		return
	}
	if d.owners == nil {
		d.owners = make(map[Owner]bool)
	}
	d.owners[o] = true
}

// begin reports whether a collection has not been listed yet, and marks it as
// listed.
func (d *Directory) begin(prefix, parent string) bool {
	key := inside{prefix, Workspace{SID: strings.ToLower(parent)}}
	if d.listed[key] {
		return false
	}
	if d.listed == nil {
		d.listed = make(map[inside]bool)
	}
	d.listed[key] = true
	return true
}

type directoryKey struct{ prefix, parent, name string }

// Add records a resource.
func (d *Directory) Add(n Named) {
	if d.bySID == nil {
		d.bySID = make(map[string]int)
		d.by = make(map[directoryKey][]int)
	}
	i := len(d.named)
	d.named = append(d.named, n)
	d.bySID[strings.ToLower(n.SID)] = i
	k := directoryKey{n.SID[:min(2, len(n.SID))], strings.ToLower(n.Parent), n.Name}
	d.by[k] = append(d.by[k], i)
}

// Empty reports whether no resource is known.
func (d *Directory) Empty() bool { return d == nil || len(d.named) == 0 }

// Find returns the resources of exactly that name: of a type, given by the two
// letters its SIDs begin with, and in a workspace (parent) for workflows and task
// channels.
func (d *Directory) Find(prefix, parent, name string) []Named {
	if d == nil {
		return nil
	}
	var found []Named
	for _, i := range d.by[directoryKey{prefix, strings.ToLower(parent), name}] {
		found = append(found, d.named[i])
	}
	return found
}

// Lookup returns the resource of a SID.
func (d *Directory) Lookup(sid string) (Named, bool) {
	if d == nil {
		return Named{}, false
	}
	i, ok := d.bySID[strings.ToLower(sid)]
	if !ok {
		return Named{}, false
	}
	return d.named[i], true
}

// Of returns every resource of a type, sorted by SID, in a workspace for workflows
// and task channels.
func (d *Directory) Of(prefix, parent string) []Named {
	if d == nil {
		return nil
	}
	var found []Named
	for _, n := range d.named {
		if strings.HasPrefix(n.SID, prefix) && strings.EqualFold(n.Parent, parent) {
			found = append(found, n)
		}
	}
	slices.SortFunc(found, func(a, b Named) int { return cmp.Compare(a.SID, b.SID) })
	return found
}

// NamesOf returns the names of all resources of a type, sorted, for messages.
func (d *Directory) NamesOf(prefix, parent string) []string {
	if d == nil {
		return nil
	}
	var names []string
	for _, n := range d.named {
		if n.Name != "" && strings.HasPrefix(n.SID, prefix) && strings.EqualFold(n.Parent, parent) {
			names = append(names, n.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Lacks reports whether a listing showed that the workspace does not exist.
func (d *Directory) Lacks(workspaceSID string) bool {
	return d != nil && d.lost[strings.ToLower(workspaceSID)]
}

func (d *Directory) lose(workspaceSID string) {
	if d.lost == nil {
		d.lost = make(map[string]bool)
	}
	d.lost[strings.ToLower(workspaceSID)] = true
}
