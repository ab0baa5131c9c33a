// Package kube talks to the Kubernetes API of the cluster: its identity, nodes, leader leases and kubeadm's own
// configuration.
//
// It is the only adapter that links client-go. It decides nothing: what cannot be read comes back as an Unknown with
// its reason. What it changes is named: upkeep's own Lease, by which one run at a time works on a cluster, workloads
// that are scaled, and nodes that are cordoned, drained and uncordoned.
// Credentials stay inside; no fact holds them.
package kube

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"upkeep/providers/bounded"
	"upkeep/providers/facts"
)

// requestTimeout bounds one request to the API server; a server that hangs is an unknown, not a wait.
const requestTimeout = 10 * time.Second

// Client is one kubeconfig, opened.
type Client struct {
	path   string
	config *rest.Config
	api    kubernetes.Interface
	// insecure is facts.CertificateFile.Insecure.
	insecure string
}

// Open reads a kubeconfig and prepares a client; it does not connect. An empty context means the file's current one.
func Open(path, context string) (*Client, error) {
	raw, problem := read(path)
	if problem != nil {
		return nil, problem
	}
	if _, problem := configPath(path).choose(raw, context); problem != nil {
		return nil, problem
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*raw, context, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	config.Timeout = requestTimeout
	config.UserAgent = "upkeep"
	// Node lists are large, so they are read as protobuf where the server has it; the few writes are small, and JSON is
	// what every server and proxy understands.
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.ContentType = "application/json"
	config.WarningHandler = rest.NoWarnings{}
	// Reading is bursty here: half a dozen requests at once, then nothing.
	config.QPS, config.Burst = 50, 100
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	return &Client{path: path, config: config, api: api, insecure: insecure(raw, context)}, nil
}

// filesOf returns the files that a kubeconfig names, and that client-go reads as a whole.
func filesOf(raw *clientcmdapi.Config) (files []string) {
	for _, cluster := range raw.Clusters {
		files = append(files, cluster.CertificateAuthority)
	}
	for _, user := range raw.AuthInfos {
		files = append(files, user.ClientCertificate, user.ClientKey, user.TokenFile)
	}
	return slices.DeleteFunc(files, func(file string) bool { return file == "" })
}

// FilesNamedBy returns the files that a kubeconfig names; none where it cannot be read.
func FilesNamedBy(path string) []string {
	raw, problem := read(path)
	if problem != nil {
		return nil
	}
	return filesOf(raw)
}

// kubeconfigFacts returns the facts of the kubeconfig itself: its client certificate has an end, too.
func (c *Client) kubeconfigFacts() facts.CertificateFile {
	file := facts.CertificateFile{Name: c.path, Kind: facts.Kubeconfig, Path: c.path, Server: c.config.Host}
	file.Insecure = c.insecure
	info, err := os.Stat(c.path)
	if err != nil {
		file.Unknown = err.Error()
		return file
	}
	file.Modified = info.ModTime().UTC()
	file.Mode = fmt.Sprintf("%04o", info.Mode().Perm())
	for _, authority := range certificates(c.authorityPEM()) {
		file.Authorities = append(file.Authorities, facts.Fingerprint(authority.Raw))
		file.AuthorityKeys = append(file.AuthorityKeys, facts.Fingerprint(authority.RawSubjectPublicKeyInfo))
	}
	certPEM, keyPEM := c.config.CertData, c.config.KeyData
	if len(certPEM) == 0 && c.config.CertFile != "" {
		if certPEM, err = bounded.File(c.config.CertFile, bounded.Keys); err != nil {
			file.Unknown = "client certificate: " + err.Error()
			return file
		}
	}
	if len(keyPEM) == 0 && c.config.KeyFile != "" {
		if keyPEM, err = bounded.File(c.config.KeyFile, bounded.Keys); err != nil {
			file.Key = "unreadable: " + err.Error()
		}
	}
	for _, certificate := range certificates(certPEM) {
		file.Blocks = append(file.Blocks, facts.CertificateOf(certificate))
	}
	if len(file.Blocks) > 0 && file.Key == "" {
		file.Key = "match"
		if _, err := tls.X509KeyPair(certPEM, keyPEM); err != nil {
			file.Key = "mismatch"
		}
	}
	return file
}

// insecure says why what a kubeconfig says of its server and its user is open to others on the way; empty where it is
// not. client-go sends a token to a server without TLS as little as it can, and other clients do.
func insecure(raw *clientcmdapi.Config, context string) string {
	if context == "" {
		context = raw.CurrentContext
	}
	chosen := raw.Contexts[context]
	if chosen == nil || raw.Clusters[chosen.Cluster] == nil {
		return ""
	}
	cluster, user := raw.Clusters[chosen.Cluster], raw.AuthInfos[chosen.AuthInfo]
	server, err := url.Parse(cluster.Server)
	credential := user != nil && (user.Token != "" || user.TokenFile != "" || user.Username != "" || user.Exec != nil || user.AuthProvider != nil)
	switch {
	case cluster.InsecureSkipTLSVerify:
		return "insecure-skip-tls-verify is set: the certificate of the server is not verified"
	case err == nil && server.Scheme == "http" && credential:
		return "the server is reached by http://, and the user has a credential that anybody on the way could read"
	case err == nil && server.User != nil:
		return "the URL of the server holds a user and a password"
	}
	return ""
}

func (c *Client) authorityPEM() []byte {
	if len(c.config.CAData) > 0 {
		return c.config.CAData
	}
	data, _ := bounded.File(c.config.CAFile, bounded.Keys)
	return data
}

// authority returns the fingerprint and the KeyID of the cluster's CA, the first one of the kubeconfig's bundle.
func (c *Client) authority() (fingerprint, key string) {
	authorities := certificates(c.authorityPEM())
	if len(authorities) == 0 {
		return "", ""
	}
	return facts.Fingerprint(authorities[0].Raw), facts.Fingerprint(authorities[0].RawSubjectPublicKeyInfo)
}

// certificates returns every certificate of a PEM text that parses.
func certificates(data []byte) []*x509.Certificate {
	var out []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return out
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			out = append(out, certificate)
		}
	}
}
