// Command baton-demo answers questions about a folder of text documents. How a question
// becomes an answer is a workflow, workflow.yaml, over a cluster of three nodes:
//
//	split    documents that changed are split into passages, and the folder into shares
//	search   the best passages of each share are found (BM25), all shares side by side
//	answer   a model, or the best sentences, make the answer; the client sees it grow
//	charge   the answer is written into the ledger, which is undone if the run fails
//	review   an answer that is not sure waits until somebody approves or rejects it
//	publish  the answer is written down, and the client who asked is notified
//
// Without a verb it starts everything: nodes and workers as processes of their
// own, and a web page. With --once it asks questions itself, kills a worker and
// a node on the way, and checks that every question was answered or undone exactly
// once. With the verb worker it is one of the workers.
//
// Nothing but events goes through the cluster. Passages lie in a directory that
// all workers see, under names made of their content, so that a step that runs
// twice writes the same thing twice. The ledger is there too, with an entry for each
// run, for the same reason.
package main
