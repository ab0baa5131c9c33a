package akash

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// gatewayPorts are the ports of a node that the gateway of 16.0.0 takes (akash.md 2.6).
var gatewayPorts = []int{80, 443, 5002, 8443, 8444}

// stepsOverGateway reports whether an upgrade leads over 16.0.0 and may be one step.
func stepsOverGateway(from, to string) bool {
	return crosses(from, to, firstWithGateway) && !crosses(from, to, firstWithClaim)
}

// portGround is what the cluster tells of the gateway's ports.
type portGround struct {
	// held are pods that are not the gateway's and hold some of the ports, on the nodes that matter.
	held []facts.HostPortPod
	// nodes are those that matter, in the cluster's order.
	nodes []portNode
}

// portNode is one node that a pod of the gateway runs on, or may run on.
type portNode struct {
	node facts.KubernetesNode
	// open are the ports that no pod is known to hold well: whether something listens there only the node can tell.
	open []int
}

// groundOfPorts says on which nodes which ports must be free. The nodes are those that pods of the gateway run on;
// where one waits for a node (since its ports are taken, it may be), or where there is none, all that take pods.
// unknown says why it cannot be told.
func groundOfPorts(world facts.World) (ground portGround, unknown string) {
	ports := facts.HostPorts{Unknown: "not observed"}
	if world.HostPorts != nil {
		ports = *world.HostPorts
	}
	fabric := world.Chart(gatewayFabric)
	switch {
	case world.Kubernetes.Unknown != "":
		return ground, world.Kubernetes.Unknown
	case ports.Unknown != "":
		return ground, ports.Unknown
	case fabric.Unknown != "":
		return ground, fabric.Unknown
	}
	own := []string{gatewayNamespace}
	for _, release := range fabric.Releases {
		own = append(own, release.Namespace)
	}
	gateways := func(p facts.HostPortPod) bool {
		return slices.Contains(own, p.Namespace) || p.Service.Name != "" && slices.Contains(own, p.Service.Namespace)
	}
	placed := map[string]bool{}
	waits := false
	for _, p := range ports.Pods {
		switch {
		case !gateways(p) || p.Deleting:
		case p.Node == "":
			waits = true
		default:
			placed[p.Node] = true
		}
	}
	everywhere := waits || len(placed) == 0
	for _, node := range world.Kubernetes.Nodes {
		if !placed[node.Name] && (!everywhere || node.Unschedulable) {
			continue
		}
		here := portNode{node: node}
		for _, port := range gatewayPorts {
			on := func(mine bool, ready bool) bool {
				return slices.ContainsFunc(ports.Pods, func(p facts.HostPortPod) bool {
					return p.Node == node.Name && slices.Contains(p.Ports,
						port) && gateways(p) == mine && (!ready || p.Ready && !p.Deleting)
				})
			}
			if !on(true, true) && !on(false, false) {
				here.open = append(here.open, port)
			}
		}
		for _, p := range ports.Pods {
			if p.Node != node.Name || gateways(p) {
				continue
			}
			p.Ports = slices.DeleteFunc(slices.Clone(p.Ports), func(port int) bool {
				return !slices.Contains(gatewayPorts,
					port)
			})
			if len(p.Ports) > 0 {
				ground.held = append(ground.held, p)
			}
		}
		ground.nodes = append(ground.nodes, here)
	}
	return ground, ""
}

// portTrouble is one reason why the gateway cannot have its ports.
type portTrouble struct {
	object, summary, hint string
	// unseen: it may have them; that cannot be told.
	unseen bool
}

