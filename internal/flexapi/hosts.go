package flexapi

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Product is one of Twilio's APIs, by the first label of its host name.
type Product string

// The products of Flex Flows and of the resources that they refer to.
const (
	Flex          Product = "flex-api"
	Conversations Product = "conversations"
	Studio        Product = "studio"
	TaskRouter    Product = "taskrouter"
)

// ConfigError is a setting that is invalid, whatever the API says.
type ConfigError struct {
	Setting string // "base URL", "edge", "region", "timeout", "proxy"
	Reason  string
}

func (e *ConfigError) Error() string { return e.Setting + ": " + e.Reason }

// hosts knows where each product is.
type hosts struct {
	fixed  *url.URL // --base-url; nil means Twilio's hosts
	suffix string   // of a host name, after the product: ".twilio.com", ".sydney.us1.twilio.com"
	region string
}

// newHosts follows the rules of Twilio's SDKs: an edge without a region is in us1,
// and a region needs no edge.
// https://www.twilio.com/docs/global-infrastructure/understanding-edge-locations
func newHosts(baseURL, edge, region string) (hosts, error) {
	if baseURL != "" {
		u, err := parseBaseURL(baseURL)
		return hosts{fixed: u}, err
	}
	// Both become part of the host name to which the credentials are sent.
	if !isLabel(edge) {
		return hosts{}, &ConfigError{Setting: "edge", Reason: fmt.Sprintf("%q is not a host name label such as \"sydney\"", cut(edge, 80))}
	}
	if !isLabel(region) {
		return hosts{}, &ConfigError{Setting: "region", Reason: fmt.Sprintf("%q is not a host name label such as \"us1\"", cut(region, 80))}
	}
	if edge != "" {
		return hosts{suffix: "." + edge + "." + cmp.Or(region, "us1") + ".twilio.com", region: region}, nil
	}
	if region != "" {
		return hosts{suffix: "." + region + ".twilio.com", region: region}, nil
	}
	return hosts{suffix: ".twilio.com"}, nil
}

// isLabel reports whether s is empty or one label of a host name.
func isLabel(s string) bool {
	return s == "" || len(s) <= 63 && isAlphanumeric(strings.ReplaceAll(s, "-", "x"))
}

// parseBaseURL parses --base-url. Its errors never quote the value, which may
// contain a password.
func parseBaseURL(s string) (*url.URL, error) {
	refuse := func(reason string) (*url.URL, error) {
		return nil, &ConfigError{Setting: "base URL", Reason: reason}
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return refuse("not a URL")
	case u.User != nil:
		return refuse("must not hold credentials")
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return refuse("must be https://HOST or, for a loopback host, http://HOST")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return refuse("must have neither a query nor a fragment")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return refuse(fmt.Sprintf("plain http to %q would send the credentials unencrypted; use https (http is for loopback hosts only)", u.Hostname()))
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (h hosts) base(p Product) *url.URL {
	if h.fixed != nil {
		return h.fixed
	}
	return &url.URL{Scheme: "https", Host: string(p) + h.suffix}
}

// checkProxy refuses a proxy setting that cannot work. The transport would only find
// out with each try, and each would be repeated. The error never quotes the value,
// which may contain a password.
func (h hosts) checkProxy(proxyFor func(*http.Request) (*url.URL, error)) error {
	for _, p := range []Product{Flex, Conversations, Studio, TaskRouter} {
		base := h.base(p)
		proxy, err := proxyFor(&http.Request{URL: base})
		if err == nil && (proxy == nil || isProxy(proxy)) {
			continue
		}
		return &ConfigError{Setting: "proxy", Reason: fmt.Sprintf(
			"%s_PROXY, for %s, is not a proxy's address like http://HOST:PORT", strings.ToUpper(base.Scheme), base.Host)}
	}
	return nil
}

// isProxy reports whether a proxy has a scheme that net/http supports, a host, and a
// valid port if any. net/http puts "http://" before a value that it cannot parse; a
// path that begins with two slashes shows that it did so to a malformed URL.
func isProxy(u *url.URL) bool {
	_, err := strconv.ParseUint(cmp.Or(u.Port(), "80"), 10, 16)
	return slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) &&
		u.Hostname() != "" && err == nil && !strings.HasPrefix(u.Path, "//")
}

func (h hosts) url(p Product, path string) *url.URL {
	u := *h.base(p)
	u.Path += path
	return &u
}

// follow turns a link in an answer into the next URL to read, and refuses a link to
// another origin. If an edge or a region is configured, a link to the product's plain
// host leads to the configured host, as in Twilio's SDKs.
func (h hosts) follow(p Product, link string) (*url.URL, error) {
	base := h.base(p)
	u, err := url.Parse(link)
	if err != nil {
		return nil, fmt.Errorf("next_page_url is not a URL")
	}
	if u.Scheme == "" && u.Host == "" && u.User == nil && strings.HasPrefix(u.Path, "/") {
		u.Scheme, u.Host = base.Scheme, base.Host
	}
	plain := url.URL{Scheme: "https", Host: string(p) + ".twilio.com"}
	switch {
	case u.User != nil || u.Opaque != "":
		return nil, fmt.Errorf("next_page_url has an unsupported form")
	case origin(u) == origin(base):
	case h.fixed == nil && origin(u) == origin(&plain):
	default:
		return nil, fmt.Errorf("next_page_url points to %q, not %q: credentials are only sent to the configured origin",
			cut(origin(u), 200), origin(base))
	}
	u.Scheme, u.Host, u.Fragment, u.RawFragment = base.Scheme, base.Host, "", ""
	if base.Path != "" && !strings.HasPrefix(u.Path, base.Path+"/") {
		// A gateway may strip the prefix from requests, and not add it to links.
		u.Path, u.RawPath = base.Path+u.Path, ""
	}
	return u, nil
}

// origin is the scheme, host and port of a URL, the same for all spellings.
func origin(u *url.URL) string {
	scheme := strings.ToLower(u.Scheme)
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
