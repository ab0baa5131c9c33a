package acceptance

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// awayPods are moved out of the kubelet's sight: the API servers, and what would fail and be restarted without them, later and later.
const awayPods = "kube-apiserver kube-controller-manager kube-scheduler"

// Every API server is down, so that there is no Lease to be had, and a renewal was cut short before. A laptop repairs it and keeps
// a runner with a state of its own away by locks on the nodes, which say who holds them.
func testLocksWithoutAPI(t *testing.T, s *suite) {
	const node, name = "n2", "front-proxy-client"
	f := s.withFaultPoints(t)
	laptop, runner := f.declare(t, declaration{renewBefore: time.Hour}), f.declare(t, declaration{renewBefore: time.Hour, ops: true})
	laptop.empty(t)
	s.undo(t, node, "rm -rf "+onNode)
	before := s.standing(t, node, name)
	s.makeOneDue(t, node, name)
	s.order(t, node, "certificates.control_plane@"+node+"/renew/install:"+name+":rename:1")
	cut := laptop.start(t, "", "apply", "-auto-approve")
	unit := s.reachedOn(t, cut, node)
	intended := s.standing(t, node, name).intended
	cut.kill(t, everything, node, unit)
	s.release(t, node)
	if half := s.standing(t, node, name); half.whole || intended == "" {
		t.Fatalf("the renewal was not cut short between key and certificate: %+v", half)
	}

	restore := s.withoutAPI(t)
	holds := laptop.start(t, "certificates.control_plane@"+node+"/repair/acting", "apply", "-auto-approve")
	holds.reached(t)
	if !strings.Contains(holds.said(), "the cluster's API does not answer") || !strings.Contains(holds.said(), "a lock on n1, n2, n3") {
		t.Errorf("the laptop does not say how others are kept away:\n%s", holds.said())
	}
	kept := runner.run(t, "apply", "-auto-approve").want(t, 6)
	holder := fmt.Sprintf("/%d (generation ", holds.command.Process.Pid)
	if !strings.Contains(kept.stderr, "another upkeep works on this cluster: the lock of node ") || !strings.Contains(kept.stderr, holder) {
		t.Errorf("the runner is not told who holds the locks, %s...\n%s", holder, kept.stderr)
	}
	if still := s.standing(t, node, name); still.whole {
		t.Error("the runner has repaired what the laptop was about to")
	}
	holds.free(t)
	// All that could be planned is done, and it says that not everything could be.
	if code := holds.wait(t); code != 3 || !strings.Contains(holds.said(), "1 steps done and proved") {
		t.Errorf("the laptop's apply: exit %d, want 3\n%s", code, holds.said())
	}
	if repaired := s.standing(t, node, name); !repaired.whole || repaired.serial != intended || repaired.left != "" {
		t.Errorf("repaired: serial %s, whole: %t, left: %q; want serial %s and nothing left", repaired.serial, repaired.whole, repaired.left, intended)
	}
	// The locks were given back: the runner gets them, and finds nothing to repair any more.
	if r := runner.run(t, "apply", "-auto-approve"); strings.Contains(r.stderr, "another upkeep") || r.code == 6 {
		t.Errorf("the runner is kept away by nobody: exit %d\n%s", r.code, r.stderr)
	}
	restore()
	s.quiet(t)
	s.freeLease(t) // which the killed run held, and nobody could take over meanwhile
	laptop.empty(t)
	runner.empty(t)
	if after := s.standing(t, node, name); after.serial != intended || after.others != before.others {
		t.Errorf("afterwards there is serial %s, want %s; or another file of %s has changed", after.serial, intended, node)
	}
}

// freeLease does what upkeep's message says of the Lease of a run that is gone: otherwise another state's next run would watch it
// for three minutes.
func (s *suite) freeLease(t *testing.T) {
	t.Helper()
	s.ssh(t, "n1", "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system delete lease upkeep --ignore-not-found")
}

// withoutAPI stops every API server until the returned function is called, which the part's end does too.
func (s *suite) withoutAPI(t *testing.T) func() {
	t.Helper()
	const aside = "/root/manifests-aside"
	back := "if [ -d " + aside + " ]; then mv " + aside + "/*.yaml /etc/kubernetes/manifests/; rmdir " + aside + "; fi"
	for _, n := range s.lab.Nodes {
		s.undo(t, n.Name, back)
		s.ssh(t, n.Name, fmt.Sprintf("mkdir -p %s; for p in %s; do mv /etc/kubernetes/manifests/$p.yaml %s/; done; pkill -KILL -x kube-apiserver || true", aside, awayPods, aside))
	}
	s.until(t, time.Minute, "API servers that are gone", func(ctx context.Context) error {
		for _, n := range s.lab.Nodes {
			if out, err := s.lab.SSH(ctx, n.Name, "for p in "+awayPods+"; do p=${p%-manager}; pgrep -x $p; pkill -KILL -x $p; done; true"); err != nil || strings.TrimSpace(out) != "" {
				return fmt.Errorf("%s: still runs %s, %v", n.Name, strings.Fields(out), err)
			}
		}
		return nil
	})
	return func() {
		for _, n := range s.lab.Nodes {
			s.ssh(t, n.Name, back)
		}
	}
}
