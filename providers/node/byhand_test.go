package node_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/node"
)

func TestShellCommand(t *testing.T) {
	const strict = "ssh -T -o StrictHostKeyChecking=yes -o RemoteCommand=none -o ForwardAgent=no "
	tests := []struct {
		name   string
		target node.Target
		want   string
	}{
		{"plain", node.Target{Host: "cp1"}, strict + "-- cp1 'sh -s'"},
		{"this machine", node.Target{Transport: node.TransportLocal, Become: true}, "sudo -n sh -s"},
		{
			"everything but files", node.Target{Host: "10.0.0.11", User: "ops", Port: 2222, Become: true, ProxyJump: "ops@bastion:22", SSHConfig: "/etc/my ssh/config"},
			strict + "-F '/etc/my ssh/config' -p 2222 -l ops -J ops@bastion:22 -- 10.0.0.11 'sudo -n sh -s'",
		},
		{
			"a jump host with its own files", node.Target{Host: "10.0.0.11", ProxyJump: "bastion", KnownHosts: "/k/hosts", Identity: "/k/id"},
			strict + `-i /k/id -o 'UserKnownHostsFile="/k/hosts"' -o 'ProxyCommand=ssh -T -o BatchMode=yes -o StrictHostKeyChecking=yes -o RemoteCommand=none ` +
				`-o ForwardAgent=no -i /k/id -o '\''UserKnownHostsFile="/k/hosts"'\'' -W '\''[%h]:%p'\'' -- bastion' -- 10.0.0.11 'sh -s'`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := node.ShellCommand(test.target)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Error(d)
			}
			check := exec.CommandContext(t.Context(), "sh", "-n")
			check.Stdin = strings.NewReader(got)
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("sh -n: %v: %s", err, out)
			}
		})
	}
	if got, err := node.ShellCommand(node.Target{Host: "-oProxyCommand=reboot"}); err == nil {
		t.Errorf("an option as a host was taken: %s", got)
	}
}
