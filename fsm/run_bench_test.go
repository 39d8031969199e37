package fsm

import (
	"bytes"
	"testing"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

// BenchmarkPipeline is 64 events at a time through three channels, of 200 bytes each:
// plain, where each worker emits into the next channel, and as runs of a workflow, where
// it completes with a result. Both apply four entries of 64 commands.
func BenchmarkPipeline(b *testing.B) {
	b.Run("plain", func(b *testing.B) { benchmarkPipeline(b, "") })
	b.Run("run", func(b *testing.B) {
		benchmarkPipeline(b, `
workflow: three
start: {on: [one]}
steps:
  a: {channel: a, next: b}
  b: {channel: b, next: c}
  c: {channel: c, end: true}
`)
	})
	b.Run("run+guard", func(b *testing.B) {
		benchmarkPipeline(b, `
workflow: three
start: {on: [one]}
steps:
  a: {channel: a, next: [{when: output.n > 5, to: c}, {to: b}]}
  b: {channel: b, next: c}
  c: {channel: c, end: true}
`)
	})
}

func benchmarkPipeline(b *testing.B, definition string) {
	b.Helper()
	w := newWorld(b, openStore(b), new(uint32))
	w.apply(true, entryOf(command.Header{}, firstLeader()))
	channels := []string{"a", "b", "c"}
	first := channels[0]
	if definition != "" {
		def, problems := workflow.Parse([]byte(definition))
		if len(problems) > 0 {
			b.Fatal(problems)
		}
		w.apply(true, entryOf(command.Header{},
			&command.InstallDefinition{Tenant: "t", Name: def.Name, Version: def.Version, Canonical: def.Canonical, On: def.On},
			&command.InstallAliases{Tenant: "t", Name: def.Name, Count: 1, Aliases: []command.WorkflowAlias{
				{Alias: DefaultAlias, Targets: []command.WorkflowTarget{{Version: def.Version, Share: command.WholeShare}}},
			}}))
		first = def.On[0]
	}
	header := command.Header{Generation: 1}
	for _, channel := range channels {
		header.Offers = append(header.Offers, offerOf(channel, perEntry))
	}
	text := `{"n":1,"text":"` + string(bytes.Repeat([]byte("d"), 180)) + `"}`
	data := command.Payload{Codec: command.CodecJSON, Bytes: []byte(text)}
	commands := make([]interface{ Append([]byte) []byte }, perEntry)
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		for i := range commands {
			publish := publishOf("t", nil)
			publish.Event.Channel, publish.Event.Payload = first, data
			commands[i] = publish
		}
		entry := entryOf(header, commands...)
		b.StartTimer()
		outcome := w.apply(true, entry)[0]
		for hop := range channels {
			b.StopTimer()
			for i := range commands {
				c := &command.Complete{Lease: outcome.Grants[i].Job.Lease}
				switch {
				case definition != "":
					c.Result = data
				case hop+1 < len(channels):
					c.Emits = []command.Event{{Channel: channels[hop+1], Payload: data}}
				}
				commands[i] = c
			}
			entry = entryOf(header, commands...)
			b.StartTimer()
			outcome = w.apply(true, entry)[0]
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perEntry, "ns/event")
	b.ReportAllocs()
}
