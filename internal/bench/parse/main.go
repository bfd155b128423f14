// Command parse parses one YAML file to nodes and does no more: it is the floor
// of reading it with gopkg.in/yaml.v3.
package main

import (
	"log"
	"os"

	"gopkg.in/yaml.v3"
)

func main() {
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		log.Fatal(err)
	}
}
