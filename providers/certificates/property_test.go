package certificates_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

var leaves = []string{
	"apiserver", "apiserver-kubelet-client", "front-proxy-client", "apiserver-etcd-client", "etcd-server", "etcd-peer",
	"etcd-healthcheck-client", "admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf",
}

// faults break a node. Those of a step's own making leave everything known; blind ones hide something.
type fault struct {
	name  string
	blind bool
	apply func(t *rapid.T, w *facts.World, n *facts.Node)
}

var faults = []fault{
	{name: "aged", apply: func(t *rapid.T, _ *facts.World, n *facts.Node) {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(leaves), 1, len(leaves), rapid.ID).Draw(t, "names")
		worlds.Age(now, time.Duration(rapid.Int64Range(-400, 60).Draw(t, "days left"))*day, n, names...)
	}},
	{name: "key mismatch", apply: func(t *rapid.T, _ *facts.World, n *facts.Node) {
		worlds.File(n, rapid.SampledFrom(leaves).Draw(t, "name")).Key = "mismatch"
	}},
	{name: "kubeconfig changed", apply: func(t *rapid.T, _ *facts.World, n *facts.Node) {
		worlds.File(n, rapid.SampledFrom([]string{"controller-manager.conf", "scheduler.conf"}).Draw(t, "name")).Modified = now.Add(-time.Hour)
	}},
	{name: "port stuck", apply: func(t *rapid.T, _ *facts.World, n *facts.Node) {
		worlds.Served(n, rapid.SampledFrom([]string{"apiserver", "etcd-server", "etcd-peer"}).Draw(t, "name")).SHA256 = "old"
	}},
	{name: "copy behind", apply: func(_ *rapid.T, _ *facts.World, n *facts.Node) {
		b := &worlds.File(n, worlds.Copy).Blocks[0]
		b.SHA256, b.NotAfter = "old", b.NotAfter.Add(-day)
	}},
	{name: "unfinished", apply: func(t *rapid.T, _ *facts.World, n *facts.Node) {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(leaves), 2, 4, rapid.ID).Draw(t, "names")
		n.Certificates.Unfinished = append(n.Certificates.Unfinished, facts.Unfinished{ID: fmt.Sprint("r", len(n.Certificates.Unfinished)), Installed: names[:1], Remaining: names[1:]})
		worlds.File(n, names[1]).Key = "mismatch"
	}},
	{name: "chain", apply: func(t *rapid.T, _ *facts.World, n *facts.Node) {
		worlds.File(n, rapid.SampledFrom(leaves).Draw(t, "name")).Chain = "unknown authority"
	}},
	{name: "authority differs", apply: func(t *rapid.T, _ *facts.World, n *facts.Node) {
		worlds.File(n, rapid.SampledFrom([]string{"ca", "etcd-ca", "front-proxy-ca"}).Draw(t, "name")).Blocks[0].SHA256 = "other"
	}},
	{name: "authority key", apply: func(t *rapid.T, _ *facts.World, n *facts.Node) {
		worlds.File(n, rapid.SampledFrom([]string{"ca", "etcd-ca", "front-proxy-ca"}).Draw(t, "name")).Key = rapid.SampledFrom([]string{"missing", "mismatch"}).Draw(t, "key")
	}},
	{name: "component down", apply: func(t *rapid.T, _ *facts.World, n *facts.Node) {
		worlds.Pod(n, rapid.SampledFrom([]string{"kube-scheduler", "etcd", "kube-apiserver", "kube-controller-manager"}).Draw(t, "component")).ContainerID = ""
	}},
	{name: "missing", apply: func(t *rapid.T, _ *facts.World, n *facts.Node) {
		f := worlds.File(n, rapid.SampledFrom(leaves).Draw(t, "name"))
		if f.Unknown != "" {
			return
		}
		*f = facts.CertificateFile{Name: f.Name, Kind: f.Kind, Path: f.Path, KeyPath: f.KeyPath, Authority: f.Authority, Missing: true}
	}},
	{name: "unreadable", blind: true, apply: func(t *rapid.T, _ *facts.World, n *facts.Node) {
		f := worlds.File(n, rapid.SampledFrom(leaves).Draw(t, "name"))
		f.Missing, f.Unknown, f.Blocks, f.Key = false, "no PEM block", nil, ""
	}},
	{name: "node unknown", blind: true, apply: func(_ *rapid.T, _ *facts.World, n *facts.Node) {
		*n = facts.Node{Name: n.Name, Unknown: "no answer"}
	}},
	{name: "containers unknown", blind: true, apply: func(_ *rapid.T, _ *facts.World, n *facts.Node) {
		n.ControlPlane.ContainersUnknown = "no CRI socket answers"
	}},
	{name: "control plane unknown", blind: true, apply: func(_ *rapid.T, _ *facts.World, n *facts.Node) {
		n.ControlPlane = facts.ControlPlane{Unknown: "not asked"}
	}},
	{name: "layout unknown", blind: true, apply: func(_ *rapid.T, _ *facts.World, n *facts.Node) {
		n.Certificates = facts.Certificates{Unknown: "no known layout"}
	}},
	{name: "configuration unknown", blind: true, apply: func(_ *rapid.T, w *facts.World, _ *facts.Node) {
		w.Kubernetes.ClusterConfiguration, w.Kubernetes.ClusterConfigurationUnknown = "", "forbidden"
	}},
	{name: "port silent", blind: true, apply: func(t *rapid.T, _ *facts.World, n *facts.Node) {
		worlds.Served(n, rapid.SampledFrom([]string{"apiserver", "etcd-server", "etcd-peer"}).Draw(t, "name")).Unknown = "refused"
	}},
}

