package main

import (
	"github.com/spf13/pflag"

	"github.com/batonmq/baton/node"
)

// defineLimits defines the limits of tenants, addresses and the node, each 0 for any.
func defineLimits(flags *pflag.FlagSet, l *node.Limits) {
	for _, limit := range []struct {
		field       *int
		name, usage string
	}{
		{&l.PublishRate, "publish-rate", "events a second that a connection may publish (default any)"},
		{&l.PublishBurst, "publish-burst", "how many of them at once (default as many as in a second)"},
		{&l.TenantPublishRate, "tenant-publish-rate", "events a second that a tenant may publish at this node (default any)"},
		{&l.TenantPublishBurst, "tenant-publish-burst", "how many of them at once (default as many as in a second)"},
		{&l.NodePublishRate, "node-publish-rate", "events a second that may be published at this node (default any)"},
		{&l.NodePublishBurst, "node-publish-burst", "how many of them at once (default as many as in a second)"},
		{&l.MaxTenantInFlight, "max-tenant-in-flight", "requests that a tenant may have unanswered at this node (default any)"},
		{&l.MaxNodeInFlight, "max-node-in-flight", "requests that may be unanswered at this node (default any)"},
		{&l.MaxTenantSubscriptions, "max-tenant-subscriptions", "subscriptions and follows that a tenant may have at this node (default any)"},
		{&l.MaxTenantBacklogBytes, "max-tenant-backlog-bytes", "bytes of unfinished events that a tenant may have in a partition (default any)"},
		{&l.MaxConnections, "max-connections", "connections of clients (default the limit of file descriptors less 1000)"},
		{&l.MaxTenantConnections, "max-tenant-connections", "how many of them a tenant may have (default any)"},
		{&l.MaxAddressConnections, "max-address-connections", "how many of them an address may have (default any)"},
		{&l.ConnectRate, "connect-rate", "WebSockets a second that may be opened (default any)"},
		{&l.ConnectBurst, "connect-burst", "how many of them at once (default as many as in a second)"},
		{&l.AcceptRate, "accept-rate", "sockets a second that are taken from the listen queue (default any)"},
		{&l.AddressConnectRate, "address-connect-rate", "WebSockets a second that an address may open (default any)"},
		{&l.AddressConnectBurst, "address-connect-burst", "how many of them at once (default as many as in a second)"},
	} {
		flags.IntVar(limit.field, limit.name, 0, limit.usage)
	}
}
