package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
}

type chatResponse struct {
	Choices []struct {
		Message chatMessage `json:"message"`
	} `json:"choices"`
	Usage json.RawMessage `json:"usage"`
}

// ask returns the model's answer and what it says it used. Its errors say how
// the job is to fail.
func (m *model) ask(ctx context.Context, text string, passages []passage) (reply string, usage json.RawMessage, err error) {
	body, err := json.Marshal(chatRequest{Model: m.name, Messages: prompt(text, passages)})
	if err != nil {
		return "", nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, bytes.NewReader(body))
	if err != nil {
		return "", nil, client.Permanent(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if m.key != "" {
		request.Header.Set("Authorization", "Bearer "+m.key)
	}
	response, err := m.http.Do(request)
	if err != nil {
		return "", nil, fmt.Errorf("asking the model: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxModelAnswer))
	if err != nil {
		return "", nil, fmt.Errorf("reading the model's answer: %w", err)
	}
	if err = modelRefusal(response, content); err != nil {
		return "", nil, err
	}
	var got chatResponse
	if err = json.Unmarshal(content, &got); err != nil {
		return "", nil, fmt.Errorf("the model's answer: %w", err)
	}
	if len(got.Choices) == 0 {
		return "", nil, errors.New("the model's answer has no choices")
	}
	return strings.TrimSpace(got.Choices[0].Message.Content), got.Usage, nil
}

// modelRefusal is nil for an answer. A model that is busy is asked again later
// without counting an attempt; one that refuses for good is not asked again.
func modelRefusal(response *http.Response, content []byte) error {
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
