// Baton is the binary: a node, and the verbs of somebody who talks to one. It is
// a thin shell: serve around package node, the client verbs around package
// client, bench around package bench. One verb per file.
//
// Exit codes: 0 done, 1 refused or failed, 2 wrong usage or configuration,
// 3 no node could be reached.
package main
