package flexapi

import (
	"encoding/json"
	"errors"
	"fmt"
)

// page is one page of a collection.
type page struct {
	items []json.RawMessage
	next  string // meta.next_page_url; empty at the end
}

func splitPage(body []byte, key string) (page, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return page{}, errors.New("not a JSON object")
	}
	var meta map[string]json.RawMessage
	if json.Unmarshal(fields["meta"], &meta) != nil || meta == nil {
		return page{}, errors.New("it has no meta")
	}
	var next *string
	if raw, ok := meta["next_page_url"]; ok && json.Unmarshal(raw, &next) != nil {
		return page{}, errors.New("meta.next_page_url is not a string")
	}
	var items []json.RawMessage
	if json.Unmarshal(fields[key], &items) != nil || items == nil {
		return page{}, fmt.Errorf("it has no array %q", key)
	}
	p := page{items: items}
	if next != nil {
		p.next = *next
	}
	return p, nil
}
