package planner_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner"
	"upkeep/providers/facts"
)

// TestStandingChanges: what people changed while a hold stood is listed with what it was, and of a node that one look did not
// reach nothing else is said.
func TestStandingChanges(t *testing.T) {
	world := func(change func(*facts.World)) facts.World {
		end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		node := func(name string) *facts.Node {
			return &facts.Node{
				Name: name, System: facts.System{Kernel: "6.8.0-45"},
				Certificates: facts.Certificates{Files: []facts.CertificateFile{{Name: "apiserver", Blocks: []facts.Certificate{{Serial: "0A", NotAfter: end}}}}},
				ControlPlane: facts.ControlPlane{StaticPods: []facts.StaticPod{{Component: "kube-apiserver", Image: "kube-apiserver:v1.35.0"}}},
			}
		}
		software := func() facts.Software {
			return facts.Software{Total: 700, Digest: "1f2e3d4c", Packages: []facts.Package{
				{Name: "containerd.io", Architecture: "amd64", Status: "ii", Version: "2.0.2-1"},
				{Name: "kubelet", Architecture: "amd64", Status: "hi", Version: "1.35.4-1.1", Held: true},
			}, Runtime: facts.Runtime{Name: "containerd", Version: "2.0.2", Handlers: []string{"nvidia", "runc"}}}
		}
		w := facts.World{
			Nodes: map[string]*facts.Node{"cp1": node("cp1"), "cp2": node("cp2")},
			Kubernetes: facts.Kubernetes{Nodes: []facts.KubernetesNode{
				{Name: "cp1", Ready: true, Version: "v1.35.0", Labels: map[string]string{"zone": "a"}},
			}},
			Etcd:        facts.Etcd{Members: []facts.Member{{ID: "8e9e", Name: "cp1", Version: "3.6.5"}}},
			Definitions: map[string]facts.Definition{"manifests.akash.network": {Served: []string{"v2beta2"}}},
			Releases: map[string]*facts.Release{"akash-services/akash-provider": {
				Namespace: "akash-services", Name: "akash-provider", Revision: 27, Status: "deployed", Chart: facts.ChartVersion{Version: "6.0.5"},
			}},
			Tenancies: &facts.Tenancies{Leases: []facts.TenantLease{{Owner: "akash1", DSeq: "7", GSeq: "1", OSeq: "1"}}},
		}
		w.Nodes["cp1"].Software, w.Nodes["cp2"].Software = software(), software()
		change(&w)
		return w
	}
	before := planner.Standing(world(func(*facts.World) {}))
	for name, test := range map[string]struct {
		change func(*facts.World)
		want   []planner.StandingChange
	}{
		"nothing": {change: func(*facts.World) {}},
		"an upgrade": {
			change: func(w *facts.World) {
				w.Nodes["cp1"].ControlPlane.StaticPods[0].Image = "kube-apiserver:v1.36.0"
				w.Nodes["cp1"].Certificates.Files[0].Blocks[0].Serial = "0B"
				w.Kubernetes.Nodes[0].Version, w.Kubernetes.Nodes[0].Labels = "v1.36.0", map[string]string{"rack": "7"}
				w.Etcd.Members[0].Version, w.Tenancies.Leases, w.Releases["akash-services/akash-provider"].Revision = "3.6.6", nil, 28
			},
			want: []planner.StandingChange{
				{"Kubernetes node cp1 label rack", "", "7"},
				{"Kubernetes node cp1 label zone", "a", ""},
				{"Kubernetes node cp1 version", "v1.35.0", "v1.36.0"},
				{"cp1 certificate apiserver", "serial 0A, valid to 2027-01-01", "serial 0B, valid to 2027-01-01"},
				{"cp1 static pod kube-apiserver", "kube-apiserver:v1.35.0", "kube-apiserver:v1.36.0"},
				{"etcd member cp1", "3.6.5", "3.6.6"},
				{"lease akash1/7/1/1", "active", ""},
				{"release akash-services/akash-provider", "revision 27, deployed, chart 6.0.5", "revision 28, deployed, chart 6.0.5"},
			},
		},
		"packages, a hold and a runtime": {
			change: func(w *facts.World) {
				s := &w.Nodes["cp1"].Software
				s.Digest, s.Total = "aaaaaaaa", 701
				s.Packages[0].Version = "2.1.0-1"
				s.Packages[1].Held, s.Packages[1].Status = false, "iF"
				s.Packages = append(s.Packages, facts.Package{
					Name: "linux-image-6.8.0-50-generic", Architecture: "amd64", Status: "ii", Version: "6.8.0-50.51"})
				s.Runtime.Version, s.Runtime.Handlers = "2.1.0", []string{"runc"}
			},
			want: []planner.StandingChange{
				{"cp1 container runtime", "containerd 2.0.2", "containerd 2.1.0"},
				{"cp1 package containerd.io", "2.0.2-1", "2.1.0-1"},
				{"cp1 package hold kubelet", "held", ""},
				{"cp1 package kubelet", "1.35.4-1.1", "1.35.4-1.1 (not configured, dpkg says iF)"},
				{"cp1 package linux-image-6.8.0-50-generic", "", "6.8.0-50.51"},
				{"cp1 packages", "700 installed (digest 1f2e3d4c)", "701 installed (digest aaaaaaaa)"},
				{"cp1 runtime handlers", "nvidia, runc", "runc"},
			},
		},
		"packages that cannot be read": {
			change: func(w *facts.World) {
				w.Nodes["cp1"].Software = facts.Software{Unknown: "read", Runtime: facts.Runtime{Unknown: "no socket"}}
			},
			want: []planner.StandingChange{
				{"cp1 container runtime", "containerd 2.0.2", "unknown"},
				{"cp1 packages", "700 installed (digest 1f2e3d4c)", "unknown"},
			},
		},
		"a look that asked for no packages": {
			change: func(w *facts.World) { w.Nodes["cp1"].Software = facts.Software{} },
		},
		"a node that does not answer": {
			change: func(w *facts.World) { w.Nodes["cp2"] = &facts.Node{Name: "cp2", Unknown: "ssh: no answer"} },
			want:   []planner.StandingChange{{"cp2", "reached", "unknown"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, planner.StandingChanges(before, planner.Standing(world(test.change)))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAHoldIsSaidInAPlan: every plan says first that nothing will be changed, and when the hold should have ended.
func TestAHoldIsSaidInAPlan(t *testing.T) {
	r := testRequest(1, nil)
	r.Memory.Hold = &facts.Hold{Reason: "kubespray 2.31", Who: "ops@admin", At: r.Now.Add(-time.Hour), Until: r.Now.Add(time.Hour)}
	if got := built(t, r).Warnings; len(got) == 0 || !strings.HasPrefix(got[0], "A hold of ops@admin stands since") || strings.Contains(got[0], "should have ended") {
		t.Errorf("%q", got)
	}
	r.Memory.Hold.Until = r.Now
	if got := built(t, r).Warnings; len(got) == 0 || !strings.Contains(got[0], "It should have ended at") {
		t.Errorf("%q", got)
	}
}
