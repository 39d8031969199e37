package gateway

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/gateway/auth"
)

// The audit log is the node's log: a line "audit" for each action of an
// administrator, refused ones included, with who, what, on which, from where, and
// how it went. It has public names only: never a token, and never data.

// auditNotes is what a handler adds to its line.
type auditNotes struct{ attributes []slog.Attr }

type auditKey struct{}

// audited writes a line for each request that next answers.
func (g *Gateway) audited(action string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		notes, seen := &auditNotes{}, &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next(seen, r.WithContext(context.WithValue(r.Context(), auditKey{}, notes)))
		g.logger.LogAttrs(r.Context(), slog.LevelInfo, "audit", append([]slog.Attr{
			slog.String("action", action), slog.String("who", nameOf(whoOf(r))), slog.String("tenant", tenantOf(r)),
			slog.String("target", clip(r.URL.Path, 512)), slog.String("from", g.fromOf(r)), slog.Int("status", seen.status),
		}, notes.attributes...)...)
	}
}

// note adds to the audit line of a request.
func note(r *http.Request, attributes ...slog.Attr) {
	if notes, ok := r.Context().Value(auditKey{}).(*auditNotes); ok {
		notes.attributes = append(notes.attributes, attributes...)
	}
}

func nameOf(who *auth.Identity) string {
	if who == nil {
		return "anybody" // The node asks for no token.
	}
	return who.Name
}

// auditCancel writes the line of a cancel of others' work.
func (c *connection) auditCancel(target string, reason command.Reason) {
	c.gateway.logger.Info("audit", "action", "cancel", "who", nameOf(c.who.Load()), "tenant", c.identity.tenant,
		"target", clip(target, 512), "from", c.seat.from.String(), "outcome", reason.String())
}
