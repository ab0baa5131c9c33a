package acceptance

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kill is one fault point and who dies there.
type kill struct {
	// at is a boundary of upkeep, or, where helper is set, of the helper; after a space, how often it must be crossed. That of a
	// step begins with the step's verb.
	at     string
	helper bool
	victim string
	// follow: what waits on the node goes on only when somebody has attached to it again.
	follow bool
	// code is how the upkeep ends that was not killed itself.
	code int
	// standing is what `status -run=last` then says: done, half-done, untouched. Empty: the state knows of no such run yet.
	standing string
}

// order is the name of the boundary in full.
func (k kill) order(node string) string {
	if strings.Contains(k.at, "/") {
		return "certificates.control_plane@" + node + "/" + k.at
	}
	return k.at
}

func (k kill) killsUpkeep() bool { return k.victim == theUpkeep || k.victim == everything }

// crash is a change on one node that is cut short, once or more often, and then finished.
type crash struct {
	node string
	// name is the certificate that is due, or the component that runs with an old one.
	name string
	// then is a node where the same certificate is due, so that its step comes after.
	then  string
	kills []kill
	// fresh: the plan is made again to finish, since it has to be repaired first.
	fresh bool
}

// At the boundaries of upkeep itself, and at those of the helper, everybody who takes part is killed in turn. The
// certificates are of kinds that are read again by who uses them, so that nothing has to be restarted.
var crashes = []crash{
	{node: "n1", name: "front-proxy-client", kills: []kill{
		{at: "lock:renamed", victim: theUpkeep},
		{at: "state:written", victim: theUpkeep},
		{at: "journal:named", victim: theUpkeep},
		{at: "plan:written", victim: theUpkeep},
		{at: "claimed", victim: theUpkeep},
		{at: "state:renamed 2", victim: theUpkeep, standing: "0 0 1"},
		{at: "journal:written", victim: theUpkeep, standing: "0 0 1"},
	}},
	{node: "n2", name: "apiserver-kubelet-client", kills: []kill{{at: "journal:synced 2", victim: theUpkeep, standing: "0 1 0"}}},
	{node: "n3", name: "admin.conf", kills: []kill{{at: "renew/acted", victim: theUpkeep, standing: "0 1 0"}}},
	{node: "n1", name: "etcd-healthcheck-client", then: "n2", kills: []kill{{at: "journal:written 3", victim: theUpkeep, standing: "1 0 1"}}},
	{node: "n2", name: "front-proxy-client", kills: []kill{{at: "state:written 3", victim: theUpkeep, standing: "1 0 0"}}},
	{node: "n3", name: "apiserver-kubelet-client", kills: []kill{{at: "renew/sign:apiserver-kubelet-client", helper: true, victim: theUpkeep, follow: true, standing: "0 1 0"}}},
	{node: "n1", name: "apiserver-kubelet-client", kills: []kill{{at: "renew/install:apiserver-kubelet-client:rename:1", helper: true, victim: theUpkeep, standing: "0 1 0"}}},

	{node: "n2", name: "etcd-healthcheck-client", kills: []kill{{at: "renew/start", helper: true, victim: theSSH, standing: "1 0 0"}}},
	{node: "n3", name: "front-proxy-client", kills: []kill{{at: "renew/sign:front-proxy-client", helper: true, victim: theSSH, follow: true, standing: "1 0 0"}}},
	{node: "n1", name: "admin.conf", kills: []kill{{at: "renew/install:admin.conf:rename:0", helper: true, victim: theSSH, standing: "1 0 0"}}},

	{node: "n2", name: "admin.conf", kills: []kill{{at: "renew/request", helper: true, victim: theSession, standing: "1 0 0"}}},
	{node: "n3", name: "etcd-healthcheck-client", kills: []kill{{at: "renew/started", helper: true, victim: theSession, standing: "1 0 0"}}},
	{node: "n1", name: "front-proxy-client", kills: []kill{{at: "renew/intent:recorded", helper: true, victim: theSession, standing: "1 0 0"}}},

	{node: "n2", name: "apiserver-kubelet-client", kills: []kill{{at: "renew/begun", helper: true, victim: theUnit, code: 1, standing: "0 1 0"}}},
	{node: "n3", name: "admin.conf", kills: []kill{{at: "renew/mark:stage", helper: true, victim: theUnit, code: 1, standing: "0 1 0"}}},
	{node: "n1", name: "etcd-healthcheck-client", kills: []kill{{at: "renew/intent:record", helper: true, victim: theUnit, code: 1, standing: "0 1 0"}}},
	{node: "n2", name: "front-proxy-client", fresh: true, kills: []kill{{at: "renew/intent:recorded", helper: true, victim: theUnit, code: 1, standing: "0 1 0"}}},
	// While it is repaired, too. The renewal is planned after it, should repairing come to keep the old certificate.
	{node: "n3", name: "apiserver-kubelet-client", fresh: true, kills: []kill{
		{at: "renew/install:apiserver-kubelet-client:rename:1", helper: true, victim: theUnit, code: 1, standing: "0 1 0"},
		{at: "repair/install:apiserver-kubelet-client:rename:0", helper: true, victim: everything, standing: "0 1 1"},
		{at: "repair/clear", helper: true, victim: theUnit, code: 1, standing: "0 1 1"},
	}},
	{node: "n1", name: "apiserver-kubelet-client", fresh: true, kills: []kill{{at: "renew/clear", helper: true, victim: theUnit, code: 1, standing: "0 1 0"}}},
	{node: "n2", name: "etcd-healthcheck-client", kills: []kill{{at: "renew/worked", helper: true, victim: theUnit, code: 1, standing: "0 1 0"}}},
	{node: "n3", name: "front-proxy-client", kills: []kill{{at: "renew/journal", helper: true, victim: theUnit, standing: "1 0 0"}}},
	{node: "n1", name: "admin.conf", fresh: true, kills: []kill{{at: "renew/install:admin.conf:rename:0", helper: true, victim: everything, standing: "0 1 0"}}},

	{node: "n1", name: "kube-controller-manager", kills: []kill{{at: "restart/worked", helper: true, victim: theUnit, code: 1, standing: "0 1 0"}}},
	{node: "n3", name: "kube-scheduler", kills: []kill{{at: "restart/worked", helper: true, victim: theUpkeep, standing: "0 1 0"}}},
}

