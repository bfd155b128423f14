package flexapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"flexsync/internal/rawjson"
)

// page is one page of a collection.
type page struct {
	items []json.RawMessage // they share the memory of the body
	next  string            // meta.next_page_url; empty at the end
}

// splitPage takes a page apart. The body must be valid JSON, which has been
// checked already.
func splitPage(body []byte, key string) (page, error) {
	if body = bytes.TrimLeft(body, space); len(body) == 0 || body[0] != '{' {
		return page{}, errors.New("not a JSON object")
	}
	var meta, items []byte
	for name, value := range rawjson.Members(body) {
		switch string(name) {
		case "meta":
			if meta != nil {
				return page{}, errors.New("it has two meta")
			}
			meta = value
		case key:
			if items != nil {
				return page{}, fmt.Errorf("it has two %q", key)
			}
			items = value
		}
	}
	if len(meta) == 0 || meta[0] != '{' {
		return page{}, errors.New("it has no meta")
	}
	if len(items) == 0 || items[0] != '[' {
		return page{}, fmt.Errorf("it has no array %q", key)
	}
	var p page
	for name, value := range rawjson.Members(meta) {
		if string(name) == "next_page_url" && json.Unmarshal(value, &p.next) != nil {
			return page{}, errors.New("meta.next_page_url is not a string")
		}
	}
	for item := range rawjson.Elements(items) {
		p.items = append(p.items, item)
	}
	return p, nil
}

const space = " \t\r\n"
