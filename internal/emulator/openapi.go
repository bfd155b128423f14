package emulator

import (
	_ "embed"
	"io"
	"net/http"
)

// OpenAPI is the OpenAPI document of the emulated API. The tests check every request
// and every answer against it.
//
//go:embed openapi.json
var OpenAPI string

// openAPIPath is where the document is served, without credentials and outside the
// account: no delay or limit applies.
const openAPIPath = "/openapi.json"

func serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, OpenAPI) // it fails only for a client that went away
}
