package gateway

import (
	"fmt"
	"strings"
	"time"
)

// Limits bounds what one connection, one tenant, one address, and all together, may
// take of this node. The zero value
// of a field means its default. Every limit is a baton_gateway_limit metric,
// labeled with the field's name.
type Limits struct {
	// MaxInFlight is how many requests of a connection may wait for their
	// answer; more are refused with 429 too_many_in_flight. Default 64.
	MaxInFlight int
	// MaxTenantInFlight and MaxNodeInFlight are how many requests of one tenant, and
	// of all, may wait for their answer at this node, over WebSockets and HTTP. A
	// publish, subscribe, follow, read or cancel beyond is refused with 429 tenant_limit or
	// too_many_in_flight; what ends or keeps a job is counted, and never refused.
	// Default 0: any.
	MaxTenantInFlight int
	MaxNodeInFlight   int
	// AbuseFactor times MaxInFlight is how many refusals in each second, for
	// AbuseTime on end, close a connection with 4029. Default 20.
	AbuseFactor int
	// AbuseTime is how long abuse is borne. Default 10 s.
	AbuseTime time.Duration
	// MaxQuiet is how many commands without a request id (renew, release,
	// checkpoint) may be under way; at the limit the connection is not read
	// until one is answered. Default 256.
	MaxQuiet int
	// PublishRate is how many events a second a connection may publish, and
	// PublishBurst how many of them at once; more are refused with 429 rate_limited, and
	// are told when there is room. Default 0: any; and as many as the rate has in a second.
	PublishRate  int
	PublishBurst int
	// TenantPublishRate and TenantPublishBurst are the same for all that a tenant
	// publishes at this node, over WebSockets and HTTP. A tenant whose clients are at
	// three nodes may publish three times as much.
	TenantPublishRate  int
	TenantPublishBurst int
	// NodePublishRate and NodePublishBurst are the same for all that is published at
	// this node.
	NodePublishRate  int
	NodePublishBurst int
	// MaxControlFrames is how many pings and pongs a second a connection may send; more
	// close it with 4029. Default 1000.
	MaxControlFrames int
	// MaxMessageBytes is the size of a message; a longer one closes the
	// connection with 4505. Default 1 MiB.
	MaxMessageBytes int
	// MaxPayloadBytes is the size of one data, result, checkpoint or detail; a
	// larger one is refused with 413 too_large. Default 64 KiB.
	MaxPayloadBytes int
	// MaxUnfinished is how much unfinished work a client may have in a partition,
	// each event counted in each group that has it; a publish beyond it is refused
	// with 429 too_many_unfinished. Default 0: any, as backlogs are unlimited.
	MaxUnfinished int
	// MaxTenantBacklogBytes is how many bytes of data a tenant's unfinished events may
	// have in a partition, each event counted in each group that has it; a publish beyond
	// is refused with 429 tenant_limit. What jobs emit is counted, and never refused.
	// Default 0: any, as backlogs are unlimited.
	MaxTenantBacklogBytes int
	// MaxDelay is how far ahead delay_ms and deliver_at may be; more is refused
	// with 400 bad_request. Default 365 days.
	MaxDelay time.Duration
	// MaxPark is how long the timeout_ms of a park may be; more is refused with 400
	// bad_request. Default 365 days, more than which the state does not take.
	MaxPark time.Duration
	// DefaultWindow and MaxWindow are how many notifications may be out and not
	// acknowledged: where hello names no window, and at most. They are also the window
	// of a follow: events that the socket has not taken, or with a name not
	// committed. Default 64, 4096.
	DefaultWindow int
	MaxWindow     int
	// MaxSubscriptions is how many subscriptions and follows a connection may have
	// together. Default 64.
	MaxSubscriptions int
	// MaxListens is how many clients a backend's connection may listen for; more are
	// refused with 503 overloaded. Default 16384.
	MaxListens int
	// DefaultListenWindow is the window of a listen that names none; MaxWindow bounds it.
	// Default 16.
	DefaultListenWindow int
	// MaxTenantSubscriptions is how many subscriptions and follows all connections of a
	// tenant may have at this node; one more is refused with 429 tenant_limit. Default 0: any.
	MaxTenantSubscriptions int
	// MaxReadStreams is how many token streams a connection may be sent at a time; one
	// that came to its end makes room. More reads are refused with 503 overloaded, and
	// streams that are announced are passed over. Default 64.
	MaxReadStreams int
	// MaxWrittenStreams is how many token streams a worker's connection may write at a
	// time; a chunk of one more is refused with 503 overloaded. Default 1024.
	MaxWrittenStreams int
	// MaxCredit is the highest credit of a subscription; more is cut to it.
	// Default 4096.
	MaxCredit int
	// MaxCheckpointBytes is how many bytes of checkpoints a connection keeps
	// back until they are due; beyond it they are replicated at once. Default 4 MiB.
	MaxCheckpointBytes int
	// CheckpointInterval is how often a lease's checkpoint is replicated at
	// most. Default 2 s.
	CheckpointInterval time.Duration
	// MaxBatchEvents is how many events one HTTP request may publish; more are refused
	// with 413 too_large. Default 1000.
	MaxBatchEvents int
	// StreamPause is how long after its last notification an answer of GET /v1/stream
	// ends, so that its reader comes back and says what it has. Default 15 s.
	StreamPause time.Duration
	// MaxConnections is how many WebSockets and answers of GET /v1/stream may be open. Default: the limit of
	// file descriptors less 1000.
	MaxConnections int
	// MaxTenantConnections and MaxAddressConnections are how many of them may be of one
	// tenant, or from one address (for IPv6 from one /64); one more is closed with 4029. Default 0: any.
	MaxTenantConnections  int
	MaxAddressConnections int
	// ConnectRate is how many WebSockets a second may be opened at this node, and
	// ConnectBurst how many of them at once; more are closed with 4029, and told in a bye
	// when to come back. Default 0: any; and as many as the rate has in a second.
	ConnectRate  int
	ConnectBurst int
	// AcceptRate is how many sockets a second are taken from the listen queue; the others wait
	// there, and nobody is refused. Default 0: any.
	AcceptRate int
	// AddressConnectRate and AddressConnectBurst are the same for one address, for IPv6
	// one /64.
	AddressConnectRate  int
	AddressConnectBurst int
	// MaxHTTPRequests is how many HTTP requests may wait for the cluster; more
	// are refused with 503 overloaded. Default 1024.
	MaxHTTPRequests int
	// MaxRunWaits is how many HTTP requests may wait for ends of runs; more are
	// refused with 503 overloaded. Default 4096.
	MaxRunWaits int
	// HelloTimeout is how long a new connection may take to say hello, after
	// which it is closed with 4502. Default 10 s.
	HelloTimeout time.Duration
	// AttachTimeout is how long a hello may wait for its client's stream; then it
	// is answered with 503 no_leader and closed with 4002. Default 5 s: longer
	// than an election takes, and short enough to try two nodes within the ten
	// seconds that clients commonly give themselves.
	AttachTimeout time.Duration
	// PingInterval is after how much silence a connection is probed. Default 25 s.
	PingInterval time.Duration
	// IdleTimeout is after how much silence it is closed with 4004. Default 60 s.
	IdleTimeout time.Duration
	// MessageTimeout is how long one message may take from its first byte to
	// its last; a slower one closes the connection with 4004. Default 60 s.
	MessageTimeout time.Duration
	// WriteTimeout is how long writing 64 KiB may take; a client that takes
	// less in that time is closed with 4003. Default 30 s.
	WriteTimeout time.Duration
	// CloseTimeout is how long the closing handshake may take. Default 3 s.
	CloseTimeout time.Duration
	// OutgoingBytes is how much may wait to be written before the connection's
	// requests are no longer read. Default 256 KiB.
	OutgoingBytes int
	// MaxOutgoingBytes is how much may wait to be written at all: jobs and
	// notifications come unasked within credit and window. A connection that
	// asked for more than it reads is closed with 4003. Default 32 MiB.
	MaxOutgoingBytes int
}

