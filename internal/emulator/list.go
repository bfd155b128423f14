package emulator

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const defaultPageSize = 50

// listing describes one listing: what distinguishes it from the others.
type listing[T item] struct {
	key         string // of the items in the answer, and meta.key
	prefix      string // of the items' SIDs
	maxPageSize int
	filter      string               // query parameter that filters the items; "" for none
	matches     func(T, string) bool // whether it lets an item through
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

// pageQuery is the parsed query of a listing.
type pageQuery struct {
	filter *string
	size   int
	page   int // "simply for client state", says the OpenAPI file
	token  string
	before bool   // the token's: the page ends before its item
	seq    uint64 // the token's
}

func parsePageQuery[T item](r *http.Request, l *listing[T], clamp bool) (pageQuery, error) {
	q := pageQuery{size: min(defaultPageSize, l.maxPageSize)}
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
		case param == l.filter && param != "":
			q.filter = &value
		case param == "PageSize":
			if q.size, err = strconv.Atoi(value); err == nil && clamp {
				q.size = min(q.size, l.maxPageSize)
			}
			if err != nil || q.size < 1 || q.size > l.maxPageSize {
				return q, badRequest(codeParameter, "PageSize must be from 1 to %d, not %q", l.maxPageSize, value)
			}
		case param == "Page":
			if q.page, err = strconv.Atoi(value); err != nil || q.page < 0 {
				return q, badRequest(codeParameter, "Page must be a number from 0, not %q", value)
			}
		case param == "PageToken":
			if q.before, q.seq, err = parseToken(value, l.prefix); err != nil {
				return q, err
			}
			q.token = value
		default:
			return q, badRequest(codeParameter, "Unknown parameter %q in the query", param)
		}
	}
	return q, nil
}

// token returns a page token: PA (after) or PB (before), the prefix of the items'
// SIDs, and the number of the item at the edge of a page.
func token(direction, prefix string, seq uint64) string {
	return fmt.Sprintf("%s%s%016x", direction, prefix, seq)
}

func parseToken(text, prefix string) (before bool, seq uint64, err error) {
	seq, err = strconv.ParseUint(text[max(0, len(text)-16):], 16, 64)
	before = text == token("PB", prefix, seq)
	if err != nil || !before && text != token("PA", prefix, seq) {
		return false, 0, badRequest(codeParameter, "PageToken %q is not one of this listing", text)
	}
	return before, seq, nil
}

// url returns the URL of the page at a token, or of the first one.
func (q pageQuery) url(path, filter string, page int, token string) string {
	u := path + "?"
	if q.filter != nil {
		u += filter + "=" + url.QueryEscape(*q.filter) + "&"
	}
	u += "PageSize=" + strconv.Itoa(q.size) + "&Page=" + strconv.Itoa(page)
	if token != "" {
		u += "&PageToken=" + url.QueryEscape(token)
	}
	return u
}

// list answers one page of the items.
func list[T item](s *Server, r *http.Request, l listing[T], items []T) (answer, error) {
	q, err := parsePageQuery(r, &l, s.opts.Behaviour.ClampPageSize)
	if err != nil {
		return answer{}, err
	}
	if limit := s.opts.MaxPageSize; limit > 0 {
		q.size = min(q.size, limit)
	}
	if q.filter != nil {
		items = slices.DeleteFunc(slices.Clone(items), func(it T) bool { return !l.matches(it, *q.filter) })
	}
	// The page is items[from:to]. A token stands between two items.
	at := 0
	if q.token != "" {
		at, _ = slices.BinarySearchFunc(items, q.seq, func(it T, seq uint64) int { return cmp.Compare(it.seq(), seq) })
		if !q.before && at < len(items) && items[at].seq() == q.seq {
			at++
		}
	}
	from, to := at, min(at+q.size, len(items))
	if q.before {
		from, to = max(0, at-q.size), at
	}
	page := items[from:to]

	path := baseURL(r) + r.URL.EscapedPath()
	m := meta{Page: q.page, PageSize: q.size, Key: l.key, FirstPageURL: q.url(path, l.filter, 0, ""), URL: q.url(path, l.filter, q.page, q.token)}
	if len(page) > 0 && from > 0 {
		m.PreviousPageURL = new(q.url(path, l.filter, max(0, q.page-1), token("PB", l.prefix, page[0].seq())))
	}
	if len(page) > 0 && to < len(items) {
		m.NextPageURL = new(q.url(path, l.filter, q.page+1, token("PA", l.prefix, page[len(page)-1].seq())))
	}
	if s.opts.Behaviour.UnorderedPages {
		page = shuffled(page)
	}
	rendered := make([]any, len(page))
	for i, it := range page {
		rendered[i] = l.render(it)
	}
	return answer{status: http.StatusOK, body: marshal(map[string]any{"meta": m, l.key: rendered})}, nil
}

