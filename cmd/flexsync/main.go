// Command flexsync keeps the Flex Flows of a Twilio account equal to YAML files.
//
// This package is the command line: grammar, sessions, printing and exit codes,
// with one file for each command. stdout gets the result; progress, warnings and
// errors go to stderr. The packages below make all decisions about flows.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// When the reader of stdout is gone, writes fail with EPIPE. The signal would
	// kill an apply half-way.
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		last := "flexsync: stopped immediately; a write in progress may still take effect: run `flexsync plan` to see\n"
		if isTerminal(os.Stderr) {
			last = takeBack + last // the status line
		}
		_, _ = io.WriteString(newStream(ctx, os.Stderr), last) // not held up by a reader that stalls
		os.Exit(exitInterrupted)
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv))
}
