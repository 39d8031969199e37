package command

// VisitChannels calls fn for each event that an encoded command will store: by
// it the leader guesses how much credit an entry can use. It reads no more
// than it must, and passes over what it cannot read.
func VisitChannels(encoded []byte, fn func(channel []byte)) {
	prefix, r := ReadPrefix(encoded)
	switch prefix.Kind {
	case KindPublish:
		if channel := r.Bytes(); r.Err() == nil {
			fn(channel)
		}
	case KindComplete:
		r.LeaseID()
		r.Payload()
		r.Bytes()
		for range r.Count(MaxEmits) {
			channel := r.skipEvent()
			if r.Err() != nil {
				return
			}
			fn(channel)
		}
	case KindRelay:
		r.Uint32()
		r.Uint32()
		r.Uint()
		for range r.Count(MaxRelayBatch) {
			row := NewReader(r.Bytes())
			kind, channel := RelayKind(row.Byte()), row.Bytes()
			if kind == RelayEvent && row.Err() == nil && r.Err() == nil {
				fn(channel)
			}
		}
	case KindStartRun:
		r.skipEvent()
		if name := r.Bytes(); r.Err() == nil {
			fn(append([]byte(RunChannelPrefix), name...))
		}
	case KindLeaderStart, KindFail, KindRelease, KindExpire, KindAck, KindCancel, KindCheckpoint, KindRelayTrim,
		KindRedrive, KindDiscard, KindCreateGroup, KindConfigureChannel, KindCancelLineage, KindCommitFollower, KindPark,
		KindBroadcast, KindControlRun, KindSendMessage, KindPutSchedule, KindDeleteSchedule, KindControlSchedule, KindCancelGone,
		KindConfigureTenant, KindInstallDefinition, KindInstallAliases, KindRemoveDefinition,
		KindFormCluster, KindAdmitMember, KindSetReplicas, KindSetChannel, KindPutTenant, KindDeleteTenant, KindPutKey, KindRevokeKey,
		KindPutWorkflow, KindSetAlias, KindDeleteWorkflow, KindSetTenant:
	}
}

// VisitEnded is the sub-queue of the job that an encoded command ends, where it does: a
// leader guesses by it where a run goes on.
func VisitEnded(encoded []byte) (queue uint32, ends bool) {
	prefix, r := ReadPrefix(encoded)
	if prefix.Kind != KindComplete && prefix.Kind != KindFail {
		return 0, false
	}
	id := r.LeaseID()
	return id.Event.Queue, r.Err() == nil
}

// skipEvent passes over an event and returns its channel.
func (r *Reader) skipEvent() []byte {
	channel := r.Bytes()
	for range 10 { // tenant to headers
		r.Bytes()
	}
	r.Uint()
	r.Uint()
	r.Uint()
	var passed Event
	r.extended(&passed)
	return channel
}

// PeekCheck reads the earlier index and chain hash from an entry's header.
func PeekCheck(data []byte) (index, chain uint64, err error) {
	r := NewReader(data)
	if version := r.Byte(); version != EntryVersion {
		return 0, 0, ErrVersion
	}
	r.Uint()
	r.Uint()
	r.Uint()
	r.Uint()
	return r.Uint(), r.Uint64(), r.Err()
}
