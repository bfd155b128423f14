// Package render is how plans and reports look: text for a terminal, Markdown
// for a pull request, tables.
//
// It decides nothing and writes no JSON, which is the data of plan and apply
// themselves. Whatever foreign text the data holds, the output is printable, keeps
// its lines and is not a command to a job runner (package safetext). [Width] is the
// one measure of width.
package render
