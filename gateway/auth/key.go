package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/batonmq/baton/fsm/command"
)

// KeySource is where API keys are kept.
type KeySource interface {
	// Key is the key of that id, nil for none; an error when that cannot be known now.
	Key(ctx context.Context, id string) (*command.Key, error)
	// KnownKey is Key without waiting, as far as is known here.
	KnownKey(id string) *command.Key
	// KeysVersion is another number whenever what KnownKey says may be something else.
	KeysVersion() uint64
}

// An API key is bk_ID_SECRET: 65 random bits that name it, and 256 that nobody else
// has, both in base32hex, lower case. 69 characters in all.
const (
	keyPrefix     = "bk_"
	keyIDLength   = 13
	secretBytes   = 32
	secretLength  = 52
	keyTextLength = len(keyPrefix) + keyIDLength + 1 + secretLength
)

func encoding() *base32.Encoding { return base32.HexEncoding.WithPadding(base32.NoPadding) }

// NewKey makes an API key: the text, which is shown once, and what is kept of it.
func NewKey() (text, id string, hash []byte) {
	var random [secretBytes + 9]byte
	_, _ = rand.Read(random[:]) // It never fails.
	spell := func(raw []byte) string { return strings.ToLower(encoding().EncodeToString(raw)) }
	secret := spell(random[:secretBytes])
	id = spell(random[secretBytes:])[:keyIDLength]
	return keyPrefix + id + "_" + secret, id, hashOf([]byte(secret))
}

func hashOf(secret []byte) []byte {
	sum := sha256.Sum256(secret)
	return sum[:]
}

// ofKey is who holds an API key.
func (a *Authenticator) ofKey(ctx context.Context, token []byte) (*Identity, error) {
	const unknown = "the token is not valid: it is unknown, or was revoked"
	if len(token) != keyTextLength || token[len(keyPrefix)+keyIDLength] != '_' {
		return nil, refuse("the token is cut or changed: an API key has 69 characters")
	}
	id := string(token[len(keyPrefix) : len(keyPrefix)+keyIDLength])
	key, err := a.config.Keys.Key(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	hash := hashOf(token[keyTextLength-secretLength:])
	switch {
	case key == nil, subtle.ConstantTimeCompare(hash, key.Hash) != 1, key.RevokedMS != 0:
		return nil, refuse(unknown)
	}
	who := identityOf(key)
	if who.Expired(a.config.Now()) {
		return nil, refuse("the token has expired")
	}
	return who, nil
}

func identityOf(key *command.Key) *Identity {
	who := &Identity{
		Tenant: key.Tenant, ClientID: key.ClientID, Roles: key.Roles, KeyID: key.ID,
		Publish: key.Publish, Work: key.Work, Follow: key.Follow, Name: "key " + key.ID,
	}
	if key.Name != "" {
		who.Name += " (" + key.Name + ")"
	}
	if key.ExpiresMS != 0 {
		who.Expires = time.UnixMilli(key.ExpiresMS)
	}
	return who
}
