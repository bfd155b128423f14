package flexapi

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

const redacted = "[redacted]"

// Secret is a string that does not print: every verb of fmt, slog and the text
// and JSON encoders show "[redacted]". Only a conversion to string reveals it.
type Secret string

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (Secret) GoString() string { return redacted }

// Format writes "[redacted]" for every verb, %x and %q included.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue returns "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// ErrNotSet is the error of credentials that are not there, or only in part.
var ErrNotSet = errors.New("not set")

// Credentials are an account, and what is sent as basic auth: the account's
// SID and auth token, or an API key and its secret.
type Credentials struct {
	AccountSID string
	Username   string
	Password   Secret

	// Source names where they came from in messages: "TWILIO_AUTH_TOKEN",
	// "TWILIO_API_KEY", "profile NAME".
	Source string

	// Edge and Region are where the same source says that they belong.
	// Credentials of one region are not known in another.
	Edge, Region string
}

// CredentialsFromEnv reads TWILIO_ACCOUNT_SID with TWILIO_API_KEY and
// TWILIO_API_SECRET, or with TWILIO_AUTH_TOKEN; the key pair wins when it is
// whole. TWILIO_EDGE and TWILIO_REGION are read too. An empty variable is an
// unset one, space around a value is ignored. The error names what is missing,
// and is [ErrNotSet] then; it holds no value.
//
// The names of the variables begin with prefix, as in DEV_TWILIO_ACCOUNT_SID: a
// run over many accounts has the variables of each side by side. An edge or a
// region that is not set with the prefix is that without it.
func CredentialsFromEnv(lookup func(string) (string, bool), prefix string) (Credentials, error) {
	get := func(name string) string {
		v, _ := lookup(prefix + name)
		return strings.TrimSpace(v)
	}
	where := func(name string) string {
		plain, _ := lookup(name)
		return cmp.Or(get(name), strings.TrimSpace(plain))
	}
	c := Credentials{
		AccountSID: get("TWILIO_ACCOUNT_SID"),
		Edge:       where("TWILIO_EDGE"),
		Region:     where("TWILIO_REGION"),
	}
	key, secret, token := get("TWILIO_API_KEY"), get("TWILIO_API_SECRET"), get("TWILIO_AUTH_TOKEN")

	var missing []string
	if c.AccountSID == "" {
		missing = append(missing, prefix+"TWILIO_ACCOUNT_SID")
	}
	switch {
	case key != "" && secret != "":
		c.Username, c.Password, c.Source = key, Secret(secret), prefix+"TWILIO_API_KEY"
	case token != "":
		c.Username, c.Password, c.Source = c.AccountSID, Secret(token), prefix+"TWILIO_AUTH_TOKEN"
	case key != "":
		missing = append(missing, fmt.Sprintf("%[1]sTWILIO_API_SECRET (%[1]sTWILIO_API_KEY is set)", prefix))
	case secret != "":
		missing = append(missing, fmt.Sprintf("%[1]sTWILIO_API_KEY (%[1]sTWILIO_API_SECRET is set)", prefix))
	default:
		missing = append(missing, fmt.Sprintf("%[1]sTWILIO_AUTH_TOKEN (or %[1]sTWILIO_API_KEY with %[1]sTWILIO_API_SECRET)", prefix))
	}
	if len(missing) > 0 {
		return Credentials{}, fmt.Errorf("credentials: %w: %s", ErrNotSet, strings.Join(missing, ", "))
	}
	if err := c.check(prefix+"TWILIO_ACCOUNT_SID", c.Source); err != nil {
		return Credentials{}, fmt.Errorf("credentials: %w", err)
	}
	return c, nil
}