// fallbackMaxConnections is the default where descriptors cannot be counted.
const fallbackMaxConnections = 10000

// withDefaults is l with its zero fields set.
func withDefaults(l Limits) Limits {
	orInt(&l.MaxInFlight, 64)
	orInt(&l.AbuseFactor, 20)
	orDuration(&l.AbuseTime, 10*time.Second)
	orInt(&l.MaxQuiet, 256)
	orInt(&l.PublishBurst, l.PublishRate)
	orInt(&l.TenantPublishBurst, l.TenantPublishRate)
	orInt(&l.NodePublishBurst, l.NodePublishRate)
	orInt(&l.ConnectBurst, l.ConnectRate)
	orInt(&l.AddressConnectBurst, l.AddressConnectRate)
	orInt(&l.MaxControlFrames, 1000)
	orInt(&l.MaxMessageBytes, 1<<20)
	orInt(&l.MaxPayloadBytes, 64<<10)
	orDuration(&l.MaxDelay, 365*24*time.Hour)
	orDuration(&l.MaxPark, 365*24*time.Hour)
	orInt(&l.DefaultWindow, 64)
	orInt(&l.MaxWindow, 4096)
	orInt(&l.MaxSubscriptions, 64)
	orInt(&l.MaxListens, 16384)
	orInt(&l.DefaultListenWindow, 16)
	orInt(&l.MaxReadStreams, 64)
	orInt(&l.MaxWrittenStreams, 1024)
	orInt(&l.MaxCredit, 4096)
	orInt(&l.MaxCheckpointBytes, 4<<20)
	orDuration(&l.CheckpointInterval, 2*time.Second)
	orInt(&l.MaxBatchEvents, 1000)
	orDuration(&l.StreamPause, 15*time.Second)
	orInt(&l.MaxConnections, defaultMaxConnections())
	orInt(&l.MaxHTTPRequests, 1024)
	orInt(&l.MaxRunWaits, 4096)
	orDuration(&l.HelloTimeout, 10*time.Second)
	orDuration(&l.AttachTimeout, 5*time.Second)
	orDuration(&l.PingInterval, 25*time.Second)
	orDuration(&l.IdleTimeout, 60*time.Second)
	orDuration(&l.MessageTimeout, 60*time.Second)
	orDuration(&l.WriteTimeout, 30*time.Second)
	orDuration(&l.CloseTimeout, 3*time.Second)
	orInt(&l.OutgoingBytes, 256<<10)
	orInt(&l.MaxOutgoingBytes, 32<<20)
	return l
}

