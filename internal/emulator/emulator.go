// Package emulator is an embedded Twilio account: the FlexFlows API, the addresses
// of the Conversations API, and what Conversations, Studio and TaskRouter say of
// the resources that a flow or an address points to, read-only. It is written
// against Twilio's OpenAPI files, and used by `flexsync emulate`, by `--local` and
// by the tests, for which package emutest adds what can go wrong between it and a
// client.
//
// What it promises:
//
//   - Every answer it gives by itself conforms to the OpenAPI files, paging and
//     error documents included, so that Twilio's own SDKs can use it.
//   - It is stricter than Twilio. What the documentation does not allow (an
//     unknown or repeated parameter, a bool that is neither true nor false, a
//     token it did not hand out) is refused rather than guessed at.
//   - A write that was answered is kept. With a file, it is on disk before the
//     answer leaves; when it cannot be written, the answer is a 500 and the
//     account is as it was. Several processes may share one file.
//   - A listing is never silently short: resources that are deleted or created
//     while it is paged through neither hide nor repeat the others.
//
// What is not documented of the real API is a switch in [Behaviour], most of them
// for tests.
//
// The package models nothing behind a flow or an address: SIDs are checked for
// their form but never looked up, no message is routed, and no other resource can
// be written. It deliberately shares no type with the client in this module, so
// that a mistake in one cannot hide in the other.
package emulator

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// DefaultAccountSID is the account that is emulated when neither the options
// nor the data name one.
const DefaultAccountSID = "AC00000000000000000000000000000001"

// Options says what to emulate. The zero value is an empty account in memory
// that accepts any password.
type Options struct {
	// File keeps the account, as JSON in the API's own keys. It is read by New
	// when it exists, and made by the first write when it does not, with mode
	// 0600. Empty means in memory only.
	File string

	// Seed is a document of the same format to start from. A File that exists
	// wins over it, so that a restart continues where the last run ended.
	Seed []byte

	// AccountSID is the account's SID. Empty means the one the data names, or
	// else DefaultAccountSID; one that contradicts the data is an error.
	AccountSID string

	// AuthToken is the password that goes with the account's SID, and with any
	// API key (SK…). Empty means that every password but the empty one will do.
	AuthToken string

	// Now is the account's clock, time.Now when nil. Delays do not follow it.
	Now func() time.Time

	// Behaviour decides what Twilio does not document.
	Behaviour Behaviour

	// Latency is how long every request waits before it is carried out.
	Latency time.Duration

	// RateLimit is how many requests a second are let through in total; those
	// beyond it are answered 429 without being carried out. What one second leaves
	// unused, up to the limit, a later one may use in one burst. 0 means no limit.
	RateLimit float64

	// Limits are rate limits for each endpoint of the flows.
	Limits Limits

	// AddressLimits are rate limits for each endpoint of the addresses. Twilio
	// documents none.
	AddressLimits Limits

	// RetryAfter is the Retry-After header of a 429 answer, in whole seconds. 0
	// means that there is none.
	RetryAfter time.Duration

	// MaxPageSize, for tests, caps the page size below what was asked for, so
	// that a few resources make several pages. 0 means the API's own maximum.
	MaxPageSize int
}

// Limits are requests a second to each endpoint of a kind, 0 for no limit.
type Limits struct{ List, Fetch, Create, Update, Delete float64 }

// DocumentedLimits are Twilio's for flows. The page does not print the unit; others of its
// rows are per second: https://www.twilio.com/docs/flex/developer/messaging/limits
var DocumentedLimits = Limits{List: 10, Fetch: 2, Create: 2, Update: 1, Delete: 2}

