package observe

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// Only servers of k3s that have an etcd are asked as members of one, whatever their roles say.
func TestMembersOfK3s(t *testing.T) {
	server := func(name, datastore string) facts.Node {
		return facts.Node{Name: name, K3s: facts.K3s{Datastore: datastore}}
	}
	for name, test := range map[string]struct {
		nodes   []facts.Node
		members []string
		unknown string
	}{
		"etcd":              {[]facts.Node{server("a", facts.K3sEtcd), server("b", facts.K3sEtcd), {Name: "agent"}}, []string{"a", "b"}, ""},
		"SQLite":            {[]facts.Node{server("a", facts.K3sSQLite), {Name: "agent"}}, nil, "k3s on a keeps its cluster in SQLite, not in etcd"},
		"elsewhere":         {[]facts.Node{server("a", facts.K3sExternal), server("b", facts.K3sExternal)}, nil, "k3s on a keeps its cluster in a datastore elsewhere; k3s on b keeps its cluster in a datastore elsewhere, not in etcd"},
		"SQLite, by mishap": {[]facts.Node{server("a", facts.K3sSQLite), server("b", facts.K3sEtcd)}, []string{"b"}, ""},
		"no k3s":            {[]facts.Node{{Name: "a"}}, nil, "no node with an etcd member is known"},
	} {
		t.Run(name, func(t *testing.T) {
			nodes := &fakeNodes{answers: map[string]facts.Node{}}
			var desired config.Desired
			var selection config.Selection
			for _, n := range test.nodes {
				nodes.answers[n.Name] = n
				var roles []string
				if n.K3s.Datastore == facts.K3sSQLite {
					roles = []string{"etcd"} // somebody who does not know better
				}
				desired.Nodes = append(desired.Nodes, config.Node{Name: n.Name, Host: "10.0.0.1", Roles: roles})
				selection.Names = append(selection.Names, n.Name)
			}
			var members []string
			o := &Observer{Nodes: nodes, Etcd: fakeEtcd{nil, &members}, Now: time.Now}
			world, err := o.Observe(context.Background(), desired, []providers.Needs{{Etcd: true, Nodes: []providers.NodeNeed{{Nodes: selection, Question: facts.Question{ControlPlane: true}}}}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.members, members); diff != "" || world.Etcd.Unknown != test.unknown {
				t.Errorf("%q; members (-want +got):\n%s", world.Etcd.Unknown, diff)
			}
		})
	}
}
