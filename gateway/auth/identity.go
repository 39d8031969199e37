package auth

import (
	"time"

	"github.com/batonmq/baton/fsm/command"
)

// Identity is who holds a credential, and what it grants. It is not changed once it
// is made.
type Identity struct {
	// Tenant is whose credential it is; command.AllTenants may act in every one.
	Tenant string
	// ClientID is the client that the holder is, command.AnyClient for whichever it
	// says, empty for none.
	ClientID string
	Roles    command.Roles
	// Publish, Work and Follow are the channels to publish to, to work on and to
	// follow.
	Publish, Work, Follow Patterns
	// Expires is when the credential ends, zero for never.
	Expires time.Time
	// Name says who it is in the audit log: of which kind, and its public name.
	Name string
	// KeyID is the id of an API key, empty for other credentials.
	KeyID string
}

// Is tells whether the identity has a role.
func (i *Identity) Is(role command.Roles) bool { return i.Roles&role != 0 }

// AllTenants tells whether it may act in every tenant.
func (i *Identity) AllTenants() bool { return i.Tenant == command.AllTenants }

// InTenant tells whether it may act in a tenant.
func (i *Identity) InTenant(tenant string) bool { return i.AllTenants() || i.Tenant == tenant }

// AsClient tells whether it may speak as a client, and listen to its stream.
func (i *Identity) AsClient(clientID string) bool {
	return i.Is(command.RoleClient) && (i.ClientID == command.AnyClient || i.ClientID == clientID)
}

// ForOthers tells whether it may publish in the name of any client: administrators
// may, and backends that serve many clients.
func (i *Identity) ForOthers() bool {
	return i.Is(command.RoleAdmin) || i.Is(command.RoleClient) && i.ClientID == command.AnyClient
}

// Expired tells whether the credential has ended.
func (i *Identity) Expired(now time.Time) bool { return !i.Expires.IsZero() && !now.Before(i.Expires) }

// Patterns are the channels that a credential grants. A pattern is a channel's name,
// or the beginning of names with a * behind it: mail.* grants mail.in and mail.in.eu,
// and * all channels. A * anywhere else is no pattern. There is no way to say any one
// segment: what a name begins with is all that can be granted.
type Patterns []string

// Match tells whether any pattern grants the channel. It allocates nothing.
func (p Patterns) Match(channel []byte) bool {
	for _, pattern := range p {
		last := len(pattern) - 1
		switch {
		case last < 0:
		case pattern[last] == '*':
			if len(channel) >= last && string(channel[:last]) == pattern[:last] {
				return true
			}
		case string(channel) == pattern:
			return true
		}
	}
	return false
}
