package fsm

import "github.com/batonmq/baton/fsm/command"

// configureCommand is a channel's settings of a scenario.
func configureCommand(a args) []byte {
	c := command.ConfigureChannel{Channel: a.word(), Settings: command.ChannelSettings{
		Version: a.number("version"), LeaseMS: uint32(a.number("lease")), MaxAttempts: uint32(a.number("attempts")),
		MaxLeaseLosses: uint32(a.number("losses")), BackoffMS: a.number("backoff"), MaxBackoffMS: a.number("max-backoff"),
		FanOut: a.has("fan-out"), RetentionMS: a.number("retention"), RetentionBytes: a.number("bytes"),
		DeadTo: a.get("dead-to", ""),
	}}
	if a.get("order", "") == "key" {
		c.Settings.Order = command.OrderKey
	}
	if a.get("disconnect", "") == "requeue" {
		c.Settings.OnDisconnect = command.LostRequeue
	}
	if a.get("retain", "") == "nothing" {
		c.Settings.Retain = command.RetainNothing
	}
	return c.Append(nil)
}
