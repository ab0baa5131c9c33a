package kube

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
)

// encryptedPrefix opens a value that an encryption provider of the API server has encrypted.
const encryptedPrefix = "k8s:enc:"

// FromEtcd says under which key etcd has kubeadm's configuration where the API server did not tell it, and how it is
// read there: the way to it while no API server answers.
func FromEtcd(k facts.Kubernetes) (key string, complete func(stored []byte, err error) facts.Kubernetes) {
	if k.ClusterConfiguration != "" {
		return "", nil
	}
	return layout.KubeadmConfiguration.EtcdKey(), func(stored []byte, err error) facts.Kubernetes {
		if err == nil {
			k.ClusterConfiguration, err = decodeClusterConfiguration(stored)
		}
		if err != nil {
			k.ClusterConfigurationUnknown = fmt.Sprintf("API: %s; etcd: %v", cmp.Or(k.ClusterConfigurationUnknown, k.Unknown), err)
			return k
		}
		k.ClusterConfigurationUnknown = ""
		return k
	}
}

// decodeClusterConfiguration reads kubeadm's ClusterConfiguration from the bytes that etcd holds.
func decodeClusterConfiguration(stored []byte) (string, error) {
	if bytes.HasPrefix(stored, []byte(encryptedPrefix)) {
		return "", errors.New("the ConfigMap is encrypted at rest; only the API server can read it")
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(stored, nil, nil)
	if err != nil {
		return "", fmt.Errorf("decoding ConfigMap %s from etcd: %w", layout.KubeadmConfiguration.Name, err)
	}
	return clusterConfigurationOf(object)
}

func clusterConfigurationOf(object runtime.Object) (string, error) {
	at := layout.KubeadmConfiguration
	configMap, ok := object.(*corev1.ConfigMap)
	if !ok {
		return "", fmt.Errorf("%s is a %T, not a ConfigMap", at.Name, object)
	}
	text := configMap.Data[at.Key]
	if text == "" {
		return "", fmt.Errorf("ConfigMap %s/%s has no %s: this cluster was not made by kubeadm", at.Namespace, at.Name, at.Key)
	}
	return text, nil
}
