package workflow

// Problem is something wrong with a definition.
type Problem struct {
	// Line and Column count from 1; 0 where the text has no place for it.
	Line, Column int
	// Path is where it stands, as in steps.split.next[0].when.
	Path string
	// Message says what is wrong, Suggestion what to do, empty where nothing comes to mind.
	Message    string
	Suggestion string
}

// Parse reads a definition in YAML or JSON and checks all that can be known of it. With
// problems there is no definition.
func Parse([]byte) (*Definition, []Problem) { panic("not written yet") }

// Compile is Parse of a canonical definition, which was checked before.
func Compile([]byte) (*Definition, error) { panic("not written yet") }
