// Package etcdtunnel opens a connection to the node's own etcd member in which TLS ends here, on the node: the caller
// speaks plain HTTP/2 into it, and etcd's client key never leaves the node.
package etcdtunnel

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"upkeep/providers/node/agent/disk"
)

// Service is the name by which the tunnel is asked for.
const Service = "etcd"

// timeout bounds connecting and the handshake: the member is on this very node.
const timeout = 5 * time.Second

// clients are the certificates that kubeadm's etcd takes from clients, the one made for looking at it first. The others
// serve when that one has ended: they may differ in age.
var clients = []string{"etcd-healthcheck-client", "apiserver-etcd-client", "etcd-server"}

// Dial connects to the node's member, where the layout of the node says that it takes clients. The server is verified
// against etcd's CA as this node has it, and must speak HTTP/2. The caller closes the connection.
func Dial(ctx context.Context, d *disk.Disk, now time.Time) (net.Conn, error) {
	at, err := find(d)
	if err != nil {
		return nil, fmt.Errorf("etcd tunnel: %w", err)
	}
	address := at.address
	roots, err := at.authorities(d)
	if err != nil {
		return nil, fmt.Errorf("etcd tunnel: %w", err)
	}
	client, err := at.client(d, now)
	if err != nil {
		return nil, fmt.Errorf("etcd tunnel: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("etcd tunnel: %w", err)
	}
	dialer := tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, // VerifyConnection does it, but for the end of the server's certificate
		VerifyConnection:   verify(roots, host),
		Certificates:       []tls.Certificate{client},
		NextProtos:         []string{"h2"}, // etcd tells gRPC from plain HTTP by it
		MinVersion:         tls.VersionTLS12,
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
