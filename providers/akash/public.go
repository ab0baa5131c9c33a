package akash

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// Of the certificate that an Akash provider shows to tenants (mTLS): its pod renews it when it starts, with less than
// seven days left, and at no other time. Its liveness probe restarts the pod when an hour is left (akash.md 2.3).
const (
	renewedAtStart = 7 * 24 * time.Hour
	lastHour       = time.Hour
	// mtlsValidity is the life of such a certificate (provider-services tx cert generate server).
	mtlsValidity = 365 * 24 * time.Hour
	// unrenewed is the part of its life that a certificate of Let's Encrypt has left when its renewal must have happened:
	// cert-manager and the provider renew with a third left.
	unrenewed = 6
)

// The ports of a provider: its gateway for HTTP, the one for gRPC, and that of the tenants' own hosts.
const (
	portGateway = 8443
	portGRPC    = 8444
	portIngress = 443
)

func providerHost(domain string) string { return "provider." + domain }

// anyTenantHost is a name that no tenant has, so that the wildcard answers.
func anyTenantHost(domain string) string { return "upkeep-check.ingress." + domain }

// mtlsQuestions ask for the provider's own certificate: its gateway serves that to whoever names no host
// (akash-network/provider, gateway/utils: NewServerTLSConfig).
func mtlsQuestions(domain string) []facts.PublicQuestion {
	if domain == "" {
		return nil
	}
	return []facts.PublicQuestion{
		{Host: providerHost(domain), Port: portGateway, Anonymous: true},
		{Host: providerHost(domain), Port: portGRPC, Anonymous: true},
	}
}

func gatewayQuestion(domain string) facts.PublicQuestion {
	return facts.PublicQuestion{Host: providerHost(domain), Port: portGateway}
}

func ingressQuestion(domain string) facts.PublicQuestion {
	return facts.PublicQuestion{Host: anyTenantHost(domain), Port: portIngress}
}

// publicQuestions ask for everything that tenants see of a provider.
func publicQuestions(domain string) []facts.PublicQuestion {
	if domain == "" {
		return nil
	}
	return append(mtlsQuestions(domain), gatewayQuestion(domain), ingressQuestion(domain))
}

// reviewPublic looks at what tenants see: names, and the certificates that are served.
func (r *review) reviewPublic() {
	if r.spec.Domain == "" {
		return
	}
	r.reviewDNS(gatewayQuestion(r.spec.Domain))
	r.reviewDNS(ingressQuestion(r.spec.Domain))
	for _, question := range mtlsQuestions(r.spec.Domain) {
		r.reviewMTLS(question)
	}
	r.reviewWeb(gatewayQuestion(r.spec.Domain), "PROVIDER_GATEWAY_CERT",
		fmt.Sprintf("see what the provider says of it: `kubectl -n %s logs %s-0 -c %s | grep -i cert`. "+
			"Port 80 must lead to the provider for the challenge of Let's Encrypt, or the DNS provider must take its token",
			r.spec.Namespace, r.release.Name, containerName))
	r.reviewWeb(ingressQuestion(r.spec.Domain), "PROVIDER_INGRESS_CERT",
		"see why cert-manager does not renew it: `kubectl -n "+gatewayNamespace+
			" describe certificate,certificaterequest,order,challenge`")
}

// seen returns the answer to a question; false where there is none, which is then reported.
func (r *review) seen(question facts.PublicQuestion) (facts.Public, bool) {
	found, asked := r.in.World.Public[question.Key()]
	why := plain.Said(found.Unknown)
	switch {
	case !asked:
		why = "not asked"
	case found.NoSuchName:
		return found, false // reviewDNS reports it
	case found.Unknown == "" && len(found.Blocks) > 0:
		return found, true
	}
	r.publicObject(question, "unknown", why, time.Time{})
	r.add(providers.Finding{
		ID: "PROVIDER_PUBLIC_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: question.Key(),
		Summary: "its certificate could not be asked for from here: " + why,
		Hint: fmt.Sprintf("test: `openssl s_client -connect %s:%d </dev/null`. Tenants may reach the port all the same",
			question.Host, question.Port),
	}, "domain")
	return found, false
}

func (r *review) publicObject(question facts.PublicQuestion, status, detail string, expires time.Time) {
	r.out.Objects = append(r.out.Objects, providers.Object{
		Address: r.address, Name: question.Key(), Status: status, Detail: detail, Expires: expires,
	})
}

// reviewMTLS looks at the provider's own certificate, which a restart of the pod renews.
func (r *review) reviewMTLS(question facts.PublicQuestion) {
	found, ok := r.seen(question)
	if !ok {
		return
	}
	clock, end := r.in.Clock(), found.Blocks[0].NotAfter
	if !clock.Passed(end.Add(-renewedAtStart)) {
		r.publicObject(question, "ok", "mTLS", end)
		return
	}
	f := providers.Finding{
		ID: "PROVIDER_CERT_RESTART_DUE", Severity: providers.SeverityWarning, Object: question.Key(),
		Summary: ending(clock, end), Hint: "the provider renews the certificate only when its pod starts",
	}
	if clock.Passed(end.Add(-lastHour)) {
		f.Severity = providers.SeverityError
	}
	r.publicObject(question, "due", f.Summary, end)
	r.add(f, "domain")
	if question.Port == portGateway {
		r.certificateDue = true
		r.restart = append(r.restart, fmt.Sprintf("the certificate at %s %s, and only a restart of the pod renews it",
			question.Key(), f.Summary))
	}
}

