package flexapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// page is one page of a collection.
type page struct {
	items []any  // as encoding/json decodes them
	next  string // meta.next_page_url; empty at the end
}

// decodePage reads a page. Anything that could make a list shorter than the
// collection is an error. Twilio's last page has a next_page_url of null, so one that
// is missing, empty or given twice does not end a listing.
// https://www.twilio.com/docs/usage/twilios-response#pagination
func decodePage(body []byte, key string) (page, error) {
	var p page
	var meta, next json.RawMessage
	var items any
	if err := members(body, map[string]any{"meta": &meta, key: &items}); err != nil {
		return p, err
	}
	if len(meta) == 0 || meta[0] != '{' {
		return p, errors.New("no meta in the page")
	}
	if err := members(meta, map[string]any{"next_page_url": &next}); err != nil {
		return p, fmt.Errorf("meta: %w", err)
	}
	switch {
	case len(next) == 0:
		return p, errors.New("meta has no next_page_url, so whether more pages follow is unknown")
	case string(next) == "null":
	case json.Unmarshal(next, &p.next) != nil:
		return p, errors.New("meta.next_page_url is neither null nor a string")
	case p.next == "":
		return p, errors.New("meta.next_page_url is empty, so whether more pages follow is unknown")
	}
	var ok bool
	if p.items, ok = items.([]any); !ok {
		return p, fmt.Errorf("no array %q in the page", key)
	}
	return p, nil
}

// members reads members of an object, by name, to where the pointers lead. It refuses
// an object that has one of them twice, because encoding/json would silently take the
// last.
func members(object []byte, to map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	seen := make(map[string]bool, len(to))
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var skipped json.RawMessage
		var value any = &skipped
		if s, _ := name.(string); to[s] != nil {
			if value = to[s]; seen[s] {
				return fmt.Errorf("duplicate key %q", s)
			}
			seen[s] = true
		}
		if err := d.Decode(value); err != nil {
			return err
		}
	}
	return nil
}
