package acceptance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const disasterPage = "../docs/disaster-recovery.md"

// All three data directories are destroyed; docs/disaster-recovery.md, executed by a plain shell as it stands, brings the cluster
// back as it was when the bundle was taken.
func testDisaster(t *testing.T, s *suite) {
	key, folder := newAgeKey(t), filepath.Join(t.TempDir(), "backups")
	d := s.declare(t, declaration{renewBefore: time.Hour, backup: backupBlock("restore", encryptedTo(key), fileStore(folder))})
	kubectl := "kubectl --kubeconfig /etc/kubernetes/admin.conf -n default "
	token := fmt.Sprint(time.Now().UnixNano())
	s.ssh(t, "n1", kubectl+"create configmap upkeep-canary --from-literal=token="+token+" && "+kubectl+"create secret generic upkeep-canary --from-literal=token="+token)
	s.undo(t, "n1", kubectl+"delete configmap,secret upkeep-canary --ignore-not-found")
	d.run(t, "backup", "take", "-auto-approve").want(t, 0)
	d.empty(t)
	s.ssh(t, "n1", kubectl+"create configmap upkeep-after-the-bundle --from-literal=token="+token)
	s.undo(t, "n1", kubectl+"delete configmap upkeep-after-the-bundle --ignore-not-found")

	back := false
	t.Cleanup(func() {
		if back {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), cleaningTime-30*time.Second)
		defer cancel()
		if err := s.lab.Reset(ctx); err != nil {
			t.Error("forming the cluster anew:", err)
		}
	})
	destroyed := time.Now()
	for _, n := range s.lab.Nodes {
		s.ssh(t, n.Name, "rm -rf /var/lib/etcd/member; pkill -KILL -x etcd || true; rm -rf /var/lib/etcd/member")
	}
	s.followPage(t, d, key)
	t.Logf("figure: from the loss of all data directories to a cluster that is Ready again, by the page: %s", time.Since(destroyed).Round(time.Second))
	if err := s.lab.Ready(s.ctx, destroyed); err != nil {
		t.Fatal(err)
	}
	back = true
	for _, kind := range []string{"configmap", "secret"} {
		out := s.ssh(t, "n1", kubectl+"get "+kind+" upkeep-canary -o jsonpath='{.data.token}'")
		if kind == "secret" {
			out = s.sshInput(t, "n1", "base64 -d", out)
		}
		if out != token {
			t.Errorf("the %s that was there has %q, want %q", kind, out, token)
		}
	}
	if out := s.ssh(t, "n1", kubectl+"get configmap upkeep-after-the-bundle --ignore-not-found -o name"); out != "" {
		t.Errorf("%s was made after the bundle, and is there", out)
	}
	// What was there can be changed and watched: writes get new revisions.
	s.ssh(t, "n1", kubectl+"patch configmap upkeep-canary -p '{\"data\":{\"after\":\"recovery\"}}'")
	for _, n := range s.lab.Nodes {
		if left := strings.TrimSpace(s.ssh(t, n.Name, "ls -d /root/recovery 2>/dev/null || true")); left != "" {
			t.Errorf("left behind on %s: %s", n.Name, left)
		}
	}
	// etcd's cluster is a new one: upkeep works on it when somebody says so, and what was proved is of another.
	p, r := d.plan(t)
	r.want(t, 1)
	if len(p.Upkeep.Refusals) != 1 || !strings.Contains(p.Upkeep.Refusals[0], "upkeep state forget-cluster") {
		t.Errorf("refusals after the recovery: %q", p.Upkeep.Refusals)
	}
	d.run(t, "state", "forget-cluster", "-force").want(t, 0)
	if p, _ := d.plan(t); len(p.Upkeep.Steps) != 1 || p.Upkeep.Steps[0].Operation != "backup.take" {
		t.Errorf("after the recovery the plan is:\n%s", d.run(t, "plan").stdout)
	}
	d.run(t, "backup", "take", "-auto-approve").want(t, 0)
	p, r = d.plan(t)
	r.want(t, 0)
	for _, f := range p.Upkeep.Findings {
		if f.ID != "BUNDLE_FOREIGN" {
			t.Errorf("found after the recovery: %+v", f)
		}
	}
	if len(p.Upkeep.Steps) > 0 || len(p.Upkeep.Refusals) > 0 {
		t.Errorf("after the recovery and a backup the plan is not empty:\n%s", d.run(t, "plan").stdout)
	}
}

// followPage executes the page as a person does who copies it into a shell, with settings for the lab.
func (s *suite) followPage(t *testing.T, d directory, key ageKey) {
	t.Helper()
	page := string(readFile(t, disasterPage))
	blocks := shellBlocks(page)
	if len(blocks) < 9 || !strings.Contains(page, "```sh settings\n") {
		t.Fatalf("%s has %d blocks", disasterPage, len(blocks))
	}
	out := filepath.Join(t.TempDir(), "recovered")
	script := fmt.Sprintf("set -eu\nnodes=\"n1 n2 n3\"\nssh=\"ssh -F %s\" become=\"\"\nbundle=latest\nidentity=%s\ntrust=\nout=%s\nupkeep() { %s \"$@\"; }\n", s.lab.SSHConfig(), key.file, out, s.upkeep)
	for i, block := range blocks {
		script += fmt.Sprintf("echo \"== block %d at $(date +%%T)\" >&2\n%s", i+1, block)
	}
	path := filepath.Join(s.logs, "disaster.sh")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.ctx, 7*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "sh", path)
	command.Dir = d.path
	command.WaitDelay = 10 * time.Second
	said, err := command.CombinedOutput()
	if writeErr := os.WriteFile(path+".out", said, 0o600); writeErr != nil {
		t.Error(writeErr)
	}
	t.Logf("\n%s", said)
	if err != nil {
		t.Fatalf("%s: %v", disasterPage, err)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("the page leaves every Secret in %s: %v", out, err)
	}
}
