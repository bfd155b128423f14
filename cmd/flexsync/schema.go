package main

import "flexsync/schema"

type schemaCmd struct{}

func (schemaCmd) Help() string {
	return `
For editors with yaml-language-server (VS Code, Neovim): save it, and name it in the first line of each file.

Examples:

	flexsync schema > flexsync.schema.json
	# yaml-language-server: $schema=flexsync.schema.json`
}

func (schemaCmd) Run(a *app) error {
	_, err := a.stdout.Write(schema.JSONSchema())
	return written(err)
}
