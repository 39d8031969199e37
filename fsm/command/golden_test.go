package command

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestGolden pins the formats: bytes that are in a log, a row, a token or an id
// today must be read in ten years. Never rewrite testdata/golden.txt; add to it.
func TestGolden(t *testing.T) { //nolint:revive // A case for each format.
	commands := sampleCommands()
	datadriven.RunTest(t, "testdata/golden.txt", func(t *testing.T, d *datadriven.TestData) string {
		t.Helper()
		switch d.Cmd {
		case "entry":
			return hex.Dump(sampleEntry())
		case "event_ttl":
			event := sampleEvent()
			event.TTLMS = 14_000
			return hex.Dump(AppendEvent(nil, &event))
		case "event_priority":
			event := sampleEvent()
			event.Priority = 9
			return hex.Dump(AppendEvent(nil, &event))
		case "event_on_end":
			event := sampleEvent()
			event.TTLMS, event.OnEnd = 14_000, "answered"
			return hex.Dump(AppendEvent(nil, &event))
		case "publish_max_unfinished":
			publish := Publish{Route: sampleRoute(), Event: sampleEvent(), MaxUnfinished: 300}
			return hex.Dump(publish.Append(nil))
		case "publish_max_tenant_bytes":
			publish := Publish{Route: sampleRoute(), Event: sampleEvent(), MaxTenantBytes: 300}
			return hex.Dump(publish.Append(nil))
		case "job":
			job := sampleJob()
			return hex.Dump(AppendJob(nil, &job))
		case "followed":
			f := sampleFollowed()
			return hex.Dump(AppendFollowed(nil, &f))
		case "job_lost_with_socket":
			job := sampleJob()
			job.LostWithSocket = true
			return hex.Dump(AppendJob(nil, &job))
		case "release_lost":
			return hex.Dump((&Release{Route: sampleRoute(), Leases: []LeaseID{sampleLease()}, Lost: true}).Append(nil))
		case "discard_note":
			discard := Discard{Route: sampleRoute(), Tenant: "acme", Event: sampleID(), Group: "g", Once: "once", Note: "a wrong address"}
			return hex.Dump(discard.Append(nil))
		case "configure_channel_dead_to":
			settings := sampleSettings()
			settings.DeadTo = "orders.dead"
			return hex.Dump((&ConfigureChannel{Route: sampleRoute(), Channel: "orders", Settings: settings}).Append(nil))
		case "create_group_existing":
			group := CreateGroup{Route: sampleRoute(), Channel: "orders", Group: "audit", From: FromEarliest, Existing: true}
			return hex.Dump(group.Append(nil))
		case "complete_tenant", "fail_tenant", "release_tenant", "checkpoint_tenant", "park_tenant":
			return hex.Dump(sampleOfTenant()[d.Cmd].Append(nil))
		case "notification":
			n := sampleNotification()
			return hex.Dump(AppendNotification(nil, &n))
		case "relay_row":
			return hex.Dump(encodedRow(sampleRelayRow()))
		case "relay_row_permits":
			return hex.Dump(encodedRow(RelayRow{
				Kind: RelayReturn, TimeMS: 1_700, Event: Event{Tenant: "acme", Uses: []Use{{Limit: "llm", Key: "k"}}},
				Permits: RelayedPermits{
					Count: 300, Completed: 299, PausedMS: 1_800, Refund: []UseCost{{"tokens", 301}}, Charge: []UseCost{{"cost", 302}},
				},
			}))
		case "relay_row_borrow":
			return hex.Dump(encodedRow(RelayRow{Kind: RelayBorrow, TimeMS: 1_700, Event: Event{Tenant: "acme", Uses: []Use{{
				Limit: "llm", Key: "k", MaxInFlight: 20, Adaptive: true, MinInFlight: 3,
				Rates: []UseRate{{"tokens", 90_000, 60_000}}, Costs: []UseCost{{"tokens", 1500}},
			}}}}))
		case "relay_row_group":
			row := sampleRelayRow()
			row.Group = "audit"
			return hex.Dump(encodedRow(row))
		case "relay_row_canceled":
			row := sampleRelayRow()
			row.Lineage = RelayedLineage{Canceled: true, Client: "c", Reason: "asked", GraceMS: 5000}
			return hex.Dump(encodedRow(row))
		case "relay_ended":
			return hex.Dump(encodedRow(RelayRow{
				Kind: RelayEnded, Event: Event{Tenant: "acme", CorrelationID: "corr"}, TimeMS: 1_700_000_000_000,
				Lineage: RelayedLineage{Failed: true, Stopped: true, Epoch: 3},
			}))
		case "relay_cancel":
			return hex.Dump(encodedRow(RelayRow{
				Kind: RelayCancel, Event: Event{Tenant: "acme", CorrelationID: "corr"}, TimeMS: 1_700_000_000_000,
				Lineage: RelayedLineage{Client: "c", Reason: "asked", GraceMS: 5000},
			}))
		case "result":
			result := sampleResult()
			return hex.Dump(AppendResult(nil, &result))
		case "event_id":
			return sampleID().String() + "\n"
		case "lease_token":
			return string(AppendLeaseToken(nil, sampleLease(), sampleKey())) + "\n"
		case "slot":
			tenant, key := d.CmdArgs[0].Key, ""
			if len(d.CmdArgs) > 1 {
				key = d.CmdArgs[1].Key
			}
			slot := SlotOf(tenant, key)
			return fmt.Sprintf("%d, of 8 partitions %d\n", slot, PartitionOf(slot, 8))
		case "reason":
			var text string
			for r := Reason(0); r.String() != "unknown"; r++ {
				text += fmt.Sprintf("%d %s\n", r, r)
			}
			return text
		default:
			for kind, c := range commands {
				if kind.String() == d.Cmd {
					return fmt.Sprintf("kind %d\n%s", kind, hex.Dump(c.Append(nil)))
				}
			}
			t.Fatalf("no sample called %s", d.Cmd)
			return ""
		}
	})
}

// TestSlotsAreSpread: equal ranges of slots, every partition gets its share.
func TestSlotsAreSpread(t *testing.T) {
	for _, partitions := range []uint32{1, 3, 8, 1024} {
		counts := make([]int, partitions)
		for slot := range uint32(Slots) {
			counts[PartitionOf(slot, partitions)]++
		}
		if spread := slices.Max(counts) - slices.Min(counts); spread > 1 {
			t.Errorf("of %d partitions one has %d slots more than another", partitions, spread)
		}
	}
}
