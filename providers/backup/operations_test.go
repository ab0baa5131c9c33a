package backup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/backup/keep"
	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
	"upkeep/providers/etcd/restore"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent"
	"upkeep/providers/node/agent/collect"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/etcdtunnel"
	"upkeep/providers/node/protocol"
	"upkeep/providers/store"
	"upkeep/state"
)

// TestMain is the child that restores snapshots where a test started it as one, or the helper on a node.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case helperProgram:
		serveEtcd()
		return
	case "upkeep-etcd":
		if err := restore.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	wal.SegmentSizeBytes = 1 << 20 // a log of 64 MB tells no more
	os.Exit(m.Run())
}

// helperProgram is the helper's name beside upkeep; helperRoot names the variable with the directory that is its node's root.
const (
	helperProgram = "upkeep-node-linux-" + runtime.GOARCH
	helperRoot    = "UPKEEP_TEST_ROOT"
)

// serveEtcd is a helper that offers a tunnel to the member of its node, and nothing else.
func serveEtcd() {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	nonce, service := flags.String("nonce", "", ""), flags.String("tunnel", "", "")
	flags.String("class", "", "")
	err := flags.Parse(os.Args[1:])
	if err == nil {
		err = agent.ServeTunnel(context.Background(), os.Stdin, os.Stdout, *nonce, *service, agent.Handlers{Tunnel: func(ctx context.Context, _ string) (net.Conn, error) {
			d, err := disk.Open(os.Getenv(helperRoot))
			if err != nil {
				return nil, err
			}
			defer d.Close()
			return etcdtunnel.Dial(ctx, d, time.Now())
		}})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// site is a cluster of one real etcd member on cp1, with the files of two nodes, and a store in a directory.
type site struct {
	t      testing.TB
	dial   etcd.Dialer
	roots  map[string]string
	spec   backup.Spec
	store  store.Store
	temp   string // where drills work
	memory facts.Memory
	signs  state.SigningKey
	now    time.Time
	put    func(key, value string)
	// compact compacts all revisions but the newest.
	compact func()
	said    []string
	key     *age.X25519Identity
	// here is the name of the node that upkeep runs on; broken makes Files fail for a node.
	here, broken string
	// changed, where it is set, changes what is observed; cold streams the data of a stopped member.
	changed func(*facts.World)
	cold    func(ctx context.Context, node string) (io.ReadCloser, error)
}

func newSite(t testing.TB, level string) *site {
	t.Helper()
	s := newSiteWithoutMember(t, level)
	s.startMember()
	return s
}

func newSiteWithoutMember(t testing.TB, level string) *site {
	t.Helper()
	kept := state.New()
	s := &site{t: t, roots: map[string]string{}, temp: t.TempDir(), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), memory: kept.Memory, signs: kept.Signing}
	for _, node := range []string{"cp1", "cp2"} {
		root := t.TempDir()
		s.roots[node] = root
		for path, text := range map[string]string{"etc/kubernetes/pki/ca.key": "the private key of " + node, "etc/kubernetes/admin.conf": "kind: Config"} {
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	var err error
	if s.key, err = age.GenerateX25519Identity(); err != nil {
		t.Fatal(err)
	}
	identity := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(identity, []byte(s.key.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	directory := filepath.Join(t.TempDir(), "backups")
	if s.store, err = store.File(directory); err != nil {
		t.Fatal(err)
	}
	s.spec = declared(func(d *backup.Spec) {
		d.Verify, d.EncryptTo, d.IdentityFile = level, []string{s.key.Recipient().String()}, identity
		d.Nodes = config.Selection{Names: []string{"cp1", "cp2"}}
		d.Include = []string{"/etc/kubernetes", "/etc/ssl/etcd"}
		d.Store = backup.StoreSpec{Kind: backup.StoreFile, Path: directory}
	})
	return s
}

func (s *site) startMember() {
	sockets, err := os.MkdirTemp("", "etcd") // short: the path of a socket is limited
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { os.RemoveAll(sockets) })
	socket := func(name string) []url.URL { return []url.URL{{Scheme: "unix", Path: filepath.Join(sockets, name)}} }
	c := embed.NewConfig()
	c.Name, c.Dir, c.InitialCluster = "cp1", s.t.TempDir(), "cp1=http://localhost:1"
	c.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "localhost:1"}}
	c.ListenPeerUrls, c.ListenClientUrls, c.AdvertiseClientUrls = socket("p:0"), socket("c:0"), socket("c:0")
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	c.UnsafeNoFsync, c.TickMs, c.ElectionMs = true, 10, 100
	server, err := embed.StartEtcd(c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(server.Close)
	<-server.Server.ReadyNotify()
	client := v3client.New(server.Server)
	s.t.Cleanup(func() { client.Close() })
	s.put = func(key, value string) {
		if _, err := client.Put(context.Background(), key, value); err != nil {
			s.t.Error(err)
		}
	}
	s.compact = func() {
		newest, err := client.Get(context.Background(), "x")
		if err == nil {
			_, err = client.Compact(context.Background(), newest.Header.Revision)
		}
		if err != nil {
			s.t.Error(err)
		}
	}
	for i := range 100 {
		s.put(fmt.Sprintf("/registry/configmaps/default/c%d", i), strings.Repeat("canary", 50))
	}
	s.put("/registry/namespaces/kube-system", "one")
	s.dial = func(ctx context.Context, node string) (net.Conn, error) {
		if node != "cp1" {
			return nil, fmt.Errorf("%s: connection refused", node)
		}
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(sockets, "c:0"))
	}
}

// proofs returns what the memory knows of the site's etcd_backup.
func (s *site) proofs() []facts.Proof { return proofs(s.memory) }

// forget makes the memory know nothing but whose signatures count.
func (s *site) forget() { s.memory = facts.Memory{Signers: s.memory.Signers} }

// look observes the member and the store.
func (s *site) look(ctx context.Context, _ providers.Step) (providers.Input, error) {
	in := providers.Input{Now: s.now, Memory: s.memory, Inventory: providers.Inventory{Nodes: []config.Node{{Name: "cp1"}, {Name: "cp2"}}}}
	in.World = facts.World{ObservedAt: s.now, Nodes: map[string]*facts.Node{"cp1": {Name: "cp1"}, "cp2": {Name: "cp2"}}}
	in.World.Kubernetes.ClusterConfiguration = "kind: ClusterConfiguration\n"
	in.World.Etcd = etcd.Observe(ctx, []string{"cp1"}, s.dial)
	found, _, err := bundle.Find(ctx, s.store)
	if err != nil {
		return in, err
	}
	var seen facts.Backups
	for _, f := range found {
		seen.Bundles = append(seen.Bundles, f.Label.Facts())
	}
	if s.changed != nil {
		s.changed(&in.World)
	}
	in.World.Backups = map[string]facts.Backups{s.spec.Address().String(): seen}
	return in, nil
}

func (s *site) tools() backup.Tools {
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	program := filepath.Join(s.t.TempDir(), "upkeep-etcd")
	if err := os.Symlink(self, program); err != nil {
		s.t.Fatal(err)
	}
	return backup.Tools{
		Look: s.look, Spec: func(providers.Address) (backup.Spec, bool) { return s.spec, true },
		Store: func(backup.Spec) (store.Store, error) { return s.store, nil },
		Etcd:  s.dial, Cold: s.cold,
		Files: func(ctx context.Context, node string, request protocol.CollectRequest) (io.ReadCloser, error) {
			if node == s.broken {
				return nil, errors.New("ssh: no answer in 10s")
			}
			d, err := disk.Open(s.roots[node])
			if err != nil {
				return nil, err
			}
			defer d.Close()
			var out bytes.Buffer
			return io.NopCloser(&out), collect.Write(&out, d, request)
		},
		Drill: func() (drill.Options, error) { return drill.Options{Program: program, Directory: s.temp}, nil },
		Provider: func(context.Context) (map[string][]byte, map[string]string) {
			return map[string][]byte{"manifests.akash.network": []byte(`{"items":["canary"]}`)}, nil
		},
		Here: func(n facts.Node) bool { return n.Name == s.here },
		Remember: func(_ context.Context, owner facts.Address, change func(json.RawMessage) (json.RawMessage, error)) error {
			section, err := change(s.memory.Sections[owner])
			if err != nil {
				return err
			}
			s.memory = s.memory.WithSections(facts.Sections{owner: section})
			return nil
		},
		Sign:    s.signs.Sign,
		Version: "test", Now: func() time.Time { return s.now },
	}
}

// run does what the executor does with one step: predicts, looks, acts, looks again.
func (s *site) run(step providers.Step) error {
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

// due returns the steps that a plan has now.
func (s *site) due() []providers.Step {
	s.t.Helper()
	in, err := s.look(s.t.Context(), providers.Step{})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.spec.Diff(in).Steps
}

func (s *site) names() (names []string) {
	objects, err := s.store.List(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, o := range objects {
		names = append(names, o.Name)
	}
	return names
}

func TestTake(t *testing.T) {
	for _, level := range []string{"hash", "restore"} {
		t.Run(level, func(t *testing.T) {
			s := newSite(t, level)
			steps := s.due()
			if len(steps) != 1 || steps[0].Operation != backup.OperationTake {
				t.Fatalf("steps %+v", steps)
			}
			if err := s.run(steps[0]); err != nil {
				t.Fatal(err)
			}
			if left := s.due(); len(left) > 0 {
				t.Errorf("still due: %+v", left)
			}
			proof := s.proofs()[0]
			if len(s.proofs()) != 1 || proof.Level != level || proof.Keys != 101 || proof.Revision != 102 {
				t.Errorf("proofs %+v", s.proofs())
			}
			if left, err := os.ReadDir(s.temp); err != nil || len(left) > 0 {
				t.Errorf("left of the drill: %v, %v", left, err)
			}
			said := strings.Join(s.said, "\n")
			if drilled := strings.Contains(said, "restored it: etcd started from it and holds the same 101 keys"); drilled != (level == "restore") {
				t.Errorf("said:\n%s", said)
			}
			s.inspect(proof.Bundle)
		})
	}
}

// inspect opens a bundle and wants all of it inside, and none of it in the clear.
func (s *site) inspect(id string) {
	s.t.Helper()
	r, err := s.store.Get(s.t.Context(), bundle.Name(id))
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	stored, err := io.ReadAll(r)
	if err != nil {
		s.t.Fatal(err)
	}
	if bytes.Contains(stored, []byte("canary")) || bytes.Contains(stored, []byte("private key")) {
		s.t.Error("the stored bundle can be read without an identity")
	}
	ids, err := bundle.ParseIdentities([]byte(s.key.String()))
	if err != nil {
		s.t.Fatal(err)
	}
	in, err := bundle.Open(bytes.NewReader(stored), ids)
	if err != nil {
		s.t.Fatal(err)
	}
	parts := map[string]string{}
	for {
		part, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			s.t.Fatal(err)
		}
		data, err := io.ReadAll(part)
		if err != nil {
			s.t.Fatal(err)
		}
		parts[part.Name()] = string(data)
	}
	m := in.Manifest()
	for name, want := range map[string]string{
		backup.SnapshotPart: "canary", backup.NodePart("cp1"): "the private key of cp1", backup.NodePart("cp2"): "the private key of cp2",
		backup.ProviderPart("manifests.akash.network"): `{"items":["canary"]}`,
		backup.ConfigurationPart:                       "kind: ClusterConfiguration",
	} {
		if !strings.Contains(parts[name], want) {
			s.t.Errorf("part %s has no %q", name, want)
		}
	}
	if len(m.Gaps) > 0 || m.Keys != 101 || m.Revision != 102 || m.Member != "cp1" || m.ClusterID == "" || m.Versions["etcd"] == "" || m.Upkeep != "test" {
		s.t.Errorf("manifest %+v", m)
	}
}

// A node that does not answer costs its own part and no more; the gap is in the label.
func TestTakeWithoutANode(t *testing.T) {
	s := newSite(t, "hash")
	s.broken = "cp2"
	if err := s.run(s.due()[0]); err != nil {
		t.Fatal(err)
	}
	label, err := bundle.ReadLabel(t.Context(), s.store, s.proofs()[0].Bundle)
	if err != nil {
		t.Fatal(err)
	}
	if len(label.Gaps) != 1 || label.Gaps[0] != (bundle.Gap{What: "keys and configuration of cp2", Why: "ssh: no answer in 10s"}) {
		t.Errorf("gaps %+v", label.Gaps)
	}
}

func TestTakeRefusesADrillOnAControlPlane(t *testing.T) {
	s := newSite(t, "restore")
	s.here = "cp2"
	err := s.run(s.due()[0])
	if err == nil || !strings.Contains(err.Error(), "upkeep runs on cp2") || len(s.names()) > 0 || len(s.proofs()) > 0 {
		t.Fatalf("%v; %v", err, s.names())
	}
	s.spec.DrillOnControlPlane = true
	if err := s.run(s.due()[0]); err != nil {
		t.Error(err)
	}
}

// failing is a store that does not take, or does not give back, what it should.
type failing struct {
	store.Store
	// full: it takes no bundle; fullForLabels: it takes bundles and no label.
	full, fullForLabels, changes bool
}

func (f failing) Put(ctx context.Context, name string, r io.Reader) error {
	if label := strings.HasSuffix(name, ".json"); f.full && !label || f.fullForLabels && label {
		if _, err := io.CopyN(io.Discard, r, 100); err != nil {
			return err
		}
		return fmt.Errorf("%s: %w", name, store.ErrFull)
	}
	return f.Store.Put(ctx, name, r)
}

func (f failing) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := f.Store.Get(ctx, name)
	if err != nil || !f.changes || strings.HasSuffix(name, ".json") {
		return r, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err == nil {
		data[len(data)/2] ^= 1
	}
	return io.NopCloser(bytes.NewReader(data)), err
}

func TestTakeInTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*site)
		want   error
		stored bool
	}{
		"the store is full": {func(s *site) { s.store = failing{Store: s.store, full: true} }, store.ErrFull, false},
		// A bundle without a label would block every later run where the store is full.
		"the store is full for the label": {func(s *site) { s.store = failing{Store: s.store, fullForLabels: true} }, store.ErrFull, false},
		// It is there, and counts for nothing.
		"the store changes what it got": {func(s *site) { s.store = failing{Store: s.store, changes: true} }, bundle.ErrDamaged, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "hash")
			test.change(s)
			err := s.run(s.due()[0])
			if !errors.Is(err, test.want) || len(s.proofs()) > 0 || len(s.names()) > 0 != test.stored {
				t.Errorf("%v; proofs %v; stored %v", err, s.proofs(), s.names())
			}
			if test.stored {
				return
			}
			s.store = s.store.(failing).Store // somebody made room
			if err := s.run(s.due()[0]); err != nil || len(s.proofs()) != 1 {
				t.Errorf("the next run: %v; proofs %v", err, s.proofs())
			}
		})
	}
}

