package fsm

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

const (
	// MaxTenants is how many tenants a cluster has at most, besides the tenant
	// default, which is always there.
	MaxTenants = 10_000
	// MaxKeys is how many API keys a cluster has at most, those included that were
	// revoked lately.
	MaxKeys = 10_000
	// KeyRetentionMS is for how long a key that was revoked or has expired is still
	// listed. Then it makes room for new ones.
	KeyRetentionMS = 30 * 24 * 60 * 60 * 1000
	// defaultTenant needs no making.
	defaultTenant = "default"
)

// Credentials are what nodes need to know who may do what.
type Credentials struct {
	// Version counts the changes.
	Version uint64
	// Tenants stand in the order of names, Keys in that of ids.
	Tenants []command.Tenant
	Keys    []command.Key
	// Same means that nothing has changed since the version that was asked from, and
	// that nothing else is told.
	Same bool
}

func keyTenant(name string) []byte { return append([]byte{kindTenant}, name...) }

func keyCredential(id string) []byte { return append([]byte{kindKey}, id...) }

// ReadCredentials reads the meta group's tenants and keys, unless known is still
// their version. Version 0 is never the same.
func ReadCredentials(view *storage.View, known uint64) (all Credentials, err error) {
	defer invariants.Recover(&err)
	value, found, err := view.Get([]byte{kindKey})
	if err != nil || !found {
		return all, err
	}
	r := openRow(value)
	all.Version = r.Uint()
	closeRow(&r)
	if all.Version == known {
		return Credentials{Version: known, Same: true}, nil
	}
	prefix := []byte{kindTenant}
	err = view.Scan(prefix, after(prefix), func(_, value []byte) (bool, error) {
		r := openRow(value)
		all.Tenants = append(all.Tenants, r.Tenant())
		closeRow(&r)
		return true, nil
	})
	if err != nil {
		return all, err
	}
	prefix = []byte{kindKey}
	err = view.Scan([]byte{kindKey, 0}, after(prefix), func(_, value []byte) (bool, error) {
		r := openRow(value)
		all.Keys = append(all.Keys, r.Key())
		closeRow(&r)
		return true, nil
	})
	return all, err
}

func (m *Meta) executeCredential(tx *storage.Tx, kind command.Kind, r *command.Reader) command.Result {
	switch kind { //nolint:exhaustive // execute has chosen these.
	case command.KindPutTenant:
		var put command.PutTenant
		put.Decode(r)
		return checked(r, func() command.Result { return m.putTenant(tx, put.Tenant) })
	case command.KindDeleteTenant:
		var gone command.DeleteTenant
		gone.Decode(r)
		return checked(r, func() command.Result { return m.deleteTenant(tx, gone.Tenant) })
	case command.KindPutKey:
		var put command.PutKey
		put.Decode(r)
		return checked(r, func() command.Result { return m.putKey(tx, &put.Key) })
	default:
		var revoke command.RevokeKey
		revoke.Decode(r)
		return checked(r, func() command.Result { return m.revokeKey(tx, &revoke) })
	}
}

func (m *Meta) findTenant(name string) (at int, found bool) {
	return slices.BinarySearchFunc(m.credentials.Tenants, name, func(have command.Tenant, name string) int {
		return cmp.Compare(have.Name, name)
	})
}

func (m *Meta) findKey(id string) (at int, found bool) {
	return slices.BinarySearchFunc(m.credentials.Keys, id, func(have command.Key, id string) int {
		return cmp.Compare(have.ID, id)
	})
}

func (m *Meta) putTenant(tx *storage.Tx, name string) command.Result {
	at, found := m.findTenant(name)
	switch {
	case name == "" || len(name) > command.MaxCredentialText:
		return refuse(command.BadRequest, fmt.Sprintf("a tenant's name has 1 to %d bytes", command.MaxCredentialText))
	case name == command.AllTenants:
		return refuse(command.BadRequest, "* stands for all tenants and names none")
	case found || name == defaultTenant:
		return command.Result{Duplicate: true}
	case len(m.credentials.Tenants) >= MaxTenants:
		return refuse(command.TooLarge, fmt.Sprintf("the cluster has %d tenants, no more are made", MaxTenants))
	}
	tenant := command.Tenant{Name: name, CreatedMS: m.timeMS}
	m.credentials.Tenants = slices.Insert(m.credentials.Tenants, at, tenant)
	must(tx.Set(keyTenant(name), command.AppendTenant([]byte{rowVersion}, &tenant)))
	m.credentialsChanged(tx)
	return command.Result{}
}

