package wire

// The kinds of value in a record. The two lowest bits are the shape, from which
// a reader knows how long a value is, of a kind that it does not know too. The
// numbers are for good.
const (
	kindFalse   uint8 = 0
	kindTrue    uint8 = 4
	kindInteger uint8 = 1
	kindText    uint8 = 2 // UTF-8
	kindJSON    uint8 = 6 // one JSON value
	kindBytes   uint8 = 10
	kindList    uint8 = 3 // of values
	kindObject  uint8 = 7 // of fields
)

// The shapes.
const (
	shapeNothing uint8 = 0 // The kind says it all.
	shapeNumber  uint8 = 1 // A variable-length integer.
	shapeSpan    uint8 = 2 // A variable-length integer, and so many bytes.
	shapeGroup   uint8 = 3 // Four bytes, and as many bytes as they say.

	shapeMask uint8 = 3
)

// headerSize is how long the header of a record is, endOfFields what stands
// between its fields and its payload.
const (
	headerSize  = 16
	endOfFields = 0
)
