package schema

import (
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/glob"
	"flexsync/internal/yamldoc"
)

// check applies the rules that hold across resources and files.
func (c *contents) check() {
	c.checkAccounts()
	c.checkNames()
	c.checkPins()
	c.checkIdentities()
	c.checkRoutes()
	c.checkIgnored()
}

func (c *contents) problem(pos yamldoc.Pos, at path, what complaint) {
	c.problems = append(c.problems, yamldoc.Problem{Pos: pos, Path: at.String(), Message: what.Message, Hint: what.Hint})
}

func (c *contents) checkAccounts() {
	for _, a := range c.accounts {
		if first := c.accounts[0]; a.value != first.value {
			c.problem(a.pos, path{key: "account_sid"}, complaint{
				fmt.Sprintf("account_sid is %s, but %s at %s", a.value, first.value, first.pos),
				"run flexsync once for each account"})
		}
	}
}

// nameUse is a resource's use of a name, as its own or as an old one.
type nameUse struct {
	of  int // in declared
	old int // in renamed_from, counted from 1; 0 is the resource's name
}

// where says what the name is used for, and where it is written.
func (c *contents) where(u nameUse) (what string, pos yamldoc.Pos, at path) {
	if u.old > 0 {
		return "old name", c.facts[u.of].renamed[u.old-1], c.path(u.of).at("renamed_from").nth(u.old)
	}
	return "name", c.facts[u.of].name, c.path(u.of).at(c.declared[u.of].Kind.ID.Path)
}

// checkNames refuses two declarations of one name, unless both are pinned: an
// unpinned one could not tell which resource is meant.
func (c *contents) checkNames() {
	// The first uses of a name: by any resource, and by one that is not pinned.
	first := make(map[Key]nameUse, len(c.declared))
	unpinned := make(map[Key]nameUse)
	add := func(name string, u nameUse) {
		what, pos, at := c.where(u)
		o := &c.declared[u.of]
		kind, key := o.Kind, Key{o.Kind, name}
		before, used := first[key]
		rival, rivals := before, used
		if c.facts[u.of].pinned {
			rival, rivals = unpinned[key]
		} else if _, known := unpinned[key]; !known {
			unpinned[key] = u
		}
		if !used {
			first[key] = u
		}
		if i := slices.Index(o.RenamedFrom, name); 0 <= i && i+1 < u.old {
			c.problem(pos, at, complaint{fmt.Sprintf("renamed_from lists %s twice, first at %s", yamldoc.Quote(name), c.facts[u.of].renamed[i]), "remove it"})
		} else if used && before.of == u.of {
			c.problem(pos, at, complaint{fmt.Sprintf("renamed_from lists %s, the %s's own name", yamldoc.Quote(name), kind.Name), "remove it"})
		} else if rivals {
			whose, taken, _ := c.where(rival)
			wrong := complaint{
				fmt.Sprintf("the %s %s is already the %s of the %s at %s", what, yamldoc.Quote(name), whose, kind.Name, taken),
				fmt.Sprintf("remove one, or pin each %s to its resource with sid", kind.Name)}
			if kind.ByContact() {
				wrong = complaint{fmt.Sprintf("%s %s is already declared at %s", kind.Name, yamldoc.Quote(name), taken), "remove one"}
			}
			c.problem(pos, at, wrong)
		}
	}
	for i := range c.declared {
		if o := &c.declared[i]; !c.facts[i].unsure.Has(o.Kind.ID) {
			add(o.ID(), nameUse{of: i})
		}
	}
	for i := range c.declared {
		for j, name := range c.declared[i].RenamedFrom {
			add(name, nameUse{of: i, old: j + 1})
		}
	}
}

// checkPins refuses two declarations that are pinned to one resource.
func (c *contents) checkPins() {
	seen := map[string]int{}
	for i := range c.declared {
		o := &c.declared[i]
		sid := strings.ToLower(o.SID)
		if sid == "" {
			continue
		}
		if first, taken := seen[sid]; taken {
			c.problem(o.Pos, c.path(i).at("sid"), complaint{
				fmt.Sprintf("%s is already pinned by the %s at %s", o.SID, o.Kind.Name, c.declared[first].Pos), "remove one of the pins"})
			continue
		}
		seen[sid] = i
	}
}

