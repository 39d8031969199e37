package wire

import (
	"strconv"
	"strings"
)

// NumberTableMarkdown is the tables of the numbers that records have for types and
// fields, for the documentation.
func NumberTableMarkdown() string {
	var b strings.Builder
	b.WriteString("| type | number |\n|---|---|\n")
	for t := TypeUnknown + 1; t < TypeCount; t++ {
		b.WriteString("| `" + t.String() + "` | " + strconv.Itoa(int(t)) + " |\n")
	}
	b.WriteString("\n| field | number |\n|---|---|\n")
	for f := fieldUnknown + 1; f < fieldCount; f++ {
		b.WriteString("| `" + nameOf(f) + "` | " + strconv.Itoa(int(f)) + " |\n")
	}
	return b.String()
}