// namedLimit is a limit as the metric shows it.
type namedLimit struct {
	name  string
	value float64
}

// Check names the first limit that makes no sense, by its label, and says why; both
// are empty where all do. Zero fields have their defaults.
func (l *Limits) Check() (name, problem string) {
	whole := withDefaults(*l)
	l = &whole
	for _, limit := range l.named() {
		if limit.value < 0 {
			return limit.name, "it must not be negative"
		}
		if (strings.HasSuffix(limit.name, "_rate") || strings.HasSuffix(limit.name, "_burst")) && limit.value > maxRate {
			return limit.name, fmt.Sprintf("it must be at most %d, or 0 for any", maxRate)
		}
	}
	for _, pair := range l.rates() {
		if pair.rate == 0 && pair.burst > 0 {
			return pair.name + "_burst", fmt.Sprintf("it needs %s_rate, which says how often", pair.name)
		}
	}
	return l.checkPairs()
}

// named lists every limit, durations in seconds.
func (l *Limits) named() []namedLimit {
	return []namedLimit{
		{"max_in_flight", float64(l.MaxInFlight)},
		{"max_tenant_in_flight", float64(l.MaxTenantInFlight)},
		{"max_node_in_flight", float64(l.MaxNodeInFlight)},
		{"abuse_factor", float64(l.AbuseFactor)},
		{"abuse_time_seconds", l.AbuseTime.Seconds()},
		{"max_quiet", float64(l.MaxQuiet)},
		{"publish_rate", float64(l.PublishRate)},
		{"publish_burst", float64(l.PublishBurst)},
		{"tenant_publish_rate", float64(l.TenantPublishRate)},
		{"tenant_publish_burst", float64(l.TenantPublishBurst)},
		{"node_publish_rate", float64(l.NodePublishRate)},
		{"node_publish_burst", float64(l.NodePublishBurst)},
		{"max_control_frames", float64(l.MaxControlFrames)},
		{"max_message_bytes", float64(l.MaxMessageBytes)},
		{"max_payload_bytes", float64(l.MaxPayloadBytes)},
		{"max_unfinished", float64(l.MaxUnfinished)},
		{"max_tenant_backlog_bytes", float64(l.MaxTenantBacklogBytes)},
		{"max_delay_seconds", l.MaxDelay.Seconds()},
		{"max_park_seconds", l.MaxPark.Seconds()},
		{"default_window", float64(l.DefaultWindow)},
		{"max_window", float64(l.MaxWindow)},
		{"max_subscriptions", float64(l.MaxSubscriptions)},
		{"max_listens", float64(l.MaxListens)},
		{"default_listen_window", float64(l.DefaultListenWindow)},
		{"max_tenant_subscriptions", float64(l.MaxTenantSubscriptions)},
		{"max_read_streams", float64(l.MaxReadStreams)},
		{"max_written_streams", float64(l.MaxWrittenStreams)},
		{"max_credit", float64(l.MaxCredit)},
		{"max_checkpoint_bytes", float64(l.MaxCheckpointBytes)},
		{"checkpoint_interval_seconds", l.CheckpointInterval.Seconds()},
		{"max_batch_events", float64(l.MaxBatchEvents)},
		{"stream_pause_seconds", l.StreamPause.Seconds()},
		{"max_connections", float64(l.MaxConnections)},
		{"max_tenant_connections", float64(l.MaxTenantConnections)},
		{"max_address_connections", float64(l.MaxAddressConnections)},
		{"connect_rate", float64(l.ConnectRate)},
		{"connect_burst", float64(l.ConnectBurst)},
		{"accept_rate", float64(l.AcceptRate)},
		{"address_connect_rate", float64(l.AddressConnectRate)},
		{"address_connect_burst", float64(l.AddressConnectBurst)},
		{"max_http_requests", float64(l.MaxHTTPRequests)},
		{"max_run_waits", float64(l.MaxRunWaits)},
		{"hello_timeout_seconds", l.HelloTimeout.Seconds()},
		{"attach_timeout_seconds", l.AttachTimeout.Seconds()},
		{"ping_interval_seconds", l.PingInterval.Seconds()},
		{"idle_timeout_seconds", l.IdleTimeout.Seconds()},
		{"message_timeout_seconds", l.MessageTimeout.Seconds()},
		{"write_timeout_seconds", l.WriteTimeout.Seconds()},
		{"close_timeout_seconds", l.CloseTimeout.Seconds()},
		{"outgoing_bytes", float64(l.OutgoingBytes)},
		{"max_outgoing_bytes", float64(l.MaxOutgoingBytes)},
	}
}

