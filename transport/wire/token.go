package wire

// Token is an API key over HTTP: what is asked for when one is made, and what is
// told of one. Token is its text, in the answer that made it and nowhere else.
type Token struct {
	ID     string `json:"id,omitempty"`
	Token  string `json:"token,omitempty"`
	Name   string `json:"name,omitempty"`
	Tenant string `json:"tenant,omitempty"`
	// ClientID is the client that the holder is, * for whichever it says.
	ClientID string   `json:"client_id,omitempty"`
	Roles    []string `json:"roles"`
	// Publish, Work and Follow are channels: names, or beginnings of names with a *
	// behind them.
	Publish   []string `json:"publish,omitempty"`
	Work      []string `json:"work,omitempty"`
	Follow    []string `json:"follow,omitempty"`
	CreatedBy string   `json:"created_by,omitempty"`
	// Times are Unix milliseconds, 0 for never.
	CreatedAt int64 `json:"created_at,omitempty"`
	ExpiresAt int64 `json:"expires_at,omitempty"`
	RevokedAt int64 `json:"revoked_at,omitempty"`
}

// Tokens is a list of API keys.
type Tokens struct {
	Tokens []Token `json:"tokens"`
}

// Tenant is a tenant over HTTP.
type Tenant struct {
	Tenant    string `json:"tenant"`
	CreatedAt int64  `json:"created_at,omitempty"`
}

// Tenants is a list of tenants.
type Tenants struct {
	Tenants []Tenant `json:"tenants"`
}
