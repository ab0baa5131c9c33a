package kube

import (
	"context"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Exported is one list of objects as the API server wrote it, in JSON.
type Exported struct {
	Name string // "manifests.akash.network"
	Data []byte
}

// exportLimit bounds one list.
const exportLimit = 32 << 20

// exports are what a rebuilt Akash provider cannot serve its leases without: the provider's own objects and their kinds
// (akash-network/provider, pkg/apis/akash.network), and what Helm has deployed, with its values. Secrets are among
// them.
var exports = []struct{ name, path, selector string }{
	{"manifests.akash.network", "/apis/akash.network/v2beta2/manifests", ""},
	{"providerhosts.akash.network", "/apis/akash.network/v2beta2/providerhosts", ""},
	{"providerleasedips.akash.network", "/apis/akash.network/v2beta2/providerleasedips", ""},
	{"crd-manifests.akash.network", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/manifests.akash.network", ""},
	{"crd-providerhosts.akash.network", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/providerhosts.akash.network", ""},
	{"crd-providerleasedips.akash.network", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/providerleasedips.akash.network", ""},
	{"helm-releases", "/api/v1/secrets", "owner=helm,status=deployed"},
}

// ExportProvider returns the objects of an Akash provider, nothing where the cluster has none, and what could not be
// read with the reason.
func (c *Client) ExportProvider(ctx context.Context) (objects []Exported, failed map[string]string) {
	for i, e := range exports {
		data, err := c.export(ctx, e.path, e.selector)
		switch {
		case apierrors.IsNotFound(err) && i == 0:
			return nil, nil // the kind does not exist: there is no provider here
		case apierrors.IsNotFound(err):
		case err != nil:
			if failed == nil {
				failed = map[string]string{}
			}
			failed[e.name] = explain(err)
		default:
			objects = append(objects, Exported{e.name, data})
		}
	}
	return objects, failed
}

func (c *Client) export(ctx context.Context, path, selector string) ([]byte, error) {
	request := c.api.Discovery().RESTClient().Get().AbsPath(path).SetHeader("Accept", "application/json")
	if selector != "" {
		request = request.Param("labelSelector", selector)
	}
	stream, err := request.Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	data, err := io.ReadAll(io.LimitReader(stream, exportLimit+1))
	if err == nil && len(data) > exportLimit {
		err = fmt.Errorf("more than %d bytes", exportLimit)
	}
	return data, err
}
