// Package acceptance holds the tests that need a real cluster. They run as root on Debian or Ubuntu and bring the lab up
// themselves; where it cannot run they fail and say why, and never skip.
package acceptance

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"upkeep/acceptance/hammer"
	"upkeep/acceptance/lab"
)

// cluster is the lab, up and ready.
func cluster(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.Up(t.Context(), lab.Options{Progress: func(line string) { t.Log("lab:", line) }})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// startHammer hammers the lab's API servers and etcd members until the returned function is called.
func startHammer(t *testing.T, l *lab.Lab) func() hammer.Report {
	t.Helper()
	api, err := l.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	etcd, err := l.EtcdTLS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run, err := hammer.Start(context.WithoutCancel(t.Context()), hammer.Cluster{API: l.APIServers(), APITLS: api, Etcd: l.EtcdMembers(), EtcdTLS: etcd})
	if err != nil {
		t.Fatal(err)
	}
	return func() hammer.Report {
		t.Helper()
		report, err := run.Stop()
		if err != nil {
			t.Error(err)
		}
		t.Logf("\n%s", report)
		return report
	}
}

// of finds one worker's counts in a report.
func of(t *testing.T, report hammer.Report, part string) hammer.Counts {
	t.Helper()
	for _, c := range report.Workers {
		if strings.Contains(c.Name, part) {
			return c
		}
	}
	t.Fatalf("no client %q in the report", part)
	return hammer.Counts{}
}

// The tests on the lab stand or fall with the hammer: it must notice an API server and an etcd member that are away, and
// a client that tries another must notice nothing.
func TestHammerNoticesARestartedServer(t *testing.T) {
	l := cluster(t)
	for _, test := range []struct {
		component, port string
	}{
		{"kube-apiserver", ":6443"},
		{"etcd", ":2379"},
	} {
		t.Run(test.component, func(t *testing.T) {
			n := l.Nodes[2]
			since := time.Now()
			stop := startHammer(t, l)
			// Killing the process is the shortest absence there is: the kubelet starts a new container at once.
			_, err := l.SSH(t.Context(), n.Name, "pkill -KILL -x "+test.component)
			ready := l.Ready(t.Context(), time.Time{})
			time.Sleep(time.Second)
			report := stop()
			if err := errors.Join(err, ready); err != nil {
				t.Fatal(err)
			}
			away := of(t, report, n.IP+test.port)
			if away.Failures == 0 || away.GapStart.Before(since) {
				t.Errorf("the hammer did not notice that %s on %s was killed: %+v", test.component, n.Name, away)
			}
			if err := report.Noticed(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A paused host takes connections and answers nothing; the others do not mind, and afterwards it is whole again.
func TestPausedHostHangs(t *testing.T) {
	l := cluster(t)
	n := l.Nodes[2]
	if err := l.Pause(n.Name); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, hung := l.SSH(ctx, n.Name, "true")
	_, other := l.SSH(t.Context(), l.Nodes[0].Name, "true")
	if err := l.Resume(n.Name); err != nil {
		t.Fatal(err)
	}
	if hung == nil || ctx.Err() == nil {
		t.Errorf("ssh to a paused host did not hang until it was cut off: %v", hung)
	}
	if other != nil {
		t.Errorf("another host suffers: %v", other)
	}
	if _, err := l.SSH(t.Context(), n.Name, "true"); err != nil {
		t.Errorf("after Resume: %v", err)
	}
	if err := l.Ready(t.Context(), time.Time{}); err != nil {
		t.Error(err)
	}
}

// kubeadm on every node names the same certificates, and their lives are those that the lab was asked for.
func TestExpirationOnEveryNode(t *testing.T) {
	l := cluster(t)
	for _, n := range l.Nodes {
		t.Run(n.Name, func(t *testing.T) {
			all, err := l.CheckExpiration(t.Context(), n.Name)
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]bool{}
			for _, c := range all.Certificates {
				found[c.Name] = true
				if left := time.Until(c.Expires); !c.Missing && left > lab.DefaultValidity {
					t.Errorf("%s lives %s more, longer than any certificate of this lab", c.Name, left)
				}
			}
			for _, name := range []string{"apiserver", "apiserver-etcd-client", "apiserver-kubelet-client", "admin.conf", "controller-manager.conf", "scheduler.conf", "etcd-server", "etcd-peer", "etcd-healthcheck-client", "front-proxy-client"} {
				if !found[name] {
					t.Errorf("kubeadm does not name %s", name)
				}
			}
		})
	}
}

// A user who is not root reaches a node through the jump host, and may become root there.
func TestOpsThroughTheBastion(t *testing.T) {
	l := cluster(t)
	for _, n := range l.Nodes {
		out, err := l.SSH(t.Context(), "ops-"+n.Name, `echo "$(hostname) $(id -un) $(sudo -n id -un) ${SSH_CLIENT%% *}"`)
		if want := n.Name + " ops root " + l.Bastion.IP; err != nil || strings.TrimSpace(out) != want {
			t.Errorf("got %q, %v; want %q", strings.TrimSpace(out), err, want)
		}
	}
}
