package certificates

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// ruleConfiguration is the consent for a kubeadm configuration that nobody but a person can vouch for.
const ruleConfiguration = "cluster_configuration"

// found is the cluster's kubeadm configuration, and where it comes from.
type found struct {
	text, from string
	// doubts are what a person must agree to before the configuration is used.
	doubts []string
}

// configurationOf returns the cluster's own kubeadm configuration: from the API, else from etcd, else from a file on a
// node that agrees with what the node's certificates and manifests say, else put together from these alone. The last
// one needs a person's word, with every value, and so do members of etcd that do not agree.
func configurationOf(in providers.Input) found {
	k := &in.World.Kubernetes
	if strings.TrimSpace(k.ClusterConfiguration) != "" {
		return found{k.ClusterConfiguration, k.ClusterConfigurationFrom, k.ClusterConfigurationDoubts}
	}
	if k.Unknown == "" || expiredAnywhere(in) == nil {
		return found{}
	}
	made := reconstructed(in)
	if made.text == "" {
		return found{}
	}
	for _, f := range k.ClusterConfigurationFiles {
		if why := contradicts(f.Text, made.text); why == "" {
			return found{text: f.Text, from: f.Node + ":" + f.Path}
		}
	}
	return made
}

// expiredAnywhere returns the first node on which certificates have expired; nil where there is none.
func expiredAnywhere(in providers.Input) *facts.Node {
	for _, node := range in.Inventory.Nodes {
		if n := in.World.Nodes[node.Name]; n != nil && n.Unknown == "" && expiredOf(n, in.Clock()) != nil {
			return n
		}
	}
	return nil
}

// contradicts says where a configuration differs from what certificates and manifests say; empty where they agree.
func contradicts(text, made string) string {
	p, err := readPolicy(text)
	if err != nil {
		return err.Error()
	}
	live, err := readPolicy(made)
	if err != nil {
		return err.Error()
	}
	named, err := readNames(text)
	if err != nil {
		return err.Error()
	}
	seen, _ := readNames(made)
	switch {
	case p.externalEtcd != live.externalEtcd:
		return "it says another place for etcd"
	case p.validity != live.validity:
		return fmt.Sprintf("it says that certificates live %s, and the node's lived %s",
			span(p.validity), span(live.validity))
	case cmp.Or(p.algorithm, defaultAlgorithm) != cmp.Or(live.algorithm, defaultAlgorithm):
		return fmt.Sprintf("it says keys of type %s, and the node's are %s", p.algorithm, live.algorithm)
	case minor(named.version) != minor(seen.version):
		return fmt.Sprintf("it says Kubernetes %s, and the node runs %s", named.version, seen.version)
	case named.endpoint != "" && seen.endpoint != "" && named.endpoint != seen.endpoint:
		return fmt.Sprintf("it says the endpoint %s, and the node's kubeconfigs say %s", named.endpoint, seen.endpoint)
	case named.domain != seen.domain:
		return fmt.Sprintf("it says the domain %s, and the node's certificate says %s", named.domain, seen.domain)
	}
	return ""
}

// minor returns the major and minor version of "v1.35.4".
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(len(parts), 2)], ".")
}