// Whatever dies and wherever, with kill -9: `status` tells how far it came, the next apply finishes, and every certificate is
// renewed once and no more.
func testKillPoints(t *testing.T, s *suite) {
	f := s.withFaultPoints(t)
	d := f.declare(t, declaration{renewBefore: time.Hour})
	for _, n := range s.lab.Nodes {
		s.ssh(t, n.Name, "rm -rf "+onNode)
		s.undo(t, n.Name, "rm -rf "+onNode)
	}
	s.repaired(t) // what a run of this test has left that was broken off
	d.empty(t)
	containers := map[string][]container{}
	for _, n := range s.lab.Nodes {
		containers[n.Name] = s.containers(t, n.Name)
	}
	points, restarted := 0, map[string][]string{}
	table := []string{fmt.Sprintf("%-3s %-45s %-12s %-4s %-26s %-6s %-16s %s", "", "killed at", "who", "node", "what", "exit", "status then", "finished by")}
	walked := crashes
	if !everyPart(t) {
		walked = sampled(crashes)
	}
	for _, c := range walked {
		finished := false
		t.Run(fmt.Sprintf("%s on %s: %s", c.name, c.node, c.kills[len(c.kills)-1].at), func(t *testing.T) {
			for _, row := range f.crash(t, d, c) {
				points++
				finished = true
				table = append(table, fmt.Sprintf("%3d %s", points, row))
			}
			if readsOnlyOnce(c.name) {
				restarted[c.node] = append(restarted[c.node], c.name)
			}
		})
		if t.Failed() && !finished {
			break // what the others find would be this one's
		}
	}
	t.Logf("figure: %d kill points\n%s", points, strings.Join(table, "\n"))
	d.empty(t)
	d.run(t, "marks").want(t, 0)
	for _, n := range s.lab.Nodes {
		s.onlyRestarted(t, n.Name, containers[n.Name], restarted[n.Name]...)
	}
	if holder := strings.TrimSpace(s.ssh(t, s.lab.Nodes[0].Name, "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system get lease upkeep -o 'jsonpath={.spec.holderIdentity}'")); holder != "" {
		t.Errorf("the cluster's Lease is still held by %s", holder)
	}
}

