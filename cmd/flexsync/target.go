package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"flexsync/internal/flexapi"
	"flexsync/internal/safetext"
	"flexsync/schema"
)

// target says which account a session works on, and how to reach it.
type target struct {
	place
	profile     string              // of twilio-cli; "": the environment has the credentials
	edge        string              // part of the names of Twilio's hosts; "": that of the credentials
	credentials flexapi.Credentials // not used with local
	timeout     time.Duration       // of one request
}

// place is where the account is: at a base URL or in a file. Neither is Twilio's
// API.
type place struct {
	baseURL, local string
	by             string // the flag or variable that gives it
}

// place reads the flags and the environment. A flag overrides both variables.
func (f *accountFlags) place(a *app) (place, error) {
	var p place
	take := func(to *string, value, by string) {
		if value != "" {
			*to, p.by = value, by
		}
	}
	take(&p.baseURL, f.BaseURL, "--base-url")
	take(&p.local, f.Local, "--local")
	for _, v := range []struct {
		name string
		to   *string
	}{{"FLEXSYNC_BASE_URL", &p.baseURL}, {"FLEXSYNC_LOCAL", &p.local}} {
		value, set := a.lookupEnv(v.name)
		switch {
		case f.BaseURL != "" || f.Local != "":
		case set && value == "":
			return p, inputError(fmt.Errorf("%s is empty", v.name),
				"unset it to use Twilio's API: a variable that is empty by mistake must not lead to the real account")
		default:
			take(v.to, value, v.name)
		}
	}
	if p.baseURL != "" && p.local != "" {
		return p, inputError(errors.New("a base URL and a local file cannot be used together"), "give only one of --base-url (FLEXSYNC_BASE_URL) and --local (FLEXSYNC_LOCAL)")
	}
	return p, nil
}

// target reads the flags, the environment and a profile.
func (f *accountFlags) target(a *app) (target, error) {
	at, err := f.place(a)
	// As in twilio-cli, TWILIO_EDGE always counts: it is the way to the API. The
	// region belongs to the credentials, and a profile has its own or none.
	t := target{place: at, edge: a.env("TWILIO_EDGE"), timeout: f.Timeout}
	switch {
	case err != nil:
		return t, err
	case f.Timeout <= 0:
		return t, inputError(errors.New("--timeout must be more than zero"), "")
	case at.local != "":
		return t, nil
	}
	// A bad address is reported before missing credentials.
	if _, err := flexapi.New(flexapi.Config{BaseURL: at.baseURL, Credentials: flexapi.Credentials{Username: "-", Password: "-"}}); err != nil {
		return t, t.blame(err)
	}
	if t.profile = f.Profile; f.Profile != "" {
		t.credentials, err = flexapi.CredentialsFromProfile(f.Profile, a.profilePath())
	} else {
		t.credentials, err = flexapi.CredentialsFromEnv(a.lookupEnv, f.prefix)
	}
	switch {
	case errors.Is(err, flexapi.ErrNotSet) && f.prefix != "":
		return t, &exitWith{code: exitError, err: err, hint: "set them; the fleet file says where this account's credentials are"}
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

// blame says where a setting that cannot be used was made, and quotes it.
func (t target) blame(err error) error {
	var config *flexapi.ConfigError
	if !errors.As(err, &config) {
		return err
	}
	setting := config.Setting
	switch setting {
	case "base URL":
		setting = fmt.Sprintf("%s %s", t.by, safetext.Quote(withoutSecrets(t.baseURL)))
	case "edge":
		setting = "TWILIO_EDGE"
		if t.edge == "" {
			setting = t.credentials.Source + ": edge"
		}
	case "region":
		setting = "TWILIO_REGION"
		if strings.HasPrefix(t.credentials.Source, "profile ") {
			setting = t.credentials.Source + ": region"
		}
	}
	return &flexapi.ConfigError{Setting: setting, Reason: config.Reason}
}

// withoutSecrets is a URL, or what should be one, without what may be a secret:
// the user and password, and the query.
func withoutSecrets(url string) string {
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		url = url[:i+1] + "…"
	}
	if i := strings.LastIndex(url, "@"); i >= 0 {
		scheme, _, ok := strings.Cut(url[:i], "//")
		if ok {
			scheme += "//"
		} else {
			scheme = ""
		}
		url = scheme + "…" + url[i:]
	}
	return url
}

// again is the flags that name the account, for a command line that is proposed.
func (f *accountFlags) again() string {
	var b strings.Builder
	for _, flag := range []struct{ name, value string }{{"base-url", withoutSecrets(f.BaseURL)}, {"local", f.Local}, {"profile", f.Profile}} {
		if flag.value != "" {
			b.WriteString(" --" + flag.name + " " + shellWord(flag.value))
		}
	}
	return b.String()
}

// shellWord quotes a word for a POSIX shell where that is necessary.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./,:=@%+", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// profilePath is where twilio-cli keeps its profiles.
func (a *app) profilePath() string {
	home := a.env("HOME")
	if home == "" {
		home, _ = os.UserHomeDir() // Windows has no HOME; if there is none at all, reading the file fails
	}
	return filepath.Join(home, ".twilio-cli", "config.json")
}

// kindFlags choose what a command reads from the account.
type kindFlags struct {
	Kind string `default:"flows" enum:"flows,addresses,all" group:"selection" help:"What to read: flows, addresses or all."`
}

// kinds returns the kinds that the flags choose.
func (f kindFlags) kinds() []*schema.Kind {
	if f.Kind == "all" {
		return schema.Kinds
	}
	return slices.DeleteFunc(slices.Clone(schema.Kinds), func(k *schema.Kind) bool { return k.Plural != f.Kind })
}
