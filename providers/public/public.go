// Package public asks what anybody sees of a host from where upkeep runs: the addresses of its name, and the
// certificate that one of its ports serves. It sends nothing but a TLS handshake, and changes nothing.
//
// What it was told by the name service or a port is bounded and cleaned here. Whether that is as it should be is for
// others to decide.
package public

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strconv"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// Bounds of one question: how long the name service and the port may take together, and how much of an answer is kept.
const (
	patience      = 10 * time.Second
	mostAddresses = 16
	mostBlocks    = 8
)

// Ports asks. The zero fields are the name service, the network and the authorities of this machine.
type Ports struct {
	Lookup func(ctx context.Context, host string) ([]string, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Roots  *x509.CertPool
	// Now tells at which time a certificate is judged.
	Now func() time.Time
}

// Ask does not fail: what could not be asked is in the answer, with its reason.
func (p Ports) Ask(ctx context.Context, question facts.PublicQuestion) facts.Public {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found := p.ask(ctx, question)
	plain.In(&found, plain.Line)
	return found
}

func (p Ports) ask(ctx context.Context, question facts.PublicQuestion) facts.Public {
	lookup := p.Lookup
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	addresses, err := lookup(ctx, question.Host)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return facts.Public{NoSuchName: true, Unknown: "the name has no address"}
	case err != nil:
		return facts.Public{Unknown: "the name service: " + err.Error()}
	case len(addresses) == 0:
		return facts.Public{NoSuchName: true, Unknown: "the name has no address"}
	}
	slices.Sort(addresses)
	found := facts.Public{Addresses: addresses[:min(len(addresses), mostAddresses)]}
	chain, err := p.handshake(ctx, question)
	if err != nil {
		found.Unknown = err.Error()
		return found
	}
	for _, c := range chain[:min(len(chain), mostBlocks)] {
		found.Blocks = append(found.Blocks, facts.CertificateOf(c))
	}
	if !question.Anonymous {
		if err := p.verify(chain, question.Host); err != nil {
			found.Untrusted = err.Error()
		}
	}
	return found
}

// handshake returns the certificates that a port serves.
func (p Ports) handshake(ctx context.Context, question facts.PublicQuestion) ([]*x509.Certificate, error) {
	dial := p.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", net.JoinHostPort(question.Host, strconv.Itoa(question.Port)))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// The certificate is what is asked for: verify judges it, and nothing is sent to whoever serves it.
	config := &tls.Config{InsecureSkipVerify: true, ServerName: question.Host}
	if question.Anonymous {
		config.ServerName = ""
	}
	client := tls.Client(conn, config)
	if err := client.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	chain := client.ConnectionState().PeerCertificates
	if len(chain) == 0 {
		return nil, errors.New("the port serves no certificate")
	}
	return chain, nil
}

// verify judges a certificate by the authorities of this machine, at a moment at which it is valid: that it has ended
// is told by its dates.
func (p Ports) verify(chain []*x509.Certificate, host string) error {
	at, leaf := p.Now(), chain[0]
	if at.After(leaf.NotAfter) {
		at = leaf.NotAfter
	}
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		DNSName: host, Roots: p.Roots, Intermediates: intermediates, CurrentTime: at,
	})
	return err
}
