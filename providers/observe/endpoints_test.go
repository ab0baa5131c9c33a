package observe

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// dialing asks nobody but the dialer, for each name it is given.
type dialing struct {
	names  *[]string
	errors map[string]string
}

func (d dialing) Observe(ctx context.Context, names []string, dial func(context.Context, string) (net.Conn, error)) facts.Etcd {
	*d.names = names
	for _, name := range names {
		conn, err := dial(ctx, name)
		if err != nil {
			d.errors[name] = err.Error()
			continue
		}
		conn.Close()
	}
	return facts.Etcd{ClusterID: "c1"}
}

func (dialing) Get(context.Context, []string, func(context.Context, string) (net.Conn, error), string) ([]byte, error) {
	return nil, errors.New("no key")
}

// Where endpoints are configured etcd is asked there and nowhere else, through the first node that answers and
// connects; of no node that is unknown anything is asked again.
func TestEndpoints(t *testing.T) {
	const one, two = "https://10.0.0.21:2379", "https://10.0.0.22:2379"
	var names, reached []string
	failed := map[string]string{}
	all := config.Selection{Roles: []string{"control-plane"}}
	o := Observer{
		Nodes: &fakeNodes{answers: map[string]facts.Node{"cp2": controlPlane("cp2"), "cp3": controlPlane("cp3")}, reach: func(node config.Node, e facts.EtcdEndpoint) (net.Conn, error) {
			reached = append(reached, node.Name+" "+e.URL)
			if node.Name == "cp2" || e.URL == two {
				return nil, errors.New(node.Name + ": " + e.URL + " refused")
			}
			conn, other := net.Pipe()
			other.Close()
			return conn, nil
		}},
		Etcd:      dialing{&names, failed},
		Now:       func() time.Time { return now },
		Endpoints: []Endpoint{{facts.EtcdEndpoint{URL: one}, all}, {facts.EtcdEndpoint{URL: two}, all}, {facts.EtcdEndpoint{URL: one}, all}},
	}
	desired := config.Desired{}
	for _, name := range []string{"cp1", "cp2", "cp3"} {
		desired.Nodes = append(desired.Nodes, config.Node{Name: name, Host: name, Roles: []string{"control-plane"}})
	}
	world, err := o.Observe(t.Context(), desired, []providers.Needs{{Etcd: true, Nodes: []providers.NodeNeed{{Nodes: all, Question: facts.Question{ControlPlane: true}}}}})
	if err != nil || world.Etcd.ClusterID != "c1" {
		t.Fatalf("%+v, %v", world.Etcd, err)
	}
	for _, test := range []struct {
		what      string
		got, want any
	}{
		{"asked", names, []string{one, two}},
		{"reached", reached, []string{"cp2 " + one, "cp3 " + one, "cp2 " + two, "cp3 " + two}},
		{"failed", failed, map[string]string{two: two + ": cp1 is unknown: cp1: no answer in 10s\ncp2: " + two + " refused\ncp3: " + two + " refused"}},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.what, diff)
		}
	}
}