// Behaviour holds a switch for each thing that is not documented about the real
// API. The zero value is the likeliest behaviour, except for EnabledDefault. The
// switches hold for flows and addresses alike where their description does not say
// otherwise; "nested" are the properties inside integration and auto_creation.
type Behaviour struct {
	// Collisions refuses (45210) an enabled flow whose channel type, contact
	// identity and integration type are those of another enabled flow. Flows
	// without an identity never collide.
	Collisions bool

	// CollideAcrossTypes makes Collisions refuse such a flow whatever the two
	// integration types are. Twilio's texts allow both readings.
	CollideAcrossTypes bool

	// RefuseHeld refuses (400) an enabled address while an enabled flow has the
	// identity, and the reverse.
	RefuseHeld bool

	// HeldByDisabled makes RefuseHeld refuse an enabled address while a disabled
	// flow has the identity, too.
	HeldByDisabled bool

	// EnabledDefault is whether a create without Enabled makes an enabled
	// resource. Twilio documents no default; false stands for flows because it
	// exposes a client that relies on one, and is likely for addresses.
	EnabledDefault bool

	// EmptyDoesNotClear makes an update with an empty value leave the property as
	// it is, instead of clearing it: the ContactIdentity of a flow, the FriendlyName
	// and the AutoCreation.ConversationServiceSid of an address.
	EmptyDoesNotClear bool

	// EmptyRefused refuses an empty value of these, in a create and in an update,
	// so that they can never be cleared.
	EmptyRefused bool

	// NothingToClear refuses an empty value of these where there is none to clear:
	// in a create, and in an update of a resource without one.
	NothingToClear bool

	// ReplaceIntegration makes an update that touches the nested properties start
	// from nothing, instead of keeping those that it does not name.
	ReplaceIntegration bool

	// KeepForeign keeps nested properties that belong to another type, and answers
	// them, instead of dropping them.
	KeepForeign bool

	// NullIntegration answers integration and auto_creation as null, which the
	// OpenAPI files permit.
	NullIntegration bool

	// NullKeys answers every nested property, also those of other types, as null
	// where there is no value; for an address the undocumented binding_name too.
	NullKeys bool

	// NumbersAsStrings answers nested numbers and bools as JSON strings.
	NumbersAsStrings bool

	// OtherCase answers an address's types in capitals, and its webhook method and
	// filters in lower case: otherwise, types and filters are as they were sent,
	// and the method is in capitals.
	OtherCase bool

	// BareWhatsApp answers the addresses of WhatsApp without their prefix, and
	// makes the bare and the prefixed form one address.
	BareWhatsApp bool

	// NullDateUpdated answers date_updated as null until the first update.
	NullDateUpdated bool

	// ClampPageSize cuts a page size above the maximum down to it, instead of
	// refusing it.
	ClampPageSize bool

	// UnorderedPages answers the items of a page in no useful order.
	UnorderedPages bool

	// ListLag is how far listings of flows and addresses lag behind the writes: a
	// page shows them as they were that long ago. A fetch is never late. What the
	// server starts with is never too new to show.
	ListLag time.Duration

	// MissingCode is the code of the error for a flow or an address that does not
	// exist, 20404 when 0. The Flex family also has 45006, 45201 and 45205 for it.
	MissingCode int

	// StudioStatus is the status of every answer of Studio, such as 401 or 403. 0
	// means that Studio answers.
	StudioStatus int
}

// Server is one emulated account. It is safe for concurrent use.
type Server struct {
	opts   Options
	file   *file // nil when in memory
	limits limits

	mu   sync.Mutex // guards acct, past and file.seen
	acct *account   // never changed, only replaced
	past history    // what late listings show
}

// New returns a server for the account that opts describe. It fails when the
// file or the seed is not a valid document, when the file could never be
// written where it is said to be, and when an account SID contradicts another.
func New(opts Options) (*Server, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.AccountSID != "" && !isSID("AC", opts.AccountSID) {
		return nil, fmt.Errorf("account SID %q is not AC and 32 hex digits", opts.AccountSID)
	}
	lowest := opts.RateLimit
	for _, l := range [...]Limits{opts.Limits, opts.AddressLimits} {
		lowest = min(lowest, l.List, l.Fetch, l.Create, l.Update, l.Delete)
	}
	if lowest < 0 || opts.MaxPageSize < 0 || opts.Latency < 0 || opts.RetryAfter < 0 {
		return nil, errors.New("a rate limit, a page size, a latency and a Retry-After cannot be negative")
	}
	s := &Server{opts: opts, limits: newLimits(opts)}

	acct, err := s.load()
	if err != nil {
		return nil, err
	}
	s.acct = acct
	s.remember()
	return s, nil
}

// load returns the account that the server starts with.
func (s *Server) load() (*account, error) {
	if s.opts.File != "" {
		f, err := openFile(s.opts.File)
		if err != nil {
			return nil, err
		}
		s.file = f
		if data, modified, err := f.read(); err != nil {
			return nil, err
		} else if data != nil {
			acct, err := decodeAccount(data, s.opts.AccountSID, modified)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.opts.File, err)
			}
			return acct, nil
		}
	}
	seed := s.opts.Seed
	if seed == nil {
		seed = []byte("{}")
	}
	acct, err := decodeAccount(seed, s.opts.AccountSID, s.opts.Now())
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	return acct, nil
}

// AccountSID returns the SID of the emulated account, which never changes.
func (s *Server) AccountSID() string { return s.current().sid }

// current returns the account as of the last request.
func (s *Server) current() *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acct
}

// Snapshot returns the whole account as of the last request, in the format of the
// local file.
func (s *Server) Snapshot() []byte {
	s.mu.Lock() // because encoding keeps the text of each record
	defer s.mu.Unlock()
	return s.acct.encode()
}

// Edit changes the account without the API, as somebody at the Console would. It
// passes to change what [Server.Snapshot] returns; what change returns becomes the
// account, under the rules of the local file: what is left out is filled in. Change
// must not use the server. When it fails, the account is as it was.
func (s *Server) Edit(change func(document []byte) ([]byte, error)) error {
	return s.commit(func(a *account) error {
		document, err := change(a.encode())
		if err != nil {
			return err
		}
		next, err := decodeAccount(document, a.sid, s.opts.Now())
		if err != nil {
			return err
		}
		next.renumber(a)
		*a = *next
		return nil
	})
}
