package renew

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
	"upkeep/providers/node/agent/controlplane"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
	"upkeep/providers/node/agent/store"
)

// kubeadmTimeout bounds one certificate: signing takes well below a second, and kubeadm needs no network for it.
const kubeadmTimeout = time.Minute

// configName is where kubeadm's configuration lies in the staging tree.
const configName = "upkeep-kubeadm.yaml"

// renewed is one certificate with its new files, verified.
type renewed struct {
	name   string
	serial string
	ends   time.Time
	files  []newFile
}

// newFile is a file as it was and as it shall be.
type newFile struct {
	old  file
	data []byte
}

func (i item) byKubeadm() bool { return i.entry.Renewed == layout.ByKubeadm }

// sign lets kubeadm renew the items in a staging tree of their own and returns the new files, verified.
func (r *Renewer) sign(ctx context.Context, s *state, id string, items []item, config Configuration, progress func(string)) ([]renewed, error) {
	var tree *disk.Dir
	if slices.ContainsFunc(items, item.byKubeadm) {
		err := r.sameMinor(ctx)
		if err != nil {
			return nil, err
		}
		if tree, err = r.plant(s, id, slices.DeleteFunc(slices.Clone(items),
			func(it item) bool { return !it.byKubeadm() }), config); err != nil {
			return nil, fmt.Errorf("make the staging tree: %w", err)
		}
	}
	var done []renewed
	for _, it := range items {
		progress("signing " + it.entry.Name)
		r.at("sign:%s", it.entry.Name)
		if !it.byKubeadm() {
			made, err := r.issue(it)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", it.entry.Name, err)
			}
			done = append(done, made)
			continue
		}
		if err := r.kubeadm(ctx, tree.Path(), it.entry.Name); err != nil {
			return nil, fmt.Errorf("%s: %w", it.entry.Name, err)
		}
		made, err := r.harvest(tree, it)
		if err != nil {
			return nil, fmt.Errorf("%s: what kubeadm made is refused: %w", it.entry.Name, err)
		}
		done = append(done, made)
	}
	return done, nil
}

// plant makes the tree that stands for "/" to kubeadm: the CAs that sign, what is to be renewed, and the configuration.
func (r *Renewer) plant(s *state, id string, items []item, config Configuration) (*disk.Dir, error) {
	tree, err := store.Private(s.stage, id)
	if err != nil {
		return nil, err
	}
	put := func(p string, data []byte) error {
		dir := tree
		parts, err := disk.Clean(p)
		if err != nil {
			return err
		}
		for _, part := range parts[:len(parts)-1] {
			if dir, err = dir.Mkdir(part, 0o700); err != nil {
				return err
			}
		}
		return dir.WriteFile(parts[len(parts)-1], 0o600, data)
	}
	planted := map[string]bool{}
	for _, it := range items {
		ca, _ := r.layout.Lookup(it.entry.Authority)
		for _, p := range []string{ca.Path, ca.KeyPath} {
			if planted[p] {
				continue
			}
			data, _, err := r.Disk.Read(p, pki.MaxFile)
			if err != nil {
				return nil, err
			}
			if err := put(p, data); err != nil {
				return nil, err
			}
			planted[p] = true
		}
		for _, f := range it.files() {
			if err := put(f.path, f.data); err != nil {
				return nil, err
			}
		}
	}
	text, err := config.File(r.node())
	if err != nil {
		return nil, err
	}
	return tree, put("/"+configName, text)
}

// node says what this node is, from the manifests that kubeadm itself wrote.
func (r *Renewer) node() Node {
	n := Node{Name: "node", AdvertiseAddress: "127.0.0.1", CRISocket: r.CRISocket}
	for _, pod := range controlplane.StaticPods(r.Disk) {
		switch pod.Component {
		case "etcd":
			if name := pod.Flags["name"]; name != "" {
				n.Name = strings.ToLower(name)
			}
		case "kube-apiserver":
			if address := pod.Flags["advertise-address"]; address != "" {
				n.AdvertiseAddress = address
			}
			n.Port = pod.Flags["secure-port"]
		}
	}
	return n
}

