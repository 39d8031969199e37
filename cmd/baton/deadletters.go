package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newDeadletters(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "deadletters",
		Aliases: []string{"dlq"},
		Short:   "Look at events that failed for good, and redrive or discard them",
		Example: `  baton deadletters ls --channel questions
  baton deadletters show $id
  baton deadletters redrive $id`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misuse("say what to do with dead letters: %s ls, show, redrive or discard", cmd.CommandPath())
		},
	}
	cmd.AddCommand(newDeadlettersLs(t), newDeadlettersShow(t), newDeadlettersRedrive(t), newDeadlettersDiscard(t))
	return cmd
}

// letterFlags are the flags that say which dead letters are meant.
type letterFlags struct {
	target

	meant client.Letters
	all   bool
}

// addFilter adds the flags of a filter.
func addFilter(cmd *cobra.Command, f *letterFlags) {
	flags := cmd.Flags()
	flags.StringVar(&f.meant.Channel, "channel", "", "only those of this channel")
	flags.StringVar(&f.meant.Reason, "reason", "", "only those that ended so: permanent, retries_exhausted, leases_lost, or an error code of a worker")
	flags.IntVar(&f.meant.Limit, "limit", 0, "how many at most (default all)")
}

func addGroup(cmd *cobra.Command, f *letterFlags) {
	cmd.Flags().StringVar(&f.meant.Group, "group", "", "only in this group")
}

// one tells whether a verb is about one event, and refuses what is neither that
// nor a filter.
func (f *letterFlags) one(cmd *cobra.Command, args []string) (bool, error) {
	if err := f.checkLimit(); err != nil {
		return false, err
	}
	filtered := f.all || f.meant.Channel != "" || f.meant.Reason != "" || f.meant.Limit != 0
	switch {
	case len(args) == 1 && filtered:
		return false, misuse("name an event or a filter, not both")
	case len(args) == 0 && !filtered:
		return false, misuse("%s which? Name an EVENT_ID, or --channel, --reason or --limit", cmd.Name())
	}
	return len(args) == 1, nil
}

func (f *letterFlags) checkLimit() error {
	if f.meant.Limit < 0 {
		return misuse("--limit is %d: give how many at most, or 0 for all", f.meant.Limit)
	}
	return nil
}

// sayEnded prints what became of dead letters: which one, or how many.
func sayEnded(t *terminal, f *letterFlags, swept *client.Swept, what string, of any) error {
	if f.json {
		return printJSON(t.out, swept)
	}
	_, err := fmt.Fprintln(t.out, what, of)
	return err
}
