package helm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"upkeep/providers/facts"
	"upkeep/providers/helm/definitions"
)

// fieldManager is the name under which server-side apply records what upkeep writes.
const fieldManager = "upkeep"

// establishTimeout is how long the API server may take to serve a definition that was written: it does so within
// seconds.
const establishTimeout = time.Minute

var (
	definitionResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	secretResource     = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
)

// Definition reads a CustomResourceDefinition. It does not fail: why it could not is in the facts.
func (c *Client) Definition(ctx context.Context, name string) facts.Definition {
	var found *unstructured.Unstructured
	err := c.do(ctx, func() (err error) {
		found, err = c.dynamic.Resource(definitionResource).Get(ctx, name, metav1.GetOptions{})
		return err
	})
	switch {
	case apierrors.IsNotFound(err):
		return facts.Definition{Name: name, Missing: true}
	case err != nil:
		return facts.Definition{Name: name, Unknown: explain(err)}
	}
	live, err := definitions.Live(found.Object)
	if err != nil {
		return facts.Definition{Name: name, Unknown: err.Error()}
	}
	return live
}

// ApplyDefinitions applies every CustomResourceDefinition of a text by server-side apply, and waits until the API
// server serves them. Fields that others manage are taken over.
func (c *Client) ApplyDefinitions(ctx context.Context, text []byte, progress func(string)) error {
	list, err := definitions.Read(text)
	if err != nil {
		return err
	}
	for _, d := range list {
		if progress != nil {
			progress("applying " + d.Name)
		}
		object := &unstructured.Unstructured{Object: d.Object}
		err := c.do(ctx, func() error {
			_, err := c.dynamic.Resource(definitionResource).Apply(ctx, d.Name, object, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
			return err
		})
		if err != nil {
			return fmt.Errorf("applying %s: %s", d.Name, explain(err))
		}
	}
	waiting, cancel := context.WithTimeout(ctx, establishTimeout)
	defer cancel()
	for _, d := range list {
		if err := c.established(waiting, d); err != nil {
			return err
		}
	}
	return nil
}

// established waits until a definition is served as it was applied.
func (c *Client) established(ctx context.Context, wanted definitions.Definition) error {
	for {
		live := c.Definition(ctx, wanted.Name)
		if live.Unknown == "" && live.Established && live.Digest == wanted.Digest {
			return nil
		}
		select {
		case <-ctx.Done():
			why := "it is not established"
			switch {
			case live.Unknown != "":
				why = live.Unknown
			case live.Missing:
				why = "it is gone"
			case live.Digest != wanted.Digest:
				why = "the API server keeps it otherwise than it was written"
			}
			return fmt.Errorf("%s was applied, and %s", wanted.Name, why)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// Secret says whether a Secret exists. The metadata alone is asked for, so its content never leaves the API server.
func (c *Client) Secret(ctx context.Context, question facts.SecretQuestion) facts.Existence {
	if c.metadata == nil {
		return facts.Existence{Unknown: "this client cannot ask for metadata"}
	}
	err := c.do(ctx, func() error {
		_, err := c.metadata.Resource(secretResource).Namespace(question.Namespace).Get(ctx, question.Name, metav1.GetOptions{})
		return err
	})
	switch {
	case apierrors.IsNotFound(err):
		return facts.Existence{Missing: true}
	case err != nil:
		return facts.Existence{Unknown: explain(err)}
	}
	return facts.Existence{}
}

// Chart lists the deployed releases of a chart in all namespaces.
func (c *Client) Chart(ctx context.Context, name string) facts.Installed {
	var found []*release.Release
	err := c.do(ctx, func() error {
		configuration, err := c.configuration("")
		if err != nil {
			return err
		}
		// The labels are Helm's own (pkg/storage/driver, v3): the server sends no superseded revision.
		found, err = configuration.Releases.Query(map[string]string{"owner": "helm", "status": string(release.StatusDeployed)})
		return err
	})
	if err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		return facts.Installed{Unknown: explain(err)}
	}
	var out facts.Installed
	for _, r := range found {
		if r.Chart == nil || r.Chart.Metadata == nil || r.Chart.Metadata.Name != name {
			continue
		}
		out.Releases = append(out.Releases, facts.InstalledRelease{Namespace: r.Namespace, Name: r.Name, Chart: versionOf(r.Chart.Metadata)})
	}
	slices.SortFunc(out.Releases, func(a, b facts.InstalledRelease) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return out
}
