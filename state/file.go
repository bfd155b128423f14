package state

import (
	"bytes"
	"encoding/json"
	"time"

	"flexsync/internal/safetext"
	"flexsync/schema"
)

// Everything returns what has to be looked up for [Snapshot.EncodeFile].
func Everything(why string) Wanted {
	var w Wanted
	w.AddEverything(why)
	return w
}

// EncodeFile writes the account as the embedded API keeps it in a file, so that
// a plan against the file is the one against the account, names and references
// included. The directory holds what [Everything] asks for.
//
// Of the flows it writes what plans look at, and of what they refer to SID, name
// and status: a workflow's configuration, say, is no business of the file's
// reader. Equal accounts give equal bytes.
func (s *Snapshot) EncodeFile(accountSID string, d *Directory) []byte {
	var b []byte
	b = append(b, `{"account_sid":`...)
	b = schema.AppendValue(b, accountSID)
	b = append(b, `,"flows":[`...)
	for i := range s.Flows {
		f := &s.Flows[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"sid":`...)
		b = schema.AppendValue(b, f.SID)
		// Which of two copies stays depends on the date. The file takes none
		// that is not one; without any, it is as good as the youngest.
		if _, err := time.Parse(time.RFC3339, f.DateCreated); err == nil {
			b = append(b, `,"date_created":`...)
			b = schema.AppendValue(b, f.DateCreated)
		}
		flow := f.AppendJSON(nil)
		if string(flow) != "{}" {
			b = append(b, ',')
		}
		b = append(b, flow[1:]...)
	}
	b = append(b, `],"services":`...)
	b = appendNamed(b, d, kindService, "")
	b = append(b, `,"studio_flows":`...)
	b = appendNamed(b, d, kindStudioFlow, "")
	b = append(b, `,"workspaces":`...)
	b = appendNamed(b, d, kindWorkspace, "")
	b = append(b, '}')
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		panic("state: " + err.Error())
	}
	out.WriteByte('\n')
	return safetext.JSON(out.Bytes())
}

// appendNamed appends the resources of a kind as a JSON array.
func appendNamed(b []byte, d *Directory, kind, parent string) []byte {
	b = append(b, '[')
	first := true
	for _, n := range d.Of(kind, parent) {
		if d.Lacks(n.SID) {
			continue // it was deleted while it was looked into
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, `{"sid":`...)
		b = schema.AppendValue(b, n.SID)
		for _, property := range [...]struct{ key, value string }{{collections[kind].name, n.Name}, {"status", n.Status}} {
			if property.value != "" {
				b = append(b, `,"`+property.key+`":`...)
				b = schema.AppendValue(b, property.value)
			}
		}
		if kind == kindWorkspace {
			b = append(b, `,"workflows":`...)
			b = appendNamed(b, d, kindWorkflow, n.SID)
			b = append(b, `,"task_channels":`...)
			b = appendNamed(b, d, kindTaskChannel, n.SID)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}
