package schema

import (
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/glob"
	"flexsync/internal/yamldoc"
)

// check applies the rules that hold across flows and files.
func (c *contents) check() {
	c.checkAccounts()
	c.checkNames()
	c.checkPins()
	c.checkIdentities()
	c.checkIgnored()
}

func (c *contents) problem(pos yamldoc.Pos, at path, what complaint) {
	c.problems = append(c.problems, yamldoc.Problem{Pos: pos, Path: at.String(), Message: what.message, Hint: what.hint})
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

// nameUse is a flow's use of a name, as its own or as an old one.
type nameUse struct {
	flow int
	old  int // in renamed_from, counted from 1; 0 is the flow's name
}

// what is what the flow uses the name for, for a message.
func (u nameUse) what() string {
	if u.old > 0 {
		return "old name"
	}
	return "name"
}

// nameUses is the uses of one name that a later use is checked against, as indexes
// into the list of all uses; -1 is none.
type nameUses struct{ first, firstUnpinned int }

// checkNames refuses two declarations of one name, unless both are pinned: an
// unpinned one could not tell which resource is meant.
func (c *contents) checkNames() {
	var uses []nameUse
	names := make(map[string]nameUses, len(c.flows))
	add := func(name string, u nameUse) {
		uses = append(uses, u)
		pinned := c.facts[u.flow].pinned
		known, used := names[name]
		if !used {
			known = nameUses{first: len(uses) - 1, firstUnpinned: -1}
		}
		rival := known.first
		if pinned {
			rival = known.firstUnpinned
		}
		if !pinned && known.firstUnpinned < 0 {
			known.firstUnpinned = len(uses) - 1
		}
		names[name] = known
		if used && uses[known.first].flow == u.flow {
			c.repeated(name, uses[known.first], u)
		} else if used && rival >= 0 {
			c.problem(c.posOf(u), c.pathOf(u), complaint{
				fmt.Sprintf("the %s %s is already the %s of the flow at %s", u.what(), yamldoc.Quote(name), uses[rival].what(), c.posOf(uses[rival])),
				"remove one, or pin each flow to its resource with sid"})
		}
	}
	for i := range c.flows {
		if !c.facts[i].unsure.Has(FieldFriendlyName) {
			add(c.flows[i].Flow.FriendlyName, nameUse{flow: i})
		}
	}
	for i := range c.flows {
		for j, name := range c.flows[i].RenamedFrom {
			add(name, nameUse{flow: i, old: j + 1})
		}
	}
}

// repeated reports a name that one flow has twice.
func (c *contents) repeated(name string, first, again nameUse) {
	message := fmt.Sprintf("renamed_from lists %s, the flow's own name", yamldoc.Quote(name))
	if first.old > 0 {
		message = fmt.Sprintf("renamed_from lists %s twice, first at %s", yamldoc.Quote(name), c.posOf(first))
	}
	c.problem(c.posOf(again), c.pathOf(again), complaint{message, "remove it"})
}

func (c *contents) posOf(u nameUse) yamldoc.Pos {
	if u.old > 0 {
		return c.facts[u.flow].renamed[u.old-1]
	}
	return c.facts[u.flow].name
}

func (c *contents) pathOf(u nameUse) path {
	if u.old > 0 {
		return c.facts[u.flow].path().at("renamed_from").entry(u.old)
	}
	return c.facts[u.flow].path().at("friendly_name")
}

// checkPins refuses two flows that are pinned to one resource.
func (c *contents) checkPins() {
	seen := map[string]int{}
	for i := range c.flows {
		sid := strings.ToLower(c.flows[i].SID)
		if sid == "" {
			continue
		}
		if first, taken := seen[sid]; taken {
			c.problem(c.flows[i].Pos, c.facts[i].path().at("sid"), complaint{
				fmt.Sprintf("%s is already pinned by the flow at %s", c.flows[i].SID, c.flows[first].Pos), "remove one of the pins"})
			continue
		}
		seen[sid] = i
	}
}

// checkIdentities looks for flows that Twilio does not let be enabled side by
// side. Where ignore_changes may keep other values in the account, it only warns.
func (c *contents) checkIdentities() {
	relevant := fieldChannelType.Bit() | FieldContactIdentity.Bit() | FieldEnabled.Bit() | FieldIntegrationType.Bit()
	first := make(map[TypedClaim]int, len(c.flows))
	firstOfAny := make(map[Claim]int, len(c.flows)) // whatever the integration type
	for i := range c.flows {
		f := &c.flows[i].Flow
		exact := f.TypedClaim()
		if exact == (TypedClaim{}) || f.IntegrationType == "" || c.facts[i].unsure&relevant != 0 {
			continue
		}
		other, collides := first[exact]
		if !collides {
			first[exact] = i
			var shared bool
			if other, shared = firstOfAny[exact.Claim]; !shared {
				firstOfAny[exact.Claim] = i
				continue
			}
		}
		pair := fmt.Sprintf("flows %s and %s (at %s) are both enabled for %s %s",
			yamldoc.Quote(f.FriendlyName), yamldoc.Quote(c.flows[other].Flow.FriendlyName), c.flows[other].Pos, f.ChannelType, yamldoc.Quote(f.ContactIdentity))
		loose := (c.flows[i].IgnoreChanges | c.flows[other].IgnoreChanges) & relevant
		switch {
		case collides && loose == 0:
			c.problem(c.flows[i].Pos, c.facts[i].path(), complaint{
				fmt.Sprintf("%s with integration_type %s: Twilio refuses this (error 45210)", pair, f.IntegrationType),
				"disable one with enabled: false, or change its identity"})
		case collides:
			c.warn(i, fmt.Sprintf("%s with integration_type %s: Twilio refuses this (error 45210), unless ignore_changes keeps other values in the account", pair, f.IntegrationType))
		default:
			c.warn(i, fmt.Sprintf("%s, with integration_type %s and %s: Twilio delivers messages to only one of them", pair, f.IntegrationType, c.flows[other].Flow.IntegrationType))
		}
	}
}

func (c *contents) warn(flow int, message string) {
	c.warnings = append(c.warnings, Warning{Code: "identity-shared", Message: message, Pos: c.flows[flow].Pos})
}

// checkIgnored refuses a flow that is both declared and ignored, and an old name
// that can never be renamed.
func (c *contents) checkIgnored() {
	if len(c.ignore) == 0 {
		return
	}
	refuse := func(pos yamldoc.Pos, at path, what string, matches func(glob.Glob) bool) bool {
		i := slices.IndexFunc(c.ignore, func(g placed[glob.Glob]) bool { return matches(g.value) })
		if i >= 0 {
			g := c.ignore[i]
			c.problem(pos, at, complaint{fmt.Sprintf("%s is declared, but ignore lists %s at %s", what, yamldoc.Quote(g.value.String()), g.pos),
				"remove one: an ignored flow is never changed"})
		}
		return i >= 0
	}
	for i := range c.flows {
		flow, known := &c.flows[i], &c.facts[i]
		name, sid := flow.Flow.FriendlyName, flow.SID
		byName := !known.unsure.Has(FieldFriendlyName) &&
			refuse(known.name, known.path().at("friendly_name"), "flow "+yamldoc.Quote(name), func(g glob.Glob) bool { return g.MatchName(name) })
		if !byName && sid != "" {
			refuse(flow.Pos, known.path().at("sid"), "flow "+sid, func(g glob.Glob) bool { return g.MatchSID(sid) })
		}
		for j, old := range flow.RenamedFrom {
			refuse(known.renamed[j], known.path().at("renamed_from").entry(j+1), "old name "+yamldoc.Quote(old), func(g glob.Glob) bool { return g.MatchName(old) })
		}
	}
}
