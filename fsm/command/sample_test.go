package command

import (
	"bytes"
	"strings"
)

// body is a command without its prefix.
type body interface {
	Append(dst []byte) []byte
	Decode(r *Reader)
}

// bodies are the commands of every kind there is, empty.
func bodies() map[Kind]body {
	return map[Kind]body{
		KindLeaderStart: &LeaderStart{}, KindPublish: &Publish{}, KindComplete: &Complete{}, KindFail: &Fail{},
		KindRelease: &Release{}, KindExpire: &Expire{}, KindAck: &Ack{}, KindCancel: &Cancel{},
		KindCheckpoint: &Checkpoint{}, KindRelay: &Relay{}, KindRelayTrim: &RelayTrim{}, KindFormCluster: &FormCluster{},
		KindAdmitMember: &AdmitMember{}, KindSetReplicas: &SetReplicas{}, KindRedrive: &Redrive{}, KindDiscard: &Discard{},
		KindCreateGroup: &CreateGroup{}, KindConfigureChannel: &ConfigureChannel{}, KindSetChannel: &SetChannel{},
		KindCancelLineage:   &CancelLineage{},
		KindCommitFollower:  &CommitFollower{},
		KindPark:            &Park{},
		KindBroadcast:       &Broadcast{},
		KindSetTenant:       &SetTenant{},
		KindConfigureTenant: &ConfigureTenant{},

		KindInstallDefinition: &InstallDefinition{}, KindInstallAliases: &InstallAliases{}, KindRemoveDefinition: &RemoveDefinition{},
		KindStartRun: &StartRun{}, KindControlRun: &ControlRun{}, KindSendMessage: &SendMessage{}, KindCancelGone: &CancelGone{},
		KindPutSchedule: &PutSchedule{}, KindDeleteSchedule: &DeleteSchedule{}, KindControlSchedule: &ControlSchedule{},
		KindPutWorkflow: &PutWorkflow{}, KindSetAlias: &SetAlias{}, KindDeleteWorkflow: &DeleteWorkflow{},

		KindPutTenant: &PutTenant{}, KindDeleteTenant: &DeleteTenant{}, KindPutKey: &PutKey{}, KindRevokeKey: &RevokeKey{},
	}
}

// decodeCommand reads a whole command; the error is the reader's.
func decodeCommand(encoded []byte) (body, Prefix, error) {
	prefix, r := ReadPrefix(encoded)
	b := bodies()[prefix.Kind]
	if b == nil {
		return nil, prefix, r.Err()
	}
	b.Decode(&r)
	return b, prefix, r.Err()
}

// routed gives a decoded body the route that its prefix carries.
func routed(b body, route Route) body { //nolint:revive // A case for each kind.
	switch c := b.(type) {
	case *LeaderStart:
		c.Route = route
	case *Publish:
		c.Route = route
	case *Complete:
		c.Route = route
	case *Fail:
		c.Route = route
	case *Release:
		c.Route = route
	case *Expire:
		c.Route = route
	case *Ack:
		c.Route = route
	case *Cancel:
		c.Route = route
	case *Checkpoint:
		c.Route = route
	case *Relay:
		c.Route = route
	case *RelayTrim:
		c.Route = route
	case *FormCluster:
		c.Route = route
	case *AdmitMember:
		c.Route = route
	case *SetReplicas:
		c.Route = route
	case *Redrive:
		c.Route = route
	case *Discard:
		c.Route = route
	case *CreateGroup:
		c.Route = route
	case *ConfigureChannel:
		c.Route = route
	case *SetChannel:
		c.Route = route
	case *CancelLineage:
		c.Route = route
	case *CommitFollower:
		c.Route = route
	case *Park:
		c.Route = route
	case *Broadcast:
		c.Route = route
	case *SetTenant:
		c.Route = route
	case *ConfigureTenant:
		c.Route = route
	case *PutWorkflow:
		c.Route = route
	case *SetAlias:
		c.Route = route
	case *DeleteWorkflow:
		c.Route = route
	case *InstallDefinition:
		c.Route = route
	case *InstallAliases:
		c.Route = route
	case *RemoveDefinition:
		c.Route = route
	case *StartRun:
		c.Route = route
	case *ControlRun:
		c.Route = route
	case *SendMessage:
		c.Route = route
	case *CancelGone:
		c.Route = route
	case *PutSchedule:
		c.Route = route
	case *DeleteSchedule:
		c.Route = route
	case *ControlSchedule:
		c.Route = route
	case *PutTenant:
		c.Route = route
	case *DeleteTenant:
		c.Route = route
	case *PutKey:
		c.Route = route
	case *RevokeKey:
		c.Route = route
	}
	return b
}

