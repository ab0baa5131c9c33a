package layout

import (
	"crypto/x509"

	"upkeep/providers/facts"
)

// The data directories of k3s and RKE2.
const (
	K3sDir  = "/var/lib/rancher/k3s"
	RKE2Dir = "/var/lib/rancher/rke2"
)

// K3s returns the layout of a k3s server, or of an agent (pkg/daemons/control/deps of k3s v1.33). The service renews
// its certificates when it starts.
func K3s(server bool) Layout {
	return rancher("k3s", K3sDir, "/etc/rancher/k3s/k3s.yaml", "k3s.service", "k3s-agent.service", server)
}

// RKE2 returns the layout of an RKE2 server, or of an agent. RKE2 is built on k3s and keeps the same files.
func RKE2(server bool) Layout {
	return rancher("rke2", RKE2Dir, "/etc/rancher/rke2/rke2.yaml", "rke2-server.service", "rke2-agent.service", server)
}

func rancher(name, dir, kubeconfig, server, agent string, isServer bool) Layout {
	agentDir := dir + "/agent"
	l := Layout{
		Name: name, Dir: agentDir, Roots: []string{dir}, Archive: []string{agentDir}, Service: agent,
		entries: []Entry{
			{Name: "agent/client-ca", Kind: facts.Authority, Path: agentDir + "/client-ca.crt"},
			{Name: "agent/server-ca", Kind: facts.Authority, Path: agentDir + "/server-ca.crt"},
			rancherLeaf(agentDir, "agent/", "client-kubelet", "agent/client-ca", x509.ExtKeyUsageClientAuth),
			optional(rancherLeaf(agentDir, "agent/", "client-kube-proxy", "agent/client-ca", x509.ExtKeyUsageClientAuth)),
			optional(rancherLeaf(agentDir, "agent/", "client-"+name+"-controller", "agent/client-ca",
				x509.ExtKeyUsageClientAuth)),
			served(rancherLeaf(agentDir, "agent/", "serving-kubelet", "agent/server-ca", x509.ExtKeyUsageServerAuth),
				10250, "kubelet"),
		},
	}
	if !isServer {
		return l
	}
	tls := dir + "/server/tls"
	ca := func(name, base string) Entry {
		return Entry{Name: name, Kind: facts.Authority, Path: tls + "/" + base + ".crt", KeyPath: tls + "/" + base + ".key"}
	}
	client := func(base string) Entry { return rancherLeaf(tls, "", base, "client-ca", x509.ExtKeyUsageClientAuth) }
	etcd := func(base, authority string, usage x509.ExtKeyUsage) Entry {
		return optional(rancherLeaf(tls, "", "etcd/"+base, authority, usage))
	}
	l.Service, l.Dir, l.Archive = server, tls, []string{tls, agentDir}
	l.Roots = append(l.Roots, "/etc/rancher/"+name)
	l.entries = append([]Entry{
		ca("client-ca", "client-ca"), ca("server-ca", "server-ca"), ca("request-header-ca", "request-header-ca"),
		optional(ca("etcd/server-ca", "etcd/server-ca")), optional(ca("etcd/peer-ca", "etcd/peer-ca")),
		{
			// The certificate that the service serves to everybody, as a Secret in JSON.
			Name: DynamicCertificate, Kind: facts.Leaf, Path: tls + "/" + DynamicCertificate, Authority: "server-ca",
			Usage: x509.ExtKeyUsageServerAuth, Renewed: ByService, Optional: true, Port: rancherPort(name), Component: name,
		},
		client("client-admin"), rancherLeaf(tls, "", "client-auth-proxy", "request-header-ca", x509.ExtKeyUsageClientAuth),
		client("client-controller"), client("client-scheduler"), client("client-kube-apiserver"),
		optional(client("client-kube-proxy")), optional(client("client-" + name + "-controller")),
		optional(client("client-" + name + "-cloud-controller")), optional(client("client-supervisor")),
		etcd("client", "etcd/server-ca", x509.ExtKeyUsageClientAuth),
		both(etcd("server-client", "etcd/server-ca", x509.ExtKeyUsageServerAuth)),
		both(etcd("peer-server-client", "etcd/peer-ca", x509.ExtKeyUsageServerAuth)),
		// Both make a certificate of their own, which no rotation renews (rancher#41398).
		selfMade(tls, "kube-controller-manager"), selfMade(tls, "kube-scheduler"),
		rancherLeaf(tls, "", "serving-kube-apiserver", "server-ca", x509.ExtKeyUsageServerAuth),
		{
			Name: name + ".yaml", Kind: facts.Kubeconfig, Path: kubeconfig, Authority: "client-ca",
			Usage: x509.ExtKeyUsageClientAuth, Renewed: ByService, Optional: true,
		},
	}, l.entries...)
	return l
}

// DynamicCertificate is the file in which rancher's dynamiclistener keeps the certificate that it serves.
const DynamicCertificate = "dynamic-cert.json"

// Stays reports whether a start of the service may leave a certificate unchanged although the certificate has expired:
// dynamiclistener takes dynamic-cert.json first (rancher/rke2#8318), and what a component made for itself is in no
// rotation (rancher/rancher#41398). All of these are made again where they are missing.
func Stays(name string) bool {
	return name == DynamicCertificate || name == "kube-controller-manager/kube-controller-manager" ||
		name == "kube-scheduler/kube-scheduler"
}

// rancherPort is the port on which the service itself listens.
func rancherPort(name string) int {
	if name == "rke2" {
		return 9345
	}
	return 6443
}

func rancherLeaf(dir, prefix, base, ca string, usage x509.ExtKeyUsage) Entry {
	return leafOf(prefix+base, dir+"/"+base+".crt", dir+"/"+base+".key", ca, usage, ByService)
}

func selfMade(dir, component string) Entry {
	e := rancherLeaf(dir, "", component+"/"+component, "", x509.ExtKeyUsageServerAuth)
	e.Optional = true
	return e
}

func served(e Entry, port int, component string) Entry {
	e.Port, e.Component = port, component
	return e
}

func optional(e Entry) Entry {
	e.Optional = true
	return e
}

// RancherServiceKey is the key that signs the tokens of service accounts, in the directory of a server's certificates.
// k3s keeps no file with the public half; it makes that of the key.
func RancherServiceKey(dir string) string { return dir + "/service.key" }