// broken draws a world with some faults in it, and says whether one of them hides something.
func broken(t *rapid.T) (in providers.Input, blind bool) {
	n := rapid.IntRange(1, 5).Draw(t, "control planes")
	w := worlds.ControlPlanes(n, now)
	for range rapid.IntRange(0, 6).Draw(t, "faults") {
		f := rapid.SampledFrom(faults).Draw(t, "fault")
		node := w.Nodes[worlds.Name(rapid.IntRange(0, n-1).Draw(t, "node"))]
		if node.Unknown != "" || node.Certificates.Unknown != "" || node.ControlPlane.Unknown != "" {
			continue
		}
		f.apply(t, &w, node)
		blind = blind || f.blind
	}
	in = input(w, n)
	if rapid.Bool().Draw(t, "a primary") {
		in.Inventory.Nodes[rapid.IntRange(0, n-1).Draw(t, "primary")].Primary = true
	}
	if rapid.Bool().Draw(t, "replace") {
		in.Replace = []providers.Address{address(worlds.Name(rapid.IntRange(0, n-1).Draw(t, "replaced")))}
	}
	return in, blind
}

// TestPropertyPlansConverge: what a plan predicts needs no further step, unless something is unknown.
func TestPropertyPlansConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, _ := broken(t)
		steps, befores := fold(t, in, spec().Diff(in).Steps)
		last := befores[len(befores)-1]
		last.Replace = nil
		if again := spec().Diff(last).Steps; len(again) > 0 {
			t.Fatalf("after %v it would still %v", ids(steps), ids(again))
		}
	})
}

// TestPropertyUnknownIsNeverHealthy: whatever hides something is reported as unknown, and its objects are not "ok".
func TestPropertyUnknownIsNeverHealthy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, blind := broken(t)
		out := spec().Diff(in)
		unknown := slices.ContainsFunc(out.Findings, func(f providers.Finding) bool { return f.Unknown })
		if blind != unknown {
			t.Fatalf("something hidden: %t; reported as unknown: %t: %v", blind, unknown, out.Findings)
		}
		for name, n := range in.World.Nodes {
			if n.Unknown == "" {
				continue
			}
			for _, s := range out.Steps {
				if s.Node == name {
					t.Fatalf("%s is planned for a node of which nothing is known", s.ID)
				}
			}
			for _, o := range out.Objects {
				if o.Address.Node == name && o.Status != "unknown" {
					t.Fatalf("%v is called %s on a node of which nothing is known", o, o.Status)
				}
			}
		}
	})
}