// checkPairs compares limits with each other.
func (l *Limits) checkPairs() (name, problem string) {
	switch {
	case l.DefaultWindow > l.MaxWindow:
		return "default_window", fmt.Sprintf("%d is above max_window %d", l.DefaultWindow, l.MaxWindow)
	case l.MaxPayloadBytes > l.MaxMessageBytes:
		return "max_payload_bytes", fmt.Sprintf("%d is above max_message_bytes %d", l.MaxPayloadBytes, l.MaxMessageBytes)
	case l.OutgoingBytes > l.MaxOutgoingBytes:
		return "outgoing_bytes", fmt.Sprintf("%d is above max_outgoing_bytes %d", l.OutgoingBytes, l.MaxOutgoingBytes)
	case l.PingInterval >= l.IdleTimeout:
		return "ping_interval", fmt.Sprintf("%v must be below idle_timeout %v", l.PingInterval, l.IdleTimeout)
	default:
		return "", ""
	}
}

// namedRate is a rate and its burst.
type namedRate struct {
	name        string
	rate, burst int
}

func (l *Limits) rates() []namedRate {
	return []namedRate{
		{"publish", l.PublishRate, l.PublishBurst},
		{"tenant_publish", l.TenantPublishRate, l.TenantPublishBurst},
		{"node_publish", l.NodePublishRate, l.NodePublishBurst},
		{"connect", l.ConnectRate, l.ConnectBurst},
		{"address_connect", l.AddressConnectRate, l.AddressConnectBurst},
	}
}

func orInt(field *int, fallback int) {
	if *field == 0 {
		*field = fallback
	}
}

func orDuration(field *time.Duration, fallback time.Duration) {
	if *field == 0 {
		*field = fallback
	}
}
