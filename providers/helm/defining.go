package helm

import (
	"bufio"
	"bytes"
	"slices"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// withDefinitions returns what templates of a first install see of the cluster: Helm makes the definitions of a chart
// (crds) before it renders, so that their kinds are known then, and no object of them exists.
func (o order) withDefinitions(loaded *chart.Chart, find lookUp) (*chartutil.Capabilities, lookUp) {
	if !o.Options.IsInstall {
		return o.Capabilities, find
	}
	made := definedKinds(loaded)
	if len(made) == 0 {
		return o.Capabilities, find
	}
	before := o.Capabilities
	after := *before
	after.APIVersions = slices.Clone(before.APIVersions)
	for _, kind := range made {
		if !after.APIVersions.Has(kind) {
			after.APIVersions = append(after.APIVersions, kind)
		}
	}
	if find == nil {
		return &after, nil
	}
	return &after, func(apiVersion, kind, namespace, name string) (map[string]any, error) {
		full := apiVersion + "/" + kind
		if slices.Contains(made, full) && !before.APIVersions.Has(full) {
			return map[string]any{}, nil // the API server would not know the kind yet
		}
		return find(apiVersion, kind, namespace, name)
	}
}

// definedKinds are the served versions that the definitions of a chart make, as GROUP/VERSION and GROUP/VERSION/KIND.
// A definition that cannot be read makes none: Helm refuses the chart for it.
func definedKinds(loaded *chart.Chart) []string {
	var out []string
	for _, file := range loaded.CRDObjects() {
		documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(file.File.Data)))
		for {
			document, err := documents.Read()
			if err != nil {
				break
			}
			var d definition
			if yaml.Unmarshal(document, &d) == nil && d.Kind == "CustomResourceDefinition" && d.Spec.Group != "" {
				out = append(out, d.serves()...)
			}
		}
	}
	return out
}

// definition is the part of a CustomResourceDefinition that names what it makes; version is that of v1beta1.
type definition struct {
	Kind string `json:"kind"`
	Spec struct {
		Group string `json:"group"`
		Names struct {
			Kind string `json:"kind"`
		} `json:"names"`
		Version  string `json:"version"`
		Versions []struct {
			Name   string `json:"name"`
			Served bool   `json:"served"`
		} `json:"versions"`
	} `json:"spec"`
}

func (d definition) serves() []string {
	var out []string
	add := func(version string) {
		at := d.Spec.Group + "/" + version
		out = append(out, at, at+"/"+d.Spec.Names.Kind)
	}
	for _, version := range d.Spec.Versions {
		if version.Served {
			add(version.Name)
		}
	}
	if len(d.Spec.Versions) == 0 && d.Spec.Version != "" {
		add(d.Spec.Version)
	}
	return out
}
