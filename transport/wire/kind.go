package wire

// The kinds of value in a record. The two lowest bits are the shape, from which
// a reader knows how long a value is, of a kind that it does not know too. The
// numbers are for good.
const (
	kindFalse   uint8 = 0<<2 | shapeNothing
	kindTrue    uint8 = 1<<2 | shapeNothing
	kindInteger uint8 = 0<<2 | shapeNumber
	kindText    uint8 = 0<<2 | shapeSpan // UTF-8
	kindJSON    uint8 = 1<<2 | shapeSpan // one JSON value
	kindBytes   uint8 = 2<<2 | shapeSpan
	kindList    uint8 = 0<<2 | shapeGroup // of values
	kindObject  uint8 = 1<<2 | shapeGroup // of fields
)

const (
	shapeNothing uint8 = iota // The kind says it all.
	shapeNumber               // A variable-length integer.
	shapeSpan                 // A variable-length integer, and so many bytes.
	shapeGroup                // Four bytes, and as many bytes as they say.

	shapeMask = 3
)

// headerSize is how long the header of a record is, endOfFields what stands
// between its fields and its payload.
const (
	headerSize  = 16
	endOfFields = 0
)
