package main

import "github.com/batonmq/baton/node"

func newNode(node.Config) (server, error) { return nil, errNoNode }
