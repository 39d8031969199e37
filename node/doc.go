// Package node is the composition root: it makes one Baton node out of the
// parts below it, starts them in order and stops them in reverse. The binary is
// a thin shell around it, and a Go program or a test can run nodes of its own,
// several in one process:
//
//	n, err := node.New(node.Config{DataDir: dir})
//	err = n.Start(ctx)
//	defer n.Stop(ctx)
//
// It refuses to know what an event is. Only it and the commands may decide
// that the process must end.
package node
