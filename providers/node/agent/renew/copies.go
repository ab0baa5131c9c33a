package renew

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"upkeep/providers/layout"
	"upkeep/providers/node/agent/pki"
	"upkeep/providers/node/protocol"
)

// sources are the kubeconfigs that people copy.
var sources = []string{"admin.conf", "super-admin.conf"}

// copied is a kubeconfig that the operator named: a copy of admin.conf, say /root/.kube/config.
type copied struct {
	file   file
	config pki.KubeconfigFile
	old    *x509.Certificate
	// why says why it cannot take a new certificate; empty where it can.
	why string
}

// lookCopies reads the copies that the request names. One that is absent, or is no kubeconfig with a client certificate,
// is passed over later, with its reason; one that others than its owner and root could exchange is refused now.
func (r *Renewer) lookCopies(q protocol.RenewRequest) ([]copied, error) {
	var found []copied
	for i, p := range q.Kubeconfigs {
		if slices.Contains(q.Kubeconfigs[:i], p) || slices.ContainsFunc(r.layout.Entries(),
			func(e layout.Entry) bool { return e.Path == p }) {
			continue
		}
		c := copied{file: file{path: p}}
		info, err := r.Disk.Stat(p)
		if errors.Is(err, fs.ErrNotExist) {
			c.why = "it is not there"
			found = append(found, c)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("kubeconfig %w", err)
		}
		// A copy in somebody's home directory is that user's own to lose, and nobody else's.
		if c.file, err = r.target(p, info.UID); err != nil {
			return nil, fmt.Errorf("kubeconfig %w", err)
		}
		if c.config, err = pki.ParseKubeconfig(c.file.data); err != nil {
			c.why = err.Error()
		} else if certs, err := pki.ParseCertificates(c.config.Certificate); err != nil {
			c.why = err.Error()
		} else {
			c.old = certs[0]
			if want, now := q.Serials[p], pki.Serial(c.old); want != "" && want != now {
				return nil, fmt.Errorf("kubeconfig %s: its serial is %s now and was %s when this was planned: plan again", p, now, want)
			}
		}
		found = append(found, c)
	}
	return found, nil
}

// takeOver adds to what was renewed the copies that take the same new client certificate: those that hold an older one of
// the same user, signed by the same CA. They keep their server, their CA bundle and everything else.
func (r *Renewer) takeOver(done []renewed, copies []copied, progress func(string)) ([]renewed, error) {
	for _, c := range copies {
		if c.why != "" {
			progress(fmt.Sprintf("leaving %s unchanged: %s", c.file.path, c.why))
			continue
		}
		cert, config, err := r.newest(done, c)
		if err != nil {
			return nil, err
		}
		if cert == nil {
			progress(fmt.Sprintf("leaving %s unchanged: neither admin.conf nor super-admin.conf holds a newer certificate of its user, %s", c.file.path, c.old.Subject))
			continue
		}
		data, err := graft(c.file.data, config.Certificate, config.Key)
		if err != nil {
			return nil, fmt.Errorf("kubeconfig %s: %w", c.file.path, err)
		}
		done = append(done, renewed{c.file.path, pki.Serial(cert), cert.NotAfter.UTC(), []newFile{{c.file, data}}})
	}
	return done, nil
}

// newest returns the client certificate that a copy takes over: from a kubeconfig renewed just now, else from the disk.
func (r *Renewer) newest(done []renewed, c copied) (*x509.Certificate, pki.KubeconfigFile, error) {
	for _, name := range sources {
		entry, _ := r.layout.Lookup(name)
		text, _, err := r.Disk.Read(entry.Path, pki.MaxFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, pki.KubeconfigFile{}, err
		}
		for _, made := range done {
			if made.name == name {
				text = made.files[0].data
			}
		}
		config, err := pki.ParseKubeconfig(text)
		if err != nil {
			continue // the plan has a finding for it; it has nothing to give
		}
		certs, err := pki.ParseCertificates(config.Certificate)
		if err != nil {
			continue
		}
		same := pki.SameNames(c.old, certs[0]) == nil && string(c.old.RawIssuer) == string(certs[0].RawIssuer)
		if same && certs[0].NotAfter.After(c.old.NotAfter) {
			return certs[0], config, nil
		}
	}
	return nil, pki.KubeconfigFile{}, nil
}
