// Package helm talks to Helm: what a release is and whether the cluster still holds it (Observe), which charts there
// are (Charts), what an upgrade would change (ReleaseQuestion.Offer), and the acts themselves (Upgrade, Rollback,
// Repair).
//
// It is the only importer of Helm's SDK, and through it of client-go for the objects of releases; another version of
// Helm touches this package alone. It decides nothing: what a pending release needs is decided in package pending, what
// two trees differ in by packages values and objects, which version by package versions. What cannot be read comes back
// as Unknown with its reason. Facts hold no secrets; Values does, and is for acts alone.
package helm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	helmkube "helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"

	"upkeep/providers/bounded"
)

// requestTimeout bounds one request to the API server. Watches end by it, too; Helm opens them again.
const requestTimeout = 30 * time.Second

// inFlight is how many requests one client has in progress at a time while it observes.
const inFlight = 16

// Client is one kubeconfig, opened for Helm. It is safe for use by several goroutines.
type Client struct {
	Charts *Charts

	// configuration prepares Helm's own view of one namespace; it does not connect.
	configuration func(namespace string) (*action.Configuration, error)
	dynamic       dynamic.Interface
	typed         kubernetes.Interface
	mapper        meta.RESTMapper
	metadata      metadata.Interface
	// rest is what templates look the cluster up with, and how commands are run in containers; nil without a cluster.
	rest *rest.Config
	// limit bounds the requests in progress.
	limit chan struct{}
	// apart: charts are rendered by this program started again, whose main calls Child.
	apart     bool
	rendering sync.Mutex

	mu           sync.Mutex
	capabilities *chartutil.Capabilities
}

// Open reads a kubeconfig and prepares a client; it does not connect. An empty context means the file's current one.
// The client renders charts in a process of its own: the main of the program must call Child.
//
// Helm and client-go write warnings to stderr as they please; Open silences them for the complete program (package log
// and klog), since they would tear a plan apart and may quote values.
func Open(path, kubeContext string) (*Client, error) {
	silence()
	if err := bounded.Check(path, bounded.Text); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	raw, err := clientcmd.LoadFromFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("kubeconfig %s does not exist; write its path as cluster.kubeconfig", path)
	}
	if err == nil {
		err = clientcmd.ResolveLocalPaths(raw) // as kubectl: relative to the kubeconfig
	}
	if err != nil && strings.Contains(err.Error(), "duplicate name") { // it would print all users
		err = errors.New("it names a cluster, a context or a user twice")
	}
	if err != nil {
		return nil, fmt.Errorf("reading kubeconfig %s: %w", path, err)
	}
	if kubeContext != "" && raw.Contexts[kubeContext] == nil {
		return nil, fmt.Errorf("kubeconfig %s has no context %q; `kubectl --kubeconfig %s config get-contexts` lists them", path, kubeContext, path)
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*raw, kubeContext, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	return connect(*raw, kubeContext, config)
}

func connect(raw clientcmdapi.Config, kubeContext string, config *rest.Config) (*Client, error) {
	config.Timeout = requestTimeout
	config.UserAgent = "upkeep"
	config.WarningHandler = rest.NoWarnings{}
	// The client bounds what is in progress; the server has its own fairness.
	config.QPS = -1
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	metadataClient, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	cached := memory.NewMemCacheClient(typed.Discovery())
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cached)
	c := &Client{
		Charts:   NewCharts(),
		dynamic:  dynamicClient,
		typed:    typed,
		mapper:   mapper,
		metadata: metadataClient,
		rest:     config,
		apart:    true,
		limit:    make(chan struct{}, inFlight),
	}
	c.configuration = func(namespace string) (*action.Configuration, error) {
		overrides := &clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: namespace}}
		g := getter{
			loader:    clientcmd.NewNonInteractiveClientConfig(raw, kubeContext, overrides, nil),
			config:    config,
			discovery: cached,
			mapper:    mapper,
		}
		configuration := &action.Configuration{}
		if err := configuration.Init(g, namespace, "secret", discard); err != nil {
			return nil, err
		}
		configuration.Releases = storage.Init(driver.NewSecrets(recorded{typed.CoreV1().Secrets(namespace)}))
		return configuration, nil
	}
	return c, nil
}

// Parts are what a client is made of, for a cluster that is not real: tests and simulations. No field may be nil.
type Parts struct {
	// Configuration returns Helm's configuration for a namespace, with its capabilities.
	Configuration func(namespace string) (*action.Configuration, error)
	Dynamic       dynamic.Interface
	Typed         kubernetes.Interface
	Mapper        meta.RESTMapper
	Metadata      metadata.Interface
}

// New returns a client made of parts, which unpacks and renders charts in this process. It cannot run commands in
// containers, and templates cannot look the cluster up.
func New(p Parts) *Client {
	charts := NewCharts()
	charts.apart = false
	return &Client{
		Charts:        charts,
		configuration: p.Configuration,
		dynamic:       p.Dynamic,
		typed:         p.Typed,
		mapper:        p.Mapper,
		metadata:      p.Metadata,
		limit:         make(chan struct{}, inFlight),
	}
}

// getter gives Helm the clients of one kubeconfig and namespace.
type getter struct {
	loader    clientcmd.ClientConfig
	config    *rest.Config
	discovery discovery.CachedDiscoveryInterface
	mapper    meta.RESTMapper
}

func (g getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.config), nil }

func (g getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.discovery, nil
}

func (g getter) ToRESTMapper() (meta.RESTMapper, error) { return g.mapper, nil }

func (g getter) ToRawKubeConfigLoader() clientcmd.ClientConfig { return g.loader }

// discard is where Helm's debugging lines go.
func discard(string, ...any) {}

// silence keeps the libraries from writing to the terminal.
func silence() {
	log.SetOutput(io.Discard)
	klog.SetLogger(logr.Discard())
}

// do runs one request while no more than inFlight are in progress.
func (c *Client) do(ctx context.Context, request func() error) error {
	select {
	case c.limit <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-c.limit }()
	return request()
}

// clusterCapabilities returns what templates may ask of the cluster: its version and kinds. They are read once for all
// previews; an upgrade reads them afresh.
func (c *Client) clusterCapabilities() (*chartutil.Capabilities, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.capabilities != nil {
		return c.capabilities, nil
	}
	configuration, err := c.configuration("default")
	if err != nil {
		return nil, err
	}
	if configuration.Capabilities != nil {
		c.capabilities = configuration.Capabilities
		return c.capabilities, nil
	}
	client, err := configuration.RESTClientGetter.ToDiscoveryClient()
	if err != nil {
		return nil, err
	}
	version, err := client.ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("server version: %w", err)
	}
	kinds, err := action.GetVersionSet(client)
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, fmt.Errorf("kinds of the API server: %w", err)
	}
	c.capabilities = &chartutil.Capabilities{
		APIVersions: kinds,
		KubeVersion: chartutil.KubeVersion{Version: version.GitVersion, Major: version.Major, Minor: version.Minor},
		HelmVersion: chartutil.DefaultCapabilities.HelmVersion,
	}
	return c.capabilities, nil
}

var _ helmkube.Interface = (*waiting)(nil)
