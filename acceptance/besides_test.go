package acceptance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Releases that are upgraded for as long as a test wants: their pods run on one node alone, and only while that takes them.
const (
	longChart   = "akash-hostname-operator"
	longVersion = "6.0.5"
	longProgram = "0.4.6" // the image that the chart's version names
)

var longNamespaces = map[string]string{"a": "upkeep-long-a", "b": "upkeep-long-b", "c": "upkeep-long-c"}

// gate lets pods of the releases start, or keeps them waiting.
func (s *suite) gate(ctx context.Context, open bool) error {
	taint := controlPlane + "=:NoSchedule"
	if open {
		taint = controlPlane + ":NoSchedule-"
	}
	_, err := s.kubectlIn(ctx, "", "taint", "node", pluginNode, taint, "--overwrite")
	if open && err != nil && strings.Contains(err.Error(), "not found") {
		return nil // it is open
	}
	return err
}

func (s *suite) setGate(t *testing.T, open bool) {
	t.Helper()
	if err := s.gate(s.ctx, open); err != nil {
		t.Fatal(err)
	}
}

// besides is a configuration directory with the control planes' certificates, a provider whose leases a restart would cost, and
// three releases.
type besides struct {
	directory
	repository string
	values     map[string]string // of each release
}

// declare gives some releases a value that they do not have yet, so that each is upgraded.
func (d besides) declare(t *testing.T, value string, releases ...string) {
	t.Helper()
	for _, name := range releases {
		d.values[name] = value
	}
	var namespaces, values []string
	for _, name := range slices.Sorted(maps.Keys(longNamespaces)) {
		namespace := longNamespaces[name]
		namespaces = append(namespaces, fmt.Sprintf("%s = %q", name, namespace))
		values = append(values, fmt.Sprintf("%s = %q", name, d.values[name]))
	}
	image, _, _ := strings.Cut(providerImage, ":")
	text := fmt.Sprintf(`akash_provider "main" {
  window = "always"
  chart {
    repository = %[1]q
    version    = "6.0.5"
  }
}

locals {
  values = { %[2]s }
}

helm_release "long" {
  window = "always"
  for_each         = { %[3]s }
  release          = "long-${each.key}"
  namespace        = each.value
  create_namespace = true
  without          = { backup = "nothing in the lab needs its pods" }
  chart {
    repository = %[1]q
    name       = %[4]q
    version    = %[5]q
  }
  values = {
    image   = { repository = %[6]q }
    command = ["env", "wait"]
    env     = { SCENE = local.values[each.key] }
  }
}
`, d.repository, strings.Join(values, ", "), strings.Join(namespaces, ", "), longChart, longVersion, image)
	if err := os.WriteFile(filepath.Join(d.path, "besides.upkeep.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// upgrading waits until Helm works on some releases, which cannot end while the gate is closed.
func (d besides) upgrading(t *testing.T, r *started, releases ...string) {
	t.Helper()
	for _, name := range releases {
		r.await(t, "an upgrade of release "+name+" under way", func() bool {
			status := d.revisions(t, name)
			return len(status) > 0 && strings.HasPrefix(status[len(status)-1], "pending-")
		})
	}
}

// revisions are the states of a release's revisions, as Helm's own record has them.
func (d besides) revisions(t *testing.T, name string) []string {
	t.Helper()
	text, err := d.s.kubectlIn(d.s.ctx, longNamespaces[name], "get", "secret", "-l", "owner=helm", "--sort-by=.metadata.creationTimestamp",
		"-o", `jsonpath={range .items[*]}{.metadata.labels.status}{"\n"}{end}`)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(text)
}

// settled wants a plan that has nothing to do and finds nothing wrong, a provider that runs, and a tenant that noticed nothing.
func (d besides) settled(t *testing.T, tenant string) {
	t.Helper()
	p, r := d.plan(t)
	for _, f := range p.Upkeep.Findings {
		// The guide's script is older than what mainnet is paid with.
		if f.Severity != "note" && f.ID != "BID_SCRIPT_NO_UACT" && !slices.Contains(peculiar, f.ID) {
			t.Errorf("left: %+v", f)
		}
	}
	if len(p.Upkeep.Steps) > 0 || !p.Complete {
		t.Errorf("not settled:\n%s", r.stdout)
	}
	d.run(t, "marks").want(t, 0)
	for name := range longNamespaces {
		text, err := d.s.kubectlIn(d.s.ctx, longNamespaces[name], "get", "deployment", "long-"+name, "-o",
			`jsonpath={.spec.template.spec.containers[0].env[?(@.name=="SCENE")].value} {.status.updatedReplicas} {.status.readyReplicas}`)
		if want := d.values[name] + " 1 1"; err != nil || text != want {
			t.Errorf("release %s is %q (%v), want %q", name, text, err, want)
		}
	}
	if is := d.s.providerStanding(t); is.replicas != "1" || is.stopped != "" {
		t.Errorf("the provider is left as %+v", is)
	}
	if now := d.s.tenantUID(t); now != tenant {
		t.Errorf("the tenant's pod is another one: %s, was %s", now, tenant)
	}
	if left, err := filepath.Glob(filepath.Join(d.path, "*.lock.info")); err != nil || len(left) > 0 {
		t.Errorf("a lock is left behind: %v, %v", left, err)
	}
}

// recorded is a line of a journal.
type recorded struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	Step string    `json:"step"`
}

// journal reads the journal of the latest plan that began, as it is now.
func (d directory) journal(t *testing.T) (records []recorded) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(d.path, "journal", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		var of []recorded
		for lines := bufio.NewScanner(bytes.NewReader(readFile(t, file))); lines.Scan(); {
			var r recorded
			if json.Unmarshal(lines.Bytes(), &r) == nil { // the last one may be under way
				of = append(of, r)
			}
		}
		if len(of) > 0 && (len(records) == 0 || of[0].At.After(records[0].At)) {
			records = of
		}
	}
	return records
}

// ended are the steps and what became of them, in order: "certificates.control_plane@n1/renew done". Their starts are left out.
func (d directory) ended(t *testing.T) (words []string) {
	t.Helper()
	for _, r := range d.journal(t) {
		if what, ok := strings.CutPrefix(r.Kind, "step_"); ok && what != "started" {
			words = append(words, r.Step+" "+what)
		}
	}
	return words
}

// mostAtOnce is how many steps with a prefix were under way at one moment, and whether one with another prefix was beside them.
func mostAtOnce(records []recorded, prefix, other string) (most int, beside bool) {
	under := map[string]bool{}
	for _, r := range records {
		switch r.Kind {
		case "step_started":
			under[r.Step] = true
		case "step_done", "step_failed":
			delete(under, r.Step)
		}
		now, others := 0, false
		for step := range under {
			if strings.HasPrefix(step, prefix) {
				now++
			}
			others = others || strings.HasPrefix(step, other)
		}
		most = max(most, now)
		beside = beside || now > 0 && others
	}
	return most, beside
}

const (
	renewals = "certificates.control_plane@"
	upgrades = `helm_release.long["`
)

// testManyAtOnce has steps of control planes, of a provider and of three releases under way beside one another: in two lanes,
// killed, interrupted, with one lane closed, and with a guard that begins and ends twice.
func testManyAtOnce(t *testing.T, s *suite) {
	f := s.withFaultPoints(t)
	repository := f.serveCharts(t)
	for _, n := range s.lab.Nodes {
		s.undo(t, n.Name, "rm -rf "+onNode)
	}
	clean := func(ctx context.Context) error {
		for _, namespace := range longNamespaces {
			if _, err := s.kubectlIn(ctx, "", "delete", "namespace", namespace, "--ignore-not-found"); err != nil {
				return err
			}
		}
		return s.gate(ctx, false)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := clean(ctx); err != nil {
			t.Error("cleaning up:", err)
		}
		if err := s.lab.RemoveImage(ctx, imageOf(longProgram)); err != nil {
			t.Error("cleaning up:", err)
		}
	})
	if err := clean(s.ctx); err != nil {
		t.Fatal(err)
	}
	f.provider(t, repository, map[string]any{"monitor": map[string]any{"maxRetries": "0"}})
	f.images(t, longProgram)
	f.tenant(t)
	f.prices(t, map[string]string{"AKASH_MONITOR_MAX_RETRIES": "0"})
	tenant := f.tenantUID(t)
	d := besides{f.declare(t, declaration{renewBefore: time.Hour}), repository, map[string]string{"a": "0", "b": "0", "c": "0"}}
	d.declare(t, "0")
	// A scene that failed leaves nothing to the next one.
	scene := func(name string, do func(*testing.T)) {
		t.Run(name, func(t *testing.T) {
			s.freeLease(t)
			for _, n := range s.lab.Nodes {
				s.release(t, n.Name)
			}
			do(t)
		})
	}

	scene("two lanes", func(t *testing.T) {
		d.declare(t, "1", "a", "b", "c")
		for _, n := range s.lab.Nodes {
			s.makeOneDue(t, n.Name, "front-proxy-client")
		}
		r := d.start(t, "", "apply", "-auto-approve")
		d.upgrading(t, r, "a", "b", "c")
		// One control plane after the other is done while three releases are under way.
		r.await(t, "the renewals", func() bool {
			return len(d.ended(t)) == len(s.lab.Nodes)
		})
		s.setGate(t, true)
		if code := r.wait(t); code != 0 {
			t.Fatalf("exit %d, want 0\n%s", code, r.said())
		}
		most, beside := mostAtOnce(d.journal(t), upgrades, renewals)
		planes, _ := mostAtOnce(d.journal(t), renewals, upgrades)
		if most != 3 || planes != 1 || !beside {
			t.Errorf("%d releases and %d control planes were under way at once, want 3 and 1, side by side (%t)\n%s", most, planes, beside, r.said())
		}
		d.settled(t, tenant)
	})
	scene("killed while four steps run", func(t *testing.T) { d.killedWhileFourRun(t, tenant) })
	for _, test := range interrupts {
		scene(test.name, func(t *testing.T) { d.interrupted(t, test, tenant) })
	}
	scene("a closed lane beside an open one", func(t *testing.T) {
		s.setGate(t, false)
		d.declare(t, "closed", "a", "b", "c")
		for _, node := range []string{"n1", "n2"} {
			s.makeOneDue(t, node, "front-proxy-client")
		}
		s.order(t, "n1", renewals+"n1/renew/begun")
		r := d.start(t, "", "apply", "-auto-approve")
		unit := s.reachedOn(t, r, "n1")
		d.upgrading(t, r, "a", "b", "c")
		r.kill(t, theUnit, "n1", unit)
		r.await(t, "the end of the step that was killed", func() bool { return slices.Contains(d.ended(t), renewals+"n1/renew failed") })
		s.release(t, "n1")
		s.setGate(t, true)
		if code := r.wait(t); code != 3 {
			t.Errorf("exit %d, want 3\n%s", code, r.said())
		}
		want := []string{renewals + "n1/renew failed", renewals + "n2/renew blocked",
			upgrades + `a"]/upgrade done`, upgrades + `b"]/upgrade done`, upgrades + `c"]/upgrade done`}
		if got := slices.Sorted(slices.Values(d.ended(t))); !slices.Equal(got, want) {
			t.Errorf("%q, want %q\n%s", got, want, r.said())
		}
		d.run(t, "apply", "-auto-approve").want(t, 0)
		d.settled(t, tenant)
	})
	scene("a guard that begins and ends twice", func(t *testing.T) { d.guardedTwice(t, tenant) })
}

