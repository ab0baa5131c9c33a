// Package etcdtunnel opens a connection to the node's own etcd member, or to an etcd that the operator's configuration
// names, in which TLS ends here, on the node: the caller speaks plain HTTP/2 into it, and etcd's client key never leaves
// the node.
package etcdtunnel

import (
	"context"
	"fmt"
	"net"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
)

// Service is the name by which the tunnel is asked for.
const Service = protocol.ServiceEtcd

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
	conn, err := at.dial(ctx, d, now)
	if err != nil {
		return nil, fmt.Errorf("etcd tunnel: %w", err)
	}
	return conn, nil
}
