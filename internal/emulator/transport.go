package emulator

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// Transport answers requests in this process, whatever host they are for, with
// neither a network nor a port: net/http's own server is at the other end of a
// pipe. Https is http there, and each connection serves one request only, so that
// nothing is left running after the last answer.
func (s *Server) Transport() http.RoundTripper { return Transport(s) }

// Transport is [Server.Transport] for a handler around a server.
func Transport(h http.Handler) http.RoundTripper {
	return &http.Transport{
		DisableKeepAlives:  true,
		DisableCompression: true, // it would only cost time
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return connect(h), nil
		},
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			return connect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.TLS = &tls.ConnectionState{}
				h.ServeHTTP(w, r)
			})), nil
		},
	}
}

// connect returns the client's end of a connection to a server of its own.
func connect(h http.Handler) net.Conn {
	client, server := net.Pipe()
	go func() {
		// It returns at once, with an error, after the only connection.
		_ = (&http.Server{Handler: h}).Serve(&listener{conn: server})
	}()
	return client
}

// listener accepts one connection.
type listener struct{ conn net.Conn }

func (l *listener) Accept() (net.Conn, error) {
	conn := l.conn
	if l.conn = nil; conn == nil {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (l *listener) Close() error   { return nil }
