package certificates

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/strict"
)

// names are what a ClusterConfiguration says of the subject alternative names of certificates.
type names struct {
	// endpoint is the host that clients use; empty where there is none.
	endpoint string
	// service is the first address of the services' network, which the API server has inside the cluster.
	service string
	domain  string // of the cluster: "cluster.local"
	version string // of Kubernetes: "v1.35.4"
	// Those that somebody declared, beside the usual ones.
	apiServer, etcdServer, etcdPeer []string
}

// defaultSubnet and defaultDomain are kubeadm's where the configuration leaves them out (kubeadm v1beta4,
// defaults.go).
const (
	defaultSubnet = "10.96.0.0/12"
	defaultDomain = "cluster.local"
)

// readNames reads a ClusterConfiguration.
func readNames(configuration string) (names, error) {
	var c struct {
		Endpoint   string `json:"controlPlaneEndpoint"`
		Version    string `json:"kubernetesVersion"`
		Networking struct {
			Subnet string `json:"serviceSubnet"`
			Domain string `json:"dnsDomain"`
		} `json:"networking"`
		APIServer struct {
			SANs []string `json:"certSANs"`
		} `json:"apiServer"`
		Etcd struct {
			Local struct {
				Server []string `json:"serverCertSANs"`
				Peer   []string `json:"peerCertSANs"`
			} `json:"local"`
		} `json:"etcd"`
	}
	if err := strict.YAML([]byte(configuration), &c); err != nil {
		return names{}, fmt.Errorf("the ClusterConfiguration cannot be read: %w", err)
	}
	n := names{
		domain: c.Networking.Domain, version: c.Version,
		apiServer: c.APIServer.SANs, etcdServer: c.Etcd.Local.Server, etcdPeer: c.Etcd.Local.Peer,
	}
	if n.domain == "" {
		n.domain = defaultDomain
	}
	if n.endpoint = c.Endpoint; n.endpoint != "" {
		if _, err := netip.ParseAddr(n.endpoint); err != nil { // an address alone has colons of its own
			n.endpoint = (&url.URL{Host: n.endpoint}).Hostname()
		}
	}
	subnet, _, _ := strings.Cut(c.Networking.Subnet, ",")
	if subnet == "" {
		subnet = defaultSubnet
	}
	if prefix, err := netip.ParsePrefix(strings.TrimSpace(subnet)); err == nil {
		n.service = prefix.Masked().Addr().Next().String()
	}
	return n, nil
}

// missingNames are the names that a serving certificate must have and has not, as kubeadm would write them (kubeadm
// v1.36, cmd/kubeadm/app/util/pkiutil: GetAPIServerAltNames, GetEtcdAltNames, GetEtcdPeerAltNames). A node has
// several addresses, and one of those that Kubernetes or etcd knows is enough: which of them kubeadm took is not
// written anywhere.
func (r *review) missingNames(node *facts.Node, name string, leaf *facts.Certificate) (missing []string) {
	host, addresses := r.nodeNames(node)
	var needs []string
	switch name {
	case "apiserver":
		const service = "kubernetes.default.svc"
		needs = append([]string{
			"kubernetes", "kubernetes.default", service, service + "." + r.names.domain, host, r.names.endpoint, r.names.service,
		}, r.names.apiServer...)
	case "etcd-server":
		needs = append([]string{"localhost", "127.0.0.1", host}, r.names.etcdServer...)
		addresses = append(addresses, r.memberAddresses(node.Name, func(m *facts.Member) []string { return m.ClientURLs })...)
	case etcdMember: // serves clients and peers
		needs = []string{"localhost", "127.0.0.1"}
		addresses = append(addresses, r.memberAddresses(node.Name, func(m *facts.Member) []string {
			return slices.Concat(m.ClientURLs, m.PeerURLs)
		})...)
	case "etcd-peer":
		needs = append([]string{"localhost", "127.0.0.1", host}, r.names.etcdPeer...)
		addresses = append(addresses, r.memberAddresses(node.Name, func(m *facts.Member) []string { return m.PeerURLs })...)
	case "serving-kube-apiserver": // genServerCerts of k3s; the cluster's domain is not known here
		needs, addresses = []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost", "127.0.0.1"}, nil
	case "etcd/server-client", "etcd/peer-server-client":
		needs, addresses = []string{"localhost", "127.0.0.1"}, nil
	case "agent/serving-kubelet":
		needs, addresses = []string{"localhost", "127.0.0.1", host}, nil
	default:
		return nil
	}
	for _, need := range needs {
		if need != "" && !slices.Contains(missing, need) && !covers(leaf, need) {
			missing = append(missing, need)
		}
	}
	if len(addresses) > 0 && !slices.Contains(missing, addresses[0]) && !slices.ContainsFunc(addresses, func(a string) bool { return covers(leaf, a) }) {
		missing = append(missing, addresses[0])
	}
	return missing
}

