package fsm

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// perEntry is how many commands an entry of the benchmarks has.
const perEntry = 64

// BenchmarkApply measures whole entries of 64 commands, with the transaction
// around each, over 350-byte events under idempotency keys. hop is the steady
// state of a pipeline: each command completes a lease and emits the next event,
// which the same entry grants. publish+complete is that of single events: each
// entry completes what it granted before, and publishes as much.
func BenchmarkApply(b *testing.B) {
	b.Run("publish", func(b *testing.B) { benchmarkPublish(b, command.Header{Generation: 1}, true) })
	granting := command.Header{Generation: 1, Offers: []command.Offer{offerOf("work", perEntry)}}
	b.Run("publish+grant", func(b *testing.B) { benchmarkPublish(b, granting, true) })
	b.Run("publish+grant/follower", func(b *testing.B) { benchmarkPublish(b, granting, false) })
	b.Run("publish+complete", benchmarkWhole)
	b.Run("hop", func(b *testing.B) { benchmarkHop(b, true, nil) })
	b.Run("hop+notify", func(b *testing.B) { benchmarkHop(b, true, []command.Notify{{Name: "progress"}}) })
}

func report(b *testing.B) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perEntry, "ns/command")
	b.ReportAllocs()
}

func benchmarkPublish(b *testing.B, header command.Header, effects bool) {
	b.Helper()
	w := newWorld(b, openStore(b), new(uint32))
	w.apply(true, entryOf(command.Header{}, firstLeader()))
	data := bytes.Repeat([]byte("d"), 200)
	entries := make([][]byte, b.N)
	for i := range entries {
		commands := make([]interface{ Append([]byte) []byte }, perEntry)
		for j := range commands {
			publish := publishOf("t", data)
			publish.Event.IdempotencyKey = fmt.Sprintf("%d-%d", i, j)
			commands[j] = publish
		}
		entries[i] = entryOf(header, commands...)
	}
	b.ResetTimer()
	for _, entry := range entries {
		w.apply(effects, entry)
	}
	report(b)
}

func benchmarkWhole(b *testing.B) {
	w := newWorld(b, openStore(b), new(uint32))
	w.apply(true, entryOf(command.Header{}, firstLeader()))
	header := command.Header{Generation: 1, Offers: []command.Offer{offerOf("work", perEntry)}}
	data := bytes.Repeat([]byte("d"), 200)
	var held []Grant
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		var commands []interface{ Append([]byte) []byte }
		for i := range held {
			commands = append(commands, &command.Complete{Lease: held[i].Job.Lease})
		}
		for range perEntry {
			commands = append(commands, publishOf("t", data))
		}
		entry := entryOf(header, commands...)
		b.StartTimer()
		held = w.apply(true, entry)[0].Grants
	}
	report(b)
}

func benchmarkHop(b *testing.B, effects bool, notifies []command.Notify) {
	b.Helper()
	w := newWorld(b, openStore(b), new(uint32))
	w.apply(true, entryOf(command.Header{}, firstLeader()))
	header := command.Header{Generation: 1, Offers: []command.Offer{offerOf("work", perEntry)}}
	data := bytes.Repeat([]byte("d"), 200)
	commands := make([]interface{ Append([]byte) []byte }, perEntry)
	for i := range commands {
		commands[i] = publishOf("t", data)
	}
	outcome := w.apply(effects, entryOf(header, commands...))[0]
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		for i := range commands {
			commands[i] = &command.Complete{
				Lease:    outcome.Grants[i].Job.Lease,
				Emits:    []command.Event{{Channel: "work", Payload: command.Payload{Codec: command.CodecBytes, Bytes: data}}},
				Notifies: notifies,
			}
		}
		entry := entryOf(header, commands...)
		b.StartTimer()
		outcome = w.apply(effects, entry)[0]
	}
	report(b)
}

// BenchmarkManyTenants is one publish and grant while many tenants wait: what an
// entry costs must not grow with them.
func BenchmarkManyTenants(b *testing.B) {
	for _, tenants := range []int{10, 10_000} {
		b.Run(fmt.Sprint(tenants), func(b *testing.B) {
			w := newWorld(b, openStore(b), new(uint32))
			w.apply(true, entryOf(command.Header{}, firstLeader()))
			for i := 0; i < tenants; i += 10 {
				var commands []interface{ Append([]byte) []byte }
				for j := range 10 {
					commands = append(commands, publishOf(fmt.Sprintf("t%d", i+j), nil), publishOf(fmt.Sprintf("t%d", i+j), nil))
				}
				w.apply(true, entryOf(command.Header{Generation: 1}, commands...))
			}
			header := command.Header{Generation: 1, Offers: []command.Offer{offerOf("work", 1)}}
			entry := entryOf(header, publishOf("t1", nil))
			for b.Loop() {
				w.apply(true, entry)
			}
			b.ReportAllocs()
		})
	}
}