// reviewPorts holds the step to 16.0.0 to the ports that its gateway takes on the nodes.
func (r *review) reviewPorts() {
	troubles := portTroubles(r.in)
	for _, trouble := range troubles {
		r.add(providers.Finding{
			ID: "CHART_GATE", Severity: providers.SeverityError, Unknown: trouble.unseen, Object: trouble.object, Summary: trouble.summary, Hint: trouble.hint,
		}, "chart.version")
	}
	// They may be as many as there are nodes: why the upgrade is not planned says it in a word.
	switch len(troubles) {
	case 0:
	case 1:
		r.block(troubles[0].summary)
	default:
		r.block(fmt.Sprintf("the gateway cannot be seen to get its ports on the nodes, for %d reasons", len(troubles)))
	}
}

// portsReady says whether the gateway can still have its ports, just before the step over 16.0.0; nil where it can.
func portsReady(in providers.Input) *providers.Readiness {
	if why := in.World.Chart(gatewayFabric).Unknown; why != "" {
		return new(providers.Unknown.Because("where NGINX Gateway Fabric is is not known: %s", why))
	}
	for _, trouble := range portTroubles(in) {
		if trouble.unseen {
			return new(providers.Unknown.Because("%s", trouble.summary))
		}
		return new(providers.Moved.Because("%s; that was not so when the plan was made", trouble.summary))
	}
	return nil
}

// portTroubles says who is in the way of the gateway: pods first, then processes. A port whose holder cannot be seen
// is not free.
func portTroubles(in providers.Input) []portTrouble {
	if in.World.Chart(gatewayFabric).Unknown != "" {
		return nil // that is reported already; without it a pod of the gateway cannot be told from another's
	}
	ground, unknown := groundOfPorts(in.World)
	if unknown != "" {
		return []portTrouble{{
			object: "host ports", unseen: true, summary: fmt.Sprintf("whether %s of the nodes are free is not known: %s",
				portsText(gatewayPorts), unknown),
			hint: "let the user of cluster.kubeconfig list nodes and pods: `kubectl auth can-i list pods -A`",
		}}
	}
	if len(ground.nodes) == 0 {
		return []portTrouble{{
			object: "host ports", summary: "the cluster has no node that the gateway could run on",
			hint: "`kubectl get nodes` says which are cordoned; `kubectl uncordon NODE` opens one",
		}}
	}
	var out []portTrouble
	for _, p := range ground.held {
		out = append(out, podTrouble(p))
	}
	find := in.Inventory.Finder()
	for _, node := range ground.nodes {
		if len(node.open) > 0 {
			out = append(out, node.troubles(in, find)...)
		}
	}
	return out
}

// podTrouble is a pod that holds ports of the gateway.
func podTrouble(p facts.HostPortPod) portTrouble {
	name, owner, hint := p.Namespace+"/"+p.Name, "", ""
	switch kind, of, _ := strings.Cut(p.Owner, " "); {
	case p.Service.Name != "":
		owner = fmt.Sprintf(" (Service %s/%s of type LoadBalancer)", p.Service.Namespace, p.Service.Name)
		hint = fmt.Sprintf("k3s opens these ports for that Service: take it away where the gateway takes its place, or give it another type: `kubectl -n %s get service %s`; k3s's own Traefik goes with disable: [traefik] in /etc/rancher/k3s/config.yaml", providers.ShellWord(p.Service.Namespace), providers.ShellWord(p.Service.Name))
	case p.Owner != "":
		owner = " (" + p.Owner + ")"
		hint = fmt.Sprintf("take it away where the gateway takes its place, as that of an old ingress, or give it other ports: `kubectl -n %s describe %s %s`", providers.ShellWord(p.Namespace), strings.ToLower(kind), providers.ShellWord(of))
	default:
		hint = fmt.Sprintf("take it away, or give it other ports: `kubectl -n %s describe pod %s`",
			providers.ShellWord(p.Namespace), providers.ShellWord(p.Name))
	}
	return portTrouble{object: name, summary: fmt.Sprintf("pod %s%s holds %s of node %s, which the gateway takes", name,
		owner, portsText(p.Ports), p.Node), hint: hint}
}

