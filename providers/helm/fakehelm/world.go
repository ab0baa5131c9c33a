package fakehelm

import (
	"encoding/json"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	clienttesting "k8s.io/client-go/testing"
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

// Serve makes the world know a kind, by its plural name, as a CustomResourceDefinition that somebody has applied does.
func (f *Fake) Serve(apiVersion, kind, plural string, inNamespaces bool) error {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return err
	}
	scope, scopeName := meta.RESTScopeRoot, "Cluster"
	if inNamespaces {
		scope, scopeName = meta.RESTScopeNamespace, "Namespaced"
	}
	f.mapper.AddSpecific(gv.WithKind(kind), gv.WithResource(plural), gv.WithResource(strings.ToLower(kind)), scope)
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": plural + "." + gv.Group},
		"spec": map[string]any{
			"group": gv.Group, "scope": scopeName, "names": map[string]any{"kind": kind, "plural": plural},
			"versions": []any{map[string]any{
				"name": gv.Version, "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object"}},
			}},
		},
	}}
	establish(definition)
	return f.Set(definition)
}

// establish writes the status that the API server gives to a definition.
func establish(definition *unstructured.Unstructured) {
	stored := []any{}
	versions, _, _ := unstructured.NestedSlice(definition.Object, "spec", "versions")
	for _, v := range versions {
		if version, ok := v.(map[string]any); ok && version["storage"] == true {
			stored = append(stored, version["name"])
		}
	}
	definition.Object["status"] = map[string]any{
		"storedVersions": stored, "conditions": []any{map[string]any{"type": "Established", "status": "True"}},
	}
}

// applyDefinition is the API server's answer to a server-side apply of a definition.
func (f *Fake) applyDefinition(action clienttesting.Action) (bool, runtime.Object, error) {
	patch := action.(clienttesting.PatchAction) // the reactor is for patches alone
	if err := f.failure("apply"); err != nil {
		return true, nil, err
	}
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(patch.GetPatch(), &object.Object); err != nil {
		return true, nil, apierrors.NewBadRequest(err.Error())
	}
	establish(object)
	// Past the client, which is locked while it asks.
	tracker := f.Dynamic.Tracker()
	err := tracker.Update(action.GetResource(), object, "")
	if apierrors.IsNotFound(err) {
		err = tracker.Create(action.GetResource(), object, "")
	}
	return true, object, err
}

// AddSecret makes a Secret exist, without content.
func (f *Fake) AddSecret(namespace, name string) error {
	return f.Metadata.Tracker().Add(&metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	})
}
