package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// edgeUse is what a server has used up to a moment.
type edgeUse struct {
	at       time.Time
	cpu      float64 // seconds, user and system
	mallocs  float64 // objects allocated; 0 for unknown
	resident float64 // bytes
}

// clockTicks is how many ticks Linux shows as a second in /proc, on every machine
// that Go runs on.
const clockTicks = 100

var errBadStat = errors.New("its stat says nothing")

// cpuOf reads how many seconds of CPU a process has used from /proc.
func cpuOf(pid int) (seconds float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err == nil {
		seconds, err = parseStat(text)
	}
	if err != nil {
		return 0, fmt.Errorf("the time of process %d: %w", pid, err)
	}
	return seconds, nil
}

// parseStat reads utime and stime, the 14th and the 15th field. The second is the
// program's name in parentheses, which may have spaces and parentheses itself.
func parseStat(text []byte) (seconds float64, err error) {
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 || !bytes.Contains(text, []byte(")")) {
		return 0, errBadStat
	}
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseUint(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", errBadStat, err)
		}
		seconds += float64(ticks) / clockTicks
	}
	return seconds, nil
}

// batonUse looks at the node.
func (e *edge) batonUse(ctx context.Context) (use edgeUse, err error) {
	server := &e.config.Baton
	err = readMetrics(ctx, nil, server.URL, "", map[string]*float64{
		"process_cpu_seconds_total": &use.cpu, "go_memstats_mallocs_total": &use.mallocs, "process_resident_memory_bytes": &use.resident,
	})
	if err == nil && server.PID != 0 {
		if use.cpu, err = cpuOf(server.PID); err == nil {
			use.resident, err = residentOf(server.PID)
		}
	}
	use.at = time.Now()
	return use, err
}

// natsUse looks at the NATS server, as far as it is known which process it is.
func (e *edge) natsUse(context.Context) (use edgeUse, err error) {
	if pid := e.config.NATS.PID; pid != 0 {
		use.cpu, err = cpuOf(pid)
	}
	use.at = time.Now()
	return use, err
}