// reconstructed puts a configuration together from what lies on the first control plane that answers. kubeadm takes
// subjects and names of a renewed certificate from the old one, so only what follows here matters to it.
func reconstructed(in providers.Input) found {
	n := expiredAnywhere(in)
	if n == nil {
		return found{}
	}
	server, apiserver := staticPod(&n.ControlPlane, apiServer), file(&n.Certificates, "apiserver")
	if server == nil || server.Unknown != "" || apiserver == nil || len(apiserver.Blocks) == 0 {
		return found{}
	}
	tag := server.Image[strings.LastIndex(server.Image, ":")+1:]
	version, _, _ := strings.Cut(tag, "@")
	leaf := &apiserver.Blocks[0]
	life := lifeOf(n, leaf)
	if !strings.HasPrefix(version, "v1.") || life == 0 {
		return found{}
	}
	out := found{from: "the manifests and certificates of " + n.Name}
	lines := []string{"apiVersion: kubeadm.k8s.io/v1beta4"}
	add := func(key, value, of string) {
		lines = append(lines, key+": "+value)
		out.doubts = append(out.doubts, fmt.Sprintf("%s is %s (%s)", key, value, of))
	}
	if beforeBeta4(version) {
		lines[0] = "apiVersion: kubeadm.k8s.io/v1beta3"
		out.doubts = append(out.doubts,
			fmt.Sprintf("certificates live %s (that is what kubeadm %s issues)", span(defaultValidity), version))
	} else {
		add("certificateValidityPeriod", life.String(), "the old apiserver.crt lived so long")
		if leaf.Algorithm != "" {
			add("encryptionAlgorithm", leaf.Algorithm, "the key of apiserver.crt")
		}
	}
	lines = append(lines, "certificatesDir: "+cmp.Or(n.Certificates.Dir, "/etc/kubernetes/pki"))
	if endpoint := endpointOf(n); endpoint != "" {
		add("controlPlaneEndpoint", endpoint, "the server of admin.conf")
	}
	etcd := staticPod(&n.ControlPlane, etcdServer)
	switch servers := server.Flags["etcd-servers"]; {
	case etcd != nil && etcd.Unknown == "":
		lines = append(lines, "etcd:", "  local:", "    dataDir: "+cmp.Or(etcd.Flags["data-dir"], "/var/lib/etcd"))
		out.doubts = append(out.doubts, "etcd runs on the control planes (its manifest)")
	case file(&n.Certificates, etcdMember) != nil && servers != "":
		lines = append(lines, "etcd:", "  external:")
		for _, flag := range []struct{ key, name string }{
			{"caFile", "etcd-cafile"}, {"certFile", "etcd-certfile"}, {"keyFile", "etcd-keyfile"},
		} {
			lines = append(lines, "    "+flag.key+": "+server.Flags[flag.name])
		}
		lines = append(lines, "    endpoints:")
		for _, endpoint := range strings.Split(servers, ",") {
			lines = append(lines, "    - "+endpoint)
		}
		out.doubts = append(out.doubts, "etcd is a service of the hosts, at "+servers+" (the flags of kube-apiserver)")
	default:
		return found{} // of an etcd elsewhere the manifests do not say enough
	}
	lines = append(lines, "kind: ClusterConfiguration")
	add("kubernetesVersion", version, "the image of kube-apiserver")
	const service = "kubernetes.default.svc."
	for _, name := range leaf.DNSNames {
		if domain, ok := strings.CutPrefix(name, service); ok {
			lines = append(lines, "networking:", "  dnsDomain: "+domain)
			out.doubts = append(out.doubts, "dnsDomain is "+domain+" (apiserver.crt)")
			break
		}
	}
	for _, line := range lines {
		if strings.ContainsAny(line, "\n\r\t{}[]#&*!|>'\"%@`") {
			return found{} // a node may write anything into its manifests
		}
	}
	out.text = strings.Join(lines, "\n") + "\n"
	return out
}

// lifeOf returns how long a leaf was issued for; zero where it cannot be told. Older releases of kubeadm date a
// certificate back to the beginning of its authority, and issued every one for a year.
func lifeOf(n *facts.Node, leaf *facts.Certificate) time.Duration {
	if ca := file(&n.Certificates, "ca"); ca != nil && len(ca.Blocks) > 0 && ca.Blocks[0].NotBefore.Equal(leaf.NotBefore) {
		return defaultValidity
	}
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	return max((life - backdate).Round(time.Minute), 0)
}

// beforeBeta4 reports whether a release has no v1beta4 of the configuration, and so no period of its own.
func beforeBeta4(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "v%d.%d", &major, &minor)
	return err == nil && major == 1 && minor < 31
}

// endpointOf returns the address that clients use, where it is not the node's own.
func endpointOf(n *facts.Node) string {
	admin, server := file(&n.Certificates, adminConf), staticPod(&n.ControlPlane, apiServer)
	if admin == nil || server == nil {
		return ""
	}
	endpoint := strings.TrimSuffix(strings.TrimPrefix(admin.Server, "https://"), "/")
	if own := server.Flags["advertise-address"]; endpoint == "" || own != "" && strings.HasPrefix(endpoint, own+":") {
		return ""
	}
	return endpoint
}

// consent asks for a person's word where the configuration is not the cluster's own beyond doubt.
func (r *review) consent(s *providers.Step) {
	if len(r.found.doubts) == 0 {
		return
	}
	s.Consents = append(s.Consents, providers.Consent{
		Rule: ruleConfiguration,
		Demands: "the kubeadm configuration is the cluster's own; here it is from " + r.found.from + ": " +
			strings.Join(r.found.doubts, "; "),
	})
}

// samePolicy reports whether two configurations say the same of the certificates that kubeadm issues.
func samePolicy(in providers.Input, a, b string) bool {
	one, err := policyOf(in, a)
	if err != nil {
		return false
	}
	other, err := policyOf(in, b)
	one.algorithm, other.algorithm = cmp.Or(one.algorithm, defaultAlgorithm), cmp.Or(other.algorithm, defaultAlgorithm)
	return err == nil && one == other
}
