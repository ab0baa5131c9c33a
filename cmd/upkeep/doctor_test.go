package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/providers/facts"
)

var doctorNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestSplitHost(t *testing.T) {
	tests := []struct {
		text, user, host string
		port             int
		fails            bool
	}{
		{text: "cp1", host: "cp1"},
		{text: "root@cp1", user: "root", host: "cp1"},
		{text: "a@b@10.0.0.1:2222", user: "a@b", host: "10.0.0.1", port: 2222},
		{text: "fd00::1", host: "fd00::1"},
		{text: "root@[fd00::1]:22", user: "root", host: "fd00::1", port: 22},
		{text: "[fd00::1]", host: "fd00::1"},
		{text: "@cp1", fails: true},
		{text: "cp1:", fails: true},
		{text: "cp1:70000", fails: true},
		{text: "[fd00::1", fails: true},
	}
	for _, test := range tests {
		user, host, port, err := splitHost(test.text)
		if (err != nil) != test.fails || !test.fails && (user != test.user || host != test.host || port != test.port) {
			t.Errorf("splitHost(%q) = %q, %q, %d, %v", test.text, user, host, port, err)
		}
	}
}

func FuzzSplitHost(f *testing.F) {
	f.Add("root@[fd00::1]:22")
	f.Add("a:b@c")
	f.Fuzz(func(t *testing.T, text string) {
		_, host, port, err := splitHost(text)
		if err == nil && (port < 0 || port > 65535 || !strings.Contains(text, host)) {
			t.Errorf("%q gave %q, %d", text, host, port)
		}
	})
}

// doctorWords returns what doctor declares for a command line.
func doctorWords(t *testing.T, words ...string) (config.Desired, error) {
	t.Helper()
	var desired config.Desired
	var failed error
	root := app(environment{args: words, stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}, now: time.Now})
	for _, c := range root.Commands {
		if c.Name == "doctor" {
			c.Action = func(_ context.Context, cmd *cli.Command) error {
				desired, failed = doctorDesired(cmd)
				return nil
			}
		}
	}
	if err := root.Run(t.Context(), append([]string{"upkeep", "doctor"}, words...)); err != nil {
		return desired, err
	}
	return desired, failed
}

func TestDoctorRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		words []string
		want  string
	}{
		"nothing":           {nil, "name control planes"},
		"an option as host": {[]string{"--", "root@-oProxyCommand=reboot"}, "neither an IP address nor a DNS name"},
		"twice":             {[]string{"cp1", "root@cp1"}, "cp1 is named twice"},
		"a context alone":   {[]string{"-context=a", "cp1"}, "give -kubeconfig"},
		"no time":           {[]string{"-renew-before=0s", "cp1"}, "longer than zero"},
		"bad jump":          {[]string{"-proxy-jump=a b", "cp1"}, "proxy_jump"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := doctorWords(t, test.words...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want it to say %q", err, test.want)
			}
		})
	}
}

