package plan

import (
	"fmt"
	"strconv"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
	"flexsync/state"
)

// Limit is how many resources of a kind a run may delete at most: a number, or a
// percentage of those in scope, rounded up. The zero value is [DefaultPercent], and means
// that the user set no limit.
type Limit struct {
	given   bool
	percent bool
	n       int
}

// DefaultPercent is the percentage of what is in scope that may be deleted when
// the user sets no limit.
const DefaultPercent = 25

// ParseLimit reads the argument of --max-deletes: "N", 0 or more, or "P%", 0 to
// 100.
func ParseLimit(s string) (Limit, error) {
	digits, percent := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil || n < 0 || strings.HasPrefix(digits, "+"):
		return Limit{}, fmt.Errorf("%q is neither a number (3) nor a percentage (25%%)", s)
	case percent && n > 100:
		return Limit{}, fmt.Errorf("%s is out of range: use 0%% to 100%%", s)
	}
	return Limit{given: true, percent: percent, n: n}, nil
}

// Of returns how many may be deleted when so many are in scope.
func (l Limit) Of(inScope int) int {
	switch {
	case !l.given:
		return (inScope*DefaultPercent + 99) / 100
	case l.percent:
		return (inScope*l.n + 99) / 100
	}
	return l.n
}

func (l Limit) String() string {
	switch {
	case !l.given:
		return strconv.Itoa(DefaultPercent) + "%"
	case l.percent:
		return strconv.Itoa(l.n) + "%"
	}
	return strconv.Itoa(l.n)
}

func (p *Plan) refuse(code, format string, args ...any) {
	p.Refusals = append(p.Refusals, Notice{Code: code, Message: fmt.Sprintf(format, args...)})
}

// wrongAccount says why the account is not the intended one, or "".
func wrongAccount(in Input) string {
	type owner struct{ account, source string }
	var shown []owner // as the answers of the API say
	if sid := in.Snapshot.AccountSID; sid != "" {
		shown = append(shown, owner{sid, "the " + in.Config.Kinds[0].Plural + " belong to account"})
	}
	for _, o := range in.Directory.Owners() {
		shown = append(shown, owner{o.AccountSID, "the " + o.Noun + "s belong to account"})
	}
	has := owner{in.ExpectAccount, "the credentials are for account"}
	if len(shown) > 0 {
		has = shown[0]
	}
	if want := in.Config.AccountSID; want != "" && has.account != "" && want != has.account {
		return fmt.Sprintf("%s says account_sid %s, but %s %s: use the credentials and the files of the same account",
			in.Config.AccountSIDPos, want, has.source, safetext.Line(has.account))
	}
	if want := in.ExpectAccount; want != "" && has.account != want {
		return fmt.Sprintf("the credentials are for account %s, but %s %s: check TWILIO_ACCOUNT_SID and the API key",
			want, has.source, safetext.Line(has.account))
	}
	for _, other := range shown {
		if other.account != has.account {
			return fmt.Sprintf("%s %s, but %s %s: check for a proxy or cache between flexsync and the API",
				has.source, safetext.Line(has.account), other.source, safetext.Line(other.account))
		}
	}
	return ""
}

// guard adds the refusals that concern the plan as a whole. wrong is from
// wrongAccount, inScope is how many resources of the account are in scope.
func (p *Plan) guard(in Input, wrong string, inScope map[*schema.Kind]int) {
	if wrong != "" {
		// Nothing else about another account helps.
		p.refuse(RefuseWrongAccount, "%s", wrong)
		return
	}
	for _, k := range in.Config.Kinds {
		p.guardKind(k, in, inScope[k])
	}
	p.refuseTaken(in)
}

// refuseTaken refuses what the API would refuse to create: a resource whose identity
// an ignored one has.
func (p *Plan) refuseTaken(in Input) {
	ignored := make(map[schema.Key]string) // SIDs
	for i := range in.Snapshot.Resources {
		if r := &in.Snapshot.Resources[i]; r.Kind.ByContact() && p.State[r.SID] == (Seen{}) {
			ignored[r.Key()] = r.SID
		}
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		if sid := ignored[c.Key]; c.Action == Create && sid != "" {
			p.Refusals = append(p.Refusals, Notice{Code: RefuseDuplicateRemote, Source: c.Source, Message: fmt.Sprintf(
				"%s %s (%s) cannot be created: %s, which is ignored, has the identity, and Twilio allows one %[1]s of each: stop ignoring it, or remove the declaration",
				c.Kind.Name, safetext.Quote(c.ID), c.Source, sid)})
		}
	}
}

func (p *Plan) guardKind(k *schema.Kind, in Input, inScope int) {
	there, creates, deletes, others := 0, 0, 0, 0 // others are deletes that lose nothing
	for i := range in.Snapshot.Resources {
		if in.Snapshot.Resources[i].Kind == k {
			there++
		}
	}
	for i := range p.Changes {
		switch c := &p.Changes[i]; {
		case c.Kind != k:
		case c.Action == Create:
			creates++
		case c.Action == Delete && (c.CopyOf != "" || c.MovedTo != ""):
			others++
		case c.Action == Delete:
			deletes++
		}
	}
	limit := in.MaxDeletes.Of(inScope)
	switch {
	case len(in.Config.Resources) == 0 && deletes > 0 && (!in.MaxDeletes.given || deletes > limit):
		p.refuse(RefuseEmptyConfig, "the YAML declares no %s, so all %d %[1]s of the account would be deleted: to delete them, pass --max-deletes %[2]d", k.Plural, deletes)
	case deletes > limit:
		p.refuse(RefuseMaxDeletes, "%d of the %d %s in scope would be deleted, and the limit is %d (%s): check the files; to delete them, pass --max-deletes %[1]d",
			deletes, inScope, k.Plural, limit, in.MaxDeletes)
	}
	if n := there + creates - deletes - others; k.Limit > 0 && creates > 0 && n > k.Limit {
		p.refuse(RefuseAccountFull, "the account would have %d %s, ignored ones included, but Twilio allows %d: declare fewer, or delete some", n, k.Plural, k.Limit)
	}
}

