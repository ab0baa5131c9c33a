package wiring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"

	"upkeep/providers/node/protocol"
)

// Tunnel opens a tunnel to a service of a node by the node's name.
func (n *Nodes) Tunnel(ctx context.Context, name, service string) (net.Conn, error) {
	target, err := n.target(name)
	if err != nil {
		return nil, err
	}
	return n.client.Tunnel(ctx, target, service)
}

// Member connects to a member of etcd by the name of the node that runs it, or by the endpoint that it was found at.
func (n *Nodes) Member(ctx context.Context, name string) (net.Conn, error) {
	elsewhere := false
	for _, e := range n.endpoints {
		elsewhere = elsewhere || e.URL == name
	}
	if !elsewhere {
		return n.Tunnel(ctx, name, etcdService)
	}
	failed := []error{fmt.Errorf("no node through which %s is reached gave a connection", name)}
	for _, r := range n.resolve().routes[name] {
		conn, err := n.Reach(ctx, r.node, r.endpoint)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

// Cold streams the data directory of a node's stopped member of etcd.
func (n *Nodes) Cold(ctx context.Context, name string) (io.ReadCloser, error) {
	target, err := n.target(name)
	if err != nil {
		return nil, err
	}
	return n.client.Cold(ctx, target)
}

// Files streams files of a node as a tar archive.
func (n *Nodes) Files(ctx context.Context, name string, request protocol.CollectRequest) (io.ReadCloser, error) {
	line, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	conn, err := n.Tunnel(ctx, name, protocol.ServiceFiles)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	if _, err := conn.Write(append(line, '\n')); err != nil {
		stop()
		conn.Close()
		return nil, err
	}
	return stream{conn, stop}, nil
}

// SQLite streams the database of a node's k3s server.
func (n *Nodes) SQLite(ctx context.Context, name string) (io.ReadCloser, error) {
	conn, err := n.Tunnel(ctx, name, protocol.ServiceSQLite)
	if err != nil {
		return nil, err
	}
	return stream{conn, context.AfterFunc(ctx, func() { conn.Close() })}, nil
}

// stream is a connection that is closed when its context ends.
type stream struct {
	net.Conn
	stop func() bool
}

func (s stream) Close() error {
	s.stop()
	return s.Conn.Close()
}