// shuffled returns the items in an order that means nothing but is always the
// same.
func shuffled[T item](items []T) []T {
	return slices.SortedFunc(slices.Values(items), func(a, b T) int {
		x, y := sha256.Sum256([]byte(a.id())), sha256.Sum256([]byte(b.id()))
		return cmp.Compare(string(x[:]), string(y[:]))
	})
}

// listRecords answers a page of the kind's listing.
func (s *Server) listRecords(r *http.Request, k *kind) (answer, error) {
	acct, err := s.view()
	if err != nil {
		return answer{}, err
	}
	compared := k.field(k.filterKey)
	return list(s, r, listing[*record]{
		key: k.key, prefix: k.prefix, maxPageSize: k.maxPageSize, filter: k.filter,
		matches: func(r *record, want string) bool {
			have := r.values.text(k.filterKey)
			return have == want || compared.anyCase && strings.EqualFold(have, want)
		},
		render: func(item *record) any { return json.RawMessage(item.encode(baseURL(r), &s.opts.Behaviour)) },
	}, s.listed(acct)[k.index])
}

// listings are the read-only ones, of what flows and addresses refer to, by their
// path. A workspace's SID is * in it.
var listings = map[string]struct {
	kind        *resourceKind
	key         string
	maxPageSize int
	filter      string // query parameter that compares the names; "" for none
	of          func(*account) []*resource
	in          func(*workspace) []*resource // for a listing inside a workspace
}{
	// The one listing of these whose maximum is not 1000.
	"/v1/Services": {kind: &serviceKind, key: "services", maxPageSize: 100, of: func(a *account) []*resource { return a.services }},
	studioPath:     {kind: &studioFlowKind, key: "flows", maxPageSize: 1000, of: func(a *account) []*resource { return a.studioFlows }},
	"/v1/Workspaces": {kind: &workspaceKind, key: "workspaces", maxPageSize: 1000, filter: "FriendlyName", of: func(a *account) []*resource {
		list := make([]*resource, len(a.workspaces))
		for i, w := range a.workspaces {
			list[i] = w.resource
		}
		return list
	}},
	"/v1/Workspaces/*/Workflows": {kind: &workflowKind, key: "workflows", maxPageSize: 1000, filter: "FriendlyName",
		in: func(w *workspace) []*resource { return w.workflows }},
	"/v1/Workspaces/*/TaskChannels": {kind: &taskChannelKind, key: "channels", maxPageSize: 1000,
		in: func(w *workspace) []*resource { return w.taskChannels }},
}

// listResources answers a page of the read-only listing at a path, a key of
// listings.
func (s *Server) listResources(r *http.Request, path, workspaceSID string) (answer, error) {
	acct, err := s.view()
	if err != nil {
		return answer{}, err
	}
	l := listings[path]
	var items []*resource
	if l.in == nil {
		items = l.of(acct)
	} else {
		w, at := find(acct.workspaces, workspaceSID)
		if at < 0 {
			return answer{}, notFound(r, codeMissing)
		}
		items = l.in(w)
	}
	at := baseURL(r) + r.URL.EscapedPath()
	return list(s, r, listing[*resource]{
		key: l.key, prefix: l.kind.prefix, maxPageSize: l.maxPageSize, filter: l.filter,
		matches: func(item *resource, want string) bool { return item.name == want },
		render: func(item *resource) any {
			m := l.kind.render(item, at)
			if l.kind.fetchOnly != "" {
				m[l.kind.fetchOnly] = nil
			}
			return m
		},
	}, items)
}

// fetchStudioFlow answers a Studio flow, with its definition.
func (s *Server) fetchStudioFlow(r *http.Request, sid string) (answer, error) {
	if err := noQuery(r); err != nil {
		return answer{}, err
	}
	acct, err := s.view()
	if err != nil {
		return answer{}, err
	}
	f, at := find(acct.studioFlows, sid)
	if at < 0 {
		return answer{}, notFound(r, codeMissing)
	}
	return answer{status: http.StatusOK, body: marshal(studioFlowKind.render(f, baseURL(r)+studioPath))}, nil
}
