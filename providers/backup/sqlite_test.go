package backup_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/etcd/drill"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/k3s"
	"upkeep/providers/node/agent/sqlite"
)

// k3sSite is a k3s server with SQLite on cp1: its real database, and its files.
type k3sSite struct {
	*site
	db *sql.DB
}

func newK3sSite(t *testing.T, level string) k3sSite {
	t.Helper()
	s := k3sSite{site: newSiteWithoutMember(t, level)}
	s.dial = func(context.Context, string) (net.Conn, error) { return nil, errors.New("there is no etcd") }
	server := filepath.Join(s.roots["cp1"], "var/lib/rancher/k3s/server")
	for path, text := range map[string]string{
		"token": "K10abc::server:the private key of cp1", "cred/encryption-config.json": "{}", "tls/server-ca.key": "another private key",
		"tls/server-ca.crt": authority(t), "../../../../../etc/rancher/k3s/config.yaml": "write-kubeconfig-mode: \"0600\"\n", "db/state.db": "",
	} {
		path = filepath.Join(server, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// As the block is where nobody names paths.
	s.spec.Include = []string{"/etc/kubernetes", "/etc/ssl/etcd", "/etc/etcd.env"}
	s.spec.Nodes = config.Selection{Names: []string{"cp1"}}
	var err error
	if s.db, err = sql.Open("sqlite", "file:"+filepath.Join(server, "db/state.db")+"?_pragma=journal_mode(wal)&_pragma=wal_autocheckpoint(0)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	s.exec(`CREATE TABLE kine (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, created INTEGER, deleted INTEGER, create_revision INTEGER, prev_revision INTEGER, lease INTEGER, value BLOB, old_value BLOB)`)
	s.exec(`CREATE INDEX kine_name_id_index ON kine (name, id)`)
	s.row("compact_rev_key", 0)
	for i := range 200 {
		s.row(fmt.Sprintf("/registry/configmaps/default/c%d", i%100), 0)
	}
	s.row("gap-202", 1)
	s.row("/registry/namespaces/kube-system", 0)
	s.row("/registry/namespaces/default", 0)
	s.row("/registry/configmaps/default/c7", 1) // deleted
	return s
}

func (s k3sSite) exec(statement string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Exec(statement, args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s k3sSite) row(name string, deleted int) {
	s.t.Helper()
	s.exec(`INSERT INTO kine (name, created, deleted, create_revision, prev_revision, lease, value) VALUES (?, 1, ?, 0, 0, 0, ?)`, name, deleted, strings.Repeat("canary", 50))
}

func authority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, NotAfter: time.Now().Add(time.Hour)},
		&x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// look observes the nodes as their helpers do.
func (s k3sSite) look(ctx context.Context, step providers.Step) (providers.Input, error) {
	in, err := s.site.look(ctx, step)
	if err != nil {
		return in, err
	}
	in.World.Etcd = facts.Etcd{Unknown: "k3s on cp1 keeps its cluster in SQLite, not in etcd"}
	in.World.Kubernetes.ClusterConfiguration, in.World.Kubernetes.ClusterConfigurationUnknown = "", "there is no ConfigMap kube-system/kubeadm-config"
	d, err := disk.Open(s.roots["cp1"])
	if err != nil {
		return in, err
	}
	defer d.Close()
	in.World.Nodes["cp1"].K3s = k3s.Collect(d)
	return in, nil
}

func (s k3sSite) tools() backup.Tools {
	t := s.site.tools()
	t.Look, t.Etcd = s.look, nil
	t.SQLite = func(ctx context.Context, node string) (io.ReadCloser, error) {
		d, err := disk.Open(s.roots[node])
		if err != nil {
			return nil, err
		}
		return sqlite.Open(ctx, d, k3s.Database), nil
	}
	return t
}

func (s k3sSite) outcome() providers.Outcome {
	s.t.Helper()
	in, err := s.look(s.t.Context(), providers.Step{})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.spec.Diff(in)
}

func (s k3sSite) run(step providers.Step) error {
	s.t.Helper()
	effect := backup.Type().Effects[step.Operation]
	before, err := s.look(s.t.Context(), step)
	if err != nil {
		return err
	}
	step = grounded(s.t, effect, before, step)
	if ready := effect.Ready(before, step); ready.State != providers.Holds {
		return fmt.Errorf("%s: %s", ready.State, ready.Why)
	}
	if err := backup.Operations(s.tools())[step.Operation].Run(s.t.Context(), step, func(line string) { s.said = append(s.said, line) }); err != nil {
		return err
	}
	after, err := s.look(s.t.Context(), step)
	if err != nil {
		return err
	}
	return effect.Proved(before, after, step)
}

func (s k3sSite) take() bundle.Label {
	s.t.Helper()
	if err := s.run(s.outcome().Steps[0]); err != nil {
		s.t.Fatal(err)
	}
	label, err := bundle.ReadLabel(s.t.Context(), s.store, s.proofs()[len(s.proofs())-1].Bundle)
	if err != nil {
		s.t.Fatal(err)
	}
	return label
}

func TestK3sTakeAndProveAgain(t *testing.T) {
	for _, level := range []string{"hash", "restore"} {
		t.Run(level, func(t *testing.T) {
			s := newK3sSite(t, level)
			found, steps := summary(s.outcome())
			if diff := cmp.Diff([]string{`BACKUP_NONE : there is no bundle, max_age = "1d"`}, found); diff != "" {
				t.Errorf("findings:\n%s", diff)
			}
			if diff := cmp.Diff([]string{"backup.take: take and prove a bundle of k3s's database on cp1"}, steps); diff != "" {
				t.Errorf("steps:\n%s", diff)
			}
			label := s.take()
			var parts []string
			for _, p := range label.Parts {
				parts = append(parts, p.Name)
			}
			if diff := cmp.Diff([]string{backup.DatabasePart, backup.NodePart("cp1"), backup.ProviderPart("manifests.akash.network")}, parts); diff != "" {
				t.Errorf("parts:\n%s", diff)
			}
			// 205 rows: 100 names of which one was deleted, two namespaces; the rows that are kine's own are no keys.
			revision, keys := int64(205), int64(101)
			if level == "hash" {
				revision, keys = 0, 0
			}
			if label.Datastore != "sqlite" || label.Member != "cp1" || len(label.ClusterID) != 16 || label.Revision != revision || label.Keys != keys || len(label.Gaps) > 0 {
				t.Errorf("label %+v", label.Manifest)
			}
			remembered := s.proofs()[0]
			if remembered.Level != level || remembered.Revision != revision || remembered.Keys != keys || remembered.ClusterID != label.ClusterID {
				t.Errorf("proof %+v", remembered)
			}
			if found, steps := summary(s.outcome()); len(found)+len(steps) > 0 {
				t.Errorf("still due: %v %v", found, steps)
			}
			if left, err := os.ReadDir(s.temp); err != nil || len(left) > 0 {
				t.Errorf("left of the drill: %v, %v", left, err)
			}

			s.forget()
			again := s.outcome().Steps
			if len(again) == 0 || again[0].Operation != backup.OperationProve {
				t.Fatalf("nothing proves it: %+v", again)
			}
			if err := s.run(again[0]); err != nil {
				t.Fatal(err)
			}
			if level == "restore" {
				if got := s.proofs()[0]; got != remembered {
					t.Errorf("proof %+v, was %+v", got, remembered)
				}
			}
			s.forget()
			s.store = failing{Store: s.store, changes: true}
			if err := s.run(again[0]); !errors.Is(err, bundle.ErrDamaged) || len(s.proofs()) > 0 {
				t.Errorf("a damaged bundle: %v, proofs %v", err, s.proofs())
			}
		})
	}
}

// A database that was broken before it was copied has the right SHA-256 and is never proved by a restore.
func TestK3sBrokenDatabase(t *testing.T) {
	for name, test := range map[string]struct {
		change func(k3sSite)
		want   string
	}{
		"an index that lacks a row": {func(s k3sSite) {
			s.exec(`PRAGMA writable_schema = ON`)
			s.exec(`UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'kine') WHERE name = 'kine_name_id_index'`)
		}, "damaged"},
		"no cluster in it":    {func(s k3sSite) { s.exec(`DELETE FROM kine WHERE name = '/registry/namespaces/kube-system'`) }, "the database lacks /registry/namespaces/kube-system"},
		"no table of k3s":     {func(s k3sSite) { s.exec(`ALTER TABLE kine RENAME TO other`) }, "has no table kine"},
		"not a row in it":     {func(s k3sSite) { s.exec(`DELETE FROM kine`) }, "without a single key"},
		"a page that is torn": {func(s k3sSite) { s.tear() }, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newK3sSite(t, "restore")
			test.change(s)
			err := s.run(s.outcome().Steps[0])
			if err == nil || !strings.Contains(err.Error(), test.want) || len(s.proofs())+len(s.names()) > 0 {
				t.Errorf("%v; proofs %v; stored %v", err, s.proofs(), s.names())
			}
		})
	}
}

// tear closes the database and writes over the middle of one of its pages.
func (s k3sSite) tear() {
	s.t.Helper()
	if err := s.db.Close(); err != nil {
		s.t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(s.roots["cp1"], k3s.Database), os.O_RDWR, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, 64), 3*4096+2); err != nil {
		s.t.Fatal(err)
	}
}

// Swapped content under the right name: another database in the place of the one that the manifest speaks of.
func TestK3sRehearseComparesWithTheManifest(t *testing.T) {
	s := newK3sSite(t, "restore")
	label := s.take()
	out, err := s.recover(label, nil)
	if err != nil {
		t.Fatal(err)
	}
	options, err := s.tools().Drill()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Rehearse(t.Context(), options, out.Database, label.Manifest); err != nil {
		t.Errorf("the right database: %v", err)
	}
	for name, statement := range map[string]string{
		"a value": `UPDATE kine SET value = 'x' WHERE id = 150`, "a key more": `INSERT INTO kine (name, deleted) VALUES ('/registry/more', 0)`,
		"a key gone": `DELETE FROM kine WHERE id = 150`, "a name": `UPDATE kine SET name = '/registry/other' WHERE id = 150`,
	} {
		t.Run(name, func(t *testing.T) {
			other := filepath.Join(t.TempDir(), "state.db")
			content, err := os.ReadFile(out.Database)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(other, content, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", other)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := backup.Rehearse(t.Context(), options, other, label.Manifest); err == nil || !strings.Contains(err.Error(), "not what was saved") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func (s k3sSite) recover(label bundle.Label, members []drill.Peer) (backup.Recovered, error) {
	s.t.Helper()
	stored, err := s.store.Get(s.t.Context(), bundle.Name(label.ID))
	if err != nil {
		s.t.Fatal(err)
	}
	defer stored.Close()
	ids, err := bundle.ParseIdentities([]byte(s.key.String()))
	if err != nil {
		s.t.Fatal(err)
	}
	options, err := s.tools().Drill()
	if err != nil {
		s.t.Fatal(err)
	}
	return backup.Recover(s.t.Context(), backup.Recovery{
		Stored: stored, Label: label, Identities: ids, Directory: filepath.Join(s.t.TempDir(), "recovered"), Members: members, Token: "t", Drill: options,
	})
}

func TestK3sRecover(t *testing.T) {
	for _, level := range []string{"hash", "restore"} {
		t.Run(level, func(t *testing.T) {
			s := newK3sSite(t, level)
			label := s.take()
			out, err := s.recover(label, nil)
			if err != nil {
				t.Fatal(err)
			}
			if out.Snapshot != "" || len(out.Members) > 0 || len(out.Nodes) != 1 || out.Nodes[0].Name != "cp1" {
				t.Errorf("recovered %+v", out)
			}
			db, err := sql.Open("sqlite", out.Database)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var rows int
			if err := db.QueryRow(`SELECT count(*) FROM kine`).Scan(&rows); err != nil || rows != 205 {
				t.Errorf("%d rows, %v", rows, err)
			}
			archive, err := os.ReadFile(out.Nodes[0].Archive)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"var/lib/rancher/k3s/server/token", "K10abc::server:", "var/lib/rancher/k3s/server/tls/server-ca.key", "var/lib/rancher/k3s/server/cred/encryption-config.json", "etc/rancher/k3s/config.yaml"} {
				if !bytes.Contains(archive, []byte(want)) {
					t.Errorf("the node's archive has no %s", want)
				}
			}
			if info, err := os.Stat(out.Database); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the database: %v, %v", info.Mode(), err)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(out.Database), "..", "etcd")); !os.IsNotExist(err) {
				t.Errorf("a directory for members of etcd: %v", err)
			}
			if _, err := s.recover(label, []drill.Peer{{Name: "cp1", PeerURLs: []string{"https://10.0.0.1:2380"}}}); err == nil || !strings.Contains(err.Error(), "leave -member out") {
				t.Errorf("with members: %v", err)
			}
		})
	}
}

// A server's token missing is a gap that is said: without it the database is worth nothing.
func TestK3sWithoutAToken(t *testing.T) {
	s := newK3sSite(t, "hash")
	s.spec.Include = []string{"/etc/rancher"}
	if err := os.Remove(filepath.Join(s.roots["cp1"], "var/lib/rancher/k3s/server/token")); err != nil {
		t.Fatal(err)
	}
	label := s.take()
	if want := []bundle.Gap{{What: "/var/lib/rancher/k3s/server/token of cp1", Why: "there is no such path"}}; !slices.Equal(label.Gaps, want) {
		t.Errorf("gaps %+v", label.Gaps)
	}
}

func TestK3sFindings(t *testing.T) {
	server := func(cluster string) facts.K3s {
		return facts.K3s{Datastore: facts.K3sSQLite, ClusterID: cluster, Database: k3s.Database}
	}
	unknown := facts.Etcd{Unknown: "no node with an etcd member is known"}
	none := `BACKUP_NONE : there is no bundle, max_age = "1d"`
	for name, test := range map[string]struct {
		change  func(*facts.World)
		found   []string
		take    string
		refused string
	}{
		"one server": {func(w *facts.World) { w.Etcd, w.Nodes["cp1"].K3s = unknown, server("aa") },
			[]string{none}, "take and prove a bundle of k3s's database on cp1", ""},
		"beside what an etcd left behind": {func(w *facts.World) {
			w.Etcd, w.Nodes["cp1"].K3s = unknown, server("aa")
			w.Nodes["cp1"].EtcdData = facts.EtcdData{Directory: "/var/lib/etcd", ClusterID: "bb", Size: 1}
		}, []string{none}, "take and prove a bundle of k3s's database on cp1", ""},
		"two servers": {func(w *facts.World) {
			w.Etcd, w.Nodes["cp1"].K3s, w.Nodes["cp2"].K3s = unknown, server("aa"), server("bb")
		}, []string{none, "K3S_DATABASE_SEVERAL : k3s on cp1 and on cp2 each keeps a database of its own: these are 2 clusters"},
			"take and prove a bundle", "k3s on cp1 and on cp2 each keeps a database of its own"},
		"beside an etcd": {func(w *facts.World) { w.Nodes["cp1"].K3s = server("aa") },
			[]string{none, "K3S_DATABASE_SEVERAL : k3s on cp1 keeps a database of its own, and other nodes have an etcd: these are two clusters"},
			"take and prove a bundle", "these are two clusters"},
		"nobody knows where": {func(w *facts.World) { w.Etcd, w.Nodes["cp1"].K3s = unknown, facts.K3s{Unknown: "data-dir is set"} },
			[]string{none, "ETCD_UNREACHABLE : no node with an etcd member is known", "K3S_DATASTORE_UNKNOWN : data-dir is set"},
			"take and prove a bundle", "cp1: data-dir is set"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input()
			test.change(&in.World)
			spec := declared()
			outcome := spec.Diff(in)
			found, _ := summary(outcome)
			slices.Sort(found)
			if diff := cmp.Diff(test.found, found); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			step := outcome.Steps[0]
			if step.Summary != test.take {
				t.Errorf("step %q, want %q", step.Summary, test.take)
			}
			ready := backup.Type().Effects[step.Operation].Ready(in, step)
			if test.refused == "" && ready.State != providers.Holds || test.refused != "" && (ready.State != providers.Unknown || !strings.Contains(ready.Why, test.refused)) {
				t.Errorf("ready %+v", ready)
			}
			if warned := len(outcome.Warnings) > 0; warned != (test.refused != "") {
				t.Errorf("warnings %v", outcome.Warnings)
			}
		})
	}
}
