package akash_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/config"
	"upkeep/fixtures/fakeprovider"
	"upkeep/planner/apply"
	"upkeep/providers/akash"
	"upkeep/providers/facts"
)

func addPod(t *testing.T, w *fakeprovider.World, namespace, name, node string, labels map[string]string, ports ...int32) {
	t.Helper()
	if err := w.AddPod(namespace, name, node, labels, ports...); err != nil {
		t.Fatal(err)
	}
}

// overGateway is a world that is ready for 16.0.0 but for the ports, with the block that wants it.
func overGateway(t *testing.T) (*fakeprovider.World, akash.Spec) {
	t.Helper()
	w := open(t, "15.1.0", map[string]any{"price_target_cpu": "1.6", "price_target_memory": "0.8", "price_target_gpu_mappings": "a100=120,t4=80", "bidpricescript": newest})
	w.Kubernetes, w.Tenancies = kubernetes(), tenancies()
	gatewayReady(t, w)
	if err := w.Typed.CoreV1().Pods("akash-gateway").Delete(context.Background(), "akash-gateway-nginx-1", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s := spec(w, "16.0.0", nil)
	text := crds("v2beta2")
	s.Definitions = &akash.Definitions{Tag: "v0.12.0", File: "crd.yaml", Text: text, SHA256: sum(text)}
	return w, s
}

// TestPortsPath: an old ingress and a process hold the gateway's ports; one after the other they go, and then the
// step is made.
func TestPortsPath(t *testing.T) {
	w, s := overGateway(t)
	addPod(t, w, "ingress-nginx", "ingress-nginx-controller-7xk2p", "gpu1", nil, 80, 443)
	addPod(t, w, "akash-gateway", "akash-gateway-nginx-1", "", nil, 80, 443, 5002, 8443, 8444)
	w.Nodes = []config.Node{{Name: "cp1", Host: "10.0.0.1"}, {Name: "gpu1", Host: "10.0.0.2"}, {Name: "gpu2", Host: "10.0.0.3"}}
	w.Machines = map[string]facts.Node{"cp1": {}, "gpu2": {}, "gpu1": {Listeners: facts.Listeners{Found: []facts.Listener{
		{Port: 80, Address: "0.0.0.0", PID: 4711, Process: "nginx"}, // the ingress itself, which is named already
		{Port: 5002, Address: "127.0.0.1", PID: 99, Process: "registry"}, {Port: 8443, Address: "::", PID: 812, Process: "haproxy"},
	}}}}
	p := plan(t, w, s)
	if len(p.Steps) > 0 || !said(p, "CHART_GATE", "pod ingress-nginx/ingress-nginx-controller-7xk2p holds ports 80 and 443 of node gpu1") ||
		!said(p, "CHART_GATE", "process haproxy (pid 812) listens on port 8443 of node gpu1") || said(p, "CHART_GATE", "registry") || said(p, "CHART_GATE", "4711") ||
		!said(p, "RELEASE_UPGRADE_BLOCKED", "the gateway cannot be seen to get its ports on the nodes, for 2 reasons") {
		t.Fatalf("steps %v, findings %+v", operationsOf(p), p.Findings)
	}
	if err := w.Typed.CoreV1().Pods("ingress-nginx").Delete(context.Background(), "ingress-nginx-controller-7xk2p", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.Machines["gpu1"] = facts.Node{}
	delete(w.Machines, "gpu2")
	p = plan(t, w, s)
	if len(p.Steps) > 0 || !said(p, "CHART_GATE", "ports 80, 443, 5002, 8443 and 8444 of node gpu2 are free is not known: no answer in 10s") ||
		!said(p, "RELEASE_UPGRADE_BLOCKED", "8443 and 8444 of node gpu2 are free is not known: no answer in 10s") {
		t.Fatalf("steps %v, findings %+v", operationsOf(p), p.Findings)
	}
	w.Machines["gpu2"] = facts.Node{}
	p = plan(t, w, s)
	if diff := cmp.Diff([]string{"akash.crds", "akash.archive", "akash.upgrade"}, operationsOf(p)); diff != "" {
		t.Fatalf("steps (-want +got):\n%s%+v", diff, p.Findings)
	}
	w.Machines["cp1"] = facts.Node{Listeners: facts.Listeners{Found: []facts.Listener{{Port: 443, Address: "0.0.0.0", PID: 5, Process: "caddy"}}}}
	result := execute(t, w, p, s)
	if last := result.Steps[len(result.Steps)-1]; last.Outcome != apply.Refused ||
		!strings.Contains(last.Why, "process caddy (pid 5) listens on port 443 of node cp1, which the gateway takes; that was not so when the plan was made") {
		t.Fatalf("somebody took a port after the plan was made: %+v", result.Steps)
	}
	w.Machines["cp1"] = facts.Node{}
	if result := execute(t, w, plan(t, w, s), s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	if again := plan(t, w, s); len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
		t.Errorf("a second plan has %v and %+v", operationsOf(again), again.Findings)
	}
	if world := w.World(context.Background(), s); len(world.Nodes) > 0 {
		t.Errorf("after the step nodes are still asked: %v", world.NodeNames())
	}
}

// TestDefinitionsOnlyBehindURL: a definition that upkeep does not know by name, in a text behind a URL, is asked for
// once the text is known to be the pinned one.
func TestDefinitionsOnlyBehindURL(t *testing.T) {
	w, s := withOperators(t, "11.6.3", "12.1.3", "v0.8.3")
	const url = "https://raw.example.net/crd.yaml"
	text := s.Definitions.Text + "---\n" + strings.NewReplacer("manifests.akash", "deeds.akash", "Manifest", "Deed", "manifests", "deeds").Replace(crds("v2beta2"))
	w.Texts = map[string]string{url: text}
	s.Definitions = &akash.Definitions{Tag: "v0.8.3", URL: url, SHA256: sum(text)}
	world := w.World(context.Background(), s)
	if d := world.Definition("deeds.akash.network"); d.Unknown != "" || !d.Missing {
		t.Fatalf("%+v", d)
	}
	p := plan(t, w, s)
	if !said(p, "CRD_DIFFERS", "is not in the cluster, and v0.8.3 has it") || said(p, "CRD_UNKNOWN", "") {
		t.Fatalf("steps %v, findings %+v", operationsOf(p), p.Findings)
	}
	if result := execute(t, w, p, s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	if again := plan(t, w, s); len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
		t.Errorf("a second plan has %v and %+v", operationsOf(again), again.Findings)
	}
	w.Texts[url] = text + "# more\n"
	if _, asked := w.World(context.Background(), s).Definitions["deeds.akash.network"]; asked {
		t.Error("a text that is not the pinned one is asked about")
	}
}
