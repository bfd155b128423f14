// Package yamldoc is YAML files with positions, variables and every problem at
// once. It knows no flow: what the keys of a document mean is its caller's.
//
// The input may be hostile. A file has a size limit, aliases cannot blow up a
// document, the value of a variable never changes the YAML around it, and nothing
// is read that the caller did not name.
package yamldoc
