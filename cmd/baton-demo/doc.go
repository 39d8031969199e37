// Command baton-demo answers questions about a folder of text documents, as a
// pipeline of three steps over a cluster of three nodes:
//
//	question.asked   split:    documents that changed are split into passages
//	question.split   retrieve: the best passages are found (BM25)
//	question.found   answer:   a model, or the best sentences, make the answer
//	                 answer.ready: a notification to the client who asked
//
// Without a verb it starts everything: nodes and workers as processes of their
// own, and a web page. With --once it asks questions itself, kills a worker and
// a node on the way, and checks that every question was answered exactly once.
// With the verb worker it is one of the workers.
//
// Nothing but events goes through the cluster. Passages lie in a directory that
// all workers see, under names made of their content, so that a step that runs
// twice writes the same thing twice.
package main
