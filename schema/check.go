package schema

import (
	"fmt"
	"slices"
	"strings"

	"flexsync/internal/glob"
	"flexsync/internal/yamldoc"
)

// check holds what all files declare together against the rules across flows.
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
				fmt.Sprintf("account_sid is %s here and %s at %s", a.value, first.value, first.pos),
				"run flexsync once for each account"})
		}
	}
}

// claim is a name that a flow declares to be its own, now or before.
type claim struct {
	flow int
	old  int // in renamed_from, counted from 1; 0 is the flow's name
}

func (cl claim) String() string {
	if cl.old > 0 {
		return "an old name"
	}
	return "a flow"
}

// claimed is the claims on one name that a later one is held against, as
// indexes into the list of all claims; -1 is none.
type claimed struct{ first, firstUnpinned int }

// checkNames refuses two declarations of one name, unless both are pinned: an
// unpinned one could not tell which resource is meant.
func (c *contents) checkNames() {
	claims := make([]claim, 0, len(c.flows))
	names := make(map[string]claimed, len(c.flows))
	add := func(name string, cl claim) {
		claims = append(claims, cl)
		pinned := c.facts[cl.flow].pinned
		held, taken := names[name]
		if !taken {
			held = claimed{first: len(claims) - 1, firstUnpinned: -1}
		}
		rival := held.first
		if pinned {
			rival = held.firstUnpinned
		}
		if !pinned && held.firstUnpinned < 0 {
			held.firstUnpinned = len(claims) - 1
		}
		names[name] = held
		if taken && claims[held.first].flow == cl.flow {
			c.repeated(name, claims[held.first], cl)
		} else if taken && rival >= 0 {
			c.problem(c.posOf(cl), c.pathOf(cl), complaint{
				fmt.Sprintf("the name %s is declared twice: here as %s, and as %s at %s", yamldoc.Quote(name), cl, claims[rival], c.posOf(claims[rival])),
				"keep one, or pin each of them to its resource with sid"})
		}
	}
	for i := range c.flows {
		if !c.facts[i].unsure.Has(FieldFriendlyName) {
			add(c.flows[i].Flow.FriendlyName, claim{flow: i})
		}
	}
	for i := range c.flows {
		for j, name := range c.flows[i].RenamedFrom {
			add(name, claim{flow: i, old: j + 1})
		}
	}
}

// repeated reports a name that one flow has twice.
func (c *contents) repeated(name string, first, again claim) {
	message := fmt.Sprintf("renamed_from has %s, which is the flow's own name", yamldoc.Quote(name))
	if first.old > 0 {
		message = fmt.Sprintf("renamed_from has %s twice, the first time at %s", yamldoc.Quote(name), c.posOf(first))
	}
	c.problem(c.posOf(again), c.pathOf(again), complaint{message, "remove one"})
}

func (c *contents) posOf(cl claim) yamldoc.Pos {
	if cl.old > 0 {
		return c.facts[cl.flow].renamed[cl.old-1]
	}
	return c.facts[cl.flow].name
}

func (c *contents) pathOf(cl claim) path {
	if cl.old > 0 {
		return c.facts[cl.flow].path().at("renamed_from").entry(cl.old)
	}
	return c.facts[cl.flow].path().at("friendly_name")
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
				fmt.Sprintf("%s is pinned twice: here and by the flow at %s", c.flows[i].SID, c.flows[first].Pos), "remove one of them"})
			continue
		}
		seen[sid] = i
	}
}

// checkIdentities looks for flows that Twilio would not let be enabled side by
// side. A flow whose declared values may not be those of the account, since
// they are in ignore_changes, is only warned of.
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
				fmt.Sprintf("%s with integration_type %s: Twilio refuses that (error 45210)", pair, f.IntegrationType),
				"disable one with enabled: false, or change its identity"})
		case collides:
			c.warn(i, fmt.Sprintf("%s with integration_type %s, and ignore_changes leaves open whether the account has them so: Twilio refuses that (error 45210)", pair, f.IntegrationType))
		default:
			c.warn(i, fmt.Sprintf("%s, with integration_type %s and %s: Twilio delivers to one of them", pair, f.IntegrationType, c.flows[other].Flow.IntegrationType))
		}
	}
}

func (c *contents) warn(flow int, message string) {
	c.warnings = append(c.warnings, Warning{Code: "identity-shared", Message: message, Pos: c.flows[flow].Pos})
}

// checkIgnored refuses a flow that is declared and ignored at once, and an old
// name that could never be renamed.
func (c *contents) checkIgnored() {
	if len(c.ignore) == 0 {
		return
	}
	refuse := func(pos yamldoc.Pos, at path, what string, matches func(glob.Glob) bool) bool {
		i := slices.IndexFunc(c.ignore, func(g placed[glob.Glob]) bool { return matches(g.value) })
		if i >= 0 {
			g := c.ignore[i]
			c.problem(pos, at, complaint{fmt.Sprintf("%s is declared, and ignore has %s at %s", what, yamldoc.Quote(g.value.String()), g.pos),
				"remove one of them: an ignored flow is never changed"})
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
