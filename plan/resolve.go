package plan

import (
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/schema"
	"flexsync/state"
)

// resolver puts SIDs in the place of names.
type resolver struct {
	dir      *state.Directory
	names    map[string]string // SID → name
	problems schema.Problems
}

// nouns are what the kinds of SID are called.
var nouns = map[string]string{"IS": "chat service", "FW": "Studio flow", "WS": "workspace", "WW": "workflow", "TC": "task channel"}

// resolve returns the declaration with every name looked up. A name that the
// account has not exactly once is a problem at the name's position.
func (r *resolver) resolve(want *schema.Declared) *schema.Declared {
	if len(want.Names) == 0 {
		return want
	}
	resolved := *want
	for _, ref := range want.Names { // in the table's order: the workspace comes before its workflow
		parent := ""
		if ref.Field.SID == "WW" {
			if parent = resolved.Flow.WorkspaceSID; parent == "" {
				continue // the workspace is a problem already
			}
		}
		switch found := r.dir.Find(ref.Field.SID, parent, ref.Name); len(found) {
		case 1:
			if err := ref.Field.Set(&resolved.Flow, found[0].SID); err != nil {
				r.problem(ref, err.Error(), "")
				continue
			}
			if r.names == nil {
				r.names = make(map[string]string)
			}
			r.names[found[0].SID] = ref.Name
		case 0:
			r.missing(ref, parent)
		default:
			sids := make([]string, len(found))
			for i, n := range found {
				sids[i] = n.SID
			}
			slices.Sort(sids)
			r.problem(ref, fmt.Sprintf("the account has %d of the name %s: %s", len(found), safetext.Quote(ref.Name), strings.Join(sids, ", ")),
				"write "+ref.Field.Path+" with the SID that is meant")
		}
	}
	return &resolved
}

func (r *resolver) missing(ref schema.NameRef, parent string) {
	noun := nouns[ref.Field.SID]
	where := "the account"
	if parent != "" {
		where = "workspace " + parent
	}
	known := r.dir.NamesOf(ref.Field.SID, parent)
	hint := where + " has no " + noun + " at all"
	if near := schema.Nearest(ref.Name, known, 3); len(near) > 0 {
		hint = "the nearest names are " + quoteAll(near)
	} else if len(known) > 0 {
		hint = where + " has " + quoteAll(known[:min(len(known), 5)])
		if more := len(known) - 5; more > 0 {
			hint += fmt.Sprintf(" and %d more", more)
		}
	}
	r.problem(ref, fmt.Sprintf("%s has no %s named %s", where, noun, safetext.Quote(ref.Name)), hint)
}

func (r *resolver) problem(ref schema.NameRef, message, hint string) {
	r.problems = append(r.problems, schema.Problem{Pos: ref.Pos, Path: ref.Field.Name, Message: message, Hint: hint})
}

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = safetext.Quote(n)
	}
	return strings.Join(quoted, ", ")
}
