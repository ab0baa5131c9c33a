package certificates_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// layoutCases are about layouts that are not kubeadm's.
func layoutCases() []findingCase {
	kubespray := func(change func(w *facts.World)) func(*facts.World, *certificates.Spec) {
		return func(w *facts.World, _ *certificates.Spec) {
			*w = worlds.Kubespray(3, now)
			change(w)
		}
	}
	return []findingCase{
		{name: "a healthy kubespray", change: kubespray(func(*facts.World) {})},
		{
			name: "kubespray's etcd on its last days",
			change: kubespray(func(w *facts.World) {
				worlds.Age(now, 12*day, w.Nodes["cp1"], "etcd-member", "etcd-node", "apiserver")
			}),
			want: []providers.Finding{
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "apiserver", Summary: "expires in 12d; renewal starts 30d before"},
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "etcd-member", Summary: "expires in 12d; renewal starts 30d before"},
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "etcd-node", Summary: "expires in 12d; renewal starts 30d before"},
			},
			steps: []string{cp1 + "/renew: renew apiserver, etcd-member, etcd-node"},
		},
		{
			name: "an etcd that serves an older certificate for an hour",
			change: kubespray(func(w *facts.World) {
				worlds.File(w.Nodes["cp2"], "etcd-member").Modified = now.Add(-time.Hour)
				for i := range w.Nodes["cp2"].Certificates.Served {
					if s := &w.Nodes["cp2"].Certificates.Served[i]; s.Address == "10.0.0.12:2380" {
						s.SHA256, s.Serial = "older", "01DE"
					}
				}
			}),
			want: []providers.Finding{{
				ID: "CERT_SERVED_DIFFERS", Severity: "error", Address: address("cp2"), Object: "etcd 10.0.0.12:2380",
				Summary: "serves 01DE, not " + worlds.File(worlds.Kubespray(2, now).Nodes["cp2"], "etcd-member").Blocks[0].Serial + " as on disk",
			}},
			steps: []string{cp2 + "/restart-service: restart etcd.service"},
		},
		{
			name:   "etcd.service is not active",
			change: kubespray(func(w *facts.World) { w.Nodes["cp3"].Services[0].Invocation = "" }),
			want: []providers.Finding{{
				ID: "NODE_CONTROL_PLANE_BROKEN", Severity: "error", Address: address("cp3"), Object: "etcd", Summary: "etcd.service is not active",
				Hint: "look at `crictl ps -a` and `journalctl -u kubelet` on cp3; until then upkeep changes no other control plane",
			}},
		},
		{
			name: "copies of manifests where the kubelet reads them",
			change: func(w *facts.World, _ *certificates.Spec) {
				cp := &w.Nodes["cp1"].ControlPlane
				cp.Doubles = []facts.DoubleManifest{
					{Component: "kube-apiserver", Path: "/etc/kubernetes/manifests/kube-apiserver.yaml.bak"},
					{Component: "kube-scheduler", Path: "/etc/kubernetes/manifests/old"},
				}
				worlds.Pod(w.Nodes["cp1"], "kube-scheduler").ContainerID = ""
			},
			want: []providers.Finding{
				{
					ID: "NODE_MANIFEST_DOUBLE", Severity: "warning", Address: address("cp1"), Object: "kube-apiserver",
					Summary: "the kubelet also reads /etc/kubernetes/manifests/kube-apiserver.yaml.bak, a second manifest of kube-apiserver",
					Hint: "compare it with /etc/kubernetes/manifests/kube-apiserver.yaml. " +
						"Move the one that is not right out of the directory, for example to /root",
				},
				{
					ID: "NODE_MANIFEST_DOUBLE", Severity: "error", Address: address("cp1"), Object: "kube-scheduler",
					Summary: "the kubelet also reads /etc/kubernetes/manifests/old, a second manifest of kube-scheduler; no container of kube-scheduler runs",
					Hint: "compare it with /etc/kubernetes/manifests/kube-scheduler.yaml. " +
						"Move the one that is not right out of the directory, for example to /root",
				},
			},
		},
		{
			name: "kubespray's own timer",
			change: kubespray(func(w *facts.World) {
				w.Nodes["cp1"].Certificates.Foreign = &facts.ForeignRenewal{
					Script: "/usr/local/bin/k8s-certs-renew.sh", SHA256: strings.Repeat("ab", 32), Revision: "the first revision: renews on every run",
					Timer: "k8s-certs-renew.timer", Schedule: "Mon *-*-1,2,3,4,5,6,7 03:00:00", Enabled: true,
				}
			}),
			want: []providers.Finding{{
				ID: "CERT_FOREIGN_RENEWAL", Severity: "warning", Address: address("cp1"), Object: "k8s-certs-renew.timer",
				Summary: "k8s-certs-renew.timer also renews certificates here (OnCalendar=Mon *-*-1,2,3,4,5,6,7 03:00:00): " +
					"/usr/local/bin/k8s-certs-renew.sh, the first revision: renews on every run, sha256 abababababab",
				Hint: "the script takes no backup, no lock and no configuration of the cluster. It restarts all of a node's control plane at once. " +
					"Run `systemctl disable --now k8s-certs-renew.timer`, and set auto_renew_certificates: false for kubespray",
			}},
		},
		{
			name: "an external etcd without a host",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Kubernetes.ClusterConfiguration = worlds.KubesprayConfiguration
				for _, n := range w.Nodes {
					n.Certificates.Files = slices.DeleteFunc(n.Certificates.Files, func(f facts.CertificateFile) bool {
						return f.Authority == "etcd-ca" || f.Name == "etcd-ca"
					})
					n.Certificates.Served = slices.DeleteFunc(n.Certificates.Served, func(s facts.Served) bool { return s.Component == "etcd" })
				}
			},
			want: []providers.Finding{{
				ID: "CERT_ETCD_UNKNOWN", Severity: "error", Address: address(""), Object: "etcd", Unknown: true,
				Summary: "etcd runs outside the control planes, and no node of the block is a host of etcd",
				Hint:    `declare the hosts of etcd as nodes with roles = ["etcd"], and add role("etcd") to nodes`,
			}},
		},
	}
}

