package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// makeKeys makes the key that opens every host, and each host's own key, and records the latter in known_hosts.
func (c cache) makeKeys(ctx context.Context) error {
	if err := os.MkdirAll(c.at("state"), 0o700); err != nil {
		return err
	}
	if err := makeKey(ctx, c.at("state", "id"), "upkeep-lab"); err != nil {
		return err
	}
	var known strings.Builder
	for _, n := range all() {
		if err := os.MkdirAll(c.dir(n), 0o700); err != nil {
			return err
		}
		key := c.dir(n, "ssh_host_ed25519_key")
		if err := makeKey(ctx, key, n.Name); err != nil {
			return err
		}
		public, err := os.ReadFile(key + ".pub")
		if err != nil {
			return err
		}
		fields := strings.Fields(string(public))
		if len(fields) < 2 {
			return fmt.Errorf("%s.pub: not a public key", key)
		}
		fmt.Fprintf(&known, "%s,%s %s %s\n", n.Name, n.IP, fields[0], fields[1])
	}
	return errors.Join(
		os.WriteFile(c.at("state", "known_hosts"), []byte(known.String()), 0o644),
		os.WriteFile(c.at("state", "ssh_config"), []byte(sshConfig(c.at("state"))), 0o644),
	)
}

func makeKey(ctx context.Context, path, comment string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	_, err := output(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path)
	return err
}

// sshConfig is the ssh_config(5) to reach the hosts with. NAME is root on that host; ops-NAME is the user ops, through
// the bastion.
func sshConfig(state string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Written by the lab. ssh -F %[1]s/ssh_config n1
Host *
  IdentityFile %[1]s/id
  IdentitiesOnly yes
  UserKnownHostsFile %[1]s/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 5
  LogLevel ERROR
`, state)
	for _, n := range all() {
		user := "root"
		if n == bastion {
			user = opsUser
		}
		fmt.Fprintf(&b, "Host %s\n  HostName %s\n  HostKeyAlias %s\n  User %s\n", n.Name, n.IP, n.Name, user)
	}
	for _, n := range controlPlanes {
		fmt.Fprintf(&b, "Host ops-%s\n  HostName %s\n  HostKeyAlias %s\n  User %s\n  ProxyJump %s\n", n.Name, n.IP, n.Name, opsUser, bastion.Name)
	}
	return b.String()
}

// SSH runs a shell command and returns its standard output. node is a host's name, for root (on the bastion ops), or
// ops-NAME, for ops through the bastion.
// An error carries the host and what the command said last.
func (l *Lab) SSH(ctx context.Context, node, command string) (string, error) {
	return l.SSHInput(ctx, node, command, "")
}

// SSHInput is SSH with something on standard input, where secrets go: no error repeats it.
func (l *Lab) SSHInput(ctx context.Context, node, line, stdin string) (string, error) {
	if _, err := find(strings.TrimPrefix(node, opsUser+"-")); err != nil {
		return "", err
	}
	out, err := command{name: "ssh", args: []string{"-F", l.SSHConfig(), "-T", node, line}, stdin: stdin}.run(ctx)
	if err != nil {
		return out, fmt.Errorf("on %s: %w", node, err)
	}
	return out, nil
}
