package gateway

import (
	"fmt"
	"math"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// The words for where a group begins.
const (
	fromEarliest = "earliest"
	fromNew      = "new"
)

// wrongWords says what is wrong with settings that the state cannot judge: the
// words, and numbers that do not fit; empty when nothing is.
func wrongWords(s *wire.ChannelSettings) string {
	for _, of := range []struct {
		name, first, second string
		said                *string
	}{
		{"order", wire.OrderNone, wire.OrderKey, s.Order},
		{"on_disconnect", wire.DisconnectWait, wire.DisconnectRequeue, s.OnDisconnect},
		{"retain", wire.RetainUnfinished, wire.RetainNothing, s.Retain},
	} {
		if of.said != nil && *of.said != of.first && *of.said != of.second {
			return fmt.Sprintf("%s must be %s or %s", of.name, of.first, of.second)
		}
	}
	for name, number := range map[string]*uint64{
		"lease_ms": s.LeaseMS, "max_attempts": s.MaxAttempts, "max_lease_losses": s.MaxLeaseLosses,
	} {
		if number != nil && *number > math.MaxUint32 {
			return name + " is too high"
		}
	}
	if to := s.DeadLetterChannel; to != nil && *to != "" && !wire.ValidName(*to) {
		return "dead_letter_channel must be named with 1 to 255 of A-Z a-z 0-9 . _ -, or be empty"
	}
	return wrongGroups(s.Groups)
}

// wrongGroups says what is wrong with the groups that are to be made, empty when nothing is.
func wrongGroups(groups map[string]string) string {
	for group, from := range groups {
		if !wire.ValidName([]byte(group)) || group == defaultGroup {
			return "groups must be named with 1 to 255 of A-Z a-z 0-9 . _ -, and default is there already"
		}
		if from != fromEarliest && from != fromNew {
			return fmt.Sprintf("group %s must begin at earliest or new", group)
		}
	}
	return ""
}

// sayOver puts what is said in the place of what there was.
func sayOver(s *command.ChannelSettings, said *wire.ChannelSettings) {
	for to, from := range map[*uint32]*uint64{
		&s.LeaseMS: said.LeaseMS, &s.MaxAttempts: said.MaxAttempts, &s.MaxLeaseLosses: said.MaxLeaseLosses,
	} {
		if from != nil {
			*to = uint32(*from) //nolint:gosec // wrongWords has looked.
		}
	}
	for to, from := range map[*uint64]*uint64{
		&s.BackoffMS: said.BackoffMS, &s.MaxBackoffMS: said.MaxBackoffMS,
		&s.RetentionMS: said.RetentionMS, &s.RetentionBytes: said.RetentionBytes,
	} {
		if from != nil {
			*to = *from
		}
	}
	if said.DeadLetterChannel != nil {
		s.DeadTo = *said.DeadLetterChannel
	}
	if said.FanOut != nil {
		s.FanOut = *said.FanOut
	}
	if said.Order != nil {
		s.Order = choose(*said.Order == wire.OrderKey, command.OrderKey, command.OrderNone)
	}
	if said.OnDisconnect != nil {
		s.OnDisconnect = choose(*said.OnDisconnect == wire.DisconnectRequeue, command.LostRequeue, command.LostWait)
	}
	if said.Retain != nil {
		s.Retain = choose(*said.Retain == wire.RetainNothing, command.RetainNothing, command.RetainUnfinished)
	}
}

// shownSettings are settings as an answer has them: every field, with the values
// that are in force.
func shownSettings(s *command.ChannelSettings) *wire.ChannelSettings {
	e := cluster.EffectiveSettings(*s)
	lease, attempts, losses := uint64(e.LeaseMS), uint64(e.MaxAttempts), uint64(e.MaxLeaseLosses)
	order := choose(e.Order == command.OrderKey, wire.OrderKey, wire.OrderNone)
	disconnect := choose(e.OnDisconnect == command.LostRequeue, wire.DisconnectRequeue, wire.DisconnectWait)
	retain := choose(e.Retain == command.RetainNothing, wire.RetainNothing, wire.RetainUnfinished)
	return &wire.ChannelSettings{
		LeaseMS: &lease, MaxAttempts: &attempts, MaxLeaseLosses: &losses, BackoffMS: &e.BackoffMS, MaxBackoffMS: &e.MaxBackoffMS,
		Order: &order, OnDisconnect: &disconnect, FanOut: &e.FanOut,
		RetentionMS: &e.RetentionMS, RetentionBytes: &e.RetentionBytes, Retain: &retain,
		DeadLetterChannel: &e.DeadTo,
	}
}

func choose[T any](first bool, a, b T) T { //nolint:revive,ireturn // The flag is what is chosen by.
	if first {
		return a
	}
	return b
}