// rancherInput is a cluster of k3s or RKE2 with three servers and five agents, all of them in the block.
func rancherInput(name string) (certificates.Spec, providers.Input) {
	w := worlds.Rancher(name, 3, 5, now)
	s := spec()
	s.Nodes, s.Kubeconfigs = config.Selection{Roles: []string{"control-plane", "agent"}}, nil
	desired := config.Desired{Nodes: worlds.RancherNodes(3, 5)}
	return s, providers.Input{World: w, Now: now, Inventory: providers.NewInventory(desired, w)}
}

func TestAHealthyRancherHasNoFindings(t *testing.T) {
	for _, name := range []string{"k3s", "rke2"} {
		s, in := rancherInput(name)
		if out := s.Diff(in); len(out.Findings)+len(out.Steps)+len(out.Warnings) > 0 {
			t.Errorf("%s: %+v, %v, %v", name, out.Findings, out.Steps, out.Warnings)
		}
	}
}

// Servers restart one after the other, agents in batches after them, and nothing remains to be done.
func TestRancherRenewsByItsService(t *testing.T) {
	for name, service := range map[string][2]string{
		"k3s": {"k3s.service", "k3s-agent.service"}, "rke2": {"rke2-server.service", "rke2-agent.service"},
	} {
		s, in := rancherInput(name)
		for _, node := range []string{"cp1", "cp2"} {
			worlds.Age(now, 12*day, in.World.Nodes[node], "client-admin", "dynamic-cert.json")
		}
		worlds.Age(now, -day, in.World.Nodes["cp5"], "agent/client-kubelet")
		out := s.Diff(in)
		want := []string{
			cp1 + "/restart-service: restart " + service[0], cp2 + "/restart-service: restart " + service[0],
			"certificates.control_plane@cp5/restart-service: restart " + service[1],
		}
		if d := cmp.Diff(want, ids(out.Steps)); d != "" {
			t.Fatal(d)
		}
		if d := cmp.Diff([]string{out.Steps[0].ID, out.Steps[1].ID}, out.Steps[2].After); d != "" {
			t.Errorf("the agent does not wait for the servers: %s", d)
		}
		if l := out.Steps[2].Lanes; len(l) != 1 || l[0].Width != 3 || len(l[0].Selection) != 5 {
			t.Errorf("lanes %+v", l)
		}
		steps, befores := fold(t, in, out.Steps)
		effect := certificates.Type().Effects[certificates.OperationService]
		for i, step := range steps {
			before, after := befores[i], befores[i+1]
			before.World, after.World = worlds.Concrete(before.World), worlds.Concrete(after.World)
			step = grounded(t, effect, before, step)
			if r := effect.Ready(before, step); r.State != providers.Holds {
				t.Errorf("%s before: %+v", step.ID, r)
			}
			if err := effect.Proved(before, after, step); err != nil {
				t.Errorf("%s: %v", step.ID, err)
			}
			if r := effect.Ready(after, step); r.State != providers.Done {
				t.Errorf("%s after: %+v", step.ID, r)
			}
			if err := effect.Proved(before, before, step); err == nil {
				t.Errorf("%s: nothing happened, and that is proved", step.ID)
			}
		}
		if left := s.Diff(befores[len(befores)-1]); len(left.Findings)+len(left.Steps) > 0 {
			t.Errorf("%s: left %+v, %v", name, left.Findings, ids(left.Steps))
		}
	}
}