// CredentialsFromProfile reads a profile of twilio-cli from its configuration
// file, usually ~/.twilio-cli/config.json, and never writes to it. An unknown
// name is an error that lists the known ones, and a file that is not there is
// [fs.ErrNotExist].
func CredentialsFromProfile(name, configPath string) (Credentials, error) {
	// twilio-cli's own layout. "projects" is from before its version 2; the
	// secrets of those are in the system's keychain, not in the file.
	type profile struct {
		ID         string `json:"id"`
		AccountSID string `json:"accountSid"`
		APIKey     string `json:"apiKey"`
		APISecret  string `json:"apiSecret"`
		Region     string `json:"region"`
		Edge       string `json:"edge"`
	}
	var file struct {
		Edge     string             `json:"edge"`
		Profiles map[string]profile `json:"profiles"`
		Projects []profile          `json:"projects"`
	}
	data, err := os.ReadFile(configPath)
	if err != nil {
		return Credentials{}, fmt.Errorf("profile %q: %w", name, err)
	}
	// The decoder's error may quote the file, so it is not passed on.
	if json.Unmarshal(data, &file) != nil {
		return Credentials{}, fmt.Errorf("profile %q: %s is not a twilio-cli configuration file", name, configPath)
	}
	p, ok := file.Profiles[name]
	if !ok {
		for _, old := range file.Projects {
			if old.ID == name {
				return Credentials{}, fmt.Errorf("profile %q: its key is not in %s but in the keychain of an old twilio-cli; create the profile again with twilio profiles:create", name, configPath)
			}
		}
		known := "it has no profiles"
		if len(file.Profiles) > 0 {
			known = fmt.Sprintf("it has %q", slices.Sorted(maps.Keys(file.Profiles)))
		}
		return Credentials{}, fmt.Errorf("profile %q is not in %s: %s", name, configPath, known)
	}
	var missing []string
	for _, f := range []struct{ name, value string }{
		{"accountSid", p.AccountSID}, {"apiKey", p.APIKey}, {"apiSecret", p.APISecret},
	} {
		if f.value == "" {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		return Credentials{}, fmt.Errorf("profile %q in %s has no %s", name, configPath, strings.Join(missing, ", "))
	}
	c := Credentials{
		AccountSID: p.AccountSID,
		Username:   p.APIKey,
		Password:   Secret(p.APISecret),
		Source:     "profile " + name,
		Edge:       p.Edge,
		Region:     p.Region,
	}
	if c.Edge == "" {
		c.Edge = file.Edge
	}
	if err := c.check("accountSid", "its key or secret"); err != nil {
		return Credentials{}, fmt.Errorf("profile %q in %s: %w", name, configPath, err)
	}
	return c, nil
}

// check refuses what cannot be right.
func (c Credentials) check(account, secret string) error {
	if len(c.AccountSID) != 34 || !strings.HasPrefix(c.AccountSID, "AC") || !isAlphanumeric(c.AccountSID) {
		return fmt.Errorf("%s is not an account SID (AC and 32 hex digits): %s", account, shown(c.AccountSID))
	}
	for _, s := range []string{c.Username, string(c.Password)} {
		if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return fmt.Errorf("%s contains a space or a non-ASCII character", secret)
		}
	}
	if strings.Contains(c.Username, ":") {
		return fmt.Errorf("%s contains a colon, which basic authentication does not allow", secret)
	}
	return nil
}

// shown quotes what should be an account SID. People mix the variables up, so it
// keeps what may be a secret to itself: auth tokens and the secrets of keys have 32
// characters, and only SIDs have two letters in front of 32 hex digits.
func shown(s string) string {
	hex := len(s) == 34 && strings.Trim(strings.ToLower(s[2:]), "0123456789abcdef") == ""
	if hex || len(s) < 32 && strings.HasPrefix(strings.ToUpper(s), "AC") && isAlphanumeric(s) {
		return strconv.Quote(s)
	}
	return fmt.Sprintf("its %d characters are not shown, because they may be a secret", len([]rune(s)))
}

// newRedactor removes the secret, and the header made from it, from texts that
// others wrote: a debugging proxy may answer with the request it got. Real
// secrets have 32 characters; one too short to be told from other text stays.
func newRedactor(user, secret string) *strings.Replacer {
	pairs := []string{base64.StdEncoding.EncodeToString([]byte(user + ":" + secret)), redacted}
	if len(secret) >= 8 {
		pairs = append(pairs, secret, redacted)
	}
	return strings.NewReplacer(pairs...)
}
