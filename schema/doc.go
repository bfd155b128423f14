// Package schema is what a Flex Flow may be: its fields, the rules on them,
// and the configuration that declares them. How YAML is read is the business of
// [yamldoc].
//
// [Load] turns files into a [Config], or into [yamldoc.Problems]: every fault of
// every file in one run, each at its line and column with the key's path and,
// where the mistake is a likely one, what was meant. A Config that Load returns
// is complete: variables replaced, defaults merged, every rule held. The same
// files and variables give the same Config and the same problems.
//
// [Export] writes YAML that Load reads back to the same flows, whatever text
// they hold.
//
// One table, [Fields], drives all of this, and the requests, the comparisons
// and the reference elsewhere. The package knows no account: it uses no
// network, no clock, and no environment but [Options.LookupEnv].
package schema
