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

// Limit is how many flows a run may delete at most: a number, or a percentage of
// the flows in scope, rounded up. The zero value is [DefaultPercent], and means
// that the user set no limit.
type Limit struct {
	given   bool
	percent bool
	n       int
}

// DefaultPercent is the percentage of the flows in scope that may be deleted when
// the user sets no limit.
const DefaultPercent = 25

// ParseLimit reads the argument of --max-deletes: "N", 0 or more, or "P%", 0 to
// 100.
func ParseLimit(s string) (Limit, error) {
	digits, percent := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil || n < 0 || strings.HasPrefix(digits, "+"):
		return Limit{}, fmt.Errorf("%q is neither a number of flows (3) nor a percentage (25%%)", s)
	case percent && n > 100:
		return Limit{}, fmt.Errorf("%s is out of range: use 0%% to 100%%", s)
	}
	return Limit{given: true, percent: percent, n: n}, nil
}

// Of returns how many flows may be deleted when so many are in scope.
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
		shown = append(shown, owner{sid, "the flows belong to account"})
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
// wrongAccount, inScope is how many flows of the account are in scope.
func (p *Plan) guard(in Input, wrong string, inScope int) {
	cfg := in.Config
	if wrong != "" {
		// Nothing else about the flows of another account helps.
		p.refuse(RefuseWrongAccount, "%s", wrong)
		return
	}

	deletes := 0
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Action == Delete && c.CopyOf == "" {
			deletes++
		}
	}
	limit := in.MaxDeletes.Of(inScope)
	switch {
	case len(cfg.Flows) == 0 && deletes > 0 && (!in.MaxDeletes.given || deletes > limit):
		p.refuse(RefuseEmptyConfig, "the YAML declares no flows, so all %d flows of the account would be deleted: to delete them, pass --max-deletes %d", deletes, deletes)
	case deletes > limit:
		p.refuse(RefuseMaxDeletes, "%d of the %d flows in scope would be deleted, and the limit is %d (%s): check the files; to delete them, pass --max-deletes %d",
			deletes, inScope, limit, in.MaxDeletes, deletes)
	}
}

// The codes of the plan's own warnings; those of the YAML are schema's.
const (
	warnChatService  = "chat-service-change"
	warnLikelyRename = "likely-rename"
	warnIdentityHeld = "identity-held"
	warnCopyKept     = "copy-kept"
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
	type place struct{ channel, identity string }
	gone := make(map[place]*Change)
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Action == Delete && c.Before.ContactIdentity != "" {
			gone[place{c.Before.ChannelType, c.Before.ContactIdentity}] = c
		}
	}
	p.warnKept(in)
	for i := range p.Changes {
		c := &p.Changes[i]
		name := safetext.Quote(c.FriendlyName)
		switch c.Action {
		case Update:
			if c.Step == "" && c.Before.ChatServiceSID != "" && c.Before.ChatServiceSID != c.After.ChatServiceSID {
				p.Warnings = append(p.Warnings, Notice{Code: warnChatService, Source: c.Source,
					Message: fmt.Sprintf("flow %s moves to another chat service: ongoing conversations stay in the old one", name)})
			}
		case Create:
			if old, ok := gone[place{c.After.ChannelType, c.After.ContactIdentity}]; ok && old.Before.IntegrationType == c.After.IntegrationType {
				p.Warnings = append(p.Warnings, Notice{Code: warnLikelyRename, Source: c.Source,
					Message: fmt.Sprintf("flow %s is created for the identity of %s, which is deleted: to rename that flow and keep its SID, add `renamed_from: [%s]`",
						name, safetext.Quote(old.FriendlyName), safetext.Quote(old.FriendlyName))})
			}
		}
	}
}

// warnKept warns where a flow that the run leaves as it is (ignored, outside
// --only, kept, or unchanged) gets in the way of one that it changes.
func (p *Plan) warnKept(in Input) {
	changed := make(map[string]*Change, len(p.Changes))
	for i := range p.Changes {
		if c := &p.Changes[i]; c.SID != "" {
			changed[c.SID] = c // the last step of a flow stands
		}
	}
	held := make(map[schema.Claim][]*state.Flow)
	for i := range in.Snapshot.Flows {
		if f := &in.Snapshot.Flows[i]; changed[f.SID] == nil {
			held[f.Claim()] = append(held[f.Claim()], f)
		}
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		var holder *state.Flow
		outcome := "Twilio may refuse it (45210), since their integration types differ"
		is := claimOf(c.After)
		for _, f := range held[is.Claim] {
			if !enters(claimOf(c.Before), is, f.TypedClaim()) {
				continue
			}
			if holder == nil || f.TypedClaim() == is {
				holder = f
			}
			if f.TypedClaim() == is {
				outcome = "Twilio refuses it (45210)"
			}
		}
		if holder != nil {
			p.Warnings = append(p.Warnings, Notice{Code: warnIdentityHeld, Source: c.Source,
				Message: fmt.Sprintf("flow %s takes the identity of %s (%s), which this run leaves enabled: %s",
					safetext.Quote(c.FriendlyName), safetext.Quote(holder.FriendlyName), holder.SID, outcome)})
		}
	}
	for _, k := range p.Kept {
		if c := changed[k.CopyOf]; k.CopyOf != "" && c != nil {
			p.Warnings = append(p.Warnings, Notice{Code: warnCopyKept, Source: c.Source,
				Message: fmt.Sprintf("flow %s changes, but --no-delete keeps its copy %s: the two will differ, and the next plan is refused until you delete the copy or pin one of them",
					safetext.Quote(k.FriendlyName), k.SID)})
		}
	}
}
