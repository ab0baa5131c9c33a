package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
	"upkeep/providers/node/agent/disk"
)

// Collect reads the certificates that the question asks for. It fails in parts: a file that cannot be read is an entry
// with its reason, and only an unknown layout leaves everything unknown. It looks at no clock: ages are for others.
//
// What the ports serve and which renewals are unfinished is not its to say; those fields stay empty.
func Collect(d *disk.Disk, q facts.CertificatesQuestion) facts.Certificates {
	l, err := Find(d, q.Layout)
	if err != nil {
		return facts.Certificates{Unknown: err.Error()}
	}
	entries := l.here(d)
	c := collector{disk: d, layout: l.Layout, pools: map[string]pool{}}
	found := facts.Certificates{Layout: l.Name, Because: l.Because, Foreign: foreign(d)}
	if l.Dir != layout.KubeadmDir {
		found.Dir = l.Dir
	}
	for _, e := range entries {
		if e.Name == "kubelet-client" {
			e = c.kubeletClient(e)
		}
		if f := c.file(e); !(f.Missing && e.Optional && l.Service != "") {
			found.Files = append(found.Files, f)
		}
	}
	switch {
	case l.ControlPlane && l.Service == "":
		found.ServiceAccount = c.serviceAccount(l.Dir+"/sa.key", l.Dir+"/sa.pub")
	case l.ControlPlane:
		found.ServiceAccount = c.serviceAccount(layout.RancherServiceKey(l.Dir), "")
	}
	for _, p := range q.Kubeconfigs {
		if slices.ContainsFunc(entries, func(e layout.Entry) bool { return e.Path == p }) {
			continue // admin.conf itself was named
		}
		found.Files = append(found.Files, c.file(layout.Entry{
			Name: p, Kind: facts.Kubeconfig, Path: p, Authority: l.Clients(), Usage: x509.ExtKeyUsageClientAuth,
		}))
	}
	slices.SortStableFunc(found.Files, func(a, b facts.CertificateFile) int { return strings.Compare(a.Path, b.Path) })
	return found
}

// Authorities returns the SHA-256 fingerprints and the KeyIDs of the CAs that the node takes its cluster's certificates
// from; none where they cannot be read. Control planes and workers alike have them.
func Authorities(d *disk.Disk) (fingerprints, keys []string) {
	l, err := Find(d, "auto")
	if err != nil {
		return nil, nil
	}
	c := collector{disk: d, layout: l.Layout, pools: map[string]pool{}}
	for _, name := range l.Cluster() {
		ca, ok := l.Lookup(name)
		if !ok {
			continue
		}
		ca.KeyPath = "" // nobody's business here
		for _, block := range c.file(ca).Blocks {
			fingerprints = append(fingerprints, block.SHA256)
			if block.KeyID != "" {
				keys = append(keys, block.KeyID)
			}
		}
		if len(fingerprints) > 0 {
			break
		}
	}
	return fingerprints, keys
}

// ControlPlane reports whether the node is, or should be, a control plane that kubeadm made.
func ControlPlane(d *disk.Disk) bool {
	l, err := Find(d, "auto")
	return err == nil && l.ControlPlane && l.Service == ""
}

type pool struct {
	roots *x509.CertPool
	err   error
}

type collector struct {
	disk   *disk.Disk
	layout layout.Layout
	pools  map[string]pool
}

func (c *collector) file(e layout.Entry) facts.CertificateFile {
	f := facts.CertificateFile{Name: e.Name, Kind: e.Kind, Path: e.Path, KeyPath: e.KeyPath, Authority: e.Authority}
	data, info, err := c.read(e)
	if info != (disk.Info{}) {
		f.Mode, f.Owner, f.Modified = info.Permissions(), info.Owner(), info.Modified
	}
	if errors.Is(err, fs.ErrNotExist) {
		f.Missing = true
		return f
	}
	if err != nil {
		f.Unknown = err.Error()
		return f
	}
	pemData, keyData := data, data
	if path.Base(e.Path) == layout.DynamicCertificate {
		if pemData, keyData, err = parseSecret(data); err != nil {
			f.Unknown = err.Error()
			return f
		}
	}
	if e.Kind == facts.Kubeconfig || e.Path == KubeletConf {
		config, err := ParseKubeconfig(data)
		f.Server = config.Server
		if authorities, err := ParseCertificates(config.Authorities); err == nil {
			for _, a := range authorities {
				f.Authorities = append(f.Authorities, Fingerprint(a))
				f.AuthorityKeys = append(f.AuthorityKeys, KeyID(a.RawSubjectPublicKeyInfo))
			}
		}
		if err != nil {
			f.Unknown = err.Error()
			return f
		}
		pemData, keyData = config.Certificate, config.Key
	}
	certs, err := ParseCertificates(pemData)
	if err != nil {
		f.Unknown = err.Error()
		return f
	}
	for _, cert := range certs {
		f.Blocks = append(f.Blocks, Describe(cert))
	}
	switch {
	case e.KeyPath != "":
		f.Key, f.KeyMode, f.KeyOwner = c.key(certs[0], e.KeyPath)
	case e.Kind != facts.Authority:
		f.Key = match(certs[0], keyData)
	}
	f.Usage = lacking(e, certs[0])
	if err := c.chain(e, certs); err != nil {
		f.Chain = err.Error()
	}
	return f
}

// lacking are those that a certificate must be good for, and is not by its own extended key usages. A certificate
// without any is good for all (RFC 5280, 4.2.1.12).
func lacking(e layout.Entry, cert *x509.Certificate) (out []string) {
	if len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 ||
		slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return nil
	}
	for _, usage := range e.Usages() {
		if !slices.Contains(cert.ExtKeyUsage, usage) {
			out = append(out, map[x509.ExtKeyUsage]string{
				x509.ExtKeyUsageServerAuth: "servers", x509.ExtKeyUsageClientAuth: "clients",
			}[usage])
		}
	}
	return out
}

