// Package kubeadm finds the cluster's own kubeadm configuration on a node of its control plane, for the night on which the API
// cannot be asked: in the node's own member of etcd, and in files that kubeadm or kubespray was given.
//
// It reads what is fixed here and nothing that a request names. What it returns holds no secret: of a file with several
// documents it keeps the ClusterConfiguration alone, since the others hold tokens. It decides nothing: which source is
// trusted is for those who ask.
package kubeadm

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"time"

	"sigs.k8s.io/yaml"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/etcdtunnel"
	"upkeep/providers/node/agent/pki"
)

// places are where kubespray and those who follow kubeadm's documentation keep its configuration.
var places = []string{"/etc/kubernetes/kubeadm-config.yaml", "/etc/kubernetes/kubeadm.yaml"}

// Sources returns what there is. It always answers.
func Sources(ctx context.Context, d *disk.Disk, now time.Time) facts.ConfigurationSources {
	var out facts.ConfigurationSources
	value, err := etcdtunnel.Read(ctx, d, now, layout.KubeadmConfiguration.EtcdKey())
	if err != nil {
		out.Unknown = err.Error()
	} else {
		out.Stored, out.Revision = value.Data, value.Revision
	}
	for _, path := range places {
		text, _, err := d.Read(path, pki.MaxFile)
		if errors.Is(err, fs.ErrNotExist) || err != nil {
			continue // what cannot be read is no source
		}
		if found := ClusterConfiguration(text); found != "" {
			out.Files = append(out.Files, facts.ConfigurationOnNode{Path: path, Text: found})
		}
	}
	return out
}

// ClusterConfiguration returns the ClusterConfiguration among the documents of a file of kubeadm's; empty where there
// is not exactly one.
func ClusterConfiguration(text []byte) string {
	found := ""
	for _, document := range bytes.Split(append([]byte("\n"), text...), []byte("\n---")) {
		// What follows the separator on its line is a comment or nothing.
		if i := bytes.IndexByte(document, '\n'); i >= 0 {
			document = document[i+1:]
		}
		var head struct {
			Kind string `json:"kind"`
		}
		if yaml.Unmarshal(document, &head) != nil || head.Kind != "ClusterConfiguration" {
			continue
		}
		if found != "" {
			return ""
		}
		found = string(bytes.TrimSpace(document)) + "\n"
	}
	return found
}
