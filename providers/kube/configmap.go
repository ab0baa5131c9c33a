package kube

import (
	"bytes"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// kubeadm keeps its ClusterConfiguration under this key of this ConfigMap in kube-system (kubeadm v1beta4,
// constants.KubeadmConfigConfigMap).
const (
	configMapName = "kubeadm-config"
	configMapKey  = "ClusterConfiguration"
)

// ClusterConfigurationKey is where etcd holds the ConfigMap, under the API server's default prefix.
const ClusterConfigurationKey = "/registry/configmaps/kube-system/" + configMapName

// encryptedPrefix opens a value that an encryption provider of the API server has encrypted.
const encryptedPrefix = "k8s:enc:"

// DecodeClusterConfiguration reads kubeadm's ClusterConfiguration from the bytes that etcd holds under
// ClusterConfigurationKey: the way to it while no API server answers.
func DecodeClusterConfiguration(stored []byte) (string, error) {
	if bytes.HasPrefix(stored, []byte(encryptedPrefix)) {
		return "", errors.New("the ConfigMap is encrypted at rest; only the API server can read it")
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(stored, nil, nil)
	if err != nil {
		return "", fmt.Errorf("decoding ConfigMap %s from etcd: %w", configMapName, err)
	}
	return clusterConfigurationOf(object)
}

func clusterConfigurationOf(object runtime.Object) (string, error) {
	configMap, ok := object.(*corev1.ConfigMap)
	if !ok {
		return "", fmt.Errorf("%s is a %T, not a ConfigMap", configMapName, object)
	}
	text := configMap.Data[configMapKey]
	if text == "" {
		return "", fmt.Errorf("ConfigMap kube-system/%s has no %s: this cluster was not made by kubeadm", configMapName, configMapKey)
	}
	return text, nil
}
