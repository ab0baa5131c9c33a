package akash_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/fixtures/fakeprovider"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/facts"
)

// TestPorts is the rule of the gateway's ports, as findings: which nodes matter, who may hold a port, what is
// unknown; and which nodes are asked.
func TestPorts(t *testing.T) {
	w, s := overGateway(t)
	base := w.World(context.Background(), s)
	all := []int{80, 443, 5002, 8443, 8444}
	pod := func(namespace, name, node string, ports ...int) facts.HostPortPod {
		return facts.HostPortPod{Namespace: namespace, Name: name, Node: node, Ready: node != "", Ports: ports}
	}
	node := func(name, ip string) facts.KubernetesNode {
		return facts.KubernetesNode{Name: name, Ready: true, Addresses: map[string]string{"InternalIP": ip}}
	}
	one, two := node("n1", "10.0.0.1"), node("n2", "10.0.0.2")
	cordoned := node("n3", "10.0.0.3")
	cordoned.Unschedulable = true
	declared := []config.Node{{Name: "n1", Host: "one.example.net"}, {Name: "second", Host: "10.0.0.2"}}
	free := facts.Node{Listeners: facts.Listeners{Ports: all}}
	with := func(found ...facts.Listener) facts.Node {
		return facts.Node{Listeners: facts.Listeners{Ports: all, Found: found}}
	}
	gate := func(object, summary, hint string) providers.Finding {
		return providers.Finding{ID: "CHART_GATE", Severity: providers.SeverityError, Address: s.Address(), Object: object, Summary: summary, Hint: hint}
	}
	unseen := func(object, summary, hint string) providers.Finding {
		f := gate(object, summary, hint)
		f.Unknown = true
		return f
	}
	ds := func(p facts.HostPortPod) facts.HostPortPod { p.Owner = "DaemonSet " + p.Name[:len(p.Name)-2]; return p }
	tests := []struct {
		name  string
		nodes []facts.KubernetesNode
		pods  []facts.HostPortPod
		seen  map[string]facts.Node
		asked map[string][]int // by the node of the configuration
		want  []providers.Finding
		// change, if set, changes the world.
		change func(*facts.World)
	}{
		{
			name:  "the gateway holds all of them, and nobody is asked",
			nodes: []facts.KubernetesNode{one, two}, pods: []facts.HostPortPod{pod("akash-gateway", "gw-1", "n1", all...)},
		},
		{
			name:  "the fabric's namespace is the gateway's, too, and what k3s opens for its Service",
			nodes: []facts.KubernetesNode{one, two},
			pods: []facts.HostPortPod{
				{Namespace: "kube-system", Name: "svclb-gw-1", Node: "n1", Ready: true, Ports: []int{80, 443}, Service: facts.ServiceName{Namespace: "akash-gateway", Name: "gw"}},
				pod("nginx-gateway", "ngf-1", "n1", 5002, 8443, 8444),
			},
		},
		{
			name:  "only what the gateway does not hold well is asked for, on its node alone",
			nodes: []facts.KubernetesNode{one, two},
			pods:  []facts.HostPortPod{pod("akash-gateway", "gw-1", "n1", 80, 443), {Namespace: "akash-gateway", Name: "gw-2", Node: "n1", Ports: []int{5002, 8443, 8444}}},
			seen:  map[string]facts.Node{"n1": free}, asked: map[string][]int{"n1": {5002, 8443, 8444}},
		},
		{
			name:  "without a gateway every node that takes pods matters; a cordoned one does not",
			nodes: []facts.KubernetesNode{one, two, cordoned}, pods: []facts.HostPortPod{ds(pod("ingress-nginx", "nginx-b", "n3", 80))},
			seen: map[string]facts.Node{"n1": free, "second": free}, asked: map[string][]int{"n1": all, "second": all},
		},
		{
			name:  "an old ingress, a Service of k3s, a bare pod: each is one finding",
			nodes: []facts.KubernetesNode{one, two},
			pods: []facts.HostPortPod{
				pod("akash-gateway", "gw-1", "", all...),
				ds(pod("ingress-nginx", "nginx-a", "n1", 80, 443)), ds(pod("ingress-nginx", "nginx-b", "n2", 80, 443)),
				{Namespace: "kube-system", Name: "svclb-web-1", Node: "n1", Ports: []int{5002}, Owner: "DaemonSet svclb-web", Service: facts.ServiceName{Namespace: "web", Name: "front"}},
				pod("web", "bare", "n2", 5002, 8443, 8444), pod("web", "waits", "", 80),
			},
			seen:  map[string]facts.Node{"n1": with(facts.Listener{Port: 80, Address: "0.0.0.0", PID: 1, Process: "nginx"})},
			asked: map[string][]int{"n1": {8443, 8444}},
			want: []providers.Finding{
				gate("ingress-nginx/nginx-a", "pod ingress-nginx/nginx-a (DaemonSet nginx) holds ports 80 and 443 of node n1, which the gateway takes",
					"take it away where the gateway takes its place, as that of an old ingress, or give it other ports: `kubectl -n ingress-nginx describe daemonset nginx`"),
				gate("kube-system/svclb-web-1", "pod kube-system/svclb-web-1 (Service web/front of type LoadBalancer) holds port 5002 of node n1, which the gateway takes",
					"k3s opens these ports for that Service: take it away where the gateway takes its place, or give it another type: `kubectl -n web get service front`; k3s's own Traefik goes with disable: [traefik] in /etc/rancher/k3s/config.yaml"),
				gate("ingress-nginx/nginx-b", "pod ingress-nginx/nginx-b (DaemonSet nginx) holds ports 80 and 443 of node n2, which the gateway takes",
					"take it away where the gateway takes its place, as that of an old ingress, or give it other ports: `kubectl -n ingress-nginx describe daemonset nginx`"),
				gate("web/bare", "pod web/bare holds ports 5002, 8443 and 8444 of node n2, which the gateway takes", "take it away, or give it other ports: `kubectl -n web describe pod bare`"),
			},
		},
		{
			name:  "processes: a loopback listener does not matter, several ports of one are one finding, and one that is not shown is named so",
			nodes: []facts.KubernetesNode{one},
			seen: map[string]facts.Node{"n1": with(
				facts.Listener{Port: 80, Address: "127.0.0.1", PID: 9, Process: "registry"}, facts.Listener{Port: 443, Address: "::", PID: 812, Process: "haproxy"},
				facts.Listener{Port: 80, Address: "10.0.0.1", PID: 812, Process: "haproxy"}, facts.Listener{Port: 443, Address: "0.0.0.0", PID: 812, Process: "haproxy"},
				facts.Listener{Port: 5002, Address: "::1", PID: 9, Process: "registry"}, facts.Listener{Port: 8444, Address: "0.0.0.0"},
			)},
			asked: map[string][]int{"n1": all},
			want: []providers.Finding{
				gate("n1", "a process that the node does not show listens on port 8444 of node n1, which the gateway takes", "`ssh one.example.net 'ss -ltnp \"sport = :8444\"'` may show it; stop it, or give it other ports"),
				gate("n1", "process haproxy (pid 812) listens on ports 80 and 443 of node n1, which the gateway takes", "`ssh one.example.net systemctl status 812` says what it belongs to; stop that, or give it other ports"),
			},
		},
		{
			name:  "a node that nobody declares, one that does not answer",
			nodes: []facts.KubernetesNode{one, two, node("n4", "10.0.0.4")}, pods: []facts.HostPortPod{pod("akash-gateway", "gw-1", "n4", 80, 443, 8443, 8444), pod("akash-gateway", "gw-2", "n1", 80, 443, 8443, 8444)},
			seen: map[string]facts.Node{"n1": {Unknown: "connection refused"}}, asked: map[string][]int{"n1": {5002}},
			want: []providers.Finding{
				unseen("n1", "whether port 5002 of node n1 is free is not known: connection refused", "see that the node answers: `ssh one.example.net 'ss -ltnp \"sport = :5002\"'`"),
				unseen("n4", "whether port 5002 of node n4 is free is not known: the configuration declares no node of that name, or with an address of its own",
					"write node \"n4\" { host = \"10.0.0.4\" }, so that upkeep can look; `ssh 10.0.0.4 'ss -ltnp \"sport = :5002\"'` shows it to you"),
			},
		},
		{
			name:  "a node that cannot tell, and one that was asked for other ports",
			nodes: []facts.KubernetesNode{one, two},
			seen: map[string]facts.Node{
				"n1":     {Listeners: facts.Listeners{Unknown: "/proc/self/net/tcp: permission denied"}},
				"second": {Listeners: facts.Listeners{Ports: []int{80, 443, 5002}, Found: []facts.Listener{{Port: 80, Address: "::", PID: 3, Process: "x"}}}},
			},
			asked: map[string][]int{"n1": all, "second": all},
			want: []providers.Finding{
				unseen("n1", "whether ports 80, 443, 5002, 8443 and 8444 of node n1 are free is not known: /proc/self/net/tcp: permission denied",
					"see that the node answers: `ssh one.example.net 'ss -ltnp \"sport = :80 or sport = :443 or sport = :5002 or sport = :8443 or sport = :8444\"'`"),
				unseen("n2", "whether ports 8443 and 8444 of node n2 are free is not known: the node was not asked for them",
					"see that the node answers: `ssh 10.0.0.2 'ss -ltnp \"sport = :8443 or sport = :8444\"'`"),
			},
		},
		{
			name: "no node takes pods", nodes: []facts.KubernetesNode{cordoned},
			want: []providers.Finding{gate("host ports", "the cluster has no node that the gateway could run on", "`kubectl get nodes` says which are cordoned; `kubectl uncordon NODE` opens one")},
		},
		{
			name: "pods cannot be listed", nodes: []facts.KubernetesNode{one},
			change: func(w *facts.World) { w.HostPorts = &facts.HostPorts{Unknown: "forbidden: pods", Ports: all} },
			want: []providers.Finding{unseen("host ports", "whether ports 80, 443, 5002, 8443 and 8444 of the nodes are free is not known: forbidden: pods",
				"let the user of cluster.kubeconfig list nodes and pods: `kubectl auth can-i list pods -A`")},
		},
		{
			name: "facts that were recorded before ports were asked for", nodes: []facts.KubernetesNode{one},
			change: func(w *facts.World) { w.HostPorts = nil },
			want: []providers.Finding{unseen("host ports", "whether ports 80, 443, 5002, 8443 and 8444 of the nodes are free is not known: not observed",
				"let the user of cluster.kubeconfig list nodes and pods: `kubectl auth can-i list pods -A`")},
		},
		{
			name: "where the fabric is not known, its pods are not taken for others'", nodes: []facts.KubernetesNode{one}, pods: []facts.HostPortPod{pod("nginx-gateway", "ngf-1", "n1", all...)},
			change: func(w *facts.World) {
				w.Charts["nginx-gateway-fabric"] = facts.Installed{Unknown: "forbidden: secrets"}
			},
			want: []providers.Finding{unseen("nginx-gateway-fabric", "whether NGINX Gateway Fabric is installed is not known: forbidden: secrets",
				"let the user of cluster.kubeconfig list Secrets: `kubectl auth can-i list secrets -A`")},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			world := base.Clone()
			world.Charts = map[string]facts.Installed{"nginx-gateway-fabric": base.Charts["nginx-gateway-fabric"]}
			world.Kubernetes.Nodes = test.nodes
			world.HostPorts = &facts.HostPorts{Ports: all, Pods: test.pods}
			world.Nodes = map[string]*facts.Node{}
			for name, n := range test.seen {
				n.Name = name
				world.Nodes[name] = &n
			}
			if test.change != nil {
				test.change(&world)
			}
			inventory := providers.Inventory{Nodes: declared}
			asked := map[string][]int{}
			for _, need := range s.SecondNeeds(world, inventory, false).Nodes {
				for _, name := range need.Nodes.Names {
					asked[name] = need.Question.Ports
				}
			}
			if test.asked == nil {
				test.asked = map[string][]int{}
			}
			var got []providers.Finding
			for _, f := range s.Diff(providers.Input{World: world, Now: clock, Inventory: inventory}).Findings {
				if f.ID == "CHART_GATE" {
					got = append(got, f)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if test.change == nil {
				if diff := cmp.Diff(test.asked, asked); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestNobodyIsAskedElsewhere: no other step of the chart, and none that is refused at once, asks nodes.
func TestNobodyIsAskedElsewhere(t *testing.T) {
	w, s := overGateway(t)
	w.Nodes = []config.Node{{Name: "cp1", Host: "10.0.0.1"}}
	inventory := w.Inventory()
	for _, test := range []struct {
		from, to string
		asked    int
	}{
		{"15.1.0", "16.0.0", 1}, {"14.0.0", "19.0.2", 1}, {"16.0.0", "16.0.0", 0}, {"16.0.0", "19.0.2", 0}, {"12.1.3", "15.1.0", 0},
		{"19.0.2", "15.1.0", 0}, {"11.6.3", "16.0.0", 0}, {"", "16.0.0", 0},
	} {
		s.Chart.Version = "16.0.0"
		world := w.World(context.Background(), s)
		s.Chart.Version = test.to
		release := *world.Releases[facts.ReleaseKey(fakeprovider.Namespace, fakeprovider.Release)]
		release.Chart.Version = test.from
		if test.from == "" {
			release = facts.Release{Namespace: release.Namespace, Name: release.Name, Missing: true}
		}
		world.Apply(facts.Update{Releases: []facts.Release{release}})
		if got := len(s.SecondNeeds(world, inventory, false).Nodes); got != test.asked {
			t.Errorf("from %q to %s: %d nodes are asked, want %d", test.from, test.to, got, test.asked)
		}
	}
	s.Chart = nil
	if needs := s.Needs(); len(needs.Kubernetes.HostPorts) > 0 || len(s.SecondNeeds(w.World(context.Background(), s), inventory, false).Nodes) > 0 {
		t.Error("a block without a chart asks for ports")
	}
}

// TestProgramBefore15: the step to the program 0.11 starts from 0.10.7 or later.
func TestProgramBefore15(t *testing.T) {
	w := open(t, "12.1.3", map[string]any{"price_target_cpu": "1.6", "price_target_memory": "0.8", "bidpricescript": newest})
	w.Kubernetes, w.Tenancies = kubernetes(), tenancies()
	s := spec(w, "15.0.0", nil)
	text := crds("v2beta2")
	s.Definitions = &akash.Definitions{Tag: "v0.11.0", File: "crd.yaml", Text: text, SHA256: sum(text)}
	const hint = "go to the last 14.x of the chart first"
	for _, test := range []struct {
		app     string
		summary string // empty: it may be made
		unknown bool
	}{
		{"0.8.3", "the provider has version 0.8.3, and the step to 0.11 starts from 0.10.7 or later", false},
		{"0.10.6", "the provider has version 0.10.6, and the step to 0.11 starts from 0.10.7 or later", false},
		{"0.10.7", "", false},
		{"v0.10.9", "", false},
		{"latest", `the provider has version "latest", which is none, and the step to 0.11 starts from 0.10.7 or later`, true},
	} {
		t.Run(test.app, func(t *testing.T) {
			world := w.World(context.Background(), s)
			release := *world.Releases[facts.ReleaseKey(fakeprovider.Namespace, fakeprovider.Release)]
			release.Chart.AppVersion = test.app
			world.Apply(facts.Update{Releases: []facts.Release{release}})
			outcome := s.Diff(providers.Input{World: world, Now: clock})
			var got, want []providers.Finding
			for _, f := range outcome.Findings {
				if f.ID == "CHART_GATE" {
					got = append(got, f)
				}
			}
			if test.summary != "" {
				want = []providers.Finding{{
					ID: "CHART_GATE", Severity: providers.SeverityError, Address: s.Address(), Object: "15.0.0", Summary: test.summary, Hint: hint, Unknown: test.unknown,
				}}
			}
			if diff := cmp.Diff(want, got); diff != "" || (len(outcome.Steps) == 0) != (test.summary != "") {
				t.Errorf("%d steps; findings (-want +got):\n%s", len(outcome.Steps), diff)
			}
		})
	}
}
