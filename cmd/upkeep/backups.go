package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/etcd/drill"
	"upkeep/providers/facts"
	"upkeep/providers/kube"
	"upkeep/providers/node/protocol"
)

// backupTools hands the backup operations what they act with.
func backupTools(env environment, cluster *config.Cluster, nodes *nodes, stores stores, look func(context.Context, providers.Step) (providers.Input, error), remember func(context.Context, facts.Address, func(json.RawMessage) (json.RawMessage, error)) error) backup.Tools {
	return backup.Tools{
		Provider: func(ctx context.Context) (map[string][]byte, map[string]string) { return providerObjects(ctx, cluster) },
		Look:     look, Spec: stores.spec, Store: stores.open,
		Etcd:  nodes.member,
		Cold:  nodes.cold,
		Files: nodes.files, SQLite: nodes.sqlite, Drill: drillOptions, Here: here, Remember: remember, Version: version, Now: env.now,
	}
}

// providerObjects reads the objects of the cluster's Akash provider; none where there is no such provider.
func providerObjects(ctx context.Context, cluster *config.Cluster) (objects map[string][]byte, failed map[string]string) {
	if cluster == nil {
		return nil, nil
	}
	client, err := kube.Open(cluster.Kubeconfig, cluster.Context)
	if err != nil {
		return nil, map[string]string{"objects of an Akash provider": err.Error()}
	}
	found, failed := client.ExportProvider(ctx)
	objects = make(map[string][]byte, len(found))
	for _, e := range found {
		objects[e.Name] = e.Data
	}
	return objects, failed
}

// tunnel opens a tunnel to a service of a node by the node's name.
func (n *nodes) tunnel(ctx context.Context, name, service string) (net.Conn, error) {
	c, ok := n.byName[name]
	if !ok {
		return nil, fmt.Errorf("%s is not a node of this configuration", name)
	}
	return n.client.Tunnel(ctx, n.target(c), service)
}

// cold streams the data directory of a node's stopped member of etcd.
func (n *nodes) cold(ctx context.Context, name string) (io.ReadCloser, error) {
	c, ok := n.byName[name]
	if !ok {
		return nil, fmt.Errorf("%s is not a node of this configuration", name)
	}
	return n.client.Cold(ctx, n.target(c))
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

// sqlite streams the database of a node's k3s server.
func (n *nodes) sqlite(ctx context.Context, name string) (io.ReadCloser, error) {
	conn, err := n.tunnel(ctx, name, protocol.ServiceSQLite)
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

// drillOptions finds the child that restores snapshots: it lies beside upkeep, or where the helpers do.
func drillOptions() (drill.Options, error) {
	directory, err := helperDirectory()
	if err != nil {
		return drill.Options{}, err
	}
	program, err := drill.Program(directory)
	return drill.Options{Program: program}, err
}

// sweepWorkshops removes what a drill left behind, in the clear, whose process was killed. What cannot be removed is said, and
// keeps nothing from going on.
func sweepWorkshops(env environment, desired config.Desired) {
	declared := func(resource providers.Resource) bool { _, ok := resource.(backup.Spec); return ok }
	if !slices.ContainsFunc(resourcesOf(desired), declared) {
		return
	}
	if err := backup.Sweep(""); err != nil {
		fmt.Fprintf(env.stderr, "warning: %v\n", err)
	}
}

// here reports whether upkeep runs on a node.
func here(n facts.Node) bool {
	id, err := os.ReadFile("/etc/machine-id")
	return err == nil && n.System.MachineID != "" && strings.TrimSpace(string(id)) == n.System.MachineID
}
