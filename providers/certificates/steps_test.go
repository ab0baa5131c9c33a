package certificates_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
)

// due returns three control planes of which cp2 has certificates due, and the steps for them with what they rely on.
func due(t testFailer) (providers.Input, []providers.Step) {
	w := worlds.ControlPlanes(3, now)
	worlds.Age(now, 12*day, w.Nodes["cp2"], "apiserver", "admin.conf", "controller-manager.conf")
	in := input(w, 3)
	steps, _ := fold(t, in, spec().Diff(in).Steps)
	return in, steps
}

func ready(in providers.Input, s providers.Step) providers.Readiness {
	return certificates.Type().Effects[s.Operation].Ready(in, s)
}

// TestStepsAreWholeAndReadable compares the steps of one node, as a person and the executor read them.
func TestStepsAreWholeAndReadable(t *testing.T) {
	in, steps := due(t)
	serial := func(name string) string { return worlds.File(in.World.Nodes["cp2"], name).Blocks[0].Serial }
	container := worlds.Pod(in.World.Nodes["cp2"], "kube-controller-manager").ContainerID
	for i := range steps {
		if !strings.Contains(string(steps[i].Args), `{"nodes":{"roles":["control-plane"]}`) {
			t.Errorf("arguments %s", steps[i].Args)
		}
		steps[i].Args = nil
	}
	const id = "certificates.control_plane@cp2"
	want := []providers.Step{
		{
			ID: id + "/renew", Address: address("cp2"), Node: "cp2", Operation: "certificates.renew", Action: "update",
			Summary: "renew apiserver, admin.conf, controller-manager.conf",
			Why: []string{
				"admin.conf on cp2 expires in 12d, and 2 more",
				"certificates.control_plane.renew_before = 30d (provider.upkeep.hcl:23)",
			},
			Changes: []providers.Change{
				{What: "not_after", Before: "2026-12-04", After: "2027-11-22"},
				{What: "client certificate in /root/.kube/config", Before: "an older one", After: "that of admin.conf"},
			},
			Guards: []providers.Need{{Name: "backup"}},
			Ground: []byte(`{"certificates":[{"name":"apiserver","serial":"` + serial("apiserver") + `","not_after":"2026-12-04T12:00:00Z"},` +
				`{"name":"admin.conf","serial":"` + serial("admin.conf") + `","not_after":"2026-12-04T12:00:00Z"},` +
				`{"name":"controller-manager.conf","serial":"` + serial("controller-manager.conf") + `","not_after":"2026-12-04T12:00:00Z"}],` +
				`"containers":{"kube-controller-manager":"` + container + `"}}`),
			GroundText: []string{
				"serial of apiserver = " + serial("apiserver"), "not_after of apiserver = 2026-12-04T12:00:00Z",
				"serial of admin.conf = " + serial("admin.conf"), "not_after of admin.conf = 2026-12-04T12:00:00Z",
				"serial of controller-manager.conf = " + serial("controller-manager.conf"), "not_after of controller-manager.conf = 2026-12-04T12:00:00Z",
				"container of kube-controller-manager = " + container,
			},
			Proof:    "new serials that end 2027-11-22; keys and chains match; kubeconfigs keep server and authorities; the ports serve the new serials; no container restarted",
			Undo:     "restore the archive of /etc/kubernetes that upkeep takes on cp2 before the first change",
			Reversal: providers.Reversal{Way: providers.ReverseArchive},
			Estimate: 3, Position: "provider.upkeep.hcl:20",
		},
		{
			ID: id + "/restart", Address: address("cp2"), Node: "cp2", Operation: "certificates.restart", Action: "update",
			Summary: "restart kube-controller-manager",
			Why: []string{
				"kube-controller-manager on cp2 reads its kubeconfig only when it starts, and it is renewed",
				"certificates.control_plane.renew_before = 30d (provider.upkeep.hcl:23)",
			},
			Changes:    []providers.Change{{What: "container of kube-controller-manager", Before: "running", After: "new"}},
			Disruption: "kube-controller-manager restarts on cp2", Unaffected: "API, etcd and workloads keep running",
			Guards: []providers.Need{{Name: "backup"}, {Name: "leases", Optional: true}}, Rest: true, After: []string{id + "/renew"},
			Ground:     []byte(`{"containers":{"kube-controller-manager":"` + container + `"}}`),
			GroundText: []string{"container of kube-controller-manager = " + container},
			Proof:      "new containers that started later; leases renewed since; the API server ready; 6443 2379 2380 serve what is on disk; etcd healthy",
			Undo:       "none is needed: the same container starts again",
			Reversal:   providers.Reversal{Way: providers.ReverseNone},
			Estimate:   5, Position: "provider.upkeep.hcl:20",
		},
	}
	if d := cmp.Diff(want, steps); d != "" {
		t.Error(d)
	}
}
