package acceptance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// copied is where the tests keep a copy of admin.conf on every node.
const copied = "/root/.kube/config"

// placeCopies puts a copy of admin.conf on every node, with a server of its own and a CA bundle of two.
func (s *suite) placeCopies(t *testing.T) map[string]kubeconfig {
	t.Helper()
	out := map[string]kubeconfig{}
	for _, n := range s.lab.Nodes {
		text := s.ssh(t, n.Name, "cat /etc/kubernetes/admin.conf")
		text = withServer(t, withSecondAuthority(t, text), "https://"+n.IP+":6443")
		s.put(t, n.Name, copied, "600", []byte(text))
		out[n.Name] = parseKubeconfig(t, text)
	}
	return out
}

// The main job: everything is due; a saved plan is applied while clients use the API and etcd; afterwards the plan is empty. One control
// plane at a time, nothing restarted that need not be, the cluster's own configuration, and copies that stay what they were.
func testRotation(t *testing.T, s *suite) {
	renewBefore, validity := s.makeDue(t)
	t.Logf("renew_before %s, certificateValidityPeriod %s", renewBefore, validity)
	copies := s.placeCopies(t)
	d := s.declare(t, declaration{renewBefore: renewBefore, kubeconfigs: []string{copied}})

	p, r := d.plan(t)
	r.want(t, 2)
	if want := []string{"n1", "n2", "n3"}; !slices.Equal(p.nodes(), want) {
		t.Fatalf("the plan goes to %v, want %v: one after the other, the first declared first\n%s", p.nodes(), want, r.stdout)
	}
	if !p.Applyable || !p.Complete || len(p.Upkeep.Remaining) > 0 {
		t.Errorf("the plan is not applyable, not complete or does not converge:\n%s", r.stdout)
	}
	d.run(t, "plan", "-detailed-exitcode", "-out=saved.plan").want(t, 2)
	if info, err := os.Stat(filepath.Join(d.path, "saved.plan")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the saved plan: %v, %v; want mode 0600", info, err)
	}

	before := map[string][]container{}
	for _, n := range s.lab.Nodes {
		before[n.Name] = s.containers(t, n.Name)
	}
	watchers := s.watch(t)
	stop := s.traffic(t)
	started := time.Now()
	applied := d.run(t, "apply", "saved.plan").want(t, 0)
	report := stop()
	touches := watchers.stop(t)
	t.Logf("figure: the apply to three control planes took %s", applied.wall.Round(100*time.Millisecond))
	for _, c := range report.Workers {
		t.Logf("figure: %s: %d requests, %d failures, longest gap %s", strings.TrimSpace(c.Name), c.Requests, c.Failures, c.LongestGap.Round(time.Millisecond))
	}
	if err := report.Noticed(); err != nil {
		t.Error(err)
	}

	d.run(t, "plan", "-detailed-exitcode").want(t, 0)
	d.empty(t)
	for _, span := range spans(touches) {
		t.Log("figure:", span)
		if span.files == 0 || span.starts != 2 {
			t.Errorf("%s: want changed files and 2 containers started", span)
		}
	}
	if got := spans(touches); len(got) != 3 || got[0].node != "n1" {
		t.Errorf("seen on the nodes: %v, want all three, n1 first", got)
	}
	if both := overlap(touches); both != "" {
		t.Error("two control planes at once:", both)
	}
	for _, n := range s.lab.Nodes {
		t.Run(n.Name, func(t *testing.T) {
			s.onlyRestarted(t, n.Name, before[n.Name], "kube-controller-manager", "kube-scheduler")
			for name, end := range s.expires(t, n.Name) {
				// kubeadm counts the period from the moment of signing (kubeadm 1.35, pkiutil.NewSignedCert).
				if from := end.Add(-validity); from.Before(started.Add(-time.Minute)) || from.After(time.Now().Add(time.Minute)) {
					t.Errorf("%s ends at %s: not %s after it was renewed, so not by the cluster's own configuration", name, end, validity)
				}
			}
			s.copyFollowed(t, n.Name, copies[n.Name])
			s.archived(t, n.Name, started)
		})
	}
}

// onlyRestarted compares a node's containers with those before: these components have new ones, and no other.
func (s *suite) onlyRestarted(t *testing.T, node string, before []container, components ...string) {
	t.Helper()
	var changed []string
	for i, c := range s.containers(t, node) {
		if c.id != before[i].id {
			changed = append(changed, c.component)
		}
	}
	if !slices.Equal(changed, components) {
		t.Errorf("new containers on %s: %v, want %v", node, changed, components)
	}
}

