package main

// question is the data of question.asked: what a run of the workflow begins with.
type question struct {
	Text string `json:"text"`
	// HoldMS makes the first search of the first attempt take so long: time to kill the
	// worker that has it.
	HoldMS int `json:"hold_ms,omitempty"`
	// Review has a person look at the answer, however sure it is.
	Review bool `json:"review,omitempty"`
	// Fail makes publishing the answer fail, so that what was done before is undone.
	Fail bool `json:"fail,omitempty"`
}

// splitFolder is what the step split comes to: the state of the folder that the question
// is to be answered from, a manifest for each share.
type splitFolder struct {
	Shares  []string `json:"shares"`
	Changed int      `json:"changed"`
}

// searchJob is what the step search is given for each share.
type searchJob struct {
	Question question `json:"question"`
	Share    string   `json:"share"`
	Number   int      `json:"number"`
}

// answerJob is what the step answer is given: what was found in each share.
type answerJob struct {
	Question question         `json:"question"`
	Found    [][]foundPassage `json:"found"`
}

// chargeJob is what the step charge is given, and with nothing but the run what undoes it.
type chargeJob struct {
	Run    string `json:"run"`
	Answer answer `json:"answer"`
}

// publishJob is what the step publish is given.
type publishJob struct {
	Run      string   `json:"run"`
	Question question `json:"question"`
	Answer   answer   `json:"answer"`
}

// passage is a piece of a document that can be found and quoted.
type passage struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Heading string `json:"heading,omitempty"`
	Text    string `json:"text"`
}

// foundPassage is a passage and how well it fits, more being better.
type foundPassage struct {
	passage

	Score float64 `json:"score"`
}

// answer is what the step answer comes to, and the data of answer.ready.
type answer struct {
	Question string   `json:"question"`
	Answer   string   `json:"answer"`
	By       string   `json:"by"`
	Sources  []source `json:"sources"`
	// Confidence, from 0 to 1, is how much of the question the answer speaks of.
	Confidence float64 `json:"confidence"`
	Note       string  `json:"note,omitempty"`
}

// source is where an answer comes from.
type source struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Heading string `json:"heading,omitempty"`
}

// review is the data of review.asked.
type review struct {
	Run    string `json:"run"`
	Answer answer `json:"answer"`
}

// ended is the data of question.ended, the notification and the event.
type ended struct {
	Run    string `json:"run"`
	Status string `json:"status"`
	Error  *struct {
		Step    string `json:"step"`
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error,omitempty"`
}
