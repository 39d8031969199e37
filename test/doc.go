// Package test holds what no single package can prove: the layers between the
// packages, and later the cluster harness with its checkers.
package test
