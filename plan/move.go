package plan

import (
	"fmt"
	"slices"

	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
)

// move finds the moves: the deletes of resources whose identity a declared, enabled
// resource of another kind has or gets. Twilio routes messages to a flow as long as it
// is there, so the order is: disable the flow, create or enable the address, and only
// when the answer was right, delete the flow. With --no-delete, the flow is disabled
// and kept.
func (p *Plan) move(places places) {
	to := func(o *schema.Object) (key schema.Key, ok bool) {
		i := slices.IndexFunc(places[o.Route()], func(at place) bool { return at.key.Kind != o.Kind })
		if i < 0 {
			return key, false
		}
		return places[o.Route()][i].key, true
	}
	entering := make(map[schema.Key]bool) // what gets its identity by a change
	for i := range p.Changes {
		if c := &p.Changes[i]; c.After.Claim() != (schema.TypedClaim{}) && (c.Before == nil || c.Before.Claim().Claim != c.After.Claim().Claim) {
			entering[c.Key] = true
		}
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.Action != Delete || c.CopyOf != "" {
			continue
		}
		if key, ok := to(c.Before); ok {
			c.MovedTo = key.ID
			if c.Before.Enabled() && entering[key] {
				p.Changes = append(p.Changes, disableStep(c))
			}
		}
	}
	for i := range p.Kept {
		k := &p.Kept[i]
		if key, ok := to(&k.Object); ok && k.Object.Enabled() && k.CopyOf == "" {
			off := disableStep(&Change{Key: k.Key, SID: k.SID, Before: &k.Object})
			off.Step, off.MovedTo = "", key.ID
			p.Summary.Update++
			p.Changes = append(p.Changes, off)
		}
	}
}

// places are the declared resources that are or will be enabled, by what Twilio
// routes to them.
type places map[schema.Claim][]place

type place struct {
	key schema.Key
	pos yamldoc.Pos
}

func placesOf(matches []match) places {
	found := make(places)
	for i := range matches {
		mt := &matches[i]
		if mt.after.Claim() != (schema.TypedClaim{}) {
			route := mt.after.Route()
			found[route] = append(found[route], place{mt.after.Key(), mt.want.Pos})
		}
	}
	return found
}

// warnHeld warns of declared resources whose identity an enabled resource of another
// kind has that no file declares and the run leaves as it is: it is ignored, say.
func (p *Plan) warnHeld(in Input, matches []match, places places) {
	changed := make(map[string]bool, len(p.Changes))
	for i := range p.Changes {
		changed[p.Changes[i].SID] = true
	}
	for i := range matches {
		if mt := &matches[i]; mt.want != nil && mt.have != nil {
			changed[mt.have.SID] = true // the rules of package schema look at two declarations
		}
	}
	for i := range in.Snapshot.Resources {
		r := &in.Snapshot.Resources[i]
		if !r.Enabled() || changed[r.SID] {
			continue
		}
		for _, at := range places[r.Route()] {
			if at.key.Kind != r.Kind {
				p.Warnings = append(p.Warnings, Notice{Code: warnIdentityHeld, Source: &at.pos, Message: fmt.Sprintf(
					"%s %s has the identity of %s %s (%s), which this run leaves enabled: Twilio routes messages to the flow as long as it is there",
					at.key.Kind.Name, safetext.Quote(at.key.ID), r.Kind.Name, safetext.Quote(r.ID()), r.SID)})
			}
		}
	}
}
