package gateway

import (
	"fmt"
	"strconv"

	"github.com/gobwas/ws"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// typeSlots is how many message types there are, the unknown one included.
const typeSlots = wire.TypeCount

// metrics are the gateway's. Counters on the path of every message are resolved
// once, not looked up by label.
type metrics struct {
	connections                 prometheus.Gauge
	followers                   prometheus.Gauge
	listeners                   prometheus.Gauge
	streams                     prometheus.Gauge
	readStreams, writtenStreams prometheus.Gauge
	droppedChunks               prometheus.Counter
	inFlight                    prometheus.Gauge
	bytesIn                     prometheus.Counter
	bytesOut                    prometheus.Counter
	held                        prometheus.Counter
	stored                      prometheus.Histogram

	received [typeSlots]prometheus.Counter
	written  [typeSlots]prometheus.Counter
	refused  map[wire.Reason]prometheus.Counter
	limited  map[limitName]prometheus.Counter
	closes   *prometheus.CounterVec
	requests *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer, limits *Limits) (*metrics, error) {
	r := registration{registerer: registerer}
	m := &metrics{
		connections:    r.gauge("connections", "WebSockets that are open."),
		streams:        r.gauge("event_streams", "Answers of GET /v1/stream that are open."),
		followers:      r.gauge("followers", "Follows that are open."),
		listeners:      r.gauge("listens", "Clients that backends listen for."),
		readStreams:    r.gauge("read_streams", "Token streams that WebSockets are sent."),
		writtenStreams: r.gauge("written_streams", "Token streams that workers write."),
		droppedChunks:  r.counter("dropped_chunks_total", "Chunks dropped, to be asked for again, because their WebSocket did not take what it had."),
		inFlight:       r.gauge("in_flight_requests", "Requests that wait for the cluster."),
		bytesIn:        r.counter("received_bytes_total", "Bytes read from WebSockets."),
		bytesOut:       r.counter("sent_bytes_total", "Bytes written to WebSockets."),
		held:           r.counter("backpressure_total", "Times a connection was not read because it did not take its answers."),
		stored:         r.histogram("http_publish_seconds", "Time from a publish to its answer over HTTP."),
		refused:        make(map[wire.Reason]prometheus.Counter),
		closes:         r.vector("closes_total", "WebSockets closed, by close code.", "code"),
		requests:       r.vector("http_requests_total", "HTTP requests, by status.", "status"),
	}
	received := r.vector("received_messages_total", "Messages from clients, by type.", "type")
	written := r.vector("sent_messages_total", "Messages to clients, by type.", "type")
	for i := range typeSlots {
		t := wire.Type(i)
		if t.SentBy(wire.FromClient) || t == wire.TypeUnknown {
			m.received[i] = received.WithLabelValues(t.String())
		}
		if t.SentBy(wire.FromServer) {
			m.written[i] = written.WithLabelValues(t.String())
		}
	}
	refused := r.vector("errors_total", "Errors sent to clients, by reason.", "reason")
	for _, info := range wire.Reasons() {
		m.refused[info.Reason] = refused.WithLabelValues(string(info.Reason))
	}
	limited := r.vector("limit_refusals_total", "What a limit refused or closed, by the limit.", "limit")
	m.limited = make(map[limitName]prometheus.Counter)
	for _, name := range refusingLimits() {
		m.limited[name] = limited.WithLabelValues(string(name))
	}
	r.limits(limits)
	if r.err != nil {
		return nil, fmt.Errorf("gateway: registering metrics: %w", r.err)
	}
	return m, nil
}

func (m *metrics) sent(t wire.Type) {
	if counter := m.written[t]; counter != nil {
		counter.Inc()
	}
}

func (m *metrics) got(t wire.Type) {
	if counter := m.received[t]; counter != nil {
		counter.Inc()
	}
}

func (m *metrics) refuse(reason wire.Reason) {
	if counter := m.refused[reason]; counter != nil {
		counter.Inc()
	}
	switch reason { //nolint:exhaustive // the others are of no limit, or of several
	case wire.ReasonTooLarge:
		m.refusedBy(limitPayloadBytes)
	case wire.ReasonTooManyUnfinished:
		m.refusedBy(limitUnfinished)
	}
}

// refusedBy counts what a limit refused; no name is no limit.
func (m *metrics) refusedBy(limit limitName) {
	if counter := m.limited[limit]; counter != nil {
		counter.Inc()
	}
}

// refusedByState counts what a limit refused that only the state can count.
func (m *metrics) refusedByState(reason command.Reason) {
	if reason == command.TenantLimit {
		m.refusedBy(limitTenantBacklog)
	}
}

// closed counts a close. A client may say any code: those that are not known
// are one, so that nobody can make up labels.
func (m *metrics) closed(code ws.StatusCode) {
	label := "other"
	switch {
	case code == 0:
		label = "none"
	case code.IsProtocolDefined() || code.IsProtocolReserved():
		label = strconv.Itoa(int(code))
	default:
		for _, info := range wire.CloseCodes() {
			if ws.StatusCode(info.Code) == code {
				label = strconv.Itoa(int(code))
			}
		}
	}
	m.closes.WithLabelValues(label).Inc()
}

// registration registers one metric after the other and keeps the first error.
type registration struct {
	registerer prometheus.Registerer
	err        error
}

const metricPrefix = "baton_gateway_"

func (r *registration) register(c prometheus.Collector) {
	if err := r.registerer.Register(c); err != nil && r.err == nil {
		r.err = err
	}
}

func (r *registration) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: metricPrefix + name, Help: help})
	r.register(g)
	return g
}

func (r *registration) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: metricPrefix + name, Help: help})
	r.register(c)
	return c
}

func (r *registration) vector(name, help, label string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricPrefix + name, Help: help}, []string{label})
	r.register(v)
	return v
}

func (r *registration) histogram(name, help string) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: metricPrefix + name, Help: help, Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
	})
	r.register(h)
	return h
}

func (r *registration) limits(limits *Limits) {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: metricPrefix + "limit", Help: "Limits in force, by name.",
	}, []string{"limit"})
	r.register(v)
	for _, limit := range limits.named() {
		v.WithLabelValues(limit.name).Set(limit.value)
	}
}
