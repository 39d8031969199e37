package gateway

// limitName is a limit as the metrics name it.
type limitName string

// The limits whose refusals are counted. The others bound what is sent or kept, and
// refuse nothing.
const (
	limitInFlight            limitName = "max_in_flight"
	limitTenantInFlight      limitName = "max_tenant_in_flight"
	limitNodeInFlight        limitName = "max_node_in_flight"
	limitAbuse               limitName = "abuse_factor"
	limitPublishRate         limitName = "publish_rate"
	limitTenantPublishRate   limitName = "tenant_publish_rate"
	limitNodePublishRate     limitName = "node_publish_rate"
	limitControlFrames       limitName = "max_control_frames"
	limitMessageBytes        limitName = "max_message_bytes"
	limitPayloadBytes        limitName = "max_payload_bytes"
	limitUnfinished          limitName = "max_unfinished"
	limitTenantBacklog       limitName = "max_tenant_backlog_bytes"
	limitSubscriptions       limitName = "max_subscriptions"
	limitTenantSubscriptions limitName = "max_tenant_subscriptions"
	limitConnections         limitName = "max_connections"
	limitTenantConnections   limitName = "max_tenant_connections"
	limitAddressConnections  limitName = "max_address_connections"
	limitConnectRate         limitName = "connect_rate"
	limitAddressConnectRate  limitName = "address_connect_rate"
	limitHTTPRequests        limitName = "max_http_requests"
	limitRunWaits            limitName = "max_run_waits"
)

func refusingLimits() []limitName {
	return []limitName{
		limitInFlight, limitTenantInFlight, limitNodeInFlight, limitAbuse,
		limitPublishRate, limitTenantPublishRate, limitNodePublishRate, limitControlFrames,
		limitMessageBytes, limitPayloadBytes, limitUnfinished, limitTenantBacklog,
		limitSubscriptions, limitTenantSubscriptions,
		limitConnections, limitTenantConnections, limitAddressConnections, limitConnectRate, limitAddressConnectRate,
		limitHTTPRequests, limitRunWaits,
	}
}

// sentence is what is said to who publishes faster than a rate.
func (l limitName) sentence() string {
	switch l { //nolint:exhaustive // the others are no rates of publishing
	case limitTenantPublishRate:
		return "the tenant publishes faster at this node than it may: see retry_after_ms"
	case limitNodePublishRate:
		return "more is published at this node than it takes: see retry_after_ms"
	default:
		return "the connection publishes faster than it may: see retry_after_ms"
	}
}
