// Command empty does nothing: it is the floor of a Go program's start.
package main

func main() {}
