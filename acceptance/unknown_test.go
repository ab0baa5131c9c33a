package acceptance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wrongKey is a known_hosts file in which n2 has the key of n1.
func (s *suite) wrongKey(t *testing.T) string {
	t.Helper()
	var lines []string
	keys := map[string]string{}
	for line := range strings.Lines(string(readFile(t, s.lab.KnownHosts()))) {
		names, key, _ := strings.Cut(strings.TrimSpace(line), " ")
		keys[names] = key
	}
	n1, n2 := s.lab.Nodes[0], s.lab.Nodes[1]
	for names, key := range keys {
		if strings.HasPrefix(names, n2.Name+",") {
			key = keys[n1.Name+","+n1.IP]
		}
		lines = append(lines, names+" "+key)
	}
	slices.Sort(lines)
	path := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// onlyUnknown checks that a plan names one node as unknown, and the reason.
func onlyUnknown(t *testing.T, p plan, node, why string) {
	t.Helper()
	if p.Complete || len(p.Upkeep.Unknown) != 1 || p.Upkeep.Unknown[0].Name != node || !strings.Contains(p.Upkeep.Unknown[0].Why, why) {
		t.Errorf("unknown: %+v, complete: %t; want %s alone, because of %q, and an incomplete plan", p.Upkeep.Unknown, p.Complete, node, why)
	}
	if !slices.ContainsFunc(p.Upkeep.Findings, func(f finding) bool {
		return f.ID == "NODE_UNREACHABLE" && f.Address == "certificates.control_plane@"+node && f.Unknown
	}) {
		t.Errorf("no NODE_UNREACHABLE for %s among %+v", node, p.Upkeep.Findings)
	}
	for _, step := range p.Upkeep.Steps {
		if step.Node == node {
			t.Errorf("a step on %s, of which nothing is known: %+v", node, step)
		}
	}
}

// saysUnknown checks what a person reads.
func saysUnknown(t *testing.T, d directory, code int, node string) {
	t.Helper()
	text := d.run(t, "plan", "-detailed-exitcode").want(t, code)
	if strings.Contains(text.stdout, "No changes") || !strings.Contains(text.stdout, "NODE_UNREACHABLE") || !strings.Contains(text.stdout, node) {
		t.Errorf("the plan says no changes, or does not name %s:\n%s", node, text.stdout)
	}
}

// A host whose key is not the known one is not talked to: its part is unknown, nothing says that all is well, and nothing changes.
func testWrongHostKey(t *testing.T, s *suite) {
	d := s.declare(t, declaration{renewBefore: time.Hour, knownHosts: s.wrongKey(t)})
	was := s.print(t)
	p, r := d.plan(t)
	r.want(t, 1)
	onlyUnknown(t, p, "n2", "host key")
	saysUnknown(t, d, 1, "n2")
	d.run(t, "drift").want(t, 1) // nothing is known to have drifted, and not everything could be seen
	if applied := d.run(t, "apply", "-auto-approve"); applied.code == 0 {
		t.Errorf("an apply that could not see n2 says that all is done:\n%s", applied.stdout)
	}
	if diff := cmp.Diff(was, s.print(t)); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
}

// With everything due and one control plane unknown, work goes on where it is safe: on the others everything is renewed but what
// etcd's members serve, which waits until every member can be seen. The unknown one is not touched, and the end says what is left.
func testWrongHostKeyWhileDue(t *testing.T, s *suite) {
	renewBefore, _ := s.makeDue(t)
	d := s.declare(t, declaration{renewBefore: renewBefore, knownHosts: s.wrongKey(t)})
	was, before := s.print(t), map[string]map[string]time.Time{}
	for _, n := range s.lab.Nodes {
		before[n.Name] = s.expires(t, n.Name)
	}
	p, _ := d.plan(t)
	onlyUnknown(t, p, "n2", "host key")
	if !p.has("ETCD_WORK_WAITS") || slices.Contains(p.nodes(), "n2") {
		t.Errorf("steps on %v, findings %+v", p.nodes(), p.Upkeep.Findings)
	}
	d.run(t, "apply", "-auto-approve").want(t, 3)
	if diff := cmp.Diff(was["n2"], s.print(t)["n2"]); diff != "" {
		t.Errorf("n2 was changed (-before +after):\n%s", diff)
	}
	for _, node := range []string{"n1", "n3"} {
		for name, end := range s.expires(t, node) {
			renewed, waits := end.After(before[node][name]), name == "etcd-server" || name == "etcd-peer"
			if renewed == waits {
				t.Errorf("%s on %s: renewed %v, waits %v", name, node, renewed, waits)
			}
		}
	}
}

// hungLimit bounds a plan with a node that hangs: 10 s to connect to it, as much for its etcd member and the API, and the rest's second or two.
const hungLimit = 60 * time.Second

// A node that takes connections and answers nothing costs the others nothing, and the plan does not wait for it.
func testHungNode(t *testing.T, s *suite) {
	d := s.declare(t, declaration{renewBefore: time.Hour})
	resume := s.pause(t, "n3")
	p, r := d.plan(t)
	t.Logf("figure: a plan with a hung node took %s", r.wall.Round(100*time.Millisecond))
	r.want(t, 1)
	if r.wall > hungLimit {
		t.Errorf("the plan took %s, more than %s", r.wall, hungLimit)
	}
	onlyUnknown(t, p, "n3", "")
	saysUnknown(t, d, 1, "n3")
	world := d.observe(t)
	for _, name := range []string{"n1", "n2"} {
		n, ok := world.Nodes[name]
		if !ok || n.Unknown != "" || n.Certificates.Unknown != "" || len(n.Certificates.Files) == 0 || len(n.ControlPlane.StaticPods) != 4 {
			t.Errorf("%s suffers: %+v", name, n)
		}
	}
	resume()
	s.quiet(t)
	d.empty(t)
}

// world is what the tests read of `upkeep observe -json`.
type world struct {
	Nodes map[string]struct {
		Unknown      string `json:"unknown"`
		Certificates struct {
			Unknown string            `json:"unknown"`
			Files   []json.RawMessage `json:"files"`
		} `json:"certificates"`
		ControlPlane struct {
			StaticPods []json.RawMessage `json:"static_pods"`
		} `json:"control_plane"`
	} `json:"nodes"`
	Kubernetes struct {
		Unknown              string `json:"unknown"`
		ClusterConfiguration string `json:"cluster_configuration"`
	} `json:"kubernetes"`
}

// observe runs `upkeep observe -json`. It says all that it saw also where that is not everything.
func (d directory) observe(t *testing.T) world {
	t.Helper()
	r := d.run(t, "observe", "-json")
	if r.code != 0 && r.code != 1 {
		t.Fatalf("observe -json: exit %d\n%s", r.code, r.stderr)
	}
	var recorded struct {
		World world `json:"world"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &recorded); err != nil {
		t.Fatalf("observe -json: %v\n%s", err, r.stdout)
	}
	return recorded.World
}

// While the API of the kubeconfig is away, kubeadm's configuration comes out of etcd, where the API server keeps it.
func testConfigurationFromEtcd(t *testing.T, s *suite) {
	fromAPI := s.declare(t, declaration{renewBefore: time.Hour}).observe(t).Kubernetes
	path := filepath.Join(t.TempDir(), "away.conf")
	// Nothing listens on the discard port of the bastion.
	text := withServer(t, string(readFile(t, s.kubeconfig)), "https://"+s.lab.Bastion.IP+":9")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := s.declare(t, declaration{renewBefore: time.Hour, kubeconfig: path})
	away := d.observe(t).Kubernetes
	if away.Unknown == "" {
		t.Error("the API is away and upkeep does not say so")
	}
	if fromAPI.ClusterConfiguration == "" || !strings.Contains(fromAPI.ClusterConfiguration, "certificateValidityPeriod") {
		t.Errorf("no configuration from the API: %q", fromAPI.ClusterConfiguration)
	}
	if diff := cmp.Diff(fromAPI.ClusterConfiguration, away.ClusterConfiguration); diff != "" {
		t.Errorf("configuration (-from the API +from etcd):\n%s", diff)
	}
	if text := d.run(t, "plan"); strings.Contains(text.stdout, "No changes") {
		t.Errorf("a plan without the API says no changes:\n%s", text.stdout)
	}
}
