package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"flexsync/internal/flexapi"
	"flexsync/internal/safetext"
	"flexsync/schema"
)

// The types of resource that a flow refers to, by the two letters that their SIDs
// begin with.
const (
	prefixService     = "IS"
	prefixStudioFlow  = "FW"
	prefixWorkspace   = "WS"
	prefixWorkflow    = "WW"
	prefixTaskChannel = "TC"
)

// collection is where a type of resource is listed. In the path of what is in a
// workspace, %s is the workspace's SID.
type collection struct {
	flexapi.Collection
	noun string
	name string // the property that a name in the YAML is compared with
}

// The page sizes are the maxima of PageSize in the OpenAPI files.
var collections = map[string]collection{
	prefixService:     {flexapi.Collection{Product: flexapi.Conversations, Path: "/v1/Services", Key: "services", PageSize: 100}, "chat service", "friendly_name"},
	prefixStudioFlow:  {flexapi.Collection{Product: flexapi.Studio, Path: "/v2/Flows", Key: "flows", PageSize: 1000}, "Studio flow", "friendly_name"},
	prefixWorkspace:   {flexapi.Collection{Product: flexapi.TaskRouter, Path: "/v1/Workspaces", Key: "workspaces", PageSize: 1000}, "workspace", "friendly_name"},
	prefixWorkflow:    {flexapi.Collection{Product: flexapi.TaskRouter, Path: "/v1/Workspaces/%s/Workflows", Key: "workflows", PageSize: 1000}, "workflow", "friendly_name"},
	prefixTaskChannel: {flexapi.Collection{Product: flexapi.TaskRouter, Path: "/v1/Workspaces/%s/TaskChannels", Key: "channels", PageSize: 1000}, "task channel", "unique_name"},
}

// Noun returns what a type of resource is called: "chat service" for "IS".
func Noun(prefix string) string { return collections[prefix].noun }

// inWorkspace reports whether a type is listed workspace by workspace.
func inWorkspace(prefix string) bool { return prefix == prefixWorkflow || prefix == prefixTaskChannel }

// Workspace identifies a workspace by its SID or, if that is empty, by its name.
type Workspace struct{ SID, Name string }

// Wanted is what [Lookup] has to list. The zero value is nothing.
type Wanted struct {
	whole  map[string]string // prefix → why
	inside map[inside]string // → why
	every  string            // why everything is wanted, if it is
}

type inside struct {
	prefix string
	of     Workspace
}

// Add asks for every resource of a type, given by the two letters of its SIDs; for
// workflows (WW) and task channels (TC), for those of a workspace. why ends the
// error "list workspaces …"; the first one given is kept.
func (w *Wanted) Add(prefix string, of Workspace, why string) {
	if w.whole == nil {
		w.whole, w.inside = make(map[string]string), make(map[inside]string)
	}
	if !inWorkspace(prefix) {
		if _, ok := w.whole[prefix]; !ok {
			w.whole[prefix] = why
		}
		return
	}
	if of.SID != "" {
		of.Name = ""
	} else {
		w.Add(prefixWorkspace, Workspace{}, why)
	}
	if key := (inside{prefix, of}); w.inside[key] == "" {
		w.inside[key] = why
	}
}

// AddEverything asks for all types, in every workspace of the account.
func (w *Wanted) AddEverything(why string) {
	for prefix := range collections {
		if !inWorkspace(prefix) {
			w.Add(prefix, Workspace{}, why)
		}
	}
	w.every = why
}

// Empty reports whether nothing is wanted.
func (w *Wanted) Empty() bool { return len(w.whole)+len(w.inside) == 0 }

// maxListings bounds how many collections of workspaces are listed at once.
const maxListings = 8

// Lookup lists what is wanted, concurrently and each collection once; if a
// workspace is known only by name, it lists the workspaces first. Every listing is
// complete or an error, as in [Read]. A workspace that the account does not have is
// not an error, see [Directory.Lacks].
func Lookup(ctx context.Context, l Lister, w Wanted) (*Directory, error) {
	d := &Directory{}
	if err := d.Extend(ctx, l, w); err != nil {
		return nil, err
	}
	return d, nil
}

// Extend is a [Lookup] that adds to a directory: it lists what is wanted and not
// listed yet. After an error the directory must not be used.
func (d *Directory) Extend(ctx context.Context, l Lister, w Wanted) error {
	k := &lookup{from: l, dir: d}
	g, ctx := errgroup.WithContext(ctx)
	for _, prefix := range []string{prefixService, prefixStudioFlow} {
		if why, ok := w.whole[prefix]; ok {
			g.Go(func() error { return k.list(ctx, prefix, "", why) })
		}
	}
	g.Go(func() error { return k.taskRouter(ctx, w) })
	return g.Wait()
}

