// Package jsondoc writes JSON objects whose members keep their order.
//
// A [Writer] streams one object as a document that people compare line by line and
// programs read: each member, and each element of a list, is on a line of its own.
// It escapes what a terminal or a job runner could act on (see [safetext.JSON]); a
// reader gets the same values. An [Object] is a value in such a document, or bytes
// to compare.
package jsondoc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"

	"flexsync/internal/safetext"
)

// Object is a JSON object that keeps the order of its members. It encodes without
// white space and without escapes for HTML.
type Object []Member

// Member is a member of an [Object]. Name needs no escapes. Value is anything that
// encoding/json encodes, another Object included.
type Member struct {
	Name  string
	Value any
}

// MarshalJSON implements [json.Marshaler].
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(512) // most resources fit
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := o.encode(&b, enc)
	return b.Bytes(), err
}

// encode writes the object to b, to which enc writes.
func (o Object) encode(b *bytes.Buffer, enc *json.Encoder) error {
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + m.Name + `":`)
		if inner, ok := m.Value.(Object); ok {
			if err := inner.encode(b, enc); err != nil {
				return err
			}
			continue
		}
		if err := enc.Encode(m.Value); err != nil {
			return err
		}
		b.Truncate(b.Len() - 1) // the encoder's line break
	}
	b.WriteByte('}')
	return nil
}

// Writer writes one object. [Writer.Close] returns the first error.
type Writer struct {
	w       *bufio.Writer
	buf     bytes.Buffer
	enc     *json.Encoder // to buf
	members int
	err     error
}

// New returns a Writer of an object to w.
func New(w io.Writer) *Writer {
	d := &Writer{w: bufio.NewWriterSize(w, 64<<10)}
	d.enc = json.NewEncoder(&d.buf)
	d.enc.SetEscapeHTML(false)
	return d
}

// Member writes a member on a line of its own.
func (d *Writer) Member(name string, v any) {
	d.name(name)
	d.value(v)
}

// List writes a member that is an array: elements calls add once for each element.
func (d *Writer) List(name string, elements func(add func(v any))) {
	d.name(name)
	d.w.WriteByte('[')
	n := 0
	elements(func(v any) {
		d.line(&n)
		d.value(v)
	})
	d.w.WriteByte(']')
}

// Map writes a member that is an object: elements calls add once for each member.
func (d *Writer) Map(name string, elements func(add func(key string, v any))) {
	d.name(name)
	d.w.WriteByte('{')
	n := 0
	elements(func(key string, v any) {
		d.line(&n)
		d.value(key)
		d.w.WriteString(": ")
		d.value(v)
	})
	d.w.WriteByte('}')
}

// Close ends the object and returns the first error of any write or encoding.
func (d *Writer) Close() error {
	if d.members == 0 {
		d.w.WriteByte('{')
	}
	d.w.WriteString("}\n")
	if err := d.w.Flush(); d.err == nil { // a bufio.Writer keeps its first error
		d.err = err
	}
	return d.err
}

func (d *Writer) name(name string) {
	if d.members == 0 {
		d.w.WriteByte('{')
	} else {
		d.w.WriteString(",\n ")
	}
	d.members++
	d.value(name)
	d.w.WriteString(": ")
}

func (d *Writer) line(n *int) {
	if *n > 0 {
		d.w.WriteByte(',')
	}
	*n++
	d.w.WriteString("\n  ")
}

func (d *Writer) value(v any) {
	text, err := d.encode(v)
	if err != nil && d.err == nil {
		d.err = err
	}
	d.w.Write(safetext.JSON(text))
}

func (d *Writer) encode(v any) ([]byte, error) {
	if m, ok := v.(json.Marshaler); ok { // the encoder would go over it again
		return m.MarshalJSON()
	}
	d.buf.Reset()
	err := d.enc.Encode(v)
	return bytes.TrimSuffix(d.buf.Bytes(), []byte("\n")), err
}
