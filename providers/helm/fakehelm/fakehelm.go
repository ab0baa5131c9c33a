// Package fakehelm is a Helm without a cluster, for tests and simulations: Helm's own memory driver for records, and a
// small world of objects that installs, upgrades and rollbacks write into and that observation reads.
//
// Nothing runs in it: a pod is there when a test puts one there. It keeps no defaults, no managed fields and no status.
package fakehelm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/kube/fake"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	kubernetesfake "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	metadatafake "k8s.io/client-go/metadata/fake"

	"upkeep/providers/helm"
)

// Fake is a Helm without a cluster.
type Fake struct {
	*helm.Client
	// Typed holds pods; Dynamic everything that a chart renders.
	Typed   *kubernetesfake.Clientset
	Dynamic *dynamicfake.FakeDynamicClient
	// Metadata holds the Secrets that exist, without content.
	Metadata *metadatafake.FakeMetadataClient

	mapper *meta.DefaultRESTMapper

	mu      sync.Mutex
	records map[string]*driver.Memory // by namespace
	fail    map[string]error
	during  map[string]func()
}

// The kinds that the world knows; those in the second list have no namespace.
var (
	namespaced = []string{
		"v1/ConfigMap", "v1/Secret", "v1/Service", "v1/ServiceAccount", "v1/Pod", "v1/PersistentVolumeClaim",
		"apps/v1/StatefulSet", "apps/v1/Deployment", "apps/v1/DaemonSet", "batch/v1/Job", "networking.k8s.io/v1/Ingress",
		"rbac.authorization.k8s.io/v1/Role", "rbac.authorization.k8s.io/v1/RoleBinding",
	}
	clusterWide = []string{
		"v1/Namespace", "rbac.authorization.k8s.io/v1/ClusterRole", "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
		"storage.k8s.io/v1/StorageClass", "apiextensions.k8s.io/v1/CustomResourceDefinition",
	}
)

// New returns an empty world.
func New() *Fake {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range namespaced {
		mapper.Add(kindOf(kind), meta.RESTScopeNamespace)
	}
	for _, kind := range clusterWide {
		mapper.Add(kindOf(kind), meta.RESTScopeRoot)
	}
	metadataScheme := metadatafake.NewTestScheme()
	metav1.AddMetaToScheme(metadataScheme)
	f := &Fake{
		Typed:    kubernetesfake.NewSimpleClientset(),
		Dynamic:  dynamicfake.NewSimpleDynamicClient(scheme.Scheme),
		Metadata: metadatafake.NewSimpleMetadataClient(metadataScheme),
		mapper:   mapper,
		records:  map[string]*driver.Memory{},
		fail:     map[string]error{},
		during:   map[string]func(){},
	}
	f.Dynamic.PrependReactor("patch", "customresourcedefinitions", f.applyDefinition)
	f.Client = helm.New(helm.Parts{Configuration: f.configuration, Dynamic: f.Dynamic, Typed: f.Typed, Mapper: mapper, Metadata: f.Metadata})
	return f
}

func kindOf(text string) schema.GroupVersionKind {
	parts := strings.Split(text, "/")
	gvk := schema.GroupVersionKind{Version: parts[len(parts)-2], Kind: parts[len(parts)-1]}
	if len(parts) == 3 {
		gvk.Group = parts[0]
	}
	return gvk
}

func (f *Fake) configuration(namespace string) (*action.Configuration, error) {
	return &action.Configuration{
		Releases:     f.storage(namespace),
		KubeClient:   &cluster{PrintingKubeClient: fake.PrintingKubeClient{Out: io.Discard, LogOutput: io.Discard}, world: f, namespace: namespace},
		Capabilities: chartutil.DefaultCapabilities,
		Log:          func(string, ...any) {},
	}, nil
}

// storage is Helm's memory driver. One driver looks at one namespace at a time, so each namespace has its own.
func (f *Fake) storage(namespace string) *storage.Storage {
	f.mu.Lock()
	defer f.mu.Unlock()
	if namespace == "" {
		return storage.Init(f.everywhere())
	}
	records := f.records[namespace]
	if records == nil {
		records = driver.NewMemory()
		records.SetNamespace(namespace)
		f.records[namespace] = records
	}
	return storage.Init(records)
}

// everywhere is a copy of the records of all namespaces, to look at.
func (f *Fake) everywhere() *driver.Memory {
	all := driver.NewMemory()
	for namespace, records := range f.records {
		list, err := records.List(func(*release.Release) bool { return true })
		if err != nil {
			continue // there is none
		}
		all.SetNamespace(namespace)
		for _, r := range list {
			// A copy of what one driver holds is never twice in it.
			_ = all.Create(fmt.Sprintf("sh.helm.release.v1.%s.v%d", r.Name, r.Version), r)
		}
	}
	all.SetNamespace("")
	return all
}

// Fail makes every later call of an act of Helm's client fail: "create", "update", "wait", "delete". A nil error ends it.
func (f *Fake) Fail(act string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail[act] = err
}

// FailOnce makes the next such call fail, and only it.
func (f *Fake) FailOnce(act string, err error) { f.Fail(act, once{err}) }

type once struct{ error }

// During does something when an act is called next, before it is done: what others do to the release at the same time.
func (f *Fake) During(act string, do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.during[act] = do
}

func (f *Fake) failure(act string) error {
	f.mu.Lock()
	if do := f.during[act]; do != nil {
		delete(f.during, act)
		f.mu.Unlock()
		do()
		f.mu.Lock()
	}
	defer f.mu.Unlock()
	err := f.fail[act]
	var single once
	if errors.As(err, &single) {
		f.fail[act] = nil
		return single.error
	}
	return err
}

// SetStatus changes the status and the time of a recorded revision: what a kill at the wrong moment leaves behind.
func (f *Fake) SetStatus(namespace, name string, revision int, status string, at time.Time) error {
	records := f.storage(namespace)
	found, err := records.Get(name, revision)
	if err != nil {
		return fmt.Errorf("revision %d of %s: %w", revision, name, err)
	}
	changed := *found
	info := *found.Info
	changed.Info = &info
	changed.Info.Status = release.Status(status)
	changed.Info.LastDeployed.Time = at
	return records.Update(&changed)
}

// Get returns a live object; nil when it is not there.
func (f *Fake) Get(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	o, err := f.resource(apiVersion, kind, namespace).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return o
}

// Set writes a live object as somebody else would, past Helm.
func (f *Fake) Set(o *unstructured.Unstructured) error {
	client := f.resource(o.GetAPIVersion(), o.GetKind(), o.GetNamespace())
	_, err := client.Update(context.Background(), o, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = client.Create(context.Background(), o, metav1.CreateOptions{})
	}
	return err
}

// Delete deletes a live object.
func (f *Fake) Delete(apiVersion, kind, namespace, name string) error {
	return f.resource(apiVersion, kind, namespace).Delete(context.Background(), name, metav1.DeleteOptions{})
}
