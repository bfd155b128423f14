package flexapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// proxyError is a proxy's refusal to connect to a host.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the proxy answered HTTP %d %s", e.status, http.StatusText(e.status)))
}

// refusedByProxy replaces net/http's error, which lacks the status.
func refusedByProxy(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{answer.StatusCode}
}

// timeoutError is the end of a try that took as long as it may.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("timed out after %v s", e.after.Seconds()) }

// stays reports whether a failure to connect is one that another try meets again.
func stays(err error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	proxy, refused := errors.AsType[*proxyError](err)
	return certificate || speaksHTTP(err) || speaksTLS(err) || refused && proxy.status < 500
}

// speaksHTTP reports whether err is the plain HTTP answer to a TLS handshake.
func speaksHTTP(err error) bool {
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok && string(record.RecordHeader[:]) == "HTTP/" || errors.Is(err, http.ErrSchemeMismatch)
}

// errSpeaksTLS is the error of a server's page about plain HTTP.
var errSpeaksTLS = errors.New("the server speaks https, not http")

// speaksTLS reports whether err is a TLS server's answer to a plain HTTP request:
// its page about that, or an alert, for which net/http has no type.
func speaksTLS(err error) bool {
	return err != nil && (errors.Is(err, errSpeaksTLS) || strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`))
}

// wantsTLS finds the page about plain HTTP of the TLS servers of Go, nginx and Apache.
var wantsTLS = regexp.MustCompile("HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port|speaking plain HTTP to an SSL-enabled server port")

// cause is why there is no answer, in plain words and without the host.
func cause(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		return "the proxy" + addressOf(op.Err) + ": " + cause(op.Err)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		switch {
		case dns.IsNotFound:
			return "no such host"
		case dns.IsTimeout:
			return "the DNS lookup timed out"
		}
		return "the DNS lookup failed: " + dns.Err
	}
	if host, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("the certificate is for %s, not for %s", namesOf(host.Certificate), host.Host)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		if c := invalid.Cert; time.Now().Before(c.NotBefore) {
			return "the certificate is not valid before " + c.NotBefore.UTC().Format(time.DateTime) + " UTC"
		}
		return "the certificate expired at " + invalid.Cert.NotAfter.UTC().Format(time.DateTime) + " UTC"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the certificate is signed by an unknown authority"
	}
	switch {
	case speaksHTTP(err):
		return "the server speaks http, not https"
	case speaksTLS(err):
		return errSpeaksTLS.Error()
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		return op.Err.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the connection was closed"
	}
	text := err.Error()
	for _, prefix := range []string{"net/http: ", "http: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}

// addressOf is the address of a connection that could not be made, after a space;
// "" if the error does not say.
func addressOf(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return " " + dns.Name
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		return " " + op.Addr.String()
	}
	return ""
}

// namesOf is what a certificate is for: at most three names.
func namesOf(c *x509.Certificate) string {
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	switch {
	case len(names) == 0:
		return "no host"
	case len(names) > 3:
		names = append(names[:3:3], "…")
	}
	return strings.Join(names, ", ")
}

// checkNetwork is what to check after a try without an answer.
func (x *exchange) checkNetwork() string {
	err, ours := x.last.err, x.client.hosts.fixed == nil // Twilio's own hosts
	op, isOp := errors.AsType[*net.OpError](err)
	dns, isDNS := errors.AsType[*net.DNSError](err)
	proxy, isProxy := errors.AsType[*proxyError](err)
	host, loopback := x.url.Host, isLoopback(x.url.Hostname())
	check := func(twilio, other string) string {
		if ours {
			return twilio
		}
		return other
	}
	switch {
	case isProxy && proxy.status == http.StatusProxyAuthRequired:
		return "check the user name and password in HTTPS_PROXY"
	case isProxy && proxy.status < 500:
		return "check that the proxy (HTTPS_PROXY) allows connections to " + host
	case isProxy, isOp && op.Op == "proxyconnect":
		return "check the proxy (HTTPS_PROXY)"
	case speaksHTTP(err) && loopback:
		return "set the base URL to http://" + host
	case speaksHTTP(err):
		return check("check the network for a proxy or a login page", "check the port of the base URL")
	case speaksTLS(err):
		return "set the base URL to https://" + host
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "if a proxy inspects TLS, add its CA to the trusted certificates of this machine (on Linux, SSL_CERT_FILE names a file of them)"
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return "check the clock of this machine"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return check("check the network for a proxy or a DNS server that redirects this host", "check the base URL")
	}
	switch {
	case isDNS && dns.IsNotFound:
		return check("check the network, and whether it needs a proxy (HTTPS_PROXY)", "check the base URL")
	case x.last.timeout && x.last.open:
		return check("check the network and status.twilio.com, or raise --timeout", "check the server, or raise --timeout")
	case loopback:
		return "check the base URL, and that the server runs"
	}
	return check("check the network, the proxy (HTTPS_PROXY) and status.twilio.com", "check the base URL, the network and the proxy (HTTPS_PROXY)")
}
