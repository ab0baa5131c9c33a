package helm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"upkeep/providers/helm/objects"
)

// parseManifest returns the objects of a rendered manifest, in its order; lists are taken apart.
func parseManifest(manifest string) ([]objects.Object, error) {
	var out []objects.Object
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(manifest)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("manifest: %w", err)
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		var object objects.Object
		if err := yaml.Unmarshal(document, &object); err != nil {
			// The parser's error names a line and quotes none of it.
			return nil, fmt.Errorf("manifest: document %d: %w", len(out)+1, err)
		}
		if items, ok := object["items"].([]any); ok && strings.HasSuffix(objects.Kind(object), "List") {
			for _, item := range items {
				if o, ok := item.(objects.Object); ok {
					out = append(out, o)
				}
			}
			continue
		}
		if objects.Kind(object) == "" || objects.Name(object) == "" {
			if len(object) == 0 {
				continue // comments alone
			}
			return nil, fmt.Errorf("manifest: document %d has no kind or no name", len(out)+1)
		}
		out = append(out, object)
	}
}

// crdFiles returns the names of the files in a chart's crds folders, sorted.
func crdFiles(c *chart.Chart) []string {
	names := map[string]bool{}
	for _, crd := range c.CRDObjects() {
		names[path.Base(crd.Filename)] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// typed returns an object as it reads after its Go type, so that quantities and the like are written in one way. An
// object of a type that is not Kubernetes' own, or that does not fit it, comes back as it is.
func typed(o objects.Object) objects.Object {
	gv, err := schema.ParseGroupVersion(objects.APIVersion(o))
	if err != nil {
		return o
	}
	into, err := scheme.Scheme.New(gv.WithKind(objects.Kind(o)))
	if err != nil {
		return o
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(numbers(o).(objects.Object), into); err != nil {
		return o
	}
	out, err := runtime.DefaultUnstructuredConverter.ToUnstructured(into)
	if err != nil {
		return o
	}
	out["apiVersion"], out["kind"] = o["apiVersion"], o["kind"]
	return shaped(out, o).(objects.Object)
}

// shaped takes out of a value what the original does not have: Go types write zeros that nobody wrote.
func shaped(value, original any) any {
	switch v := value.(type) {
	case objects.Object:
		from, ok := original.(objects.Object)
		if !ok {
			return value
		}
		out := objects.Object{}
		for key, below := range v {
			if was, ok := from[key]; ok {
				out[key] = shaped(below, was)
			}
		}
		return out
	case []any:
		from, ok := original.([]any)
		if !ok || len(from) != len(v) {
			return value
		}
		out := make([]any, len(v))
		for i := range v {
			out[i] = shaped(v[i], from[i])
		}
		return out
	}
	return value
}

// numbers turns whole float64 into int64, as the converter wants them.
func numbers(value any) any {
	switch v := value.(type) {
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	case objects.Object:
		out := make(objects.Object, len(v))
		for key, below := range v {
			out[key] = numbers(below)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, below := range v {
			out[i] = numbers(below)
		}
		return out
	}
	return value
}
