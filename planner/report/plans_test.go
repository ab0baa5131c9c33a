package report_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

const digest = "sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"

// golden compares text with a file under testdata. Escape sequences are written as ␛[...m, so that a person can read them.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = strings.ReplaceAll(got, "\x1b", "␛")
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with go test -update", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func emptyPlan() planner.Plan {
	return planner.Plan{
		FormatVersion: "1.0", ID: "20261122T030000Z", UpkeepVersion: "0.1.0", CreatedAt: now, Digest: digest, Complete: true,
		Request: planner.Request{Now: now, World: facts.World{
			ObservedAt: now, Nodes: map[string]*facts.Node{},
			Kubernetes: facts.Kubernetes{UID: "5b1c", Authority: "aa11"}, Etcd: facts.Etcd{ClusterID: "cdf818194e3a8c32"},
		}},
	}
}

func addNode(p *planner.Plan, name string, roles ...string) {
	p.Request.Desired.Nodes = append(p.Request.Desired.Nodes, config.Node{Name: name, Roles: roles})
	p.Request.World.Nodes[name] = &facts.Node{Name: name}
}

var (
	certificates = providers.Address{Type: "certificates", Name: "control_plane"}
	driver       = providers.Address{Type: "nvidia_driver", Name: "workers"}
)

var backupFirst = []providers.Need{providers.Required("backup", "")}

// oneAtATime is a lane in which one node at a time is under way.
func oneAtATime(name string) []providers.Lane {
	return []providers.Lane{{Name: name, Width: 1, Strict: true}}
}

func renew(p *planner.Plan, node, before string, names ...string) {
	address := certificates.On(node)
	p.Steps = append(p.Steps, providers.Step{
		ID: address.String() + "/renew", Address: address, Node: node, Operation: "certificates.renew", Action: "update",
		Summary: "renew " + strings.Join(names, ", "), Why: []string{"apiserver on " + node + " expires in 12d, and 2 more", `certificates.control_plane.renew_before = "30d" (provider.upkeep.hcl:31)`},
		Changes: []providers.Change{{What: "not_after", Before: before, After: "2027-11-22"}, {What: "serial", Before: "4FE68FC3", After: facts.New}},
		Guards:  backupFirst, Window: "always", Lanes: oneAtATime("control-plane"),
		Ground: []byte(`{"certificates":[{"name":"apiserver","serial":"4FE68FC3"}]}`), GroundText: []string{"serial of apiserver = 4FE68FC3"},
		Proof: "new serials; keys and chains match; the ports serve the new serials",
		Undo:  "put back the archive of /etc/kubernetes on " + node, Estimate: 2, Position: "provider.upkeep.hcl:31",
	}, providers.Step{
		ID: address.String() + "/restart", Address: address, Node: node, Operation: "certificates.restart", Action: "update",
		Summary: "restart kube-controller-manager, kube-scheduler", Why: []string{"kube-controller-manager and kube-scheduler on " + node + " read their kubeconfig only when they start"},
		Guards: backupFirst, Window: "always", Lanes: oneAtATime("control-plane"), After: []string{address.String() + "/renew"},
		Disruption: "control plane of " + node, Proof: "new containers; leases renewed; 6443 2379 2380 serve the new serials; etcd 3/3",
		Estimate: 3, Position: "provider.upkeep.hcl:31",
	})
}

// controlPlanes is a plan over three control planes and 40 GPU nodes, of which one does not answer.
func controlPlanes() planner.Plan {
	p := emptyPlan()
	p.Applyable, p.Complete = true, false
	for i := range 3 {
		addNode(&p, fmt.Sprintf("cp%d", i+1), "control-plane", "etcd")
	}
	for i := range 40 {
		addNode(&p, fmt.Sprintf("gpu%d", i+1), "gpu")
	}
	p.Request.World.Nodes["gpu7"].Unknown = "ssh: no answer in 10s"
	for _, node := range []string{"cp1", "cp2", "cp3"} {
		for _, name := range []string{"apiserver", "apiserver-kubelet-client", "admin.conf"} {
			p.Findings = append(p.Findings, providers.Finding{
				ID: "CERT_EXPIRES_SOON", Severity: providers.SeverityWarning, Address: certificates.On(node), Object: name,
				Summary: `12d left, renew_before = "30d"`, Position: "provider.upkeep.hcl:31",
			})
		}
	}
	unreachable := providers.Finding{
		ID: "NODE_UNREACHABLE", Severity: providers.SeverityError, Address: driver.On("gpu7"), Summary: "ssh: no answer in 10s; its part of this plan is unknown", Unknown: true,
		Hint: "see whether `ssh gpu7` works, then plan again",
	}
	p.Findings = append(p.Findings,
		providers.Finding{ID: "CERT_SERVED_DIFFERS", Severity: providers.SeverityError, Address: certificates.On("cp2"), Object: "kube-controller-manager", Summary: "runs since 40d before its kubeconfig was renewed"},
		unreachable,
		providers.Finding{ID: "CERT_KUBELET_ROTATES", Severity: providers.SeverityNote, Address: certificates.On("cp1"), Object: "kubelet-client", Summary: "the kubelet rotates it itself"},
	)
	p.Remaining = []providers.Finding{unreachable}
	p.Steps = append(p.Steps, providers.Step{
		ID: "etcd_backup.daily@cp2/take", Address: providers.Address{Type: "etcd_backup", Name: "daily", Node: "cp2"}, Node: "cp2", Operation: "backup.take",
		Action: "create", Summary: "take and prove bundle", Why: []string{"the last proved bundle is 31h old", "max_age = 24h (provider.upkeep.hcl:44)"},
		Window: "always", Undo: "delete the bundle", Estimate: 40,
	})
	renew(&p, "cp1", "2026-12-04", "apiserver", "apiserver-kubelet-client", "admin.conf")
	renew(&p, "cp2", "2026-12-04", "apiserver", "apiserver-kubelet-client", "admin.conf")
	renew(&p, "cp3", "2026-12-05", "apiserver", "apiserver-kubelet-client", "admin.conf")
	return p
}

// fleet is a plan over a thousand nodes: every hundredth has one step more.
func fleet() planner.Plan {
	p := emptyPlan()
	p.Applyable = true
	for i := range 1000 {
		node := fmt.Sprintf("gpu%d", i+1)
		addNode(&p, node, "gpu")
		address := driver.On(node)
		p.Findings = append(p.Findings, providers.Finding{
			ID: "DRIVER_DIFFERS", Severity: providers.SeverityWarning, Address: address, Object: "driver", Summary: fmt.Sprintf("570.124.0%d, wanted 580.95.05", i%7),
		})
		step := providers.Step{
			ID: address.String() + "/install", Address: address, Node: node, Operation: "nvidia.install", Action: "update", Summary: "install driver 580.95.05",
			Changes: []providers.Change{{What: "version", Before: fmt.Sprintf("570.124.0%d", i%7), After: "580.95.05"}}, Window: "always", Lanes: oneAtATime("workers"),
			Disruption: "8 GPUs of " + node, Undo: "install the old packages", Estimate: 95,
		}
		p.Steps = append(p.Steps, step)
		if (i+1)%100 == 0 {
			step.ID, step.Operation, step.Summary, step.Changes = address.String()+"/hold", "nvidia.hold", "hold the packages", nil
			p.Steps = append(p.Steps, step)
		}
	}
	return p
}
