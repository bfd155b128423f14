package flexapi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
)

const (
	maxPages = 100_000
	maxEmpty = 10 // empty pages in a row
)

// List reads a collection to its end, in pages of its PageSize, and hands each
// page's items to visit, in the API's order and as encoding/json decodes them. A page is
// a request of its own, with its own budget of tries.
//
// An error means that the collection was not read to its end: discard what visit got.
// An error of visit ends the listing and is returned unchanged. List does not look
// into items, and does not notice one that comes twice.
func (c *Client) List(ctx context.Context, of Collection, visit func(items []any) error) error {
	next := c.hosts.url(of.Product, of.Path)
	next.RawQuery = "PageSize=" + strconv.Itoa(of.PageSize)
	seen := map[string]bool{}
	empty := 0
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
		a, err := c.send(ctx, request{do: list, of: of, url: next})
		if err != nil {
			return err
		}
		page, err := decodePage(a.Body, of.Key)
		if err != nil {
			return bad(a, "not a page of %s: %v", of.Key, err)
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
		if next, err = c.hosts.follow(of.Product, page.next); err != nil {
			next = c.hosts.url(of.Product, of.Path)
			return bad(a, "%v", err)
		}
	}
}
