package main

import "github.com/batonmq/baton/node"

// newNode makes the node that serve runs.
func newNode(config node.Config) (server, error) { return node.New(config) }
