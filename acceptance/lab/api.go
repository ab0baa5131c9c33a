package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"sigs.k8s.io/yaml"
)

// ClientTLS is the TLS configuration of the cluster's administrator: the cluster's CA and the client certificate out of
// Kubeconfig. It fits every API server by its address.
func (l *Lab) ClientTLS() (*tls.Config, error) {
	text, err := os.ReadFile(l.Kubeconfig())
	if err != nil {
		return nil, err
	}
	config, err := parseKubeconfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Kubeconfig(), err)
	}
	return config, nil
}

func parseKubeconfig(text []byte) (*tls.Config, error) {
	var file struct {
		Clusters []struct {
			Cluster struct {
				CA []byte `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Certificate []byte `json:"client-certificate-data"`
				Key         []byte `json:"client-key-data"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	if len(file.Clusters) != 1 || len(file.Users) != 1 {
		return nil, fmt.Errorf("expected one cluster and one user as kubeadm writes them, found %d and %d", len(file.Clusters), len(file.Users))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(file.Clusters[0].Cluster.CA) {
		return nil, errors.New("no CA certificate inside")
	}
	pair, err := tls.X509KeyPair(file.Users[0].User.Certificate, file.Users[0].User.Key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}, nil
}

// APIServers are the addresses HOST:PORT of the three API servers, each for itself.
func (l *Lab) APIServers() []string { return ports(l.Nodes, "6443") }

// EtcdMembers are the client addresses HOST:PORT of the three etcd members.
func (l *Lab) EtcdMembers() []string { return ports(l.Nodes, "2379") }

func ports(nodes []Node, port string) []string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.IP+":"+port)
	}
	return all
}

// EtcdTLS fetches the certificate and key that kubeadm made for etcd's health checks from the first node that gives them.
// They are held in memory only.
func (l *Lab) EtcdTLS(ctx context.Context) (*tls.Config, error) {
	var failures error
	for _, n := range l.Nodes {
		read := func(name string) []byte {
			text, err := l.SSH(ctx, n.Name, "cat /etc/kubernetes/pki/etcd/"+name)
			failures = errors.Join(failures, err)
			return []byte(text)
		}
		ca := read("ca.crt")
		pair, err := tls.X509KeyPair(read("healthcheck-client.crt"), read("healthcheck-client.key"))
		pool := x509.NewCertPool()
		if err == nil && pool.AppendCertsFromPEM(ca) {
			return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}, nil
		}
		failures = errors.Join(failures, fmt.Errorf("etcd client certificate on %s: %w", n.Name, err))
	}
	return nil, failures
}

// readyLimit is how long a cluster of three may take to settle after its last join or a power cycle of all nodes;
// measured on two cores: 30 s.
const readyLimit = 3 * time.Minute

// Ready waits until the whole cluster works: all three API servers say so, all three nodes are Ready and renewed their
// lease after since, every static pod's container runs, started after since, and controller-manager and scheduler have
// live leaders. since is the moment of the last power cycle; what the API says of the time before is not believed. The
// zero time believes all.
func (l *Lab) Ready(ctx context.Context, since time.Time) error {
	config, err := l.ClientTLS()
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	api := apiClient{http: &http.Client{Transport: transport, Timeout: 5 * time.Second}}
	// The API keeps container start times in whole seconds.
	since = since.Truncate(time.Second)
	return until(ctx, readyLimit, 500*time.Millisecond, "the cluster to be ready", func(ctx context.Context) error {
		for _, server := range l.APIServers() {
			if err := api.get(ctx, server, "/readyz", nil); err != nil {
				return err
			}
		}
		return api.settled(ctx, l.APIServers()[0], l.Nodes, since)
	})
}

type apiClient struct{ http *http.Client }

// get asks one API server for one path and decodes the answer into out, if that is not nil.
func (a apiClient) get(ctx context.Context, server, path string, out any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+server+path, nil)
	if err != nil {
		return err
	}
	response, err := a.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 32<<20))
	if err != nil {
		return fmt.Errorf("%s%s: %w", server, path, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s: %s", server, path, response.Status)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(body, out)
}

// The parts of the API's objects that say whether the cluster has settled.
type (
	objectName struct {
		Name string `json:"name"`
	}
	nodeList struct {
		Items []struct {
			Metadata objectName `json:"metadata"`
			Status   struct {
				Conditions []condition `json:"conditions"`
			} `json:"status"`
		} `json:"items"`
	}
	condition struct {
		Type   string `json:"type"`
		Status string `json:"status"`
	}
	leaseList struct {
		Items []struct {
			Metadata objectName `json:"metadata"`
			Spec     struct {
				RenewTime time.Time `json:"renewTime"`
			} `json:"spec"`
		} `json:"items"`
	}
	podList struct {
		Items []struct {
			Metadata objectName `json:"metadata"`
			Status   struct {
				Containers []struct {
					Ready bool `json:"ready"`
					State struct {
						Running *struct {
							StartedAt time.Time `json:"startedAt"`
						} `json:"running"`
					} `json:"state"`
				} `json:"containerStatuses"`
			} `json:"status"`
		} `json:"items"`
	}
)

// settled looks once at nodes, leases and static pods.
func (a apiClient) settled(ctx context.Context, server string, nodes []Node, since time.Time) error {
	var list nodeList
	var nodeLeases, leaders leaseList
	var pods podList
	for _, one := range []struct {
		path string
		out  any
	}{
		{"/api/v1/nodes", &list},
		{"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", &nodeLeases},
		{"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", &leaders},
		{"/api/v1/namespaces/kube-system/pods", &pods},
	} {
		if err := a.get(ctx, server, one.path, one.out); err != nil {
			return err
		}
	}
	return errors.Join(
		list.missing(nodes),
		nodeLeases.missing(names(nodes), since),
		leaders.missing([]string{"kube-controller-manager", "kube-scheduler"}, since),
		pods.missing(staticPods(nodes), since),
	)
}

func names(nodes []Node) []string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Name)
	}
	return all
}

func staticPods(nodes []Node) []string {
	var all []string
	for _, component := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		for _, n := range nodes {
			all = append(all, component+"-"+n.Name)
		}
	}
	return all
}

func (list nodeList) missing(nodes []Node) error {
	ready := map[string]bool{}
	for _, item := range list.Items {
		for _, c := range item.Status.Conditions {
			if c.Type == "Ready" && c.Status == "True" {
				ready[item.Metadata.Name] = true
			}
		}
	}
	return absent("node is not Ready", names(nodes), ready)
}

func (list leaseList) missing(want []string, since time.Time) error {
	fresh := map[string]bool{}
	for _, item := range list.Items {
		fresh[item.Metadata.Name] = item.Spec.RenewTime.After(since)
	}
	return absent("lease has not been renewed", want, fresh)
}

func (list podList) missing(want []string, since time.Time) error {
	running := map[string]bool{}
	for _, item := range list.Items {
		for _, c := range item.Status.Containers {
			running[item.Metadata.Name] = c.Ready && c.State.Running != nil && !c.State.Running.StartedAt.Before(since)
		}
	}
	return absent("static pod is not running", want, running)
}

func absent(what string, want []string, have map[string]bool) error {
	var all error
	for _, name := range want {
		if !have[name] {
			all = errors.Join(all, fmt.Errorf("%s: %s", what, name))
		}
	}
	return all
}
