package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"flexsync/internal/emulator"
)

type emulateCmd struct {
	Addr              string        `default:"127.0.0.1:0" help:"Loopback address to listen on. Port 0 picks a free port."`
	Seed              string        `placeholder:"FILE" file:"in" help:"Start from the account in FILE. FILE is not written."`
	Local             string        `placeholder:"FILE" file:"account" help:"Keep the account in FILE."`
	AccountSID        string        `name:"account-sid" placeholder:"SID" help:"SID of the account."`
	AuthToken         string        `placeholder:"TOKEN" help:"The only password that is accepted (default: any)."`
	Collisions        bool          `help:"Refuse a second enabled flow with the same identity and integration type, with error 45210."`
	CollisionsAnyType bool          `help:"Like --collisions, regardless of the integration type."`
	Latency           time.Duration `help:"Delay of each response."`
	RateLimit         float64       `placeholder:"N" help:"Requests per second above which the response is 429."`
	Documented        bool          `name:"documented-limits" help:"Respond with 429 above Twilio's documented limits for each endpoint."`
	RetryAfter        time.Duration `help:"Retry-After of a 429 response (default: none)."`
}

// maxSeedBytes bounds a seed: 100,000 flows take about 50 MB.
const maxSeedBytes = 1 << 30

func (emulateCmd) Help() string {
	return `
For a single command, use --local FILE instead of a server.

Examples:

	flexsync emulate --local account.json
	flexsync emulate --addr 127.0.0.1:8080 --seed account.json --collisions`
}

func (c *emulateCmd) Run(ctx context.Context, a *app) error {
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return inputError(fmt.Errorf("--addr: %w", err), "write 127.0.0.1:PORT")
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return inputError(fmt.Errorf("--addr must be a loopback address, not %s", c.Addr), "the emulated account is for this machine only: use 127.0.0.1:PORT")
	}
	opts := emulator.Options{
		File: c.Local, AccountSID: c.AccountSID, AuthToken: c.AuthToken, Latency: c.Latency, RateLimit: c.RateLimit, RetryAfter: c.RetryAfter,
		Behaviour: emulator.Behaviour{Collisions: c.Collisions || c.CollisionsAnyType, CollideAcrossTypes: c.CollisionsAnyType},
	}
	if c.Documented {
		opts.Limits = emulator.DocumentedLimits
	}
	if c.Seed != "" {
		if opts.Seed, err = readFile(ctx, c.Seed, maxSeedBytes); err != nil {
			return inputError(fmt.Errorf("--seed: %w", err), "")
		}
	}
	server, err := emulator.New(opts)
	if err != nil {
		return inputError(err, "")
	}
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(a.stdout, "http://%s\n", listener.Addr()); err != nil {
		return errors.Join(written(err), listener.Close())
	}
	token := c.AuthToken
	if token == "" {
		token = "any"
	}
	a.say("account %s; to use it:", server.AccountSID())
	a.hint(fmt.Sprintf("export FLEXSYNC_BASE_URL=http://%s TWILIO_ACCOUNT_SID=%s TWILIO_AUTH_TOKEN=%s", listener.Addr(), server.AccountSID(), token))
	srv := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
