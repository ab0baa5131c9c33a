package cri_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/node/agent/cri"
	"upkeep/providers/node/agent/cri/critest"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
)

var components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// node returns a root with a runtime on the socket. The directory is short: a socket's path has 108 bytes at most.
func node(t *testing.T, socket string) (*critest.Server, *disk.Disk) {
	t.Helper()
	dir, err := os.MkdirTemp("", "cri")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	server, stop, err := critest.Serve(filepath.Join(dir, socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	d, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return server, d
}

func dial(t *testing.T, d *disk.Disk) *cri.Client {
	t.Helper()
	c, err := cri.Dial(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func put(t *testing.T, d *disk.Disk, name, text string) {
	t.Helper()
	p := d.Real(name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSocket(t *testing.T) {
	for _, c := range []struct{ name, flags, config, want string }{
		{name: "well-known", want: "/run/containerd/containerd.sock"},
		{
			name:   "the kubelet's command line outranks its configuration",
			flags:  `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///var/run/crio/crio.sock --pod-infra-container-image=x"`,
			config: "containerRuntimeEndpoint: unix:///run/other.sock\n", want: "/var/run/crio/crio.sock",
		},
		{name: "the kubelet's configuration", config: "containerRuntimeEndpoint: unix:///run/other.sock\n", want: "/run/other.sock"},
		{name: "neither is usable", flags: "--container-runtime-endpoint=tcp://1.2.3.4:5", config: "]", want: "/run/containerd/containerd.sock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, d := node(t, "run/containerd/containerd.sock")
			if c.flags != "" {
				put(t, d, "var/lib/kubelet/kubeadm-flags.env", c.flags)
			}
			if c.config != "" {
				put(t, d, "var/lib/kubelet/config.yaml", c.config)
			}
			got, err := cri.Socket(d)
			if got != c.want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := cri.Socket(d); err == nil || !strings.Contains(err.Error(), "no CRI socket") {
		t.Errorf("no socket anywhere: %v", err)
	}
}

func TestRunningTakesTheNewestOfEachComponent(t *testing.T) {
	server, d := node(t, "run/containerd/containerd.sock")
	at := time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC)
	server.Add("kube-system", "etcd-cp1", "etcd", at, 0)
	etcd := server.Add("kube-system", "etcd-cp1", "etcd", at.Add(time.Hour), 1)
	server.Add("kube-system", "etcd-cp1", "etcd", at.Add(time.Minute), 2)
	scheduler := server.Add("kube-system", "kube-scheduler-cp1", "kube-scheduler", at, 4)
	server.Kill(server.Add("kube-system", "kube-scheduler-cp1", "kube-scheduler", at.Add(time.Hour), 5))
	server.Add("tenant", "kube-apiserver-evil", "kube-apiserver", at, 0)   // not the cluster's own
	server.Add("kube-system", "sidecar", "kube-controller-manager", at, 0) // not a pod of that name
	server.Add("kube-system", "kube-proxy-x", "kube-proxy", at, 0)         // nobody asked
	got, err := dial(t, d).Running(t.Context(), components)
	if err != nil {
		t.Fatal(err)
	}
	want := []cri.Container{
		{ID: etcd, Component: "etcd", StartedAt: at.Add(time.Hour + time.Millisecond), Attempt: 1},
		{ID: scheduler, Component: "kube-scheduler", StartedAt: at.Add(time.Millisecond), Attempt: 4},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestNobodyAnswers(t *testing.T) {
	dir := t.TempDir()
	d, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	put(t, d, "run/containerd/containerd.sock", "")
	put(t, d, "var/lib/kubelet/config.yaml", "containerRuntimeEndpoint: unix:///run/containerd/containerd.sock\n")
	if _, err := cri.Dial(d); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("a file in the socket's place: %v", err)
	}
}

func TestRestart(t *testing.T) {
	old := time.Now().Add(-time.Hour)
	request := func(id string) protocol.RestartRequest {
		return protocol.RestartRequest{Component: "kube-scheduler", ContainerID: id, TimeoutSeconds: 120}
	}
	restart := func(t *testing.T, d *disk.Disk, r protocol.RestartRequest) (string, []string, error) {
		var lines []string
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		res, err := dial(t, d).Restart(ctx, r, components, func(line string) { lines = append(lines, line) })
		return res.ContainerID, lines, err
	}
	const socket = "run/containerd/containerd.sock"

	t.Run("a new container takes over", func(t *testing.T) {
		server, d := node(t, socket)
		id := server.Add("kube-system", "kube-scheduler-cp1", "kube-scheduler", old, 0)
		other := server.Add("kube-system", "kube-controller-manager-cp1", "kube-controller-manager", old, 0)
		server.RestartAfter(300 * time.Millisecond)
		got, lines, err := restart(t, d, request(id))
		if err != nil || got == id || got == "" || got == other {
			t.Fatalf("got %q, %v", got, err)
		}
		if diff := cmp.Diff([]string{id}, server.Stopped()); diff != "" {
			t.Errorf("stopped (-want +got)\n%s", diff)
		}
		if len(lines) != 2 {
			t.Errorf("progress %q", lines)
		}
	})
	t.Run("it was restarted a short while ago", func(t *testing.T) {
		server, d := node(t, socket)
		id := server.Add("kube-system", "kube-scheduler-cp1", "kube-scheduler", old, 4)
		server.BackOff(time.Hour)
		got, _, err := restart(t, d, request(id))
		if err != nil || got == id || got == "" {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("it was ended a short while ago, and waits", func(t *testing.T) {
		server, d := node(t, socket)
		id := server.Add("kube-system", "kube-scheduler-cp1", "kube-scheduler", old, 4)
		server.BackOff(time.Hour)
		server.End(id)
		got, _, err := restart(t, d, request(id))
		if err != nil || got == id || got == "" || len(server.Stopped()) != 0 {
			t.Errorf("got %q, %v, stopped %v", got, err, server.Stopped())
		}
	})
	t.Run("another one runs already", func(t *testing.T) {
		server, d := node(t, socket)
		id := server.Add("kube-system", "kube-scheduler-cp1", "kube-scheduler", old, 0)
		got, _, err := restart(t, d, request("0123456789abcdef"))
		if err != nil || got != id || len(server.Stopped()) != 0 {
			t.Errorf("got %q, %v, stopped %v; want %q and nothing stopped", got, err, server.Stopped(), id)
		}
	})
	t.Run("it is down and comes back", func(t *testing.T) {
		server, d := node(t, socket)
		id := server.Add("kube-system", "kube-scheduler-cp1", "kube-scheduler", old, 0)
		server.Kill(id)
		time.AfterFunc(300*time.Millisecond, func() {
			server.Add("kube-system", "kube-scheduler-cp1", "kube-scheduler", time.Now(), 1)
		})
		got, _, err := restart(t, d, request(id))
		if err != nil || got == id || got == "" || len(server.Stopped()) != 0 {
			t.Errorf("got %q, %v, stopped %v", got, err, server.Stopped())
		}
	})
	t.Run("nothing comes back", func(t *testing.T) {
		server, d := node(t, socket)
		id := server.Add("kube-system", "kube-scheduler-cp1", "kube-scheduler", old, 0)
		server.RestartAfter(-1)
		r := request(id)
		r.TimeoutSeconds = 1
		_, _, err := restart(t, d, r)
		if err == nil || !strings.Contains(err.Error(), "no container of it runs now") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("not a static pod", func(t *testing.T) {
		server, d := node(t, socket)
		id := server.Add("kube-system", "coredns-x", "coredns", old, 0)
		r := request(id)
		r.Component = "coredns"
		if _, _, err := restart(t, d, r); err == nil || len(server.Stopped()) != 0 {
			t.Errorf("got %v, stopped %v", err, server.Stopped())
		}
	})
	t.Run("no container named", func(t *testing.T) {
		server, d := node(t, socket)
		server.Add("kube-system", "kube-scheduler-cp1", "kube-scheduler", old, 0)
		if _, _, err := restart(t, d, request("")); err == nil || len(server.Stopped()) != 0 {
			t.Errorf("got %v, stopped %v", err, server.Stopped())
		}
	})
}
