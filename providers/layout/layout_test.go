package layout_test

import (
	"testing"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
)

func TestMember(t *testing.T) {
	pod := facts.ControlPlane{StaticPods: []facts.StaticPod{{Component: "etcd"}}}
	for name, test := range map[string]struct {
		node      facts.Node
		runs      bool
		elsewhere string
	}{
		"kubeadm":                    {facts.Node{Name: "a", ControlPlane: pod}, true, ""},
		"k3s with etcd":              {facts.Node{Name: "a", K3s: facts.K3s{Datastore: facts.K3sEtcd}}, true, ""},
		"k3s with SQLite":            {facts.Node{Name: "a", K3s: facts.K3s{Datastore: facts.K3sSQLite}}, false, "k3s on a keeps its cluster in SQLite"},
		"k3s with a database":        {facts.Node{Name: "a", K3s: facts.K3s{Datastore: facts.K3sExternal}}, false, "k3s on a keeps its cluster in a datastore elsewhere"},
		"a worker":                   {facts.Node{Name: "a"}, false, ""},
		"nothing is known":           {facts.Node{Name: "a", Unknown: "no answer"}, false, ""},
		"k3s, and a pod left behind": {facts.Node{Name: "a", ControlPlane: pod, K3s: facts.K3s{Datastore: facts.K3sSQLite}}, false, "k3s on a keeps its cluster in SQLite"},
	} {
		if runs, elsewhere := layout.Member(test.node); runs != test.runs || elsewhere != test.elsewhere {
			t.Errorf("%s: %v, %q", name, runs, elsewhere)
		}
	}
}
