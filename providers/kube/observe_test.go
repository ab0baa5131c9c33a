package kube

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
)

// apiServer answers fixed objects by path, as JSON; any other path is a 404 Status object. 401 for all when shut.
func apiServer(t *testing.T, objects map[string]any) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		path := r.URL.Path
		if r.URL.Query().Get("continue") != "" {
			path += "?continue"
		}
		object, ok := objects[path]
		if !ok {
			code := http.StatusNotFound
			if objects == nil {
				code = http.StatusUnauthorized
			}
			w.WriteHeader(code)
			object = metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Code: int32(code), Reason: map[int]metav1.StatusReason{404: metav1.StatusReasonNotFound, 401: metav1.StatusReasonUnauthorized}[code], Message: "no " + path}
		}
		if err := json.NewEncoder(w).Encode(object); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func kubeconfig(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := `{"apiVersion":"v1","kind":"Config","current-context":"lab","contexts":[{"name":"lab","context":{"cluster":"lab","user":"admin"}}],
"clusters":[{"name":"lab","cluster":{"server":"` + server + `"}}],"users":[{"name":"admin","user":{"token":"canary-token"}}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func wholeCluster() map[string]any {
	node := func(name, ip string, ready corev1.ConditionStatus) corev1.Node {
		return corev1.Node{
			TypeMeta:   metav1.TypeMeta{Kind: "Node", APIVersion: "v1"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"example.net/gpu": "hopper"}},
			Status: corev1.NodeStatus{
				Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}},
				Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: ip}, {Type: corev1.NodeInternalIP, Address: "fd00::1"}},
				NodeInfo:   corev1.NodeSystemInfo{KubeletVersion: "v1.35.4"},
			},
		}
	}
	list := func(more string, nodes ...corev1.Node) corev1.NodeList {
		return corev1.NodeList{TypeMeta: metav1.TypeMeta{Kind: "NodeList", APIVersion: "v1"}, ListMeta: metav1.ListMeta{Continue: more}, Items: nodes}
	}
	return map[string]any{
		"/version":                       map[string]string{"gitVersion": "v1.35.4"},
		"/api/v1/namespaces/kube-system": corev1.Namespace{TypeMeta: metav1.TypeMeta{Kind: "Namespace", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: "kube-system", UID: "uid-1"}},
		"/api/v1/nodes":                  list("more", node("n2", "10.0.0.2", corev1.ConditionFalse)),
		"/api/v1/nodes?continue":         list("", node("n1", "10.0.0.1", corev1.ConditionTrue)),
		"/api/v1/namespaces/kube-system/configmaps/kubeadm-config": configMap("kind: ClusterConfiguration\n"),
		"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler": map[string]any{
			"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": map[string]any{"name": "kube-scheduler"},
			"spec": map[string]any{"holderIdentity": "n1_x", "renewTime": "2026-11-22T09:00:00.000000Z", "leaseDurationSeconds": 15},
		},
	}
}

func configMap(text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: layout.KubeadmConfiguration.Name}, Data: map[string]string{layout.KubeadmConfiguration.Key: text}}
}

func TestObserve(t *testing.T) {
	without := func(path string) map[string]any {
		objects := wholeCluster()
		delete(objects, path)
		return objects
	}
	node := func(name, ip string, ready bool) facts.KubernetesNode {
		return facts.KubernetesNode{Name: name, Ready: ready, Version: "v1.35.4", Addresses: map[string]string{"InternalIP": ip}, Labels: map[string]string{"example.net/gpu": "hopper"}}
	}
	whole := facts.Kubernetes{
		UID: "uid-1", Version: "v1.35.4", ClusterConfiguration: "kind: ClusterConfiguration\n",
		Nodes:  []facts.KubernetesNode{node("n1", "10.0.0.1", true), node("n2", "10.0.0.2", false)},
		Leases: []facts.Lease{{Name: "kube-scheduler", Holder: "n1_x", RenewedAt: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), DurationSeconds: 15}},
	}
	noConfiguration := whole
	noConfiguration.ClusterConfiguration = ""
	noConfiguration.ClusterConfigurationUnknown = `the API server says: "no /api/v1/namespaces/kube-system/configmaps/kubeadm-config"`
	notKubeadm := whole
	notKubeadm.ClusterConfiguration = ""
	notKubeadm.ClusterConfigurationUnknown = "ConfigMap kube-system/kubeadm-config has no ClusterConfiguration: this cluster was not made by kubeadm"
	empty := wholeCluster()
	empty["/api/v1/namespaces/kube-system/configmaps/kubeadm-config"] = configMap("")

	tests := []struct {
		name    string
		objects map[string]any
		want    facts.Kubernetes
		unknown string // contained in Unknown
	}{
		{name: "a whole cluster, its nodes over two pages", objects: wholeCluster(), want: whole},
		{name: "no kubeadm-config", objects: without("/api/v1/namespaces/kube-system/configmaps/kubeadm-config"), want: noConfiguration},
		{name: "an empty kubeadm-config", objects: empty, want: notKubeadm},
		{name: "an expired client certificate", unknown: "the API server refuses this kubeconfig (Unauthorized)"},
		{name: "nodes cannot be listed", objects: without("/api/v1/nodes"), unknown: "listing nodes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client, err := Open(kubeconfig(t, apiServer(t, test.objects)), "")
			if err != nil {
				t.Fatal(err)
			}
			got := client.Observe(context.Background())
			got.Kubeconfig = facts.CertificateFile{} // its own test below
			if test.unknown != "" {
				if !strings.Contains(got.Unknown, test.unknown) {
					t.Errorf("Unknown = %q, want it to say %q", got.Unknown, test.unknown)
				}
				return
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnreachableIsUnknown(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	client, err := Open(kubeconfig(t, server.URL), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := client.Observe(context.Background()); !strings.Contains(got.Unknown, "connection refused") {
		t.Errorf("Unknown = %q", got.Unknown)
	}
}

func TestFactsHoldNoToken(t *testing.T) {
	client, err := Open(kubeconfig(t, apiServer(t, wholeCluster())), "")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(client.Observe(context.Background()))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "canary") {
		t.Errorf("the token is in the facts: %s", data)
	}
}

func TestOpenErrorsSayWhatToDo(t *testing.T) {
	path := kubeconfig(t, "https://127.0.0.1:1")
	tests := []struct{ name, path, context, want string }{
		{"missing file", filepath.Join(t.TempDir(), "none"), "", "write its path as cluster.kubeconfig"},
		{"missing context", path, "prod", "config get-contexts"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Open(test.path, test.context); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want it to say %q", err, test.want)
			}
		})
	}
}

func TestDecodeClusterConfiguration(t *testing.T) {
	var stored strings.Builder
	if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(configMap("kind: ClusterConfiguration\n"), &stored); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, stored, want, fails string }{
		{name: "as the API server stores it", stored: stored.String(), want: "kind: ClusterConfiguration\n"},
		{name: "encrypted at rest", stored: "k8s:enc:aescbc:v1:key1:xyz", fails: "encrypted at rest"},
		{name: "garbage", stored: "\x00\x01", fails: "decoding ConfigMap"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := decodeClusterConfiguration([]byte(test.stored))
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("error = %v, want %q", err, test.fails)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// What the API did not tell is taken from etcd, and where that fails, too, both reasons are told.
func TestFromEtcd(t *testing.T) {
	silent := facts.Kubernetes{Unknown: "connection refused"}
	denied := facts.Kubernetes{ClusterConfigurationUnknown: "forbidden"}
	refused := errors.New("no such key")
	stored := []byte(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"kubeadm-config"},"data":{"ClusterConfiguration":"apiServer: {}\n"}}`)
	for _, test := range []struct {
		name   string
		known  facts.Kubernetes
		stored []byte
		err    error
		want   facts.Kubernetes
	}{
		{"found while the API is silent", silent, stored, nil, facts.Kubernetes{Unknown: "connection refused", ClusterConfiguration: "apiServer: {}\n"}},
		{"found where the API refuses", denied, stored, nil, facts.Kubernetes{ClusterConfiguration: "apiServer: {}\n"}},
		{"not there", silent, nil, refused, facts.Kubernetes{Unknown: "connection refused", ClusterConfigurationUnknown: "API: connection refused; etcd: no such key"}},
		{"refused by both", denied, nil, refused, facts.Kubernetes{ClusterConfigurationUnknown: "API: forbidden; etcd: no such key"}},
		{"encrypted", silent, []byte("k8s:enc:x"), nil, facts.Kubernetes{
			Unknown: "connection refused", ClusterConfigurationUnknown: "API: connection refused; etcd: the ConfigMap is encrypted at rest; only the API server can read it",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			key, complete := FromEtcd(test.known)
			if key != "/registry/configmaps/kube-system/kubeadm-config" {
				t.Fatalf("asked for %q", key)
			}
			if diff := cmp.Diff(test.want, complete(test.stored, test.err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if key, _ := FromEtcd(facts.Kubernetes{ClusterConfiguration: "known"}); key != "" {
		t.Errorf("what the API told is asked for under %q", key)
	}
}

func FuzzDecodeClusterConfiguration(f *testing.F) {
	var stored strings.Builder
	if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(configMap("x"), &stored); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(stored.String()))
	f.Add([]byte(`{"kind":"ConfigMap","apiVersion":"v1"}`))
	f.Add([]byte("k8s:enc:"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := decodeClusterConfiguration(data)
		if err == nil && text == "" {
			t.Error("neither a configuration nor an error")
		}
	})
}

func TestMatch(t *testing.T) {
	nodes := []facts.KubernetesNode{{Name: "b", Labels: map[string]string{"gpu": "hopper"}}, {Name: "a", Labels: map[string]string{"gpu": "hopper"}}, {Name: "c"}}
	got, err := Match("gpu=hopper", nodes)
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" || err != nil {
		t.Errorf("Match: %v\n%s", err, diff)
	}
	if _, err := Match("gpu in", nodes); err == nil {
		t.Error("a selector that does not parse was accepted")
	}
}