// The samples have another value in every field, so that no two can change
// places unseen.

func sampleID() EventID { return EventID{Epoch: 1, Partition: 5, Queue: 300, Position: 70_000} }

func sampleLease() LeaseID { return LeaseID{Event: sampleID(), Group: 2, Attempt: 3, Fence: 1 << 33} }

func sampleEvent() Event {
	return Event{
		Channel: "orders", Tenant: "acme", ClientID: "client-1", Key: "key-2", IdempotencyKey: "once-3",
		CorrelationID: "corr-4", CausationID: "cause-5", DeviceID: "phone-6", ContentType: "text/7",
		Traceparent: "00-8", Headers: []byte(`{"h":"9"}`), ClientSeq: 10, DelayMS: 11_000, DeliverAtMS: 12 << 32,
		Payload: Payload{Codec: CodecJSON, Bytes: []byte(`{"n":13}`)},
	}
}

func sampleSettings() ChannelSettings {
	return ChannelSettings{
		Version: 7, LeaseMS: 15_001, MaxAttempts: 8, MaxLeaseLosses: 9, BackoffMS: 1010, MaxBackoffMS: 120_011,
		Order: OrderKey, OnDisconnect: LostRequeue, FanOut: true, RetentionMS: 12 << 32, RetentionBytes: 13 << 33,
		Retain: RetainNothing,
	}
}

func sampleVersion() string { return strings.Repeat("5a", 16) }

func sampleAliases() []WorkflowAlias {
	return []WorkflowAlias{
		{Alias: "next", Targets: []WorkflowTarget{{Version: sampleVersion(), Share: WholeShare}}},
		{Alias: "prod", Targets: []WorkflowTarget{{Version: sampleVersion(), Share: 1000}, {Version: strings.Repeat("6b", 16), Share: 9000}}},
	}
}

func sampleMember() Member {
	return Member{
		ID: "n1-7", Name: "n1", PeerAddress: "10.0.0.1:7402", GossipAddress: "10.0.0.1:7403",
		ClientURL: "ws://10.0.0.1:7400/ws", Version: "v1", AdmittedMS: 1_700_000_000_000,
	}
}

func sampleCredential() Key {
	return Key{
		ID: "k1", Name: "mail service", Tenant: "acme", ClientID: "c-2", Roles: RoleWorker | RoleAdmin,
		Publish: []string{"mail.3", "x*"}, Work: []string{"work.4"}, Follow: []string{"*"},
		Hash: bytes.Repeat([]byte{5}, keyHashBytes), CreatedBy: "key k0",
		CreatedMS: 6 << 32, ExpiresMS: 7 << 32, RevokedMS: 8 << 32,
	}
}

func sampleHeader() Header {
	return Header{
		Epoch: 1, SlotMap: 1, Generation: 9, TimeMS: 1_700_000_000_000, CheckIndex: 41, CheckChain: 0x0102030405060708,
		Offers: []Offer{{
			Channel: "orders", Group: "default", Tenant: "acme", Node: "n1", Worker: "w", Session: 77,
			Subscription: 3, LeaseMS: 15_000, Credit: 32,
		}, {Channel: "mail"}},
	}
}

func sampleRoute() Route { return Route{Slot: 630, SlotMap: 1} }

