package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"flexsync/internal/emulator"
	"flexsync/internal/flexapi"
	"flexsync/internal/render"
	"flexsync/internal/safetext"
	"flexsync/internal/secret"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// session is one account in one run: how to reach it, and what the run knows of
// it so far. Two sessions share nothing, so a run can hold many.
type session struct {
	target     target
	use        use
	accountSID string // the account that the credentials are for
	baseURL    string // as plans show it
	place      render.Place
	client     *flexapi.Client // nil: disconnected

	config    *schema.Config   // nil: the command reads no YAML
	snapshot  *state.Snapshot  // nil: not listed
	directory *state.Directory // nil: nothing was looked up
	plan      *plan.Plan       // nil: none was made or read
	adopted   []byte           // the YAML that adopts drift; see adopt
	backup    []byte           // the account as it was listed, as YAML; nil: nobody asked for it

	mask *mask
}

// mask is of the plan, or, before there is one, of its YAML. It hides what the API
// repeats.
type mask struct {
	atomic.Pointer[secret.Mask]
	known atomic.Pointer[chan struct{}] // closed when the YAML is read; nil: there is none
}

// wait lets texts of the API wait until the function that it returns is called.
func (m *mask) wait() (known func()) {
	c := make(chan struct{})
	m.known.Store(&c)
	return func() { close(c) }
}

// text is what outputs show of a text of the API.
func (m *mask) text(text string) string {
	if c := m.known.Load(); c != nil {
		<-*c
	}
	return m.Load().Text(text)
}

// localURL is where the embedded API thinks it is; nothing is ever sent there.
const localURL = "http://localhost"

// session connects to the account that the flags name. It sends nothing.
func (f *accountFlags) session(a *app, use use) (*session, error) {
	t, err := f.target(a)
	if err != nil {
		return nil, err
	}
	return t.session(a, use)
}

// use is what a command does with an account. The zero value reads it.
type use struct {
	mayMake     bool // makes the file of a local account
	parallelism int  // writes under way at once
}

// session connects to a target.
func (t target) session(a *app, use use) (*session, error) {
	s := &session{target: t, use: use, place: render.Place{Local: t.local, Profile: t.profile}, mask: &mask{}}
	if err := s.connect(a); err != nil {
		return nil, err
	}
	if s.baseURL = s.client.BaseURL(flexapi.Flex); t.local != "" {
		s.baseURL = "local"
	}
	return s, nil
}

// connect makes the client of the session.
func (s *session) connect(a *app) (err error) {
	t := s.target
	cfg := flexapi.Config{
		BaseURL: t.baseURL, Edge: t.edge, Credentials: t.credentials,
		Timeout: t.timeout, UserAgent: userAgent(a.version), Parallelism: max(s.use.parallelism, 1), Logger: a.logger, Observe: a.status.observe,
		Hide: s.mask.text,
	}
	if t.local != "" {
		if _, err := os.Stat(t.local); errors.Is(err, fs.ErrNotExist) && !s.use.mayMake {
			return inputError(fmt.Errorf("%s %s: no such file; only apply and emulate create it", t.by, safetext.Line(t.local)), "")
		}
		server, err := emulator.New(emulator.Options{File: t.local, AccountSID: s.accountSID})
		if err != nil {
			return fmt.Errorf("%s: %w", t.by, err)
		}
		sid := server.AccountSID()
		cfg.BaseURL, cfg.Transport = localURL, server.Transport()
		cfg.Credentials = flexapi.Credentials{AccountSID: sid, Username: sid, Password: "local", Source: t.by}
	}
	if s.client, err = flexapi.New(cfg); err != nil {
		return t.blame(err)
	}
	s.accountSID = cfg.Credentials.AccountSID
	return nil
}

// rest disconnects the session, and leaves of what it knows of the account what is
// still to be shown and written: a plan that shares no memory with the rest and, if
// it is to be carried out, the snapshot. So a run over many accounts needs memory for
// those under way.
func (s *session) rest(p *plan.Plan, carryOut bool) {
	if s.client != nil {
		s.client.CloseIdle()
	}
	if p != nil {
		s.mask.Store(p.Mask())
	}
	s.plan, s.client, s.config, s.directory = p, nil, nil, nil
	if !carryOut {
		s.snapshot = nil
	}
}

