package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/providers/facts"
)

// What an Akash provider puts on a tenant's objects (akash-network/provider, cluster/kube/builder, v0.16).
const (
	leaseLabel    = "akash.network/lease.id."
	leaseSelector = leaseLabel + "dseq"
	serviceLabel  = "akash.network/manifest-service"
	// manifestsPath lists the provider's own record of each lease, a custom resource.
	manifestsPath = "/apis/akash.network/v2beta2/namespaces/lease/manifests"
)

// The resources that are GPUs to a tenant.
var gpuResources = []corev1.ResourceName{"nvidia.com/gpu", "amd.com/gpu"}

// tenantPage is how many objects one list request returns at most.
const tenantPage = 500

// Tenancies reads the leases of an Akash provider's tenants: their namespaces, the provider's records of them, and
// their pods. It does not fail: what cannot be read is unknown with its reason. A cluster without a provider has none.
func (c *Client) Tenancies(ctx context.Context) facts.Tenancies {
	leases, err := c.leaseNamespaces(ctx)
	if err != nil {
		return facts.Tenancies{Unknown: fmt.Sprintf("%s: namespaces of leases: %s", c.config.Host, explain(err))}
	}
	manifests, err := c.manifests(ctx)
	if err != nil {
		return facts.Tenancies{Unknown: fmt.Sprintf("%s: manifests of leases: %s", c.config.Host, explain(err))}
	}
	for _, known := range manifests {
		lease := leases[known.Namespace]
		if lease == nil {
			// The provider knows a lease whose namespace is gone, or not there yet: it is a lease all the same.
			lease = &known
			leases[known.Namespace] = lease
		}
		lease.Manifest = true
	}
	if err := c.tenantPods(ctx, leases); err != nil {
		return facts.Tenancies{Unknown: fmt.Sprintf("%s: pods of leases: %s", c.config.Host, explain(err))}
	}
	var t facts.Tenancies
	for _, lease := range leases {
		slices.SortFunc(lease.Pods, func(a, b facts.TenantPod) int { return cmp.Compare(a.Name, b.Name) })
		t.Leases = append(t.Leases, *lease)
	}
	slices.SortFunc(t.Leases, func(a, b facts.TenantLease) int { return cmp.Compare(a.Namespace, b.Namespace) })
	return t
}

func leaseOf(namespace string, labels map[string]string) facts.TenantLease {
	return facts.TenantLease{
		Namespace: namespace,
		Owner:     labels[leaseLabel+"owner"],
		DSeq:      labels[leaseLabel+"dseq"],
		GSeq:      labels[leaseLabel+"gseq"],
		OSeq:      labels[leaseLabel+"oseq"],
		Provider:  labels[leaseLabel+"provider"],
	}
}

func (c *Client) leaseNamespaces(ctx context.Context) (map[string]*facts.TenantLease, error) {
	out := map[string]*facts.TenantLease{}
	options := metav1.ListOptions{LabelSelector: leaseSelector, Limit: tenantPage}
	for {
		page, err := c.api.CoreV1().Namespaces().List(ctx, options)
		if err != nil {
			return nil, err
		}
		for _, namespace := range page.Items {
			lease := leaseOf(namespace.Name, namespace.Labels)
			out[namespace.Name] = &lease
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return out, nil
		}
	}
}

// manifests returns the leases that the provider's custom resources name; none where the kind does not exist.
func (c *Client) manifests(ctx context.Context) ([]facts.TenantLease, error) {
	var out []facts.TenantLease
	next := ""
	for {
		request := c.api.Discovery().RESTClient().Get().AbsPath(manifestsPath).SetHeader("Accept", "application/json").
			Param("limit", fmt.Sprint(tenantPage))
		if next != "" {
			request = request.Param("continue", next)
		}
		raw, err := request.Do(ctx).Raw()
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		page, more, err := decodeManifests(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
		if next = more; next == "" {
			return out, nil
		}
	}
}

// decodeManifests reads a list of Manifest objects: their names and labels alone, since the rest is the tenant's.
func decodeManifests(raw []byte) ([]facts.TenantLease, string, error) {
	var list struct {
		Metadata struct {
			Continue string `json:"continue"`
		} `json:"metadata"`
		Items []struct {
			Metadata struct {
				Name   string            `json:"name"`
				Labels map[string]string `json:"labels"`
			} `json:"metadata"`
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, "", fmt.Errorf("manifests are not what was expected: %w", err)
	}
	var out []facts.TenantLease
	for _, item := range list.Items {
		if item.Metadata.Name != "" {
			out = append(out, leaseOf(item.Metadata.Name, item.Metadata.Labels))
		}
	}
	return out, list.Metadata.Continue, nil
}

func (c *Client) tenantPods(ctx context.Context, leases map[string]*facts.TenantLease) error {
	options := metav1.ListOptions{LabelSelector: serviceLabel, Limit: tenantPage}
	for {
		page, err := c.api.CoreV1().Pods(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return err
		}
		for _, pod := range page.Items {
			if lease := leases[pod.Namespace]; lease != nil {
				lease.Pods = append(lease.Pods, tenantPod(pod))
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return nil
		}
	}
}

func tenantPod(pod corev1.Pod) facts.TenantPod {
	f := facts.TenantPod{
		Name:    pod.Name,
		Service: pod.Labels[serviceLabel],
		Node:    pod.Spec.NodeName,
		Phase:   string(pod.Status.Phase),
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			f.Ready = condition.Status == corev1.ConditionTrue
		}
	}
	ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	for _, container := range pod.Spec.Containers {
		for _, name := range gpuResources {
			if quantity, ok := container.Resources.Limits[name]; ok && !ended {
				f.GPUs += int(quantity.Value())
			}
		}
	}
	f.Persistent = slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil })
	return f
}
