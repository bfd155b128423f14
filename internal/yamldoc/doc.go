// Package yamldoc reads YAML files with positions and variables, and reports every
// problem at once. It knows no flows: what the keys of a document mean is up to the
// caller.
//
// The input may be hostile. A file is at most 64 MiB, aliases cannot blow up a
// document, the value of a variable never changes the YAML around it, and nothing
// is read that the caller did not name.
package yamldoc
