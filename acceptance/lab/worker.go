package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Workers are the names of the hosts that can join the cluster as workers: g1, g2, g3.
func Workers() []string {
	var names []string
	for _, n := range workers {
		names = append(names, n.Name)
	}
	return names
}

// WorkerAddress is the address of a worker.
func WorkerAddress(name string) (string, error) {
	n, err := findWorker(name)
	return n.IP, err
}

// workerLimit bounds how long a worker needs from its boot until it is Ready.
const workerLimit = 3 * time.Minute

// AddWorker boots a host, before prepares it, and has its kubelet join the cluster as a worker. It returns when the node
// is Ready. What an earlier run left of the host is removed first. before may be nil.
func (l *Lab) AddWorker(ctx context.Context, name string, before func(context.Context) error) error {
	n, err := findWorker(name)
	if err != nil {
		return err
	}
	if err := l.RemoveWorker(ctx, name); err != nil {
		return err
	}
	if err := l.cache.makeKeys(ctx); err != nil {
		return err
	}
	if err := l.start(ctx, n); err != nil {
		return err
	}
	if before != nil {
		if err := before(ctx); err != nil {
			return err
		}
	}
	if _, err := l.SSH(ctx, name, importImages); err != nil {
		return err
	}
	j := newJoining()
	j.certificateKey = ""
	ca, err := l.SSH(ctx, controlPlanes[0].Name, "cat /etc/kubernetes/pki/ca.crt")
	if err != nil {
		return err
	}
	if j.caHash, err = publicKeyHash(ca); err != nil {
		return err
	}
	// The token is a secret: it goes in by standard input.
	const token = `read -r t; kubeadm token create "$t" --ttl 10m >/dev/null`
	if _, err := l.SSHInput(ctx, controlPlanes[0].Name, token, j.token+"\n"); err != nil {
		return err
	}
	configuration, err := joinConfig(n, j)
	if err != nil {
		return err
	}
	if err := l.kubeadm(ctx, n, configuration, "join"); err != nil {
		return err
	}
	return l.WorkerReady(ctx, name)
}

// WorkerReady waits until the cluster calls a worker Ready.
func (l *Lab) WorkerReady(ctx context.Context, name string) error {
	config, err := l.ClientTLS()
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	api := apiClient{http: &http.Client{Transport: transport, Timeout: 5 * time.Second}}
	return until(ctx, workerLimit, 500*time.Millisecond, name+" to be Ready", func(ctx context.Context) error {
		var node struct {
			Status struct {
				Conditions []condition `json:"conditions"`
			} `json:"status"`
		}
		if err := api.get(ctx, l.APIServers()[0], "/api/v1/nodes/"+name, &node); err != nil {
			return err
		}
		for _, c := range node.Status.Conditions {
			if c.Type == "Ready" && c.Status == "True" {
				return nil
			}
		}
		return fmt.Errorf("%s is not Ready", name)
	})
}

// RemoveWorker takes a worker out of the cluster and removes its host and its files. One that is not there is no error.
func (l *Lab) RemoveWorker(ctx context.Context, name string) error {
	n, err := findWorker(name)
	if err != nil {
		return err
	}
	_, gone := l.SSH(ctx, controlPlanes[0].Name,
		"kubectl --kubeconfig /etc/kubernetes/admin.conf delete node "+name+" --ignore-not-found --timeout=60s")
	if err := errors.Join(gone, l.cache.remove(ctx, n)); err != nil {
		return err
	}
	if err := unmount(l.cache.dir(n, "root")); err != nil {
		return err
	}
	return l.cache.empty(n)
}

func findWorker(name string) (Node, error) {
	for _, n := range workers {
		if n.Name == name {
			return n, nil
		}
	}
	return Node{}, fmt.Errorf("the lab has no worker %q; its workers are %s", name, strings.Join(Workers(), ", "))
}