// A bundle whose proof was lost with the state is proved again, from the store.
func TestProveAgain(t *testing.T) {
	for _, level := range []string{"hash", "restore"} {
		t.Run(level, func(t *testing.T) {
			s := newSite(t, level)
			if err := s.run(s.due()[0]); err != nil {
				t.Fatal(err)
			}
			remembered := s.proofs()[0]
			s.forget()
			var step providers.Step
			for _, due := range s.due() {
				if due.Operation == backup.OperationProve {
					step = due
				}
			}
			if step.ID == "" {
				t.Fatalf("nothing proves it: %+v", s.due())
			}
			if err := s.run(step); err != nil {
				t.Fatal(err)
			}
			if got := s.proofs()[0]; got != remembered {
				t.Errorf("proof %+v, was %+v", got, remembered)
			}
			if left := s.due(); len(left) > 0 {
				t.Errorf("still due: %+v", left)
			}
			if left, err := os.ReadDir(s.temp); err != nil || len(left) > 0 {
				t.Errorf("left of the drill: %v, %v", left, err)
			}

			s.forget()
			s.store = failing{Store: s.store, changes: true}
			if err := s.run(step); !errors.Is(err, bundle.ErrDamaged) || len(s.proofs()) > 0 {
				t.Errorf("a damaged bundle: %v, proofs %v", err, s.proofs())
			}
		})
	}
}