// killedWhileFourRun kills upkeep while a helper signs on one node and three releases are under way. The helper finishes what it
// had begun; the next apply repairs the releases and upgrades them, and renews nothing a second time.
func (d besides) killedWhileFourRun(t *testing.T, tenant string) {
	const node, name = "n2", "front-proxy-client"
	s := d.s
	s.setGate(t, false)
	d.declare(t, "killed", "a", "b", "c")
	s.makeOneDue(t, node, name)
	before := s.standing(t, node, name)
	revisions := map[string]int{}
	for release := range longNamespaces {
		revisions[release] = len(d.revisions(t, release))
	}
	s.order(t, node, renewals+node+"/renew/sign:"+name)
	r := d.start(t, "", "apply", "-auto-approve")
	s.reachedOn(t, r, node)
	d.upgrading(t, r, "a", "b", "c")
	r.kill(t, theUpkeep, node, "")
	var last struct {
		Done      int `json:"done"`
		HalfDone  int `json:"half_done"`
		Untouched int `json:"untouched"`
	}
	if err := json.Unmarshal([]byte(d.run(t, "status", "-run=last", "-json").want(t, 0).stdout), &last); err != nil {
		t.Fatal(err)
	}
	if last.Done != 0 || last.HalfDone != 4 || last.Untouched != 0 {
		t.Errorf("status says %+v, want 4 half-done steps", last)
	}
	s.release(t, node)
	s.until(t, time.Minute, "the end of what the helper had begun", func(context.Context) error {
		if now := s.standing(t, node, name); now.serial == before.serial || now.left != "" {
			return fmt.Errorf("serial %s, left: %s", now.serial, now.left)
		}
		return nil
	})
	reached := s.standing(t, node, name)
	s.setGate(t, true)
	d.run(t, "apply", "-auto-approve").want(t, 0)
	d.settled(t, tenant)
	after := s.standing(t, node, name)
	done := 0
	for _, e := range after.history[len(before.history):] {
		if e.Outcome == "done" {
			done++
		}
	}
	if done != 1 || after.serial != reached.serial || !after.whole {
		t.Errorf("%s was renewed %d times: %+v", name, done, after)
	}
	for release, was := range revisions {
		now := d.revisions(t, release)
		want := slices.Concat(slices.Repeat([]string{"superseded"}, was), []string{"failed", "deployed"})
		if !slices.Equal(now, want) {
			t.Errorf("the revisions of release %s are %q, want %q", release, now, want)
		}
	}
}

