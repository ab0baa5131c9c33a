package timer

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
	"upkeep/providers/node/protocol"
)

// requestLimit bounds one request to the API, and maxAnswer what it may answer.
const (
	requestLimit = 20 * time.Second
	maxAnswer    = 4 << 20
)

// administrators are the kubeconfigs of the layouts that may change a StatefulSet, by their names there.
func administrators() []string { return []string{"admin.conf", "k3s.yaml", "rke2.yaml"} }

// Restore does what a timer is for, and forgets it then. An error means that nothing is known to have been done: it is
// worth another try.
func Restore(ctx context.Context, d *disk.Disk, id string) (done string, err error) {
	q, err := recorded(d, id)
	if errors.Is(err, fs.ErrNotExist) {
		return "the timer was taken back", nil
	}
	if err != nil {
		return "", err
	}
	api, err := admin(d)
	if err != nil {
		return "", err
	}
	if done, err = api.restore(ctx, q); err != nil {
		return "", fmt.Errorf("restore %s/%s: %w", q.Namespace, q.Name, err)
	}
	return done, forget(d, id)
}

// client asks the API with the node's own admin.conf.
type client struct {
	server string
	http   *http.Client
}

func admin(d *disk.Disk) (client, error) {
	for _, name := range administrators() {
		entry, ok := pki.Lookup(d, name)
		if !ok {
			continue
		}
		text, _, err := d.Read(entry.Path, pki.MaxFile)
		if err != nil {
			return client{}, err
		}
		c, err := pki.ParseKubeconfig(text)
		if err != nil {
			return client{}, fmt.Errorf("%s: %w", entry.Path, err)
		}
		pair, err := tls.X509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return client{}, fmt.Errorf("%s: its client certificate cannot be used", entry.Path)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(c.Authorities) {
			return client{}, fmt.Errorf("%s names no CA", entry.Path)
		}
		return client{strings.TrimSuffix(c.Server, "/"), &http.Client{Timeout: requestLimit, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}, DisableKeepAlives: true,
		}}}, nil
	}
	return client{}, errors.New("this node has no kubeconfig of an administrator")
}

// statefulSet is what is read of one.
type statefulSet struct {
	Metadata struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Replicas *int `json:"replicas"`
	} `json:"spec"`
}

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// restore scales what is still stopped under the timer's mark.
func (c client) restore(ctx context.Context, q protocol.TimerRequest) (string, error) {
	var set statefulSet
	status, err := c.ask(ctx, http.MethodGet, q, nil, &set)
	switch {
	case err != nil:
		return "", err
	case status == http.StatusNotFound:
		return "the StatefulSet is gone", nil
	case set.Metadata.Annotations[q.Mark] != q.Value:
		return "its mark is gone: somebody has started it", nil
	case set.Spec.Replicas == nil || *set.Spec.Replicas != 0:
		return "somebody has scaled it", nil
	}
	// The test operations make it one with the look above: whoever changes either in between wins.
	patch := []operation{
		{"test", annotationPath(q.Mark), q.Value},
		{"test", "/spec/replicas", json.RawMessage("0")}, // omitempty drops 0
		{"replace", "/spec/replicas", q.Replicas}, {"remove", annotationPath(q.Mark), nil},
	}
	for _, key := range q.Forget {
		if _, there := set.Metadata.Annotations[key]; there {
			patch = append(patch, operation{"remove", annotationPath(key), nil})
		}
	}
	if status, err = c.ask(ctx, http.MethodPatch, q, patch, nil); err != nil {
		return "", err
	}
	if status == http.StatusNotFound {
		return "the StatefulSet is gone", nil
	}
	return fmt.Sprintf("scaled to %d", q.Replicas), nil
}

// annotationPath is the path of an annotation in a JSON patch (RFC 6901).
func annotationPath(key string) string {
	return "/metadata/annotations/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// ask sends one request. Success and "not found" are answers; all else is an error.
func (c client) ask(ctx context.Context, method string, q protocol.TimerRequest, body, into any) (int, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		content = bytes.NewReader(text)
	}
	at := c.server + "/apis/apps/v1/namespaces/" + q.Namespace + "/statefulsets/" + q.Name
	request, err := http.NewRequestWithContext(ctx, method, at, content)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json-patch+json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return 0, err
	case response.StatusCode == http.StatusNotFound:
		return response.StatusCode, nil
	case response.StatusCode/100 != 2:
		return 0, fmt.Errorf("the API answers %d", response.StatusCode)
	case into == nil:
		return response.StatusCode, nil
	}
	return response.StatusCode, json.Unmarshal(text, into)
}
