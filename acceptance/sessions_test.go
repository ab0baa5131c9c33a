package acceptance

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const (
	// sessions is how many nodes a large fleet has. Here they are all one machine.
	sessions = 256
	// atATime is how many of them are asked at once: fewer than the 10 unauthenticated connections from which on sshd drops
	// some (sshd_config(5), MaxStartups).
	atATime = 8
	// sessionsGoal is how much longer the helper's sessions may take than as many of `ssh HOST true`.
	sessionsGoal = 1.3
	rounds       = 2
)

// manySessions plans a fleet of 256 nodes, which are all the bastion, and compares that with `ssh HOST true` as often.
func (s *suite) manySessions(t *testing.T) {
	t.Helper()
	d := s.declareFleet(t, sessions)
	s.undo(t, "bastion", "sudo rm -rf /var/lib/upkeep")
	for range 2 { // the helper is sent, and hashed for the last time, before anything is measured
		s.declareFleet(t, 1).run(t, "observe", "-json").want(t, 1)
	}
	var ssh, upkeep []time.Duration
	for range rounds {
		ssh = append(ssh, s.sshTrue(t))
		r := d.run(t, "observe", "-json", fmt.Sprintf("-parallelism=%d", atATime)).want(t, 1)
		upkeep = append(upkeep, r.wall)
		var recorded struct {
			World world `json:"world"`
		}
		if err := json.Unmarshal([]byte(r.stdout), &recorded); err != nil {
			t.Fatal(err)
		}
		answered := 0
		for _, n := range recorded.World.Nodes {
			if n.Unknown == "" {
				answered++
			}
		}
		if answered != sessions {
			t.Errorf("%d of %d nodes answered", answered, sessions)
		}
	}
	best, beside := slices.Min(upkeep), slices.Min(ssh)
	t.Logf("figure: %d sessions of the helper on one machine, %d at a time: %s; as many `ssh true`: %s; %.2f times as long (goal: %.1f; best of %d)",
		sessions, atATime, best.Round(10*time.Millisecond), beside.Round(10*time.Millisecond), best.Seconds()/beside.Seconds(), sessionsGoal, rounds)
}

// declareFleet declares nodes that are all the bastion, with root, who needs no sudo. Each has a host of its own, since two nodes
// with one host are a mistake; ssh's configuration leads them to the bastion. It is no node of the cluster, so observe exits 1.
func (s *suite) declareFleet(t *testing.T, count int) directory {
	t.Helper()
	text := fmt.Sprintf(`cluster {
  kubeconfig = %q
}

connection "lab" {
  user        = "root"
  known_hosts = %q
  identity    = %q
  ssh_config  = "ssh_config"
}

node "fleet" {
  for_each   = { for i in range(%d) : format("f%%03d", i) => format("f%%03d.fleet", i) }
  host       = each.value
  roles      = ["fleet"]
  connection = connection.lab
}

certificates "fleet" {
  window = "always"
  nodes      = role("fleet")
  without    = { backup = "nothing is changed here" }
}
`, s.kubeconfig, s.lab.KnownHosts(), s.lab.Identity(), count)
	path := t.TempDir()
	hosts := fmt.Sprintf("Host *.fleet\n  HostName %[1]s\n  HostKeyAlias %[1]s\n", s.lab.Bastion.IP)
	if err := os.WriteFile(filepath.Join(path, "ssh_config"), []byte(hosts), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "fleet.upkeep.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return directory{s: s, path: path}
}

// sshTrue measures 256 times `ssh HOST true`, as many at a time, with the options that upkeep gives ssh.
func (s *suite) sshTrue(t *testing.T) time.Duration {
	t.Helper()
	command := exec.CommandContext(s.ctx, "sh", "-c", fmt.Sprintf(`seq %d | xargs -P %d -n 1 sh -c 'exec ssh -T -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o ClearAllForwardings=yes \
-i %s -o UserKnownHostsFile=%s -l root -- %s true'`, sessions, atATime, s.lab.Identity(), s.lab.KnownHosts(), s.lab.Bastion.IP))
	began := time.Now()
	if text, err := command.CombinedOutput(); err != nil {
		t.Fatalf("ssh true: %v\n%s", err, text)
	}
	return time.Since(began)
}
