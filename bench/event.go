package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// An event's data is a JSON object of exactly Config.Size bytes whose numbers
// stand at fixed places, so that reading one costs nothing:
//
//	{"n":0000000000,"t":0000000000000000000,"p":"xxx…"}
//
// would do, were leading zeros JSON; so the numbers are strings:
//
//	byte 0   {"n":"          6 bytes
//	byte 6   the number      10 digits
//	byte 16  ","t":"         7 bytes
//	byte 23  nanoseconds     19 digits, since the run began
//	byte 42  ","p":"         7 bytes
//	byte 49  padding, then "}
const (
	numberAt  = 6
	numberEnd = 16
	timeAt    = 23
	timeEnd   = 42
	paddingAt = 49
)

// encodeEvent makes the data of event n that is due so many nanoseconds after
// the run began.
func encodeEvent(size, n int, due int64) json.RawMessage {
	data := make([]byte, 0, size)
	data = fmt.Appendf(data, `{"n":"%010d","t":"%019d","p":"`, n, due)
	data = append(data, bytes.Repeat([]byte{'x'}, max(size-len(data)-2, 0))...)
	return append(data, `"}`...)
}

// decodeEvent reads what encodeEvent made. Both numbers are not negative.
func decodeEvent(data []byte) (n int, due int64, err error) {
	ours := len(data) >= minSize && string(data[:numberAt]) == `{"n":"` &&
		string(data[numberEnd:timeAt]) == `","t":"` && string(data[timeEnd:paddingAt]) == `","p":"`
	if !ours {
		return 0, 0, fmt.Errorf("an event of %d bytes is none of ours", len(data))
	}
	number, err := strconv.ParseUint(string(data[numberAt:numberEnd]), 10, strconv.IntSize-1)
	if err != nil {
		return 0, 0, fmt.Errorf("an event's number: %w", err)
	}
	nanoseconds, err := strconv.ParseUint(string(data[timeAt:timeEnd]), 10, 63)
	if err != nil {
		return 0, 0, fmt.Errorf("an event's time: %w", err)
	}
	return int(number), int64(nanoseconds), nil
}
