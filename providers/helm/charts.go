package helm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/registry"
	"helm.sh/helm/v3/pkg/repo"

	"upkeep/providers"
	"upkeep/providers/bounded"
	"upkeep/providers/facts"
	"upkeep/providers/helm/versions"
)

// The most that is read of a repository's answer: its index (the largest public ones have some 30 MiB), and a chart
// (Kubernetes keeps a release's chart in a Secret of at most 1 MiB, compressed).
const (
	indexLimit = 64 << 20
	chartLimit = 20 << 20
)

// fetchTimeout bounds one answer of a repository, body included.
const fetchTimeout = 2 * time.Minute

// Charts fetches charts from repositories, registries and local paths. It writes nothing to disk; what it fetched it
// remembers for as long as it lives. It is safe for use by several goroutines. Credentials for registries are those of
// `helm registry login` and `docker login`.
type Charts struct {
	http *http.Client
	// plain allows registries without TLS; for registries on this machine.
	plain bool
	// apart: charts are unpacked by this program started again, whose main calls Child, one after the other.
	apart   bool
	opening sync.Mutex
	// unpacking are the bounds of that, where they are others than usual.
	unpacking bounds

	mu      sync.Mutex
	fetched map[string]*fetched
	access  map[string]providers.ChartAccess // by repository
}

// Authorise tells the credentials of private repositories.
func (c *Charts) Authorise(list []providers.ChartAccess) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.access = map[string]providers.ChartAccess{}
	for _, access := range list {
		c.access[access.Repository] = access
	}
}

// credentials returns those of a private repository; nil for one that asks for none.
func (c *Charts) credentials(source facts.ChartSource) (*providers.ChartAccess, error) {
	if !source.Private {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	access, ok := c.access[source.Repository]
	if !ok {
		return nil, fmt.Errorf("chart repository %s asks for credentials, and the configuration has none; write username and password in the block chart", source.Repository)
	}
	return &access, nil
}

type fetched struct {
	once sync.Once
	data []byte
	err  error
	// index holds the charts of data that were asked for, for a repository's index.
	index map[string][]indexed
	mu    sync.Mutex
}

// NewCharts returns a fetcher. It unpacks charts in a process of its own: the main of the program must call Child.
func NewCharts() *Charts {
	silence()
	client := &http.Client{Timeout: fetchTimeout, CheckRedirect: staysSecure}
	return &Charts{http: client, fetched: map[string]*fetched{}, apart: true}
}

// mostRedirects is as many as net/http follows by itself.
const mostRedirects = 10

// staysSecure refuses a redirection that leaves TLS.
func staysSecure(request *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= mostRedirects:
		return fmt.Errorf("more than %d redirections", mostRedirects)
	case request.URL.Scheme != "https" && via[0].URL.Scheme == "https":
		return fmt.Errorf("the server redirects to %s, which has no TLS", request.URL.Redacted())
	}
	return nil
}

// Versions returns the versions of a chart, newest first.
func (c *Charts) Versions(ctx context.Context, source facts.ChartSource) ([]facts.ChartVersion, error) {
	if err := checkSource(source); err != nil {
		return nil, err
	}
	switch {
	case source.Path != "":
		got, err := c.loadPath(ctx, source.Path)
		if err != nil {
			return nil, err
		}
		return []facts.ChartVersion{versionOf(got.Metadata)}, nil
	case registry.IsOCI(source.Repository):
		return c.tags(ctx, source)
	}
	list, err := c.index(ctx, source)
	if err != nil {
		return nil, err
	}
	if list == nil {
		return nil, fmt.Errorf("repository %s has no chart %q; `helm search repo` lists what a repository has", source.Repository, source.Name)
	}
	out := make([]facts.ChartVersion, len(list))
	for i, entry := range list {
		out[i] = entry.version
	}
	return versions.Sort(out), nil
}

// archive is a fetched chart.
type archive struct {
	unpackedChart
	digest string // SHA-256 of the archive; of a directory, of its files' names and contents
}

// fetch returns one version of a chart, exactly, and checks its digest against the one the repository's index promises
// and the expected one, which may be empty.
func (c *Charts) fetch(ctx context.Context, source facts.ChartSource, version, expected string) (archive, error) {
	if err := checkSource(source); err != nil {
		return archive{}, err
	}
	got, err := c.fetchAny(ctx, source, version, expected)
	if err != nil {
		return archive{}, err
	}
	if expected != "" && !strings.EqualFold(strings.TrimPrefix(expected, "sha256:"), got.digest) {
		return archive{}, fmt.Errorf("chart %s version %s has sha256 %s, not the expected %s; if the new one is right, write it as sha256", source, version, got.digest, expected)
	}
	if !versions.Equal(got.Metadata.Version, version) {
		itself := versionOf(got.Metadata).Version
		return archive{}, fmt.Errorf("chart %s calls itself version %s, not %s", source, itself, version)
	}
	if got.Missing != "" {
		return archive{}, fmt.Errorf("chart %s: %s; run `helm dependency build %s`", source, got.Missing, source)
	}
	if kind := got.Metadata.Type; kind != "" && kind != "application" {
		return archive{}, fmt.Errorf("chart %s is a %s chart, which cannot be installed", source, kind)
	}
	return got, nil
}