// deleteTenant revokes a tenant's keys with it: nobody is to come in by one of a
// tenant that is not listed any more.
func (m *Meta) deleteTenant(tx *storage.Tx, name string) command.Result {
	if name == defaultTenant {
		return refuse(command.BadRequest, "the tenant default cannot be deleted: revoke its tokens instead")
	}
	at, found := m.findTenant(name)
	if !found {
		return refuse(command.NotFound, "there is no such tenant")
	}
	var revoked uint64
	for i := range m.credentials.Keys {
		if key := &m.credentials.Keys[i]; key.Tenant == name && key.RevokedMS == 0 {
			m.revoke(tx, key)
			revoked++
		}
	}
	m.credentials.Tenants = slices.Delete(m.credentials.Tenants, at, at+1)
	must(tx.Delete(keyTenant(name)))
	m.credentialsChanged(tx)
	return command.Result{Offset: revoked}
}

// putKey keeps a new key. The same one again is the edge's second try.
func (m *Meta) putKey(tx *storage.Tx, key *command.Key) command.Result {
	if wrong := key.Invalid(); wrong != "" {
		return refuse(command.BadRequest, wrong)
	}
	if at, found := m.findKey(key.ID); found {
		if bytes.Equal(m.credentials.Keys[at].Hash, key.Hash) {
			return command.Result{Duplicate: true}
		}
		return refuse(command.BadRequest, "there is a token of that id already")
	}
	if _, found := m.findTenant(key.Tenant); !found && key.Tenant != defaultTenant && key.Tenant != command.AllTenants {
		return refuse(command.NotFound, fmt.Sprintf("there is no tenant %s: create it first", key.Tenant))
	}
	m.forgetKeys(tx)
	if len(m.credentials.Keys) >= MaxKeys {
		return refuse(command.TooLarge, fmt.Sprintf("the cluster has %d tokens, no more are made", MaxKeys))
	}
	key.CreatedMS, key.RevokedMS = m.timeMS, 0
	at, _ := m.findKey(key.ID)
	m.credentials.Keys = slices.Insert(m.credentials.Keys, at, *key)
	m.saveKey(tx, key)
	m.credentialsChanged(tx)
	return command.Result{}
}

func (m *Meta) revokeKey(tx *storage.Tx, c *command.RevokeKey) command.Result {
	at, found := m.findKey(c.ID)
	if !found || c.Tenant != "" && m.credentials.Keys[at].Tenant != c.Tenant {
		return refuse(command.NotFound, "there is no such token")
	}
	if m.credentials.Keys[at].RevokedMS != 0 {
		return command.Result{Duplicate: true}
	}
	m.revoke(tx, &m.credentials.Keys[at])
	m.credentialsChanged(tx)
	return command.Result{}
}

func (m *Meta) revoke(tx *storage.Tx, key *command.Key) {
	key.RevokedMS = max(m.timeMS, 1)
	m.saveKey(tx, key)
}

// forgetKeys makes room: what ended long ago is listed no more.
func (m *Meta) forgetKeys(tx *storage.Tx) {
	ended := func(at int64) bool { return at != 0 && at <= m.timeMS-KeyRetentionMS }
	m.credentials.Keys = slices.DeleteFunc(m.credentials.Keys, func(key command.Key) bool {
		over := ended(key.RevokedMS) || ended(key.ExpiresMS)
		if over {
			must(tx.Delete(keyCredential(key.ID)))
		}
		return over
	})
}

func (m *Meta) saveKey(tx *storage.Tx, key *command.Key) {
	must(tx.Set(keyCredential(key.ID), command.AppendKey([]byte{rowVersion}, key)))
}

func (m *Meta) credentialsChanged(tx *storage.Tx) {
	m.credentials.Version++
	must(tx.Set([]byte{kindKey}, command.AppendUint([]byte{rowVersion}, m.credentials.Version)))
}
