// Package state reads what a Twilio account holds now.
//
// A [Snapshot] is a complete listing or an error: a page that is missing or
// repeated must never become a shorter list, since a plan would create again what
// the list lacks. Flows are decoded leniently and normalised, so that they compare
// with == to what the YAML declares.
//
// The package decides nothing: package plan decides what a difference means.
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
	AccountSID  string // "" if the answer has none
	DateCreated string // RFC 3339, so that text order is time order; may be ""
	schema.Flow
}

// Older reports whether f, of two copies, is the one that stays: the older by
// date_created, then the one with the lower SID. A flow without a date counts as
// the youngest. The order is total, so that every run keeps the same copy.
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

// Digest returns "sha256:" and 64 hex digits that identify a flow's content: two
// flows have one Digest if they are equal.
func Digest(f *schema.Flow) string {
	sum := sha256.Sum256(f.AppendJSON(make([]byte, 0, 512)))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Snapshot is an account's flows at one moment, sorted by friendly name, then by
// SID.
type Snapshot struct {
	// AccountSID is the account that the flows belong to, or "" if no flow names
	// one.
	AccountSID string
	Flows      []Flow
}

// Lister lists an account's flows: it calls visit with each page's items in order,
// each of them valid JSON, and returns nil only after the last page.
type Lister interface {
	ListFlows(ctx context.Context, visit func(items []json.RawMessage) error) error
}

// Read lists all flows of the account. A listing with flows of several accounts, a
// SID that occurs twice, or an item that is not a flow is an error.
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

// tally is what a listing has shown so far: enough to know that it is complete and
// of one account.
type tally struct {
	account string // "" until an item names one
	seen    map[string]struct{}
}

// add counts an item, or says how the listing contradicts itself.
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
		if field.Variants != nil {
			return field.Default, nil
		}
		return nil, nil
	}
	switch field.Type {
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
	return nil, fmt.Errorf("expected %s, found %s", field.Type, safetext.Line(string(raw)))
}

// text reads a JSON string; null and missing are "".
func text(raw json.RawMessage) (s string, err error) {
	if isNull(raw) {
		return "", nil
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fmt.Errorf("expected a string, found %s", safetext.Line(string(raw)))
	}
	return s, nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
