package emulator

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const defaultPageSize = 50

// listing is what the listings of the four products differ in.
type listing[T any] struct {
	key         string // of the items in the answer, and meta.key
	prefix      string // of the items' SIDs
	maxPageSize int
	name        func(T) string // what FriendlyName filters on; nil if the API has no such filter
	render      func(T) any
}

// meta is the paging part of a page.
type meta struct {
	Page            int     `json:"page"`
	PageSize        int     `json:"page_size"`
	FirstPageURL    string  `json:"first_page_url"`
	PreviousPageURL *string `json:"previous_page_url"`
	URL             string  `json:"url"`
	NextPageURL     *string `json:"next_page_url"`
	Key             string  `json:"key"`
}

// pageQuery is the query of a listing.
type pageQuery struct {
	name   *string // FriendlyName
	size   int
	page   int // "simply for client state", says the OpenAPI file
	token  string
	cursor cursor
}

func parsePageQuery(r *http.Request, filterable bool, maxSize int, prefix string) (pageQuery, error) {
	q := pageQuery{size: min(defaultPageSize, maxSize)}
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, badRequest(codeParameter, "The query cannot be decoded: %s", err)
	}
	for param, list := range given {
		if len(list) > 1 {
			return q, badRequest(codeParameter, "%s is given %d times", param, len(list))
		}
		value := list[0]
		switch {
		case param == "FriendlyName" && filterable:
			q.name = &value
		case param == "PageSize":
			if q.size, err = strconv.Atoi(value); err != nil || q.size < 1 || q.size > maxSize {
				return q, badRequest(codeParameter, "PageSize must be from 1 to %d, not %q", maxSize, value)
			}
		case param == "Page":
			if q.page, err = strconv.Atoi(value); err != nil || q.page < 0 {
				return q, badRequest(codeParameter, "Page must be a number from 0, not %q", value)
			}
		case param == "PageToken":
			q.token = value
			if q.cursor, err = parseToken(value, prefix); err != nil {
				return q, err
			}
		default:
			return q, badRequest(codeParameter, "Unknown parameter %q in the query", param)
		}
	}
	return q, nil
}

// A page token is PA (after) or PB (before), the SID of an item at the edge of a
// page, and the item's number in its table.
func (c cursor) token() string {
	direction := "PA"
	if c.before {
		direction = "PB"
	}
	return fmt.Sprintf("%s%s%016x", direction, c.sid, c.seq)
}

func parseToken(token, prefix string) (cursor, error) {
	invalid := badRequest(codeParameter, "PageToken %q is not one of this listing", token)
	if len(token) != 2+34+16 || !strings.HasPrefix(token, "PA") && !strings.HasPrefix(token, "PB") {
		return cursor{}, invalid
	}
	c := cursor{before: token[1] == 'B', sid: token[2:36]}
	seq, err := strconv.ParseUint(token[36:], 16, 64)
	if err != nil || !isSID(prefix, c.sid) {
		return cursor{}, invalid
	}
	c.seq = seq
	return c, nil
}

// url is the address of the page at c, or of the first one.
func (q pageQuery) url(path string, page int, token string) string {
	u := path + "?"
	if q.name != nil {
		u += "FriendlyName=" + url.QueryEscape(*q.name) + "&"
	}
	u += "PageSize=" + strconv.Itoa(q.size) + "&Page=" + strconv.Itoa(page)
	if token != "" {
		u += "&PageToken=" + url.QueryEscape(token)
	}
	return u
}

