package lab

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// bundleLimit bounds what one host may take to tell about itself.
const bundleLimit = time.Minute

// collect is run on every host for [Lab.Bundle]: one tar of what a person would look at. It holds no private key: names, modes and times of
// files, and logs.
const collect = `d=$(mktemp -d) && cd "$d" || exit 1
journalctl --no-pager -o short-precise -n 5000 > journal.log 2>&1
systemctl list-units --failed --no-pager > failed-units.txt 2>&1
ls -laR --time-style=full-iso /etc/kubernetes /var/lib/upkeep /root/.kube > files.txt 2>&1
ps -ef > processes.txt 2>&1
if command -v ctr >/dev/null; then
	timeout 10 ctr -n k8s.io containers ls > containers.txt 2>&1
	timeout 10 ctr -n k8s.io tasks ls > tasks.txt 2>&1
fi
if [ -d /var/log/pods ]; then cp -a /var/log/pods pods; fi
tar -cz . ; cd / && rm -rf "$d"`

// Bundle writes into dir, which must exist, what is needed to understand a failure afterwards: for each host its console and a
// HOST.tar.gz with journal, logs of pods, processes, containers and names of files. It resumes hosts that are paused. A host that does not
// answer costs no more than a minute; the error names it, and the rest is there.
func (l *Lab) Bundle(ctx context.Context, dir string) error {
	return each(hosts(), func(n Node) error {
		ctx, cancel := context.WithTimeout(ctx, bundleLimit)
		defer cancel()
		err := errors.Join(setFrozen(n, false), copyFile(l.cache.dir(n, "console.log"), filepath.Join(dir, n.Name+"-console.log")))
		line := collect
		if n == bastion {
			line = "sudo -n sh -c '" + collect + "'"
		}
		text, sshErr := l.SSH(ctx, n.Name, line)
		if sshErr != nil {
			return errors.Join(err, sshErr)
		}
		return errors.Join(err, os.WriteFile(filepath.Join(dir, n.Name+".tar.gz"), []byte(text), 0o600))
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