func readsOnlyOnce(name string) bool { return strings.HasPrefix(name, "kube-") }

// crash makes something due, has it cut short and finished, and returns a line for each kill.
func (s *suite) crash(t *testing.T, d directory, c crash) (rows []string) {
	t.Helper()
	nodes := []string{c.node}
	if c.then != "" {
		nodes = append(nodes, c.then)
	}
	for _, n := range nodes {
		s.makeOneDue(t, n, c.name)
	}
	p, r := d.plan(t, "-out=it.plan")
	r.want(t, 2)
	if len(p.Upkeep.Steps) != len(nodes) || !slices.Equal(p.nodes(), nodes) {
		t.Fatalf("planned are %d steps on %v, want one on each of %v", len(p.Upkeep.Steps), p.nodes(), nodes)
	}
	before := s.standing(t, c.node, c.name)
	if !before.whole || before.left != "" {
		t.Fatalf("before: %+v", before)
	}
	reached := before
	args := []string{"apply", "it.plan"}
	for i, k := range c.kills {
		if i > 0 && c.fresh {
			args = []string{"apply", "-auto-approve"}
		}
		row, then := s.killed(t, d, c, k, args)
		rows = append(rows, row)
		reached = then
	}
	if c.fresh {
		args = []string{"apply", "-auto-approve"}
	}
	how := "the same apply"
	if last := c.kills[len(c.kills)-1]; last.code != 0 || last.killsUpkeep() {
		began := time.Now()
		next := d.start(t, "", args...)
		if last.victim == theUpkeep && last.follow {
			s.followed(t, next, c.node)
		}
		if code := next.wait(t); code != 0 {
			t.Errorf("the next apply: exit %d\n%s", code, next.said())
		}
		how = fmt.Sprintf("upkeep %s, in %s", strings.Join(args, " "), time.Since(began).Round(100*time.Millisecond))
	}
	for i := range rows {
		if i < len(rows)-1 {
			rows[i] += "the next apply, which was killed as well"
		} else {
			rows[i] += how
		}
	}
	s.recovered(t, d, c, before, reached)
	return rows
}

// killed runs upkeep until it, or the helper, stands at a fault point, and kills there. It returns a line about it, and how the
// node stood at that moment.
func (s *suite) killed(t *testing.T, d directory, c crash, k kill, args []string) (string, nodeStanding) {
	t.Helper()
	var r *started
	unit := ""
	if k.helper {
		s.order(t, c.node, k.order(c.node))
		r = d.start(t, "", args...)
		unit = s.reachedOn(t, r, c.node)
	} else {
		r = d.start(t, k.order(c.node), args...)
		r.reached(t)
	}
	reached := s.standing(t, c.node, c.name)
	r.kill(t, k.victim, c.node, unit)
	switch {
	case k.helper && !k.follow:
		s.release(t, c.node)
	case k.helper && k.victim != theUpkeep:
		s.followed(t, r, c.node)
	}
	code, want := r.wait(t), k.code
	if k.killsUpkeep() {
		want = -1
	}
	if code != want {
		t.Errorf("killed %s at %s: exit %d, want %d\n%s", k.victim, k.at, code, want, r.said())
	}
	told := s.told(t, d, r, k)
	exit := fmt.Sprint(code)
	if code < 0 {
		exit = "killed"
	}
	return fmt.Sprintf("%-45s %-12s %-4s %-26s %-6s %-16s ", k.at, k.victim, c.node, c.name, exit, told), reached
}

