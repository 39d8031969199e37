package auth

import (
	"bytes"
	"context"
	"crypto/subtle"
	"log/slog"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// Config says which credentials are accepted. A way that is not configured accepts
// nothing.
type Config struct {
	// Keys are the API keys; nil for none.
	Keys KeySource
	// HS256File is a file with the secret of JWTs that are signed with HS256.
	HS256File string
	// JWKS is a file, or an https URL, with the public keys of JWTs.
	JWKS string
	// Issuer and Audience must stand in a JWT where they are given.
	Issuer, Audience string
	// AdminKeyFile is a file with a credential that may do everything.
	AdminKeyFile string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger takes what an operator should know; nil means nobody does.
	Logger *slog.Logger
}

// Authenticator knows who holds a credential. It is safe for concurrent use.
type Authenticator struct {
	config Config
	parser *jwt.Parser
	secret *watchedFile[[]byte]
	admin  *watchedFile[[]byte]
	jwks   *keySet

	stop    context.CancelFunc
	running sync.WaitGroup
}

// New reads the files of a configuration; what they hold must be usable, or the
// error says what to do. Keys behind a URL are fetched in the background. Close it.
func New(config Config) (*Authenticator, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Authenticator{config: config, parser: newParser(&config)}
	var err error
	if config.HS256File != "" {
		if a.secret, err = watchFile(config.HS256File, parseSecret, &config); err != nil {
			return nil, err
		}
	}
	if config.AdminKeyFile != "" {
		if a.admin, err = watchFile(config.AdminKeyFile, parseAdminKey, &config); err != nil {
			return nil, err
		}
	}
	if config.JWKS != "" {
		if a.jwks, err = newKeySet(&config); err != nil {
			return nil, err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	if a.jwks != nil && a.jwks.url != "" {
		a.running.Go(func() { a.jwks.keepFresh(ctx) })
	}
	return a, nil
}

// Close ends what runs in the background.
func (a *Authenticator) Close() {
	a.stop()
	a.running.Wait()
}

// Authenticate is who holds a token. The error wraps ErrUnauthenticated or
// ErrUnavailable, and its text may be told to the holder.
func (a *Authenticator) Authenticate(ctx context.Context, token []byte) (*Identity, error) {
	switch {
	case len(token) == 0:
		return nil, refuse("a token is needed: in hello, or as Authorization: Bearer")
	case len(token) > wire.MaxTokenBytes:
		return nil, refuse("the token is longer than 16 KiB")
	case a.isAdminKey(token):
		return &Identity{
			Tenant: command.AllTenants, ClientID: command.AnyClient, Name: "admin key",
			Roles:   command.RoleClient | command.RoleWorker | command.RoleAdmin,
			Publish: Patterns{"*"}, Work: Patterns{"*"}, Follow: Patterns{"*"},
		}, nil
	case bytes.HasPrefix(token, []byte(keyPrefix)):
		if a.config.Keys == nil {
			return nil, refuse("this node accepts no API keys")
		}
		return a.ofKey(ctx, token)
	case a.secret == nil && a.jwks == nil:
		return nil, refuse("the token is not valid: this node accepts API keys, which begin with bk_")
	default:
		return a.ofJWT(ctx, token)
	}
}

// Ended says why an identity is not good any more, as far as is known without
// waiting; empty while it is.
func (a *Authenticator) Ended(who *Identity) string {
	if who.Expired(a.config.Now()) {
		return "the token has expired"
	}
	if who.KeyID == "" {
		return ""
	}
	if key := a.config.Keys.KnownKey(who.KeyID); key == nil || key.RevokedMS != 0 {
		return "the token was revoked"
	}
	return ""
}

// KeysVersion is the version of the API keys that Ended looks at; 0 where there are none.
func (a *Authenticator) KeysVersion() uint64 {
	if a == nil || a.config.Keys == nil {
		return 0
	}
	return a.config.Keys.KeysVersion()
}

func (a *Authenticator) isAdminKey(token []byte) bool {
	return a.admin != nil && subtle.ConstantTimeCompare(hashOf(token), a.admin.value()) == 1
}
