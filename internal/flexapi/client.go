// Package flexapi is a client of Twilio's APIs: collections of resources with their
// encoding, paging, retries, pace and errors.
//
// Its promises:
//
//   - A listing is complete or an error, never shorter than the collection.
//   - A create is sent again only if it was not carried out for certain: the API
//     refused it with 429, or no connection was made. Any other unclear outcome is
//     an [Error] with Unknown set, and the caller has to find out what happened.
//   - Credentials go only to the configured origin. Redirects are not followed. No
//     error and no log record contains a secret.
//   - When a context ends, waits end at once and nothing new is sent, but the client
//     still waits for the answer to a write that it has sent.
//
// It knows no resource and no field, compares nothing, and does not make text safe
// for a terminal: it passes on what the API says, cut in length but otherwise
// unchanged.
package flexapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const defaultTimeout = 30 * time.Second

// Config says how to reach the API. Only Credentials are required.
type Config struct {
	Credentials Credentials

	// BaseURL is the origin of all products, with or without a path: https, or
	// http for a loopback host. Empty means Twilio's own hosts.
	BaseURL string

	// Edge and Region are parts of Twilio's host names. Empty means those of the
	// Credentials. They have no effect if BaseURL is set.
	Edge, Region string

	// Timeout bounds one try, from its connection to the last byte of the
	// answer; waits between tries are not part of it. Zero means 30 seconds.
	Timeout time.Duration

	// UserAgent is sent with every request. Empty means "flexsync".
	UserAgent string

	// Transport carries the requests. Nil means a copy of
	// [http.DefaultTransport]: proxies from the environment, system CAs.
	Transport http.RoundTripper

	// Parallelism is how many requests the caller sends at once; the client keeps
	// as many idle connections. It limits nothing.
	Parallelism int

	// Logger gets one record for each try: method, path, status, duration, request
	// ID and number of the try; never a query, a body or a header, which hold
	// personal data and secrets. Nil means no log.
	Logger *slog.Logger

	// Observe is called with each step of each request, from several goroutines
	// at once. The request waits for it. Nil means no observer.
	Observe func(Event)

	// Hide returns a text of the API without what no output may show, such as a
	// parameter that an error repeats. It is called by several goroutines at once.
	// Nil means that the text is shown as it is.
	Hide func(text string) string
}

// Client sends requests to one account. It is safe for concurrent use. When an
// endpoint answers 429, all requests to it slow down together.
type Client struct {
	hosts     hosts
	authorize func(*http.Request) // a closure, so that printing a Client shows no secret
	redact    *strings.Replacer
	hide      func(string) string
	source    string // where the credentials came from
	account   string
	transport http.RoundTripper
	userAgent string
	timeout   time.Duration
	log       *slog.Logger
	observe   func(Event)
	maxBody   int64

	mu       sync.Mutex
	limiters map[endpoint]*limiter
}

// endpoint is one operation on one collection. Each has a rate limit of its own.
// https://www.twilio.com/docs/flex/developer/messaging/limits
type endpoint struct {
	product Product
	path    string
	do      operation
}

func (c *Client) limiterOf(r request) *limiter {
	at := endpoint{r.of.Product, r.of.Path, r.do}
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.limiters[at]
	if l == nil {
		l = newLimiter()
		c.limiters[at] = l
	}
	return l
}