// The codes of the plan's own warnings; those of the YAML are schema's.
const (
	warnLikelyRename = "likely-rename"
	warnIdentityHeld = "identity-held"
	warnCopyKept     = "copy-kept"
	warnReplaceKept  = "replace-kept"
	warnName         = "name-missing"
)

// warnNames adds as warnings what would be errors if the plan were not refused.
func (p *Plan) warnNames(problems yamldoc.Problems) {
	for _, problem := range problems {
		message := problem.Path + ": " + problem.Message
		if problem.Hint != "" {
			message += ": " + problem.Hint
		}
		p.Warnings = append(p.Warnings, Notice{Code: warnName, Message: message, Source: &problem.Pos})
	}
}

// warn adds what is allowed but likely a mistake.
func (p *Plan) warn(in Input) {
	for _, w := range in.Config.Warnings {
		pos := w.Pos
		p.Warnings = append(p.Warnings, Notice{Code: w.Code, Message: w.Message, Source: &pos})
	}
	p.warnKept(in)
	gone := make(map[schema.Object][]*Change)
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Action == Delete && c.CopyOf == "" && c.MovedTo == "" {
			gone[likeness(c.Before)] = append(gone[likeness(c.Before)], c)
		}
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		warn := func(code, format string, args ...any) {
			message := fmt.Sprintf("%s %s ", c.Kind.Name, safetext.Quote(c.ID)) + fmt.Sprintf(format, args...)
			p.Warnings = append(p.Warnings, Notice{Code: code, Source: c.Source, Message: message})
		}
		switch {
		case c.Action == Update && c.Step == "":
			for f := range c.Kind.In(schema.Differ(c.Before, c.After)) {
				if f.Warn.Code != "" && c.Before.Get(f) != nil {
					warn(f.Warn.Code, "%s", f.Warn.Message)
				}
			}
		case c.Action == Create && c.Replaces == "":
			like := likeness(c.After)
			if len(gone[like]) == 0 {
				continue
			}
			old := gone[like][0]
			gone[like] = gone[like][1:]
			name, how := safetext.Quote(old.ID), "is created for the identity of %s"
			if c.After.Get(c.Kind.Contact) == nil {
				how = "looks like a rename of %s (" + old.SID + ")"
			}
			warn(warnLikelyRename, how+", which is deleted: to rename that %s and keep its SID, add `renamed_from: [%[1]s]`", name, c.Kind.Name)
		}
	}
}

// likeness is what a resource keeps when somebody only changes its name: its contact,
// or, without one, everything but switches.
func likeness(o *schema.Object) schema.Object {
	k := o.Kind
	keeps := k.Channel.Bit() | k.Contact.Bit() | k.Variant.Bit()
	if o.Get(k.Contact) == nil {
		for i := range k.Fields {
			if f := &k.Fields[i]; f != k.ID && (f.Type != schema.Bool || f.Variants != nil) {
				keeps |= f.Bit()
			}
		}
	}
	like := schema.Object{Kind: k}
	like.Copy(o, keeps)
	return like
}

// warnKept warns where a resource that the run leaves as it is (ignored, outside
// --only, kept, or unchanged) gets in the way of one that it changes.
func (p *Plan) warnKept(in Input) {
	changed := make(map[string]*Change, len(p.Changes))
	for i := range p.Changes {
		if c := &p.Changes[i]; c.SID != "" {
			changed[c.SID] = c // the last step of a resource stands
		}
	}
	held := make(map[schema.Claim][]*state.Resource)
	for i := range in.Snapshot.Resources {
		if r := &in.Snapshot.Resources[i]; changed[r.SID] == nil {
			held[r.Claim().Claim] = append(held[r.Claim().Claim], r)
		}
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		var holder *state.Resource
		outcome := "Twilio may refuse it (45210), since their integration types differ"
		is := c.After.Claim()
		for _, r := range held[is.Claim] {
			if r.Kind != c.Kind || c.Kind.ByContact() || !enters(c.Before.Claim(), is, r.Claim()) {
				continue
			}
			if holder == nil || r.Claim() == is {
				holder = r
			}
			if r.Claim() == is {
				outcome = "Twilio refuses it (45210)"
			}
		}
		if holder != nil {
			p.Warnings = append(p.Warnings, Notice{Code: warnIdentityHeld, Source: c.Source,
				Message: fmt.Sprintf("%s %s takes the identity of %s (%s), which this run leaves enabled: %s",
					c.Kind.Name, safetext.Quote(c.ID), safetext.Quote(holder.ID()), holder.SID, outcome)})
		}
	}
	for _, k := range p.Kept {
		if c := changed[k.CopyOf]; k.CopyOf != "" && c != nil {
			p.Warnings = append(p.Warnings, Notice{Code: warnCopyKept, Source: c.Source,
				Message: fmt.Sprintf("%s %s changes, but --no-delete keeps its copy %s: the two will differ, and the next plan is refused until you delete the copy or pin one of them",
					k.Kind.Name, safetext.Quote(k.ID), k.SID)})
		}
	}
}
