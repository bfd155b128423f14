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
	Addr              string        `default:"127.0.0.1:0" help:"Address to listen on: a loopback address; port 0 takes a free one."`
	Seed              string        `placeholder:"FILE" file:"in" help:"Start from the account in FILE, which is not written."`
	Local             string        `placeholder:"FILE" file:"account" help:"Keep the account in FILE."`
	AccountSID        string        `name:"account-sid" placeholder:"SID" help:"SID of the account."`
	AuthToken         string        `placeholder:"TOKEN" help:"The only password that is accepted (default: any)."`
	Collisions        bool          `help:"Refuse a second enabled flow of one identity and integration type, as error 45210."`
	CollisionsAnyType bool          `help:"The same, whatever the integration types of the two."`
	Latency           time.Duration `help:"How long each answer takes."`
	RateLimit         float64       `placeholder:"N" help:"Requests a second beyond which 429 is answered."`
	Documented        bool          `name:"documented-limits" help:"Answer 429 beyond Twilio's documented limits of each endpoint."`
	RetryAfter        time.Duration `help:"The Retry-After of a 429 (default: none)."`
}

// maxSeedBytes bounds a seed: 100,000 flows take about 50 MB.
const maxSeedBytes = 1 << 30

func (c *emulateCmd) Run(ctx context.Context, a *app) error {
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return inputError(fmt.Errorf("--addr: %w", err), "write 127.0.0.1:PORT")
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return inputError(fmt.Errorf("--addr %s is not on loopback", c.Addr), "the emulated account is for this machine only: use 127.0.0.1:PORT")
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
