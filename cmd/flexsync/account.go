package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"flexsync/internal/emulator"
	"flexsync/internal/flexapi"
	"flexsync/internal/safetext"
	"flexsync/state"
)

// account is where the flows are.
type account struct {
	state.Client
	sid     string // the account that the credentials are for
	baseURL string // as shown in plans
}

// localURL is where the embedded API thinks it is; nothing is ever sent there.
const localURL = "http://localhost"

// place says where the API is: at an address, in a local file, or, when both are
// "", at Twilio. A flag wins over both variables.
func (f *accountFlags) place(a *app) (baseURL, local string, err error) {
	if f.BaseURL != "" || f.Local != "" {
		return f.BaseURL, f.Local, nil
	}
	for _, v := range []struct {
		name  string
		value *string
	}{{"FLEXSYNC_BASE_URL", &baseURL}, {"FLEXSYNC_LOCAL", &local}} {
		var set bool
		if *v.value, set = a.lookupEnv(v.name); set && *v.value == "" {
			return "", "", inputError(fmt.Errorf("%s is empty", v.name),
				"unset it if Twilio's API is meant: a variable that a job forgot to fill must not lead to the real account")
		}
	}
	return baseURL, local, nil
}

// connect makes the client. It sends nothing.
func (f *accountFlags) connect(a *app, parallelism int) (*account, error) {
	env := func(name string) string { v, _ := a.lookupEnv(name); return v }
	baseURL, local, err := f.place(a)
	switch {
	case err != nil:
		return nil, err
	case baseURL != "" && local != "":
		return nil, inputError(errors.New("a base URL and a local file are both given"), "give one of --base-url (FLEXSYNC_BASE_URL) and --local (FLEXSYNC_LOCAL)")
	}
	if f.Timeout <= 0 {
		return nil, inputError(fmt.Errorf("--timeout %s: it has to be more than zero", f.Timeout), "")
	}
	cfg := flexapi.Config{
		BaseURL: baseURL, Timeout: f.Timeout, UserAgent: userAgent(a.version), Parallelism: parallelism, Logger: a.logger,
	}
	if local != "" {
		server, err := emulator.New(emulator.Options{File: local})
		if err != nil {
			return nil, fmt.Errorf("--local: %w", err)
		}
		sid := server.AccountSID()
		cfg.BaseURL, cfg.Transport = localURL, server.Transport()
		cfg.Credentials = flexapi.Credentials{AccountSID: sid, Username: sid, Password: "local", Source: "--local"}
		return newAccount(cfg, "local")
	}
	if _, err := flexapi.New(flexapi.Config{BaseURL: baseURL, Credentials: flexapi.Credentials{Username: "-", Password: "-"}}); err != nil {
		return nil, err // a bad address is said before missing credentials
	}
	if f.Profile != "" {
		cfg.Credentials, err = flexapi.CredentialsFromProfile(f.Profile, profilePath(env))
	} else {
		cfg.Credentials, err = flexapi.CredentialsFromEnv(a.lookupEnv)
	}
	switch {
	case errors.Is(err, flexapi.ErrNotSet):
		return nil, &exitWith{code: exitError, err: err,
			hint: "set them, or take them from twilio-cli with --profile NAME; --local FILE needs none: it is an embedded API, without Twilio"}
	case errors.Is(err, fs.ErrNotExist):
		return nil, &exitWith{code: exitError, err: err, hint: "twilio-cli makes that file: `twilio profiles:create`"}
	case err != nil:
		return nil, err
	}
	// As in twilio-cli: TWILIO_EDGE is about the way there and counts always; the
	// region is where the credentials are known, and a profile has its own or none.
	cfg.Edge = cmp.Or(env("TWILIO_EDGE"), cfg.Credentials.Edge)
	cfg.Region = cfg.Credentials.Region
	return newAccount(cfg, "")
}

func newAccount(cfg flexapi.Config, shown string) (*account, error) {
	client, err := flexapi.New(cfg)
	if err != nil {
		return nil, err
	}
	return &account{Client: state.Client{Client: client}, sid: cfg.Credentials.AccountSID, baseURL: cmp.Or(shown, client.BaseURL(flexapi.Flex))}, nil
}

// read lists the account's flows for a command that only shows them. A listing
// from another account than the credentials are said to be for is refused: it
// would pass for this one's.
func (acct *account) read(ctx context.Context) (*state.Snapshot, error) {
	snap, err := state.Read(ctx, acct)
	if err != nil {
		return nil, err
	}
	return snap, acct.owns("the flows belong", snap.AccountSID)
}

// lookup lists what flows refer to, for a command that only shows it.
func (acct *account) lookup(ctx context.Context, wanted state.Wanted) (*state.Directory, error) {
	dir, err := state.Lookup(ctx, acct, wanted)
	if err != nil {
		return nil, err
	}
	for _, owner := range dir.Owners() {
		if err := acct.owns("the "+owner.Noun+"s belong", owner.AccountSID); err != nil {
			return nil, err
		}
	}
	return dir, nil
}

// owns refuses what belongs to another account.
func (acct *account) owns(what, sid string) error {
	if why := acct.foreign(what, sid); why != "" {
		return &exitWith{code: exitRefused, err: errors.New(why), hint: checkCredentials}
	}
	return nil
}

const checkCredentials = "check TWILIO_ACCOUNT_SID and the API key"

// foreign says that something belongs to another account, or ""; an account of
// "" is nobody's.
func (acct *account) foreign(what, sid string) string {
	if sid == "" || sid == acct.sid {
		return ""
	}
	return fmt.Sprintf("the credentials are for account %s, and %s to account %s", acct.sid, what, safetext.Line(sid))
}

// profilePath is where twilio-cli keeps its profiles.
func profilePath(env func(string) string) string {
	home := env("HOME")
	if home == "" {
		home, _ = os.UserHomeDir() // Windows has no HOME; without any the path does not exist, and that is said
	}
	return filepath.Join(home, ".twilio-cli", "config.json")
}