// interrupt is one way to stop an apply of two control planes and a release while two steps run.
type interrupt struct {
	name    string
	signals int
	// at is the boundary of n1's step at which the signals come.
	at string
	// want is what the journal says then of the first run, sorted.
	want []string
}

// signalled is what upkeep says to each signal.
var signalled = []string{"no new node is started", "running steps are finished and verified", "Stopping at once"}

var interrupts = []interrupt{
	{"one signal", 1, "renew/work", []string{
		"akash_provider.main/leases-start done", "akash_provider.main/leases-stop done", renewals + "n1/renew done", renewals + "n1/restart done", upgrades + `a"]/upgrade done`}},
	{"two signals", 2, "renew/work", []string{renewals + "n1/renew done", upgrades + `a"]/upgrade done`}},
	{"two signals within a guard", 2, "restart/work", []string{
		"akash_provider.main/leases-start done", "akash_provider.main/leases-stop done", renewals + "n1/renew done", renewals + "n1/restart done", upgrades + `a"]/upgrade done`}},
	{"three signals", 3, "restart/work", []string{
		"akash_provider.main/leases-stop done", renewals + "n1/renew done", renewals + "n1/restart failed",
		renewals + "n2/renew blocked", renewals + "n2/restart blocked", upgrades + `a"]/upgrade failed`}},
}

