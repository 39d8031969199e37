package auth

import (
	"crypto/x509"

	"github.com/batonmq/baton/fsm/command"
)

// OfCertificate is the worker that a verified client certificate is of: the common
// name is its name, the one organization its tenant (default without one), and it
// may publish to, work on and follow every channel of that tenant. Who signs
// certificates decides who is a worker.
func OfCertificate(certificate *x509.Certificate) (*Identity, error) {
	tenant := "default"
	switch subject := &certificate.Subject; {
	case len(subject.Organization) > 1:
		return nil, refuse("the certificate names more than one organization, which is the tenant")
	case len(subject.Organization) == 1:
		tenant = subject.Organization[0]
	}
	if tenant == "" || len(tenant) > command.MaxCredentialText {
		return nil, refuse("the certificate's organization is no tenant")
	}
	return &Identity{
		Tenant: tenant, Roles: command.RoleWorker, Expires: certificate.NotAfter,
		Name:    "certificate " + clip(certificate.Subject.CommonName),
		Publish: Patterns{"*"}, Work: Patterns{"*"}, Follow: Patterns{"*"},
	}, nil
}