// list answers one page of the table that find finds.
func list[T any](s *Server, r *http.Request, l listing[T], find func(*account) *table[T]) (answer, error) {
	q, err := parsePageQuery(r, l.name != nil, l.maxPageSize, l.prefix)
	if err != nil {
		return answer{}, err
	}
	if limit := s.opts.MaxPageSize; limit > 0 {
		q.size = min(q.size, limit)
	}
	match := func(v T) bool { return q.name == nil || l.name(v) == *q.name }

	var items []T
	var first, last cursor
	var earlier, later, found bool
	err = s.view(func(a *account) {
		t := find(a)
		if found = t != nil; !found {
			return
		}
		var slots []*slot[T]
		at := 0
		if q.token != "" {
			at = t.index(q.cursor)
		}
		if q.cursor.before {
			slots, earlier = t.backward(at, q.size, match)
			_, later = t.forward(at, 0, match)
		} else {
			slots, later = t.forward(at, q.size, match)
			_, earlier = t.backward(at, 0, match)
		}
		if len(slots) == 0 {
			earlier, later = false, false // nothing to hold on to
			return
		}
		first = cursor{true, slots[0].sid, slots[0].seq}
		last = cursor{false, slots[len(slots)-1].sid, slots[len(slots)-1].seq}
		if s.opts.Behaviour.UnorderedPages {
			shuffle(slots)
		}
		items = make([]T, len(slots))
		for i, slot := range slots {
			items[i] = slot.value
		}
	})
	if err != nil {
		return answer{}, err
	}
	if !found {
		return answer{}, notFound(r, codeMissing)
	}

	path := baseURL(r) + r.URL.EscapedPath()
	m := meta{Page: q.page, PageSize: q.size, Key: l.key, FirstPageURL: q.url(path, 0, ""), URL: q.url(path, q.page, q.token)}
	if earlier {
		m.PreviousPageURL = new(q.url(path, max(0, q.page-1), first.token()))
	}
	if later {
		m.NextPageURL = new(q.url(path, q.page+1, last.token()))
	}
	rendered := make([]any, len(items))
	for i, item := range items {
		rendered[i] = l.render(item)
	}
	return answer{status: http.StatusOK, body: marshal(map[string]any{"meta": m, l.key: rendered})}, nil
}

// shuffle brings the slots into an order that means nothing but is always the
// same.
func shuffle[T any](slots []*slot[T]) {
	slices.SortFunc(slots, func(a, b *slot[T]) int {
		x, y := sha256.Sum256([]byte(a.sid)), sha256.Sum256([]byte(b.sid))
		return cmp.Compare(string(x[:]), string(y[:]))
	})
}

func (s *Server) listFlows(r *http.Request) (answer, error) {
	base := baseURL(r)
	return list(s, r, listing[*flow]{
		key: "flex_flows", prefix: "FO", maxPageSize: 1000,
		name:   func(f *flow) string { return deref(f.FriendlyName) },
		render: func(f *flow) any { return s.render(f, base) },
	}, func(a *account) *table[*flow] { return a.flows })
}

func (s *Server) listServices(r *http.Request) (answer, error) {
	// The one listing of these whose maximum is not 1000.
	return listResources(s, r, &serviceKind, "services", 100, false,
		func(a *account) *table[*resource] { return a.services })
}

func (s *Server) listStudioFlows(r *http.Request) (answer, error) {
	return listResources(s, r, &studioFlowKind, "flows", 1000, false,
		func(a *account) *table[*resource] { return a.studioFlows })
}

func (s *Server) listWorkspaces(r *http.Request) (answer, error) {
	path := baseURL(r) + r.URL.EscapedPath()
	return list(s, r, listing[*workspace]{
		key: "workspaces", prefix: workspaceKind.prefix, maxPageSize: 1000,
		name:   func(w *workspace) string { return w.name },
		render: func(w *workspace) any { return workspaceKind.render(w.resource, path) },
	}, func(a *account) *table[*workspace] { return a.workspaces })
}

func (s *Server) listWorkflows(r *http.Request, workspaceSID string) (answer, error) {
	return listResources(s, r, &workflowKind, "workflows", 1000, true, func(a *account) *table[*resource] {
		if w, ok := a.workspaces.get(workspaceSID); ok {
			return w.value.workflows
		}
		return nil
	})
}

func (s *Server) listTaskChannels(r *http.Request, workspaceSID string) (answer, error) {
	return listResources(s, r, &taskChannelKind, "channels", 1000, false, func(a *account) *table[*resource] {
		if w, ok := a.workspaces.get(workspaceSID); ok {
			return w.value.taskChannels
		}
		return nil
	})
}

func listResources(s *Server, r *http.Request, kind *resourceKind, key string, maxPageSize int, filterable bool,
	find func(*account) *table[*resource]) (answer, error) {
	path := baseURL(r) + r.URL.EscapedPath()
	l := listing[*resource]{
		key: key, prefix: kind.prefix, maxPageSize: maxPageSize,
		render: func(item *resource) any { return kind.render(item, path) },
	}
	if filterable {
		l.name = func(item *resource) string { return item.name }
	}
	return list(s, r, l, find)
}
