package etcdtunnel

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"time"

	"upkeep/providers/node/agent/controlplane"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

// place is where a node's member takes clients, and what it takes them with.
type place struct {
	address string
	// own: the address is this node's own. A server there is taken by its authority alone where its certificate lacks the
	// address: etcd is healthy then, and the name that is missing is reported where certificates are.
	own bool
	// roots is the file of etcd's authority, rootsKey that of its key; pairs are certificate and key of clients, the best
	// first.
	roots, rootsKey string
	pairs           []pair
}

type pair struct{ name, cert, key string }

// envFile is where kubespray keeps the settings of the etcd that systemd runs (roles/etcd/templates/etcd.env.j2).
const envFile = "/etc/etcd.env"

// k3s keeps etcd's keys here, and its member always takes clients on loopback (k3s v1.30, pkg/daemons/control/deps).
const k3s = "/var/lib/rancher/k3s/server/tls/etcd/"

// find looks for the node's member: a static pod of kubeadm, kubespray's unit, k3s's own.
func find(d *disk.Disk) (place, error) {
	if address, ok := controlplane.EtcdClientAddress(controlplane.StaticPods(d)); ok {
		p := place{address: address, own: true}
		l, err := pki.Find(d, "kubeadm")
		if err != nil {
			return place{}, err
		}
		ca, _ := l.Lookup("etcd-ca")
		p.roots, p.rootsKey = ca.Path, ca.KeyPath
		for _, name := range clients {
			entry, _ := l.Lookup(name)
			p.pairs = append(p.pairs, pair{name, entry.Path, entry.KeyPath})
		}
		return p, nil
	}
	text, _, err := d.Read(envFile, pki.MaxFile)
	switch {
	case err == nil:
		return fromEnvironment(text)
	case !errors.Is(err, fs.ErrNotExist):
		return place{}, err
	}
	if d.Exists(k3s + "client.crt") {
		return place{
			address: "127.0.0.1:2379", own: true, roots: k3s + "server-ca.crt", rootsKey: k3s + "server-ca.key",
			pairs: []pair{{"client", k3s + "client.crt", k3s + "client.key"}},
		}, nil
	}
	return place{}, errors.New("no etcd manifest, no " + envFile + " and no etcd of k3s on this node says where it takes clients")
}

// fromEnvironment reads kubespray's file: lines of NAME=VALUE.
func fromEnvironment(text []byte) (place, error) {
	value := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		name, v, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if ok && !strings.HasPrefix(name, "#") {
			value[strings.TrimSpace(name)] = strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	p := place{own: true}
	for _, list := range []string{value["ETCD_LISTEN_CLIENT_URLS"], value["ETCD_ADVERTISE_CLIENT_URLS"]} {
		for _, item := range strings.Split(list, ",") {
			u, err := url.Parse(strings.TrimSpace(item))
			if err != nil || u.Scheme != "https" || u.Port() == "" {
				continue
			}
			host := u.Hostname()
			if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
				host = "127.0.0.1"
			}
			if p.address == "" || strings.HasPrefix(host, "127.") {
				p.address = net.JoinHostPort(host, u.Port())
			}
		}
	}
	for _, name := range []string{"ETCDCTL_CACERT", "ETCDCTL_CA_FILE", "ETCD_TRUSTED_CA_FILE"} {
		if p.roots == "" {
			p.roots = value[name]
		}
	}
	for _, names := range [][2]string{{"ETCDCTL_CERT", "ETCDCTL_KEY"}, {"ETCDCTL_CERT_FILE", "ETCDCTL_KEY_FILE"}, {"ETCD_CERT_FILE", "ETCD_KEY_FILE"}} {
		if cert, key := value[names[0]], value[names[1]]; cert != "" && key != "" {
			p.pairs = append(p.pairs, pair{names[0], cert, key})
		}
	}
	if ca, pem := strings.CutSuffix(p.roots, ".pem"); pem {
		p.rootsKey = ca + "-key.pem" // kubespray's name for it; on the first member alone
	}
	if p.address == "" || p.roots == "" || len(p.pairs) == 0 {
		return place{}, errors.New(envFile + " does not say where etcd takes clients, by which authority and with which certificate")
	}
	return p, nil
}

func (p place) authorities(d *disk.Disk) (*x509.CertPool, error) {
	text, _, err := d.Read(p.roots, pki.MaxFile)
	if err != nil {
		return nil, err
	}
	certs, err := pki.ParseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.roots, err)
	}
	roots := x509.NewCertPool()
	for _, cert := range certs {
		roots.AddCert(cert)
	}
	return roots, nil
}

// client returns the first client certificate that is whole and valid now, else one that is minted for this connection.
func (p place) client(d *disk.Disk, now time.Time) (tls.Certificate, error) {
	var problems []error
	for _, at := range p.pairs {
		found, err := at.load(d, now)
		if err == nil {
			return found, nil
		}
		problems = append(problems, fmt.Errorf("%s: %w", at.name, err))
	}
	minted, err := p.mint(d, now, mintedLife)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("no client certificate for etcd: %w", errors.Join(append(problems, fmt.Errorf("none can be minted: %w", err))...))
	}
	return minted, nil
}

func (at pair) load(d *disk.Disk, now time.Time) (tls.Certificate, error) {
	cert, _, err := d.Read(at.cert, pki.MaxFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, _, err := d.Read(at.key, pki.MaxFile)
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
