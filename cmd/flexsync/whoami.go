package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"flexsync/internal/flexapi"
	"flexsync/internal/render"
	"flexsync/internal/safetext"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

type whoamiCmd struct {
	accountFlags
	Format string `default:"text" enum:"text,json" group:"output" help:"Output format: text or json."`
}

func (whoamiCmd) Help() string {
	return `
Exits with 0 if the Flex Flows API answers, whatever the other products do: only names instead of SIDs, --names and --check-refs need those.

Examples:

	flexsync whoami
	flexsync whoami --profile production
	flexsync whoami --format json | jq .flows`
}

// probes ask the other products for as little as they can.
var probes = []struct {
	name string
	flexapi.Collection
}{
	{"Studio", flexapi.Collection{Product: flexapi.Studio, Path: "/v2/Flows", Key: "flows", PageSize: 1}},
	{"TaskRouter", flexapi.Collection{Product: flexapi.TaskRouter, Path: "/v1/Workspaces", Key: "workspaces", PageSize: 1}},
	{"Conversations", flexapi.Collection{Product: flexapi.Conversations, Path: "/v1/Services", Key: "services", PageSize: 1}},
}

// identity is what whoami knows in the end. It holds no secret.
type identity struct {
	FormatVersion int            `json:"format_version"`
	AccountSID    string         `json:"account_sid"`
	Credentials   credentials    `json:"credentials"`
	BaseURL       string         `json:"base_url"`
	Flows         *int           `json:"flows"` // null: unknown
	FlowsLimit    int            `json:"flows_limit"`
	Addresses     *int           `json:"addresses"` // likewise
	Products      []productState `json:"products"`
}

// credentials say where they come from.
type credentials struct {
	Source  string `json:"source"`            // "auth-token", "api-key", "profile" or "embedded"
	APIKey  string `json:"api_key,omitempty"` // its SID
	Profile string `json:"profile,omitempty"`
	File    string `json:"file,omitempty"` // of an embedded account
}

// productState is how a product answers.
type productState struct {
	Name       string `json:"name"`
	Status     string `json:"status"` // "ok", "refused", "timeout" or "failed"
	HTTPStatus int    `json:"http_status,omitempty"`
	Code       int    `json:"code,omitempty"`
	Message    string `json:"message,omitempty"`
}

func (c *whoamiCmd) Run(ctx context.Context, a *app) error {
	t, err := c.accountFlags.target(a)
	if err != nil {
		return err
	}
	s, err := t.session(a, use{})
	if err != nil {
		return err
	}
	me := identity{
		FormatVersion: plan.FormatVersion, AccountSID: s.accountSID, Credentials: t.credentialsOf(c.Profile), BaseURL: s.baseURL,
		FlowsLimit: schema.Flows.Limit, Products: make([]productState, 1+len(probes)),
	}
	var wait sync.WaitGroup
	var failed error
	wait.Go(func() {
		failed = ask(ctx, t.timeout, func(ctx context.Context) error { return s.list(ctx, []*schema.Kind{schema.Flows}) })
		me.Products[0] = stateOf("Flex", failed)
	})
	wait.Go(func() { // what stands in the way is said of Conversations
		var addresses *state.Snapshot
		if ask(ctx, t.timeout, func(ctx context.Context) (err error) {
			addresses, err = state.Read(ctx, s.client, []*schema.Kind{schema.Addresses})
			return err
		}) == nil {
			n := len(addresses.Resources)
			me.Addresses = &n
		}
	})
	for i, p := range probes {
		wait.Go(func() {
			me.Products[1+i] = stateOf(p.name, ask(ctx, t.timeout, func(ctx context.Context) error {
				enough := errors.New("the first page is enough")
				err := s.client.List(ctx, p.Collection, func([]any) error { return enough })
				if errors.Is(err, enough) {
					return nil
				}
				return err
			}))
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return errInterrupted
	}
	if failed == nil {
		n := len(s.snapshot.Resources)
		me.Flows = &n
	}
	if c.Format == "json" {
		err = a.writeDocument(me)
	} else {
		err = written(render.Table(a.stdout, me.rows(), nil, 0))
	}
	switch {
	case err != nil:
		return err
	case failed == nil:
		return nil
	}
	a.sayError(fmt.Errorf("the Flex Flows API: %w", failed))
	return silent(exitCode(ctx, failed))
}

// ask gives a product a time to answer.
func ask(ctx context.Context, patience time.Duration, question func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := question(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &timeoutError{patience}
	}
	return err
}

// timeoutError is the error of a product that does not answer in time.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("no answer within %s", e.after) }

// credentialsOf says where the credentials come from. People mix the variables up,
// so only what is surely a key's SID is shown.
func (t target) credentialsOf(profile string) credentials {
	c := credentials{Source: "auth-token"}
	if schema.IsSID("SK", t.credentials.Username) {
		c.APIKey = t.credentials.Username
	}
	switch {
	case t.local != "":
		return credentials{Source: "embedded", File: t.local}
	case profile != "":
		c.Source, c.Profile = "profile", profile
	case t.credentials.Username != t.credentials.AccountSID:
		c.Source = "api-key"
	}
	return c
}

func (c credentials) String() string {
	key := ""
	if c.APIKey != "" {
		key = " (" + c.APIKey + ")"
	}
	switch c.Source {
	case "embedded":
		return "embedded: " + safetext.Line(c.File)
	case "profile":
		return "profile " + safetext.Line(c.Profile) + key
	case "api-key":
		return "TWILIO_API_KEY and TWILIO_API_SECRET" + key
	}
	return "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"
}

// stateOf reads a product's answer off the error of asking it.
func stateOf(name string, err error) productState {
	p := productState{Name: name, Status: "ok"}
	if err == nil {
		return p
	}
	p.Status, p.Message = "failed", safetext.Line(err.Error())
	var api *flexapi.Error
	var late *timeoutError
	switch {
	case errors.As(err, &late):
		p.Status = "timeout"
	case errors.As(err, &api) && api.Status != 0:
		p.Status, p.HTTPStatus, p.Code = "refused", api.Status, api.Code
		p.Message = safetext.Line(api.Message)
	}
	return p
}

func (p productState) String() string {
	switch p.Status {
	case "ok":
		return "ok"
	case "refused":
		text := fmt.Sprintf("HTTP %d", p.HTTPStatus)
		if p.Code != 0 {
			text += fmt.Sprintf(", code %d", p.Code)
		}
		if p.Message != "" {
			text += ": " + p.Message
		}
		return text
	}
	return p.Message
}

// rows are the lines of the text.
func (me *identity) rows() [][]string {
	flows, addresses := "unknown", "unknown"
	if me.Flows != nil {
		flows = fmt.Sprintf("%d of at most %d", *me.Flows, schema.Flows.Limit)
	}
	if me.Addresses != nil {
		addresses = strconv.Itoa(*me.Addresses)
	}
	rows := [][]string{
		{"Account", me.AccountSID},
		{"Credentials", me.Credentials.String()},
		{"Flows", flows},
		{"Addresses", addresses},
	}
	if me.BaseURL != "local" {
		rows = append(rows, []string{"API", me.BaseURL})
	}
	for _, p := range me.Products {
		rows = append(rows, []string{p.Name, p.String()})
	}
	return rows
}
