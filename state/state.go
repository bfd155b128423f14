// Package state reads what a Twilio account holds now.
//
// A [Snapshot] is a complete listing or an error: a page that is missing or
// repeated must never become a shorter list, since a plan would create again what
// the list lacks. Resources are decoded leniently and normalised, so that they
// compare with == to what the YAML declares.
//
// The package decides nothing: package plan decides what a difference means.
package state

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"flexsync/internal/flexapi"
	"flexsync/internal/safetext"
	"flexsync/schema"
)

// Resource is one resource of the account.
type Resource struct {
	SID         string
	AccountSID  string // "" if the answer has none
	DateCreated string // RFC 3339, so that text order is time order; may be ""
	schema.Object
}

// Older reports whether r, of two copies, is the one that stays: the older by
// date_created, then the one with the lower SID. One without a date counts as the
// youngest. The order is total, so that every run keeps the same copy.
func (r *Resource) Older(other *Resource) bool {
	switch {
	case r.DateCreated == other.DateCreated:
		return r.SID < other.SID
	case r.DateCreated == "":
		return false
	case other.DateCreated == "":
		return true
	}
	return r.DateCreated < other.DateCreated
}

// Digest returns "sha256:" and 64 hex digits that identify a resource's content:
// two resources have one Digest if they are equal.
func Digest(o *schema.Object) string {
	text, _ := o.MarshalJSON() // as in String
	return fmt.Sprintf("sha256:%x", sha256.Sum256(text))
}

// Snapshot is an account's resources at one moment, of the kinds that were listed:
// sorted by kind, then by what identifies them, then by SID.
type Snapshot struct {
	// AccountSID is the account that the resources belong to, or "" if none names
	// one.
	AccountSID string
	Kinds      []*schema.Kind // that were listed; nil is flows alone
	Resources  []Resource
}

// listed returns the kinds that were listed.
func (s *Snapshot) listed() []*schema.Kind {
	if s.Kinds == nil {
		return []*schema.Kind{schema.Flows}
	}
	return s.Kinds
}

// Lister lists collections of Twilio's products. It must be safe for concurrent
// use.
type Lister interface {
	// List calls visit with each page's items in order, as encoding/json decodes them,
	// and returns nil only after the last page. The error for a collection that does not
	// exist is a *flexapi.Error with Status 404.
	List(ctx context.Context, of flexapi.Collection, visit func(items []any) error) error
}

// kinds is where the resources of each kind are. The page sizes are the maxima of
// PageSize in the OpenAPI files.
var kinds = map[*schema.Kind]flexapi.Collection{
	// https://www.twilio.com/docs/flex/developer/messaging/api/flow
	schema.Flows: {Product: flexapi.Flex, Path: "/v1/FlexFlows", Key: "flex_flows", PageSize: 1000},
	// https://www.twilio.com/docs/conversations/api/address-configuration-resource
	schema.Addresses: {Product: flexapi.Conversations, Path: "/v1/Configuration/Addresses", Key: "address_configurations", PageSize: 50},
}

// Collection returns where the resources of a kind are.
func Collection(k *schema.Kind) flexapi.Collection { return kinds[k] }