// list reads the account's resources of some kinds for a command that only shows them. A listing
// of an account other than that of the credentials is refused: it would pass
// for this one's.
func (s *session) list(ctx context.Context, kinds []*schema.Kind) (err error) {
	if s.snapshot, err = state.Read(ctx, s.client, kinds); err != nil {
		return err
	}
	return s.owns("the "+kinds[0].Plural+" belong", s.snapshot.AccountSID)
}

// owner is the account that the listed flows belong to.
func (s *session) owner() string { return cmp.Or(s.snapshot.AccountSID, s.accountSID) }

// lookup reads what flows refer to, for a command that only shows it.
func (s *session) lookup(ctx context.Context, wanted state.Wanted) (err error) {
	if s.directory, err = state.Lookup(ctx, s.client, wanted); err != nil {
		return err
	}
	for _, owner := range s.directory.Owners() {
		if err := s.owns("the "+owner.Noun+"s belong", owner.AccountSID); err != nil {
			return err
		}
	}
	return nil
}

// owns refuses what belongs to another account.
func (s *session) owns(what, sid string) error {
	if why := s.foreign(what, sid); why != "" {
		return &exitWith{code: exitRefused, err: errors.New(why), hint: checkCredentials}
	}
	return nil
}

const checkCredentials = "check TWILIO_ACCOUNT_SID and the API key"

// foreign explains that something belongs to another account; "" if it does
// not. An account of "" is unknown, and no reason to refuse.
func (s *session) foreign(what, sid string) string {
	if sid == "" || sid == s.accountSID {
		return ""
	}
	return fmt.Sprintf("the credentials are for account %s, but %s to account %s", s.accountSID, what, safetext.Line(sid))
}

// compute plans what in asks for. It lists the kinds that the YAML manages, and looks
// up what the YAML gives by name at the same time.
//
// What the YAML manages is known when it is read. Only where no file mentions another
// kind are the flows listed meanwhile.
func (s *session) compute(ctx context.Context, in plan.Input, load func(flowsOnly func()) (*schema.Config, error)) error {
	// Requests that are still open end with this function, however it returns.
	requests, cancel := context.WithCancel(ctx)
	defer cancel()
	listings, listing := errgroup.WithContext(requests)
	dir, client := &state.Directory{}, s.client // which an open request still uses
	var snap *state.Snapshot
	var listed []*schema.Kind
	read := func(kinds []*schema.Kind) {
		listed = kinds
		listings.Go(func() (err error) {
			snap, err = state.Read(listing, client, kinds)
			return err
		})
	}
	known := s.mask.wait()
	cfg, err := load(func() { read([]*schema.Kind{schema.Flows}) })
	if err != nil { // wrong input is reported before an account that cannot be reached
		known()
		return err
	}
	s.mask.Store(cfg.Mask)
	known()
	if !slices.Equal(listed, cfg.Kinds) {
		if err := listings.Wait(); err != nil {
			return err
		}
		listings, listing = errgroup.WithContext(requests)
		read(cfg.Kinds)
	}
	in.Config = cfg
	if wanted := plan.References(in); !wanted.Empty() {
		listings.Go(func() error { return dir.Extend(listing, client, wanted) })
	}
	if err := listings.Wait(); err != nil {
		return err
	}
	in.Snapshot, in.Directory = snap, dir
	if wanted := plan.LateReferences(in); !wanted.Empty() {
		if err := dir.Extend(requests, client, wanted); err != nil {
			return err
		}
	}
	if sids := plan.Triggers(in); len(sids) > 0 {
		if err := dir.FetchStudio(requests, client, sids); err != nil {
			return err
		}
	}
	s.config, s.snapshot, s.directory = cfg, snap, dir
	in.ExpectAccount, in.BaseURL = s.accountSID, s.baseURL
	s.plan, err = plan.Compute(ctx, in)
	if ctx.Err() != nil {
		return errInterrupted
	}
	if err == nil {
		s.mask.Store(s.plan.Mask())
	}
	return err
}
