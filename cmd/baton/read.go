package main

import (
	"strconv"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newRead(t *terminal) *cobra.Command {
	var f target
	var from client.StreamPosition
	var clientID string
	cmd := &cobra.Command{
		Use:   "read EVENT_ID[/NAME]",
		Short: "Show a token stream while a worker writes it",
		Long: `Read shows what the worker of an event writes of its answer, from the beginning or
from --offset on, until it is through. When another attempt begins, or the beginning
is not kept any more, it says so on standard error and goes on with what follows.`,
		Example: `  baton work --channel questions --stream -- ./answer.sh
  baton read $(baton publish --channel questions --client-id ana --json '"why?"' | jq -r .event_id)`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			options := f.options()
			options.ClientID = clientID
			c, err := f.dial(cmd.Context(), options)
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			for chunk, err := range c.ReadStream(cmd.Context(), args[0], from) {
				if err != nil {
					return err
				}
				if err := showChunk(t, &chunk, f.json); err != nil {
					return err
				}
			}
			return nil
		},
	}
	addTarget(cmd, &f)
	cmd.Flags().StringVar(&clientID, "client-id", "", "read as this client, which sees its own events only")
	cmd.Flags().Uint64Var(&from.Offset, "offset", 0, "bytes that you have already")
	cmd.Flags().IntVar(&from.Attempt, "attempt", 0, "of which attempt you have them")
	return cmd
}

// chunkLine is what --json prints of a chunk.
type chunkLine struct {
	Stream        string  `json:"stream"`
	CorrelationID string  `json:"correlation_id,omitempty"`
	Attempt       int     `json:"attempt"`
	Offset        uint64  `json:"offset"`
	Reset         bool    `json:"reset,omitempty"`
	Final         bool    `json:"final,omitempty"`
	Data          *string `json:"data,omitempty"`
	DataBase64    []byte  `json:"data_base64,omitempty"`
}

func showChunk(t *terminal, c *client.Chunk, asJSON bool) error { //nolint:revive // The flag is the verb's.
	if !asJSON {
		if c.Reset {
			if _, err := t.err.Write([]byte("\n[reset: what follows is attempt " + strconv.Itoa(c.Attempt) + "]\n")); err != nil {
				return err
			}
		}
		_, err := t.out.Write(c.Data)
		return err
	}
	line := chunkLine{
		Stream: c.Stream, CorrelationID: c.CorrelationID, Attempt: c.Attempt, Offset: c.Offset, Reset: c.Reset, Final: c.Final,
	}
	if utf8.Valid(c.Data) {
		text := string(c.Data)
		line.Data = &text
	} else {
		line.DataBase64 = c.Data
	}
	return printJSON(t.out, line)
}
