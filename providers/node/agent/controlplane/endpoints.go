package controlplane

import (
	"net"
	"net/url"
	"strings"

	"upkeep/providers/facts"
)

// APIServerAddress returns host:port of the node's own API server, and whether its manifest says so.
func APIServerAddress(pods []facts.StaticPod) (string, bool) {
	for _, p := range pods {
		if p.Component != "kube-apiserver" || p.Flags == nil {
			continue
		}
		host, port := p.Flags["advertise-address"], p.Flags["secure-port"]
		if port == "" {
			port = "6443" // kube-apiserver's own default
		}
		if host == "" {
			host = "127.0.0.1"
		}
		return net.JoinHostPort(host, port), true
	}
	return "", false
}

// EtcdClientAddress returns host:port where the node's own etcd member takes clients, and whether its manifest says so.
// Loopback is preferred: it works whatever the network does.
func EtcdClientAddress(pods []facts.StaticPod) (string, bool) {
	return etcdAddress(pods, "listen-client-urls", true)
}

// EtcdPeerAddress returns host:port where the node's own etcd member takes its peers.
func EtcdPeerAddress(pods []facts.StaticPod) (string, bool) {
	return etcdAddress(pods, "listen-peer-urls", false)
}

func etcdAddress(pods []facts.StaticPod, flag string, loopback bool) (string, bool) {
	for _, p := range pods {
		if p.Component == "etcd" {
			return Pick(p.Flags[flag], loopback)
		}
	}
	return "", false
}

// Pick chooses one of a comma-separated list of https URLs.
func Pick(list string, loopback bool) (string, bool) {
	found := ""
	for _, item := range strings.Split(list, ",") {
		u, err := url.Parse(strings.TrimSpace(item))
		if err != nil || u.Scheme != "https" || u.Port() == "" {
			continue
		}
		host := u.Hostname()
		ip := net.ParseIP(host)
		if ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
			ip = net.IPv4(127, 0, 0, 1)
		}
		address := net.JoinHostPort(host, u.Port())
		if found == "" || (loopback && ip != nil && ip.IsLoopback()) {
			found = address
		}
	}
	return found, found != ""
}
