package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"flexsync/internal/flexapi"
)

// target says which account a session works on, and how to reach it.
type target struct {
	local       string              // the file that holds the account; "": the API does
	baseURL     string              // origin of the API; "": Twilio's hosts
	edge        string              // part of the names of Twilio's hosts; "": that of the credentials
	credentials flexapi.Credentials // not used with local
	timeout     time.Duration       // of one request
}

// place returns the API's base URL or the file of the local account. Both are ""
// for Twilio's API. A flag overrides both variables.
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
				"unset it to use Twilio's API: a variable that is empty by mistake must not lead to the real account")
		}
	}
	return baseURL, local, nil
}

// target reads the flags, the environment and a profile.
func (f *accountFlags) target(a *app) (target, error) {
	baseURL, local, err := f.place(a)
	// As in twilio-cli, TWILIO_EDGE always counts: it is the way to the API. The
	// region belongs to the credentials, and a profile has its own or none.
	t := target{local: local, baseURL: baseURL, edge: a.env("TWILIO_EDGE"), timeout: f.Timeout}
	switch {
	case err != nil:
		return t, err
	case baseURL != "" && local != "":
		return t, inputError(errors.New("a base URL and a local file cannot be used together"), "give only one of --base-url (FLEXSYNC_BASE_URL) and --local (FLEXSYNC_LOCAL)")
	case f.Timeout <= 0:
		return t, inputError(errors.New("--timeout must be more than zero"), "")
	case local != "":
		return t, nil
	}
	if _, err := flexapi.New(flexapi.Config{BaseURL: baseURL, Credentials: flexapi.Credentials{Username: "-", Password: "-"}}); err != nil {
		return t, err // a bad address is reported before missing credentials
	}
	if f.Profile != "" {
		t.credentials, err = flexapi.CredentialsFromProfile(f.Profile, a.profilePath())
	} else {
		t.credentials, err = flexapi.CredentialsFromEnv(a.lookupEnv)
	}
	switch {
	case errors.Is(err, flexapi.ErrNotSet):
		return t, &exitWith{code: exitError, err: err,
			hint: "set them, or use --profile NAME to take them from twilio-cli; --local FILE needs none, because it uses an embedded API instead of Twilio"}
	case errors.Is(err, fs.ErrNotExist):
		return t, &exitWith{code: exitError, err: err, hint: "twilio-cli creates that file: run `twilio profiles:create`"}
	case err != nil:
		return t, err
	}
	return t, nil
}

// profilePath is where twilio-cli keeps its profiles.
func (a *app) profilePath() string {
	home := a.env("HOME")
	if home == "" {
		home, _ = os.UserHomeDir() // Windows has no HOME; if there is none at all, reading the file fails
	}
	return filepath.Join(home, ".twilio-cli", "config.json")
}
