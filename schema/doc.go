// Package schema defines what a resource may be, such as a Flex Flow: its fields,
// their rules, and the configuration that declares it. Package [yamldoc] reads the
// YAML.
//
// [Load] turns files into a [Config], or into [yamldoc.Problems]: every problem of
// every file at once, each with its line and column, the key's path and, for likely
// mistakes, what was meant. A Config that Load returns is complete: variables are
// replaced, defaults are merged, and all rules hold. The same files and variables
// give the same Config and the same problems.
//
// [Export] writes YAML that Load reads back to the same resources, whatever text
// they hold.
//
// The tables of [Kinds] drive all of this, as well as the requests, comparisons and
// reference elsewhere. The package knows no account: it uses no network, no clock,
// and no environment but [Options.LookupEnv].
package schema
