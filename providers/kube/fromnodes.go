package kube

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"

	"upkeep/providers/facts"
)

// FromNodes adds kubeadm's configuration to what the API server did not tell: the newest that a member of etcd holds,
// with the members that hold another one. Where no member tells, files of the nodes are named.
func FromNodes(k facts.Kubernetes, answers []facts.ConfigurationAnswer) facts.Kubernetes {
	_, complete := FromEtcd(k)
	if complete == nil {
		return k
	}
	var newest *facts.ConfigurationAnswer
	var why []string
	for i := range answers {
		switch a := &answers[i]; {
		case a.Unknown != "" || len(a.Stored) == 0:
			why = append(why, fmt.Sprintf("%s: %s", a.Node, cmp.Or(a.Unknown, "the member holds none")))
		case newest == nil || a.Revision > newest.Revision:
			newest = a
		}
	}
	if newest == nil {
		if len(why) == 0 {
			why = []string{"no node with an etcd member is known"}
		}
		k = complete(nil, errors.New(strings.Join(why, "; ")))
		for _, a := range answers {
			for _, f := range a.Files {
				k.ClusterConfigurationFiles = append(k.ClusterConfigurationFiles,
					facts.ConfigurationFile{Node: a.Node, Path: f.Path, Text: f.Text})
			}
		}
		return k
	}
	if k = complete(newest.Stored, nil); k.ClusterConfiguration == "" {
		return k
	}
	k.ClusterConfigurationFrom = "etcd"
	for _, a := range answers {
		if a.Unknown == "" && len(a.Stored) > 0 && !bytes.Equal(a.Stored, newest.Stored) {
			k.ClusterConfigurationDoubts = append(k.ClusterConfigurationDoubts,
				fmt.Sprintf("the etcd member of %s holds another one (revision %d) than that of %s (revision %d)",
					a.Node, a.Revision, newest.Node, newest.Revision))
		}
	}
	return k
}