func TestPrune(t *testing.T) {
	s := newSite(t, "hash")
	s.spec.Keep = keep.Policy{Last: 2}
	for range 3 {
		for _, step := range s.due() {
			if err := s.run(step); err != nil {
				t.Fatal(err)
			}
		}
		s.put("/registry/more", s.now.String())
		s.now = s.now.Add(25 * time.Hour)
	}
	if names := s.names(); len(names) != 4 || strings.Contains(strings.Join(names, " "), "20261122") {
		t.Errorf("in the store: %v", names)
	}
}

// grounded returns a step with what it relies on in a world, as the planner records it.
func grounded(t testFailer, effect providers.Effect, in providers.Input, step providers.Step) providers.Step {
	t.Helper()
	step, err := step.WithGround(effect.Ground(in, step))
	if err != nil {
		t.Fatal(err)
	}
	return step
}

// testFailer is a test, or a property of one.
type testFailer interface {
	Helper()
	Fatal(args ...any)
}

// directory is a store that takes bundles while they are made, and counts what it is asked. It changes what it gives back.
type directory struct {
	store.Creator
	local   bool
	changes bool
	created *int
}

func (d directory) Local() bool { return d.local }

func (d directory) Create(ctx context.Context, name string) (store.Draft, error) {
	*d.created++
	return d.Creator.Create(ctx, name)
}

