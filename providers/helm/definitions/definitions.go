// Package definitions reads CustomResourceDefinitions, out of a file as projects publish them and as an API server
// returns them, and brings both into one form, so that a file can be compared with a cluster.
//
// It is pure and reads nothing by itself. It takes nothing but CustomResourceDefinitions of apiextensions.k8s.io/v1:
// what it has read may be applied.
package definitions

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"upkeep/providers/facts"
)

// What a document must be.
const (
	APIVersion = "apiextensions.k8s.io/v1"
	Kind       = "CustomResourceDefinition"
)

// Definition is one CustomResourceDefinition of a file.
type Definition struct {
	Name, Group string
	// Versions are all that it has; Served those that are served.
	Versions, Served []string
	Digest           string
	// Object is what to apply: the document without what the API server writes.
	Object map[string]any
}

// Read reads the documents of a YAML or JSON text, in their order. Each must be a definition, and no two the same one.
func Read(text []byte) ([]Definition, error) {
	var out []Definition
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for n := 1; ; n++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		object := map[string]any{}
		if err := yaml.Unmarshal(document, &object); err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if len(object) == 0 {
			continue // a comment alone
		}
		d, err := read(object)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if slices.ContainsFunc(out, func(other Definition) bool { return other.Name == d.Name }) {
			return nil, fmt.Errorf("document %d: %s occurs twice", n, d.Name)
		}
		out = append(out, d)
	}
	if len(out) == 0 {
		return nil, errors.New("there is no CustomResourceDefinition in it")
	}
	return out, nil
}

func read(object map[string]any) (Definition, error) {
	if object["apiVersion"] != APIVersion || object["kind"] != Kind {
		return Definition{}, fmt.Errorf("it is a %v %v, and not a %s of %s", object["apiVersion"], object["kind"], Kind, APIVersion)
	}
	crd, err := typed(object)
	if err != nil {
		return Definition{}, err
	}
	d := Definition{Name: crd.Name, Group: crd.Spec.Group}
	switch {
	case crd.Name == "" || crd.Name != crd.Spec.Names.Plural+"."+crd.Spec.Group:
		return Definition{}, fmt.Errorf("the definition %q is of %s.%s", crd.Name, crd.Spec.Names.Plural, crd.Spec.Group)
	case len(crd.Spec.Versions) == 0:
		return Definition{}, fmt.Errorf("%s has no version", crd.Name)
	}
	for _, v := range crd.Spec.Versions {
		d.Versions = append(d.Versions, v.Name)
		if v.Served {
			d.Served = append(d.Served, v.Name)
		}
	}
	if d.Digest, err = digest(crd.Spec); err != nil {
		return Definition{}, fmt.Errorf("%s: %w", crd.Name, err)
	}
	delete(object, "status")
	if metadata, ok := object["metadata"].(map[string]any); ok {
		for _, own := range []string{"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"} {
			delete(metadata, own)
		}
	}
	d.Object = object
	return d, nil
}

// Live brings a definition that the API server returned into facts.
func Live(object map[string]any) (facts.Definition, error) {
	crd, err := typed(object)
	if err != nil {
		return facts.Definition{}, err
	}
	f := facts.Definition{Name: crd.Name, Stored: crd.Status.StoredVersions}
	for _, v := range crd.Spec.Versions {
		if v.Served {
			f.Served = append(f.Served, v.Name)
		}
	}
	for _, condition := range crd.Status.Conditions {
		if condition.Type == apiextensions.Established {
			f.Established = condition.Status == apiextensions.ConditionTrue
		}
	}
	f.Digest, err = digest(crd.Spec)
	return f, err
}

func typed(object map[string]any) (apiextensions.CustomResourceDefinition, error) {
	var crd apiextensions.CustomResourceDefinition
	data, err := json.Marshal(object)
	if err != nil {
		return crd, err
	}
	if err := json.Unmarshal(data, &crd); err != nil {
		return crd, fmt.Errorf("not a %s: %w", Kind, err)
	}
	return crd, nil
}

// digest is of what a definition means: with the defaults that the API server writes into it, without what others
// inject.
func digest(spec apiextensions.CustomResourceDefinitionSpec) (string, error) {
	apiextensions.SetDefaults_CustomResourceDefinitionSpec(&spec)
	if c := spec.Conversion; c != nil && c.Webhook != nil && c.Webhook.ClientConfig != nil {
		conversion, webhook, client := *c, *c.Webhook, *c.Webhook.ClientConfig
		client.CABundle = nil
		webhook.ClientConfig = &client
		conversion.Webhook = &webhook
		spec.Conversion = &conversion
	}
	data, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		return "", err
	}
	if data, err = json.Marshal(plain); err != nil { // keys sorted, also inside defaults and examples
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
