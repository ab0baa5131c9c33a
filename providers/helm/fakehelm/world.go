package fakehelm

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// resource returns the client of a kind; the kind must be one that the world knows.
func (f *Fake) resource(apiVersion, kind, namespace string) dynamic.ResourceInterface {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		panic(err)
	}
	mapping, err := f.mapper.RESTMapping(gv.WithKind(kind).GroupKind(), gv.Version)
	if err != nil {
		panic(err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return f.Dynamic.Resource(mapping.Resource)
	}
	return f.Dynamic.Resource(mapping.Resource).Namespace(namespace)
}