// A server waits while another one is down, and one that is down itself does not.
func TestRancherServersOneAtATime(t *testing.T) {
	s, in := rancherInput("k3s")
	worlds.Age(now, 12*day, in.World.Nodes["cp1"], "client-admin")
	steps, _ := fold(t, in, s.Diff(in).Steps)
	in.World = worlds.Clone(in.World)
	in.World.Nodes["cp2"].Services[0].Invocation = ""
	if r := ready(in, steps[0]); r.State != providers.Unknown || !strings.Contains(r.Why, "cp2 is unhealthy, and only one node may be disrupted at a time") {
		t.Errorf("%+v", r)
	}
}

// What no restart renews is said, and no step claims it, until it has expired: then it is set aside.
func TestRancherSelfMadeCertificates(t *testing.T) {
	s, in := rancherInput("k3s")
	worlds.Age(now, day, in.World.Nodes["cp1"], "kube-scheduler/kube-scheduler")
	out := s.Diff(in)
	if len(out.Steps) > 0 || len(out.Findings) != 1 || !strings.Contains(out.Findings[0].Hint, "k3s does not renew this certificate") {
		t.Errorf("%+v, %v", out.Findings, ids(out.Steps))
	}
	worlds.Age(now, -day, in.World.Nodes["cp1"], "kube-scheduler/kube-scheduler", "dynamic-cert.json")
	in.World.Nodes["cp1"].Certificates.Served[0].SHA256 = worlds.File(in.World.Nodes["cp1"], "dynamic-cert.json").Blocks[0].SHA256
	out = s.Diff(in)
	want := []string{cp1 + "/restart-service: restart k3s.service, with dynamic-cert.json, kube-scheduler/kube-scheduler set aside"}
	if d := cmp.Diff(want, ids(out.Steps)); d != "" {
		t.Fatal(d)
	}
	if s := out.Steps[0]; s.Reversal.Way != providers.ReverseByHand || !strings.Contains(s.Undo,
		"on cp1: stop k3s.service, rename each FILE.expired-DATE back to FILE (/var/lib/rancher/k3s/server/tls/dynamic-cert.json, ") {
		t.Errorf("files are set aside, and the way back is %q: %s", s.Reversal.Way, s.Undo)
	}
	steps, befores := fold(t, in, out.Steps)
	if left := s.Diff(befores[1]); len(left.Findings)+len(left.Steps) > 0 {
		t.Errorf("left %+v, %v", left.Findings, ids(left.Steps))
	}
	h := &helper{}
	if err := certificates.Operations(h)[certificates.OperationService].Run(t.Context(), steps[0], nil); err != nil {
		t.Error(err)
	}
	if len(h.calls) != 1 || !strings.Contains(h.calls[0], `"aside":["dynamic-cert.json","kube-scheduler/kube-scheduler"]`) {
		t.Errorf("%v", h.calls)
	}
	run := certificates.Type().Effects[certificates.OperationService].ByHand(in, steps[0])[0].Run
	for _, line := range []string{
		"systemctl stop k3s.service", "mv /var/lib/rancher/k3s/server/tls/dynamic-cert.json /var/lib/rancher/k3s/server/tls/dynamic-cert.json.expired",
		"mv /var/lib/rancher/k3s/server/tls/kube-scheduler/kube-scheduler.key /var/lib/rancher/k3s/server/tls/kube-scheduler/kube-scheduler.key.expired",
	} {
		if !strings.Contains(run, line) {
			t.Errorf("by hand, without %q:\n%s", line, run)
		}
	}
}

// A cluster in SQLite is no cluster with a broken etcd.
func TestK3sInSQLite(t *testing.T) {
	s, in := rancherInput("k3s")
	for _, n := range in.World.Nodes {
		if n.K3s.Datastore != "" {
			n.K3s.Datastore = facts.K3sSQLite
		}
	}
	in.World.Etcd = facts.Etcd{Unknown: "no member"}
	out := s.Diff(in)
	want := []string{"certificates.control_plane: k3s on cp1 keeps its cluster in SQLite, so no etcd is looked at"}
	if d := cmp.Diff(want, out.Warnings); d != "" || len(out.Findings) > 0 {
		t.Errorf("%s, %+v", d, out.Findings)
	}
}