// interrupted interrupts an apply with two steps under way. The next apply finishes the work.
func (d besides) interrupted(t *testing.T, test interrupt, tenant string) {
	s := d.s
	s.setGate(t, false)
	d.declare(t, test.name, "a")
	s.order(t, "n1", renewals+"n1/"+test.at)
	replace := []string{"-replace=" + renewals + "n1", "-replace=" + renewals + "n2"}
	r := d.start(t, "", append([]string{"apply", "-auto-approve"}, replace...)...)
	s.reachedOn(t, r, "n1")
	d.upgrading(t, r, "a")
	for i := range test.signals {
		if err := r.command.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		r.await(t, fmt.Sprintf("signal %d", i+1), func() bool { return strings.Contains(r.said(), signalled[i]) })
	}
	if test.signals == 3 { // at once: nothing has to end for it
		if code := r.wait(t); code != 130 {
			t.Errorf("exit %d, want 130\n%s", code, r.said())
		}
	}
	s.release(t, "n1")
	s.setGate(t, true)
	if code := r.wait(t); code != 130 {
		t.Errorf("exit %d, want 130\n%s", code, r.said())
	}
	if got := slices.Sorted(slices.Values(d.ended(t))); !slices.Equal(got, test.want) {
		t.Errorf("%q, want %q\n%s", got, test.want, r.said())
	}
	s.until(t, time.Minute, "the end of what the helper had begun", func(context.Context) error {
		if left := s.standing(t, "n1", "front-proxy-client").left; left != "" {
			return fmt.Errorf("left: %s", left)
		}
		return nil
	})
	if p, _ := d.plan(t); len(p.Upkeep.Steps) > 0 { // n1 and the release may be done already
		d.run(t, "apply", "-auto-approve").want(t, 0)
	}
	d.settled(t, tenant)
}

