package storage

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
)

// engineLogger carries Pebble's own lines to slog, and its fatal ones to OnFatal.
type engineLogger struct {
	store  *Store
	logger *slog.Logger
}

// Infof implements pebble.Logger.
func (l engineLogger) Infof(format string, args ...any) {
	if l.logger.Enabled(context.Background(), slog.LevelDebug) {
		l.logger.Debug("storage engine", "text", fmt.Sprintf(format, args...))
	}
}

// Errorf implements pebble.Logger.
func (l engineLogger) Errorf(format string, args ...any) {
	l.logger.Error("storage engine", "text", fmt.Sprintf(format, args...))
}

// Fatalf implements pebble.Logger. It returns, and Pebble then takes the failed
// commit for a good one: Store.commit must look at the failure afterwards.
func (l engineLogger) Fatalf(format string, args ...any) {
	l.store.fail(fmt.Errorf(format, args...))
}

// newListener turns Pebble's events into counters and log lines.
func newListener(s *Store, logger *slog.Logger) *pebble.EventListener {
	listener := &pebble.EventListener{
		BackgroundError: func(err error) {
			s.events.backgroundErrors.Add(1)
			logger.Error("storage background work failed", "error", err)
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			s.events.corruptions.Add(1)
			logger.Error("storage found corruption", "path", info.Path, "error", info.Details)
		},
		DiskSlow: func(info pebble.DiskSlowInfo) {
			s.events.slowOperations.Add(1)
			logger.Warn("disk is slow", "operation", info.OpType.String(), "path", info.Path,
				"duration_ms", info.Duration.Milliseconds())
		},
		LowDiskSpace: func(info pebble.LowDiskSpaceInfo) {
			logger.Warn("disk is nearly full", "available_bytes", info.AvailBytes, "total_bytes", info.TotalBytes)
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			s.events.writeStalls.Add(1)
			logger.Warn("storage stalls writers", "reason", info.Reason)
		},
		WriteStallEnd: func() { logger.Info("storage accepts writes again") },
	}
	listener.EnsureDefaults(engineLogger{store: s, logger: logger})
	quiet(listener)
	return listener
}

// quiet drops the events that EnsureDefaults would log for every file.
func quiet(l *pebble.EventListener) {
	l.CompactionBegin = func(pebble.CompactionInfo) {}
	l.CompactionEnd = func(pebble.CompactionInfo) {}
	l.FlushBegin = func(pebble.FlushInfo) {}
	l.FlushEnd = func(pebble.FlushInfo) {}
}
