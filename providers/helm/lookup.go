package helm

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// lookUp answers a template that looks the cluster up. What does not exist is empty, as the template sees it.
type lookUp = func(apiVersion, kind, namespace, name string) (map[string]any, error)

// lookups is Helm's way to the cluster while it renders. Without a function, a chart reads nothing with the operator's
// rights.
type lookups struct{ find lookUp }

func (l lookups) GetClientFor(apiVersion, kind string) (dynamic.NamespaceableResourceInterface, bool, error) {
	if l.find == nil {
		return nil, false, fmt.Errorf("lookup of %s %s: a chart reads objects of the cluster, Secrets among them, only with lookup = true in the block chart", apiVersion, kind)
	}
	return looked{find: l.find, apiVersion: apiVersion, kind: kind}, true, nil
}

// looked is one kind of object. Helm calls no other methods than these.
type looked struct {
	dynamic.NamespaceableResourceInterface
	find                        lookUp
	apiVersion, kind, namespace string
}

func (l looked) Namespace(name string) dynamic.ResourceInterface {
	l.namespace = name
	return l
}

func (l looked) ask(name string) (map[string]any, error) {
	found, err := l.find(l.apiVersion, l.kind, l.namespace, name)
	if err == nil && len(found) == 0 {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: l.kind}, name)
	}
	return found, err
}

func (l looked) Get(_ context.Context, name string, _ metav1.GetOptions, _ ...string) (*unstructured.Unstructured, error) {
	found, err := l.ask(name)
	return &unstructured.Unstructured{Object: found}, err
}

func (l looked) List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	found, err := l.ask("")
	if err != nil {
		return nil, err
	}
	list := &unstructured.UnstructuredList{Object: map[string]any{}}
	for key, value := range found {
		list.Object[key] = value
	}
	delete(list.Object, "items")
	items, _ := found["items"].([]any)
	for _, item := range items {
		if object, ok := item.(map[string]any); ok {
			list.Items = append(list.Items, unstructured.Unstructured{Object: object})
		}
	}
	return list, nil
}
