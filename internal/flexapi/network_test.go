package flexapi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestNetworkText is the table of what a failure of the network is called.
func TestNetworkText(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 3128}, Err: err}
	}
	call := func(name string, number syscall.Errno) error { return os.NewSyscallError(name, number) }
	read := func(err error) error { return &net.OpError{Op: "read", Net: "tcp", Err: err} }
	proxy := func(err error) error { return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err} }
	certificate := func(err error) error { return &tls.CertificateVerificationError{Err: err} }
	const path = "GET /v1/FlexFlows/" + testSID
	const host = "flex-api.twilio.com"
	for _, tt := range []struct {
		err  error
		base string
		sent bool   // a connection was there
		want string // % is "(6 attempts in N s)"
		hint string
	}{
		{err: dial(call("connect", syscall.ECONNREFUSED)), want: "connection refused %", hint: "check the network, the proxy (HTTPS_PROXY) and status.twilio.com"},
		{err: dial(call("connect", syscall.ECONNREFUSED)), base: "https://gateway.example:8443", want: "connection refused %", hint: "check the base URL, the network and the proxy (HTTPS_PROXY)"},
		{err: dial(call("connect", syscall.ECONNREFUSED)), base: "http://127.0.0.1:8080", want: "connection refused %", hint: "check the base URL, and that the server runs"},
		{err: dial(call("connect", syscall.ENETUNREACH)), want: "network is unreachable %", hint: "check the network, the proxy (HTTPS_PROXY) and status.twilio.com"},
		{err: dial(call("connect", syscall.EHOSTUNREACH)), want: "no route to host %", hint: "check the network, the proxy (HTTPS_PROXY) and status.twilio.com"},
		{err: dial(&net.DNSError{Err: "no such host", Name: host, IsNotFound: true}), want: "no such host %", hint: "check the network, and whether it needs a proxy (HTTPS_PROXY)"},
		{err: dial(&net.DNSError{Err: "no such host", Name: "gateway.example", IsNotFound: true}), base: "https://gateway.example", want: "no such host %", hint: "check the base URL"},
		{err: dial(&net.DNSError{Err: "i/o timeout", Name: host, IsTimeout: true}), want: "the DNS lookup timed out %", hint: "check the network, the proxy (HTTPS_PROXY) and status.twilio.com"},
		{err: dial(&net.DNSError{Err: "server misbehaving", Name: host, Server: "10.0.0.2:53"}), want: "the DNS lookup failed: server misbehaving %", hint: "check the network, the proxy (HTTPS_PROXY) and status.twilio.com"},
		{err: errors.New("net/http: TLS handshake timeout"), want: "TLS handshake timeout %", hint: "check the network, the proxy (HTTPS_PROXY) and status.twilio.com"},
		{err: io.EOF, want: "the connection was closed %", hint: "check the network, the proxy (HTTPS_PROXY) and status.twilio.com"},

		{err: proxy(dial(call("connect", syscall.ECONNREFUSED))), want: "the proxy 10.0.0.1:3128: connection refused %", hint: "check the proxy (HTTPS_PROXY)"},
		{err: proxy(dial(&net.DNSError{Err: "no such host", Name: "proxy.example", IsNotFound: true})), want: "the proxy proxy.example: no such host %", hint: "check the proxy (HTTPS_PROXY)"},
		{err: &proxyError{407}, want: "the proxy answered HTTP 407 Proxy Authentication Required", hint: "check the user name and password in HTTPS_PROXY"},
		{err: &proxyError{403}, want: "the proxy answered HTTP 403 Forbidden", hint: "check that the proxy (HTTPS_PROXY) allows connections to " + host},
		{err: &proxyError{502}, want: "the proxy answered HTTP 502 Bad Gateway %", hint: "check the proxy (HTTPS_PROXY)"},

		{err: certificate(x509.UnknownAuthorityError{}), want: "the certificate is signed by an unknown authority", hint: "if a proxy inspects TLS, add its CA to the trusted certificates of this machine (on Linux, SSL_CERT_FILE names a file of them)"},
		{err: certificate(x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"a.example", "b.example", "c.example", "d.example"}}, Host: host}),
			want: "the certificate is for a.example, b.example, c.example, …, not for " + host, hint: "check the network for a proxy or a DNS server that redirects this host"},
		{err: certificate(x509.HostnameError{Certificate: &x509.Certificate{}, Host: "gateway.example"}), base: "https://gateway.example",
			want: "the certificate is for no host, not for gateway.example", hint: "check the base URL"},
		{err: certificate(x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{NotAfter: time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC)}}),
			want: "the certificate expired at 1999-12-31 23:00:00 UTC", hint: "check the clock of this machine"},
		{err: certificate(x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{NotBefore: time.Date(2031, 12, 31, 23, 0, 0, 0, time.UTC)}}),
			want: "the certificate is not valid before 2031-12-31 23:00:00 UTC", hint: "check the clock of this machine"},
		{err: tls.RecordHeaderError{RecordHeader: [5]byte([]byte("HTTP/"))}, want: "the server speaks http, not https", hint: "check the network for a proxy or a login page"},
		{err: tls.RecordHeaderError{RecordHeader: [5]byte([]byte("HTTP/"))}, base: "https://gateway.example:80", want: "the server speaks http, not https", hint: "check the port of the base URL"},

		{err: io.EOF, sent: true, want: "the connection was closed %", hint: "check the network, the proxy (HTTPS_PROXY) and status.twilio.com"},
		{err: read(call("read", syscall.ECONNRESET)), sent: true, want: "connection reset by peer %", hint: "check the network, the proxy (HTTPS_PROXY) and status.twilio.com"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newTestClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
				trace := httptrace.ContextClientTrace(r.Context())
				trace.GetConn("host")
				if tt.sent {
					trace.GotConn(httptrace.GotConnInfo{})
				}
				return nil, tt.err
			}), func(cfg *Config) { cfg.BaseURL = tt.base })
			start := time.Now()
			_, err := c.Fetch(t.Context(), testFlows, testSID)
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("error %v", err)
			}
			u, parseErr := url.Parse(c.BaseURL(Flex))
			if parseErr != nil {
				t.Fatal(parseErr)
			}
			want := "cannot reach " + u.Host + ": " + tt.want
			if tt.sent {
				want = path + ": no answer from " + u.Host + ": " + tt.want
			}
			seconds := (time.Since(start) + time.Second - 1) / time.Second
			want = strings.Replace(want, "%", fmt.Sprintf("(6 attempts in %d s)", seconds), 1)
			if err.Error() != want || e.Hint != tt.hint {
				t.Errorf("%v\n%s\nwant:\n%s\n%s", err, e.Hint, want, tt.hint)
			}
		})
	}
}

