package certificates_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

var update = flag.Bool("update", false, "write the golden files anew")

// byHand returns the commands of all steps that a world asks for, in order.
func byHand(t testFailer, w facts.World) []providers.Command {
	in := input(w, len(w.Nodes))
	steps, befores := fold(t, in, spec().Diff(in).Steps)
	var out []providers.Command
	for i, s := range steps {
		out = append(out, certificates.Type().Effects[s.Operation].ByHand(befores[i], s)...)
	}
	return out
}

var handWorlds = []struct {
	name   string
	change func(w *facts.World)
}{
	{"due", func(w *facts.World) {
		n := w.Nodes["cp2"]
		worlds.Age(now, 12*day, n, "apiserver", "admin.conf", "scheduler.conf")
		worlds.File(n, worlds.Copy).Server = "https://lb.example.net:6443"
	}},
	{"interrupted", func(w *facts.World) {
		n := w.Nodes["cp2"]
		worlds.Age(now, 12*day, n, "etcd-peer")
		n.Certificates.Unfinished = []facts.Unfinished{
			{ID: "r1", Installed: []string{"apiserver"}, Remaining: []string{"etcd-peer", "admin.conf"}}, {ID: "r2", Unknown: "it cannot be read"},
		}
	}},
	{"expired-here", func(w *facts.World) {
		n := w.Nodes["cp2"]
		worlds.Age(now, -day, n, "apiserver", "admin.conf", "etcd-healthcheck-client")
		n.ControlPlane.APIServer.Ready, n.ControlPlane.APIServer.NotReady = false, "its certificate has expired"
	}},
	{"api-silent", func(w *facts.World) {
		w.Kubernetes = facts.Kubernetes{Unknown: "connection refused", Authority: w.Kubernetes.Authority, ClusterConfiguration: w.Kubernetes.ClusterConfiguration}
		worlds.Age(now, -day, w.Nodes["cp2"], "apiserver", "admin.conf", "controller-manager.conf")
	}},
	{"all-expired", func(w *facts.World) { expire(w, false, leavesOf...) }},
	{"kubespray", func(w *facts.World) {
		*w = worlds.Kubespray(3, now)
		worlds.Age(now, 12*day, w.Nodes["cp2"], "apiserver", "etcd-member", "etcd-node")
	}},
	{"servers-stuck", func(w *facts.World) {
		for _, name := range []string{"apiserver", "etcd-server", "etcd-peer"} {
			worlds.Served(w.Nodes["cp3"], name).SHA256 = "old"
		}
	}},
	{"only-a-copy", func(w *facts.World) {
		b := &worlds.File(w.Nodes["cp1"], worlds.Copy).Blocks[0]
		b.SHA256, b.NotAfter = "old", b.NotAfter.Add(-day)
	}},
}

func TestByHand(t *testing.T) {
	for _, test := range handWorlds {
		t.Run(test.name, func(t *testing.T) {
			w := worlds.ControlPlanes(3, now)
			test.change(&w)
			var text strings.Builder
			for _, c := range byHand(t, w) {
				fmt.Fprintf(&text, "=== %s: %s\n%s\n--- see: %s\n--- stop: %s\n", c.Node, c.What, c.Run, c.See, c.Stop)
				if c.Undo != "" {
					fmt.Fprintf(&text, "--- undo:\n%s\n", c.Undo)
				}
			}
			path := filepath.Join("testdata", "byhand-"+test.name+".txt")
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; write it with go test -update", err)
			}
			if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text.String(), "\n")); d != "" {
				t.Errorf("%s (-want +got):\n%s", path, d)
			}
		})
	}
}

func TestByHandIsCompleteAndNeverTheMirrorPod(t *testing.T) {
	for _, test := range handWorlds {
		t.Run(test.name, func(t *testing.T) {
			w := worlds.ControlPlanes(3, now)
			test.change(&w)
			commands := byHand(t, w)
			if len(commands) == 0 {
				t.Fatal("no commands")
			}
			for _, c := range commands {
				if c.What == "" || c.Node == "" || c.See == "" || c.Stop == "" {
					t.Errorf("says too little: %+v", c)
				}
				if strings.Contains(c.Run, "delete pod") || strings.Contains(c.Run, "crictl") || strings.Contains(c.Run, facts.New) {
					t.Errorf("a command that does not do it:\n%s", c.Run)
				}
				syntax(t, c.Run)
				syntax(t, c.Undo)
			}
		})
	}
}

// syntax has a shell read a script without running it.
func syntax(t *testing.T, script string) {
	t.Helper()
	check := exec.CommandContext(t.Context(), "sh", "-n")
	check.Stdin = strings.NewReader(script)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sh -n: %v: %s\n%s", err, out, script)
	}
}

// TestByHandQuotes: a node that lies about its paths and addresses gets no command of its own into the runbook.
func TestByHandQuotes(t *testing.T) {
	const evil = "/x'; touch /tmp/hacked; '\nCONFIGURATION\nEOF\nreboot\n"
	w := worlds.ControlPlanes(1, now)
	n := w.Nodes["cp1"]
	worlds.Age(now, 12*day, n, "apiserver", "admin.conf", "scheduler.conf")
	for i := range n.Certificates.Files {
		n.Certificates.Files[i].Path += evil
	}
	worlds.Served(n, "apiserver").Address += evil
	for i := range n.ControlPlane.StaticPods {
		n.ControlPlane.StaticPods[i].Manifest += evil
		n.ControlPlane.StaticPods[i].Flags = map[string]string{"secure-port": evil}
	}
	w.Kubernetes.UID += evil
	commands := byHand(t, w)
	if len(commands) == 0 {
		t.Fatal("no commands")
	}
	found := 0
	for _, c := range commands {
		for _, text := range []string{c.Run, c.Undo} {
			syntax(t, text)
			found += strings.Count(text, `/x'\''; touch`)
			if strings.Contains(text, "/x'; touch") {
				t.Errorf("not quoted:\n%s", text)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d of the node's words are in the commands: the test looks at nothing", found)
	}
}

// TestByHandWithoutTheConfigurationIsNothing: kubeadm without it would use its defaults, so that nobody is told to.
func TestByHandWithoutTheConfigurationIsNothing(t *testing.T) {
	step := providers.Step{Node: "cp1", Operation: certificates.OperationRenew, Args: []byte(`{"names": ["apiserver"], "cluster_configuration": ""}`)}
	in := providers.Input{World: worlds.ControlPlanes(1, now), Now: now, Inventory: providers.NewInventory(config.Desired{Nodes: worlds.Nodes(1)}, facts.World{})}
	if got := certificates.Type().Effects[step.Operation].ByHand(in, step); got != nil {
		t.Errorf("%+v", got)
	}
}
