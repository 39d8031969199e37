// Package fleet runs a cluster of real processes for a test: three nodes of the
// built binary on loopback, the clients and workers that use them, and the
// faults that befall them.
//
//	os.Exit(fleet.Run(m, &binary))            // in TestMain: builds it, once
//	f := fleet.Start(t, binary)                // ready, until the test ends
//	ana := &fleet.Person{Name: "ana", Fleet: f}
//	c := ana.Connect(t, 0)
//	ana.Publish(t, c, "questions", "why")      // and so on: what is seen is written down
//	f.Nodes[1].Process.Kill()
//	ana.Check(t)                               // package history decides
//
// It knows what clients, workers and operators see, and nothing of the broker's
// insides but the chain hashes that each node shows of its replicas. Processes are
// ended by their ids, with the test that started them; nodes with the fleet.
//
// Nothing waits for a time: WaitFor looks until a condition holds.
package fleet
