package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// Leeway is how far clocks may differ when the times of a JWT are checked.
const Leeway = 30 * time.Second

// The algorithms of JWTs.
const (
	algHS256 = "HS256"
	algRS256 = "RS256"
	algES256 = "ES256"
	algEdDSA = "EdDSA"
)

// claims are what a JWT says.
type claims struct {
	jwt.RegisteredClaims

	Tenant   string `json:"tenant"`
	ClientID string `json:"client_id"`
	Roles    words  `json:"roles"`
	Publish  words  `json:"publish"`
	Work     words  `json:"work"`
	Follow   words  `json:"follow"`
}

// words are a list of strings, or one with spaces between them, as in OAuth's scope.
type words []string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*w = strings.Fields(one)
		return nil
	}
	var list []string
	if err := json.Unmarshal(text, &list); err != nil {
		return errors.New("roles and patterns must be lists of strings")
	}
	*w = list
	return nil
}

func newParser(config *Config) *jwt.Parser {
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{algHS256, algRS256, algES256, algEdDSA}),
		jwt.WithLeeway(Leeway), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(config.Now),
	}
	if config.Issuer != "" {
		options = append(options, jwt.WithIssuer(config.Issuer))
	}
	if config.Audience != "" {
		options = append(options, jwt.WithAudience(config.Audience))
	}
	return jwt.NewParser(options...)
}

// ofJWT is who holds a JWT.
func (a *Authenticator) ofJWT(ctx context.Context, token []byte) (*Identity, error) {
	var said claims
	_, err := a.parser.ParseWithClaims(string(token), &said, func(t *jwt.Token) (any, error) { return a.keyFor(ctx, t) })
	if err != nil {
		return nil, explainJWT(err)
	}
	return said.identity()
}

// keyFor is the key that must have signed a token. The token's algorithm chooses
// among keys; it never says how a key is used.
func (a *Authenticator) keyFor(ctx context.Context, token *jwt.Token) (any, error) {
	if _, extended := token.Header["crit"]; extended {
		return nil, refuse("the token has extensions (crit) that this node does not know")
	}
	alg := token.Method.Alg()
	if alg == algHS256 {
		if a.secret == nil {
			return nil, refuse("the token is signed with HS256, for which this node has no secret")
		}
		return a.secret.value(), nil
	}
	if a.jwks == nil {
		return nil, refuse("the token is signed with " + alg + ", for which this node has no keys")
	}
	id, _ := token.Header["kid"].(string)
	return a.jwks.find(ctx, id, alg)
}

// explainJWT says why a JWT is refused, without repeating any of it.
func explainJWT(err error) error {
	if refused, ok := errors.AsType[*refusedError](err); ok {
		return refused
	}
	for _, known := range []struct {
		cause    error
		sentence string
	}{
		{ErrUnavailable, ""},
		{jwt.ErrTokenMalformed, "the token is not valid: it is neither an API key nor a JWT"},
		{jwt.ErrTokenSignatureInvalid, "the token is not valid: its signature, or its algorithm, is not one this node accepts"},
		{jwt.ErrTokenRequiredClaimMissing, "the token lacks a claim that this node requires: exp, and iss or aud where they are configured"},
		{jwt.ErrTokenExpired, "the token has expired"},
		{jwt.ErrTokenNotValidYet, "the token is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "the token was issued in the future"},
		{jwt.ErrTokenInvalidAudience, "the token is for another audience"},
		{jwt.ErrTokenInvalidIssuer, "the token is of another issuer"},
	} {
		if errors.Is(err, known.cause) {
			if known.sentence == "" {
				return known.cause
			}
			return refuse(known.sentence)
		}
	}
	return refuse("the token is not valid")
}

// identity is what the claims grant. What is not said is not granted, apart from
// the tenant default and the role client.
func (c *claims) identity() (*Identity, error) {
	who := &Identity{
		Tenant: c.Tenant, ClientID: c.ClientID, Roles: command.RoleClient, Name: "jwt " + clip(c.Subject),
		Publish: Patterns(c.Publish), Work: Patterns(c.Work), Follow: Patterns(c.Follow),
		Expires: c.ExpiresAt.Add(Leeway),
	}
	if who.Tenant == "" {
		who.Tenant = "default"
	}
	if len(c.Roles) > 0 {
		who.Roles = 0
	}
	for _, name := range c.Roles {
		role, ok := command.ParseRole(name)
		if !ok {
			return nil, refuse("the token has a role that is not known: there are client, worker and admin")
		}
		who.Roles |= role
	}
	if who.Is(command.RoleClient) && who.ClientID == "" {
		who.ClientID = c.Subject
		if who.ClientID == "" {
			return nil, refuse("the token has the role client and says neither client_id nor sub")
		}
		if who.ClientID == command.AnyClient {
			return nil, refuse("sub * names no client: say client_id * to speak for any")
		}
	}
	if len(who.Tenant) > wire.MaxClientIDBytes || len(who.ClientID) > wire.MaxClientIDBytes {
		return nil, refuse("the token's tenant or client_id is longer than 255 bytes")
	}
	for _, patterns := range []words{c.Publish, c.Work, c.Follow} {
		if err := CheckPatterns(patterns); err != nil {
			return nil, refuse(fmt.Sprintf("the token cannot be used: %v", err))
		}
	}
	return who, nil
}

// clip cuts what a log must not be flooded with.
func clip(text string) string { return text[:min(len(text), wire.MaxClientIDBytes)] }
