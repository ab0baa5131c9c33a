package helm

import (
	"context"
	"fmt"
	"maps"
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
	// Texts asks for the texts, too.
	Texts bool
	// Lookup says whether templates may look the cluster up.
	Lookup bool
	// Memory and Output are those of the bounds.
	Memory uint64
	Output int
	// Packed asks to unpack a chart instead; Files, Values and the rest of rendering are empty then.
	Packed *packedChart `json:",omitempty"`
}

// doing names the work in the words of an error, and what is worked on.
func (o order) doing() (work, on string) {
	if o.Packed != nil {
		return "unpacking", "files"
	}
	return "rendering", "templates"
}

// made is what a chart renders to: its objects without hooks, and the names of the files in its crds folders.
type made struct {
	Objects []objects.Object
	CRDs    []string
	// Texts are what each template made, by the name that Helm's engine gives it, where that was asked for.
	Texts map[string]string `json:",omitempty"`
	// Unpacked is the chart where that was asked for, and nothing else is set then.
	Unpacked *unpackedChart `json:",omitempty"`
}

// render renders a chart as an upgrade would. Unless lookup is set, a template that looks the cluster up is an error.
func (c *Client) render(ctx context.Context, got archive, full values.Tree, options chartutil.ReleaseOptions, lookup bool) (made, error) {
	return c.rendered(ctx, order{Chart: got.Metadata.Name, Files: got.Files, Values: full, Options: options}, lookup)
}

// rendered is render of an order without capabilities.
func (c *Client) rendered(ctx context.Context, o order, lookup bool) (made, error) {
	capabilities, err := c.clusterCapabilities()
	if err != nil {
		return made{}, err
	}
	o.Capabilities = capabilities
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

// loadFiles reads a chart from the files of its archive.
func loadFiles(raw []*chart.File) (*chart.Chart, error) {
	files := make([]*loader.BufferedFile, len(raw))
	for i, file := range raw {
		files[i] = &loader.BufferedFile{Name: file.Name, Data: file.Data}
	}
	return loader.LoadFiles(files)
}

// work unpacks or renders.
func (o order) work(find lookUp) (made, error) {
	if o.Packed == nil {
		return o.render(find)
	}
	out, err := o.Packed.unpack()
	return made{Unpacked: &out}, err
}

// render renders. Helm's functions write into the chart and the values, and those are read anew or copied here.
func (o order) render(find lookUp) (made, error) {
	loaded, err := loadFiles(o.Files)
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
	capabilities, find := o.withDefinitions(loaded, find)
	rendering, err := chartutil.ToRenderValues(loaded, full, o.Options, capabilities)
	if err != nil {
		return made{}, err
	}
	texts, err := engine.RenderWithClientProvider(loaded, rendering, lookups{find})
	if err != nil {
		return made{}, err
	}
	out := made{CRDs: crdFiles(loaded)}
	if o.Texts {
		out.Texts = maps.Clone(texts)
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
	out.Objects, err = parseManifest(text.String())
	return out, err
}
