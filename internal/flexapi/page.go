package flexapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
)

// page is one page of a collection.
type page struct {
	items []json.RawMessage // they share the memory of the body
	next  string            // meta.next_page_url; empty at the end
}

// splitPage takes a page apart. The body must be valid JSON, which has been
// checked already, so that each byte is looked at once more and none is copied;
// encoding/json would check it again on every level and copy each item.
func splitPage(body []byte, key string) (page, error) {
	if body = bytes.TrimLeft(body, space); len(body) == 0 || body[0] != '{' {
		return page{}, errors.New("not a JSON object")
	}
	var meta, items []byte
	for name, value := range members(body) {
		switch name {
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
	for name, value := range members(meta) {
		if name == "next_page_url" && json.Unmarshal(value, &p.next) != nil {
			return page{}, errors.New("meta.next_page_url is not a string")
		}
	}
	for i := 1; ; {
		start := after(items, i)
		if items[start] == ']' {
			return p, nil
		}
		end := skip(items, start)
		p.items = append(p.items, items[start:end:end])
		i = end
	}
}

// members yields the names and values of a valid JSON object.
func members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for i := 1; ; {
			start := after(object, i)
			if object[start] == '}' {
				return
			}
			end := skip(object, start)
			var name string
			_ = json.Unmarshal(object[start:end], &name) // a valid string
			start = after(object, end)
			end = skip(object, start)
			if !yield(name, object[start:end:end]) {
				return
			}
			i = end
		}
	}
}

const space = " \t\r\n"

// after returns where the next value begins or the container ends: what is
// between values is space, commas and colons.
func after(b []byte, i int) int {
	for ; ; i++ {
		switch b[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
		default:
			return i
		}
	}
}

// skip returns the end of the valid JSON value that begins at i.
func skip(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		for depth := 0; ; i++ {
			switch b[i] {
			case '"':
				i = skipString(b, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	if n := bytes.IndexAny(b[i:], ",]}"+space); n >= 0 {
		return i + n
	}
	return len(b)
}

func skipString(b []byte, i int) int {
	for i++; ; i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}
