package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/batonmq/baton/transport/wire"
)

// problemBody is an error as application/problem+json (RFC 9457), with the
// protocol's code and reason.
type problemBody struct {
	Type         string      `json:"type"`
	Title        string      `json:"title"`
	Status       int         `json:"status"`
	Detail       string      `json:"detail"`
	Code         int         `json:"code"`
	Reason       wire.Reason `json:"reason"`
	Message      string      `json:"message"`
	Retryable    bool        `json:"retryable"`
	RetryAfterMs int64       `json:"retry_after_ms,omitempty"`
	// Problems are what is wrong with a workflow's definition.
	Problems []wire.WorkflowProblem `json:"problems,omitempty"`
}

// jsonFault says what is wrong with a body in the words of who wrote it, and not of
// the program that reads it.
func jsonFault(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return "it must be a JSON object"
		}
		return fmt.Sprintf("%s must be %s", wrong.Field, kindOf(wrong.Type))
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// kindOf names what a field takes.
func kindOf(of reflect.Type) string {
	switch of.Kind() { //nolint:exhaustive // Bodies have fields of no other kinds.
	case reflect.Uint32, reflect.Uint64:
		return "an integer from 0"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Map:
		return "an object of strings"
	case reflect.Struct:
		return "an object"
	default:
		if of.Kind() == reflect.Slice && of.Elem().Kind() != reflect.Uint8 {
			return "a list"
		}
		return "a string of base64"
	}
}

// maxSmallBody bounds the body of a change of settings, limits, tenants, tokens or aliases.
const maxSmallBody = 64 << 10

// readStrictly reads a small body that is one JSON object.
func readStrictly(w http.ResponseWriter, r *http.Request, what string, into any) refusal {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSmallBody))
	if err != nil {
		return refusal{wire.ReasonTooLarge, "the body is longer than 64 KiB, or ended early"}
	}
	return readStrict(raw, what, into)
}

// readStrict reads one JSON object, what it is called in a refusal: a name that is not
// known is a mistake that somebody would find out about much later.
func readStrict(raw []byte, what string, into any) refusal {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return refusal{wire.ReasonBadRequest, "the " + what + " cannot be read: " + jsonFault(err)}
	}
	if decoder.More() {
		return refusal{wire.ReasonBadRequest, "the " + what + " must be one JSON object"}
	}
	return refusal{}
}

// refuseHTTP answers with a refusal's own status.
func (g *Gateway) refuseHTTP(w http.ResponseWriter, r refusal) {
	e := r.wireError()
	g.writeProblem(w, &e, e.Code)
}

// problem answers with a status that says more than the reason's.
func (g *Gateway) problem(w http.ResponseWriter, r refusal, status int) {
	e := r.wireError()
	g.writeProblem(w, &e, status)
}

func (g *Gateway) writeProblem(w http.ResponseWriter, e *wire.Error, status int) {
	g.writeProblems(w, e, status, nil)
}

func (g *Gateway) writeProblems(w http.ResponseWriter, e *wire.Error, status int, problems []wire.WorkflowProblem) {
	g.meter.refuse(e.Reason)
	body, err := json.Marshal(problemBody{
		Type:         "about:blank",
		Title:        http.StatusText(status),
		Status:       status,
		Detail:       string(e.Message),
		Code:         e.Code,
		Reason:       e.Reason,
		Message:      string(e.Message),
		Retryable:    e.Retryable,
		RetryAfterMs: e.RetryAfterMs,
		Problems:     problems,
	})
	if err != nil {
		g.logger.Error("encoding a problem", "error", err)
	}
	if e.RetryAfterMs > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt((e.RetryAfterMs+999)/1000, 10))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// writeJSON answers with a JSON object.
func writeJSON(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(append(body, '\n'))
}
