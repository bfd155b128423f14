package main

import "flexsync/schema"

type schemaCmd struct{}

func (schemaCmd) Run(a *app) error {
	_, err := a.stdout.Write(schema.JSONSchema())
	return written(err)
}
