// Package served looks at what the TLS ports of a node really present, which is not always what is on its disk.
//
// It trusts nothing that it is shown and sends nothing but a handshake: verifying is for those who compare.
package served

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/yaml"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
	"upkeep/providers/node/agent/controlplane"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

// timeout bounds one port: it is on this very node.
const timeout = 3 * time.Second

// Collect dials the ports of the control plane at the addresses in its manifests, and the kubelet's, all at once.
func Collect(ctx context.Context, d *disk.Disk, pods []facts.StaticPod) []facts.Served {
	type target struct {
		served facts.Served
		client *tls.Certificate
	}
	var targets []target
	l, err := pki.Find(d, "auto")
	if err != nil {
		return nil
	}
	add := func(name, address string, client *tls.Certificate) {
		entry, ok := l.Lookup(name)
		if ok && address != "" {
			targets = append(targets, target{facts.Served{Name: name, Component: entry.Component, Address: address}, client})
		}
	}
	if address, ok := controlplane.APIServerAddress(pods); ok {
		add("apiserver", address, nil)
	}
	// etcd logs every client that shows no certificate; show it the one that its probes use, where it is whole.
	client := etcdClient(d, l.Layout)
	if address, ok := controlplane.EtcdClientAddress(pods); ok {
		add("etcd-server", address, client)
	}
	if address, ok := controlplane.EtcdPeerAddress(pods); ok {
		add("etcd-peer", address, client)
	}
	if l.Etcd != "" {
		// The member runs as a service, whose environment says where it listens.
		if text, _, err := d.Read(layout.EtcdEnv, pki.MaxFile); err == nil {
			env := layout.ParseEnv(text)
			if address, ok := controlplane.Pick(env["ETCD_LISTEN_CLIENT_URLS"], true); ok {
				add("etcd-member", address, client)
			}
			if address, ok := controlplane.Pick(env["ETCD_LISTEN_PEER_URLS"], false); ok {
				add("etcd-member", address, client)
			}
		}
	}
	if l.Service != "" && l.ControlPlane {
		if e, ok := l.Lookup(layout.DynamicCertificate); ok && d.Exists(e.Path) {
			add(layout.DynamicCertificate, net.JoinHostPort("127.0.0.1", strconv.Itoa(e.Port)), nil)
		}
	}
	if address := kubeletAddress(d); address != "" {
		if _, ok := l.Lookup("kubelet-server"); ok {
			add("kubelet-server", address, nil)
		} else {
			add("agent/serving-kubelet", address, nil)
		}
	}
	var wg sync.WaitGroup
	found := make([]facts.Served, len(targets))
	for i, t := range targets {
		wg.Go(func() {
			found[i] = t.served
			leaf, err := Leaf(ctx, t.served.Address, t.client)
			if err != nil {
				found[i].Unknown = err.Error()
				return
			}
			found[i].Serial, found[i].SHA256, found[i].NotAfter = pki.Serial(leaf), pki.Fingerprint(leaf), leaf.NotAfter.UTC()
		})
	}
	wg.Wait()
	slices.SortStableFunc(found, func(a, b facts.Served) int { return port(a.Address) - port(b.Address) })
	return found
}

// Leaf returns the certificate that the TLS server at host:port presents. The server's certificate comes before it may
// refuse the client's, so that a server which wants a better client certificate, or any, still answers.
func Leaf(ctx context.Context, address string, client *tls.Certificate) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	defer raw.Close()
	var leaf *x509.Certificate
	config := &tls.Config{
		// Nothing is sent over this connection, and what is presented is compared with the disk, not trusted.
		InsecureSkipVerify: true,
		// So there is nothing to keep from a quantum computer either, whose key exchange costs more than all else here.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) (err error) {
			if len(chain) == 0 {
				return errors.New("it presents no certificate")
			}
			leaf, err = x509.ParseCertificate(chain[0])
			return err
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if client == nil {
				return &tls.Certificate{}, nil
			}
			return client, nil
		},
	}
	conn := tls.Client(raw, config)
	err = conn.HandshakeContext(ctx)
	if leaf != nil {
		return leaf, nil
	}
	if err == nil {
		err = errors.New("it presents no certificate")
	}
	return nil, fmt.Errorf("TLS with %s: %w", address, err)
}

// etcdClient returns the certificate that etcd's probes use, or nil where it is not whole.
func etcdClient(d *disk.Disk, l layout.Layout) *tls.Certificate {
	entry, ok := l.Lookup("etcd-healthcheck-client")
	if !ok {
		entry, _ = l.Lookup("etcd-admin")
	}
	cert, _, err := d.Read(entry.Path, pki.MaxFile)
	if err != nil {
		return nil
	}
	key, _, err := d.Read(entry.KeyPath, pki.MaxFile)
	if err != nil {
		return nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil
	}
	return &pair
}

// kubeletAddress returns where the kubelet of this node serves; empty on a machine without one, or without its port.
func kubeletAddress(d *disk.Disk) string {
	if !d.Exists(layout.KubeletDir) {
		return ""
	}
	config := struct {
		Address string `json:"address"`
		Port    *int   `json:"port"`
	}{}
	if text, _, err := d.Read(layout.KubeletDir+"/config.yaml", pki.MaxFile); err == nil {
		// A config that cannot be read is the kubelet's to complain about; its defaults are the best guess left.
		_ = yaml.Unmarshal(text, &config)
	}
	// KubeletConfiguration v1beta1: address 0.0.0.0 and port 10250 by default; port 0 disables it.
	host, number := config.Address, 10250
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if config.Port != nil {
		number = *config.Port
	}
	if number <= 0 || number > 65535 {
		return ""
	}
	return net.JoinHostPort(host, strconv.Itoa(number))
}

func port(address string) int {
	_, p, _ := strings.Cut(address[strings.LastIndex(address, "]")+1:], ":")
	n, _ := strconv.Atoi(p)
	return n
}
