package traffic

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
)

// apiGet reads one object from one API server. An object and not a list: the API server answers it from etcd, so the
// whole way is used.
func apiGet(server string, config *tls.Config) request {
	client := &http.Client{
		Timeout:   tryLimit,
		Transport: &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: true},
	}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+server+"/api/v1/namespaces/kube-system", nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return fmt.Errorf("%s: %w", server, err)
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", server, response.Status)
		}
		return nil
	}
}
