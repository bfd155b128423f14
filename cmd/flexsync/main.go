// Command flexsync keeps the Flex Flows of a Twilio account equal to YAML files.
//
// This package is the command line: grammar, wiring, printing, exit codes; one
// file a command. What it prints on stdout is the result, what it has to say
// beside that goes to stderr. All decisions are made in the packages below.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// A closed pipe behind stdout must not kill an apply half-way: the write
	// fails with EPIPE instead.
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
			last = takeBack + last // the line of an apply
		}
		_, _ = io.WriteString(newStream(ctx, os.Stderr), last) // a reader that stalls does not hold it up
		os.Exit(exitInterrupted)
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv))
}
