// Package render is how plans and reports look: text for a terminal, Markdown
// for a pull request, tables.
//
// It shows what package plan and package apply hold as data, decides nothing,
// and writes no JSON: that is the data itself. Whatever foreign text the data
// holds, what it writes is printable, keeps its lines and is no command to a
// job runner (package safetext). Width has one measure, [Width].
package render
