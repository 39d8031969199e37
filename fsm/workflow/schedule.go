package workflow

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// zoneinfo is the time zone database that comes with Go, lib/time/zoneinfo.zip. Package
// time would prefer the one of the system, of which replicas may have different ones.
//
//go:embed zoneinfo.zip
var zoneinfo []byte

const (
	// MaxScheduleBytes bounds a schedule's text.
	MaxScheduleBytes = 256
	// minEveryMS is the shortest period of a schedule.
	minEveryMS = second
)

// ErrSchedule is what ParseSchedule answers for what is no schedule.
var ErrSchedule = errors.New("not a schedule")

// Schedule is a series of times. It does not change.
type Schedule struct {
	// everyMS is the period of one that has no calendar.
	everyMS  int64
	calendar *cron.SpecSchedule
}

// ParseSchedule reads a schedule: the five fields of cron (minute, hour, day, month, day
// of the week), one of @hourly, @daily, @weekly, @monthly and @yearly, or a period
// as "every 5m". The time zone is a name of the IANA database, as Europe/Berlin; empty for
// UTC. Where clocks go forward a time that is skipped does not come, and where they go back
// it comes as package cron says. Periods are counted from 1970, whatever the zone. Errors are
// ErrSchedule with the reason.
func ParseSchedule(spec, timezone string) (Schedule, error) {
	spec = strings.TrimSpace(spec)
	if len(spec) > MaxScheduleBytes || len(timezone) > MaxScheduleBytes {
		return Schedule{}, fmt.Errorf("%w: longer than %d bytes", ErrSchedule, MaxScheduleBytes)
	}
	zone, err := zoneOf(timezone)
	if err != nil {
		return Schedule{}, err
	}
	if period, found := strings.CutPrefix(strings.TrimPrefix(spec, "@"), "every "); found {
		return every(strings.TrimSpace(period))
	}
	if strings.Contains(spec, "=") {
		return Schedule{}, fmt.Errorf("%w: the time zone stands beside it, not in it", ErrSchedule)
	}
	fields := cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor
	parsed, err := cron.NewParser(fields).Parse(spec)
	if err != nil {
		return Schedule{}, fmt.Errorf("%w: %w", ErrSchedule, err)
	}
	calendar, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return Schedule{}, ErrSchedule
	}
	calendar.Location = zone
	s := Schedule{calendar: calendar}
	if s.Next(0) == 0 {
		return Schedule{}, fmt.Errorf("%w: its time never comes", ErrSchedule)
	}
	return s, nil
}

// Next is the schedule's first time after another, both in Unix milliseconds; 0 if none
// comes within five years.
func (s Schedule) Next(afterMS int64) int64 {
	if s.calendar == nil {
		if s.everyMS == 0 {
			return 0
		}
		return afterMS - afterMS%s.everyMS + s.everyMS
	}
	next := s.calendar.Next(time.UnixMilli(afterMS).In(s.calendar.Location))
	if next.IsZero() {
		return 0
	}
	return next.UnixMilli()
}

func every(period string) (Schedule, error) {
	ms, err := parseDuration(period)
	if err != nil || ms < minEveryMS {
		return Schedule{}, fmt.Errorf("%w: a period is written as 30s, 5m or 2h, and at least one second", ErrSchedule)
	}
	return Schedule{everyMS: ms}, nil
}

// zoneOf reads a time zone out of the database.
func zoneOf(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	archive, err := zip.NewReader(bytes.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		return nil, fmt.Errorf("reading the time zones: %w", err)
	}
	for _, file := range archive.File {
		if file.Name == name && !strings.HasSuffix(name, "/") {
			return loadZone(file)
		}
	}
	return nil, fmt.Errorf("%w: there is no time zone %s", ErrSchedule, quoted(name))
}

func loadZone(file *zip.File) (*time.Location, error) {
	reader, err := file.Open()
	if err != nil {
		return nil, fmt.Errorf("reading the time zones: %w", err)
	}
	data, err := io.ReadAll(reader)
	if err = errors.Join(err, reader.Close()); err != nil {
		return nil, fmt.Errorf("reading the time zones: %w", err)
	}
	zone, err := time.LoadLocationFromTZData(file.Name, data)
	if err != nil {
		return nil, fmt.Errorf("reading the time zones: %w", err)
	}
	return zone, nil
}
