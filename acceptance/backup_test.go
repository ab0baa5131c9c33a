package acceptance

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// ageKey is a pair of age keys, the secret one in a file.
type ageKey struct{ recipient, file string }

func newAgeKey(t *testing.T) ageKey {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(path, []byte(key.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return ageKey{key.Recipient().String(), path}
}

// backupBlock declares backups. Whatever is not said is kept.
func backupBlock(verify, encryption, store string) string {
	return fmt.Sprintf(`etcd_backup "lab" {
  max_age = "24h"
  verify  = %q
  %s

  %s

  keep {
    last = "unlimited"
  }
}
`, verify, encryption, store)
}

func encryptedTo(k ageKey) string { return fmt.Sprintf("encrypt_to = [%q]", k.recipient) }

func fileStore(path string) string { return fmt.Sprintf("store \"file\" {\n    path = %q\n  }", path) }

// bundles lists the ids of the bundles in a directory, oldest first, and checks that all of it is its owner's alone.
func bundlesIn(t *testing.T, directory string) (ids []string) {
	t.Helper()
	info, err := os.Stat(directory)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("the store %s: %v, %v; want mode 0700", directory, info, err)
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().IsRegular() && info.Mode().Perm() != 0o600 {
			t.Errorf("%s in the store has mode %s, want 0600", e.Name(), info.Mode())
		}
		if id, ok := strings.CutSuffix(e.Name(), ".upkeep-bundle"); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// verified is what the tests read of `backup verify -json`.
type verified struct {
	Remembered, Opened, Restored bool
	Revision, Keys               int64
}

// verify runs `backup verify` and wants it to succeed.
func (d directory) verify(t *testing.T, args ...string) (v verified) {
	t.Helper()
	r := d.run(t, append([]string{"backup", "verify", "-json"}, args...)...).want(t, 0)
	if r.code == 0 {
		if err := json.Unmarshal([]byte(r.stdout), &v); err != nil {
			t.Fatalf("backup verify -json: %v\n%s", err, r.stdout)
		}
	}
	return v
}

// etcdClient is a client of the lab's etcd, for what the tests put there themselves.
func (s *suite) etcdClient(t *testing.T) *clientv3.Client {
	t.Helper()
	config, err := s.lab.EtcdTLS(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	var endpoints []string
	for _, member := range s.lab.EtcdMembers() {
		endpoints = append(endpoints, "https://"+member)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, TLS: config, DialTimeout: 10 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// load is where the tests keep what they write into etcd; Kubernetes keeps its objects below /registry.
const load = "/upkeep-acceptance/load/"

// writeLoad writes into etcd without a pause until the returned function is called, which returns how many writes there were.
func (s *suite) writeLoad(t *testing.T) func() int64 {
	t.Helper()
	client := s.etcdClient(t)
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	value := make([]byte, 4<<10)
	_, _ = rand.Read(value)
	var writers sync.WaitGroup
	var count, failed atomic.Int64
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := client.Put(ctx, fmt.Sprintf("%s%d/%d", load, w, i%500), string(value)); err == nil {
					count.Add(1)
				} else if ctx.Err() == nil {
					failed.Add(1)
				}
			}
		})
	}
	stopped := false
	stop := func() int64 {
		if !stopped {
			stopped = true
			cancel()
			writers.Wait()
			s.unload(t, client)
		}
		if n := failed.Load(); n > 0 {
			t.Errorf("%d writes failed, %d did not", n, count.Load())
		}
		return count.Load()
	}
	t.Cleanup(func() { stop() })
	return stop
}

// unload removes what the tests wrote and gives the space back.
func (s *suite) unload(t *testing.T, client *clientv3.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), time.Minute)
	defer cancel()
	gone, err := client.Delete(ctx, load, clientv3.WithPrefix())
	if err == nil {
		_, err = client.Compact(ctx, gone.Header.Revision, clientv3.WithCompactPhysical())
	}
	if err != nil {
		t.Error("removing what was written into etcd:", err)
		return
	}
	for _, member := range client.Endpoints() {
		if _, err := client.Defragment(ctx, member); err != nil {
			t.Errorf("giving space back on %s: %v", member, err)
		}
	}
}

// Certificates are renewed behind a backup, in one apply and without a reason not to have one: etcd is written to all the
// while, the bundle is restored before it counts, and afterwards there is nothing to do.
func testBackupGuards(t *testing.T, s *suite) {
	const node = "n2"
	key, folder := newAgeKey(t), filepath.Join(t.TempDir(), "backups")
	d := s.declare(t, declaration{renewBefore: time.Hour, backup: backupBlock("restore", encryptedTo(key), fileStore(folder))})
	replace := "-replace=certificates.control_plane@" + node
	p, r := d.plan(t, replace)
	r.want(t, 2)
	var operations []string
	for _, step := range p.Upkeep.Steps {
		operations = append(operations, step.Operation)
	}
	if len(operations) < 2 || operations[0] != "backup.take" || slices.Contains(operations[1:], "backup.take") || !p.Applyable {
		t.Fatalf("the plan's steps are %v, want one backup before everything else\n%s", operations, r.stdout)
	}
	before := s.expires(t, node)

	stop := s.writeLoad(t)
	applied := d.run(t, "apply", "-auto-approve", replace).want(t, 0)
	writes := stop()
	t.Logf("figure: a backup, restored, and the renewal of one control plane behind it took %s, with %d writes into etcd beside it", applied.wall.Round(100*time.Millisecond), writes)
	if writes < 100 {
		t.Errorf("only %d writes were made meanwhile", writes)
	}
	for _, want := range []string{"restored it: etcd started from it", "the same on 3 members", "and the disk has it"} {
		if !strings.Contains(applied.stdout, want) {
			t.Errorf("the apply does not say %q:\n%s", want, applied.stdout)
		}
	}
	for name, end := range s.expires(t, node) {
		if !end.After(before[name]) {
			t.Errorf("%s on %s ends at %s, as before: it was not renewed", name, node, end)
		}
	}
	ids := bundlesIn(t, folder)
	if len(ids) != 1 {
		t.Fatalf("the store has %v, want one bundle", ids)
	}
	d.empty(t)

	if v := d.verify(t, "latest"); !v.Remembered || v.Opened {
		t.Errorf("without an identity: %+v", v)
	}
	v := d.verify(t, "-identity="+key.file, "-level=restore", ids[0])
	if !v.Remembered || !v.Opened || !v.Restored || v.Keys < 100 {
		t.Errorf("restored: %+v", v)
	}
	if r := d.run(t, "backup", "verify", "-identity="+newAgeKey(t).file, "latest").want(t, 1); !strings.Contains(r.stderr, "no identity that was given opens it") {
		t.Errorf("another's identity: %s", r.stderr)
	}
	if r := d.run(t, "backup", "list").want(t, 0); !strings.Contains(r.stdout, ids[0]) || !strings.Contains(r.stdout, "proved by restore") {
		t.Errorf("the list does not have it:\n%s", r.stdout)
	}
	if r := d.run(t, "backup", "show", "latest").want(t, 0); !strings.Contains(r.stdout, "nodes/n3.tar") || !strings.Contains(r.stdout, "cluster/kubeadm-config.yaml") {
		t.Errorf("it does not hold what it should:\n%s", r.stdout)
	}
}
