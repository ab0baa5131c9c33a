// Package etcdtunnel opens a connection to the node's own etcd member in which TLS ends here, on the node: the caller
// speaks plain HTTP/2 into it, and etcd's client key never leaves the node.
package etcdtunnel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"upkeep/providers/node/agent/controlplane"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

// Service is the name by which the tunnel is asked for.
const Service = "etcd"

// timeout bounds connecting and the handshake: the member is on this very node.
const timeout = 5 * time.Second

// clients are the certificates that kubeadm's etcd takes from clients, the one made for looking at it first. The others
// serve when that one has ended: they may differ in age.
var clients = []string{"etcd-healthcheck-client", "apiserver-etcd-client", "etcd-server"}

// Dial connects to the member at the address in the node's etcd manifest. The server is verified against etcd's CA as
// this node has it, and must speak HTTP/2. The caller closes the connection.
func Dial(ctx context.Context, d *disk.Disk, now time.Time) (net.Conn, error) {
	address, ok := controlplane.EtcdClientAddress(controlplane.StaticPods(d))
	if !ok {
		return nil, errors.New("etcd tunnel: no etcd manifest on this node says where it takes clients")
	}
	roots, err := authorities(d)
	if err != nil {
		return nil, fmt.Errorf("etcd tunnel: %w", err)
	}
	client, err := client(d, now)
	if err != nil {
		return nil, fmt.Errorf("etcd tunnel: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{
		RootCAs:      roots,
		Certificates: []tls.Certificate{client},
		NextProtos:   []string{"h2"}, // etcd tells gRPC from plain HTTP by it
		MinVersion:   tls.VersionTLS12,
	}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("etcd tunnel to %s: %w", address, err)
	}
	if got := conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != "h2" {
		conn.Close()
		return nil, fmt.Errorf("etcd tunnel to %s: the server speaks %q, not HTTP/2", address, got)
	}
	return conn, nil
}

func authorities(d *disk.Disk) (*x509.CertPool, error) {
	entry, _ := pki.Kubeadm.Lookup("etcd-ca")
	text, _, err := d.Read(entry.Path, pki.MaxFile)
	if err != nil {
		return nil, err
	}
	certs, err := pki.ParseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", entry.Path, err)
	}
	roots := x509.NewCertPool()
	for _, cert := range certs {
		roots.AddCert(cert)
	}
	return roots, nil
}

// client returns the first client certificate that is whole and valid now.
func client(d *disk.Disk, now time.Time) (tls.Certificate, error) {
	var problems []error
	for _, name := range clients {
		pair, err := load(d, name, now)
		if err == nil {
			return pair, nil
		}
		problems = append(problems, fmt.Errorf("%s: %w", name, err))
	}
	return tls.Certificate{}, fmt.Errorf("no client certificate for etcd: %w", errors.Join(problems...))
}

func load(d *disk.Disk, name string, now time.Time) (tls.Certificate, error) {
	entry, _ := pki.Kubeadm.Lookup(name)
	cert, _, err := d.Read(entry.Path, pki.MaxFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, _, err := d.Read(entry.KeyPath, pki.MaxFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	if leaf := pair.Leaf; now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return tls.Certificate{}, fmt.Errorf("not valid now, only from %s until %s",
			leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return pair, nil
}
