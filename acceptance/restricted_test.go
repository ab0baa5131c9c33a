package acceptance

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	keeper    = "keeper"                      // the user of restricted access
	installed = "/usr/lib/upkeep/upkeep-node" // where restricted access expects the helper
)

// What `upkeep access -print` prints, run as it stands, lets a user in who may run the installed helper and nothing else: sudo
// compares its digest. upkeep plans and applies through it and uploads nothing. A helper that is another file is not run, and
// the error's own command shows why.
func testRestrictedAccess(t *testing.T, s *suite) {
	known := filepath.Join(t.TempDir(), "known_hosts")
	d := s.declare(t, declaration{renewBefore: time.Hour, restricted: keeper, knownHosts: known})
	lines := d.run(t, "access", "-print").want(t, 0).stdout
	account, hosts, ok := strings.Cut(lines, "# Host keys: where upkeep runs.")
	if !ok || !strings.Contains(account, "sha256:") {
		t.Fatalf("access -print:\n%s", lines)
	}
	public := strings.TrimSpace(string(readFile(t, s.lab.Identity()+".pub")))
	account = strings.Replace(account, "restrict PUBLIC-KEY", "restrict "+public, 1)
	helper := readFile(t, filepath.Join(filepath.Dir(s.upkeep), "upkeep-node-linux-"+runtime.GOARCH))
	for _, n := range s.lab.Nodes {
		s.undo(t, n.Name, "rm -rf /etc/sudoers.d/upkeep "+filepath.Dir(installed)+"; pkill -KILL -u "+keeper+"; userdel -r -f "+keeper+" >/dev/null 2>&1; ! id -u "+keeper+" >/dev/null 2>&1")
		s.sshInput(t, n.Name, "sh -s", account)
		s.put(t, n.Name, installed, "755", helper)
		s.ssh(t, n.Name, "chmod 755 "+filepath.Dir(installed))
	}
	if text, err := exec.CommandContext(s.ctx, "sh", "-c", "# Host keys"+hosts).CombinedOutput(); err != nil {
		t.Fatalf("the lines for host keys: %v\n%s", err, text)
	}
	s.sameHostKeys(t, known)

	// Through these lines the user comes in, and root only as the helper.
	login := []string{"-F", "/dev/null", "-i", s.lab.Identity(), "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=" + known, "-l", keeper, s.lab.Nodes[1].IP}
	for line, want := range map[string]string{
		"id -un":                                 keeper,
		"sudo -n id -un 2>&1; true":              "password is required",
		"sudo -n /bin/sh " + installed + " 2>&1": "password is required",
		// Each class has its line, and no other class comes in through it.
		"sudo -n " + installed + " -class observe -version":                    "upkeep-node ",
		"sudo -n " + installed + " -version 2>&1":                              "password is required",
		"sudo -n " + installed + " -class observe -class change -version 2>&1": "it is given twice",
	} {
		out, _ := exec.CommandContext(s.ctx, "ssh", append(slices.Clone(login), line)...).CombinedOutput()
		if !strings.Contains(string(out), want) {
			t.Errorf("%s as %s: %q, want %q", line, keeper, out, want)
		}
	}

	const node, name = "n2", "front-proxy-client"
	uploads := func() string {
		return s.ssh(t, node, "ls -l --time-style=full-iso /var/lib/upkeep/bin 2>/dev/null || true")
	}
	was := uploads()
	d.empty(t)
	s.makeOneDue(t, node, name)
	before := s.standing(t, node, name)
	d.run(t, "apply", "-auto-approve").want(t, 0)
	if after := s.standing(t, node, name); after.serial == before.serial || !after.whole || after.left != "" {
		t.Errorf("renewed with restricted access: %+v, before %+v", after, before)
	}
	d.empty(t)
	if is := uploads(); is != was {
		t.Errorf("a helper was uploaded:\n%s", is)
	}

	// Another file in the helper's place.
	s.ssh(t, node, "echo >> "+installed)
	p, r := d.plan(t)
	r.want(t, 1)
	onlyUnknown(t, p, node, "sudo does not run "+installed)
	why := ""
	for _, u := range p.Upkeep.Unknown {
		why += u.Why
	}
	command := regexp.MustCompile("compare `([^`]*)` with `upkeep access -print`").FindStringSubmatch(why)
	if command == nil {
		t.Fatalf("the error names no command: %s", why)
	}
	shown, err := exec.CommandContext(s.ctx, "sh", "-c", command[1]).Output()
	sum := fmt.Sprintf("%x", sha256.Sum256(append(slices.Clone(helper), '\n')))
	if err != nil || !strings.HasPrefix(string(shown), sum) || strings.Contains(lines, sum) {
		t.Errorf("%s shows %q, %v; want the digest of the changed file, %s", command[1], shown, err, sum)
	}

	// A helper that sudoers allow, and that is not this upkeep's.
	s.ssh(t, node, fmt.Sprintf("sed -i 's/sha256:[0-9a-f]*/sha256:%s/' /etc/sudoers.d/upkeep && visudo -cqf /etc/sudoers.d/upkeep", sum))
	p, _ = d.plan(t)
	onlyUnknown(t, p, node, "is not the helper of this upkeep")
	s.put(t, node, installed, "755", helper)
	s.sshInput(t, node, "sh -s", account)
	d.empty(t)
}

// sameHostKeys compares a known_hosts file with the lab's own.
func (s *suite) sameHostKeys(t *testing.T, path string) {
	t.Helper()
	known := string(readFile(t, s.lab.KnownHosts()))
	fetched, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range s.lab.Nodes {
		found := false
		for line := range strings.Lines(string(fetched)) {
			host, key, _ := strings.Cut(strings.TrimSpace(line), " ")
			found = found || host == n.IP && strings.Contains(known, n.Name+","+n.IP+" "+key+"\n")
		}
		if !found {
			t.Fatalf("the key of %s is not among those fetched:\n%s", n.Name, fetched)
		}
	}
}
