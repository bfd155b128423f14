package emulator

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// Fault is what goes wrong with one request. The zero value is nothing.
//
// The fields that come first act before the request is carried out: it then
// changes nothing, whatever it was. The others act after it was carried out and
// kept, on its answer.
type Fault struct {
	// Delay comes before anything else.
	Delay time.Duration
	// DropBefore cuts the connection.
	DropBefore bool
	// Hang is silence until the client goes away.
	Hang bool
	// Redirect answers 307 to this address, or with Status if it is given.
	Redirect string
	// Status is answered, with Header, Body and ContentType. Without a Body it
	// is an error document of Twilio's.
	Status int

	// DelayAfter comes before the answer is sent.
	DelayAfter time.Duration
	// DropAfter cuts the connection.
	DropAfter bool
	// HangAfter is silence until the client goes away.
	HangAfter bool
	// StatusAfter is answered in place of the answer, with Header, Body and
	// ContentType, as a gateway does that has lost patience.
	StatusAfter int
	// Rewrite alters the body of the answer.
	Rewrite func(body []byte) []byte
	// CutBody cuts the connection halfway through the answer.
	CutBody bool
	// Endless goes on after the answer with white space, until the client goes
	// away.
	Endless bool

	// Header, Body and ContentType shape the answer of Status and StatusAfter.
	// Header is added to any answer.
	Header      http.Header
	Body        string
	ContentType string
}

// before is the answer to a request that is not to be carried out, if that is
// so.
func (f *Fault) before(r *http.Request) (answer, bool) {
	switch {
	case f.DropBefore:
		panic(http.ErrAbortHandler)
	case f.Hang:
		hang(r)
	case f.Redirect != "":
		a := f.answer(http.StatusTemporaryRedirect)
		if f.Status != 0 {
			a.status = f.Status
		}
		a.header.Set("Location", f.Redirect)
		return a, true
	case f.Status != 0:
		return f.answer(f.Status), true
	}
	return answer{}, false
}

// after is what becomes of the answer to a request that was carried out.
func (f *Fault) after(r *http.Request, a answer) answer {
	pause(r, f.DelayAfter)
	switch {
	case f.DropAfter:
		panic(http.ErrAbortHandler)
	case f.HangAfter:
		hang(r)
	case f.StatusAfter != 0:
		return f.answer(f.StatusAfter)
	}
	if f.Rewrite != nil {
		a.body = f.Rewrite(a.body)
	}
	if f.Header != nil {
		header := f.Header.Clone()
		for key, list := range a.header {
			header[key] = list
		}
		a.header = header
	}
	return a
}

// answer is the fault's own.
func (f *Fault) answer(status int) answer {
	var a answer
	if f.Body != "" {
		a.body = []byte(f.Body)
	} else if status >= 400 {
		code := 20000 + status // how Twilio numbers what HTTP names: 20404, 20429, 20500, 20503
		if status == http.StatusUnauthorized {
			code = codeAuth
		}
		a = errorAnswer(&apiError{status, code, http.StatusText(status)})
	}
	a.status = status
	header := f.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	for key, list := range a.header {
		header[key] = list
	}
	if f.ContentType != "" {
		header.Set("Content-Type", f.ContentType)
	}
	a.header = header
	return a
}

// hang waits for the client to go away.
func hang(r *http.Request) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// pause waits, and cuts the connection if the client goes away meanwhile.
func pause(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// endless writes the body and then white space until the client goes away. It
// does not return.
func endless(w http.ResponseWriter, r *http.Request, body []byte) {
	_, err := w.Write(body)
	chunk := bytes.Repeat([]byte(" "), 32<<10)
	for err == nil && r.Context().Err() == nil {
		_, err = w.Write(chunk)
	}
	panic(http.ErrAbortHandler)
}

// withForm is the request with a body and a PostForm that can be read without
// taking them from anyone.
func withForm(r *http.Request, body []byte) *http.Request {
	c := r.Clone(r.Context())
	c.Body = io.NopCloser(bytes.NewReader(body))
	_ = c.ParseForm() // what cannot be parsed is answered later
	c.Body = io.NopCloser(bytes.NewReader(body))
	return c
}
