package planner_test

import (
	"testing"

	"upkeep/planner"
	"upkeep/providers"
)

// An insecure kubeconfig is an error whatever blocks are declared, once.
func TestAnInsecureKubeconfigIsAFinding(t *testing.T) {
	const insecure = "the server's certificate is not verified"
	reported := func(p planner.Plan) (found []providers.Finding) {
		for _, f := range p.Findings {
			if f.ID == "CLUSTER_KUBECONFIG_INSECURE" || f.ID == "CERT_KUBECONFIG_INSECURE" {
				found = append(found, f)
			}
		}
		return found
	}
	r := testRequest(1, nil)
	if found := reported(build(t, r)); len(found) > 0 {
		t.Fatalf("of a secure one: %+v", found)
	}
	r.World.Kubernetes.Kubeconfig.Path, r.World.Kubernetes.Kubeconfig.Insecure = "/home/ops/.kube/config", insecure
	p := build(t, r)
	found := reported(p)
	if len(found) != 1 || found[0].ID != "CLUSTER_KUBECONFIG_INSECURE" || found[0].Severity != providers.SeverityError || found[0].Summary != insecure+" (/home/ops/.kube/config)" {
		t.Fatalf("%+v", found)
	}
	if remaining := (planner.Plan{Findings: p.Remaining}); len(reported(remaining)) != 1 {
		t.Errorf("no step repairs that, and what remains is %+v", p.Remaining)
	}
	r.Desired.Resources[0].Value = reporting{r.Desired.Resources[0].Value.(widget)}
	if found := reported(build(t, r)); len(found) != 1 || found[0].ID != "CERT_KUBECONFIG_INSECURE" {
		t.Errorf("beside a domain that reports it: %+v", found)
	}
}

// reporting is a widget whose domain looks at the kubeconfig itself.
type reporting struct{ widget }

func (r reporting) Diff(in providers.Input) providers.Outcome {
	out := r.widget.Diff(in)
	out.Findings = append(out.Findings, providers.Finding{ID: "CERT_KUBECONFIG_INSECURE", Severity: providers.SeverityError, Address: r.Address(), Object: "cluster.kubeconfig"})
	return out
}
