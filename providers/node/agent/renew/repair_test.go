package renew_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fixture "upkeep/fixtures/pki"
	"upkeep/providers/node/agent/renew"
	"upkeep/providers/node/protocol"
)

// crash leaves a node as a renewal leaves it that dies at the named instant, and returns the intent's directory.
func crash(t *testing.T, at string) (dir, intent string, before map[string]string) {
	t.Helper()
	dir, q, before := dying(t)
	for _, i := range instants(t) {
		if i.name != at {
			continue
		}
		if where, killed := die(t, dir, q, i.number); !killed || where != at {
			t.Fatalf("killed %t at %q", killed, where)
		}
		found, err := filepath.Glob(filepath.Join(dir, renew.Dir, "intents/*"))
		if err != nil || len(found) != 1 {
			t.Fatalf("intents %v, %v", found, err)
		}
		return dir, found[0], before
	}
	t.Fatalf("there is no instant %q", at)
	return "", "", nil
}

func repair(t *testing.T, dir, intent string) (protocol.RepairResult, error) {
	t.Helper()
	return renewer(t, dir).Repair(protocol.RepairRequest{Intent: filepath.Base(intent)}, func(string) {})
}

// The instant at which the API server's key is new and its certificate still old.
const mixed = "install:apiserver:rename:1"

func TestRepairWithDamagedNewFiles(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, intent string)
	}{
		{"cut off", func(t *testing.T, intent string) { must(t, os.Truncate(filepath.Join(intent, "0.1.new"), 10)) }},
		{"gone", func(t *testing.T, intent string) { must(t, os.Remove(filepath.Join(intent, "0.1.new"))) }},
		{"another's", func(t *testing.T, intent string) {
			text, err := os.ReadFile(filepath.Join(intent, "1.1.new"))
			must(t, err, os.WriteFile(filepath.Join(intent, "0.1.new"), text, 0o600))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, intent, before := crash(t, mixed)
			if f, _ := observe(t, dir).File("apiserver"); f.Key != "mismatch" {
				t.Fatalf("after the crash apiserver's key is %q; this test needs a mismatch", f.Key)
			}
			c.damage(t, intent)
			result, err := repair(t, dir, intent)
			if err != nil {
				t.Fatal(err)
			}
			want := protocol.RepairResult{Installed: []string{"etcd-server", "admin.conf", "/root/.kube/config"}, Discarded: []string{"apiserver"}}
			if diff := cmp.Diff(want, result); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			after := observe(t, dir)
			healthy(t, after)
			if now := serials(after); now["apiserver"] != before["apiserver"] || now["etcd-server"] == before["etcd-server"] {
				t.Errorf("apiserver %s -> %s, etcd-server %s -> %s", before["apiserver"], now["apiserver"], before["etcd-server"], now["etcd-server"])
			}
		})
	}
}

func TestRepairLeavesWhatWasNotBegunAndIsDamaged(t *testing.T) {
	dir, intent, before := crash(t, mixed)
	must(t, os.Remove(filepath.Join(intent, "1.0.new")))
	result, err := repair(t, dir, intent)
	if err != nil {
		t.Fatal(err)
	}
	want := protocol.RepairResult{Installed: []string{"apiserver", "admin.conf", "/root/.kube/config"}, Discarded: []string{"etcd-server"}}
	if diff := cmp.Diff(want, result); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	after := observe(t, dir)
	healthy(t, after)
	if serials(after)["etcd-server"] != before["etcd-server"] {
		t.Error("etcd-server was changed")
	}
}

func TestRepairKeepsWhatSomebodyRenewedMeanwhile(t *testing.T) {
	dir, intent, _ := crash(t, mixed)
	must(t, fixture.Renew(dir, "etcd-server", time.Now(), 100*24*time.Hour), fixture.Renew(dir, "apiserver", time.Now(), 100*24*time.Hour))
	byHand := serials(observe(t, dir))
	result, err := repair(t, dir, intent)
	if err != nil {
		t.Fatal(err)
	}
	want := protocol.RepairResult{Installed: []string{"admin.conf", "/root/.kube/config"}, Discarded: []string{"apiserver", "etcd-server"}}
	if diff := cmp.Diff(want, result); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	after := observe(t, dir)
	healthy(t, after)
	if now := serials(after); now["apiserver"] != byHand["apiserver"] || now["etcd-server"] != byHand["etcd-server"] {
		t.Error("what was renewed by hand was overwritten")
	}
}

func TestRepairHealsAMixtureWithSomebodyElsesFile(t *testing.T) {
	dir, intent, before := crash(t, mixed)
	must(t, os.WriteFile(filepath.Join(dir, "etc/kubernetes/pki/apiserver.crt"), []byte("nonsense"), 0o644))
	if _, err := repair(t, dir, intent); err != nil {
		t.Fatal(err)
	}
	after := observe(t, dir)
	healthy(t, after)
	if serials(after)["apiserver"] == before["apiserver"] {
		t.Error("apiserver is the old one")
	}
}

func TestRepairRefuses(t *testing.T) {
	dir, intent, _ := crash(t, mixed)
	record := filepath.Join(intent, "intent.json")
	good, err := os.ReadFile(record)
	must(t, err)
	for _, c := range []struct{ name, text, want string }{
		{"no JSON", "{", "cannot be parsed"},
		{"another version", strings.Replace(string(good), `"version": 1`, `"version": 9`, 1), "of version 9"},
		{"a path out of the layout", strings.Replace(string(good), "/etc/kubernetes/pki/apiserver.crt", "/etc/shadow", 1), "apiserver is not at /etc/shadow"},
		{"a relative path", strings.Replace(string(good), "/root/.kube/config\",\n          \"staged", "../x\",\n          \"staged", 1), "names files that no renewal names"},
		{"a staged file elsewhere", strings.Replace(string(good), `"0.0.new"`, `"../0.0.new"`, 1), "names files that no renewal names"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.text == string(good) {
				t.Fatal("the record was not changed")
			}
			must(t, os.WriteFile(record, []byte(c.text), 0o600))
			if u := observe(t, dir).Unfinished; len(u) != 1 || !strings.Contains(u[0].Unknown, c.want) {
				t.Errorf("unfinished %+v, want it unknown: %s", u, c.want)
			}
			if _, err := repair(t, dir, intent); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
		})
	}
	must(t, os.WriteFile(record, good, 0o600))
	for _, id := range []string{"", ".", "..", "../../etc", "a/b", ".hidden"} {
		if _, err := renewer(t, dir).Repair(protocol.RepairRequest{Intent: id}, func(string) {}); err == nil {
			t.Errorf("intent %q is taken", id)
		}
	}
	if _, err := repair(t, dir, intent); err != nil {
		t.Errorf("the whole record: %v", err)
	}
	healthy(t, observe(t, dir))
}

func TestRepairWithoutAnArchiveSaysSo(t *testing.T) {
	dir, intent, _ := crash(t, mixed)
	archives, err := filepath.Glob(filepath.Join(dir, renew.Dir, "archive/*"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("archives %v, %v", archives, err)
	}
	must(t, os.WriteFile(archives[0], []byte("gone"), 0o600), os.Remove(filepath.Join(intent, "0.0.new")))
	if _, err := repair(t, dir, intent); err == nil || !strings.Contains(err.Error(), "put apiserver back") {
		t.Errorf("got %v", err)
	}
	if len(observe(t, dir).Unfinished) != 1 {
		t.Error("the intent was cleared although nothing was repaired")
	}
}