type lookup struct {
	from Lister
	mu   sync.Mutex // guards dir
	dir  *Directory
}

func (l *lookup) taskRouter(ctx context.Context, w Wanted) error {
	if why, ok := w.whole[prefixWorkspace]; ok {
		if err := l.list(ctx, prefixWorkspace, "", why); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxListings)
	for in, why := range l.place(w) {
		g.Go(func() error {
			err := l.list(ctx, in.prefix, in.of.SID, why)
			var api *flexapi.Error
			if errors.As(err, &api) && api.Status == http.StatusNotFound {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.dir.lose(in.of.SID)
				return nil
			}
			return err
		})
	}
	return g.Wait()
}

// place finds the SIDs of the workspaces to list. It leaves out one whose name the
// account does not have, or has several times: the plan reports that name.
func (l *lookup) place(w Wanted) map[inside]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	listed := l.dir.listed[inside{prefix: prefixWorkspace}]
	wanted := w.inside
	placed := make(map[inside]string, len(wanted))
	order := func(a, b inside) int {
		return cmp.Or(cmp.Compare(a.prefix, b.prefix), cmp.Compare(a.of.SID, b.of.SID), cmp.Compare(a.of.Name, b.of.Name))
	}
	for _, in := range slices.SortedFunc(maps.Keys(wanted), order) {
		key := inside{in.prefix, Workspace{SID: in.of.SID}}
		if in.of.SID == "" {
			found := l.dir.Find(prefixWorkspace, "", in.of.Name)
			if len(found) != 1 {
				continue
			}
			key.of.SID = found[0].SID
		} else if listed {
			found, ok := l.dir.Lookup(in.of.SID)
			if !ok {
				l.dir.lose(in.of.SID)
				continue
			}
			key.of.SID = found.SID
		}
		if placed[key] == "" {
			placed[key] = wanted[in]
		}
	}
	if w.every != "" {
		for _, n := range l.dir.Of(prefixWorkspace, "") {
			placed[inside{prefixWorkflow, Workspace{SID: n.SID}}] = w.every
			placed[inside{prefixTaskChannel, Workspace{SID: n.SID}}] = w.every
		}
	}
	return placed
}

// list adds one collection to the directory, unless the directory has it.
func (l *lookup) list(ctx context.Context, prefix, parent, why string) error {
	l.mu.Lock()
	begun := l.dir.begin(prefix, parent)
	l.mu.Unlock()
	if !begun {
		return nil
	}
	c := collections[prefix]
	if parent != "" {
		c.Path = fmt.Sprintf(c.Path, parent)
	}
	var t tally
	var found []Named
	err := l.from.List(ctx, c.Collection, func(items []any) error {
		for _, item := range items {
			n, account, err := decodeNamed(prefix, parent, item)
			if err != nil {
				return fmt.Errorf("%s %d of the listing: %w", c.noun, len(found)+1, err)
			}
			if err := t.add(c.noun, c.noun+"s", n.SID, account); err != nil {
				return err
			}
			found = append(found, n)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list %ss %s: %w", c.noun, why, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dir.own(Owner{t.account, c.noun})
	for _, n := range found {
		l.dir.Add(n)
	}
	return nil
}

// decodeNamed reads one item of a listing: its SID, which is required, its name,
// which may be null, and its account.
func decodeNamed(prefix, parent string, item any) (n Named, account string, err error) {
	members, ok := item.(map[string]any)
	if !ok {
		return n, "", errNoObject
	}
	var workspace string
	for _, field := range [...]struct {
		key string
		to  *string
	}{{"sid", &n.SID}, {"account_sid", &account}, {"workspace_sid", &workspace}, {"status", &n.Status}, {collections[prefix].name, &n.Name}} {
		if *field.to, err = text(members, field.key); err != nil {
			return n, "", err
		}
	}
	switch {
	case !schema.IsSID(prefix, n.SID):
		return n, "", fmt.Errorf("sid: %s is not the SID of a %s", safetext.Quote(n.SID), Noun(prefix))
	case parent != "" && workspace != "" && !strings.EqualFold(workspace, parent):
		return n, "", fmt.Errorf("%s belongs to workspace %s, but %s was listed", n.SID, safetext.Line(workspace), parent)
	}
	n.Parent = parent
	return n, account, nil
}