// reviewWeb looks at a certificate that browsers must trust, and that somebody else renews.
func (r *review) reviewWeb(question facts.PublicQuestion, id, hint string) {
	found, ok := r.seen(question)
	if !ok {
		return
	}
	leaf, clock := &found.Blocks[0], r.in.Clock()
	f := providers.Finding{ID: id, Object: question.Key(), Hint: hint}
	switch {
	case clock.Passed(leaf.NotAfter):
		f.Severity, f.Summary = providers.SeverityError, ending(clock, leaf.NotAfter)
	case found.Untrusted != "":
		f.Severity = providers.SeverityError
		f.Summary = "clients do not trust the certificate: " + plain.Said(found.Untrusted)
	case clock.Passed(leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / unrenewed)):
		f.Severity, f.Summary = providers.SeverityWarning, ending(clock, leaf.NotAfter)+" and was not renewed"
	default:
		r.publicObject(question, "ok", "", leaf.NotAfter)
		return
	}
	r.publicObject(question, "problem", f.Summary, leaf.NotAfter)
	r.add(f, "domain")
}

// ending says when a certificate ends, or has.
func ending(clock providers.Clock, end time.Time) string {
	at := " (" + end.UTC().Format(time.RFC3339) + ")"
	if clock.Passed(end) {
		return "expired" + at
	}
	left := end.Sub(clock.Now())
	if left < 48*time.Hour {
		return fmt.Sprintf("expires in %dh", int(left.Hours())) + at
	}
	return fmt.Sprintf("expires in %dd", int(left.Hours())/24) + at
}

// reviewDNS looks at where a name leads: to nothing, or to nodes that are not Ready. An address that is no node's may
// be that of a load balancer.
func (r *review) reviewDNS(question facts.PublicQuestion) {
	found := r.in.World.Public[question.Key()]
	f := providers.Finding{ID: "PROVIDER_DNS_WRONG", Severity: providers.SeverityError, Object: question.Host}
	if found.NoSuchName {
		f.Summary = "the name service has no address for the name, so tenants cannot reach it"
		f.Hint = "add the record at the DNS provider: " + recordOf(r.spec.Domain, question.Host) +
			" to the address of a node with the ingress"
		r.publicObject(facts.PublicQuestion{Host: question.Host, Port: question.Port}, "problem", "no address", time.Time{})
		r.add(f, "domain")
		return
	}
	if r.in.World.Kubernetes.Unknown != "" {
		return
	}
	var down []string
	for _, address := range found.Addresses {
		for _, n := range r.in.World.Kubernetes.Nodes {
			if !n.Ready && slices.Contains([]string{n.Addresses["InternalIP"], n.Addresses["ExternalIP"]}, address) {
				down = append(down, fmt.Sprintf("%s (node %s)", address, n.Name))
			}
		}
	}
	if len(down) == 0 {
		return
	}
	if len(down) < len(found.Addresses) {
		f.Severity = providers.SeverityWarning
	}
	f.Summary = "leads to " + strings.Join(down, ", ") + ", which is not Ready"
	f.Hint = "lead " + recordOf(r.spec.Domain, question.Host) + " to nodes that are Ready, or repair the node"
	r.add(f, "domain")
}

// recordOf is the DNS record that a host is found by.
func recordOf(domain, host string) string {
	if host == anyTenantHost(domain) {
		return "*.ingress." + domain
	}
	return host
}

// renewedBy adds to what a restart of the pod makes: a new certificate, where the old one is due.
func renewedBy(in providers.Input, domain string, u facts.Update) facts.Update {
	for _, question := range mtlsQuestions(domain) {
		found := in.World.Public[question.Key()]
		if len(found.Blocks) == 0 || !in.Clock().Passed(found.Blocks[0].NotAfter.Add(-renewedAtStart)) {
			continue
		}
		leaf := found.Blocks[0]
		leaf.Serial, leaf.SHA256 = facts.New, facts.New
		leaf.NotBefore, leaf.NotAfter = in.Now, in.Now.Add(mtlsValidity)
		found.Blocks = []facts.Certificate{leaf}
		if u.Public == nil {
			u.Public = map[string]facts.Public{}
		}
		u.Public[question.Key()] = found
	}
	return u
}

// provedCertificate holds a restart to a certificate that is new and is not due, where the old one was.
func provedCertificate(before, after providers.Input, domain string) error {
	for _, question := range mtlsQuestions(domain) {
		was := before.World.Public[question.Key()]
		if question.Port != portGateway || len(was.Blocks) == 0 ||
			!before.Clock().Passed(was.Blocks[0].NotAfter.Add(-renewedAtStart)) {
			continue
		}
		is := after.World.Public[question.Key()]
		switch {
		case len(is.Blocks) == 0:
			return fmt.Errorf("%s could not be asked after the restart: %s", question.Key(), plain.Said(is.Unknown))
		case is.Blocks[0].SHA256 == was.Blocks[0].SHA256:
			return fmt.Errorf("%s still serves the certificate %s", question.Key(), was.Blocks[0].Serial)
		case after.Clock().Passed(is.Blocks[0].NotAfter.Add(-renewedAtStart)):
			return fmt.Errorf("%s serves a new certificate that ends %s", question.Key(),
				is.Blocks[0].NotAfter.UTC().Format(time.RFC3339))
		}
	}
	return nil
}
