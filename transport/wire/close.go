package wire

import (
	"strconv"
	"strings"
)

// CloseCode is the status of a WebSocket close frame. 4000 to 4499 mean
// reconnect, 4500 to 4999 do not.
type CloseCode uint16

// The close codes.
const (
	CloseShutdown           CloseCode = 4000
	CloseDrain              CloseCode = 4001
	CloseNotReady           CloseCode = 4002
	CloseWriteStall         CloseCode = 4003
	CloseNoHeartbeat        CloseCode = 4004
	CloseAbuse              CloseCode = 4029
	CloseUnauthenticated    CloseCode = 4500
	CloseProtocolError      CloseCode = 4501
	CloseNoHello            CloseCode = 4502
	CloseForbidden          CloseCode = 4503
	CloseTooLarge           CloseCode = 4505
	CloseUnsupportedVersion CloseCode = 4506
)

// CloseInfo is a line of the table of close codes.
type CloseInfo struct {
	Code    CloseCode
	Name    string // What the close frame says beside the code.
	Meaning string
}

//nolint:gochecknoglobals // a constant table; Go has no constant arrays
var closes = [...]CloseInfo{
	{CloseShutdown, "shutdown", "The node stops."},
	{CloseDrain, "drain", "The node is being drained; another one will serve you."},
	{CloseNotReady, "not ready", "No leader answers for the client's stream; another node may reach one. An error with the reason comes before."},
	{CloseWriteStall, "write stall", "The socket took no bytes for too long."},
	{CloseNoHeartbeat, "no heartbeat", "Nothing was heard for too long."},
	{CloseAbuse, "abuse of limits", "A limit of connections is reached, and a bye before says when to come back; or limits were exceeded many times over, for long."},
	{CloseUnauthenticated, "unauthenticated", "There is no token, or it is not valid."},
	{CloseProtocolError, "protocol error", "A frame is not of the protocol: not JSON, or of the wrong kind."},
	{CloseNoHello, "no hello", "The first message was not hello, or none came in time."},
	{CloseForbidden, "forbidden", "The token does not allow to connect here."},
	{CloseTooLarge, "too large", "A frame or message is larger than the limit in welcome."},
	{CloseUnsupportedVersion, "unsupported version", "The node speaks none of the subprotocols that were offered."},
}

// CloseCodes lists every close code, in order.
func CloseCodes() []CloseInfo { return append([]CloseInfo(nil), closes[:]...) }

// Reconnect says whether a client should connect again. Codes outside the
// table's range (1006 of a lost socket, 1001 of a proxy that restarts) mean it
// should.
func (c CloseCode) Reconnect() bool { return c < 4500 || c > 4999 }

// String is the code's name.
func (c CloseCode) String() string {
	for i := range closes {
		if closes[i].Code == c {
			return closes[i].Name
		}
	}
	return "close " + strconv.Itoa(int(c))
}

// CloseTableMarkdown is the table of close codes for the documentation.
func CloseTableMarkdown() string {
	var b strings.Builder
	b.WriteString("| code | name | reconnect | meaning |\n|---|---|---|---|\n")
	for i := range closes {
		line := &closes[i]
		b.WriteString("| " + strconv.Itoa(int(line.Code)) + " | " + line.Name + " | " +
			strconv.FormatBool(line.Code.Reconnect()) + " | " + line.Meaning + " |\n")
	}
	return b.String()
}
