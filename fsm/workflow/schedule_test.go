package workflow

import (
	"errors"
	"testing"
	"time"
)

// TestSchedule: the time after another, in the schedule's zone.
func TestSchedule(t *testing.T) {
	for _, c := range []struct{ spec, zone, after, want string }{
		{"30 9 * * 1-5", "", "2026-03-06T09:30:00Z", "2026-03-09T09:30:00Z"},
		{"30 9 * * 1-5", "America/New_York", "2026-03-06T14:29:59Z", "2026-03-06T14:30:00Z"},
		{"@hourly", "UTC", "2026-03-06T14:00:00.001Z", "2026-03-06T15:00:00Z"},
		{"@daily", "Asia/Kolkata", "2026-03-06T14:00:00Z", "2026-03-06T18:30:00Z"},
		{"@monthly", "Europe/Berlin", "2026-03-06T14:00:00Z", "2026-03-31T22:00:00Z"},
		{"0 0 29 2 *", "", "2026-03-06T14:00:00Z", "2028-02-29T00:00:00Z"},
		// Berlin's clocks go from 2:00 to 3:00 on this day: there is no 2:30.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"},
		{"every 5m", "", "2026-03-06T14:00:00Z", "2026-03-06T14:05:00Z"},
		{"@every 1h30m", "Asia/Kolkata", "1970-01-01T01:29:59.999Z", "1970-01-01T01:30:00Z"},
	} {
		s, err := ParseSchedule(c.spec, c.zone)
		if err != nil {
			t.Errorf("%s %s: %v", c.spec, c.zone, err)
			continue
		}
		got := time.UnixMilli(s.Next(unixMS(t, c.after))).UTC().Format(time.RFC3339)
		if got != c.want {
			t.Errorf("%s %s after %s: %s, want %s", c.spec, c.zone, c.after, got, c.want)
		}
	}
}

// TestNoSchedule: what is no schedule is refused.
func TestNoSchedule(t *testing.T) {
	for _, c := range [][2]string{
		{"", ""},
		{"* * * *", ""},
		{"* * * * * *", ""},
		{"60 * * * *", ""},
		{"0 0 30 2 *", ""},
		{"@reboot", ""},
		{"every", ""},
		{"every 0s", ""},
		{"every 500ms", ""},
		{"every 5", ""},
		{"@every 5x", ""},
		{"TZ=UTC * * * * *", ""},
		{"TZ=UTC", ""},
		{"@hourly", "Europe/Atlantis"},
		{"@hourly", "Local"},
		{"@hourly", "Europe/"},
	} {
		if _, err := ParseSchedule(c[0], c[1]); !errors.Is(err, ErrSchedule) {
			t.Errorf("%q in %q: %v", c[0], c[1], err)
		}
	}
	if next := (Schedule{}).Next(5); next != 0 {
		t.Errorf("no schedule has a next time, %d", next)
	}
}

// FuzzSchedule: what is a schedule goes on.
func FuzzSchedule(f *testing.F) {
	f.Add("*/15 0-5 1,15 jan-mar MON#1", int64(1772805600000))
	f.Add("TZ=", int64(0))
	f.Add("every 1d", int64(-5))
	f.Fuzz(func(t *testing.T, spec string, after int64) {
		s, err := ParseSchedule(spec, "Europe/Berlin")
		if err != nil {
			return
		}
		// Within the years that a definition's times can be in.
		after %= 200 * 365 * day
		if next := s.Next(after); next != 0 && next <= after {
			t.Errorf("%q after %d: %d", spec, after, next)
		}
	})
}

func unixMS(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}
