package state

import (
	"bytes"
	"encoding/json"
	"time"

	"flexsync/internal/jsondoc"
	"flexsync/internal/safetext"
)

// Everything returns what has to be looked up for [Snapshot.EncodeFile].
func Everything(why string) Wanted {
	var w Wanted
	w.AddEverything(why)
	return w
}

// EncodeFile returns the account, the listed kinds of it, as a JSON document that the embedded API loads, so
// that a plan against the file equals a plan against the account, names and
// references included. The directory must hold what [Everything] asks for.
//
// Of the resources it writes what plans depend on, and of what they refer to only SID,
// name and status: a workflow's configuration, say, does not belong in the file.
// Equal accounts give equal bytes.
func (s *Snapshot) EncodeFile(accountSID string, d *Directory) []byte {
	doc := jsondoc.Object{{Name: "account_sid", Value: accountSID}}
	for _, k := range s.listed() {
		all := []jsondoc.Object{} // [], not null, when there is none
		for i := range s.Resources {
			r := &s.Resources[i]
			if r.Kind != k {
				continue
			}
			o := jsondoc.Object{{Name: "sid", Value: r.SID}}
			// Which of two copies stays depends on the date. The file takes none
			// that is not one; without any, it is as good as the youngest.
			if _, err := time.Parse(time.RFC3339, r.DateCreated); err == nil {
				o = append(o, jsondoc.Member{Name: "date_created", Value: r.DateCreated})
			}
			all = append(all, append(o, r.JSON()...))
		}
		doc = append(doc, jsondoc.Member{Name: k.Plural, Value: all})
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(append(doc,
		jsondoc.Member{Name: "services", Value: named(d, prefixService, "")},
		jsondoc.Member{Name: "studio_flows", Value: named(d, prefixStudioFlow, "")},
		jsondoc.Member{Name: "workspaces", Value: named(d, prefixWorkspace, "")},
	)); err != nil { // texts, bools and integers always encode
		panic("state: " + err.Error())
	}
	return safetext.JSON(out.Bytes())
}

// named returns the resources of a type as they are in a file.
func named(d *Directory, prefix, parent string) []jsondoc.Object {
	all := []jsondoc.Object{} // [], not null, when there is none
	for _, n := range d.Of(prefix, parent) {
		if d.Lacks(n.SID) {
			continue // it was deleted while it was looked into
		}
		o := jsondoc.Object{{Name: "sid", Value: n.SID}}
		if n.Name != "" {
			o = append(o, jsondoc.Member{Name: collections[prefix].name, Value: n.Name})
		}
		if n.Status != "" {
			o = append(o, jsondoc.Member{Name: "status", Value: n.Status})
		}
		if prefix == prefixWorkspace {
			o = append(o,
				jsondoc.Member{Name: "workflows", Value: named(d, prefixWorkflow, n.SID)},
				jsondoc.Member{Name: "task_channels", Value: named(d, prefixTaskChannel, n.SID)})
		}
		all = append(all, o)
	}
	return all
}
