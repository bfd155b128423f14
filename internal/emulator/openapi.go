package emulator

import (
	_ "embed"
	"io"
	"net/http"
)

// OpenAPI is the OpenAPI document of what is emulated, which the tests hold every
// request and every answer against.
//
//go:embed openapi.json
var OpenAPI string

// openAPIPath is where the document is served, without credentials and outside
// of the account: it is not logged, and no fault, delay or limit touches it.
const openAPIPath = "/openapi.json"

func serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, OpenAPI) // a client that went away does not want to know
}
