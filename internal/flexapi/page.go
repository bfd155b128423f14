package flexapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// page is one page of a collection.
type page struct {
	items []json.RawMessage
	next  string // meta.next_page_url; empty at the end
}

// decodePage reads a page. Anything that could make a list shorter than the
// collection is an error. Twilio's last page has a next_page_url of null, so one that
// is missing, empty or given twice does not end a listing.
// https://www.twilio.com/docs/usage/twilios-response#pagination
func decodePage(body []byte, key string) (page, error) {
	var p page
	top, err := members(body, "meta", key)
	if err != nil {
		return p, err
	}
	if !beginsWith(top["meta"], '{') {
		return p, errors.New("no meta in the page")
	}
	meta, err := members(top["meta"], "next_page_url")
	if err != nil {
		return p, fmt.Errorf("meta: %w", err)
	}
	switch next, ok := meta["next_page_url"]; {
	case !ok:
		return p, errors.New("meta has no next_page_url, so whether more pages follow is unknown")
	case string(next) == "null":
	case json.Unmarshal(next, &p.next) != nil:
		return p, errors.New("meta.next_page_url is neither null nor a string")
	case p.next == "":
		return p, errors.New("meta.next_page_url is empty, so whether more pages follow is unknown")
	}
	if !beginsWith(top[key], '[') {
		return p, fmt.Errorf("no array %q in the page", key)
	}
	return p, json.Unmarshal(top[key], &p.items)
}

// members reads an object. It refuses one that has one of the keys twice, because
// encoding/json would silently take the last.
func members(object []byte, keys ...string) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	found := make(map[string]json.RawMessage)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok {
			return nil, errors.New("not a JSON object")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		for _, key := range keys {
			if _, twice := found[key]; twice && name == key {
				return nil, fmt.Errorf("duplicate key %q", key)
			}
		}
		found[name] = value
	}
	return found, nil
}

func beginsWith(value json.RawMessage, first byte) bool { return len(value) > 0 && value[0] == first }
