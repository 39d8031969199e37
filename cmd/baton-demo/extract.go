package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
)

const (
	// answerSentences is how many sentences an extractive answer quotes at most.
	answerSentences = 3
	// shortestSentence keeps captions and list markers out.
	shortestSentence = 25
)

// sentence is a candidate for an answer.
type sentence struct {
	text    string
	passage int
	order   int
	score   float64
}

// extract answers with the sentences of the passages that share most words with
// the question; rare words count more, and so do better passages.
func extract(text string, passages []passage) answer {
	candidates := sentencesOf(passages)
	weights := wordWeights(words(text), candidates)
	for i := range candidates {
		c := &candidates[i]
		for word := range words(c.text) {
			c.score += weights[word]
		}
		c.score /= 1 + 0.25*float64(c.passage)
	}
	slices.SortStableFunc(candidates, func(a, b sentence) int { return cmp.Compare(b.score, a.score) })
	best := candidates[:min(len(candidates), answerSentences)]
	for len(best) > 0 && (best[len(best)-1].score <= 0 || best[len(best)-1].score < best[0].score/3) {
		best = best[:len(best)-1]
	}
	slices.SortFunc(best, func(a, b sentence) int { return cmp.Compare(a.order, b.order) })
	return quote(text, passages, best)
}

func quote(text string, passages []passage, best []sentence) answer {
	a := answer{Question: text, By: "extract", Confidence: coverage(words(text), best)}
	if len(best) == 0 {
		a.Answer = "Nothing in these documents seems to answer that."
		return a
	}
	var b strings.Builder
	numbers := make(map[int]int)
	for _, s := range best {
		if numbers[s.passage] == 0 {
			p := &passages[s.passage]
			a.Sources = append(a.Sources, source{p.File, p.Line, p.Heading})
			numbers[s.passage] = len(a.Sources)
		}
		_, _ = fmt.Fprintf(&b, "%s [%d] ", s.text, numbers[s.passage])
	}
	a.Answer = strings.TrimSpace(b.String())
	return a
}

// coverage is which share of the question's words the sentences have, with two digits.
func coverage(asked map[string]bool, sentences []sentence) float64 {
	if len(asked) == 0 {
		return 0
	}
	covered := make(map[string]bool)
	for _, s := range sentences {
		for word := range words(s.text) {
			if asked[word] {
				covered[word] = true
			}
		}
	}
	return math.Round(100*float64(len(covered))/float64(len(asked))) / 100
}

func sentencesOf(passages []passage) (all []sentence) {
	seen := make(map[string]bool)
	for i := range passages {
		for _, text := range cutSentences(passages[i].Text) {
			if len(text) < shortestSentence || seen[text] {
				continue
			}
			seen[text] = true
			all = append(all, sentence{text: text, passage: i, order: len(all)})
		}
	}
	return all
}

// cutSentences ends a sentence at punctuation before a space, and at list items,
// table rows and blank lines.
func cutSentences(text string) (sentences []string) {
	var current []string
	flush := func() {
		if len(current) > 0 {
			sentences = append(sentences, strings.Join(current, " "))
			current = nil
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if item := strings.TrimLeft(line, "-*|> "); line == "" || len(item) < len(line) {
			flush()
			line = strings.Trim(item, "| ")
		}
		for word := range strings.FieldsSeq(line) {
			current = append(current, word)
			if strings.HasSuffix(word, ".") || strings.HasSuffix(word, "!") || strings.HasSuffix(word, "?") {
				flush()
			}
		}
	}
	flush()
	return sentences
}

// wordWeights gives each word of the question a weight: less, the more of the
// candidates have it.
func wordWeights(asked map[string]bool, candidates []sentence) map[string]float64 {
	count := make(map[string]int)
	for i := range candidates {
		for word := range words(candidates[i].text) {
			if asked[word] {
				count[word]++
			}
		}
	}
	weights := make(map[string]float64, len(count))
	for word, n := range count {
		weights[word] = 1 / (1 + float64(n)/4)
	}
	return weights
}

// words are the words of a text that carry meaning, cut to a rough stem.
func words(text string) map[string]bool {
	set := make(map[string]bool)
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_'
	}) {
		if !isStopWord(word) {
			set[stem(word)] = true
		}
	}
	return set
}

func stem(word string) string {
	for _, suffix := range []string{"ations", "ation", "ing", "ies", "ed", "es", "s", "e"} {
		if len(word) > len(suffix)+3 && strings.HasSuffix(word, suffix) {
			return strings.TrimSuffix(word, suffix)
		}
	}
	return word
}

// stopWords carry no meaning of their own. Spaces keep them apart.
const stopWords = " a about an and any are as at be been but by can did do does for from get gets " +
	"had has have how if in into is it its me more most my no not of on or our so such than that the their them then there these they " +
	"this those to up was we were what when where which who why will with would you your "

func isStopWord(word string) bool {
	const shortest = 2
	padded := " " + word + " "
	return len(word) < shortest || strings.Contains(stopWords, padded)
}
