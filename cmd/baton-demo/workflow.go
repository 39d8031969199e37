package main

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/batonmq/baton/client"
)

// workflowText is how a question becomes an answer.
//
//go:embed workflow.yaml
var workflowText []byte

// workflowName is what it is called.
const workflowName = "ask-the-documents"

// Names that the workflow uses. Its steps' channels are those that workers serve.
const (
	channelAsked   = "question.asked"
	channelSplit   = "folder.split"
	channelSearch  = "share.search"
	channelAnswer  = "answer.write"
	channelCharge  = "answer.charge"
	channelRefund  = "answer.refund"
	channelPublish = "answer.publish"
	channelEnded   = "question.ended"

	// What the client who asked is notified of.
	reviewAsked   = "review.asked"
	answerReady   = "answer.ready"
	questionEnded = "question.ended"

	// messageApproval is what a review waits for, under the run's id.
	messageApproval = "approval"
)

// How a run of the workflow may end here.
const (
	statusSucceeded   = "succeeded"
	statusCompensated = "compensated"
)

// applyWorkflow returns when the workflow is in force on every partition. Applying it
// again changes nothing.
func applyWorkflow(ctx context.Context, o *options, nodes []string) error {
	h, err := client.NewHTTP(client.Options{Nodes: nodes})
	if err != nil {
		return err
	}
	applied, err := h.ApplyWorkflow(ctx, workflowText, client.ApplyOptions{Alias: "prod"})
	if err != nil {
		return fmt.Errorf("applying the workflow: %w", err)
	}
	o.say("workflow %s is in force, version %.12s", applied.Workflow, applied.Version)
	return nil
}

// approval is the data of messageApproval.
type approval struct {
	Approved bool `json:"approved"`
}

// decide answers a review. Saying it twice says it once.
func decide(ctx context.Context, h *client.HTTP, run string, approved bool) error {
	_, err := h.SendMessage(ctx, client.Message{
		Name: messageApproval, Key: run, ID: "review of " + run, Data: approval{approved},
	})
	return err
}