// copyFollowed checks that a copy has the renewed client certificate and is otherwise what it was.
func (s *suite) copyFollowed(t *testing.T, node string, was kubeconfig) {
	t.Helper()
	admin := parseKubeconfig(t, s.ssh(t, node, "cat /etc/kubernetes/admin.conf"))
	got := parseKubeconfig(t, s.ssh(t, node, "cat "+copied))
	if got.Client == was.Client {
		t.Errorf("%s on %s still has its old client certificate", copied, node)
	}
	if got.Authorities != 2 {
		t.Errorf("%s on %s has %d authorities, want the 2 that it had", copied, node, got.Authorities)
	}
	// Keys are compared, never printed.
	if got.Client != admin.Client || got.Key != admin.Key {
		t.Errorf("%s on %s does not have the client certificate and key of admin.conf", copied, node)
	}
	if got.Server != was.Server || got.Bundle != was.Bundle {
		t.Errorf("%s on %s: server %s and bundle equal: %t; want server %s and the same bundle", copied, node, got.Server, got.Bundle == was.Bundle, was.Server)
	}
	if mode := strings.TrimSpace(s.ssh(t, node, "stat -c %a "+copied)); mode != "600" {
		t.Errorf("%s on %s has mode %s, want 600", copied, node, mode)
	}
	if out := strings.TrimSpace(s.ssh(t, node, "kubectl --kubeconfig "+copied+" get --raw /readyz")); out != "ok" {
		t.Errorf("the copy on %s does not reach its API server: %q", node, out)
	}
}

// archived checks that the PKI was archived since, for root alone, and that the archive holds it.
func (s *suite) archived(t *testing.T, node string, since time.Time) {
	t.Helper()
	const dir = "/var/lib/upkeep/archive"
	if mode := strings.TrimSpace(s.ssh(t, node, "stat -c '%a %U' "+dir)); mode != "700 root" {
		t.Errorf("%s on %s has %s, want 700 root", dir, node, mode)
	}
	newest := strings.Fields(s.ssh(t, node, "ls -t "+dir+"/*.tar.gz | head -n 1 | xargs stat -c '%a %U %Y %n'"))
	if len(newest) != 4 {
		t.Fatalf("no archive on %s: %v", node, newest)
	}
	if newest[0] != "600" || newest[1] != "root" {
		t.Errorf("the archive on %s has %v, want 600 root", node, newest[:2])
	}
	if at := s.ssh(t, node, "test "+newest[2]+" -ge "+since.Truncate(time.Second).Format("20060102150405")+" || true; date -u -d @"+newest[2]+" +%Y%m%d%H%M%S"); strings.TrimSpace(at) < since.UTC().Format("20060102150405") {
		t.Errorf("the newest archive on %s is of %s, before the apply at %s", node, strings.TrimSpace(at), since.UTC())
	}
	list := s.ssh(t, node, "tar -tzf "+newest[3])
	for _, name := range []string{"pki/ca.key", "pki/apiserver.crt", "pki/apiserver.key", "pki/etcd/peer.key", "admin.conf"} {
		if !strings.Contains(list, name) {
			t.Errorf("the archive on %s lacks %s:\n%s", node, name, list)
		}
	}
}

// A user who is not root, with sudo, through a jump host: plans, and renews one node of which nothing is due. The others stay as they are.
func testReplaceAsOps(t *testing.T, s *suite) {
	const node = "n3"
	d := s.declare(t, declaration{renewBefore: time.Hour, ops: true})
	d.empty(t)
	address := "certificates.control_plane@" + node
	p, r := d.plan(t, "-replace="+address)
	r.want(t, 2)
	if want := []string{node}; !slices.Equal(p.nodes(), want) {
		t.Fatalf("-replace=%s plans steps on %v, want %v\n%s", address, p.nodes(), want, r.stdout)
	}
	was := s.print(t)
	before, containers := s.expires(t, node), s.containers(t, node)
	d.run(t, "apply", "-auto-approve", "-replace="+address).want(t, 0)
	after := s.expires(t, node)
	for name, end := range before {
		if !after[name].After(end) {
			t.Errorf("%s on %s ends at %s, as before: it was not renewed", name, node, after[name])
		}
	}
	s.onlyRestarted(t, node, containers, "kube-controller-manager", "kube-scheduler")
	is := s.print(t)
	delete(was, node)
	delete(is, node)
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("other nodes changed (-before +after):\n%s", diff)
	}
	d.empty(t)
}
