package helm

import (
	"context"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"

	"upkeep/providers/helm/objects"
	"upkeep/providers/helm/values"
)

// order is all that rendering a chart needs. It may hold secrets.
type order struct {
	Chart        string
	Files        []*chart.File
	Values       values.Tree
	Options      chartutil.ReleaseOptions
	Capabilities *chartutil.Capabilities
	// Lookup says whether templates may look the cluster up.
	Lookup bool
	// Memory and Output are those of the bounds.
	Memory uint64
	Output int
}

// made is what a chart renders to: its objects without hooks, and the names of the files in its crds folders.
type made struct {
	Objects []objects.Object
	CRDs    []string
}

// render renders a chart as an upgrade would. Unless lookup is set, a template that looks the cluster up is an error.
func (c *Client) render(ctx context.Context, got archive, full values.Tree, options chartutil.ReleaseOptions, lookup bool) (made, error) {
	capabilities, err := c.clusterCapabilities()
	if err != nil {
		return made{}, err
	}
	o := order{Chart: got.chart.Name(), Files: got.chart.Raw, Values: full, Options: options, Capabilities: capabilities}
	var find lookUp
	if lookup && c.rest != nil {
		o.Lookup, find = true, engine.NewLookupFunction(c.rest)
	}
	if !c.apart {
		return bounds{}.here(o, find)
	}
	// One chart after the other, so that the bound of memory is one for all.
	c.rendering.Lock()
	defer c.rendering.Unlock()
	return bounds{}.apart(ctx, o, find)
}

// work renders. Helm's functions write into the chart and the values, and those are read anew or copied here.
func (o order) work(find lookUp) (made, error) {
	files := make([]*loader.BufferedFile, len(o.Files))
	for i, file := range o.Files {
		files[i] = &loader.BufferedFile{Name: file.Name, Data: file.Data}
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return made{}, err
	}
	if wants := loaded.Metadata.KubeVersion; wants != "" && !chartutil.IsCompatibleRange(wants, o.Capabilities.KubeVersion.String()) {
		return made{}, fmt.Errorf("the chart wants Kubernetes %s; this is %s", wants, o.Capabilities.KubeVersion.Version)
	}
	full := values.Clone(o.Values)
	if err := chartutil.ProcessDependenciesWithMerge(loaded, full); err != nil {
		return made{}, fmt.Errorf("dependencies: %w", err)
	}
	rendering, err := chartutil.ToRenderValues(loaded, full, o.Options, o.Capabilities)
	if err != nil {
		return made{}, err
	}
	texts, err := engine.RenderWithClientProvider(loaded, rendering, lookups{find})
	if err != nil {
		return made{}, err
	}
	size := 0
	for name, text := range texts {
		size += len(text)
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(texts, name)
		}
	}
	if size > o.Output {
		return made{}, fmt.Errorf("the templates of chart %s make %d MiB; at most %d MiB are taken", o.Chart, size>>20, o.Output>>20)
	}
	_, manifests, err := releaseutil.SortManifests(texts, nil, releaseutil.InstallOrder)
	if err != nil {
		return made{}, err
	}
	var text strings.Builder
	for _, m := range manifests {
		fmt.Fprintf(&text, "---\n%s\n", m.Content)
	}
	list, err := parseManifest(text.String())
	if err != nil {
		return made{}, err
	}
	return made{Objects: list, CRDs: crdFiles(loaded)}, nil
}
