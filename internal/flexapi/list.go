package flexapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

const (
	maxPages = 100_000
	maxEmpty = 10 // empty pages in a row
)

// pageSize is the most items that a product gives at once. In the OpenAPI
// files the maximum of PageSize is 1000, and in that of Conversations 100.
func pageSize(p Product) string {
	if p == Conversations {
		return "100"
	}
	return "1000"
}

// ListFlows reads all Flex Flows of the account; see [Client.List].
func (c *Client) ListFlows(ctx context.Context, visit func(items []json.RawMessage) error) error {
	return c.List(ctx, Flex, flowsPath, flowsKey, visit)
}

// List reads a collection to its end, the largest pages that there are, and
// hands each page's items to visit, in the API's order. The items are valid JSON and share the
// page's memory: one that is kept keeps its page. A page is an own request
// with an own budget of tries.
//
// An error means that the collection was not read to its end: whatever visit
// got is to be thrown away. Its own error ends the listing and is returned as
// it is. List does not look into items; whether one came twice is not its matter.
func (c *Client) List(ctx context.Context, p Product, path, key string, visit func(items []json.RawMessage) error) error {
	next := c.hosts.url(p, path)
	next.RawQuery = "PageSize=" + pageSize(p)
	seen := map[string]bool{}
	empty, expect := 0, 0
	for {
		link := next.String()
		bad := func(a Answer, format string, args ...any) error {
			return &Error{
				Method: http.MethodGet, Path: next.Path, Status: a.Status, RequestID: a.RequestID, Attempts: a.Attempts,
				Err: cleanError(c.clean(fmt.Sprintf(format, args...), maxMessage)),
			}
		}
		if seen[link] {
			return bad(Answer{}, "page %d is one that was read before", len(seen)+1)
		}
		if len(seen) == maxPages {
			return bad(Answer{}, "more than %d pages", maxPages)
		}
		seen[link] = true
		a, err := c.do(ctx, request{kind: read, method: http.MethodGet, url: next, expect: expect})
		if err != nil {
			return err
		}
		expect = len(a.Body) + len(a.Body)/16
		page, err := decodePage(a.Body, key)
		if err != nil {
			return bad(a, "not a page of %s: %v", key, err)
		}
		if err := visit(page.items); err != nil {
			return err
		}
		if page.next == "" {
			return nil
		}
		if empty++; len(page.items) > 0 {
			empty = 0
		}
		if empty == maxEmpty {
			return bad(a, "%d empty pages in a row, and each says that more follow", maxEmpty)
		}
		if next, err = c.hosts.follow(p, page.next); err != nil {
			next = c.hosts.url(p, path)
			return bad(a, "%v", err)
		}
	}
}
