package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

// readyTimeout bounds the question to the API server; it answers within milliseconds or something is wrong.
const readyTimeout = 5 * time.Second

// APIServer asks the node's own API server for /readyz, as anybody may, over TLS verified against the cluster's CA as
// this node has it.
func APIServer(ctx context.Context, d *disk.Disk, pods []facts.StaticPod) facts.APIServer {
	address, ok := APIServerAddress(pods)
	if !ok {
		return facts.APIServer{Unknown: "no kube-apiserver manifest on this node says where it listens"}
	}
	ca, known := pki.Lookup(d, "ca")
	if !known {
		return facts.APIServer{Unknown: "the cluster's CA: the layout of the node is not known"}
	}
	text, _, err := d.Read(ca.Path, pki.MaxFile)
	if err != nil {
		return facts.APIServer{Unknown: "the cluster's CA: " + err.Error()}
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return facts.APIServer{Unknown: "the cluster's CA: no certificate in " + ca.Path}
	}
	return Ready(ctx, address, roots)
}

// Ready asks the node's own API server, at host:port, whether it is ready. A certificate of the cluster that lacks the
// address does not make the API server unready: it is asked by a name that the certificate has, and what the
// certificate lacks is reported where certificates are.
func Ready(ctx context.Context, address string, roots *x509.CertPool) facts.APIServer {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		DisableKeepAlives: true,
		Proxy:             nil, // never through a proxy of the environment: this is the node asking itself
	}
	found, err := askReady(ctx, transport, address)
	var wrongName x509.HostnameError
	if errors.As(err, &wrongName) {
		if name := nameOf(wrongName.Certificate); name != "" {
			transport.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: name}
			found, err = askReady(ctx, transport, address)
		}
	}
	if err != nil {
		return facts.APIServer{Unknown: err.Error()}
	}
	return found
}

// nameOf returns a name or address that a certificate is valid for; empty where it has none.
func nameOf(cert *x509.Certificate) string {
	for _, name := range cert.DNSNames {
		if !strings.Contains(name, "*") {
			return name
		}
	}
	for _, ip := range cert.IPAddresses {
		return ip.String()
	}
	return ""
}

func askReady(ctx context.Context, transport *http.Transport, address string) (facts.APIServer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/readyz?verbose", nil)
	if err != nil {
		return facts.APIServer{}, fmt.Errorf("ask %s: %w", address, err)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return facts.APIServer{}, fmt.Errorf("ask %s whether it is ready: %w", address, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return facts.APIServer{}, fmt.Errorf("ask %s whether it is ready: %w", address, err)
	}
	switch {
	case res.StatusCode == http.StatusOK:
		return facts.APIServer{Ready: true}, nil
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return facts.APIServer{}, fmt.Errorf("%s does not answer /readyz to anonymous requests (%s)", address, res.Status)
	}
	return facts.APIServer{NotReady: failing(string(body), res.Status)}, nil
}

// failing names the checks that a verbose answer marks as failed: lines such as "[-]etcd failed: reason withheld".
func failing(body, status string) string {
	var names []string
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "[-]"); ok {
			name, _, _ := strings.Cut(rest, " ")
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return status
	}
	return strings.Join(names, ", ")
}
