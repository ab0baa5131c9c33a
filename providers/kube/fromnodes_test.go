package kube

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
)

func stored(t *testing.T, configuration string) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"kind": "ConfigMap", "apiVersion": "v1", "metadata": map[string]any{"name": "kubeadm-config"}, "data": map[string]any{"ClusterConfiguration": configuration},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestFromNodes(t *testing.T) {
	has := func(node, configuration string, revision int64) facts.ConfigurationAnswer {
		return facts.ConfigurationAnswer{Node: node, ConfigurationSources: facts.ConfigurationSources{Stored: stored(t, configuration), Revision: revision}}
	}
	silent := func(node string) facts.ConfigurationAnswer {
		return facts.ConfigurationAnswer{Node: node, ConfigurationSources: facts.ConfigurationSources{
			Unknown: "connection refused", Files: []facts.ConfigurationOnNode{{Path: "/etc/kubernetes/kubeadm.yaml", Text: "kind"}},
		}}
	}
	dark := facts.Kubernetes{Unknown: "expired"}
	tests := []struct {
		name    string
		answers []facts.ConfigurationAnswer
		want    facts.Kubernetes
	}{
		{"one answers", []facts.ConfigurationAnswer{silent("cp1"), has("cp2", "a", 4)}, facts.Kubernetes{Unknown: "expired", ClusterConfiguration: "a", ClusterConfigurationFrom: "etcd"}},
		{"all agree", []facts.ConfigurationAnswer{has("cp1", "a", 4), has("cp2", "a", 4)}, facts.Kubernetes{Unknown: "expired", ClusterConfiguration: "a", ClusterConfigurationFrom: "etcd"}},
		{"one lags", []facts.ConfigurationAnswer{has("cp1", "old", 3), has("cp2", "new", 4)}, facts.Kubernetes{
			Unknown: "expired", ClusterConfiguration: "new", ClusterConfigurationFrom: "etcd",
			ClusterConfigurationDoubts: []string{"the etcd member of cp1 holds another one (revision 3) than that of cp2 (revision 4)"},
		}},
		{"none answers", []facts.ConfigurationAnswer{silent("cp1")}, facts.Kubernetes{
			Unknown: "expired", ClusterConfigurationUnknown: "API: expired; etcd: cp1: connection refused",
			ClusterConfigurationFiles: []facts.ConfigurationFile{{Node: "cp1", Path: "/etc/kubernetes/kubeadm.yaml", Text: "kind"}},
		}},
		{"nobody was asked", nil, facts.Kubernetes{Unknown: "expired", ClusterConfigurationUnknown: "API: expired; etcd: no node with an etcd member is known"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if d := cmp.Diff(test.want, FromNodes(dark, test.answers)); d != "" {
				t.Error(d)
			}
		})
	}
}
