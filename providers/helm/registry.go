package helm

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"helm.sh/helm/v3/pkg/registry"

	"upkeep/providers/facts"
	"upkeep/providers/helm/versions"
)

// registryClient returns a client of OCI registries whose requests end with ctx: the SDK's calls take none.
func (c *Charts) registryClient(ctx context.Context, source facts.ChartSource) (*registry.Client, error) {
	options := []registry.ClientOption{registry.ClientOptHTTPClient(&http.Client{
		Timeout:   fetchTimeout,
		Transport: bound{ctx, http.DefaultTransport},
	})}
	if c.plain {
		options = append(options, registry.ClientOptPlainHTTP())
	}
	access, err := c.credentials(source)
	if err != nil {
		return nil, err
	}
	if access != nil {
		options = append(options, registry.ClientOptBasicAuth(access.Username, access.Password.Reveal()))
	}
	return registry.NewClient(options...)
}

// bound makes every request end with ctx.
type bound struct {
	ctx  context.Context
	next http.RoundTripper
}

func (b bound) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(request.Context())
	context.AfterFunc(b.ctx, func() { cancel(context.Cause(b.ctx)) })
	response, err := b.next.RoundTrip(request.WithContext(ctx))
	if err == nil && request.Method == http.MethodGet {
		response.Body = &limitedBody{ReadCloser: response.Body, left: chartLimit}
	}
	return response, err
}

// limitedBody is an answer that ends with an error where it is larger than a chart may be.
type limitedBody struct {
	io.ReadCloser
	left int64
}

func (l *limitedBody) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("the registry's answer is larger than %d MiB", chartLimit>>20)
	}
	return n, err
}

// reference is a chart's name in a registry, without version.
func reference(source facts.ChartSource) string {
	return strings.TrimSuffix(strings.TrimPrefix(source.Repository, registry.OCIScheme+"://"), "/") + "/" + source.Name
}

func (c *Charts) tags(ctx context.Context, source facts.ChartSource) ([]facts.ChartVersion, error) {
	client, err := c.registryClient(ctx, source)
	if err != nil {
		return nil, fmt.Errorf("chart registry %s: %w", source.Repository, err)
	}
	tags, err := client.Tags(reference(source))
	if err != nil {
		return nil, fmt.Errorf("chart registry %s: versions of %s: %w", source.Repository, source.Name, err)
	}
	var out []facts.ChartVersion
	for _, tag := range tags {
		// A tag cannot hold the "+" of a semantic version; Helm writes "_" for it.
		out = append(out, facts.ChartVersion{Name: source.Name, Version: strings.ReplaceAll(tag, "_", "+")})
	}
	return versions.Sort(out), nil
}

func (c *Charts) pull(ctx context.Context, source facts.ChartSource, version string) ([]byte, error) {
	client, err := c.registryClient(ctx, source)
	if err != nil {
		return nil, fmt.Errorf("chart registry %s: %w", source.Repository, err)
	}
	pulled, err := client.Pull(reference(source)+":"+version, registry.PullOptWithChart(true))
	if err != nil {
		return nil, fmt.Errorf("chart registry %s: %s version %s: %w", source.Repository, source.Name, version, err)
	}
	if len(pulled.Chart.Data) > chartLimit {
		return nil, fmt.Errorf("chart registry %s: %s version %s is larger than %d MiB", source.Repository, source.Name, version, chartLimit>>20)
	}
	return pulled.Chart.Data, nil
}