// troubles is what the node itself says of the ports that no pod accounts for.
func (n portNode) troubles(in providers.Input, find func(facts.KubernetesNode) (config.Node, bool)) []portTrouble {
	name := n.node.Name
	unseen := func(ports []int, why, hint string) []portTrouble {
		return []portTrouble{{object: name, unseen: true,
			summary: fmt.Sprintf("whether %s of node %s %s free is not known: %s", portsText(ports), name, are(ports),
				why), hint: hint}}
	}
	declared, ok := find(n.node)
	if !ok {
		host := addressOf(n.node)
		return unseen(n.open, "the configuration declares no node of that name, or with an address of its own",
			fmt.Sprintf("write node %q { host = %q }, so that upkeep can look; %s shows it to you", name, host, whoListens(host,
				n.open)))
	}
	observed := in.World.Node(declared.Name)
	missing := slices.DeleteFunc(slices.Clone(n.open),
		func(port int) bool { return slices.Contains(observed.Listeners.Ports, port) })
	switch why := cmp.Or(observed.Unknown, observed.Listeners.Unknown); {
	case why != "":
		return unseen(n.open, why, "see that the node answers: "+whoListens(declared.Host, n.open))
	case len(missing) > 0:
		return unseen(missing, "the node was not asked for them", "see that the node answers: "+whoListens(declared.Host,
			missing))
	}
	var holders []facts.Listener // a process each, without port and address
	ports := map[facts.Listener][]int{}
	for _, l := range observed.Listeners.Found {
		if l.Loopback() || !slices.Contains(n.open, l.Port) {
			continue
		}
		h := facts.Listener{PID: l.PID, Process: l.Process}
		if !slices.Contains(holders, h) {
			holders = append(holders, h)
		}
		if !slices.Contains(ports[h], l.Port) {
			ports[h] = append(ports[h], l.Port)
		}
	}
	slices.SortFunc(holders, func(a, b facts.Listener) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.Process, b.Process))
	})
	var out []portTrouble
	for _, h := range holders {
		slices.Sort(ports[h])
		who := fmt.Sprintf("process %s (pid %d)", cmp.Or(h.Process, "without a name"), h.PID)
		hint := fmt.Sprintf("`ssh %s systemctl status %d` says what it belongs to; stop that, or give it other ports",
			providers.ShellWord(declared.Host), h.PID)
		if h.PID == 0 {
			who, hint = "a process that the node does not show", whoListens(declared.Host,
				ports[h])+" may show it; stop it, or give it other ports"
		}
		out = append(out, portTrouble{object: name,
			summary: fmt.Sprintf("%s listens on %s of node %s, which the gateway takes", who, portsText(ports[h]),
				name), hint: hint})
	}
	return out
}

// whoListens is the command that shows a person who listens on ports of a host.
func whoListens(host string, ports []int) string {
	var filter []string
	for _, port := range ports {
		filter = append(filter, "sport = :"+strconv.Itoa(port))
	}
	// ssh gives the words to a shell of the node as one line, so that the filter is quoted once more there.
	return fmt.Sprintf("`ssh %s %s`", providers.ShellWord(host), providers.ShellWord(fmt.Sprintf(`ss -ltnp "%s"`,
		strings.Join(filter, " or "))))
}

// addressOf is where a node of Kubernetes can be reached, as far as the cluster says.
func addressOf(node facts.KubernetesNode) string {
	return cmp.Or(node.Addresses["InternalIP"], node.Addresses["ExternalIP"], node.Addresses["Hostname"], node.Name)
}

// portsText names ports: "port 80", "ports 80 and 443", "ports 80, 443 and 5002".
func portsText(ports []int) string {
	var words []string
	for _, port := range ports {
		words = append(words, strconv.Itoa(port))
	}
	if len(words) == 1 {
		return "port " + words[0]
	}
	last := len(words) - 1
	return "ports " + strings.Join(words[:last], ", ") + " and " + words[last]
}

func are(ports []int) string {
	if len(ports) == 1 {
		return "is"
	}
	return "are"
}
