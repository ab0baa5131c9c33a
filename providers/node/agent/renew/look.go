package renew

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
	"upkeep/providers/node/protocol"
)

// file is one file as it is on the disk now.
type file struct {
	path string
	info disk.Info
	data []byte
}

// item is one certificate that is to be renewed, as it is now.
type item struct {
	entry layout.Entry
	// key is the key's file; of a kubeconfig it is empty, and cert is the kubeconfig.
	key, cert file
	old       *x509.Certificate
	roots     *x509.CertPool
	// authority signs it, with this key.
	authority *x509.Certificate
	signer    crypto.Signer
}

// files returns the item's files in the order in which they are installed.
func (i item) files() []file {
	if i.key.path == "" {
		return []file{i.cert}
	}
	return []file{i.key, i.cert}
}

// find finds the layout of the node.
func (r *Renewer) find(want string) (err error) {
	r.layout, err = pki.Find(r.Disk, want)
	return err
}

// configuration reads the cluster's own configuration, which kubeadm needs. What kubeadm does not sign needs none.
func (r *Renewer) configuration(q protocol.RenewRequest) (Configuration, error) {
	needed := slices.ContainsFunc(q.Names, func(name string) bool {
		e, known := r.layout.Lookup(name)
		return !known || e.Renewed == layout.ByKubeadm
	})
	if !needed && q.ClusterConfiguration == "" && len(q.Names) > 0 {
		return Configuration{}, nil
	}
	c, err := ParseConfiguration(q.ClusterConfiguration)
	if err != nil {
		return c, err
	}
	real := c.dir
	if at, err := r.Disk.Resolve(c.dir, r.layout.Leads); err == nil {
		real = at
	}
	if real != r.layout.Dir {
		return c, fmt.Errorf("the cluster's configuration says that its certificates are in %s, and on this node they are in %s",
			c.dir, r.layout.Dir)
	}
	return c.In(r.layout.Dir), nil
}

// look reads what the request wants renewed and refuses what cannot or must not be. It changes nothing.
func (r *Renewer) look(q protocol.RenewRequest, config Configuration) ([]item, error) {
	if r.layout.Service != "" {
		return nil, fmt.Errorf("this is a node of %s, whose service renews its certificates: restart %s",
			r.layout.Name, r.layout.Service)
	}
	if !r.layout.ControlPlane && !r.layout.EtcdHost {
		return nil, errors.New("this node is no kubeadm control plane: neither a kube-apiserver manifest nor the cluster's CA key is here")
	}
	if len(q.Names) == 0 && len(q.Kubeconfigs) == 0 {
		return nil, errors.New("the request names no certificate")
	}
	var items []item
	for i, name := range q.Names {
		entry, ok := r.layout.Lookup(name)
		if !ok || !entry.Renewable() {
			return nil, fmt.Errorf("%q is not a certificate that kubeadm renews; those are %v", name, r.layout.Renewable())
		}
		if slices.Contains(q.Names[:i], name) {
			return nil, fmt.Errorf("%s is named twice", name)
		}
		if usual, _ := layout.Kubeadm(r.layout.Dir).Lookup(name); entry.Renewed == layout.ByKubeadm &&
			usual.Path+usual.KeyPath != entry.Path+entry.KeyPath {
			return nil, fmt.Errorf("%s: one of its files is a symbolic link, and kubeadm knows only %s", name, usual.Path)
		}
		if config.externalEtcd && entry.Renewed == layout.ByKubeadm && entry.OfEtcd() {
			return nil, fmt.Errorf("%s: the cluster's etcd is external, and its certificates are not kubeadm's", name)
		}
		found, err := r.lookAt(entry)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if want, now := q.Serials[name], pki.Serial(found.old); want != now {
			return nil, fmt.Errorf("%s: its serial is %s now and was %s when this was planned: plan again", name, now, orNone(want))
		}
		items = append(items, found)
	}
	return items, nil
}

func orNone(serial string) string {
	if serial == "" {
		return "not given"
	}
	return serial
}

func (r *Renewer) lookAt(entry layout.Entry) (item, error) {
	it := item{entry: entry}
	ca, _ := r.layout.Lookup(entry.Authority)
	authority, _, err := r.Disk.Read(ca.Path, pki.MaxFile)
	if err != nil {
		return it, fmt.Errorf("CA %s: %w", ca.Name, err)
	}
	roots, err := pki.ParseCertificates(authority)
	if err != nil {
		return it, fmt.Errorf("CA %s: %s: %w", ca.Name, ca.Path, err)
	}
	it.roots = x509.NewCertPool()
	for _, root := range roots {
		it.roots.AddCert(root)
	}
	key, _, err := r.Disk.Read(ca.KeyPath, pki.MaxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return it, fmt.Errorf("%s is not on this node: the CA %s is external, so that its certificates must be renewed where its key is", ca.KeyPath, ca.Name)
	}
	if err != nil {
		return it, fmt.Errorf("key of CA %s: %w", ca.Name, err)
	}
	signer, err := pki.ParseKey(key)
	if err != nil {
		return it, fmt.Errorf("%s: %w", ca.KeyPath, err)
	}
	if !pki.KeyMatches(roots[0], signer) {
		return it, fmt.Errorf("%s does not belong to %s: what it signs nobody would trust", ca.KeyPath, ca.Path)
	}
	it.authority, it.signer = roots[0], signer
	if roots[0].NotAfter.Before(r.Now()) {
		return it, fmt.Errorf("the CA %s itself ended at %s: a new CA must be rolled out first", ca.Name, roots[0].NotAfter.UTC().Format("2006-01-02 15:04 MST"))
	}
	if it.cert, err = r.target(entry.Path); err != nil {
		return it, err
	}
	text := it.cert.data
	if entry.Kind == facts.Kubeconfig {
		config, err := pki.ParseKubeconfig(text)
		if err != nil {
			return it, fmt.Errorf("%s: %w", entry.Path, err)
		}
		text = config.Certificate
	} else if it.key, err = r.target(entry.KeyPath); err != nil {
		return it, err
	}
	certs, err := pki.ParseCertificates(text)
	if err != nil {
		return it, fmt.Errorf("%s: %w", entry.Path, err)
	}
	it.old = certs[0]
	return it, nil
}

// target reads a file that is to be replaced, and refuses one that somebody but root could have exchanged.
func (r *Renewer) target(p string, owners ...int) (file, error) {
	dir, err := r.Disk.Dir(path.Dir(p))
	if err != nil {
		return file{}, err
	}
	if err := dir.TrustFile(path.Base(p), owners...); err != nil {
		return file{}, err
	}
	data, info, err := dir.Read(path.Base(p), pki.MaxFile)
	return file{path: p, info: info, data: data}, err
}
