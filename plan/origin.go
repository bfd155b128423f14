package plan

import (
	"cmp"
	"context"
	"slices"

	"flexsync/schema"
	"flexsync/state"
)

// Origin says whose difference a change is. To tell, the YAML as it was before the
// change under review, the base, is planned against the same account. Everything
// else follows from that: copies, ignored resources, pins and renames have no rules
// of their own.
type Origin string

// The origins. The zero value is that of a plan without a base.
const (
	// Config is what only the YAML's plan does: the change under review does it.
	Config Origin = "config"
	// Drift is what both plans do: somebody changed the account by hand, and apply
	// puts it back.
	Drift Origin = "drift"
	// Both is a field that the plans set to different values, and a change whose
	// fields have several origins.
	Both Origin = "both"
)

// Origins counts resources by the origin of their changes. As in [Summary], an extra
// disabling step is not counted.
type Origins struct {
	Config int `json:"config"`
	Drift  int `json:"drift"`
	Both   int `json:"both"`
}

// ComputeBase plans the base: in.Config is the base's, everything else is what the
// plan of the YAML was computed from. The plan is for [Plan.SetOrigins] alone.
//
// Its error is the context's. A glob of in.Only may match nothing: the change under
// review may be what declares it. A name that the account does not have leaves its
// field as the account has it: the YAML says something else there, or had the error.
func ComputeBase(ctx context.Context, in Input) (*Plan, error) {
	in.isBase, in.CheckRefs = true, false
	snap := *in.Snapshot // which may have kinds that the base does not manage
	snap.Resources = slices.DeleteFunc(slices.Clone(snap.Resources), func(r state.Resource) bool { return !slices.Contains(in.Config.Kinds, r.Kind) })
	in.Snapshot = &snap
	return Compute(ctx, in)
}

// sameChange identifies what a change does, whatever values it sets. SID is that of
// a resource, or "" for one that is created, which is identified by its key.
type sameChange struct {
	action Action
	step   string
	key    schema.Key
	sid    string
}

func (c *Change) same() sameChange {
	s := sameChange{action: c.Action, step: c.Step, key: schema.Key{Kind: c.Kind}, sid: c.SID}
	if c.SID == "" {
		s.key = c.Key
	}
	return s
}

// edits is the SID of what a change updates or, by its create, replaces; or "".
func (c *Change) edits() string {
	if c.Action == Update && c.Step == "" {
		return c.SID
	}
	return c.Replaces
}

// FieldsFrom returns the fields of the create of a replacement as if it updated what
// it replaces.
func (c *Change) FieldsFrom(replaced *schema.Object) (fields []FieldChange) {
	for f := range c.Kind.In(schema.Differ(replaced, c.After)) {
		change := FieldChange{Path: f.Path, Before: replaced.Get(f), After: c.After.Get(f), Origin: c.Origin}
		if c.Origin == Both {
			change.Origin = ""
			if i := slices.IndexFunc(c.Fields, func(of FieldChange) bool { return of.Path == f.Path }); i >= 0 {
				change.Origin = c.Fields[i].Origin
			}
		}
		fields = append(fields, change)
	}
	return fields
}

// SetOrigins sets the origin of each change, each field and each kept resource, and
// counts them. base is the plan of the base against the same snapshot; whether it is
// refused makes no difference.
func (p *Plan) SetOrigins(base *Plan) {
	of := make(map[sameChange]*Change, len(base.Changes))
	edits := make(map[string]*Change) // one plan may update what the other replaces
	for i := range base.Changes {
		c := &base.Changes[i]
		of[c.same()] = c
		if sid := c.edits(); sid != "" {
			edits[sid] = c
		}
	}
	p.Origins = &Origins{}
	for i := range p.Changes {
		c := &p.Changes[i]
		c.setOrigin(cmp.Or(of[c.same()], edits[c.edits()]))
		if c.Step == "" {
			p.Origins.count(c.Origin)
		}
	}
	kept := make(map[string]bool, len(base.Kept))
	for i := range base.Kept {
		kept[base.Kept[i].SID] = true
	}
	for i := range p.Kept {
		p.Kept[i].Origin = Config
		if kept[p.Kept[i].SID] {
			p.Kept[i].Origin = Drift
		}
	}
}

// setOrigin sets the origin of a change and its fields. base is what the base's plan
// does, or nil.
func (c *Change) setOrigin(base *Change) {
	after := make(map[string]schema.Value)
	if base != nil {
		for _, f := range base.Fields {
			if c.Action == Update && f.After == c.Before.Get(c.Kind.Field(f.Path)) {
				continue // a create that replaces sets all fields
			}
			after[f.Path] = f.After
		}
	}
	var origins []Origin
	for i := range c.Fields {
		f := &c.Fields[i]
		switch v, ok := after[f.Path]; {
		case !ok:
			f.Origin = Config
		case v == f.After:
			f.Origin = Drift
		default:
			f.Origin = Both
		}
		origins = append(origins, f.Origin)
	}
	switch {
	case c.Action == Create && base != nil && *c.After != *base.After:
		c.Origin = Both // one of them may set a field that the other does not have
	case len(origins) == 0 && base != nil:
		c.Origin = Drift
	case len(origins) == 0:
		c.Origin = Config
	default:
		c.Origin = origins[0]
		if slices.ContainsFunc(origins, func(o Origin) bool { return o != origins[0] }) {
			c.Origin = Both
		}
	}
}

func (o *Origins) count(origin Origin) {
	switch origin {
	case Config:
		o.Config++
	case Drift:
		o.Drift++
	case Both:
		o.Both++
	}
}
