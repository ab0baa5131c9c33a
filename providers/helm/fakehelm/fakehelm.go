// Package fakehelm is a Helm without a cluster, for tests and simulations: Helm's own memory driver for records, and a
// small world of objects that installs, upgrades and rollbacks write into and that observation reads.
//
// Nothing runs in it: a pod is there when a test puts one there. It keeps no defaults, no managed fields and no status.
package fakehelm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	helmkube "helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/kube/fake"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	kubernetesfake "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"upkeep/providers/helm"
)

// Fake is a Helm without a cluster.
type Fake struct {
	*helm.Client
	// Typed holds pods; Dynamic everything that a chart renders.
	Typed   *kubernetesfake.Clientset
	Dynamic *dynamicfake.FakeDynamicClient

	records *driver.Memory
	mapper  meta.RESTMapper

	mu   sync.Mutex
	fail map[string]error
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
		"storage.k8s.io/v1/StorageClass",
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
	f := &Fake{
		Typed:   kubernetesfake.NewClientset(),
		Dynamic: dynamicfake.NewSimpleDynamicClient(scheme.Scheme),
		records: driver.NewMemory(),
		mapper:  mapper,
		fail:    map[string]error{},
	}
	f.Client = helm.New(helm.Parts{Configuration: f.configuration, Dynamic: f.Dynamic, Typed: f.Typed, Mapper: mapper})
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

// storage is Helm's memory driver. The driver keeps one namespace at a time, so it is told before every use; the world
// is for one test and not for concurrent namespaces.
func (f *Fake) storage(namespace string) *storage.Storage {
	f.records.SetNamespace(namespace)
	return storage.Init(f.records)
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

func (f *Fake) failure(act string) error {
	f.mu.Lock()
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

// cluster is Helm's client of the world. Helm builds what is to be and then says create or update, so what was built
// last is what is meant.
type cluster struct {
	fake.PrintingKubeClient
	world     *Fake
	namespace string
	built     []*unstructured.Unstructured
	previous  []*unstructured.Unstructured
}

func (c *cluster) Build(reader io.Reader, _ bool) (helmkube.ResourceList, error) {
	built, err := c.parse(reader)
	if err != nil {
		return nil, err
	}
	c.previous, c.built = c.built, built
	return helmkube.ResourceList{}, nil
}

func (c *cluster) parse(reader io.Reader) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	documents := utilyaml.NewYAMLReader(bufio.NewReader(reader))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		object := map[string]any{}
		if err := yaml.Unmarshal(document, &object); err != nil {
			return nil, err
		}
		if len(object) == 0 {
			continue
		}
		o := &unstructured.Unstructured{Object: object}
		if _, err := c.world.mapper.RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version); err != nil {
			return nil, fmt.Errorf("unable to recognize %q: %w", "", err)
		}
		out = append(out, o)
	}
}

func (c *cluster) apply() error {
	for _, o := range c.built {
		o = o.DeepCopy()
		if c.world.namespaced(o) && o.GetNamespace() == "" {
			o.SetNamespace(c.namespace)
		}
		if err := c.world.Set(o); err != nil {
			return err
		}
	}
	return nil
}

// Create writes what was built.
func (c *cluster) Create(resources helmkube.ResourceList) (*helmkube.Result, error) {
	if err := c.world.failure("create"); err != nil {
		return nil, err
	}
	return &helmkube.Result{Created: resources}, c.apply()
}

// Update writes what was built last and deletes what was built before it and is no more.
func (c *cluster) Update(_, target helmkube.ResourceList, _ bool) (*helmkube.Result, error) {
	if err := c.world.failure("update"); err != nil {
		return &helmkube.Result{}, err
	}
	if err := c.apply(); err != nil {
		return &helmkube.Result{}, err
	}
	stays := map[string]bool{}
	for _, o := range c.built {
		stays[o.GetKind()+"/"+o.GetName()] = true
	}
	for _, o := range c.previous {
		if !stays[o.GetKind()+"/"+o.GetName()] {
			namespace := o.GetNamespace()
			if namespace == "" && c.world.namespaced(o) {
				namespace = c.namespace
			}
			if err := c.world.Delete(o.GetAPIVersion(), o.GetKind(), namespace, o.GetName()); err != nil && !apierrors.IsNotFound(err) {
				return &helmkube.Result{}, err
			}
		}
	}
	return &helmkube.Result{Updated: target}, nil
}

// Wait fails when it was told to.
func (c *cluster) Wait(helmkube.ResourceList, time.Duration) error { return c.world.failure("wait") }

// WaitWithJobs is Wait.
func (c *cluster) WaitWithJobs(helmkube.ResourceList, time.Duration) error {
	return c.world.failure("wait")
}

// Delete deletes what was built last.
func (c *cluster) Delete(resources helmkube.ResourceList) (*helmkube.Result, []error) {
	if err := c.world.failure("delete"); err != nil {
		return nil, []error{err}
	}
	for _, o := range c.built {
		namespace := o.GetNamespace()
		if namespace == "" && c.world.namespaced(o) {
			namespace = c.namespace
		}
		_ = c.world.Delete(o.GetAPIVersion(), o.GetKind(), namespace, o.GetName())
	}
	return &helmkube.Result{Deleted: resources}, nil
}

// DeleteWithPropagationPolicy is Delete.
func (c *cluster) DeleteWithPropagationPolicy(resources helmkube.ResourceList, _ metav1.DeletionPropagation) (*helmkube.Result, []error) {
	return c.Delete(resources)
}