// New checks the configuration and returns a client. It sends nothing. The error is
// a [*ConfigError] for a setting that is invalid.
func New(cfg Config) (*Client, error) {
	h, err := newHosts(cfg.BaseURL,
		cmp.Or(cfg.Edge, cfg.Credentials.Edge), cmp.Or(cfg.Region, cfg.Credentials.Region))
	if err != nil {
		return nil, err
	}
	if cfg.Timeout < 0 {
		return nil, &ConfigError{Setting: "timeout", Reason: "must be more than zero"}
	}
	user, secret := cfg.Credentials.Username, string(cfg.Credentials.Password)
	if user == "" || secret == "" {
		return nil, errors.New("credentials: user name and password must not be empty")
	}
	transport := cfg.Transport
	if transport == nil {
		if err := h.checkProxy(http.ProxyFromEnvironment); err != nil {
			return nil, err
		}
		transport = defaultTransport(cfg.Parallelism)
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Client{
		hosts:     h,
		authorize: func(r *http.Request) { r.SetBasicAuth(user, secret) },
		redact:    newRedactor(user, secret),
		hide:      cfg.Hide,
		source:    cfg.Credentials.Source,
		account:   cfg.Credentials.AccountSID,
		transport: transport,
		userAgent: cmp.Or(cfg.UserAgent, "flexsync"),
		timeout:   cmp.Or(cfg.Timeout, defaultTimeout),
		log:       logger,
		observe:   cfg.Observe,
		maxBody:   maxBody,
		limiters:  make(map[endpoint]*limiter),
	}, nil
}

// defaultTransport keeps a connection for each request under way, so that parallel
// writes need no handshake each. net/http keeps two connections.
func defaultTransport(parallelism int) http.RoundTripper {
	std, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t := std.Clone()
	t.OnProxyConnectResponse = refusedByProxy
	t.MaxIdleConnsPerHost = max(parallelism, 8)
	t.MaxIdleConns = max(t.MaxIdleConns, 2*t.MaxIdleConnsPerHost)
	if parallelism > 1 {
		// While it waits for a free connection, net/http dials more than it needs.
		// Without writes there is no limit: listings run side by side.
		t.MaxConnsPerHost = parallelism
	}
	return t
}

// CloseIdle closes the connections that no request uses. The client stays usable.
func (c *Client) CloseIdle() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// BaseURL returns the URL under which a product's paths are, without a slash
// at its end. It holds no credentials.
func (c *Client) BaseURL(p Product) string { return c.hosts.base(p).String() }

// Answer is a success.
type Answer struct {
	Body      json.RawMessage // the resource, a JSON object; nil after a delete
	Status    int             // HTTP status
	Attempts  int             // tries that it took, 1 or more
	RequestID string          // Twilio-Request-Id
}

// Collection is where the resources of one type are.
type Collection struct {
	Product  Product
	Path     string // "/v1/FlexFlows"
	Key      string // of the items in a page: "flex_flows"
	PageSize int    // what a page is asked to hold; the API refuses more than its maximum
}

// operation is what is done to a collection or to one of its resources.
type operation int

const (
	list operation = iota
	fetch
	create
	update
	remove
)

func (o operation) method() string {
	switch o {
	case list, fetch:
		return http.MethodGet
	case remove:
		return http.MethodDelete
	}
	return http.MethodPost
}

func (o operation) reads() bool { return o == list || o == fetch }

// Fetch reads one resource.
func (c *Client) Fetch(ctx context.Context, of Collection, sid string) (Answer, error) {
	return c.one(ctx, fetch, of, sid, nil)
}

// Create creates a resource. When it fails with [Error].Unknown, the resource
// may be there nevertheless.
func (c *Client) Create(ctx context.Context, in Collection, form url.Values) (Answer, error) {
	return c.send(ctx, request{do: create, of: in, url: c.hosts.url(in.Product, in.Path), form: form})
}

// Update sets what the form names. It sets absolute values, so it is sent
// again after failures that leave its outcome open.
func (c *Client) Update(ctx context.Context, of Collection, sid string, form url.Values) (Answer, error) {
	return c.one(ctx, update, of, sid, form)
}

// Delete deletes a resource. One that is not there (404) is deleted.
func (c *Client) Delete(ctx context.Context, of Collection, sid string) (Answer, error) {
	return c.one(ctx, remove, of, sid, nil)
}

func (c *Client) one(ctx context.Context, do operation, of Collection, sid string, form url.Values) (Answer, error) {
	// A SID may come from an answer: it must not lead to another path.
	if !isAlphanumeric(sid) {
		return Answer{}, &Error{Method: do.method(), Path: of.Path, Message: "not a SID: letters and digits only"}
	}
	return c.send(ctx, request{do: do, of: of, url: c.hosts.url(of.Product, of.Path+"/"+sid), form: form})
}

func isAlphanumeric(s string) bool {
	for _, b := range []byte(s) {
		if !('0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z') {
			return false
		}
	}
	return s != ""
}
