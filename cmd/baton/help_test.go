package main

import (
	"testing"

	"github.com/spf13/cobra"
)

// TestEveryVerbHasAnExample: --help of each verb, and of what gathers some, shows
// how it is used.
func TestEveryVerbHasAnExample(t *testing.T) {
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		for _, verb := range cmd.Commands() {
			if verb.Example == "" {
				t.Errorf("%s has no example", verb.CommandPath())
			}
			look(verb)
		}
	}
	look(newRoot(&terminal{}))
}
