// Command imports does nothing, with the libraries that flexsync has: it is the
// part of a start that is theirs.
package main

import (
	_ "net/http"

	_ "github.com/alecthomas/kong"
	_ "github.com/hashicorp/go-retryablehttp"
	_ "gopkg.in/yaml.v3"
)

func main() {}
