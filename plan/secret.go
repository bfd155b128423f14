package plan

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/internal/secret"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
	"flexsync/state"
)

// Secret is a field of a change whose new value holds a secret variable. Template
// is the value with ${name} in place of each secret: a saved plan takes them from
// the environment again.
type Secret struct {
	Path     string `json:"path"`
	Template string `json:"template"`
}

// hide notes the secrets of a declaration, and those of the resource that it
// matches: the account may have an earlier value of the same secret.
func (p *Plan) hide(want *schema.Declared, have *state.Resource) {
	for _, s := range want.Secrets {
		p.mask.Add(want.Text(s.Field))
		if have != nil {
			p.mask.Add(have.Text(s.Field))
		}
	}
}

// secretsOf is the secrets of a declaration that a change to after sends, without those
// beside a password that is written out: see [Plan.Saveable].
func secretsOf(want *schema.Declared, after *schema.Object) []Secret {
	var secrets []Secret
	for _, s := range want.Secrets {
		if after.Get(s.Field) == want.Get(s.Field) && !hasPassword(s.Template) {
			secrets = append(secrets, Secret{s.Field.Path, s.Template})
		}
	}
	return secrets
}

var (
	userinfoRE  = regexp.MustCompile(`://([^/?#]*)@`)
	referenceRE = regexp.MustCompile(`\$\{\w+\}`)
)

// hasPassword reports whether a template has a password written out: userinfo in which
// more than the user name is no variable.
func hasPassword(template string) bool {
	m := userinfoRE.FindStringSubmatch(template)
	if m == nil {
		return false
	}
	user, password, found := strings.Cut(m[1], ":")
	if !found {
		password = user
	}
	return referenceRE.ReplaceAllString(password, "") != ""
}

// Mask hides what no output of the plan, and of what becomes of it, may show.
func (p *Plan) Mask() *secret.Mask { return &p.mask }

// Masked returns the plan as outputs show it: without secrets, and without the
// userinfo of URLs.
func (p *Plan) Masked() *Plan {
	m := *p
	value := func(f *schema.Field, v schema.Value) schema.Value {
		if s, ok := v.(string); ok && f.Enum == nil {
			return p.mask.Value(s)
		}
		return v
	}
	notices := func(list []Notice) []Notice {
		list = slices.Clone(list)
		for i := range list {
			list[i].Message = p.mask.Text(list[i].Message)
		}
		return list
	}
	m.Changes = slices.Clone(p.Changes)
	for i := range m.Changes {
		c := &m.Changes[i]
		c.Before, c.After = MaskObject(&p.mask, c.Before), MaskObject(&p.mask, c.After)
		c.Fields = slices.Clone(c.Fields)
		for j := range c.Fields {
			f := &c.Fields[j]
			row := c.Kind.Field(f.Path)
			f.Before, f.After = value(row, f.Before), value(row, f.After)
		}
	}
	m.Kept = slices.Clone(p.Kept)
	for i := range m.Kept {
		m.Kept[i].Object = *MaskObject(&p.mask, &m.Kept[i].Object)
	}
	m.Names = maps.Clone(p.Names)
	maps.DeleteFunc(m.Names, func(sid, _ string) bool { return p.mask.Hides(sid) })
	m.Warnings, m.Refusals = notices(p.Warnings), notices(p.Refusals)
	return &m
}

// MaskObject returns a resource as outputs show it; nil for nil. What identifies it
// is never hidden.
func MaskObject(m *secret.Mask, o *schema.Object) *schema.Object {
	if o == nil {
		return nil
	}
	masked := *o
	for f := range o.Kind.In(o.Kind.All() &^ o.Kind.ID.Bit()) {
		// A secret may be a word that the API uses, too.
		if s := o.Text(f); f.Enum == nil && m.Hides(s) {
			masked.Set(f, m.Value(s))
		}
	}
	return &masked
}

// Saveable refuses to save a plan that sends something which the document must not
// hold and nothing can restore: credentials that are written out in the YAML.
func (p *Plan) Saveable() error {
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.After == nil {
			continue
		}
		for f := range c.Kind.In(c.Kind.All() &^ c.Kind.ID.Bit()) {
			text := c.After.Text(f)
			kept := c.Before != nil && c.Before.Text(f) == text
			if p.mask.Hides(text) && !kept && !slices.ContainsFunc(c.Secrets, func(s Secret) bool { return s.Path == f.Path }) {
				return fmt.Errorf("%s of %s %s (%s) holds credentials, and a saved plan must not", f.Path, c.Kind.Name, safetext.Quote(c.ID), c.Source)
			}
		}
	}
	return nil
}

// MissingSecretsError names the secret variables that a saved plan needs.
type MissingSecretsError struct{ Names []string }

func (e *MissingSecretsError) Error() string {
	return "the saved plan needs secret variables that are not set: " + strings.Join(e.Names, ", ")
}

// Unmask makes a plan that was read from a document one that can be carried out:
// with the values of the account, of which it is not stale, and those of the secret
// variables. A variable that has another value than when the plan was made is
// returned as moved. The error is a *MissingSecretsError, or a *DamagedError.
func (p *Plan) Unmask(snap *state.Snapshot, lookup func(name string) (string, bool)) (moved []Moved, err error) {
	bySID := make(map[string]*schema.Object, len(snap.Resources))
	for i := range snap.Resources {
		bySID[snap.Resources[i].SID] = &snap.Resources[i].Object
	}
	missing := make(map[string]bool)
	value := func(name string) (string, bool) {
		value, set := lookup(name)
		p.mask.Add(value)
		return value, set
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.SID != "" {
			p.learn(c.Before, bySID[c.SID])
			c.Before = bySID[c.SID]
		}
		if c.After == nil {
			continue
		}
		after := *c.After
		for f := range c.Kind.In(c.Kind.All() &^ c.Kind.ID.Bit()) {
			shown := after.Text(f)
			at := slices.IndexFunc(c.Secrets, func(s Secret) bool { return s.Path == f.Path })
			switch {
			case at >= 0:
				text, unset := yamldoc.Fill(c.Secrets[at].Template, value)
				for _, name := range unset {
					missing[name] = true
				}
				if unset == nil && secret.Shown(text) != shown {
					moved = append(moved, Moved{c.Key, c.SID, "has a secret in " + f.Path + " that is another one now"})
				}
				p.mask.Add(text)
				after.Set(f, text)
			case !secret.IsShown(shown):
			case c.Before != nil && (secret.Shown(c.Before.Text(f)) == shown || safetext.MaskUserinfo(c.Before.Text(f)) == shown):
				after.Set(f, c.Before.Text(f))
			default:
				return nil, &DamagedError{Reason: fmt.Sprintf("%s of %s %s is not known", f.Path, c.Kind.Name, safetext.Quote(c.ID))}
			}
		}
		c.After = &after
		c.Fields = diff(c.Before, c.After)
	}
	for i := range p.Kept {
		k := &p.Kept[i]
		if o := bySID[k.SID]; o != nil {
			p.learn(&k.Object, o)
			k.Object = *o
		}
	}
	if len(missing) > 0 {
		return nil, &MissingSecretsError{slices.Sorted(maps.Keys(missing))}
	}
	return moved, nil
}

// learn makes the mask hide what the document hides of a resource.
func (p *Plan) learn(shown, real *schema.Object) {
	if shown == nil || real == nil {
		return
	}
	for f := range real.Kind.In(real.Kind.All()) {
		if text := real.Text(f); text != "" && shown.Text(f) == secret.Shown(text) {
			p.mask.Add(text)
		}
	}
}