// read reads an entry's file. The kubelet's current certificate is a link to a file of the same directory, which is the
// one link that is followed.
func (c *collector) read(e layout.Entry) ([]byte, disk.Info, error) {
	p := e.Path
	if e.Kind == facts.Kubelet {
		if dir, err := c.disk.Dir(path.Dir(p)); err == nil {
			if target, ok := dir.Link(path.Base(p)); ok {
				if base := path.Base(target); target != base && target != path.Join(path.Dir(p), base) {
					return nil, disk.Info{}, fmt.Errorf("%s links out of its directory, to %s", p, target)
				}
				p = path.Join(path.Dir(p), path.Base(target))
			}
		}
	}
	return c.disk.Read(p, MaxFile)
}

// ReadKubelet reads a file that the kubelet rotates, through the one link that is followed for it.
func ReadKubelet(d *disk.Disk, e layout.Entry) ([]byte, disk.Info, error) {
	return (&collector{disk: d}).read(e)
}

// key compares a key file with its certificate, and returns the file's mode and foreign owner where they are known: a
// key that cannot be read may still be open to others.
func (c *collector) key(cert *x509.Certificate, keyPath string) (state, mode, owner string) {
	data, info, err := c.disk.Read(keyPath, MaxFile)
	if info != (disk.Info{}) {
		mode, owner = info.Permissions(), foreignOwner(info)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return KeyMissing, mode, owner
	}
	if err != nil {
		return "unreadable: " + err.Error(), mode, owner
	}
	if len(data) == 0 {
		return "unreadable: the file is empty", mode, owner
	}
	return match(cert, data), mode, owner
}

// foreignOwner returns the owner of a file that is not the user who runs this program; empty where it is.
func foreignOwner(info disk.Info) string {
	if int(info.UID) == os.Geteuid() {
		return ""
	}
	return info.Owner()
}

// The values of facts.CertificateFile.Key that are no sentence.
const (
	KeyMatch    = "match"
	KeyMismatch = "mismatch"
	KeyMissing  = "missing"
)

func match(cert *x509.Certificate, keyData []byte) string {
	if len(keyData) == 0 {
		return KeyMissing
	}
	if matches, told := matchRSA(cert, keyData); told {
		if matches {
			return KeyMatch
		}
		return KeyMismatch
	}
	key, err := ParseKey(keyData)
	if err != nil {
		return "unreadable: " + err.Error()
	}
	if !KeyMatches(cert, key) {
		return KeyMismatch
	}
	return KeyMatch
}

// chain says why the file's leaf does not chain to its CA as this node has it. Age and usage are left out of it: an
// expired leaf is one finding, a leaf for other ends another, a broken chain a third.
func (c *collector) chain(e layout.Entry, certs []*x509.Certificate) error {
	switch {
	case e.Kind == facts.Authority:
		if !certs[0].IsCA {
			return errors.New("it is not a CA")
		}
		return nil
	case e.Authority == "":
		// The kubelet signs its own serving certificate and keeps that throw-away CA behind the leaf.
		roots := x509.NewCertPool()
		for _, cert := range certs[1:] {
			roots.AddCert(cert)
		}
		if len(certs) == 1 {
			roots.AddCert(certs[0])
		}
		return Verify(certs, roots, x509.ExtKeyUsageAny)
	}
	p := c.authority(e.Authority)
	if p.err != nil {
		return p.err
	}
	return Verify(certs, p.roots, x509.ExtKeyUsageAny)
}

func (c *collector) authority(name string) pool {
	if p, ok := c.pools[name]; ok {
		return p
	}
	p := pool{}
	entry, ok := c.layout.Lookup(name)
	if !ok {
		p.err = fmt.Errorf("the layout has no CA %q", name)
	} else if data, _, err := c.disk.Read(entry.Path, MaxFile); err != nil {
		p.err = fmt.Errorf("CA %s: %w", name, err)
	} else if certs, err := ParseCertificates(data); err != nil {
		p.err = fmt.Errorf("CA %s: %s: %w", name, entry.Path, err)
	} else {
		p.roots = x509.NewCertPool()
		for _, cert := range certs {
			p.roots.AddCert(cert)
		}
	}
	c.pools[name] = p
	return p
}

// Verify says why the first of certs does not chain to one of roots, with the others as intermediates. It judges as of
// a moment at which the leaf is valid, so that only the chain is judged; a CA that ended before the leaf began fails.
func Verify(certs []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage) error {
	intermediates := x509.NewCertPool()
	for _, cert := range certs[1:] {
		intermediates.AddCert(cert)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{usage},
		CurrentTime: certs[0].NotAfter,
	})
	if err == nil {
		return nil
	}
	// The leaf may outlive its CA: kubeadm does not clamp, and kubespray's etcd has leaves of 100 years. That is no broken
	// chain either, as long as both lived at once.
	for part := time.Duration(2); part <= 1<<12; part *= 2 {
		if _, again := certs[0].Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{usage},
			CurrentTime: certs[0].NotBefore.Add(certs[0].NotAfter.Sub(certs[0].NotBefore) / part),
		}); again == nil {
			return nil
		}
	}
	// The library would call the moment that was chosen here the current time.
	if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		ca := invalid.Cert
		return fmt.Errorf("%s was valid from %s to %s, which is not while the certificate is", ca.Subject,
			ca.NotBefore.UTC().Format(time.DateOnly), ca.NotAfter.UTC().Format(time.DateOnly))
	}
	return err
}