func sampleCommands() map[Kind]body {
	route := sampleRoute()
	small := Event{Channel: "mail", Payload: Payload{Codec: CodecBytes, Bytes: []byte{0, 1}}}
	return map[Kind]body{
		KindLeaderStart: &LeaderStart{Route: route, Node: "n1", Partition: 4, Partitions: 8, Epoch: 1},
		KindPublish:     &Publish{Route: route, Event: sampleEvent()},
		KindComplete: &Complete{
			Route: route, Lease: sampleLease(), Result: Payload{Codec: CodecJSON, Bytes: []byte("1")}, Usage: []byte(`{"t":2}`),
			Emits:    []Event{sampleEvent(), small},
			Notifies: []Notify{{Name: "done", Payload: Payload{Codec: CodecJSON, Bytes: []byte("3")}}, {ClientID: "d", Name: "too"}},
		},
		KindFail: &Fail{
			Route: route, Lease: sampleLease(), Code: "E1", Message: "broke", Detail: []byte("{}"),
			Final: true, Throttled: false, RetryAfterMS: 250,
		},
		KindRelease:       &Release{Route: route, Leases: []LeaseID{sampleLease(), {Fence: 1}}},
		KindExpire:        &Expire{Route: route, Generation: 9, Leases: []LeaseID{sampleLease()}},
		KindAck:           &Ack{Route: route, Tenant: "acme", ClientID: "c", DeviceID: "d", Seq: 12, Delivered: []Delivery{{Seq: 11, TimeMS: 1_700}}},
		KindCancel:        &Cancel{Route: route, Tenant: "acme", ClientID: "c", Event: sampleID(), Reason: "asked", GraceMS: 5000},
		KindCancelLineage: &CancelLineage{Route: route, Tenant: "acme", ClientID: "c", CorrelationID: "corr", Reason: "asked", GraceMS: 5000},
		KindCheckpoint:    &Checkpoint{Route: route, Lease: sampleLease(), Data: []byte(`{"page":3}`)},
		KindRelay: &Relay{
			Route: route, Source: 6, SourceEpoch: 1, First: 300,
			Rows: [][]byte{encodedRow(sampleRelayRow()), encodedRow(RelayRow{Kind: RelayNotification, Name: "done"})},
		},
		KindRelayTrim: &RelayTrim{Route: route, Generation: 9, Target: 7, Through: 301},
		KindRedrive: &Redrive{
			Route: route, Tenant: "acme", Event: sampleID(), Group: "g", Once: "once-1", Edited: true, ContentType: "text/2",
			Payload: Payload{Codec: CodecJSON, Bytes: []byte("[3]")},
		},
		KindDiscard: &Discard{Route: route, Tenant: "acme", Event: sampleID(), Group: "g", Once: "once-1"},
		KindFormCluster: &FormCluster{
			Route: route, ClusterID: "c-1", Partitions: 8, Replicas: 3, LeaseKey: []byte("key"), Members: []Member{sampleMember()},
		},
		KindAdmitMember:      &AdmitMember{Route: route, Member: sampleMember()},
		KindCreateGroup:      &CreateGroup{Route: route, Channel: "orders", Group: "audit", From: FromEarliest},
		KindConfigureChannel: &ConfigureChannel{Route: route, Channel: "orders", Settings: sampleSettings()},
		KindPark:             &Park{Route: route, Lease: sampleLease(), TimeoutMS: 60_001},
		KindBroadcast: &Broadcast{
			Route: route, Tenant: "acme", IdempotencyKey: "once-1", CorrelationID: "corr-2", CausationID: "cause-3", Name: "news",
			Payload: Payload{Codec: CodecJSON, Bytes: []byte("[4]")}, Clients: []string{"ana", "ben"},
		},
		KindSetTenant: &SetTenant{Route: route, Tenant: "acme", Expect: 6, Settings: TenantSettings{Weight: 208, MaxInFlight: 9}},
		KindConfigureTenant: &ConfigureTenant{Route: route, Tenant: "acme", Settings: TenantSettings{
			Version: 7, Weight: 208, MaxInFlight: 9, Rate: 310, MaxBacklogBytes: 11 << 33, MaxBacklogEvents: 12_000,
		}},
		KindInstallDefinition: &InstallDefinition{
			Route: route, Tenant: "acme", Name: "answer", Version: sampleVersion(), Canonical: []byte(`{"workflow":"answer"}`), On: []string{"asked", "told"},
		},
		KindPutWorkflow: &PutWorkflow{
			Route: route, Tenant: "acme", Name: "answer", Version: sampleVersion(), Canonical: []byte(`{"workflow":"answer"}`),
			Source: []byte("workflow: answer"), On: []string{"asked", "told"}, Alias: "prod", Expect: 300,
		},
		KindSetAlias: &SetAlias{
			Route: route, Tenant: "acme", Name: "answer", Alias: "prod", Targets: sampleAliases()[1].Targets, Expect: 300,
		},
		KindDeleteWorkflow: &DeleteWorkflow{
			Route: route, Tenant: "acme", Name: "answer", Version: sampleVersion(), Stage: StageForget,
		},
		KindInstallAliases:   &InstallAliases{Route: route, Tenant: "acme", Name: "answer", Count: 300, Aliases: sampleAliases()},
		KindRemoveDefinition: &RemoveDefinition{Route: route, Tenant: "acme", Name: "answer", Version: sampleVersion()},

		KindStartRun: &StartRun{Route: route, Event: small, Workflow: "answer", Alias: "canary", MaxUnfinished: 5, MaxTenantBytes: 6},
		KindControlRun: &ControlRun{
			Route: route, Run: sampleID(), Tenant: "acme", ClientID: "c", Action: RunSkip, Step: "embed",
			Data: Payload{Codec: CodecJSON, Bytes: []byte("[5]")}, Code: "E2", Reason: "asked", NoUndo: true, Once: "once-2",
		},
		KindCancelGone: &CancelGone{Route: route, Generation: 300, Tenant: "acme", ClientID: "c"},
		KindSendMessage: &SendMessage{
			Route: route, Tenant: "acme", Name: "approval", Key: "k", ID: "m-1", TTLMS: 60_000,
			Payload: Payload{Codec: CodecJSON, Bytes: []byte("[6]")},
		},
		KindPutSchedule: &PutSchedule{
			Route: route, Tenant: "acme", ID: "nightly", Pause: true, Note: "not yet", Schedule: Schedule{
				Workflow: "answer", Alias: "canary", Input: Payload{Codec: CodecJSON, Bytes: []byte("[7]")}, ClientID: "c", Key: "k",
				Spec: "30 2 * * *", Timezone: "Europe/Berlin", Overlap: OverlapAllow, CatchUpMS: 8 << 20, JitterMS: 900,
				StartMS: 10 << 32, EndMS: 11 << 33, MaxRuns: 12_000,
			},
		},
		KindDeleteSchedule: &DeleteSchedule{Route: route, Tenant: "acme", ID: "nightly"},
		KindControlSchedule: &ControlSchedule{
			Route: route, Tenant: "acme", ID: "nightly", Action: ScheduleTrigger, Note: "now", Overlap: OverlapCancel, Once: "once-3",
		},

		KindSetChannel:   &SetChannel{Route: route, Channel: "orders", Expect: 6, Settings: sampleSettings()},
		KindPutTenant:    &PutTenant{Route: route, Tenant: "acme"},
		KindDeleteTenant: &DeleteTenant{Route: route, Tenant: "acme"},
		KindPutKey:       &PutKey{Route: route, Key: sampleCredential()},
		KindRevokeKey:    &RevokeKey{Route: route, ID: "k1", Tenant: "acme"},
		KindSetReplicas:  &SetReplicas{Route: route, Group: 4, Members: []string{"n1-7", "n2-8"}},
		KindCommitFollower: &CommitFollower{
			Route: route, Tenant: "acme", Channel: "orders", Name: "audit", Position: 70_000, Begin: FollowBeginAt,
		},
	}
}

