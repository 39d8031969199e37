package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/batonmq/baton/transport/wire"
)

// Token is an API key: see wire.Token. The key itself is in the answer of
// CreateToken, and nowhere else.
type Token = wire.Token

// Tenant is a tenant that tokens can be made for.
type Tenant = wire.Tenant

// CreateToken makes an API key. It needs a token with the role admin.
func (h *HTTP) CreateToken(ctx context.Context, said Token) (*Token, error) {
	body, err := encode(&said)
	if err != nil {
		return nil, err
	}
	made := &Token{}
	return made, h.change(ctx, http.MethodPost, "/v1/tokens", body, made)
}

// Tokens lists API keys: those of the token's tenant, or of Options.Tenant, or all.
func (h *HTTP) Tokens(ctx context.Context) ([]Token, json.RawMessage, error) {
	var list wire.Tokens
	raw, err := h.get(ctx, h.path("/v1/tokens", ""), &list)
	return list.Tokens, raw, err
}

// RevokeToken ends an API key, named by its id: connections that were made with it
// are closed within seconds.
func (h *HTTP) RevokeToken(ctx context.Context, id string) error {
	var answer struct{}
	return h.change(ctx, http.MethodDelete, "/v1/tokens/"+url.PathEscape(id), nil, &answer)
}

// CreateTenant makes a tenant that tokens can be made for.
func (h *HTTP) CreateTenant(ctx context.Context, name string) error {
	body, err := encode(&Tenant{Tenant: name})
	if err != nil {
		return err
	}
	var answer struct{}
	return h.change(ctx, http.MethodPost, "/v1/tenants", body, &answer)
}

// Tenants lists the tenants.
func (h *HTTP) Tenants(ctx context.Context) ([]Tenant, json.RawMessage, error) {
	var list wire.Tenants
	raw, err := h.get(ctx, "/v1/tenants", &list)
	return list.Tenants, raw, err
}

// DeleteTenant takes a tenant out and revokes its tokens; revoked is how many. Its
// events stay until their retention ends.
func (h *HTTP) DeleteTenant(ctx context.Context, name string) (revoked uint64, err error) {
	var answer struct {
		Revoked uint64 `json:"revoked"`
	}
	err = h.change(ctx, http.MethodDelete, "/v1/tenants/"+url.PathEscape(name), nil, &answer)
	return answer.Revoked, err
}

// TenantLimits are what a tenant may use: see wire.TenantLimits. What is nil is not said.
type TenantLimits = wire.TenantLimits

// TenantLimits returns what a tenant may use.
func (h *HTTP) TenantLimits(ctx context.Context, name string) (*TenantLimits, json.RawMessage, error) {
	limits := &TenantLimits{}
	raw, err := h.get(ctx, "/v1/tenants/"+url.PathEscape(name)+"/limits", limits)
	return limits, raw, err
}

// ChangeTenantLimits changes the limits that are said, and returns when they are in force
// in every partition.
func (h *HTTP) ChangeTenantLimits(ctx context.Context, name string, said TenantLimits) (*TenantLimits, error) {
	body, err := encode(&said)
	if err != nil {
		return nil, err
	}
	limits := &TenantLimits{}
	return limits, h.change(ctx, http.MethodPatch, "/v1/tenants/"+url.PathEscape(name)+"/limits", body, limits)
}

// ResetTenantLimits takes a tenant's limits back.
func (h *HTTP) ResetTenantLimits(ctx context.Context, name string) (*TenantLimits, error) {
	limits := &TenantLimits{}
	return limits, h.change(ctx, http.MethodDelete, "/v1/tenants/"+url.PathEscape(name)+"/limits", nil, limits)
}