func (d directory) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	return failing{Store: d.Creator, changes: d.changes}.Get(ctx, name)
}

// A directory behind a network is treated as any slow store: the bundle is spooled, so that nobody waits for it who is read from,
// and read back. One of this machine is read back where an identity can open the bundle.
func TestDirectories(t *testing.T) {
	for name, test := range map[string]struct {
		local, identity, changes bool
		created                  int
		want                     error
		said                     string
	}{
		"a disk of this machine":                         {local: true, created: 1, said: "and the disk has it"},
		"a disk of this machine, and an identity":        {local: true, identity: true, created: 1, said: "and read it back"},
		"a changed bundle, and an identity":              {local: true, identity: true, changes: true, created: 1, want: bundle.ErrDamaged},
		"behind a network":                               {said: "and read it back"},
		"behind a network, and changed there on the way": {changes: true, want: bundle.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "hash")
			created := 0
			s.store = directory{s.store.(store.Creator), test.local, test.changes, &created}
			if !test.identity {
				s.spec.IdentityFile = ""
			}
			err := s.run(s.due()[0])
			if !errors.Is(err, test.want) || created != test.created {
				t.Errorf("%v, want %v; %d made in the store, want %d", err, test.want, created, test.created)
			}
			if said := strings.Join(s.said, "\n"); test.want == nil && !strings.Contains(said, test.said) {
				t.Errorf("said:\n%s\nwant %q in it", said, test.said)
			}
		})
	}
}