// kubeadm renews one certificate inside the tree. Its exit status says little: it is 0 for a certificate that is missing
// and for a CA that is external, so that what it printed and, after this, what it made is looked at, too.
func (r *Renewer) kubeadm(ctx context.Context, tree, name string) error {
	ctx, cancel := context.WithTimeout(ctx, kubeadmTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.Kubeadm, "certs", "renew", name, "--config", "/"+configName, "--rootfs", r.Disk.Real(tree))
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	said := &tail{limit: 4 << 10}
	cmd.Stdout, cmd.Stderr = said, said
	err := cmd.Run()
	words := strings.Join(strings.Fields(said.String()), " ")
	if len(words) > 600 {
		words = "…" + strings.ToValidUTF8(words[len(words)-600:], "")
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("kubeadm certs renew did not end within %s: %s", kubeadmTimeout, words)
	case err != nil:
		return fmt.Errorf("kubeadm certs renew: %w: %s", err, words)
	case strings.Contains(words, "Falling back to default configuration"):
		return errors.New("kubeadm fell back to its default configuration, which is refused: it would change the kind of keys and how long certificates live")
	case strings.Contains(words, "MISSING!") || strings.Contains(words, "can't be renewed"):
		return fmt.Errorf("kubeadm renewed nothing: %s", words)
	}
	return nil
}

// harvest reads what kubeadm made of one item out of the tree, verifies it, and returns the files to install.
func (r *Renewer) harvest(tree *disk.Dir, it item) (renewed, error) {
	read := func(p string) ([]byte, error) {
		data, _, err := r.Disk.Read(path.Join(tree.Path(), p), pki.MaxFile)
		return data, err
	}
	text, err := read(it.entry.Path)
	if err != nil {
		return renewed{}, err
	}
	if it.entry.Kind != facts.Kubeconfig {
		key, err := read(it.entry.KeyPath)
		if err != nil {
			return renewed{}, err
		}
		cert, err := verify(it, text, key, r.Now())
		if err != nil {
			return renewed{}, err
		}
		return renewed{it.entry.Name, pki.Serial(cert), cert.NotAfter.UTC(), []newFile{{it.key, key}, {it.cert, text}}}, nil
	}
	made, err := pki.ParseKubeconfig(text)
	if err != nil {
		return renewed{}, err
	}
	cert, err := verify(it, made.Certificate, made.Key, r.Now())
	if err != nil {
		return renewed{}, err
	}
	// kubeadm keeps one CA of a bundle and writes the file anew; only the client certificate is taken from it.
	data, err := graft(it.cert.data, made.Certificate, made.Key)
	if err != nil {
		return renewed{}, err
	}
	return renewed{it.entry.Name, pki.Serial(cert), cert.NotAfter.UTC(), []newFile{{it.cert, data}}}, nil
}

// verify judges a new certificate and key against the ones they replace.
func verify(it item, certText, keyText []byte, now time.Time) (*x509.Certificate, error) {
	certs, err := pki.ParseCertificates(certText)
	if err != nil {
		return nil, err
	}
	key, err := pki.ParseKey(keyText)
	if err != nil {
		return nil, err
	}
	cert := certs[0]
	switch {
	case !pki.KeyMatches(cert, key):
		return nil, errors.New("the key does not belong to the certificate")
	case cert.SerialNumber.Cmp(it.old.SerialNumber) == 0:
		return nil, errors.New("the certificate is the old one still")
	case cert.NotAfter.Before(now):
		return nil, fmt.Errorf("it has ended already, at %s", cert.NotAfter.UTC().Format(time.RFC3339))
	case !cert.NotAfter.After(it.old.NotAfter):
		return nil, fmt.Errorf("it would end at %s, not later than the old one (%s): see certificateValidityPeriod in the cluster's ClusterConfiguration",
			cert.NotAfter.UTC().Format(time.RFC3339), it.old.NotAfter.UTC().Format(time.RFC3339))
	}
	if err := pki.SameNames(it.old, cert); err != nil {
		return nil, err
	}
	if err := pki.Verify(certs, it.roots, it.entry.Usage); err != nil {
		return nil, fmt.Errorf("it does not chain to the CA %s of this node: %w", it.entry.Authority, err)
	}
	return cert, nil
}

// graft puts a client certificate and key into a kubeconfig and looks whether all else is as it was.
func graft(text, cert, key []byte) ([]byte, error) {
	before, err := pki.ParseKubeconfig(text)
	if err != nil {
		return nil, err
	}
	data, err := before.WithClient(cert, key)
	if err != nil {
		return nil, err
	}
	after, err := pki.ParseKubeconfig(data)
	if err != nil {
		return nil, fmt.Errorf("after the exchange: %w", err)
	}
	if after.Server != before.Server || !bytes.Equal(after.Authorities, before.Authorities) ||
		!bytes.Equal(after.Certificate, cert) || !bytes.Equal(after.Key, key) {
		return nil, errors.New("the exchange of its client certificate would change more than that")
	}
	return data, nil
}

// tail keeps the last limit bytes: the last thing a failing program says is why.
type tail struct {
	data  []byte
	limit int
}

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if over := len(t.data) - t.limit; over > 0 {
		t.data = append([]byte(nil), t.data[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.data) }
