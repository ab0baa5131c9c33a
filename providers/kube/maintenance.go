package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/providers/facts"
)

// rebootLock is the annotation of its DaemonSet in which kured keeps who may reboot (kured, --lock-annotation). It
// takes the lock before it cordons, and gives it back after the boot.
const rebootLock = "weave.works/kured-node-lock"

// maintenanceKinds are the custom resources by which a node is given to somebody's work, for as long as one exists.
// Both have the node's name in spec.nodeName.
var maintenanceKinds = []struct{ group, path, by string }{
	{"maintenance.nvidia.com", "/apis/maintenance.nvidia.com/v1alpha1/nodemaintenances", "NVIDIA's maintenance operator"},
	{"nodemaintenance.medik8s.io", "/apis/nodemaintenance.medik8s.io/v1beta1/nodemaintenances", maintainerMedik8s},
}

// Maintenance reads which nodes other programs have for their work. It does not fail: what cannot be read is unknown
// with its reason, in addition to what could.
func (c *Client) Maintenance(ctx context.Context) (m facts.Maintenance) {
	note := func(what string, err error) {
		if err != nil && m.Unknown == "" {
			m.Unknown = fmt.Sprintf("%s: listing %s: %s", c.host(), what, explain(err))
		}
	}
	locks, err := c.rebootLocks(ctx)
	note("DaemonSets", err)
	m.Claims = append(m.Claims, locks...)
	for _, kind := range maintenanceKinds {
		claims, err := c.maintenanceObjects(ctx, kind.path, kind.by)
		note("nodemaintenances."+kind.group, err)
		m.Claims = append(m.Claims, claims...)
	}
	slices.SortFunc(m.Claims, func(a, b facts.MaintenanceClaim) int {
		return cmp.Or(strings.Compare(a.Node, b.Node), strings.Compare(a.By, b.By), strings.Compare(a.Evidence, b.Evidence))
	})
	return m
}

// rebootLocks are the locks of kured, wherever it runs.
func (c *Client) rebootLocks(ctx context.Context) (out []facts.MaintenanceClaim, err error) {
	options := metav1.ListOptions{Limit: podPage}
	for {
		page, err := c.api.AppsV1().DaemonSets(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return out, err
		}
		for i := range page.Items {
			set := &page.Items[i]
			text, is := set.Annotations[rebootLock]
			if !is {
				continue
			}
			claims, err := decodeRebootLock(text)
			if err != nil {
				return out, fmt.Errorf("DaemonSet %s/%s: annotation %s: %w", set.Namespace, set.Name, rebootLock, err)
			}
			for _, claim := range claims {
				claim.Evidence = fmt.Sprintf("DaemonSet %s/%s, annotation %s", set.Namespace, set.Name, rebootLock)
				out = append(out, claim)
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return out, nil
		}
	}
}

// decodeRebootLock reads kured's lock: one holder, or several with --concurrency (kured 1.23, pkg/daemonsetlock). A TTL
// is in nanoseconds; 0: the lock does not end by itself.
func decodeRebootLock(text string) (out []facts.MaintenanceClaim, err error) {
	type holder struct {
		NodeID  string        `json:"nodeID"`
		Created time.Time     `json:"created"`
		TTL     time.Duration `json:"TTL"`
	}
	var lock struct {
		holder
		Locks []holder `json:"locks"`
	}
	if err := json.Unmarshal([]byte(text), &lock); err != nil {
		return nil, err
	}
	for _, h := range append([]holder{lock.holder}, lock.Locks...) {
		if h.NodeID == "" {
			continue
		}
		claim := facts.MaintenanceClaim{Node: h.NodeID, By: maintainerKured}
		if h.TTL > 0 {
			claim.Until = h.Created.UTC().Add(h.TTL)
		}
		out = append(out, claim)
	}
	return out, nil
}

// maintenanceObjects are the claims of one kind; none where the cluster does not have the kind.
func (c *Client) maintenanceObjects(ctx context.Context, path, by string) (out []facts.MaintenanceClaim, err error) {
	for next := ""; ; {
		request := c.api.Discovery().RESTClient().Get().AbsPath(path).SetHeader("Accept", "application/json").
			Param("limit", fmt.Sprint(podPage))
		if next != "" {
			request = request.Param("continue", next)
		}
		raw, err := request.Do(ctx).Raw()
		if apierrors.IsNotFound(err) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		claims, more, err := decodeMaintenance(raw, by)
		if err != nil {
			return out, err
		}
		out = append(out, claims...)
		if next = more; next == "" {
			return out, nil
		}
	}
}

// decodeMaintenance reads a list of NodeMaintenance objects of either group.
func decodeMaintenance(raw []byte, by string) (out []facts.MaintenanceClaim, next string, err error) {
	var list struct {
		Metadata struct {
			Continue string `json:"continue"`
		} `json:"metadata"`
		Items []struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
			Spec struct {
				NodeName    string `json:"nodeName"`
				RequestorID string `json:"requestorID"`
				Reason      string `json:"reason"`
			} `json:"spec"`
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, "", fmt.Errorf("NodeMaintenance objects are not what was expected: %w", err)
	}
	for _, item := range list.Items {
		if item.Spec.NodeName == "" {
			continue
		}
		evidence := "NodeMaintenance " + item.Metadata.Name
		if why := cmp.Or(item.Spec.RequestorID, item.Spec.Reason); why != "" {
			evidence += ": " + why
		}
		out = append(out, facts.MaintenanceClaim{Node: item.Spec.NodeName, By: by, Evidence: evidence})
	}
	return out, list.Metadata.Continue, nil
}