func sampleEntry() []byte {
	header, commands := sampleHeader(), sampleCommands()
	return AppendEntry(nil, &header, [][]byte{
		commands[KindPublish].Append(nil), commands[KindRelease].Append(nil),
	})
}

func sampleJob() Job {
	return Job{
		Lease: sampleLease(), LeaseMS: 15_000, Group: "default", CorrelationID: "corr", CausationID: "cause",
		Checkpoint: []byte("{}"), Event: sampleEvent(),
	}
}

func sampleFollowed() Followed {
	return Followed{
		ID: sampleID(), CorrelationID: "corr", CausationID: "cause", StoredMS: 1_700_000_000_000, DeliverMS: 1_800_000_000_000,
		Event: sampleEvent(),
	}
}

func sampleNotification() Notification {
	return Notification{
		Seq: 12, Name: "done", Event: sampleID(), CorrelationID: "corr", CausationID: "cause",
		TimeMS: 1_700_000_000_000, Payload: Payload{Codec: CodecJSON, Bytes: []byte("[1]")},
	}
}

func sampleRelayRow() RelayRow {
	return RelayRow{Kind: RelayEvent, Event: sampleEvent(), Parent: sampleID(), TimeMS: 1_700_000_000_000, Name: "n"}
}

func encodedRow(row RelayRow) []byte { return AppendRelayRow(nil, &row) }

func sampleResult() Result {
	return Result{
		Reason: IdempotencyConflict, Message: "why", Duplicate: true, Event: sampleID(), Offset: 70_000,
		CorrelationID: "corr", Events: []EventID{sampleID(), {}}, Generation: 9, RetryAfterMS: 250,
	}
}

func sampleKey() []byte { return []byte("0123456789abcdef0123456789abcdef") }

// sampleOfTenant are commands about a lease that say whose job it must be.
func sampleOfTenant() map[string]body {
	route := sampleRoute()
	return map[string]body{
		"complete_tenant":   &Complete{Route: route, Lease: sampleLease(), Tenant: "acme"},
		"fail_tenant":       &Fail{Route: route, Lease: sampleLease(), RetryAfterMS: 250, Tenant: "acme"},
		"release_tenant":    &Release{Route: route, Leases: []LeaseID{sampleLease()}, Tenant: "acme"},
		"checkpoint_tenant": &Checkpoint{Route: route, Lease: sampleLease(), Data: []byte("1"), Tenant: "acme"},
		"park_tenant":       &Park{Route: route, Lease: sampleLease(), TimeoutMS: 60_001, Tenant: "acme"},
	}
}
