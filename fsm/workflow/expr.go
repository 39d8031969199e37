package workflow

// Expr is a compiled expression in CEL. It does not change.
type Expr struct {
	// Source is its text, Line where that stands (0 in a canonical definition).
	Source string
	Line   int
}

// result is what an expression is for: what its value must be.
type result uint8

// What expressions are for.
const (
	anyResult result = iota
	boolResult
	textResult
	intResult
	listResult
	timeResult
	durationResult
)

// compileExpr compiles and checks an expression; the error says what is wrong and, where
// that is known, where in the text.
func compileExpr(source string, line int, want result) (*Expr, error) { panic("not written yet") }

// Scope is what expressions see during one evaluation of a run. What one of them has
// read is kept decoded for the next.
type Scope struct {
	// Resolve returns the JSON of a variable: event, run, output, item, index, vars,
	// message, error, tenant, or steps/NAME for what steps.NAME is ({"output":…}). found is
	// false for one that has no value now, which an expression can ask for with has().
	Resolve func(name string) (value []byte, found bool, err error)
}

// Refs are the variables that the expression reads, ascending: names as Scope.Resolve gets
// them.
func (*Expr) Refs() []string { panic("not written yet") }

// JSON evaluates the expression; the result is JSON with sorted keys and no spaces.
func (*Expr) JSON(*Scope) ([]byte, error) { panic("not written yet") }

// Bool evaluates an expression whose result is true or false.
func (*Expr) Bool(*Scope) (bool, error) { panic("not written yet") }

// Text evaluates an expression whose result is a string.
func (*Expr) Text(*Scope) (string, error) { panic("not written yet") }

// Int evaluates an expression whose result is a whole number.
func (*Expr) Int(*Scope) (int64, error) { panic("not written yet") }

// List evaluates an expression whose result is a list, into the JSON of each item.
func (*Expr) List(*Scope) ([][]byte, error) { panic("not written yet") }

// TimeMS evaluates an expression for a time (a timestamp, RFC 3339 text, or Unix
// milliseconds), as Unix milliseconds.
func (*Expr) TimeMS(*Scope) (int64, error) { panic("not written yet") }

// DurationMS evaluates an expression for a length of time (a duration, its text, or
// milliseconds).
func (*Expr) DurationMS(*Scope) (int64, error) { panic("not written yet") }