func (c *Charts) fetchAny(ctx context.Context, source facts.ChartSource, version, expected string) (archive, error) {
	switch {
	case source.Path != "":
		return c.loadPath(ctx, source.Path)
	case registry.IsOCI(source.Repository):
		data, err := c.once(ctx, source.String()+" "+version, func(ctx context.Context) ([]byte, error) {
			return c.pull(ctx, source, version)
		})
		if err != nil {
			return archive{}, err
		}
		return c.loadArchive(ctx, source, data, "")
	}
	list, err := c.index(ctx, source)
	if err != nil {
		return archive{}, err
	}
	entry, err := pick(list, version, expected)
	switch {
	case err != nil:
		return archive{}, fmt.Errorf("chart %s version %s %w", source, version, err)
	case entry == nil:
		return archive{}, fmt.Errorf("repository %s has no version %s of chart %q", source.Repository, version, source.Name)
	}
	address, err := resolve(source.Repository, entry.url)
	if err != nil {
		return archive{}, fmt.Errorf("chart %s version %s: %w", source, version, err)
	}
	if at := (facts.ChartSource{Repository: address, Insecure: source.Insecure}); at.InTheClear() && !at.Insecure {
		return archive{}, fmt.Errorf("chart %s version %s: the index names %s, which has no TLS", source, version, address)
	}
	if registry.IsOCI(address) {
		at := strings.LastIndex(strings.TrimSuffix(address, ":"+version), "/")
		from := facts.ChartSource{Repository: address[:at], Name: strings.TrimSuffix(address[at+1:], ":"+version)}
		return c.fetchAny(ctx, from, version, expected)
	}
	data, err := c.once(ctx, address, func(ctx context.Context) ([]byte, error) {
		return c.get(ctx, source, address, chartLimit)
	})
	if err != nil {
		return archive{}, fmt.Errorf("chart %s version %s: %w", source, version, err)
	}
	return c.loadArchive(ctx, source, data, entry.version.Digest)
}

// certain reports a version that a repository's index has twice, as two charts; nil where it has it once, or where
// there is no index.
func (c *Charts) certain(ctx context.Context, source facts.ChartSource, version, expected string) error {
	if source.Path != "" || registry.IsOCI(source.Repository) {
		return nil
	}
	list, err := c.index(ctx, source)
	if err != nil {
		return err
	}
	if _, err := pick(list, version, expected); err != nil {
		return fmt.Errorf("chart %s version %s %w", source, version, err)
	}
	return nil
}

func checkSource(source facts.ChartSource) error {
	switch {
	case source.Path != "" && source.Repository != "":
		return errors.New("a chart comes from a path or from a repository, not from both")
	case source.Path != "":
		return nil
	case source.Repository == "" || source.Name == "":
		return errors.New("a chart needs repository and name, or path")
	}
	parsed, err := url.Parse(source.Repository)
	if err != nil {
		return errors.New("chart repository: this is no address; write https://HOST/PATH") // the error would show it, with a password in it
	}
	if parsed.User != nil {
		return fmt.Errorf("chart repository %s: an address holds no credentials; write username and password in the block chart", parsed.Host)
	}
	switch parsed.Scheme {
	case "http", "https", registry.OCIScheme:
		if source.InTheClear() && !source.Insecure {
			return fmt.Errorf("chart repository %s has no TLS, so anybody on the way may replace the chart; write https://, or insecure = true in the block chart", parsed.Redacted())
		}
		return nil
	}
	return fmt.Errorf("chart repository %q must begin with https://, http:// or oci://", source.Repository)
}

// once fetches a thing at most once. A failure is not remembered: a later question may find the network back.
func (c *Charts) once(ctx context.Context, key string, fetch func(context.Context) ([]byte, error)) ([]byte, error) {
	f := c.entry(key)
	f.once.Do(func() { f.data, f.err = fetch(ctx) })
	if f.err != nil {
		c.forget(key, f)
	}
	return f.data, f.err
}

func (c *Charts) entry(key string) *fetched {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.fetched[key]
	if f == nil {
		f = &fetched{}
		c.fetched[key] = f
	}
	return f
}

