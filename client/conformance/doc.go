// Package conformance holds what every client of Baton must do, as data: the
// scenarios in cases.json. Each language has an interpreter of their steps, and
// TestConformance has all of them run against one cluster of three nodes.
//
// Clients reach the nodes through proxies, which the nodes advertise as their
// own addresses. A scenario asks the test, over HTTP, to cut a node's
// connections, to hold back what it says, to stop it, and what the cluster has
// stored: so that no client is believed on its own word. README.md has the list
// of steps.
//
// A scenario waits for conditions, never for a time.
package conformance
