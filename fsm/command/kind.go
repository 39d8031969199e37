package command

// Kind names a command of the log. Numbers are for ever.
type Kind uint8

// The commands of a partition, then (from 64) those of the meta group.
const (
	KindLeaderStart Kind = 1
	KindPublish     Kind = 2
	KindComplete    Kind = 3
	KindFail        Kind = 4
	KindRelease     Kind = 5
	KindExpire      Kind = 6
	KindAck         Kind = 7
	KindCancel      Kind = 8
	KindCheckpoint  Kind = 9
	KindRelay       Kind = 10
	KindRelayTrim   Kind = 11
	KindRedrive     Kind = 12
	KindDiscard     Kind = 13
	KindCreateGroup Kind = 14
	// KindConfigureChannel is a channel's settings, in a partition.
	KindConfigureChannel Kind = 15
	// KindCancelLineage stops all events of a correlation id.
	KindCancelLineage Kind = 18
	// KindCommitFollower is how far a named follower is.
	KindCommitFollower Kind = 16
	// KindPark keeps a job for an end from outside.
	KindPark Kind = 17
	// KindBroadcast notifies several clients at once.
	KindBroadcast Kind = 19
	// KindInstallDefinition is a version of a workflow, in a partition.
	KindInstallDefinition Kind = 20
	// KindInstallAliases is which versions runs of a workflow are started of.
	KindInstallAliases   Kind = 21
	KindRemoveDefinition Kind = 22
	// KindStartRun begins a run of a workflow, KindControlRun asks something of one, and
	// KindSendMessage brings a message that one may wait for.
	KindStartRun    Kind = 23
	KindControlRun  Kind = 24
	KindSendMessage Kind = 25
	// KindPutSchedule keeps a schedule that starts runs, KindDeleteSchedule takes one away,
	// and KindControlSchedule asks something of one.
	KindPutSchedule     Kind = 26
	KindDeleteSchedule  Kind = 27
	KindControlSchedule Kind = 28
	// KindCancelGone stops the runs of a client that has gone.
	KindCancelGone Kind = 29
	// KindConfigureTenant is a tenant's settings, in a partition.
	KindConfigureTenant Kind = 41

	KindFormCluster Kind = 64
	KindAdmitMember Kind = 65
	KindSetReplicas Kind = 66
	KindSetChannel  Kind = 67
	// KindPutTenant and those behind it are of the credentials that nodes accept.
	KindPutTenant    Kind = 68
	KindDeleteTenant Kind = 69
	KindPutKey       Kind = 70
	KindRevokeKey    Kind = 71
	// KindPutWorkflow and those behind it are of the workflows that partitions get.
	KindPutWorkflow    Kind = 72
	KindSetAlias       Kind = 73
	KindDeleteWorkflow Kind = 74
	// KindSetTenant is a tenant's settings, in the meta group.
	KindSetTenant Kind = 75
)

// String is the kind's name in logs and metrics.
func (k Kind) String() string { //nolint:revive,funlen // A line for each kind.
	switch k {
	case KindLeaderStart:
		return "leader_start"
	case KindPublish:
		return "publish"
	case KindComplete:
		return "complete"
	case KindFail:
		return "fail"
	case KindRelease:
		return "release"
	case KindExpire:
		return "expire"
	case KindAck:
		return "ack"
	case KindCancel:
		return "cancel"
	case KindCheckpoint:
		return "checkpoint"
	case KindRelay:
		return "relay"
	case KindRelayTrim:
		return "relay_trim"
	case KindRedrive:
		return "redrive"
	case KindDiscard:
		return "discard"
	case KindCreateGroup:
		return "create_group"
	case KindConfigureChannel:
		return "configure_channel"
	case KindCancelLineage:
		return "cancel_lineage"
	case KindCommitFollower:
		return "commit_follower"
	case KindPark:
		return "park"
	case KindBroadcast:
		return "broadcast"
	case KindInstallDefinition:
		return "install_definition"
	case KindInstallAliases:
		return "install_aliases"
	case KindRemoveDefinition:
		return "remove_definition"
	case KindStartRun:
		return "start_run"
	case KindControlRun:
		return "control_run"
	case KindSendMessage:
		return "send_message"
	case KindPutSchedule:
		return "put_schedule"
	case KindDeleteSchedule:
		return "delete_schedule"
	case KindCancelGone:
		return "cancel_gone"
	case KindControlSchedule:
		return "control_schedule"
	case KindConfigureTenant:
		return "configure_tenant"
	case KindFormCluster, KindAdmitMember, KindSetReplicas, KindSetChannel,
		KindPutTenant, KindDeleteTenant, KindPutKey, KindRevokeKey, KindPutWorkflow, KindSetAlias, KindDeleteWorkflow,
		KindSetTenant:
		return k.metaString()
	default:
		return "unknown"
	}
}

func (k Kind) metaString() string {
	switch k { //nolint:exhaustive // The others are a partition's.
	case KindFormCluster:
		return "form_cluster"
	case KindAdmitMember:
		return "admit_member"
	case KindSetTenant:
		return "set_tenant"
	case KindSetChannel:
		return "set_channel"
	case KindPutTenant:
		return "put_tenant"
	case KindDeleteTenant:
		return "delete_tenant"
	case KindPutKey:
		return "put_key"
	case KindRevokeKey:
		return "revoke_key"
	case KindPutWorkflow:
		return "put_workflow"
	case KindSetAlias:
		return "set_alias"
	case KindDeleteWorkflow:
		return "delete_workflow"
	default:
		return "set_replicas"
	}
}

// Route is how a command was routed: the slot of its key and the version of
// the slot map it was routed by. Apply refuses a command of a slot that the
// partition does not own.
type Route struct {
	Slot    uint32
	SlotMap uint32
}

// Prefix is what stands before every command's body.
type Prefix struct {
	Route

	Kind Kind
}

func appendPrefix(dst []byte, kind Kind, route Route) []byte {
	dst = append(dst, byte(kind))
	dst = AppendUint(dst, uint64(route.Slot))
	return AppendUint(dst, uint64(route.SlotMap))
}

// ReadPrefix reads a command's prefix; the Reader then stands at its body.
func ReadPrefix(encoded []byte) (Prefix, Reader) {
	r := NewReader(encoded)
	prefix := Prefix{Kind: Kind(r.Byte())}
	prefix.Slot = r.Uint32()
	prefix.SlotMap = r.Uint32()
	return prefix, r
}
