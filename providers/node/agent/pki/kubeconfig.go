package pki

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"

	"sigs.k8s.io/yaml"

	"upkeep/providers/strict"
)

// KubeconfigFile is what upkeep reads out of a kubeconfig: the cluster and the user of its current context.
type KubeconfigFile struct {
	Server string
	// Authorities is the PEM bundle of CAs embedded for that cluster.
	Authorities []byte
	// Certificate and Key are the PEM of the embedded client certificate and of its key. Key is a secret.
	Certificate, Key []byte
	// CertificatePath and KeyPath are the files that the user names instead.
	CertificatePath, KeyPath string

	user string
	text []byte
}

// kubeconfig is the part of k8s.io/client-go/tools/clientcmd/api/v1.Config that matters here.
type kubeconfig struct {
	CurrentContext string `json:"current-context"`
	Contexts       []struct {
		Name    string `json:"name"`
		Context struct {
			Cluster string `json:"cluster"`
			User    string `json:"user"`
		} `json:"context"`
	} `json:"contexts"`
	Clusters []struct {
		Name    string `json:"name"`
		Cluster struct {
			Server        string `json:"server"`
			Authority     string `json:"certificate-authority"`
			AuthorityData []byte `json:"certificate-authority-data"`
		} `json:"cluster"`
	} `json:"clusters"`
	Users []struct {
		Name string `json:"name"`
		User struct {
			Certificate     string `json:"client-certificate"`
			CertificateData []byte `json:"client-certificate-data"`
			Key             string `json:"client-key"`
			KeyData         []byte `json:"client-key-data"`
		} `json:"user"`
	} `json:"users"`
}

// ParseKubeconfig reads a kubeconfig with an embedded client certificate. What is returned with an error is what could
// be read all the same: a kubeconfig whose user has no certificate still has a server. Errors hold no contents.
func ParseKubeconfig(text []byte) (KubeconfigFile, error) {
	var c kubeconfig
	file := KubeconfigFile{text: text}
	if len(bytes.TrimSpace(text)) == 0 {
		return file, errors.New("the file is empty")
	}
	// The YAML library's own errors can quote the line they are about, and so a key.
	err := strict.YAML(text, &c)
	if twice := new(strict.TwiceError); errors.As(err, &twice) {
		return file, twice
	}
	if err != nil {
		return file, errors.New("it is not a kubeconfig: the YAML cannot be parsed, or embedded data is not base64")
	}
	if c.CurrentContext == "" {
		return file, errors.New("it has no current-context")
	}
	cluster, found := "", false
	for _, ctx := range c.Contexts {
		if ctx.Name == c.CurrentContext && !found {
			cluster, file.user, found = ctx.Context.Cluster, ctx.Context.User, true
		}
	}
	if !found {
		return file, fmt.Errorf("it has no context %q, which current-context names", c.CurrentContext)
	}
	found = false
	for _, cl := range c.Clusters {
		if cl.Name == cluster && !found {
			file.Server, file.Authorities, found = cl.Cluster.Server, cl.Cluster.AuthorityData, true
		}
	}
	if !found {
		return file, fmt.Errorf("it has no cluster %q, which its context names", cluster)
	}
	for _, u := range c.Users {
		if u.Name != file.user {
			continue
		}
		if len(u.User.CertificateData) == 0 {
			if u.User.Certificate != "" {
				file.CertificatePath, file.KeyPath = u.User.Certificate, u.User.Key
				return file, errors.New("its client certificate is in a file of its own, not embedded")
			}
			return file, fmt.Errorf("its user %q has no client certificate", file.user)
		}
		file.Certificate, file.Key = u.User.CertificateData, u.User.KeyData
		return file, nil
	}
	return file, fmt.Errorf("it has no user %q, which its context names", file.user)
}

// WithClient returns the kubeconfig's text with another client certificate and key for the user of its current context.
// Everything else stays: where the old values stand once each, as every tool writes them, byte for byte, comments
// included; else in content, written again.
func (f KubeconfigFile) WithClient(certificate, key []byte) ([]byte, error) {
	if len(f.Certificate) == 0 {
		return nil, errors.New("it has no embedded client certificate to replace")
	}
	want, err := f.replaced(certificate, key)
	if err != nil {
		return nil, err
	}
	text := f.text
	for _, v := range [][2][]byte{{f.Certificate, certificate}, {f.Key, key}} {
		old := []byte(base64.StdEncoding.EncodeToString(v[0]))
		if len(v[0]) == 0 || bytes.Count(text, old) != 1 {
			return yaml.Marshal(want)
		}
		text = bytes.Replace(text, old, []byte(base64.StdEncoding.EncodeToString(v[1])), 1)
	}
	var got map[string]any
	if err := yaml.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		return yaml.Marshal(want)
	}
	return text, nil
}

// replaced returns the tree of the complete file with the two values replaced.
func (f KubeconfigFile) replaced(certificate, key []byte) (map[string]any, error) {
	var tree map[string]any
	if err := yaml.Unmarshal(f.text, &tree); err != nil {
		return nil, errors.New("it is not a kubeconfig: the YAML cannot be parsed")
	}
	users, _ := tree["users"].([]any)
	for _, u := range users {
		entry, _ := u.(map[string]any)
		if entry["name"] != f.user {
			continue
		}
		user, ok := entry["user"].(map[string]any)
		if !ok {
			break
		}
		user["client-certificate-data"] = base64.StdEncoding.EncodeToString(certificate)
		user["client-key-data"] = base64.StdEncoding.EncodeToString(key)
		return tree, nil
	}
	return nil, fmt.Errorf("it has no user %q", f.user)
}
