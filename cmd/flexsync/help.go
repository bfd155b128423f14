package main

import (
	"context"
	"errors"
	"strings"

	"github.com/alecthomas/kong"
)

type helpCmd struct {
	Command string `arg:"" optional:"" help:"Command to explain (default: all of them, in short)."`
}

func (helpCmd) Help() string {
	return `
Examples:

	flexsync help
	flexsync help apply                          # the same as apply --help`
}

func (c *helpCmd) Run(ctx context.Context, k *kong.Kong) error {
	if c.Command == "" {
		return printHelp(ctx, k)
	}
	for _, n := range k.Model.Children {
		if n.Name == c.Command && !n.Hidden {
			return printHelp(ctx, k, c.Command)
		}
	}
	return unknownCommand(k.Model.Node, c.Command)
}

// printHelp prints what --help prints, to the parser's stdout: kong asks that for
// its width.
func printHelp(ctx context.Context, k *kong.Kong, command ...string) error {
	_, err := await(ctx.Done(), grace, func() (struct{}, error) {
		at, err := kong.Trace(k, command)
		if err == nil {
			err = at.PrintUsage(false)
		}
		return struct{}{}, err
	})
	return written(err)
}

// isNoCommand reports whether a command line has no command at all.
func isNoCommand(err error) bool {
	var parse *kong.ParseError
	return errors.As(err, &parse) && parse.Context.Selected() == nil && strings.HasPrefix(err.Error(), "expected one of ")
}
