package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/batonmq/baton/client"
)

const (
	defaultModel   = "gpt-4o-mini"
	modelTimeout   = 2 * time.Minute
	maxModelAnswer = 1 << 20
	// throttledFor is how long to wait where the model does not say.
	throttledFor = 5 * time.Second
)

// model is an HTTP API of chat completions.
type model struct {
	url, key, name string
	http           *http.Client
}

// modelFromEnvironment returns nil where OPENAI_BASE_URL is not set.
func modelFromEnvironment() *model {
	base := strings.TrimRight(os.Getenv("OPENAI_BASE_URL"), "/")
	if base == "" {
		return nil
	}
	name := os.Getenv("OPENAI_MODEL")
	if name == "" {
		name = defaultModel
	}
	return &model{
		url: base + "/chat/completions", key: os.Getenv("OPENAI_API_KEY"), name: name,
		http: &http.Client{Timeout: modelTimeout},
	}
}

type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type chatRequest struct {
	Model    string        `json:"model"`
	Messages []chatMessage `json:"messages"`
	// Stream has the answer come in pieces. A model that cannot sends it whole.
	Stream        bool          `json:"stream"`
	StreamOptions streamOptions `json:"stream_options"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// chatResponse is an answer, or with Delta in the place of Message a piece of one.
type chatResponse struct {
	Choices []struct {
		Message chatMessage `json:"message"`
		Delta   chatMessage `json:"delta"`
	} `json:"choices"`
	Usage *modelUsage `json:"usage"`
}

// modelUsage is what a model says it used, under names that Baton adds up.
type modelUsage struct {
	Tokens int64 `json:"total_tokens"`
}

// ask returns the model's answer and how many tokens it says it used, 0 where it does not
// say; show is written what comes of the answer, as it comes. Its errors say how the job
// is to fail.
func (m *model) ask(ctx context.Context, text string, passages []passage, show io.Writer) (reply string, tokens int64, err error) {
	body, err := json.Marshal(chatRequest{
		Model: m.name, Messages: prompt(text, passages), Stream: true, StreamOptions: streamOptions{IncludeUsage: true},
	})
	if err != nil {
		return "", 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, bytes.NewReader(body))
	if err != nil {
		return "", 0, client.Permanent(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if m.key != "" {
		request.Header.Set("Authorization", "Bearer "+m.key)
	}
	response, err := m.http.Do(request)
	if err != nil {
		return "", 0, fmt.Errorf("asking the model: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	content := io.LimitReader(response.Body, maxModelAnswer)
	if err = modelRefusal(response, content); err != nil {
		return "", 0, err
	}
	read := readWhole
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind == "text/event-stream" {
		read = readPieces
	}
	reply, tokens, err = read(content, show)
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("reading the model's answer: %w", err)
	case reply == "":
		return "", 0, errors.New("the model's answer is empty")
	}
	return reply, tokens, nil
}

// readWhole reads an answer that comes as one.
func readWhole(content io.Reader, show io.Writer) (reply string, tokens int64, err error) {
	var got chatResponse
	if err = json.NewDecoder(content).Decode(&got); err != nil {
		return "", 0, err
	}
	if len(got.Choices) > 0 {
		reply = strings.TrimSpace(got.Choices[0].Message.Content)
		_, err = io.WriteString(show, reply)
	}
	return reply, got.tokens(), err
}

// readPieces reads an answer that comes as server-sent events, the last of which is
// [DONE].
func readPieces(content io.Reader, show io.Writer) (reply string, tokens int64, err error) {
	var whole strings.Builder
	lines := bufio.NewScanner(content)
	lines.Buffer(nil, maxModelAnswer)
	for lines.Scan() {
		data, found := strings.CutPrefix(lines.Text(), "data:")
		if !found {
			continue
		}
		if data = strings.TrimSpace(data); data == "[DONE]" {
			return strings.TrimSpace(whole.String()), tokens, nil
		}
		var got chatResponse
		if err = json.Unmarshal([]byte(data), &got); err != nil {
			return "", 0, err
		}
		tokens = max(tokens, got.tokens())
		if len(got.Choices) > 0 {
			piece := got.Choices[0].Delta.Content
			whole.WriteString(piece)
			if _, err = io.WriteString(show, piece); err != nil {
				return "", 0, err
			}
		}
	}
	return "", 0, cmp.Or(lines.Err(), io.ErrUnexpectedEOF)
}

func (r *chatResponse) tokens() int64 {
	if r.Usage == nil {
		return 0
	}
	return r.Usage.Tokens
}

// modelRefusal is nil for an answer. A model that is busy is asked again later
// without counting an attempt; one that refuses for good is not asked again.
func modelRefusal(response *http.Response, body io.Reader) error {
	switch response.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusTooManyRequests:
		after := throttledFor
		if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
			after = time.Duration(seconds) * time.Second
		}
		return client.Throttled(after)
	default:
		content, _ := io.ReadAll(body) // As much as there is of a reason.
		err := fmt.Errorf("the model answered %s: %s", response.Status, clip(string(content), 300))
		if response.StatusCode >= http.StatusInternalServerError {
			return err
		}
		return client.Permanent(err)
	}
}

func clip(text string, length int) string {
	if len(text) <= length {
		return text
	}
	return strings.ToValidUTF8(text[:length], "") + "..."
}

func prompt(text string, passages []passage) []chatMessage {
	var b strings.Builder
	for i := range passages {
		p := &passages[i]
		_, _ = fmt.Fprintf(&b, "[%d] %s, line %d, %s\n%s\n\n", i+1, p.File, p.Line, p.Heading, p.Text)
	}
	_, _ = fmt.Fprintf(&b, "Question: %s", text)
	return []chatMessage{
		{"system", "Answer the question in at most five sentences, only from the passages given. " +
			"Name the passages you used by their numbers in square brackets. If they do not answer it, say so."},
		{"user", b.String()},
	}
}