// TestRealNetwork is the same with real connections, on loopback.
func TestRealNetwork(t *testing.T) {
	quiet := log.New(io.Discard, "", 0)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) })
	plain := httptest.NewServer(page)
	defer plain.Close()
	secure := httptest.NewUnstartedServer(page)
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	defer secure.Close()
	serve := func(answer string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, answer)
				conn.Close()
			}
		}()
		return l.Addr().String()
	}
	alert := serve("\x15\x03\x01\x00\x02\x02\x46")
	nginx := serve("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html><center>The plain HTTP request was sent to HTTPS port</center>")
	plainHost, secureHost := plain.Listener.Addr().String(), secure.Listener.Addr().String()
	_, securePort, _ := net.SplitHostPort(secureHost)
	for _, tt := range []struct{ name, base, proxy, want, hint string }{
		{"https to http", "https://" + plainHost, "", "cannot reach " + plainHost + ": the server speaks http, not https", "set the base URL to http://" + plainHost},
		{"http to https", "http://" + secureHost, "", "POST /v1/FlexFlows: HTTP 400: the server speaks https, not http", "set the base URL to https://" + secureHost},
		{"http to an alert", "http://" + alert, "", "POST /v1/FlexFlows: no answer from " + alert + ": the server speaks https, not http", "set the base URL to https://" + alert},
		{"http to nginx", "http://" + nginx, "", "POST /v1/FlexFlows: HTTP 400: the server speaks https, not http", "set the base URL to https://" + nginx},
		{"an unknown CA", "https://" + secureHost, "", "cannot reach " + secureHost + ": the certificate is signed by an unknown authority", "SSL_CERT_FILE"},
		{"another host", "https://localhost:" + securePort, "", "cannot reach localhost:" + securePort + ": the certificate is for example.com, *.example.com, 127.0.0.1, …, not for localhost", "check the base URL"},
		{"a proxy", "", plain.URL, "cannot reach flex-api.twilio.com: the proxy answered HTTP 407 Proxy Authentication Required", "user name and password in HTTPS_PROXY"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			transport, ok := defaultTransport(1).(*http.Transport)
			if !ok {
				t.Fatal("the transport is not net/http's")
			}
			defer transport.CloseIdleConnections()
			transport.Proxy = func(*http.Request) (*url.URL, error) {
				if tt.proxy == "" {
					return nil, nil
				}
				return url.Parse(tt.proxy)
			}
			c := newTestClient(t, transport, func(cfg *Config) { cfg.BaseURL = tt.base })
			_, err := c.Create(t.Context(), testFlows, nil)
			e, ok := errors.AsType[*Error](err)
			if !ok || err.Error() != tt.want || !strings.Contains(e.Hint, tt.hint) || e.Unknown {
				t.Errorf("%v\nhint %q\nwant %s\nhint %q", err, e.Hint, tt.want, tt.hint)
			}
		})
	}

	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for base, want := range map[string]string{
		"http://" + gone.Addr().String(): "connection refused",
		"http://" + serve(""):            "the connection was closed",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := defaultTransport(1).RoundTrip(req)
		if err == nil {
			resp.Body.Close()
			t.Fatal("there is an answer")
		}
		if have := cause(err); have != want {
			t.Errorf("%v is called %q, want %q", err, have, want)
		}
	}
}
