package command

import (
	"fmt"
	"strings"
)

const (
	// MaxCredentialText is the bytes of a key's id, name, tenant, client id and maker,
	// and of each of its patterns.
	MaxCredentialText = 255
	// MaxPatterns is how many channel patterns of each kind a key may have.
	MaxPatterns = 64
	// AllTenants is the tenant of a credential that is good for every tenant.
	AllTenants = "*"
	// AnyClient is the client id of a credential that may speak for every client of
	// its tenant.
	AnyClient = "*"
	// keyHashBytes is the size of a SHA-256.
	keyHashBytes = 32
)

// Roles are what the holder of a credential may be, as a set of bits.
type Roles uint8

// The roles. Numbers are for ever.
const (
	// RoleClient has a stream of notifications.
	RoleClient Roles = 1 << iota
	// RoleWorker works on events.
	RoleWorker
	// RoleAdmin reads and manages what its tenant has.
	RoleAdmin

	allRoles = RoleClient | RoleWorker | RoleAdmin
)

// roleNames are the roles' names, in the order of their bits.
func roleNames() []string { return []string{"client", "worker", "admin"} }

// ParseRole is the role of that name.
func ParseRole(name string) (role Roles, ok bool) {
	for i, known := range roleNames() {
		if known == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// Names are the names of the roles in the set.
func (r Roles) Names() []string {
	names := []string{}
	for i, name := range roleNames() {
		if r&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String is the names, with commas.
func (r Roles) String() string { return strings.Join(r.Names(), ",") }

// Tenant is a tenant that keys may be made for.
type Tenant struct {
	Name      string
	CreatedMS int64
}

// AppendTenant appends the tenant's fields in their order.
func AppendTenant(dst []byte, t *Tenant) []byte {
	return AppendInt(AppendString(dst, t.Name), t.CreatedMS)
}

// Tenant reads what AppendTenant wrote.
func (r *Reader) Tenant() Tenant { return Tenant{Name: r.String(), CreatedMS: r.Int()} }

// Key is an API key as the cluster keeps it: it has the secret's hash, never the
// secret.
type Key struct {
	// ID is public: it stands in the key and names it in lists and logs.
	ID   string
	Name string
	// Tenant is whose the key is, AllTenants for every tenant's.
	Tenant string
	// ClientID is the client that the holder is, AnyClient for whichever it says, and
	// empty for none.
	ClientID string
	Roles    Roles
	// Publish, Work and Follow are patterns of channels.
	Publish, Work, Follow []string
	// Hash is the SHA-256 of the secret, which is 256 random bits: a slower hash would
	// protect nothing that can be guessed.
	Hash []byte
	// CreatedBy is who made it, for people.
	CreatedBy string
	CreatedMS int64
	// ExpiresMS and RevokedMS are 0 for never.
	ExpiresMS int64
	RevokedMS int64
}

// Invalid says why the key cannot be kept; empty when it can.
func (k *Key) Invalid() string {
	switch {
	case k.ID == "" || k.Tenant == "":
		return "a key must have an id and a tenant"
	case len(k.Hash) != keyHashBytes:
		return "a key must have the SHA-256 of its secret"
	case k.Roles == 0 || k.Roles&^allRoles != 0:
		return "a key must have a role: client, worker or admin"
	case k.ExpiresMS < 0:
		return "a key must not expire before 1970"
	}
	for _, text := range []string{k.ID, k.Name, k.Tenant, k.ClientID, k.CreatedBy} {
		if len(text) > MaxCredentialText {
			return fmt.Sprintf("a key's id, name, tenant and client id have at most %d bytes each", MaxCredentialText)
		}
	}
	for _, patterns := range [][]string{k.Publish, k.Work, k.Follow} {
		if len(patterns) > MaxPatterns {
			return fmt.Sprintf("a key has at most %d patterns of a kind", MaxPatterns)
		}
		for _, pattern := range patterns {
			if pattern == "" || len(pattern) > MaxCredentialText {
				return fmt.Sprintf("a pattern has 1 to %d bytes", MaxCredentialText)
			}
		}
	}
	return ""
}

// AppendKey appends the key's fields in their order.
func AppendKey(dst []byte, k *Key) []byte {
	for _, text := range []string{k.ID, k.Name, k.Tenant, k.ClientID} {
		dst = AppendString(dst, text)
	}
	dst = append(dst, byte(k.Roles))
	for _, patterns := range [][]string{k.Publish, k.Work, k.Follow} {
		dst = AppendUint(dst, uint64(len(patterns)))
		for _, pattern := range patterns {
			dst = AppendString(dst, pattern)
		}
	}
	dst = AppendString(dst, k.Hash)
	dst = AppendString(dst, k.CreatedBy)
	return AppendInt(AppendInt(AppendInt(dst, k.CreatedMS), k.ExpiresMS), k.RevokedMS)
}

// Key reads what AppendKey wrote. Nothing of it aliases the record.
func (r *Reader) Key() Key {
	k := Key{ID: r.String(), Name: r.String(), Tenant: r.String(), ClientID: r.String(), Roles: Roles(r.Byte())}
	k.Publish, k.Work, k.Follow = r.patterns(), r.patterns(), r.patterns()
	if hash := r.Bytes(); hash != nil {
		k.Hash = append([]byte(nil), hash...)
	}
	k.CreatedBy = r.String()
	k.CreatedMS, k.ExpiresMS, k.RevokedMS = r.Int(), r.Int(), r.Int()
	return k
}

func (r *Reader) patterns() (patterns []string) {
	for range r.Count(MaxPatterns) {
		patterns = append(patterns, r.String())
	}
	return patterns
}

// PutTenant makes a tenant, or changes nothing where it is there.
type PutTenant struct {
	Route

	Tenant string
}

// Append appends the encoded command.
func (c *PutTenant) Append(dst []byte) []byte {
	return AppendString(appendPrefix(dst, KindPutTenant, c.Route), c.Tenant)
}

// Decode reads the body behind a prefix.
func (c *PutTenant) Decode(r *Reader) { c.Tenant = r.String() }

// DeleteTenant takes a tenant out, and revokes its keys. Its events stay.
type DeleteTenant struct {
	Route

	Tenant string
}

// Append appends the encoded command.
func (c *DeleteTenant) Append(dst []byte) []byte {
	return AppendString(appendPrefix(dst, KindDeleteTenant, c.Route), c.Tenant)
}

// Decode reads the body behind a prefix.
func (c *DeleteTenant) Decode(r *Reader) { c.Tenant = r.String() }

// PutKey keeps a new key. CreatedMS and RevokedMS are the state's to set.
type PutKey struct {
	Route

	Key Key
}

// Append appends the encoded command.
func (c *PutKey) Append(dst []byte) []byte {
	return AppendKey(appendPrefix(dst, KindPutKey, c.Route), &c.Key)
}

// Decode reads the body behind a prefix.
func (c *PutKey) Decode(r *Reader) { c.Key = r.Key() }

// RevokeKey ends a key.
type RevokeKey struct {
	Route

	ID string
	// Tenant is whose key it must be; empty for anybody's.
	Tenant string
}

// Append appends the encoded command.
func (c *RevokeKey) Append(dst []byte) []byte {
	return AppendString(AppendString(appendPrefix(dst, KindRevokeKey, c.Route), c.ID), c.Tenant)
}

// Decode reads the body behind a prefix.
func (c *RevokeKey) Decode(r *Reader) { c.ID, c.Tenant = r.String(), r.String() }
