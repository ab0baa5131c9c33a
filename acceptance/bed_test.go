package acceptance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"upkeep/acceptance/traffic"
)

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// traffic sends requests to the API servers and etcd members until the returned function is called, which a part's end does too.
func (s *suite) traffic(t *testing.T) func() traffic.Report {
	t.Helper()
	api, err := s.lab.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	etcd, err := s.lab.EtcdTLS(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	run, err := traffic.Start(context.WithoutCancel(s.ctx), traffic.Cluster{API: s.lab.APIServers(), APITLS: api, Etcd: s.lab.EtcdMembers(), EtcdTLS: etcd})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() traffic.Report {
		if stopped {
			return traffic.Report{}
		}
		stopped = true
		report, err := run.Stop()
		if err != nil {
			t.Error(err)
		}
		t.Logf("\n%s", report)
		return report
	}
	t.Cleanup(func() { stop() })
	return stop
}

// worker finds one client's counts in a report.
func worker(t *testing.T, report traffic.Report, part string) traffic.Counts {
	t.Helper()
	for _, c := range report.Workers {
		if strings.Contains(c.Name, part) {
			return c
		}
	}
	t.Fatalf("no client %q in the report", part)
	return traffic.Counts{}
}

// The tests on the lab stand or fall with the traffic: it must notice an API server and an etcd member that are away, as failures or as
// a gap that no restart can be shorter than, and a client that tries another must notice nothing.
func testTrafficNotices(t *testing.T, s *suite) {
	for _, test := range []struct{ component, port string }{
		{"kube-apiserver", ":6443"},
		{"etcd", ":2379"},
	} {
		t.Run(test.component, func(t *testing.T) {
			n := s.lab.Nodes[2]
			before := s.containers(t, n.Name)
			since := time.Now()
			stop := s.traffic(t)
			// Killing the process is the shortest absence there is: the kubelet starts a new container at once.
			s.ssh(t, n.Name, "pkill -KILL -x "+test.component)
			s.until(t, 2*time.Minute, "a new container of "+test.component, func(ctx context.Context) error {
				for _, old := range before {
					out, err := s.lab.SSH(ctx, n.Name, "ctr -n k8s.io tasks ls | awk '$3 == \"RUNNING\" { print $1 }'")
					if err != nil {
						return err
					}
					if old.component == test.component && strings.Contains(out, old.id) {
						return fmt.Errorf("%s still runs", old.id)
					}
				}
				return nil
			})
			s.quiet(t)
			report := stop()
			away := worker(t, report, n.IP+test.port)
			const shortest = 500 * time.Millisecond // the kubelet alone needs longer to see a dead container
			if away.Failures == 0 && away.LongestGap < shortest || away.GapStart.Before(since) {
				t.Errorf("the traffic did not notice that %s on %s was killed: %+v", test.component, n.Name, away)
			}
			if err := report.Noticed(); err != nil {
				t.Error(err)
			}
		})
	}
}

// kubeadm on every node names the same certificates, and none of them lives for kubeadm's default of a year: the lives are
// those that the lab was asked for.
func testExpirationOnEveryNode(t *testing.T, s *suite) {
	for _, n := range s.lab.Nodes {
		found := map[string]bool{}
		for _, c := range s.expiration(t, n.Name).Certificates {
			found[c.Name] = true
		}
		for _, name := range []string{"apiserver", "apiserver-etcd-client", "apiserver-kubelet-client", "admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf", "etcd-server", "etcd-peer", "etcd-healthcheck-client", "front-proxy-client"} {
			if !found[name] {
				t.Errorf("kubeadm on %s does not name %s", n.Name, name)
			}
		}
	}
}

// A user who is not root reaches a node through the jump host, and may become root there.
func testOpsThroughTheBastion(t *testing.T, s *suite) {
	for _, n := range s.lab.Nodes {
		out, err := s.lab.SSH(s.ctx, "ops-"+n.Name, `echo "$(hostname) $(id -un) $(sudo -n id -un) ${SSH_CLIENT%% *}"`)
		if want := n.Name + " ops root " + s.lab.Bastion.IP; err != nil || strings.TrimSpace(out) != want {
			t.Errorf("got %q, %v; want %q", strings.TrimSpace(out), err, want)
		}
	}
}

// pause freezes a node until the returned function is called, which the part's end does too.
func (s *suite) pause(t *testing.T, node string) func() {
	t.Helper()
	if err := s.lab.Pause(node); err != nil {
		t.Fatal(err)
	}
	resume := func() {
		if err := s.lab.Resume(node); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(resume)
	ctx, cancel := context.WithTimeout(s.ctx, 3*time.Second)
	defer cancel()
	if _, err := s.lab.SSH(ctx, node, "true"); !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Fatalf("ssh to a paused node did not hang until it was cut off: %v", err)
	}
	return resume
}
