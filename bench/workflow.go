package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/batonmq/baton/client"
)

// entry is the channel that clients publish in.
func (p *pipeline) entry() string {
	if p.config.Workflow {
		return p.channel(0)
	}
	return p.channel(1)
}

// applyWorkflow applies the workflow whose steps the workers are.
func (p *pipeline) applyWorkflow(ctx context.Context) error {
	if !p.config.Workflow {
		return nil
	}
	h, err := client.NewHTTP(p.options(0))
	if err != nil {
		return err
	}
	if _, err := h.ApplyWorkflow(ctx, p.definition(), client.ApplyOptions{Alias: "prod"}); err != nil {
		return fmt.Errorf("apply the workflow: %w", err)
	}
	return nil
}

func (p *pipeline) definition() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "workflow: bench.%s\nstart: {on: [%s]}\nsteps:\n", p.run, p.entry())
	for step := 1; step <= p.config.Steps; step++ {
		next := fmt.Sprintf("s%d", step+1)
		if step == p.config.Steps {
			next = "tell"
		}
		fmt.Fprintf(&b, "  s%d: {channel: %s, next: %s}\n", step, p.channel(step), next)
	}
	b.WriteString("  tell: {notify: {name: done}, end: true}\n")
	return []byte(b.String())
}
