package workflow

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
	// maxDurationMS is the longest duration that a definition may name, ten years.
	maxDurationMS = 3650 * day
	// maxCount bounds the numbers of a definition, far below where sums overflow.
	maxCount = 1_000_000_000_000
)

var (
	errDuration = errors.New("not a duration")
	errRate     = errors.New("not a rate")
	errPercent  = errors.New("not a percentage")
	errDecimal  = errors.New("not a number")
)

// unitMS is the length of a unit in milliseconds, 0 for what is none.
func unitMS(unit string) int64 {
	switch unit {
	case "ms":
		return 1
	case "s", "sec", "second":
		return second
	case "m", "min", "minute":
		return minute
	case "h", "hour":
		return hour
	case "d", "day":
		return day
	}
	return 0
}

// parseDuration reads a duration as 1500ms, 15s, 10m, 2h, 3d or several of these behind each
// other, the longest unit first, as 1h30m.
func parseDuration(source string) (ms int64, err error) {
	largest := int64(math.MaxInt64)
	for rest := source; rest != "" || source == ""; {
		count, unit, behind := splitQuantity(rest)
		length := unitMS(unit)
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil || len(unit) > 2 || length == 0 || length >= largest || n > maxDurationMS/length {
			return 0, errDuration
		}
		largest, rest = length, behind
		ms += n * length
	}
	if ms > maxDurationMS {
		return 0, errDuration
	}
	return ms, nil
}

// ParseDuration reads a length of time as definitions write it, as 1h30m, in milliseconds.
func ParseDuration(source string) (ms int64, err error) { return parseDuration(source) }

// splitQuantity cuts digits and the letters behind them off a text.
func splitQuantity(source string) (digits, letters, rest string) {
	rest = strings.TrimLeft(source, "0123456789")
	digits = source[:len(source)-len(rest)]
	source = rest
	rest = strings.TrimLeft(source, "abcdefghijklmnopqrstuvwxyz")
	return digits, source[:len(source)-len(rest)], rest
}

// formatDuration writes a duration in the largest unit that it is a multiple of.
func formatDuration(ms int64) string {
	for _, unit := range []string{"d", "h", "m", "s"} {
		if length := unitMS(unit); ms >= length && ms%length == 0 {
			return strconv.FormatInt(ms/length, 10) + unit
		}
	}
	return strconv.FormatInt(ms, 10) + "ms"
}

// parseRate reads a rate as 500/min or 20/10s.
func parseRate(source string) (count, perMS int64, err error) {
	before, per, found := strings.Cut(source, "/")
	count, err = strconv.ParseInt(strings.TrimSpace(before), 10, 64)
	if err != nil || !found || count < 1 || count > maxCount {
		return 0, 0, errRate
	}
	per = strings.TrimSpace(per)
	if perMS = unitMS(per); perMS == 0 {
		perMS, err = parseDuration(per)
	}
	if err != nil || perMS == 0 {
		return 0, 0, errRate
	}
	return count, perMS, nil
}

// parsePercent reads 2% or 2.5%, into hundredths of a percent.
func parsePercent(source string) (int, error) {
	before, found := strings.CutSuffix(source, "%")
	share, err := parseDecimal(strings.TrimSpace(before), 2)
	if err != nil || !found || share > 100_00 {
		return 0, errPercent
	}
	return int(share), nil
}

// parseDecimal reads a number that is not negative, into units of its digits behind
// the point. More digits than that are refused.
func parseDecimal(source string, digits int) (int64, error) {
	whole, fraction, found := strings.Cut(source, ".")
	if whole == "" || found && fraction == "" || len(fraction) > digits || len(whole) > 12 {
		return 0, errDecimal
	}
	// ParseUint takes no sign, so the fraction cannot smuggle one in.
	n, err := strconv.ParseUint(whole+fraction+strings.Repeat("0", digits-len(fraction)), 10, 63)
	if err != nil {
		return 0, errDecimal
	}
	return int64(n), nil
}

// formatDecimal writes what parseDecimal reads, without zeros at its end.
func formatDecimal(n int64, digits int) string {
	padded := strconv.FormatInt(n, 10)
	if missing := digits + 1 - len(padded); missing > 0 {
		padded = strings.Repeat("0", missing) + padded
	}
	whole, fraction := padded[:len(padded)-digits], strings.TrimRight(padded[len(padded)-digits:], "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}
