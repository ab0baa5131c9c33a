package certificates_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

const day = 24 * time.Hour

func address(node string) providers.Address {
	return providers.Address{Type: "certificates", Name: "control_plane", Node: node}
}

// findingCase changes one thing of a healthy world of three control planes, and says everything that is found and planned then.
type findingCase struct {
	name   string
	change func(w *facts.World, s *certificates.Spec)
	want   []providers.Finding
	steps  []string
}

const (
	cp1 = "certificates.control_plane@cp1"
	cp2 = "certificates.control_plane@cp2"
)

func TestFindings(t *testing.T) {
	tests := slices.Concat(fileCases(), keyCases(), contentCases(), planeCases(), layoutCases())
	// TestUnresolvedFleet, TestWhatIsNotReplacedIsSaid and TestJudgedAtOpenings have these.
	seen := map[string]bool{"NODE_SELECTION_UNKNOWN": true, "CERT_NOT_REPLACED": true, "EXPIRES_BEFORE_WINDOW": true}
	for _, test := range tests {
		for _, f := range test.want {
			seen[f.ID] = true
		}
		t.Run(test.name, func(t *testing.T) {
			w, s := worlds.ControlPlanes(3, now), spec()
			test.change(&w, &s)
			out := s.Diff(input(w, 3))
			for i := range test.want {
				test.want[i].Position = "provider.upkeep.hcl:20"
			}
			if d := cmp.Diff(test.want, out.Findings); d != "" {
				t.Errorf("findings:\n%s", d)
			}
			var steps []string
			for _, s := range out.Steps {
				steps = append(steps, fmt.Sprintf("%s: %s", s.ID, s.Summary))
			}
			if d := cmp.Diff(test.steps, steps); d != "" {
				t.Errorf("steps:\n%s", d)
			}
		})
	}
	for _, doc := range certificates.Type().Findings {
		if !seen[doc.ID] {
			t.Errorf("%s is documented and no case reports it", doc.ID)
		}
		delete(seen, doc.ID)
	}
	for id := range seen {
		t.Errorf("%s is reported and not documented", id)
	}
}

func TestUnresolvedFleet(t *testing.T) {
	w := worlds.ControlPlanes(1, now)
	desired := config.Desired{Nodes: worlds.Nodes(1), Fleets: []config.Fleet{{Name: "more", Roles: []string{"control-plane"}}}}
	w.Fleets = map[string]facts.Fleet{"more": {Unknown: "the API does not answer"}}
	in := providers.Input{World: w, Now: now, Inventory: providers.NewInventory(desired, w)}
	want := []providers.Finding{{
		ID: "NODE_SELECTION_UNKNOWN", Severity: "error", Address: address(""), Unknown: true, Position: "provider.upkeep.hcl:20",
		Summary: "not all nodes of the selection are known: the API does not answer",
	}}
	if d := cmp.Diff(want, spec().Diff(in).Findings); d != "" {
		t.Error(d)
	}
}

func TestPrimaryGoesFirst(t *testing.T) {
	w := worlds.ControlPlanes(3, now)
	for _, n := range w.Nodes {
		worlds.Age(now, 12*day, n, "apiserver")
	}
	in := input(w, 3)
	in.Inventory.Nodes[1].Primary = true
	var got []string
	for _, s := range spec().Diff(in).Steps {
		got = append(got, s.Node)
	}
	if d := cmp.Diff([]string{"cp2", "cp1", "cp3"}, got); d != "" {
		t.Error(d)
	}
}

func TestReplaceRenewsEverythingOfTheNodeNamed(t *testing.T) {
	in := input(worlds.ControlPlanes(3, now), 3)
	in.Replace = []providers.Address{address("cp2")}
	var got []string
	for _, s := range spec().Diff(in).Steps {
		got = append(got, fmt.Sprintf("%s: %s; %s", s.ID, s.Summary, s.Why[0]))
	}
	want := []string{
		"certificates.control_plane@cp2/renew: renew apiserver, apiserver-kubelet-client, front-proxy-client, apiserver-etcd-client, etcd-server, etcd-peer, " +
			"etcd-healthcheck-client, admin.conf, controller-manager.conf, scheduler.conf; -replace names certificates.control_plane@cp2",
		"certificates.control_plane@cp2/restart: restart kube-controller-manager, kube-scheduler; " +
			"kube-controller-manager and kube-scheduler on cp2 read their kubeconfig only when they start, and it is renewed",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// What the quick reader takes and a YAML parser does not is no configuration: nothing may be judged by it.
func TestNamesThatCannotBeRead(t *testing.T) {
	w := worlds.ControlPlanes(1, now)
	w.Kubernetes.ClusterConfiguration = strings.Replace(worlds.ClusterConfiguration, "  dnsDomain: cluster.local\n", "  dnsDomain: [cluster.local\n", 1)
	found := map[string]bool{}
	for _, f := range spec().Diff(input(w, 1)).Findings {
		found[f.ID] = true
	}
	if !found["CERT_CONFIGURATION_UNKNOWN"] || found["CERT_SAN_MISSING"] {
		t.Errorf("%v", found)
	}
}