// Read lists all resources of some kinds, side by side. Listings with resources of
// several accounts, a SID that occurs twice, or an item that is not of its kind is an
// error.
func Read(ctx context.Context, l Lister, kinds []*schema.Kind) (*Snapshot, error) {
	s := &Snapshot{Kinds: kinds}
	var t tally
	var mu sync.Mutex // guards both
	g, ctx := errgroup.WithContext(ctx)
	for _, k := range kinds {
		g.Go(func() error {
			n := 0
			err := l.List(ctx, Collection(k), func(items []any) error {
				mu.Lock()
				defer mu.Unlock()
				s.Resources = slices.Grow(s.Resources, len(items))
				for _, item := range items {
					n++
					r, err := decode(k, item)
					if err != nil {
						return fmt.Errorf("%s %d of the listing: %w", k.Name, n, err)
					}
					if err := t.add(k.Name, k.Plural, r.SID, r.AccountSID); err != nil {
						return err
					}
					s.Resources = append(s.Resources, r)
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("list %s: %w", k.Plural, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	s.AccountSID = t.account
	s.sort()
	return s, nil
}

func (s *Snapshot) sort() {
	slices.SortFunc(s.Resources, func(a, b Resource) int {
		return cmp.Or(a.Key().Compare(b.Key()), cmp.Compare(a.SID, b.SID))
	})
}

// tally is what a listing has shown so far: enough to know that it is complete and
// of one account.
type tally struct {
	account string // "" until an item names one
	seen    map[string]struct{}
}

// add counts an item, or says how the listing contradicts itself.
func (t *tally) add(noun, plural, sid, account string) error {
	if _, twice := t.seen[sid]; twice {
		return fmt.Errorf("the listing has %s %s twice, so other %s may be missing from it; run again", noun, sid, plural)
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

// Decode reads one resource from an answer of the API. Numbers and bools may come as
// strings; null and missing are [schema.Field.Absent]; keys of other variants and
// unknown keys are skipped. A missing SID or a value of another type is an error.
func Decode(k *schema.Kind, body json.RawMessage) (Resource, error) {
	var item any
	if err := json.Unmarshal(body, &item); err != nil {
		return Resource{}, err
	}
	return decode(k, item)
}

// decode is Decode for an item of a listing.
func decode(k *schema.Kind, item any) (r Resource, err error) {
	members, ok := item.(map[string]any)
	if !ok {
		return r, errNoObject
	}
	if r.SID, err = text(members, "sid"); err != nil {
		return r, err
	}
	if r.AccountSID, err = text(members, "account_sid"); err != nil {
		return r, err
	}
	if r.DateCreated, err = text(members, "date_created"); err != nil {
		return r, err
	}
	if !schema.IsSID(k.SID, r.SID) {
		return r, fmt.Errorf("sid: %s is not the SID of %s", safetext.Quote(r.SID), k.One())
	}
	group, ok := members[k.Group].(map[string]any)
	if !ok && members[k.Group] != nil {
		return r, fmt.Errorf("%s %s: %s: %w", k.Name, r.SID, k.Group, errNoObject)
	}
	r.Object = k.Make(nil)
	read := func(f *schema.Field) error {
		v := members[f.Key]
		if f.Inside {
			v = group[f.Key]
		}
		if !f.AppliesTo(r.Variant()) || v == nil || v == "" {
			return nil
		}
		v, ok := lenient(f, v)
		if !ok {
			return fmt.Errorf("%s %s: %s: %w", k.Name, r.SID, f.Path, unexpected(f.Type.String(), v))
		}
		r.Set(f, v)
		return nil
	}
	if err := read(k.Variant); err != nil {
		return r, err
	}
	for i := range k.Fields {
		if f := &k.Fields[i]; f != k.Variant {
			if err := read(f); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

var errNoObject = errors.New("not a JSON object")

// unexpected is the error for a value of another type.
func unexpected(expected string, v any) error {
	found, _ := json.Marshal(v) // it was decoded from JSON
	return fmt.Errorf("expected %s, found %s", expected, safetext.Line(string(found)))
}

// lenient turns a value of an answer into one of the field's type, or returns it as
// it is.
func lenient(field *schema.Field, v any) (schema.Value, bool) {
	text, isText := v.(string)
	switch field.Type {
	case schema.String:
		return v, isText
	case schema.Words:
		list, ok := v.([]any)
		words := make([]string, len(list))
		for i := range list {
			word, isText := list[i].(string)
			words[i], ok = word, ok && isText
		}
		if ok {
			return schema.NewWordSet(words), true
		}
	case schema.Bool:
		switch {
		case strings.EqualFold(text, "true"):
			return true, true
		case strings.EqualFold(text, "false"):
			return false, true
		}
		_, ok := v.(bool)
		return v, ok
	case schema.Int:
		x, ok := v.(float64)
		if isText {
			var err error
			x, err = strconv.ParseFloat(text, 64)
			ok = err == nil
		}
		if ok && x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return int64(x), true
		}
	}
	return v, false
}

// text reads a member that is a string; null and missing are "".
func text(members map[string]any, key string) (string, error) {
	v := members[key]
	s, ok := v.(string)
	if !ok && v != nil {
		return "", fmt.Errorf("%s: %w", key, unexpected("a string", v))
	}
	return s, nil
}

// Count returns how many resources of a kind there are.
func (s *Snapshot) Count(k *schema.Kind) (n int) {
	for i := range s.Resources {
		if s.Resources[i].Kind == k {
			n++
		}
	}
	return n
}