// The certificates of kubespray's etcd are issued again by the helper: nothing of kubeadm is needed on a host of
// etcd alone.
func TestKubesprayRenewalIsProved(t *testing.T) {
	w := worlds.Kubespray(1, now)
	worlds.Age(now, 12*day, w.Nodes["cp1"], "etcd-member", "apiserver")
	in := input(w, 1)
	steps, befores := fold(t, in, spec().Diff(in).Steps)
	after := befores[1]
	after.World = worlds.Concrete(after.World)
	effect := certificates.Type().Effects[certificates.OperationRenew]
	if err := effect.Proved(in, after, steps[0]); err != nil {
		t.Error(err)
	}
	b := &worlds.File(after.World.Nodes["cp1"], "etcd-member").Blocks[0]
	b.NotAfter = b.NotAfter.Add(-30 * day)
	if err := effect.Proved(in, after, steps[0]); err == nil || !strings.Contains(err.Error(), "was to live as long as the old one") {
		t.Errorf("%v", err)
	}
	h := &helper{}
	if err := certificates.Operations(h)[certificates.OperationRenew].Run(t.Context(), steps[0], nil); err != nil {
		t.Error(err)
	}
	if len(h.calls) != 1 || !strings.Contains(h.calls[0], `"names":["apiserver","etcd-member"]`) {
		t.Errorf("%v", h.calls)
	}
}

// A restart of a service names the start that must end.
func TestRestartServiceIsAsked(t *testing.T) {
	s, in := rancherInput("k3s")
	worlds.Age(now, 12*day, in.World.Nodes["cp1"], "client-admin")
	steps, _ := fold(t, in, s.Diff(in).Steps)
	h := &helper{}
	if err := certificates.Operations(h)[certificates.OperationService].Run(t.Context(), steps[0], nil); err != nil {
		t.Error(err)
	}
	want := fmt.Sprintf(`"service":"k3s.service","invocation":"%s"`, in.World.Nodes["cp1"].Services[0].Invocation)
	if len(h.calls) != 1 || !strings.Contains(h.calls[0], protocol.MethodRestartService) || !strings.Contains(h.calls[0], want) {
		t.Errorf("%v", h.calls)
	}
}

// repair_sans makes what lacks a name anew, in a step of its own; without it the hint says so, and nothing is planned.
func TestRepairSANs(t *testing.T) {
	w := worlds.ControlPlanes(3, now)
	b := &worlds.File(w.Nodes["cp2"], "apiserver").Blocks[0]
	b.IPAddresses = []string{"10.96.0.1"}
	in, s := input(w, 3), spec()
	out := s.Diff(in)
	if len(out.Steps) > 0 || !strings.Contains(out.Findings[0].Hint, "set repair_sans = true") {
		t.Fatalf("%+v, %v", out.Findings, ids(out.Steps))
	}
	s.RepairSANs = true
	worlds.Age(now, 12*day, w.Nodes["cp2"], "admin.conf", "apiserver")
	out = s.Diff(in)
	want := []string{cp2 + "/repair-sans: add names to apiserver", cp2 + "/renew: renew admin.conf"}
	if d := cmp.Diff(want, ids(out.Steps)); d != "" {
		t.Fatal(d)
	}
	steps, befores := fold(t, in, out.Steps)
	after := befores[1]
	after.World = worlds.Concrete(after.World)
	effect := certificates.Type().Effects[certificates.OperationRenew]
	if err := effect.Proved(in, after, steps[0]); err != nil {
		t.Error(err)
	}
	worlds.File(after.World.Nodes["cp2"], "apiserver").Blocks[0].DNSNames = []string{"kubernetes"}
	if err := effect.Proved(in, after, steps[0]); err == nil || !strings.Contains(err.Error(), "the names in apiserver were") {
		t.Errorf("names were lost, and that is proved: %v", err)
	}
	if left := s.Diff(befores[len(befores)-1]); len(left.Findings)+len(left.Steps) > 0 {
		t.Errorf("left %+v, %v", left.Findings, ids(left.Steps))
	}
	h := &helper{}
	if err := certificates.Operations(h)[certificates.OperationRenew].Run(t.Context(), steps[0], nil); err != nil {
		t.Error(err)
	}
	if len(h.calls) != 1 || !strings.Contains(h.calls[0], `"sans":{"apiserver":["10.0.0.12"]}`) {
		t.Errorf("%v", h.calls)
	}
}
