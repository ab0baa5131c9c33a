package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"upkeep/providers/facts"
	"upkeep/providers/node"
	"upkeep/providers/node/agent/host"
)

// The helper goes to every node: it must stay small and must not bring a library that needs more than the kernel.
func TestTheHelperLinksNoClients(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "upkeep/providers/node/agent\n") {
		t.Fatalf("go list printed %q", out)
	}
	for dependency := range strings.Lines(string(out)) {
		for _, forbidden := range []string{"helm.sh/", "k8s.io/client-go", "go.etcd.io/", "github.com/NVIDIA/", "runtime/cgo",
			"github.com/hashicorp/", "upkeep/providers/kube", "upkeep/providers/etcd", "upkeep/planner"} {
			if strings.HasPrefix(dependency, forbidden) {
				t.Errorf("upkeep-node links %s", strings.TrimSpace(dependency))
			}
		}
	}
}

// The program as it is built and started: static, one session, facts of this machine.
func TestObserveThisMachine(t *testing.T) {
	helpers := t.TempDir()
	cmd := exec.Command("go", "build", "-o", helpers+"/upkeep-node-linux-"+runtime.GOARCH, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	c := node.New(node.Options{Helpers: helpers})
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	got, err := c.Observe(t.Context(), node.Target{Name: "here", Transport: node.TransportLocal}, facts.Question{Ports: []int{port}})
	if err != nil {
		t.Fatal(err)
	}
	if found := got.Listeners.Found; len(found) != 1 || found[0].Port != port || found[0].PID != os.Getpid() || !found[0].Loopback() {
		t.Errorf("listeners on %d: %+v", port, got.Listeners)
	}
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "here" || got.System.Hostname != hostname || got.System.BootID == "" || got.System.Clock.IsZero() {
		t.Errorf("facts %+v", got.System)
	}
}

func TestFlags(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"by hand", nil, "this program is started by upkeep and needs -nonce; run upkeep instead"},
		{"an argument", []string{"-nonce", "0", "x"}, `unexpected argument "x"`},
		{"a flag", []string{"-exec", "id"}, "flag provided but not defined: -exec"},
		{"no class", []string{"-class", "all"}, `invalid value "all" for flag -class: "all" is not a class of requests; there are ["observe" "backup" "change"]`},
		{"another class behind sudo's", []string{"-class", "observe", "-nonce", "0", "-class", "change"}, `invalid value "change" for flag -class: it is given twice`},
		{"a class that is not said", []string{"-class", "observe", "-class", ""}, `invalid value "" for flag -class: it is given twice`},
		{"a unit of a class", []string{"-class", "change", "-perform", "x"}, "-perform is systemd's to say, and takes no -class"},
		{"a request by another name", []string{"-perform", "../../etc"}, `"../../etc" is not the id of a request`},
		{"no nonce", []string{"-nonce", "$(id)"}, `"$(id)" is not a nonce: 32 lower-case hexadecimal digits are wanted`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(context.Background(), test.args, strings.NewReader(""), &out, host.New(host.Options{}))
			if err == nil || err.Error() != test.want || out.Len() > 0 {
				t.Errorf("error %v, output %q; want %q and nothing", err, out.String(), test.want)
			}
		})
	}
	var out bytes.Buffer
	if err := run(context.Background(), []string{"-version"}, nil, &out, host.New(host.Options{})); err != nil || !strings.HasPrefix(out.String(), "upkeep-node ") {
		t.Errorf("-version: %v, %q", err, out.String())
	}
}
