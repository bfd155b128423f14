package flexapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// TestListBad: what is not a whole collection is an error.
func TestListBad(t *testing.T) {
	const good = `"flex_flows":[{"sid":"FO1"}]`
	for _, tt := range []struct{ body, want string }{
		{`{` + good + `}`, "no meta"},
		{`{"meta":null,` + good + `}`, "no meta"},
		{`{"meta":[],` + good + `}`, "no meta"},
		{`{"meta":{},` + good + `}`, "meta has no next_page_url"},
		{`{"meta":{"Next_Page_URL":null},` + good + `}`, "meta has no next_page_url"},
		{`{"meta":{"next_page_url":""},` + good + `}`, "next_page_url is empty"},
		{`{"meta":{"next_page_url":7},` + good + `}`, "next_page_url is neither null nor a string"},
		{`{"meta":{"next_page_url":null,"next_page_url":"/v1/FlexFlows?Page=1"},` + good + `}`, `duplicate key "next_page_url"`},
		{`{"meta":{"next_page_url":null},"meta":{"next_page_url":null},` + good + `}`, `duplicate key "meta"`},
		{`{"meta":{"next_page_url":null},` + good + `,` + good + `}`, `duplicate key "flex_flows"`},
		{`{"meta":{"next_page_url":null}}`, `no array "flex_flows"`},
		{`{"meta":{"next_page_url":null},"flex_flows":null}`, `no array "flex_flows"`},
		{`{"meta":{"next_page_url":null},"flex_flows":{}}`, `no array "flex_flows"`},
		{`{"meta":{"next_page_url":null},"FLEX_FLOWS":[]}`, `no array "flex_flows"`},
		{`{"meta":{"next_page_url":null},` + good + `} {}`, "not valid JSON"},
		{`{"meta":{"next_page_url":null},` + good, "incomplete"},
		{`[]`, "not a JSON object"},
		{``, "not valid JSON"},
		{`{"meta":{"next_page_url":"https://flex-api.twilio.com/v1/FlexFlows?PageSize=1000"},` + good + `}`, "read before"},
		{`{"meta":{"next_page_url":"https://evil.example/v1/FlexFlows?PageSize=1000"},` + good + `}`, `points to "https://evil.example:443"`},
		{`{"meta":{"next_page_url":"http://flex-api.twilio.com/v1/FlexFlows"},` + good + `}`, `points to "http://`},
		{`{"meta":{"next_page_url":"https://flex-api.twilio.com:444/v1/FlexFlows"},` + good + `}`, `points to`},
		{`{"meta":{"next_page_url":"//evil.example/v1/FlexFlows"},` + good + `}`, `points to`},
		{`{"meta":{"next_page_url":"/\\evil.example/v1/FlexFlows\u0000"},` + good + `}`, `not a URL`},
		{`{"meta":{"next_page_url":"v1/FlexFlows"},` + good + `}`, `points to`},
		{`{"meta":{"next_page_url":"https://x@flex-api.twilio.com/"},` + good + `}`, `unsupported form`},
		{`{"meta":{"next_page_url":"mailto:flex-api.twilio.com"},` + good + `}`, `unsupported form`},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newTestClient(t, roundTripper(gives(200, tt.body)))
			err := c.List(t.Context(), testFlows, func([]any) error { return nil })
			e, ok := errors.AsType[*Error](err)
			if !ok || !strings.Contains(err.Error(), tt.want) || e.Unknown || e.Path != testFlows.Path {
				t.Errorf("%s\n%v\nwant %s", tt.body, err, tt.want)
			}
		})
	}
}

func TestList(t *testing.T) {
	for _, prefix := range []string{"", "/prefix"} {
		for _, link := range []string{"http://HOST/prefix", "http://HOST", "", "HTTP://HOST"} {
			var asked []string
			var srv *httptest.Server
			srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.String())
				n := len(asked)
				next := "null"
				if n < 3 {
					next = fmt.Sprintf(`"%s/v1/FlexFlows?PageSize=1000&Page=%d&PageToken=PT%%2B%[2]d"`,
						strings.ReplaceAll(link, "HOST", strings.TrimPrefix(srv.URL, "http://")), n)
				}
				fmt.Fprintf(w, ` {"flex_flows": [ {"n":"%[1]d\"]"} , {"n": {"m": [%[1]d]}}], "meta": {"next_page_url": %s, "key":"flex_flows"}} `, n, next)
			}))
			if prefix == "" && strings.HasSuffix(link, "/prefix") {
				srv.Close()
				continue
			}
			c := newTestClient(t, nil, func(cfg *Config) { cfg.BaseURL = srv.URL + prefix })
			var items []string
			err := c.List(t.Context(), testFlows, func(page []any) error {
				for _, item := range page {
					text, _ := json.Marshal(item)
					items = append(items, string(text))
				}
				return nil
			})
			srv.Close()
			if err != nil {
				t.Fatal(err)
			}
			if want := []string{`{"n":"1\"]"}`, `{"n":{"m":[1]}}`, `{"n":"2\"]"}`, `{"n":{"m":[2]}}`, `{"n":"3\"]"}`, `{"n":{"m":[3]}}`}; !slices.Equal(items, want) {
				t.Errorf("items %q", items)
			}
			if want := []string{prefix + "/v1/FlexFlows?PageSize=1000", prefix + "/v1/FlexFlows?PageSize=1000&Page=1&PageToken=PT%2B1", prefix + "/v1/FlexFlows?PageSize=1000&Page=2&PageToken=PT%2B2"}; !slices.Equal(asked, want) {
				t.Errorf("asked %q", asked)
			}
		}
	}
}

