package fsm

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// Owner is whose an event is.
type Owner struct {
	Tenant, ClientID, CorrelationID string
}

// ReadOwner reads whose an event is; found is false when there is no such event.
func ReadOwner(view *storage.View, id command.EventID) (owner Owner, found bool, err error) {
	defer invariants.Recover(&err)
	e, err := readEventOf(view, id)
	if err != nil || e == nil {
		return Owner{}, false, err
	}
	return Owner{e.Tenant, e.ClientID, e.correlationID()}, true, nil
}
