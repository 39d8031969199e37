// Package bench is the load tool: it drives a cluster through the Go client, as
// its users do, and counts exactly what came back. It knows nothing of nodes
// but their addresses.
//
// # The pipeline
//
// A client publishes an event; a worker of each step takes it and emits the
// next; the last notifies the client. Clients and workers run in this process,
// spread over the nodes. Channel names are of one run only, so that what another
// run left behind is never counted.
//
// In open loop events are due at a fixed rate, whatever became of those before,
// and latency counts from the moment an event was due: a stall shows in all the
// events that it delayed (coordinated omission, after Gil Tene). In closed loop
// a number of events is kept in flight, which shows the highest throughput.
//
// After the load everything acknowledged must come within the drain time:
// what does not is missing, what comes twice a duplicate. Both are counted over
// the whole run, latencies only after the warm-up.
//
// Beside the results stand two yardsticks of the same machine and minute: a
// single commit, measured as publishes in turn to an otherwise idle key, and
// 4 KB appended and synced to a file.
//
// # The backlog
//
// Events are published that nobody works on. What the nodes' own metrics tell of
// their memory before and after, and how fast a sample is worked on behind them,
// shows what a backlog costs.
//
// # The storm
//
// Some clients publish at a fixed rate, an open loop as in the pipeline, while many others
// connect within seconds, say hello, are cut off and come back. The others' latency
// before, during and after says what that costs them. Those who connect are best in a
// process of their own, which the command sees to. On one machine they, the node and
// whatever else runs there share its processors, so what is measured is an upper bound:
// look at the machine's load before you believe a ratio.
//
// # Idle connections
//
// Connections are opened, each with a session, and held. By how much the node's
// resident memory grew, once it is at rest, is what each costs. Client and node must
// be two processes, for memory and for descriptors.
//
// # Drills
//
// A drill makes trouble (a flood, an outage, a killed worker) and tells figures, each
// promise with its bound. What counts something must hold at any scale and on any
// machine; what is about time is judged at full scale only. A bound on a latency compares
// what is of one run: two loads in turn, or a reaction beside the commits next to it.
package bench
