package certificates_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

const nodes = `node "cp1" {
  host  = "10.0.0.11"
  roles = ["control-plane"]
}
`

// load reads a block from a file as the command does.
func load(t *testing.T, block string) (certificates.Spec, []string) {
	t.Helper()
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "a.upkeep.hcl"), []byte(nodes+block), 0o600); err != nil {
		t.Fatal(err)
	}
	desired, _, diags := config.Load(directory, config.Options{Types: []config.BlockType{certificates.Type().BlockType}, Version: "0.1.0"})
	var words []string
	for _, d := range diags {
		words = append(words, d.Summary+": "+d.Detail)
	}
	if len(desired.Resources) == 0 {
		return certificates.Spec{}, words
	}
	return desired.Resources[0].Value.(certificates.Spec), words
}

func TestSpecFromHCL(t *testing.T) {
	got, diags := load(t, `certificates "control_plane" {
  layout       = "kubeadm"
  nodes        = role("control-plane")
  renew_before = "10d"
  kubeconfigs  = ["/root/.kube/config", "/home/ops/.kube/config"]
}
`)
	want := certificates.Spec{
		Name: "control_plane", Layout: "kubeadm", Nodes: config.Selection{Roles: []string{"control-plane"}},
		RenewBefore: config.Duration(10 * day), Kubeconfigs: []string{"/root/.kube/config", "/home/ops/.kube/config"},
		Position: config.Position{File: "a.upkeep.hcl", Line: 5}, RenewBeforeAt: config.Position{File: "a.upkeep.hcl", Line: 8},
	}
	if d := cmp.Diff(want, got); d != "" || len(diags) > 0 {
		t.Error(d, diags)
	}
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	restored, err := certificates.Type().Restore(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(any(got), restored); d != "" {
		t.Errorf("JSON loses something: %s", d)
	}
	var resource providers.Resource = got
	wantNeeds := providers.Needs{Kubernetes: providers.KubernetesNeeds{Cluster: true}, Etcd: true, Nodes: []providers.NodeNeed{{
		Nodes: config.Selection{Roles: []string{"control-plane"}},
		Question: facts.Question{ControlPlane: true, Certificates: &facts.CertificatesQuestion{
			Layout: "kubeadm", Kubeconfigs: []string{"/root/.kube/config", "/home/ops/.kube/config"},
		}},
	}, {Nodes: config.Selection{Roles: []string{"control-plane"}}, Question: facts.Question{ControlPlane: true}}}}
	if d := cmp.Diff(wantNeeds, resource.Needs()); d != "" {
		t.Error(d)
	}
}

func TestSpecDefaults(t *testing.T) {
	got, diags := load(t, "certificates \"x\" {\n  nodes = role(\"control-plane\")\n}\n")
	want := certificates.Spec{
		Name: "x", Layout: "auto", Nodes: config.Selection{Roles: []string{"control-plane"}}, RenewBefore: config.Duration(30 * 24 * time.Hour),
		Position: config.Position{File: "a.upkeep.hcl", Line: 5},
	}
	if d := cmp.Diff(want, got); d != "" || len(diags) > 0 {
		t.Error(d, diags)
	}
}

// TestExampleIsValid: the example of the reference page is a file that works.
func TestExampleIsValid(t *testing.T) {
	if _, diags := load(t, certificates.Type().Example); len(diags) > 0 {
		t.Error(diags)
	}
}

func TestSpecMistakes(t *testing.T) {
	tests := []struct{ name, argument, want string }{
		{"no duration", `renew_before = "30 days"`, `Invalid duration: "30 days" is not a duration; write a number and a unit, such as "30d", "12h" or "1h30m" (units: ms, s, m, h, d, w, y)`},
		{"zero", `renew_before = "0s"`, `Invalid duration: renew_before must be longer than zero: write the time that is left when a certificate is to be renewed, such as "30d".`},
		{"relative", `kubeconfigs = ["~/.kube/config"]`, `Not an absolute path: "~/.kube/config" is a path on the nodes and must be absolute and plain, such as "/root/.kube/config".`},
		{"climbing", `kubeconfigs = ["/root/../etc/shadow"]`, `Not an absolute path: "/root/../etc/shadow" is a path on the nodes and must be absolute and plain, such as "/root/.kube/config".`},
		{"admin.conf itself", `kubeconfigs = ["/etc/kubernetes/admin.conf"]`, `Not a copy: "/etc/kubernetes/admin.conf" is a file of the layout, which is watched anyway. kubeconfigs names copies of admin.conf, such as "/root/.kube/config".`},
		{"twice", `kubeconfigs = ["/a/b", "/a/b"]`, `Named twice: "/a/b" stands twice in kubeconfigs. Remove one.`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, diags := load(t, "certificates \"x\" {\n  nodes = role(\"control-plane\")\n  "+test.argument+"\n}\n")
			if d := cmp.Diff([]string{test.want}, diags); d != "" {
				t.Error(d)
			}
		})
	}
}

// What may disturb a control plane looks at the others and at etcd; what is repaired on one is looked at there alone.
func TestNeedsOfSteps(t *testing.T) {
	in := input(worlds.ControlPlanes(3, now), 3)
	resource := spec()
	in.Resources = map[providers.Address]providers.Resource{resource.Address(): resource}
	alone := resource.Needs()
	alone.Etcd = false
	for i := range alone.Nodes {
		alone.Nodes[i].Nodes = config.Selection{Names: []string{"cp2"}}
	}
	for operation, want := range map[string]providers.Needs{
		certificates.OperationRepair: alone, certificates.OperationRenew: resource.Needs(), certificates.OperationRestart: resource.Needs(),
	} {
		step := providers.Step{Address: resource.Address().On("cp2"), Node: "cp2", Operation: operation}
		if d := cmp.Diff(want, certificates.Type().Effects[operation].Needs(in, step)); d != "" {
			t.Errorf("%s (-want +got):\n%s", operation, d)
		}
	}
}
