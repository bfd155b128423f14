// Package state reads what a Twilio account holds now.
//
// A [Snapshot] is a whole listing or an error: a page that is missing, comes
// twice or repeats a flow must never become a shorter list, since what is not
// in the list looks as if it had to be created, and what is declared nowhere
// is deleted. Flows are decoded leniently and normalised, so that they compare
// with == to what the YAML declares.
//
// The package decides nothing: what a difference means is the plan's business.
package state

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/schema"
)

// Flow is one Flex Flow resource of the account.
type Flow struct {
	SID         string
	AccountSID  string // "" when the answer did not tell
	DateCreated string // RFC 3339, so that text order is time order; may be ""
	schema.Flow
}

// Older reports whether f is the one of two copies that stays: the older, by
// date_created, then the one of the lower SID. Every run computes the same.
// A flow without a date counts as the youngest.
func (f *Flow) Older(g *Flow) bool {
	switch {
	case f.DateCreated == g.DateCreated:
		return f.SID < g.SID
	case f.DateCreated == "":
		return false
	case g.DateCreated == "":
		return true
	}
	return f.DateCreated < g.DateCreated
}

// Digest identifies a flow's content, dates and URL left out, as "sha256:…".
func Digest(f *schema.Flow) string {
	sum := sha256.Sum256(f.AppendJSON(make([]byte, 0, 512)))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Snapshot is an account's flows at one moment, sorted by friendly name, then
// SID, whatever order the API has.
type Snapshot struct {
	// AccountSID is the account that the flows say they belong to, or "" when
	// there is none that says.
	AccountSID string
	Flows      []Flow
}

// Lister lists an account's flows: visit gets the pages' items in order, each
// of them valid JSON. It returns nil only after the last page.
type Lister interface {
	ListFlows(ctx context.Context, visit func(items []json.RawMessage) error) error
}

// Read lists the account whole. Flows of several accounts in one listing, a
// SID that comes twice, and an item that is not a flow are errors.
func Read(ctx context.Context, l Lister) (*Snapshot, error) {
	s := &Snapshot{}
	var t tally
	err := l.ListFlows(ctx, func(items []json.RawMessage) error {
		s.Flows = slices.Grow(s.Flows, len(items))
		for _, item := range items {
			f, err := Decode(item)
			if err != nil {
				return fmt.Errorf("flow %d of the listing: %w", len(s.Flows)+1, err)
			}
			if err := t.add("flow", f.SID, f.AccountSID); err != nil {
				return err
			}
			s.Flows = append(s.Flows, f)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list flows: %w", err)
	}
	s.AccountSID = t.account
	s.sort()
	return s, nil
}

func (s *Snapshot) sort() {
	slices.SortFunc(s.Flows, func(a, b Flow) int {
		return cmp.Or(cmp.Compare(a.FriendlyName, b.FriendlyName), cmp.Compare(a.SID, b.SID))
	})
}

// tally is what a listing, of whatever kind, has shown so far: enough to know
// that it is whole and of one account.
type tally struct {
	account string // "" until an item says
	seen    map[string]struct{}
}

// add counts an item in, unless the listing contradicts itself.
func (t *tally) add(noun, sid, account string) error {
	if _, twice := t.seen[sid]; twice {
		return fmt.Errorf("the listing has %s %s twice, so other %ss may be missing from it; run again", noun, sid, noun)
	}
	if t.seen == nil {
		t.seen = make(map[string]struct{})
	}
	t.seen[sid] = struct{}{}
	switch {
	case account == "" || account == t.account:
	case t.account == "":
		t.account = account
	default:
		return fmt.Errorf("the listing mixes accounts %s and %s", safetext.Line(t.account), safetext.Line(account))
	}
	return nil
}

// Decode reads one flow as the API lists it. Numbers and bools may come as
// strings; null and missing are the documented default; keys of other
// integration types and unknown keys are skipped. A missing SID or a value of
// another type is an error.
func Decode(item json.RawMessage) (Flow, error) {
	var f Flow
	members, err := object(item)
	if err != nil {
		return f, err
	}
	if f.SID, err = text(members["sid"]); err != nil {
		return f, fmt.Errorf("sid: %w", err)
	}
	if f.AccountSID, err = text(members["account_sid"]); err != nil {
		return f, fmt.Errorf("account_sid: %w", err)
	}
	if f.DateCreated, err = text(members["date_created"]); err != nil {
		return f, fmt.Errorf("date_created: %w", err)
	}
	if !schema.IsSID("FO", f.SID) {
		return f, fmt.Errorf("sid: %s is not the SID of a flow", safetext.Quote(f.SID))
	}
	var integration map[string]json.RawMessage
	if raw := members["integration"]; !isNull(raw) {
		if integration, err = object(raw); err != nil {
			return f, fmt.Errorf("flow %s: integration: %w", f.SID, err)
		}
	}
	for i := range schema.Fields {
		field := &schema.Fields[i]
		if !field.AppliesTo(f.IntegrationType) {
			continue
		}
		raw := members[field.Path]
		if key, ok := strings.CutPrefix(field.Path, "integration."); ok {
			raw = integration[key]
		}
		v, err := lenient(field, raw)
		if err != nil {
			return f, fmt.Errorf("flow %s: %s: %w", f.SID, field.Path, err)
		}
		if v == nil {
			continue
		}
		if err := field.Set(&f.Flow, v); err != nil {
			return f, fmt.Errorf("flow %s: %w", f.SID, err)
		}
	}
	return f, nil
}

// object returns the members of a JSON object.
func object(raw json.RawMessage) (members map[string]json.RawMessage, err error) {
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return nil, errors.New("not a JSON object")
	}
	return members, nil
}

// lenient reads a value of the field's type. Null and missing are nil, or,
// inside the integration, the documented default: the API leaves out what was
// never set. Outside it only `enabled` has a default that is not the zero
// value, and that default is ours: a flow that does not say is off.
func lenient(field *schema.Field, raw json.RawMessage) (schema.Value, error) {
	if isNull(raw) || string(raw) == `""` {
		if field.Types != nil {
			return field.Default, nil
		}
		return nil, nil
	}
	switch field.Kind {
	case schema.String:
		return text(raw)
	case schema.Bool:
		switch strings.ToLower(strings.Trim(string(raw), `"`)) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	case schema.Int:
		text := strings.Trim(string(raw), `"`)
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		if x, err := strconv.ParseFloat(text, 64); err == nil && x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return int64(x), nil
		}
	}
	return nil, fmt.Errorf("%s is no %s", safetext.Line(string(raw)), field.Kind)
}

// text reads a JSON string; null and missing are "".
func text(raw json.RawMessage) (s string, err error) {
	if isNull(raw) {
		return "", nil
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fmt.Errorf("%s is not a string", safetext.Line(string(raw)))
	}
	return s, nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
