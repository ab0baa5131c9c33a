package planner

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
)

// What an update shares with the world is not looked at, and everything that is new becomes the value of the step,
// wherever it stands: the same as if the update's JSON were rewritten.
func TestConcrete(t *testing.T) {
	leaf := func(serial string) facts.Certificate { return facts.Certificate{Serial: serial, SHA256: serial} }
	before := func() facts.World {
		return facts.World{
			Nodes: map[string]*facts.Node{"cp1": {
				Name:         "cp1",
				Certificates: facts.Certificates{Files: []facts.CertificateFile{{Name: "apiserver", Blocks: []facts.Certificate{leaf("1")}}, {Name: "etcd-peer", Blocks: []facts.Certificate{leaf("2")}}}},
			}},
			Kubernetes: facts.Kubernetes{Nodes: []facts.KubernetesNode{{Name: "cp1", Labels: map[string]string{"a": "b"}}}, Leases: []facts.Lease{{Name: "kube-scheduler", Holder: "cp1"}}},
			Releases:   map[string]*facts.Release{"apps/web": {Namespace: "apps", Name: "web"}},
		}
	}
	tests := []struct {
		name   string
		update func(facts.World) facts.Update
		new    int // how many values become concrete
	}{
		{"nothing", func(facts.World) facts.Update { return facts.Update{} }, 0},
		{"a certificate among others", func(w facts.World) facts.Update {
			n := *w.Nodes["cp1"]
			n.Certificates.Files = append([]facts.CertificateFile(nil), n.Certificates.Files...)
			n.Certificates.Files[0].Blocks = []facts.Certificate{leaf(facts.New)}
			n.System.BootID = facts.New
			return facts.Update{Nodes: []facts.Node{n}}
		}, 3},
		{"a node that was not there", func(facts.World) facts.Update {
			return facts.Update{Nodes: []facts.Node{{Name: "cp2", System: facts.System{BootID: facts.New}}}}
		}, 1},
		{"a lease beside the nodes of the world", func(w facts.World) facts.Update {
			k := w.Kubernetes
			k.Leases = []facts.Lease{{Name: "kube-scheduler", Holder: facts.New}}
			return facts.Update{Kubernetes: &k}
		}, 1},
		{"a label of a node", func(w facts.World) facts.Update {
			k := w.Kubernetes
			k.Nodes = []facts.KubernetesNode{{Name: "cp1", Labels: map[string]string{"a": "b", "id": facts.New}}}
			return facts.Update{Kubernetes: &k}
		}, 1},
		{"a section of the memory", func(facts.World) facts.Update {
			return facts.Update{Sections: facts.Sections{{Type: "etcd_backup", Name: "daily"}: json.RawMessage(`{"version":1,"last":"` + facts.New + `"}`)}}
		}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			world := before()
			update := test.update(world)
			want, err := json.Marshal(update)
			if err != nil {
				t.Fatal(err)
			}
			mark := []byte(`"` + facts.New + `"`)
			if n := bytes.Count(want, mark); n != test.new {
				t.Fatalf("the update has %d new values, want %d", n, test.new)
			}
			concrete(world, &update, "a seed")
			got, err := json.Marshal(update)
			if err != nil {
				t.Fatal(err)
			}
			if test.new > 0 {
				want = bytes.ReplaceAll(want, mark, valueIn(t, want, got))
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before(), world); diff != "" {
				t.Errorf("the world was written into (-want +got):\n%s", diff)
			}
		})
	}
}

// valueIn returns what stands in one text where another has its first new value, with its quotes.
func valueIn(t *testing.T, with, without []byte) []byte {
	t.Helper()
	at := bytes.Index(with, []byte(`"`+facts.New+`"`))
	value := without[at : at+18]
	if bytes.Contains(value, []byte(facts.New)) {
		t.Fatalf("%s is still new in %s", value, without)
	}
	return value
}