// nodeNames returns the name and the addresses that Kubernetes knows a node by. Of a node that it does not know
// nothing is asked.
func (r *review) nodeNames(node *facts.Node) (name string, addresses []string) {
	known, ok := r.kubernetesNodes()[node.Name]
	if !ok {
		return "", nil
	}
	for _, kind := range []string{"InternalIP", "ExternalIP"} {
		if a := known.Addresses[kind]; a != "" {
			addresses = append(addresses, a)
		}
	}
	return known.Name, addresses
}

// kubernetesNodes are the nodes of the inventory as Kubernetes knows them, by their names here.
func (r *review) kubernetesNodes() map[string]facts.KubernetesNode {
	if r.known == nil {
		r.known = map[string]facts.KubernetesNode{}
		find := r.in.Inventory.Finder()
		for _, k := range r.in.World.Kubernetes.Nodes {
			if node, ok := find(k); ok {
				r.known[node.Name] = k
			}
		}
	}
	return r.known
}

// memberAddresses are the addresses that the etcd member of a node advertises.
func (r *review) memberAddresses(node string, urls func(*facts.Member) []string) (out []string) {
	for _, m := range r.members[node] {
		if m.Node != node { // one that is known by its own name alone
			continue
		}
		for _, text := range urls(m) {
			if u, err := url.Parse(text); err == nil && u.Hostname() != "" && u.Hostname() != "127.0.0.1" {
				out = append(out, u.Hostname())
			}
		}
	}
	return out
}

// covers reports whether a certificate is good for a host. Wildcards count in the first label alone (RFC 6125,
// 6.4.3).
func covers(leaf *facts.Certificate, host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return slices.ContainsFunc(leaf.IPAddresses, func(s string) bool {
			a, err := netip.ParseAddr(s)
			return err == nil && a.Unmap() == ip.Unmap()
		})
	}
	return slices.ContainsFunc(leaf.DNSNames, func(s string) bool {
		if strings.EqualFold(s, host) {
			return true
		}
		_, rest, dotted := strings.Cut(host, ".")
		wild, isWild := strings.CutPrefix(s, "*.")
		return dotted && isWild && strings.EqualFold(wild, rest)
	})
}

// reviewNames reports the names that a serving certificate lacks.
func (r *review) reviewNames(w *work, f *facts.CertificateFile) string {
	if r.policyUnknown != "" || r.policy.externalEtcd && ofEtcd(f.Name) {
		return ""
	}
	missing := r.missingNames(w.node, f.Name, &f.Blocks[0])
	if len(missing) == 0 {
		return ""
	}
	summary := fmt.Sprintf("is not valid for %s", strings.Join(missing, ", "))
	hint := "a renewal does not change the names: set repair_sans = true, or move " + f.Path + " and its key away " +
		"and run `kubeadm init phase certs " + f.Name + " --config FILE` with the cluster's own configuration"
	switch {
	case rancher(w.node):
		hint = r.reissueOn(w, f)
	case byAuthority(f.Name):
		hint = "a renewal does not change the names: run kubespray's cluster.yml with --tags etcd"
	case r.spec.RepairSANs && r.madeAnew(w, f):
		hint = ""
		if w.sans == nil {
			w.sans = map[string][]string{}
		}
		w.sans[f.Name] = missing
	}
	r.on(w.node.Name, providers.Finding{
		ID: "CERT_SAN_MISSING", Severity: providers.SeverityError, Object: f.Name, Summary: summary, Hint: hint,
	})
	return summary
}
