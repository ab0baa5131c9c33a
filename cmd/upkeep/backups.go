package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/etcd/drill"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// backupTools hands the backup operations what they act with.
func backupTools(env environment, nodes *nodes, stores stores, look func(context.Context, providers.Step) (providers.Input, error), remember func(context.Context, ...facts.Proof) error) backup.Tools {
	return backup.Tools{
		Look: look, Spec: stores.spec, Store: stores.open,
		Etcd:  func(ctx context.Context, name string) (net.Conn, error) { return nodes.tunnel(ctx, name, etcdService) },
		Files: nodes.files, Drill: drillOptions, Here: here, Remember: remember, Version: version, Now: env.now,
	}
}

// tunnel opens a tunnel to a service of a node by the node's name.
func (n *nodes) tunnel(ctx context.Context, name, service string) (net.Conn, error) {
	c, ok := n.byName[name]
	if !ok {
		return nil, fmt.Errorf("%s is not a node of this configuration", name)
	}
	return n.client.Tunnel(ctx, n.target(c), service)
}

// files streams files of a node as a tar archive.
func (n *nodes) files(ctx context.Context, name string, request protocol.CollectRequest) (io.ReadCloser, error) {
	line, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	conn, err := n.tunnel(ctx, name, protocol.ServiceFiles)
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

// stream is a connection that is closed when its context ends.
type stream struct {
	net.Conn
	stop func() bool
}

func (s stream) Close() error {
	s.stop()
	return s.Conn.Close()
}

// drillOptions finds the child that restores snapshots: it lies beside upkeep, or where the helpers do.
func drillOptions() (drill.Options, error) {
	directory, err := helperDirectory()
	if err != nil {
		return drill.Options{}, err
	}
	program, err := drill.Program(directory)
	return drill.Options{Program: program}, err
}

// here reports whether upkeep runs on a node.
func here(n facts.Node) bool {
	id, err := os.ReadFile("/etc/machine-id")
	return err == nil && n.System.MachineID != "" && strings.TrimSpace(string(id)) == n.System.MachineID
}
