package emulator

import (
	"mime"
	"net/http"
	"net/url"
)

// decodeForm reads the body of a create or an update into checked values.
func (k *kind) decodeForm(r *http.Request, body []byte, update bool) (values, error) {
	if err := noQuery(r); err != nil {
		return nil, err
	}
	given := make(values)
	if len(body) == 0 {
		return given, nil // an empty update is allowed, and a create lacks its parameters
	}
	const want = "application/x-www-form-urlencoded"
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != want {
		return nil, &apiError{http.StatusUnsupportedMediaType, codeParameter, "The Content-Type must be " + want}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, badRequest(codeParameter, "The post body cannot be decoded: %s", err)
	}
	for i := range k.fields {
		f := &k.fields[i]
		list, ok := form[f.param]
		if !ok || f.fixed && update {
			continue
		}
		delete(form, f.param)
		if len(list) > 1 && f.kind != kindList {
			return nil, badRequest(codeParameter, "%s is given %d times", f.param, len(list))
		}
		for _, text := range list {
			if value, err := f.parse(text); err == nil {
				given[f.key] = value
			} else if text == "" && f.types != nil && len(list) == 1 {
				given[f.key] = blank{err}
			} else {
				return nil, k.refused(f, err)
			}
		}
		if _, none := given[f.key].(blank); f.kind == kindList && !none {
			given[f.key] = list
		}
	}
	for param := range form {
		return nil, badRequest(codeParameter, "Unknown parameter %q in the post body", param)
	}
	return given, nil
}

// blank is an empty parameter that its field does not accept. Terraform sends
// those of the integration type that a flow had before, and the flow drops them;
// err is for a flow of the field's own type.
type blank struct{ err error }

// refused returns the error for a value that the field does not accept.
func (k *kind) refused(f *field, err error) error {
	return badRequest(k.invalid, "%s %s", f.param, err)
}

// noQuery refuses a query where the API has no query parameters.
func noQuery(r *http.Request) error {
	if r.URL.RawQuery != "" {
		return badRequest(codeParameter, "Unknown parameters in the query %q", r.URL.RawQuery)
	}
	return nil
}
