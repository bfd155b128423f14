package emulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// Transport answers requests in this process, whatever host they are for, with
// neither a network nor a port. To a client it is as a network is: an answer may
// come late, its body comes piece by piece, a cancelled context ends everything,
// and a connection that is cut is io.ErrUnexpectedEOF.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL == nil || req.URL.Host == "" {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, errors.New("emulator: no host in the request URL")
	}
	if err := req.Context().Err(); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, context.Cause(req.Context())
	}

	// The handler's context ends with the request's, and also when the client
	// closes the answer's body: on a network, too, a server notices that.
	ctx, cancel := context.WithCancel(req.Context())
	r := incoming(req, ctx)
	reader, writer := io.Pipe()
	w := &pipeWriter{
		header: make(http.Header),
		body:   writer,
		ready:  make(chan *http.Response, 1),
		response: &http.Response{
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Request: req, ContentLength: -1,
			Body: &pipeBody{PipeReader: reader, ctx: req.Context(), cancel: cancel},
		},
	}
	stop := context.AfterFunc(req.Context(), func() {
		writer.CloseWithError(context.Cause(req.Context()))
	})

	broken := make(chan error, 1)
	go func() {
		defer cancel()
		defer stop()
		defer r.Body.Close()
		if err := serve(t.handler, w, r); err != nil {
			writer.CloseWithError(err)
			broken <- err
			return
		}
		w.WriteHeader(http.StatusOK)
		writer.Close()
	}()

	select {
	case response := <-w.ready:
		return response, nil
	case err := <-broken:
		select { // it may have come as far as the header
		case response := <-w.ready:
			return response, nil
		default:
		}
		if req.Context().Err() != nil {
			err = context.Cause(req.Context())
		}
		return nil, err
	case <-req.Context().Done():
		return nil, context.Cause(req.Context())
	}
}

// incoming is a client's request as a server sees it.
func incoming(req *http.Request, ctx context.Context) *http.Request {
	r := req.Clone(ctx)
	r.RequestURI = req.URL.RequestURI()
	r.RemoteAddr = "127.0.0.1:0"
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.Host == "" {
		r.Host = req.URL.Host
	}
	if req.URL.Scheme == "https" {
		r.TLS = &tls.ConnectionState{}
	}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	return r
}

// serve calls the handler, and makes an error of the panic by which a handler
// cuts the connection.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			err = io.ErrUnexpectedEOF
		default:
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
	return nil
}

// pipeWriter is the server's end of an answer.
type pipeWriter struct {
	header   http.Header
	body     *io.PipeWriter
	response *http.Response
	ready    chan *http.Response // gets the response once its header is there
	once     sync.Once
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.response.StatusCode = status
		w.response.Status = fmt.Sprintf("%d %s", status, http.StatusText(status))
		w.response.Header = w.header.Clone()
		if n := w.header.Get("Content-Length"); n != "" {
			fmt.Sscan(n, &w.response.ContentLength)
		}
		if status == http.StatusNoContent {
			w.response.ContentLength = 0
		}
		w.ready <- w.response
	})
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if len(p) == 0 {
		return 0, nil // a pipe would wait for a reader
	}
	return w.body.Write(p)
}

// Flush does nothing: every write reaches the reader at once.
func (w *pipeWriter) Flush() {}

// pipeBody is the client's end.
type pipeBody struct {
	*io.PipeReader
	ctx    context.Context // the client's
	cancel context.CancelFunc
}

func (b *pipeBody) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil { // even if there is something left to read
		return 0, context.Cause(b.ctx)
	}
	return b.PipeReader.Read(p)
}

func (b *pipeBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}
