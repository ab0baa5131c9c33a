package node_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/providers/node"
)

// fakeSSH stands for ssh: it runs the command on this machine. What a host does first is in hosts/HOST, as shell code.
// It counts the sessions of one listing that still live afterwards, so all of them lived at the time of the listing: one
// that was killed leaves its file behind, and a second listing would count it beside the one that took its place.
const fakeSSH = `#!/bin/sh
site=%s
echo "$*" >>$site/log
: >$site/active/$$
n=0
for other in $(ls $site/active); do if kill -0 $other 2>/dev/null; then n=$((n+1)); else rm -f $site/active/$other; fi; done
echo $n >>$site/concurrent
while test "$1" != --; do shift; done
PATH=$site/bin:$PATH
if test -f $site/hosts/$2; then . $site/hosts/$2; fi
sh -c "$3"
status=$?
rm -f $site/active/$$
exit $status
`

// fakeSudo stands for sudo: nobody has to become anybody.
const fakeSudo = `#!/bin/sh
test "$1 $2" = "-n --" || exit 1
shift 2
exec "$@"
`

// site is a world of nodes on this machine.
type site struct {
	t         testing.TB
	directory string
	options   node.Options
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, directory: t.TempDir()}
	for _, d := range []string{"active", "hosts", "bin", "helpers", "nodes"} {
		if err := os.Mkdir(s.path(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.write("ssh", fmt.Sprintf(fakeSSH, s.directory))
	s.write("bin/sudo", fakeSudo)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, s.helper()); err != nil {
		t.Fatal(err)
	}
	s.options = node.Options{Helpers: s.path("helpers"), SSH: s.path("ssh"), Directory: s.path("nodes/bin"),
		Installed: s.path("nodes/installed"), RetryDelay: time.Millisecond}
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.directory, name) }

// helper is where the helper lies beside upkeep.
func (s *site) helper() string { return s.path("helpers/upkeep-node-linux-" + runtime.GOARCH) }

// write writes an executable file, replacing what is there.
func (s *site) write(name, text string) {
	s.t.Helper()
	path := name
	if !filepath.IsAbs(path) {
		path = s.path(name)
	}
	_ = os.Remove(path)
	// A child that another test forks just now would hold the file open for writing, and to run it would then fail
	// with "text file busy" (golang.org/issue/22315).
	syscall.ForkLock.RLock()
	err := os.WriteFile(path, []byte(text), 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		s.t.Fatal(err)
	}
}

// host makes the fake ssh run shell code before it connects to a host.
func (s *site) host(name, code string) { s.write("hosts/"+name, code) }

// meeting makes the first sessions of the hosts cp0 to cp11 wait for each other, until so many are under way at once: that
// they are is then no matter of luck. One that waits for the others in vain goes on after some 20 seconds.
func (s *site) meeting(size int) {
	for i := range 12 {
		s.host(fmt.Sprintf("cp%d", i), fmt.Sprintf(`n=0; while test ! -e $site/met -a $n -lt 400; do
	test $(ls $site/active | wc -l) -lt %d || : >$site/met
	n=$((n+1)); sleep 0.05
done
`, size))
	}
}

// appears waits until there is a file and returns what is in it. Who makes it gives it its name when it is whole.
func (s *site) appears(name string) string {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(s.path(name))
		if err == nil {
			return string(text)
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s is not there after a minute: %v", name, err)
		}
	}
}

// attempts are how often ssh was started for a host.
func (s *site) attempts(host string) int {
	log, _ := os.ReadFile(s.path("log"))
	return strings.Count(string(log), " -- "+host+" ")
}

// mostConcurrent is the greatest number of sessions there were at a time.
func (s *site) mostConcurrent() int {
	text, _ := os.ReadFile(s.path("concurrent"))
	most := 0
	for line := range strings.Lines(string(text)) {
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			s.t.Fatal(err)
		}
		most = max(most, n)
	}
	return most
}

func (s *site) client() *node.Client { return node.New(s.options) }

// local and remote are targets of the site.
func local(name string) node.Target { return node.Target{Name: name, Transport: node.TransportLocal} }

func remote(name string) node.Target { return node.Target{Name: name, Host: name} }

// scripted makes the helper a shell script that is handed the nonce as $2, opens the session, waits for the first byte of a
// request and then does as the code says: an answer that comes before its request answers nothing, and who wins such a race is
// not what these tests are about. Code that has answered ends with untilHungUp.
func (s *site) scripted(code string) {
	s.write(s.helper(), "#!/bin/sh\necho; echo \"upkeep-session $2 ready\"\nhead -c 1 >/dev/null\n"+code+"\n")
}

// untilHungUp is shell code that reads what else is sent until the other side closes the session.
const untilHungUp = "; cat >/dev/null"