func (c *Charts) forget(key string, f *fetched) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fetched[key] == f {
		delete(c.fetched, key)
	}
}

// get fetches a URL.
func (c *Charts) get(ctx context.Context, source facts.ChartSource, address string, limit int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	access, err := c.credentials(source)
	if err != nil {
		return nil, err
	}
	// Another host that the index names gets no password. A redirection to another host drops it (package net/http).
	if at, err := url.Parse(source.Repository); access != nil && err == nil && at.Scheme == request.URL.Scheme && at.Host == request.URL.Host {
		request.SetBasicAuth(access.Username, access.Password.Reveal())
	}
	request.Header.Set("User-Agent", "upkeep")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err // it names the URL
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", request.URL.Redacted(), response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", request.URL.Redacted(), err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: larger than %d MiB", request.URL.Redacted(), limit>>20)
	}
	return data, nil
}

// index returns the versions of a chart in its repository's index; nil where the repository has no such chart.
func (c *Charts) index(ctx context.Context, source facts.ChartSource) ([]indexed, error) {
	address, err := resolve(source.Repository, "index.yaml")
	if err != nil {
		return nil, fmt.Errorf("chart repository %s: %w", source.Repository, err)
	}
	f := c.entry(address)
	f.once.Do(func() { f.data, f.err = c.get(ctx, source, address, indexLimit) })
	list, err := f.chart(source.Name)
	if err != nil {
		c.forget(address, f)
		return nil, fmt.Errorf("chart repository %s: %w", source.Repository, err)
	}
	return list, nil
}

// chart returns what an index says of one chart, read once.
func (f *fetched) chart(name string) ([]indexed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	if list, known := f.index[name]; known {
		return list, nil
	}
	list, err := chartInIndex(f.data, name)
	if err != nil {
		return nil, err
	}
	if f.index == nil {
		f.index = map[string][]indexed{}
	}
	f.index[name] = list
	return list, nil
}

func resolve(base, reference string) (string, error) {
	address, err := repo.ResolveReferenceURL(base, reference)
	if err != nil {
		return "", err
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if parsed.Scheme != "http" && parsed.Scheme != "https" && parsed.Scheme != registry.OCIScheme {
		return "", fmt.Errorf("the index names %q, which is no address to fetch from", reference)
	}
	return address, nil
}

func versionOf(metadata *chart.Metadata) facts.ChartVersion {
	if metadata == nil {
		return facts.ChartVersion{}
	}
	return facts.ChartVersion{Name: metadata.Name, Version: metadata.Version, AppVersion: metadata.AppVersion, Deprecated: metadata.Deprecated}
}

func (c *Charts) loadArchive(
	ctx context.Context, source facts.ChartSource, data []byte, promised string,
) (archive, error) {
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	if promised != "" && promised != digest {
		return archive{}, fmt.Errorf("chart %s has sha256 %s, but the repository's index says %s", source, digest, promised)
	}
	got, err := c.open(ctx, source.String(), packedChart{Archive: data})
	if err != nil {
		return archive{}, fmt.Errorf("chart %s: %w", source, err)
	}
	return archive{got, digest}, nil
}

// loadPath reads a chart from a directory or an archive.
func (c *Charts) loadPath(ctx context.Context, path string) (archive, error) {
	info, err := os.Stat(path)
	if err != nil {
		return archive{}, fmt.Errorf("chart: %w", err)
	}
	if !info.IsDir() {
		if !info.Mode().IsRegular() || info.Size() > chartLimit {
			return archive{}, fmt.Errorf("chart: %s is not a regular file of at most %d MiB", path, chartLimit>>20)
		}
		data, err := bounded.File(path, chartLimit)
		if err != nil {
			return archive{}, fmt.Errorf("chart: %w", err)
		}
		return c.loadArchive(ctx, facts.ChartSource{Path: path}, data, "")
	}
	directory, err := filepath.Abs(path) // the other process works elsewhere
	if err != nil {
		return archive{}, fmt.Errorf("chart %s: %w", path, err)
	}
	got, err := c.open(ctx, path, packedChart{Directory: directory})
	if err != nil {
		return archive{}, fmt.Errorf("chart %s: %w", path, err)
	}
	return archive{got, got.Digest}, nil
}

// digestDir is the SHA-256 over the names and the contents of all files of a directory, in the order of the names.
func digestDir(path string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(path, name)
		if err != nil {
			return err
		}
		data, err := bounded.File(name, chartLimit)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(sum, "%d %s\n%d\n%s\n", len(relative), filepath.ToSlash(relative), len(data), data)
		return err
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