// checkIdentities looks for resources that Twilio does not let be enabled side by
// side. Where ignore_changes may keep other values in the account, it only warns.
func (c *contents) checkIdentities() {
	first := make(map[TypedClaim]int, len(c.declared))
	firstOfAny := make(map[Claim]int, len(c.declared)) // whatever the variant
	for i := range c.declared {
		o := &c.declared[i]
		k := o.Kind
		relevant := k.Channel.Bit() | k.Contact.Bit() | k.Enabled.Bit() | k.Variant.Bit()
		exact := o.Claim()
		if k.ByContact() || exact == (TypedClaim{}) || exact.Variant == "" || c.facts[i].unsure&relevant != 0 {
			continue
		}
		at, collides := first[exact]
		if !collides {
			first[exact] = i
			var shared bool
			if at, shared = firstOfAny[exact.Claim]; !shared {
				firstOfAny[exact.Claim] = i
				continue
			}
		}
		other := &c.declared[at]
		if o.Key() == other.Key() && !(c.facts[i].pinned && c.facts[at].pinned) {
			continue // their name is reported
		}
		pair := fmt.Sprintf("%s %s and %s (at %s) are both enabled for %s %s",
			k.Plural, yamldoc.Quote(o.ID()), yamldoc.Quote(other.ID()), other.Pos, exact.Channel, yamldoc.Quote(c.mask.Value(exact.Contact)))
		loose := (o.IgnoreChanges | other.IgnoreChanges) & relevant
		switch {
		case collides && loose == 0:
			c.problem(o.Pos, c.path(i), complaint{
				fmt.Sprintf("%s with %s %s: Twilio refuses this (error 45210)", pair, k.Variant.Path, exact.Variant),
				"disable one with enabled: false, or change its identity"})
		case collides:
			c.warn(i, fmt.Sprintf("%s with %s %s: Twilio refuses this (error 45210), unless ignore_changes keeps other values in the account", pair, k.Variant.Path, exact.Variant))
		default:
			c.warn(i, fmt.Sprintf("%s, with %s %s and %s: Twilio delivers messages to only one of them", pair, k.Variant.Path, exact.Variant, other.Variant()))
		}
	}
}

// checkRoutes looks for an enabled address beside a flow of its identity. Twilio
// routes messages to the flow as long as it is there.
func (c *contents) checkRoutes() {
	roles := func(i int) (o *Declared, sure bool) {
		o = &c.declared[i]
		k := o.Kind
		return o, c.facts[i].unsure&(k.Channel.Bit()|k.Contact.Bit()|k.Enabled.Bit()) == 0
	}
	flows := make(map[Claim][]int)
	for i := range c.declared {
		if o, sure := roles(i); sure && !o.Kind.ByContact() && o.Get(o.Kind.Contact) != nil {
			flows[o.Route()] = append(flows[o.Route()], i)
		}
	}
	for i := range c.declared {
		o, sure := roles(i)
		if !sure || !o.Kind.ByContact() || !o.Enabled() {
			continue
		}
		for _, j := range flows[o.Route()] {
			flow := &c.declared[j]
			loose := flow.IgnoreChanges&(flow.Kind.Channel.Bit()|flow.Kind.Contact.Bit()|flow.Kind.Enabled.Bit()) != 0 || o.IgnoreChanges.Has(o.Kind.Enabled)
			name, other := o.Kind.Name, flow.Kind.Name
			this, that := name+" "+yamldoc.Quote(o.ID()), fmt.Sprintf("%s %s (at %s)", other, yamldoc.Quote(flow.ID()), flow.Pos)
			first := fmt.Sprintf(": Twilio delivers its messages to the %s as long as it is there", other)
			switch {
			case flow.Enabled() && !loose:
				c.problem(o.Pos, c.path(i), complaint{this + " and " + that + " are both enabled for one identity" + first,
					fmt.Sprintf("remove the %s, or disable one of them", other)})
			case flow.Enabled():
				c.warn(i, this+" and "+that+" are both enabled for one identity, unless ignore_changes keeps another value in the account"+first)
			default:
				c.warn(i, fmt.Sprintf("%s stands beside the disabled %s of its identity: messages may not reach the %s until the %s is deleted", this, that, name, other))
			}
		}
	}
}

func (c *contents) warn(i int, message string) {
	c.warnings = append(c.warnings, Warning{Code: "identity-shared", Message: message, Pos: c.declared[i].Pos})
}

// checkIgnored refuses a resource that is both declared and ignored, and an old name
// that can never be renamed.
func (c *contents) checkIgnored() {
	if len(c.ignore) == 0 {
		return
	}
	refuse := func(k *Kind, pos yamldoc.Pos, at path, what string, matches func(glob.Glob) bool) bool {
		i := slices.IndexFunc(c.ignore, func(g placed[glob.Glob]) bool { return matches(g.value) })
		if i >= 0 {
			g := c.ignore[i]
			c.problem(pos, at, complaint{fmt.Sprintf("%s is declared, but ignore lists %s at %s", what, yamldoc.Quote(g.value.String()), g.pos),
				fmt.Sprintf("remove one: an ignored %s is never changed", k.Name)})
		}
		return i >= 0
	}
	for i := range c.declared {
		o, known, at := &c.declared[i], &c.facts[i], c.path(i)
		k, id, sid := o.Kind, o.ID(), o.SID
		byID := !known.unsure.Has(k.ID) &&
			refuse(k, known.name, at.at(k.ID.Path), k.Name+" "+yamldoc.Quote(id), func(g glob.Glob) bool { return g.MatchName(id) })
		if !byID && sid != "" {
			refuse(k, o.Pos, at.at("sid"), k.Name+" "+sid, func(g glob.Glob) bool { return g.MatchSID(sid) })
		}
		for j, old := range o.RenamedFrom {
			refuse(k, known.renamed[j], at.at("renamed_from").nth(j+1), "old name "+yamldoc.Quote(old), func(g glob.Glob) bool { return g.MatchName(old) })
		}
	}
}
