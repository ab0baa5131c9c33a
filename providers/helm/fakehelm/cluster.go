package fakehelm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	helmkube "helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/kube/fake"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/kubernetes/scheme"
	restfake "k8s.io/client-go/rest/fake"
	"sigs.k8s.io/yaml"
)

// cluster is Helm's client of the world.
type cluster struct {
	fake.PrintingKubeClient
	world     *Fake
	namespace string
}

// Build reads a manifest; a kind that the world does not know is refused as a real cluster would.
func (c *cluster) Build(reader io.Reader, _ bool) (helmkube.ResourceList, error) {
	var out helmkube.ResourceList
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
		gvk := o.GroupVersionKind()
		mapping, err := c.world.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err != nil {
			return nil, fmt.Errorf("unable to recognize %q: %w", "", err)
		}
		if mapping.Scope.Name() == meta.RESTScopeNameNamespace && o.GetNamespace() == "" {
			o.SetNamespace(c.namespace)
		}
		out = append(out, &resource.Info{Client: nothing(), Mapping: mapping, Namespace: o.GetNamespace(), Name: o.GetName(), Object: o})
	}
}

// nothing answers Helm's question whether an object is there already, and somebody else's, with no: taking objects over
// is not what is tested here.
func nothing() resource.RESTClient {
	return &restfake.RESTClient{
		NegotiatedSerializer: scheme.Codecs.WithoutConversion(),
		Client: restfake.CreateHTTPClient(func(*http.Request) (*http.Response, error) {
			body := `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`
			return &http.Response{
				StatusCode: http.StatusNotFound,
				Header:     http.Header{"Content-Type": []string{"application/json"}},
				Body:       io.NopCloser(bytes.NewReader([]byte(body))),
			}, nil
		}),
	}
}

func (c *cluster) write(list helmkube.ResourceList) error {
	for _, info := range list {
		if err := c.world.Set(object(info).DeepCopy()); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) delete(list helmkube.ResourceList) error {
	for _, info := range list {
		o := object(info)
		if err := c.world.Delete(o.GetAPIVersion(), o.GetKind(), o.GetNamespace(), o.GetName()); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

func object(info *resource.Info) *unstructured.Unstructured {
	return info.Object.(*unstructured.Unstructured) // Build made it
}

// Create writes the objects.
func (c *cluster) Create(resources helmkube.ResourceList) (*helmkube.Result, error) {
	if err := c.world.failure("create"); err != nil {
		return nil, err
	}
	return &helmkube.Result{Created: resources}, c.write(resources)
}

// Update writes the target and deletes what is not in it any longer.
func (c *cluster) Update(original, target helmkube.ResourceList, _ bool) (*helmkube.Result, error) {
	if err := c.world.failure("update"); err != nil {
		return &helmkube.Result{}, err
	}
	if err := c.write(target); err != nil {
		return &helmkube.Result{}, err
	}
	return &helmkube.Result{Updated: target}, c.delete(original.Difference(target))
}

// Wait fails when it was told to.
func (c *cluster) Wait(helmkube.ResourceList, time.Duration) error { return c.world.failure("wait") }

// WaitWithJobs is Wait.
func (c *cluster) WaitWithJobs(helmkube.ResourceList, time.Duration) error {
	return c.world.failure("wait")
}

// Delete deletes the objects.
func (c *cluster) Delete(resources helmkube.ResourceList) (*helmkube.Result, []error) {
	if err := c.world.failure("delete"); err != nil {
		return nil, []error{err}
	}
	if err := c.delete(resources); err != nil {
		return nil, []error{err}
	}
	return &helmkube.Result{Deleted: resources}, nil
}

// DeleteWithPropagationPolicy is Delete.
func (c *cluster) DeleteWithPropagationPolicy(resources helmkube.ResourceList, _ metav1.DeletionPropagation) (*helmkube.Result, []error) {
	return c.Delete(resources)
}
