package kube

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
	"upkeep/providers/plain"
)

// The leader leases that prove that a restarted component works again.
var leaderLeases = []string{"kube-controller-manager", "kube-scheduler"}

// nodePage is how many nodes one list request returns at most.
const nodePage = 500

// Observe reads what upkeep wants to know of the cluster. It does not fail: an API that cannot be reached is a
// facts.Kubernetes with Unknown set.
func (c *Client) Observe(ctx context.Context) facts.Kubernetes {
	k := facts.Kubernetes{Kubeconfig: c.kubeconfigFacts()}
	k.Authority, k.AuthorityKey = c.authority()
	namespace, err := c.api.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		k.Unknown = fmt.Sprintf("%s: %s", c.config.Host, explain(err))
		return k
	}
	k.UID = string(namespace.UID)
	version, err := c.api.Discovery().ServerVersion()
	if err != nil {
		k.Unknown = fmt.Sprintf("%s: server version: %s", c.config.Host, explain(err))
		return k
	}
	k.Version = version.GitVersion
	if k.Nodes, err = c.nodes(ctx); err != nil {
		k.Unknown = fmt.Sprintf("%s: listing nodes: %s", c.config.Host, explain(err))
		return k
	}
	if k.Leases, err = c.leases(ctx); err != nil {
		k.Unknown = fmt.Sprintf("%s: leader leases: %s", c.config.Host, explain(err))
		return k
	}
	k.Run = c.run(ctx)
	if k.ClusterConfiguration, err = c.clusterConfiguration(ctx); err != nil {
		k.ClusterConfigurationUnknown = explain(err)
	}
	return k
}

func (c *Client) nodes(ctx context.Context) ([]facts.KubernetesNode, error) {
	var out []facts.KubernetesNode
	options := metav1.ListOptions{Limit: nodePage}
	for {
		page, err := c.api.CoreV1().Nodes().List(ctx, options)
		if err != nil {
			return nil, err
		}
		for _, n := range page.Items {
			out = append(out, nodeFacts(n))
		}
		if options.Continue = page.Continue; options.Continue == "" {
			break
		}
	}
	slices.SortFunc(out, func(a, b facts.KubernetesNode) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func nodeFacts(n corev1.Node) facts.KubernetesNode {
	f := facts.KubernetesNode{
		Name:          n.Name,
		Unschedulable: n.Spec.Unschedulable,
		Cordon:        facts.CordonOf(n.Annotations),
		Version:       n.Status.NodeInfo.KubeletVersion,
		Addresses:     map[string]string{},
		Labels:        n.Labels,
		Boot:          n.Status.NodeInfo.BootID,
	}
	f.GPUs, f.Maintainers = offered(n.Status), maintainers(n)
	for _, condition := range n.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			f.Ready = condition.Status == corev1.ConditionTrue
		}
	}
	for _, address := range n.Status.Addresses {
		// A dual-stack node lists one type twice; the first is the primary one.
		if f.Addresses[string(address.Type)] == "" {
			f.Addresses[string(address.Type)] = address.Address
		}
	}
	return f
}

func (c *Client) leases(ctx context.Context) ([]facts.Lease, error) {
	var out []facts.Lease
	for _, name := range leaderLeases {
		lease, err := c.api.CoordinationV1().Leases(metav1.NamespaceSystem).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f := facts.Lease{Name: name}
		if lease.Spec.HolderIdentity != nil {
			f.Holder = *lease.Spec.HolderIdentity
		}
		if lease.Spec.RenewTime != nil {
			f.RenewedAt = lease.Spec.RenewTime.UTC()
		}
		if lease.Spec.LeaseDurationSeconds != nil {
			f.DurationSeconds = *lease.Spec.LeaseDurationSeconds
		}
		out = append(out, f)
	}
	return out, nil
}

// run reads the Lease that a run of upkeep holds; nil where there is none, or it cannot be read.
func (c *Client) run(ctx context.Context) *facts.Lease {
	lease, err := c.getLease(ctx)
	if err != nil || lease == nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" || lease.Spec.RenewTime == nil {
		return nil
	}
	f := facts.Lease{Name: LeaseName, Holder: *lease.Spec.HolderIdentity, RenewedAt: lease.Spec.RenewTime.UTC()}
	if lease.Spec.LeaseDurationSeconds != nil {
		f.DurationSeconds = *lease.Spec.LeaseDurationSeconds
	}
	return &f
}

// clusterConfiguration reads the object that kubeadm itself would read before a renewal.
func (c *Client) clusterConfiguration(ctx context.Context) (string, error) {
	object, err := c.api.CoreV1().ConfigMaps(layout.KubeadmConfiguration.Namespace).Get(ctx, layout.KubeadmConfiguration.Name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return clusterConfigurationOf(object)
}

// explain shortens client-go's errors to what an operator needs: the request's method and URL are noise beside the
// host. What it returns is one line, however hostile the server is.
func explain(err error) string {
	var urlError *url.Error
	if errors.As(err, &urlError) {
		return foreign(urlError.Err)
	}
	switch {
	case apierrors.IsUnauthorized(err):
		return "the API server refuses this kubeconfig (Unauthorized); its client certificate may have expired"
	case apierrors.IsForbidden(err):
		return "forbidden: " + plain.Said(plain.Bound(err.Error(), longest))
	case errors.As(err, new(apierrors.APIStatus)):
		return "the API server says: " + plain.Said(plain.Bound(err.Error(), longest))
	}
	return foreign(err)
}

// longest bounds what is told of an error, in bytes.
const longest = 2 << 10

// foreign returns an error's text on one line. net/http and crypto/x509 quote a broken answer and the names in a
// certificate as they are: these stand in quotes.
func foreign(err error) string {
	text := plain.Bound(plain.Line(err.Error()), longest)
	if errors.As(err, new(textproto.ProtocolError)) || errors.As(err, new(x509.HostnameError)) || errors.As(err, new(x509.CertificateInvalidError)) {
		return plain.Said(text)
	}
	return text
}
