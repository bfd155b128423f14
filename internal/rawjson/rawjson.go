// Package rawjson takes valid JSON apart without copying it: encoding/json
// would check it again on every level and copy each item, which is most of the
// cost of a long listing.
//
// It checks nothing. What it makes of a text that is not valid JSON means
// nothing, but it always comes to an end.
package rawjson

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Members yields the names and values of an object, in its order, a name that
// comes twice included. They share the object's memory, but for names with
// escapes.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := 1; ; {
			start := after(object, i)
			if start >= len(object) || object[start] != '"' {
				return
			}
			end := skip(object, start)
			name := text(object[start:end])
			start = after(object, end)
			end = skip(object, start)
			if !yield(name, object[start:end:end]) {
				return
			}
			i = end
		}
	}
}

// Elements yields the values of an array, in its order. They share the array's
// memory.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		for i := 1; ; {
			start := after(array, i)
			if start >= len(array) || array[start] == ']' {
				return
			}
			end := skip(array, start)
			if end == start || !yield(array[start:end:end]) {
				return
			}
			i = end
		}
	}
}

// text is what a string stands for.
func text(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 && len(quoted) >= 2 {
		return quoted[1 : len(quoted)-1]
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // a valid string
	return []byte(s)
}

// after returns where the next value begins or the container ends: what is
// between values is space, commas and colons.
func after(b []byte, i int) int {
	for ; i < len(b); i++ {
		switch b[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
		default:
			return i
		}
	}
	return len(b)
}

// skip returns the end of the value that begins at i.
func skip(b []byte, i int) int {
	if i >= len(b) {
		return len(b)
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		for depth := 0; i < len(b); i++ {
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
		return len(b)
	}
	for ; i < len(b); i++ {
		switch b[i] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return i
		}
	}
	return len(b)
}

func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}
