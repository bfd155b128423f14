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

// Limit is the most flows that a run may delete: a number, or a share of the
// flows that are looked at, rounded up. The zero value is DefaultLimit's
// share, and was not given by anyone.
type Limit struct {
	given   bool
	percent bool
	n       int
}

// DefaultPercent is the share of the flows looked at that may be deleted when
// nobody says otherwise.
const DefaultPercent = 25

// ParseLimit reads "N" or "P%".
func ParseLimit(s string) (Limit, error) {
	digits, percent := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil || n < 0 || strings.HasPrefix(digits, "+"):
		return Limit{}, fmt.Errorf("%q is neither a number of flows (3) nor a share of them (25%%)", s)
	case percent && n > 100:
		return Limit{}, fmt.Errorf("%s is more than all flows: use 0%% to 100%%", s)
	}
	return Limit{given: true, percent: percent, n: n}, nil
}

// Of returns the number of flows that may be deleted when looked are looked at.
func (l Limit) Of(looked int) int {
	switch {
	case !l.given:
		return (looked*DefaultPercent + 99) / 100
	case l.percent:
		return (looked*l.n + 99) / 100
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

// wrongAccount says why the account is not the one that is meant, or "".
func wrongAccount(in Input) string {
	type claim struct{ account, from string }
	var shown []claim // what the answers of the API say
	if sid := in.Snapshot.AccountSID; sid != "" {
		shown = append(shown, claim{sid, "the flows belong to account"})
	}
	for _, owner := range in.Directory.Owners() {
		shown = append(shown, claim{owner.AccountSID, "the " + owner.Noun + "s belong to account"})
	}
	has := claim{in.ExpectAccount, "the credentials are for account"}
	if len(shown) > 0 {
		has = shown[0]
	}
	if want := in.Config.AccountSID; want != "" && has.account != "" && want != has.account {
		return fmt.Sprintf("%s says account_sid %s, and %s %s: use the other account's credentials, or its files",
			in.Config.AccountSIDPos, want, has.from, safetext.Line(has.account))
	}
	if want := in.ExpectAccount; want != "" && has.account != want {
		return fmt.Sprintf("the credentials are for account %s, and %s %s: check TWILIO_ACCOUNT_SID and the API key",
			want, has.from, safetext.Line(has.account))
	}
	for _, other := range shown {
		if other.account != has.account {
			return fmt.Sprintf("%s %s, and %s %s: check what is between flexsync and the API",
				has.from, safetext.Line(has.account), other.from, safetext.Line(other.account))
		}
	}
	return ""
}

// guard adds the refusals that concern the plan as a whole. wrong is why the
// account is not the one that is meant, or "".
func (p *Plan) guard(in Input, wrong string, looked int) {
	cfg := in.Config
	if wrong != "" {
		// Nothing else that could be said of another account's flows helps.
		p.refuse(RefuseWrongAccount, "%s", wrong)
		return
	}

	deletes := 0
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Action == Delete && c.CopyOf == "" {
			deletes++
		}
	}
	limit := in.MaxDeletes.Of(looked)
	switch {
	case len(cfg.Flows) == 0 && deletes > 0 && (!in.MaxDeletes.given || deletes > limit):
		p.refuse(RefuseEmptyConfig, "the YAML declares no flow, so all %d flows of the account would be deleted: if that is meant, say --max-deletes %d", deletes, deletes)
	case deletes > limit:
		p.refuse(RefuseMaxDeletes, "%d of the %d flows looked at would be deleted, and the limit is %d (%s): check the files; if it is meant, say --max-deletes %d",
			deletes, looked, limit, in.MaxDeletes, deletes)
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

// warnNames adds what would be errors if the plan were not refused anyway.
func (p *Plan) warnNames(problems yamldoc.Problems) {
	for _, problem := range problems {
		message := problem.Path + ": " + problem.Message
		if problem.Hint != "" {
			message += ": " + problem.Hint
		}
		p.Warnings = append(p.Warnings, Notice{Code: warnName, Message: message, Source: &problem.Pos})
	}
}

// warn adds what is allowed and likely a mistake.
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
					Message: fmt.Sprintf("flow %s moves to another chat service: conversations under way stay in the old one", name)})
			}
		case Create:
			if old, ok := gone[place{c.After.ChannelType, c.After.ContactIdentity}]; ok && old.Before.IntegrationType == c.After.IntegrationType {
				p.Warnings = append(p.Warnings, Notice{Code: warnLikelyRename, Source: c.Source,
					Message: fmt.Sprintf("flow %s is created for the identity of %s, which is deleted: to rename that flow and keep its SID, write `renamed_from: [%s]`",
						name, safetext.Quote(old.FriendlyName), safetext.Quote(old.FriendlyName))})
			}
		}
	}
}

// warnKept warns of what the flows that the run leaves as they are (ignored,
// outside --only, kept, or unchanged) do to the flows that it changes.
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
				Message: fmt.Sprintf("flow %s is changed, and its copy %s is kept by --no-delete: the two will differ, and the next plan is refused until the copy is deleted or one of them is pinned",
					safetext.Quote(k.FriendlyName), k.SID)})
		}
	}
}
