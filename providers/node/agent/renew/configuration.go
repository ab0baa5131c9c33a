package renew

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"strings"

	"sigs.k8s.io/yaml"

	"upkeep/providers/layout"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/strict"
)

// Configuration is the cluster's kubeadm ClusterConfiguration.
type Configuration struct {
	apiVersion   string
	externalEtcd bool
	dir          string // certificatesDir
	tree         map[string]any
}

// In returns the configuration with another certificatesDir: the same directory under its own name.
func (c Configuration) In(dir string) Configuration {
	if dir != c.dir {
		c.tree = maps.Clone(c.tree)
		c.dir, c.tree["certificatesDir"] = dir, dir
	}
	return c
}

// Node is what kubeadm must be told of this node so that it does not look for it: without it, it wants a default route
// and fails on a node that has none.
type Node struct {
	Name, AdvertiseAddress, Port, CRISocket string
}

// ParseConfiguration reads the ClusterConfiguration of a cluster. It must be one: kubeadm falls back to its defaults
// when it finds none, and these change the kind of keys and how long certificates live.
func ParseConfiguration(text string) (Configuration, error) {
	var c Configuration
	if strings.TrimSpace(text) == "" {
		return c, errors.New("the request holds no ClusterConfiguration; kubeadm would fall back to its defaults, which is refused")
	}
	documents := 0
	for _, doc := range splitDocuments(text) {
		if strings.TrimSpace(doc) == "" {
			continue
		}
		documents++
		err := strict.YAML([]byte(doc), &c.tree)
		if twice := new(strict.TwiceError); errors.As(err, &twice) {
			return Configuration{}, fmt.Errorf("the ClusterConfiguration: %w", twice)
		}
		if err != nil {
			return Configuration{}, errors.New("the ClusterConfiguration's YAML cannot be parsed")
		}
	}
	if documents != 1 {
		return Configuration{}, fmt.Errorf("the ClusterConfiguration has %d YAML documents, not one", documents)
	}
	word := func(key string) string {
		s, _ := c.tree[key].(string)
		return s
	}
	c.apiVersion = word("apiVersion")
	if kind := word("kind"); kind != "ClusterConfiguration" {
		return Configuration{}, fmt.Errorf("the cluster's configuration is of kind %q, not ClusterConfiguration", kind)
	}
	if !strings.HasPrefix(c.apiVersion, "kubeadm.k8s.io/v1beta") {
		return Configuration{}, fmt.Errorf("the ClusterConfiguration's apiVersion is %q; kubeadm.k8s.io/v1beta3 and v1beta4 are known", c.apiVersion)
	}
	c.dir = cmp.Or(strings.TrimRight(word("certificatesDir"), "/"), layout.KubeadmDir)
	if _, err := disk.Clean(c.dir); err != nil {
		return Configuration{}, fmt.Errorf("certificatesDir of the ClusterConfiguration: %w", err)
	}
	if etcd, ok := c.tree["etcd"].(map[string]any); ok {
		c.externalEtcd = etcd["external"] != nil
	}
	return c, nil
}

// splitDocuments splits a YAML stream at its "---" lines. A "---" inside a block scalar is indented and so none.
func splitDocuments(text string) []string {
	var docs []string
	var doc strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimRight(line, "\r\n \t") == "---" || strings.HasPrefix(line, "--- ") {
			docs = append(docs, doc.String())
			doc.Reset()
			line = strings.TrimPrefix(strings.TrimRight(line, "\r\n"), "---") + "\n"
		}
		doc.WriteString(line)
	}
	return append(docs, doc.String())
}

// File returns what `kubeadm --config` is given: the cluster's configuration, and what this node is.
func (c Configuration) File(n Node) ([]byte, error) {
	endpoint := map[string]any{"advertiseAddress": n.AdvertiseAddress}
	if n.Port != "" {
		endpoint["bindPort"] = yamlNumber(n.Port)
	}
	if n.CRISocket == "" {
		n.CRISocket = "/run/containerd/containerd.sock"
	}
	node, err := yaml.Marshal(map[string]any{
		"apiVersion":       c.apiVersion,
		"kind":             "InitConfiguration",
		"localAPIEndpoint": endpoint,
		"nodeRegistration": map[string]any{"name": n.Name, "criSocket": "unix://" + n.CRISocket},
	})
	if err != nil {
		return nil, err
	}
	cluster, err := yaml.Marshal(c.tree)
	if err != nil {
		return nil, err
	}
	return []byte(string(cluster) + "---\n" + string(node)), nil
}

func yamlNumber(digits string) any {
	var n int
	if _, err := fmt.Sscanf(digits, "%d", &n); err != nil {
		return digits
	}
	return n
}
