package akash

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// What version 16.0.0 of the chart needs in the cluster beforehand (akash.md 2.6).
const (
	gatewayNamespace = "akash-gateway"
	gatewayRelease   = "akash-gateway"
	gatewayFabric    = "nginx-gateway-fabric" // a chart, under whatever name it is installed
	firstGatewayApp  = "0.11.2"               // the oldest program that the step to 0.12.0 may start from
	firstActApp      = "0.10.7"               // the same of the step to 0.11.0, which is the one over 15.0.0
)

// gatewayKinds are the definitions of the Gateway API, with where they are from.
var gatewayKinds = []struct{ name, channel string }{
	{"gatewayclasses.gateway.networking.k8s.io", "standard"},
	{"gateways.gateway.networking.k8s.io", "standard"},
	{"httproutes.gateway.networking.k8s.io", "standard"},
	{"tcproutes.gateway.networking.k8s.io", "experimental"},
}

// gatewaySecrets hold the certificates of the gateway's listeners. That they exist is all that upkeep looks at.
var gatewaySecrets = []string{"wildcard-ingress-tls", "akash-default-tls"}

// gatewayNeeds asks for what version 16.0.0 needs.
func gatewayNeeds(needs *providers.Needs) {
	for _, kind := range gatewayKinds {
		needs.Kubernetes.Definitions = append(needs.Kubernetes.Definitions, kind.name)
	}
	for _, name := range gatewaySecrets {
		needs.Kubernetes.Secrets = append(needs.Kubernetes.Secrets, facts.SecretQuestion{Namespace: gatewayNamespace,
			Name: name})
	}
	needs.Helm.Charts = append(needs.Helm.Charts, gatewayFabric)
	needs.Kubernetes.HostPorts = append(needs.Kubernetes.HostPorts, gatewayPorts...)
	needs.Helm.Releases = append(needs.Helm.Releases, facts.ReleaseQuestion{Namespace: gatewayNamespace,
		Name: gatewayRelease})
}

// reviewGateway holds the step to 16.0.0 to its prerequisites. What cannot be seen is not there.
func (r *review) reviewGateway() {
	r.reviewProgram(firstWithGateway, "0.12", firstGatewayApp, "go to the last 15.x of the chart first")
	r.reviewGatewayKinds()
	switch fabric := r.in.World.Chart(gatewayFabric); {
	case fabric.Unknown != "":
		r.unseen(gatewayFabric, "whether NGINX Gateway Fabric is installed is not known: "+fabric.Unknown,
			"let the user of cluster.kubeconfig list Secrets: `kubectl auth can-i list secrets -A`")
	case len(fabric.Releases) == 0:
		r.gate(gatewayFabric, "no release of the chart "+gatewayFabric+" is deployed",
			"install NGINX Gateway Fabric, as the provider's documentation for version 0.12 says; helm_release can do it")
	}
	switch gateway := r.in.World.Release(gatewayNamespace, gatewayRelease); {
	case gateway.Unknown != "":
		r.unseen(gatewayRelease, "whether the release akash-gateway is deployed is not known: "+gateway.Unknown,
			"see that the release can be read: `helm -n akash-gateway status akash-gateway`")
	case gateway.Missing:
		r.gate(gatewayRelease, "there is no release akash-gateway in namespace akash-gateway",
			"install the chart akash-gateway; helm_release can do it")
	case gateway.Status != facts.ReleaseDeployed:
		r.gate(gatewayRelease, fmt.Sprintf("revision %d of the release akash-gateway is %s", gateway.Revision,
			gateway.Status), "`helm -n akash-gateway history akash-gateway` says what happened to it")
	}
	for _, name := range gatewaySecrets {
		switch secret := r.in.World.Secret(gatewayNamespace, name); {
		case secret.Unknown != "":
			r.unseen(name, fmt.Sprintf("whether the Secret %s exists in namespace akash-gateway is not known: %s", name,
				secret.Unknown), "let the user of cluster.kubeconfig get it: `kubectl -n akash-gateway auth can-i get secrets`; upkeep asks for its metadata alone")
		case secret.Missing:
			r.gate(name, fmt.Sprintf("there is no Secret %s in namespace akash-gateway", name),
				"let cert-manager make the certificates first, as the provider's documentation for version 0.12 says")
		}
	}
	r.reviewPorts()
}

// reviewProgram holds a step of the chart to the program that must have run before: the step to a version starts from
// oldest or later.
func (r *review) reviewProgram(gate, version, oldest, hint string) {
	has := r.release.Chart.AppVersion
	app, err := semver.NewVersion(has)
	switch {
	case err != nil:
		r.unseen(gate, fmt.Sprintf("the provider has version %q, which is none, and the step to %s starts from %s or later",
			has, version, oldest), hint)
	case app.LessThan(semver.MustParse(oldest)):
		r.gate(gate, fmt.Sprintf("the provider has version %s, and the step to %s starts from %s or later", has, version,
			oldest), hint)
	}
}

func (r *review) reviewGatewayKinds() {
	const hint = "install the Gateway API: its standard channel, and TCPRoute of the experimental one"
	for _, kind := range gatewayKinds {
		switch d := r.in.World.Definition(kind.name); {
		case d.Unknown != "":
			r.unseen(kind.name, fmt.Sprintf("whether the cluster has %s is not known: %s", kind.name, d.Unknown),
				"let the user of cluster.kubeconfig get customresourcedefinitions")
		case d.Missing:
			r.gate(kind.name, fmt.Sprintf("the cluster does not have %s, of the %s channel of the Gateway API", kind.name,
				kind.channel), hint)
		case !d.Established || len(d.Served) == 0:
			r.gate(kind.name, "the cluster does not serve "+kind.name, hint)
		}
	}
	if o := r.release.Offer; o != nil && o.Preview != nil && len(o.Preview.Absent) > 0 {
		r.gate(firstWithGateway, "the cluster does not have what the chart uses: "+strings.Join(o.Preview.Absent, ", "), hint)
	}
}