func TestListEnds(t *testing.T) {
	n := 0
	c := newTestClient(t, roundTripper(gives(200, `{"meta":{"next_page_url":null},"flex_flows":[{}]}`)))
	if err := c.List(t.Context(), testFlows, func(items []any) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d pages, %v", n, err)
	}
	mine := errors.New("mine")
	if err := c.List(t.Context(), testFlows, func([]any) error { return mine }); err != mine {
		t.Error(err)
	}
}

// TestListEmptyPages: a page may be empty, for its items may have been deleted
// in the meantime, but a listing that never comes to an end does not go on.
func TestListEmptyPages(t *testing.T) {
	for _, tt := range []struct {
		name  string
		empty func(page int) bool
		last  int // 0 is never
		want  string
	}{
		{"for ever", func(int) bool { return true }, 0, "10 empty pages in a row"},
		{"for ever, after some items", func(n int) bool { return n > 3 }, 0, "10 empty pages in a row"},
		{"a few, and the end", func(int) bool { return true }, 10, ""},
		{"a few among others", func(n int) bool { return n%10 != 0 }, 45, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			c := newTestClient(t, roundTripper(func(*http.Request) (*http.Response, error) {
				n++
				next, items := fmt.Sprintf(`"/v1/FlexFlows?PageToken=%d"`, n), `{"sid":"FO1"}`
				if n == tt.last {
					next = "null"
				}
				if tt.empty(n) {
					items = ""
				}
				return answer(200, `{"meta":{"next_page_url":`+next+`},"flex_flows":[`+items+`]}`), nil
			}))
			err := c.List(t.Context(), testFlows, func([]any) error { return nil })
			if tt.want == "" {
				if err != nil || n != tt.last {
					t.Errorf("%d pages, error %v", n, err)
				}
			} else if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), tt.want) || e.Unknown || n > 20 {
				t.Errorf("%d pages, error %v", n, err)
			}
		})
	}
}

// TestListEdge: with an edge, the API may still link to its plain host.
func TestListEdge(t *testing.T) {
	var asked []string
	c := newTestClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.String())
		if len(asked) == 1 {
			return answer(200, `{"meta":{"next_page_url":"https://studio.twilio.com/v2/Flows?Page=1"},"flows":[]}`), nil
		}
		return answer(200, `{"meta":{"next_page_url":null},"flows":[]}`), nil
	}), func(cfg *Config) { cfg.Edge = "sydney" })
	err := c.List(t.Context(), Collection{Studio, "/v2/Flows", "flows", 1000}, func([]any) error { return nil })
	if err != nil || asked[1] != "https://studio.sydney.us1.twilio.com/v2/Flows?Page=1" {
		t.Error(asked, err)
	}
}

func FuzzDecodePage(f *testing.F) {
	f.Add(`{"meta":{"next_page_url":"x"},"flex_flows":[{"a":[1,"\"]"]},null , 1.5e3,"x"]}`)
	f.Add(`{"m\u0065ta":{"next_page_url":null},"flex_flows":[]}`)
	f.Add(`{"meta":{"next_page_url":null},"flex_flows":[1],"flex_flows":[2]}`)
	f.Fuzz(func(t *testing.T, body string) {
		if !json.Valid([]byte(body)) {
			return
		}
		p, err := decodePage([]byte(body), "flex_flows")
		if err != nil {
			return
		}
		var want []any
		fields := map[string]json.RawMessage{}
		if err := json.Unmarshal([]byte(body), &fields); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(fields["flex_flows"], &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(p.items, want) {
			t.Errorf("%q\nwant %q", p.items, want)
		}
	})
}

func BenchmarkDecodePage(b *testing.B) {
	var body strings.Builder
	body.WriteString(`{"meta":{"next_page_url":null},"flex_flows":[`)
	for i := range 1000 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"sid":"FO%032d","account_sid":"%s","date_created":"2016-08-01T22:10:40Z","date_updated":"2016-08-01T22:10:40Z","friendly_name":"Flow %d","chat_service_sid":"IS00000000000000000000000000000000","channel_type":"sms","contact_identity":"+15551230000","enabled":true,"integration_type":"studio","integration":{"flow_sid":"FW00000000000000000000000000000000","retry_count":1},"long_lived":false,"janitor_enabled":true,"url":"https://flex-api.twilio.com/v1/FlexFlows/FO%032d"}`, i, testAccount, i, i)
	}
	body.WriteString(`]}`)
	data := []byte(body.String())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if !json.Valid(data) {
			b.Fatal("invalid")
		}
		if p, err := decodePage(data, "flex_flows"); err != nil || len(p.items) != 1000 {
			b.Fatal(err)
		}
	}
}
