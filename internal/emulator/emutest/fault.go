package emutest

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Fault is what goes wrong with one request. The zero value is nothing.
//
// The first fields act before the request is carried out: it then changes nothing,
// whatever it was. The others act on its answer, whatever that is, after it was
// carried out and stored.
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
	// ContentType, as a gateway does when it times out.
	StatusAfter int
	// Rewrite alters the body of the answer.
	Rewrite func(body []byte) []byte
	// CutBody cuts the connection halfway through the answer.
	CutBody bool
	// Endless goes on after the answer with white space, until the client goes
	// away.
	Endless bool

	// Header, Body and ContentType shape the answer of Status and StatusAfter.
	// Header is set on any answer.
	Header      http.Header
	Body        string
	ContentType string
}

// answer is the response to a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// before returns the answer to a request that is not to be carried out, and whether
// it is one.
func (f *Fault) before(r *http.Request) (answer, bool) {
	switch {
	case f.DropBefore:
		panic(http.ErrAbortHandler)
	case f.Hang:
		hang(r)
	case f.Redirect != "":
		a := f.answer(cmp.Or(f.Status, http.StatusTemporaryRedirect))
		a.header.Set("Location", f.Redirect)
		return a, true
	case f.Status != 0:
		return f.answer(f.Status), true
	}
	return answer{}, false
}

// after returns what becomes of the answer to a request that was carried out.
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
	return a
}

// answer returns the fault's own answer.
func (f *Fault) answer(status int) answer {
	a := answer{status, http.Header{"Twilio-Request-Id": {requestID()}}, []byte(f.Body)}
	if f.Body == "" && status >= 400 {
		code := 20000 + status // as Twilio numbers the statuses of HTTP: 20404, 20429, 20500, 20503
		if status == http.StatusUnauthorized {
			code = 20003
			a.header.Set("Www-Authenticate", `Basic realm="Twilio API"`)
		}
		a.body = fmt.Appendf(nil, `{"code":%[1]d,"message":%[2]q,"more_info":"https://www.twilio.com/docs/errors/%[1]d","status":%[3]d}`,
			code, http.StatusText(status), status)
	}
	if len(a.body) > 0 {
		a.header.Set("Content-Type", cmp.Or(f.ContentType, "application/json"))
	}
	return a
}

// send writes an answer in the way that the fault prescribes.
func (f *Fault) send(w http.ResponseWriter, r *http.Request, a answer) {
	h := w.Header()
	maps.Copy(h, a.header)
	maps.Copy(h, f.Header)
	h.Del("Content-Length")
	switch {
	case f.Endless:
		w.WriteHeader(a.status)
		endless(w, r, a.body)
	case a.status != http.StatusNoContent:
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if f.CutBody {
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body) // it fails only for a client that went away
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

// requestID returns a new request ID, which Twilio's support asks for.
func requestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return "RQ" + hex.EncodeToString(b[:])
}
