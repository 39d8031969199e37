package main

import (
	"strings"
)

const (
	// passageBytes is where a passage is full, maxPassageBytes where a single
	// paragraph is cut.
	passageBytes    = 700
	maxPassageBytes = 1600
)

// splitDocument cuts a text into passages at headings and between paragraphs.
func splitDocument(file, text string) []passage {
	s := splitter{file: file}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	fenced := false
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		fence := strings.HasPrefix(trimmed, "```")
		switch {
		case fence:
			fenced = !fenced
			s.add(i+1, line)
		case fenced:
			s.add(i+1, line)
		case isHeading(trimmed):
			s.flush()
			s.heading = strings.TrimSpace(strings.TrimLeft(trimmed, "#"))
		case trimmed == "":
			s.paragraph()
		default:
			s.add(i+1, line)
		}
	}
	s.flush()
	return s.passages
}

func isHeading(line string) bool {
	rest := strings.TrimLeft(line, "#")
	return len(rest) < len(line) && strings.HasPrefix(rest, " ")
}

// splitter is a passage in the making.
type splitter struct {
	file     string
	heading  string
	start    int
	text     strings.Builder
	passages []passage
}

func (s *splitter) add(line int, text string) {
	if s.text.Len()+len(text) > maxPassageBytes {
		s.flush()
	}
	for len(text) > maxPassageBytes {
		head := strings.ToValidUTF8(text[:maxPassageBytes], "")
		s.keep(line, head)
		s.flush()
		text = text[len(head):]
	}
	s.keep(line, text)
}

func (s *splitter) keep(line int, text string) {
	if s.text.Len() == 0 {
		s.start = line
	}
	s.text.WriteString(text)
	s.text.WriteByte('\n')
}

// paragraph ends a paragraph: the passage goes on if there is room.
func (s *splitter) paragraph() {
	switch {
	case s.text.Len() >= passageBytes:
		s.flush()
	case s.text.Len() > 0:
		s.text.WriteByte('\n')
	}
}

func (s *splitter) flush() {
	if text := strings.TrimSpace(s.text.String()); text != "" {
		s.passages = append(s.passages, passage{File: s.file, Line: s.start, Heading: s.heading, Text: text})
	}
	s.text.Reset()
}
