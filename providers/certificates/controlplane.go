package certificates

import (
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/layout"
)

// controlPlaneTrouble is one reason why the control plane of a node is not whole.
type controlPlaneTrouble struct {
	component, what string
	unknown         bool
	// down: the component does not run or does not answer, which the end of a certificate can be the reason of.
	down bool
}

// controlPlaneTroubles returns why a node's control plane is not whole; none when it is: every static pod has its
// manifest and a running container, and the API server says that it is ready. It allocates nothing when all is well.
func controlPlaneTroubles(n *facts.Node, stackedEtcd bool) []controlPlaneTrouble {
	cp := &n.ControlPlane
	if servedByService(n) {
		return serviceTroubles(n)
	}
	if cp.Unknown != "" {
		return []controlPlaneTrouble{{what: cp.Unknown, unknown: true}}
	}
	var out []controlPlaneTrouble
	for i := range 4 {
		component := [...]string{apiServer, controllerManager, scheduler, etcdServer}[i]
		if component == etcdServer && !stackedEtcd {
			continue
		}
		pod := staticPod(cp, component)
		switch {
		case pod == nil:
			out = append(out, controlPlaneTrouble{component: component, what: "has no static pod manifest"})
		case pod.Unknown != "":
			out = append(out, controlPlaneTrouble{component: component, what: "its manifest cannot be read: " + pod.Unknown, unknown: true})
		case pod.ContainerID == "" && cp.ContainersUnknown == "":
			out = append(out, controlPlaneTrouble{component: component, what: "has no running container", down: true})
		}
	}
	if cp.ContainersUnknown != "" {
		out = append(out, controlPlaneTrouble{what: "containers cannot be seen: " + cp.ContainersUnknown, unknown: true})
	}
	switch {
	case cp.APIServer.Unknown != "":
		what := "its readiness is unknown: " + cp.APIServer.Unknown
		out = append(out, controlPlaneTrouble{component: apiServer, what: what, unknown: true, down: true})
	case !cp.APIServer.Ready:
		what := "is not ready"
		if cp.APIServer.NotReady != "" {
			what += ": " + cp.APIServer.NotReady
		}
		out = append(out, controlPlaneTrouble{component: apiServer, what: what, down: true})
	}
	return append(out, serviceTroubles(n)...)
}

// doubled reports whether a component that does not run has a second manifest, of which the kubelet may run either.
func doubled(cp *facts.ControlPlane, component string) bool {
	if pod := staticPod(cp, component); cp.ContainersUnknown != "" || pod != nil && pod.ContainerID != "" {
		return false
	}
	return slices.ContainsFunc(cp.Doubles, func(d facts.DoubleManifest) bool { return d.Component == component })
}

// reviewDoubles reports second manifests of components.
func (r *review) reviewDoubles(w *work) {
	cp := &w.node.ControlPlane
	for _, d := range cp.Doubles {
		f := providers.Finding{
			ID: "NODE_MANIFEST_DOUBLE", Severity: providers.SeverityWarning, Object: d.Component,
			Summary: "the kubelet also reads " + d.Path + ", a second manifest of " + d.Component,
			Hint:    "compare it with " + layout.ManifestDir + "/" + d.Component + ".yaml. Move the one that is not right out of the directory, for example to /root",
		}
		if doubled(cp, d.Component) {
			f.Severity = providers.SeverityError
			f.Summary += "; no container of " + d.Component + " runs"
		}
		r.on(w.node.Name, f)
	}
}

// staticPod returns the static pod of a component without copying it; nil when there is none.
func staticPod(cp *facts.ControlPlane, component string) *facts.StaticPod {
	for i := range cp.StaticPods {
		if cp.StaticPods[i].Component == component {
			return &cp.StaticPods[i]
		}
	}
	return nil
}

// refusal says in one line why a control plane counts as broken; empty when it is whole.
func refusal(troubles []controlPlaneTrouble) string {
	words := make([]string, len(troubles))
	for i, t := range troubles {
		words[i] = strings.TrimSpace(t.component + " " + t.what)
	}
	return strings.Join(words, "; ")
}

// stackedEtcd reports whether kubeadm runs etcd on the control planes.
func stackedEtcd(in providers.Input) bool {
	p, err := policyOf(in, in.World.Kubernetes.ClusterConfiguration)
	if err != nil { // the hosts tell
		return !etcdOnHosts(in.World)
	}
	return !p.externalEtcd
}

// stacked is stackedEtcd by the configuration that the review found, wherever that came from.
func (r *review) stacked() bool {
	if r.policyUnknown != "" {
		return !etcdOnHosts(r.in.World)
	}
	return !r.policy.externalEtcd
}

// kubernetesReady reports whether Kubernetes says that a node is ready which upkeep cannot reach itself. The name in the
// configuration may differ from the one in the cluster; then the address decides.
func kubernetesReady(k facts.Kubernetes, n config.Node) bool {
	for _, node := range k.Nodes {
		if node.Name == n.Name {
			return node.Ready
		}
	}
	for _, node := range k.Nodes {
		for _, address := range node.Addresses {
			if address == n.Host {
				return node.Ready
			}
		}
	}
	return false
}
