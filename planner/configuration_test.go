package planner_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
)

// Where a plan connects and writes is what the configuration of whoever applies it says, and nothing of its file.
func TestPlansGoUnderTheConfigurationOfWhoeverApplies(t *testing.T) {
	r := twoWidgets()
	r.Desired.Cluster = &config.Cluster{Kubeconfig: "/etc/upkeep/kubeconfig", Position: config.Position{File: "a", Line: 1}}
	p := build(t, r)
	here := twoWidgets().Desired
	here.Cluster = &config.Cluster{Kubeconfig: "/home/ops/kubeconfig", Position: config.Position{File: "b", Line: 9}}
	got, err := p.Under(here, "/home/ops", testTypes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(here.Cluster, got.Request.Desired.Cluster); diff != "" || got.Request.Directory != "/home/ops" {
		t.Errorf("it is not the applier's (-want +got):\n%s", diff)
	}
	if got.Digest != p.Digest {
		t.Error("the digest is another one")
	}
	for name, change := range map[string]func(*config.Desired){
		"cluster.kubeconfig": func(d *config.Desired) { d.Cluster = &config.Cluster{Kubeconfig: "/tmp/kubeconfig"} },
		"node.cp1.host":      func(d *config.Desired) { d.Nodes[0].Host = "192.0.2.99" },
		"widget.w.version": func(d *config.Desired) {
			d.Resources[0].Value = widget{Name: "w", Nodes: widgetOf(d, 0).Nodes, Guards: []string{"copy"}, Version: "9", Serial: widgetOf(d, 0).Serial}
		},
		"connection.bastion": func(d *config.Desired) { d.Connections = []config.Connection{{Name: "bastion", Transport: "ssh"}} },
	} {
		t.Run(name, func(t *testing.T) {
			other := twoWidgets().Desired
			other.Cluster = here.Cluster
			change(&other)
			_, err := p.Under(other, "/home/ops", testTypes())
			var refused *planner.ConfigurationError
			if !errors.As(err, &refused) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff([]string{name}, refused.Differ); diff != "" {
				t.Errorf("differ (-want +got):\n%s", diff)
			}
		})
	}
}

func widgetOf(d *config.Desired, i int) widget { return d.Resources[i].Value.(widget) }
