package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/batonmq/baton/client"
)

// channelFlags are the settings that can be given to a channel.
type channelFlags struct {
	target

	lease, backoff, maxBackoff, retention time.Duration
	attempts, losses, bytes               uint64
	order, onDisconnect, retain, deadTo   string
	fanOut                                bool
	groups                                []string
}

func newChannelSet(t *terminal) *cobra.Command {
	var f channelFlags
	cmd := &cobra.Command{
		Use:   "set CHANNEL [flags]",
		Short: "Change a channel's settings",
		Long: `Set changes the settings that are named and leaves the others as they are. It
returns when they are in force in the whole cluster. Leases that are out keep the
term they were granted with.`,
		Example: `  baton channel set questions --lease 30s --max-attempts 3 --backoff 2s
  baton channel set ledger --order key
  baton channel set ticks --fan-out --retention 1h --retain nothing
  baton channel set questions --group audit=earliest
  baton channel set questions --dead-letter-channel questions.dead`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			said, err := f.said(cmd.Flags())
			if err != nil {
				return err
			}
			h, err := f.http()
			if err != nil {
				return err
			}
			channel, err := h.ChangeChannel(cmd.Context(), args[0], said)
			if err != nil {
				return err
			}
			return sayChannel(t, &f.target, channel)
		},
	}
	addTarget(cmd, &f.target)
	flags := cmd.Flags()
	flags.DurationVar(&f.lease, "lease", 0, "term of a lease where the worker asks for none")
	flags.Uint64Var(&f.attempts, "max-attempts", 0, "failures until an event is a dead letter")
	flags.Uint64Var(&f.losses, "max-lease-losses", 0, "lost leases until an event is a dead letter; 0 for any number")
	flags.DurationVar(&f.backoff, "backoff", 0, "delay after the first failure; it doubles")
	flags.DurationVar(&f.maxBackoff, "max-backoff", 0, "longest delay after a failure")
	flags.StringVar(&f.order, "order", "", "none, or key: one event of a key in work at a time in each group")
	flags.StringVar(&f.onDisconnect, "on-disconnect", "", "wait, or requeue: what becomes of the jobs of a worker whose socket is lost")
	flags.BoolVar(&f.fanOut, "fan-out", false, "events are for followers and other groups: the group default does not work on them")
	flags.DurationVar(&f.retention, "retention", 0, "how long done events are kept")
	flags.Uint64Var(&f.bytes, "retention-bytes", 0, "how many bytes of events each partition keeps; 0 for any size")
	flags.StringVar(&f.retain, "retain", "", "unfinished, or nothing: what retention keeps in spite of its limits")
	flags.StringVar(&f.deadTo, "dead-letter-channel", "", "the channel that is told of events that failed for good; '' for none")
	flags.StringArrayVar(&f.groups, "group", nil, "make a group that begins at earliest or new `(name=from)`; can be repeated")
	return cmd
}

// said are the settings whose flags were given.
func (f *channelFlags) said(flags *pflag.FlagSet) (said client.ChannelSettings, err error) {
	for name, of := range map[string]struct {
		flag time.Duration
		to   **uint64
	}{
		"lease": {f.lease, &said.LeaseMS}, "backoff": {f.backoff, &said.BackoffMS},
		"max-backoff": {f.maxBackoff, &said.MaxBackoffMS}, "retention": {f.retention, &said.RetentionMS},
	} {
		if of.flag < 0 {
			return said, misuse("--%s must not be negative", name)
		}
		if ms := uint64(of.flag.Milliseconds()); flags.Changed(name) { //nolint:gosec // Not negative.
			*of.to = &ms
		}
	}
	for name, of := range map[string]struct {
		flag *uint64
		to   **uint64
	}{
		"max-attempts": {&f.attempts, &said.MaxAttempts}, "max-lease-losses": {&f.losses, &said.MaxLeaseLosses},
		"retention-bytes": {&f.bytes, &said.RetentionBytes},
	} {
		if flags.Changed(name) {
			*of.to = of.flag
		}
	}
	for name, of := range map[string]struct {
		flag *string
		to   **string
	}{
		"order": {&f.order, &said.Order}, "on-disconnect": {&f.onDisconnect, &said.OnDisconnect}, "retain": {&f.retain, &said.Retain},
		"dead-letter-channel": {&f.deadTo, &said.DeadLetterChannel},
	} {
		if flags.Changed(name) {
			*of.to = of.flag
		}
	}
	if flags.Changed("fan-out") {
		said.FanOut = &f.fanOut
	}
	for _, group := range f.groups {
		name, from, found := strings.Cut(group, "=")
		if !found {
			return said, misuse("--group %s says nothing of where it begins: %s=earliest or %s=new", group, group, group)
		}
		if said.Groups == nil {
			said.Groups = make(map[string]string)
		}
		said.Groups[name] = from
	}
	return said, nil
}