// TestWhatDoctorDeclaresIsWhatItLookedAt: the configuration that doctor prints, read back, is the one that it made up.
func TestWhatDoctorDeclaresIsWhatItLookedAt(t *testing.T) {
	for name, words := range map[string][]string{
		"plain ssh":          {"-kubeconfig=/k", "cp1", "cp2"},
		"users and ports":    {"-kubeconfig=/k", "-context=a${b}", "root@10.0.0.1", "ops@10.0.0.2:2222", "ops@10.0.0.3:2222", "root@fd00::1"},
		"everything":         {"-kubeconfig=/k", "-user=ops", "-port=2222", "-become", "-proxy-jump=ops@bastion,b2", "-known-hosts=/h", "-identity=/i d", "-ssh-config=/s", "-renew-before=12d", "cp1"},
		"without kubeconfig": {"root@cp1"},
	} {
		t.Run(name, func(t *testing.T) {
			desired, err := doctorWords(t, words...)
			if err != nil {
				t.Fatal(err)
			}
			text := declare(desired, true)
			directory := t.TempDir()
			if err := os.WriteFile(filepath.Join(directory, "provider.upkeep.hcl"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			home := []string{"HOME=/home/ops"}
			got, _, diags := config.Load(directory, config.Options{Types: planner.BlockTypes(domains()), Environ: home, Version: "0.1.0"})
			if diags.HasErrors() {
				t.Fatalf("%v\n%s", diags, text)
			}
			if mistakes := planner.WindowMistakes(got, domains(), doctorNow); len(mistakes) > 0 {
				t.Errorf("what doctor prints is refused: %v\n%s", mistakes, text)
			}
			if desired.Cluster == nil {
				got.Cluster = nil
			}
			desired.Connections = withoutBare(&desired)
			ignore := cmp.Options{
				cmpopts.IgnoreTypes(config.Position{}), cmpopts.IgnoreFields(config.Desired{}, "State"), cmpopts.IgnoreFields(config.Connection{}, "MaxSessions"),
				cmpopts.IgnoreFields(config.Node{}, "Block"), cmpopts.IgnoreFields(config.Declared{}, "Meta"), cmpopts.EquateEmpty(),
				cmpopts.IgnoreSliceElements(func(d config.Declared) bool { return d.Type == "cluster" }),
				cmpopts.SortSlices(func(a, b config.Node) bool { return a.Name < b.Name }),
			}
			if d := cmp.Diff(desired, got, ignore); d != "" {
				t.Errorf("looked at (-) and declared (+):\n%s\n%s", d, text)
			}
		})
	}
}

// withoutBare takes out connections that plain ssh stands for.
func withoutBare(desired *config.Desired) (kept []config.Connection) {
	for _, c := range desired.Connections {
		if !bare(c) {
			kept = append(kept, c)
			continue
		}
		for i := range desired.Nodes {
			if desired.Nodes[i].Connection == c.Name {
				desired.Nodes[i].Connection = ""
			}
		}
	}
	return kept
}

func TestDoctorReport(t *testing.T) {
	const kubeconfig = "-kubeconfig=/home/ops/.kube/config"
	tests := []struct {
		name  string
		words []string
		world func(*facts.World)
		exit  int
	}{
		{"healthy", []string{kubeconfig, "cp1", "cp2", "cp3"}, func(*facts.World) {}, 0},
		{"nodes-alone", []string{"root@cp1", "root@cp2", "root@cp3"}, notAsked, 0},
		{"one-node-alone", []string{"root@cp1"}, func(w *facts.World) {
			notAsked(w)
			for i := 1; i < 3; i++ {
				m := &w.Etcd.Members[i]
				*m = facts.Member{ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, Unknown: "not reached through any configured node"}
			}
		}, 0},
		{"no-copies", []string{kubeconfig, "cp1", "cp2", "cp3"}, func(w *facts.World) {
			for _, n := range w.Nodes {
				*worlds.File(n, worlds.Copy) = facts.CertificateFile{Name: worlds.Copy, Kind: facts.Kubeconfig, Path: worlds.Copy, Missing: true}
			}
		}, 0},
		{"due", []string{"root@cp1", "root@cp2", "root@cp3"}, func(w *facts.World) {
			notAsked(w)
			worlds.Age(doctorNow, 12*24*time.Hour, w.Nodes["cp2"], "apiserver", "scheduler.conf")
		}, 2},
		{"short-lived", []string{kubeconfig, "cp1", "cp2", "cp3"}, func(w *facts.World) {
			const life = "certificateValidityPeriod: "
			c := &w.Kubernetes.ClusterConfiguration
			*c = strings.Replace(*c, life+"8760h0m0s", life+"640h0m0s", 1)
		}, 2},
		{"unreachable", []string{"root@cp1"}, func(w *facts.World) {
			notAsked(w)
			w.Nodes = map[string]*facts.Node{"cp1": {Name: "cp1", Unknown: "ssh: no answer in 10s"}}
			w.Etcd = facts.Etcd{Unknown: "no member answered"}
		}, 1},
		{"cluster-alone", []string{kubeconfig}, func(w *facts.World) { w.Kubernetes.Nodes[2].Ready = false }, 2},
		{"cluster-down", []string{kubeconfig}, func(w *facts.World) {
			w.Kubernetes = facts.Kubernetes{Unknown: "https://cp.example.net:6443: connection refused", Kubeconfig: w.Kubernetes.Kubeconfig}
		}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			desired, err := doctorWords(t, test.words...)
			if err != nil {
				t.Fatal(err)
			}
			w := worlds.ControlPlanes(3, doctorNow)
			test.world(&w)
			plan, err := planner.Build(planner.Request{Desired: desired, World: w, Now: doctorNow}, domains())
			if err != nil {
				t.Fatal(err)
			}
			unnamed := unnamedMembers(plan)
			doctor := report.Doctor(onlyAsked(plan, unnamed), advise(plan, unnamed))
			if got := verdictExit(doctor.Status, exitChanges); got != test.exit {
				t.Errorf("exit %d, want %d", got, test.exit)
			}
			var out bytes.Buffer
			if err := text.Doctor(&out, doctor, text.Run{Took: time.Second}, text.Style{Width: 100}); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "doctor-"+test.name+".txt")
			if *update {
				if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; write it with go test -update", err)
			}
			if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(out.String(), "\n")); d != "" {
				t.Errorf("%s (-want +got):\n%s", path, d)
			}
		})
	}
}

// notAsked is a world that was looked at without a kubeconfig.
func notAsked(w *facts.World) {
	w.Kubernetes = facts.Kubernetes{Unknown: "the configuration has no cluster block"}
}
