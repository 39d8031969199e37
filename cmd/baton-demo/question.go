package main

// The channels of the pipeline, and the notification at its end.
const (
	channelAsked = "question.asked"
	channelSplit = "question.split"
	channelFound = "question.found"
	answerReady  = "answer.ready"
)

// question is the data of question.asked.
type question struct {
	Text string `json:"text"`
	// HoldMS makes the retrieve step of the first attempt take so long: time to
	// kill the worker that has it.
	HoldMS int `json:"hold_ms,omitempty"`
}

// splitQuestion is the data of question.split: the question, and the state of
// the folder it is to be answered from.
type splitQuestion struct {
	question

	Manifest string `json:"manifest"`
	Changed  int    `json:"changed"`
}

// foundPassages is the data of question.found.
type foundPassages struct {
	question

	Passages []passage `json:"passages"`
}

// passage is a piece of a document that can be found and quoted.
type passage struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Heading string `json:"heading,omitempty"`
	Text    string `json:"text"`
}

// answer is the data of answer.ready.
type answer struct {
	Question string   `json:"question"`
	Answer   string   `json:"answer"`
	By       string   `json:"by"`
	Sources  []source `json:"sources"`
	Note     string   `json:"note,omitempty"`
}

// source is where an answer comes from.
type source struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Heading string `json:"heading,omitempty"`
}