// followed lets go on what waits on a node, once upkeep has attached to it again.
func (s *suite) followed(t *testing.T, r *started, node string) {
	t.Helper()
	r.await(t, "a session that follows the unit", func() bool { return strings.Contains(r.said(), "this was begun by an earlier request") })
	s.release(t, node)
}

// told asks `upkeep status -run=last` and compares it with what the kill should have left.
func (s *suite) told(t *testing.T, d directory, r *started, k kill) string {
	t.Helper()
	var last struct {
		Done      int       `json:"done"`
		HalfDone  int       `json:"half_done"`
		Untouched int       `json:"untouched"`
		Started   time.Time `json:"started_at"`
		Outcome   string    `json:"outcome"`
	}
	answer := d.run(t, "status", "-run=last", "-json")
	if answer.code == 0 {
		if err := json.Unmarshal([]byte(answer.stdout), &last); err != nil {
			t.Fatal(err)
		}
	}
	if k.standing == "" {
		if answer.code == 0 && last.Started.After(r.began) {
			t.Errorf("killed at %s: status tells of a run that had not begun:\n%s", k.at, answer.stdout)
		}
		return "never begun"
	}
	answer.want(t, 0)
	if got := fmt.Sprint(last.Done, last.HalfDone, last.Untouched); got != k.standing {
		t.Errorf("killed %s at %s: status says done, half-done, untouched %s, want %s\n%s", k.victim, k.at, got, k.standing, answer.stdout)
	}
	var words []string
	for _, part := range []struct {
		count int
		word  string
	}{{last.Done, "done"}, {last.HalfDone, "half-done"}, {last.Untouched, "untouched"}} {
		if part.count > 0 {
			words = append(words, part.word)
		}
	}
	return strings.Join(words, ", ")
}

// recovered checks that the work was done, once, and that nothing is left of the crash. reached is how the node stood when it came.
func (s *suite) recovered(t *testing.T, d directory, c crash, before, reached nodeStanding) {
	t.Helper()
	var after nodeStanding
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		// A session whose upkeep has ended ends a moment later.
		if after = s.standing(t, c.node, c.name); after.left == "" || time.Now().After(deadline) {
			break
		}
	}
	if after.left != "" {
		t.Errorf("left behind on %s: %s", c.node, after.left)
	}
	if !after.whole {
		t.Errorf("%s on %s does not belong to its key", c.name, c.node)
	}
	if diff := cmp.Diff(before.others, after.others); diff != "" {
		t.Errorf("other files on %s changed:\n%s", c.node, diff)
	}
	if left, err := filepath.Glob(filepath.Join(d.path, "*.lock.info")); err != nil || len(left) > 0 {
		t.Errorf("a lock is left behind: %v, %v", left, err)
	}
	entries := after.history[len(before.history):]
	done := 0
	for _, e := range entries {
		if e.Outcome == "done" && e.Method != "certificates.undo" {
			done++
		}
	}
	if done > 1 {
		t.Errorf("the work was done %d times: %+v", done, entries)
	}
	if readsOnlyOnce(c.name) {
		if after.container != reached.container || reached.container == before.container {
			t.Errorf("%s: container %s before, %s when it crashed after the restart, %s now", c.name, before.container, reached.container, after.container)
		}
		return
	}
	if after.serial == before.serial {
		t.Errorf("%s on %s still has serial %s: a step was lost", c.name, c.node, after.serial)
	}
	// Once there is an intent, or the new certificate lies in its place, it is finished and not renewed a second time.
	made := reached.intended
	if made == "" && reached.serial != before.serial {
		made = reached.serial
	}
	if made != "" && (after.serial != made || after.archives != reached.archives) {
		t.Errorf("%s on %s: the crash came with %s made; now there is %s, and %d archives instead of %d: it was renewed twice", c.name, c.node, made, after.serial, after.archives, reached.archives)
	}
}
