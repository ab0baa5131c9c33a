package certificates_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// helper records what it is asked and answers from a table; it fails at the call with the given number, from 1.
type helper struct {
	calls  []string
	failAt int
}

func (h *helper) Call(_ context.Context, node, method string, request, result any, _ func(string)) error {
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	h.calls = append(h.calls, fmt.Sprint(node, " ", method, " ", string(text)))
	if len(h.calls) == h.failAt {
		return errors.New("lost the connection")
	}
	switch r := result.(type) {
	case *protocol.RenewResult:
		r.Archive = "/var/lib/upkeep/archive/1.tar"
	case *protocol.RestartResult:
		r.ContainerID = "0123456789abcdef"
	case *protocol.RepairResult:
		r.Installed = []string{"etcd-peer"}
	}
	return nil
}

func TestOperationsAskTheHelperForWhatTheStepExpects(t *testing.T) {
	w := worlds.ControlPlanes(1, now)
	n := w.Nodes["cp1"]
	worlds.Age(now, 12*day, n, "apiserver", "admin.conf")
	worlds.File(n, "controller-manager.conf").Modified = now
	worlds.File(n, "scheduler.conf").Modified = now
	n.Certificates.Unfinished = []facts.Unfinished{{ID: "r1", Remaining: []string{"etcd-peer"}}}
	in := input(w, 1)
	steps, _ := fold(t, in, spec().Diff(in).Steps)
	h := &helper{}
	var lines []string
	for _, s := range steps {
		err := certificates.Operations(h)[s.Operation].Run(t.Context(), s, func(line string) { lines = append(lines, line) })
		if err != nil {
			t.Fatal(err)
		}
	}
	config, err := json.Marshal(worlds.ClusterConfiguration)
	if err != nil {
		t.Fatal(err)
	}
	serial := func(name string) string { return worlds.File(n, name).Blocks[0].Serial }
	const id = "certificates.control_plane@cp1"
	want := []string{
		`cp1 certificates.repair {"run":{},"step":"` + id + `/repair","intent":"r1"}`,
		`cp1 certificates.renew {"run":{},"step":"` + id + `/renew","names":["apiserver","admin.conf"],"cluster_configuration":` + string(config) +
			`,"serials":{"admin.conf":"` + serial("admin.conf") + `","apiserver":"` + serial("apiserver") + `"},"kubeconfigs":["/root/.kube/config"]}`,
		`cp1 static_pod.restart {"run":{},"step":"` + id + `/restart-kube-controller-manager","component":"kube-controller-manager","container_id":"` + worlds.Pod(n, "kube-controller-manager").ContainerID + `","timeout_seconds":180}`,
		`cp1 static_pod.restart {"run":{},"step":"` + id + `/restart-kube-scheduler","component":"kube-scheduler","container_id":"` + worlds.Pod(n, "kube-scheduler").ContainerID + `","timeout_seconds":180}`,
	}
	if d := cmp.Diff(want, h.calls); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{
		"finished etcd-peer", "what stood there before is in /var/lib/upkeep/archive/1.tar",
		"kube-controller-manager runs as 0123456789abc", "kube-scheduler runs as 0123456789abc",
	}, lines); d != "" {
		t.Error(d)
	}
}

// TestARestartThatFailsLeavesTheNextComponentAlone: components are restarted one after the other.
func TestARestartThatFailsLeavesTheNextComponentAlone(t *testing.T) {
	w := worlds.ControlPlanes(1, now)
	worlds.File(w.Nodes["cp1"], "controller-manager.conf").Modified = now
	worlds.File(w.Nodes["cp1"], "scheduler.conf").Modified = now
	in := input(w, 1)
	steps, _ := fold(t, in, spec().Diff(in).Steps)
	h := &helper{failAt: 1}
	err := certificates.Operations(h)[steps[0].Operation].Run(t.Context(), steps[0], nil)
	if err == nil || err.Error() != "restart kube-controller-manager on cp1: lost the connection" || len(h.calls) != 1 {
		t.Errorf("%v after %v", err, h.calls)
	}
}

// TestOperationsRefuseAStepWithoutItsGround: a step out of a damaged plan asks nothing of the helper.
func TestOperationsRefuseAStepWithoutItsGround(t *testing.T) {
	tests := []struct{ name, operation, args, err string }{
		{"repair", certificates.OperationRepair, `{}`, "the plan does not say which renewal to repair; plan again"},
		{"renew", certificates.OperationRenew, `{"names":["apiserver"]}`, "the plan does not say which apiserver it was made for; plan again"},
		{"renew an authority", certificates.OperationRenew, `{"names":["ca"]}`, `"ca" is not a certificate that kubeadm renews`},
		{"restart", certificates.OperationRestart, `{"components":["etcd"]}`, "the plan does not say which container of etcd it was made for; plan again"},
		{"garbage", certificates.OperationRenew, `[`, "arguments of s: unexpected end of JSON input"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := &helper{}
			step := providers.Step{ID: "s", Node: "cp1", Operation: test.operation, Args: json.RawMessage(test.args)}
			err := certificates.Operations(h)[test.operation].Run(t.Context(), step, nil)
			if err == nil || !strings.Contains(err.Error(), test.err) || len(h.calls) > 0 {
				t.Errorf("%v after %v", err, h.calls)
			}
		})
	}
}