// guardedTwice restarts two control planes, the second of which waits for a backup that takes until the provider, which was
// stopped for the first, runs again. It is stopped once more for the second.
func (d besides) guardedTwice(t *testing.T, tenant string) {
	s := d.s
	path := t.TempDir()
	base := string(readFile(t, filepath.Join(d.path, "lab.upkeep.hcl")))
	head, _, ok := strings.Cut(base, "certificates \"control_plane\" {")
	if !ok {
		t.Fatalf("the configuration is not as expected:\n%s", base)
	}
	text := head + fmt.Sprintf(`certificates "first" {
  window = "always"
  nodes        = node.cp["n1"]
  renew_before = "1h"
  without      = { backup = "the second one takes it" }
}

certificates "second" {
  window = "always"
  nodes        = node.cp["n2"]
  renew_before = "1h"
}

akash_provider "main" {
  window = "always"
  chart {
    repository = %q
    version    = "6.0.5"
  }
}

%s`, d.repository, backupBlock("hash", encryptedTo(newAgeKey(t)), fileStore("bundles")))
	if err := os.WriteFile(filepath.Join(path, "lab.upkeep.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	twice := directory{s: s, path: path}
	r := twice.start(t, "etcd_backup.lab/take/acting", "apply", "-auto-approve", "-replace=certificates.first@n1", "-replace=certificates.second@n2")
	r.reached(t)
	r.await(t, "the guard's end", func() bool { return slices.Contains(twice.ended(t), "akash_provider.main/leases-start done") })
	if is := s.providerStanding(t); is.replicas != "1" || is.stopped != "" {
		t.Errorf("the guard has ended, and the provider is %+v", is)
	}
	r.free(t)
	if code := r.wait(t); code != 0 {
		t.Fatalf("exit %d, want 0\n%s", code, r.said())
	}
	var got []string
	for _, words := range twice.ended(t) {
		if strings.HasPrefix(words, "akash_provider.main/") || strings.Contains(words, "/restart ") {
			got = append(got, words)
		}
	}
	want := []string{"akash_provider.main/leases-stop done", "certificates.first@n1/restart done", "akash_provider.main/leases-start done",
		"akash_provider.main/leases-stop done", "certificates.second@n2/restart done", "akash_provider.main/leases-start done"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q\n%s", got, want, r.said())
	}
	d.settled(t, tenant)
}
