package main

import (
	"os"

	"golang.org/x/term"
)

func isTerminal(stream any) bool {
	f := fileOf(stream)
	return f != nil && term.IsTerminal(int(f.Fd()))
}

// terminalWidth is the width of a terminal in cells; 0 for anything else.
func terminalWidth(stream any) int {
	f := fileOf(stream)
	if f == nil {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil { // not a terminal
		return 0
	}
	return width
}

// fileOf is the file behind standard input or output, or nil.
func fileOf(of any) *os.File {
	if s, ok := of.(*stream); ok {
		of = s.w
	}
	f, _ := of.(*os.File)
	return f
}