// TestPropertyOneControlPlaneAtATime: apart from repairing, which comes first, all steps of a node stand together, in the order
// renew, restart, and each names the guard and counts as disruptive.
func TestPropertyOneControlPlaneAtATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, _ := broken(t)
		var nodes []string
		repair, turn := true, -1
		for _, s := range spec().Diff(in).Steps {
			if s.Operation == certificates.OperationRepair {
				if !repair {
					t.Fatalf("%s comes after steps that disturb a control plane", s.ID)
				}
				continue
			}
			repair = false
			if len(nodes) == 0 || nodes[len(nodes)-1] != s.Node {
				if slices.Contains(nodes, s.Node) {
					t.Fatalf("the steps of %s are torn apart: %v then %s", s.Node, nodes, s.ID)
				}
				nodes = append(nodes, s.Node)
			}
			if s.Turn < turn {
				t.Fatalf("%s of turn %d stands after one of turn %d", s.ID, s.Turn, turn)
			}
			turn = s.Turn
			// What disrupts is put into the lane of the control planes by the planner.
			if s.Repairs || !s.Disrupts() || !slices.Contains(s.Guards, providers.Need{Name: "backup"}) {
				t.Fatalf("%s repairs: %v, disrupts: %v, with guards %v", s.ID, s.Repairs, s.Disrupts(), s.Guards)
			}
		}
	})
}

// TestPropertyDoneAfterwards: a step's own prediction makes it done, and so does the same world with values in the place of what
// could not be known; there it is proved, too, when the cluster was whole before.
func TestPropertyDoneAfterwards(t *testing.T) {
	effects := certificates.Type().Effects
	rapid.Check(t, func(t *rapid.T) {
		in, _ := broken(t)
		in.Replace = nil
		world := worlds.Concrete(in.World)
		for _, s := range spec().Diff(in).Steps {
			effect := effects[s.Operation]
			before := in
			before.World = world
			s = grounded(t, effect, before, s)
			ready := effect.Ready(before, s)
			after := before
			after.World = world.Clone()
			after.World.Apply(effect.Predict(before, s))
			if ready := effect.Ready(after, s); ready.State != providers.Done && ready.State != providers.Unknown {
				t.Fatalf("%s after its own prediction: %v", s.ID, ready)
			}
			after.World = worlds.Concrete(after.World)
			if ready.State == providers.Holds {
				if ready := effect.Ready(after, s); ready.State != providers.Done {
					t.Fatalf("%s after it was done: %v", s.ID, ready)
				}
				if err := effect.Proved(before, after, s); err != nil && whole(after) {
					t.Fatalf("%s is not proved: %v", s.ID, err)
				}
				if err := effect.Proved(before, before, s); err == nil {
					t.Fatalf("%s is proved by nothing having happened", s.ID)
				}
			}
			world = after.World
		}
	})
}

// whole reports whether nothing but due certificates is wrong with a world.
func whole(in providers.Input) bool {
	return !slices.ContainsFunc(spec().Diff(in).Findings, func(f providers.Finding) bool {
		return f.Unknown || strings.HasPrefix(f.ID, "NODE_") || f.ID == "CERT_CHAIN_BROKEN" || f.ID == "CERT_SERVED_DIFFERS"
	})
}

// TestPropertyDiffIsAFunction: the same input gives the same outcome, and the input is left as it was.
func TestPropertyDiffIsAFunction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, _ := broken(t)
		kept := worlds.Clone(in.World)
		first, second := spec().Diff(in), spec().Diff(in)
		fold(t, in, first.Steps)
		if d := cmp.Diff(first, second); d != "" {
			t.Fatal(d)
		}
		if d := cmp.Diff(kept, in.World); d != "" {
			t.Fatalf("the input was written to:\n%s", d)
		}
	})
}

// TestPropertySameWorkSameArguments: serials, container ids and the clock stand outside the arguments.
func TestPropertySameWorkSameArguments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, _ := broken(t)
		later := in
		later.World = worlds.Clone(in.World)
		for _, n := range later.World.Nodes {
			for i := range n.Certificates.Files {
				for j := range n.Certificates.Files[i].Blocks {
					n.Certificates.Files[i].Blocks[j].Serial += "1"
				}
			}
			for i := range n.ControlPlane.StaticPods {
				if p := &n.ControlPlane.StaticPods[i]; p.ContainerID != "" {
					p.ContainerID += "1"
				}
			}
		}
		a, b := spec().Diff(in).Steps, spec().Diff(later).Steps
		if len(a) != len(b) {
			t.Fatalf("%v became %v", ids(a), ids(b))
		}
		for i := range a {
			if a[i].ID != b[i].ID || string(a[i].Args) != string(b[i].Args) {
				t.Fatalf("%s %s became %s %s", a[i].ID, a[i].Args, b[i].ID, b[i].Args)
			}
		}
	})
}

func ids(steps []providers.Step) []string {
	out := make([]string, len(steps))
	for i, s := range steps {
		out[i] = s.ID + ": " + s.Summary
	}
	return out
}
