package cri

import (
	"context"
	"fmt"
	"slices"
	"time"

	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"upkeep/providers/node/protocol"
)

// RestartStale is Restart where nobody can say which container will run by then: a component that cannot reach its API
// server ends and starts again on its own. The container that runs is ended unless it started after the component's
// kubeconfig was written. Where none runs, those that have ended are removed, so that the kubelet does not wait before
// the next.
func (c *Client) RestartStale(
	ctx context.Context, r protocol.RestartRequest, written time.Time, components []string, progress func(string),
) (protocol.RestartResult, error) {
	if !slices.Contains(components, r.Component) {
		return protocol.RestartResult{}, fmt.Errorf("restart %q: not a static pod of the control plane; those are %v",
			r.Component, components)
	}
	before, err := c.running(ctx, r.Component)
	switch {
	case err != nil:
		return protocol.RestartResult{}, fmt.Errorf("restart %s: %w", r.Component, err)
	case before.ID == "":
		for _, id := range c.ended(ctx, r.Component) {
			r.ContainerID = id
			c.forget(ctx, id, progress)
		}
		if r.ContainerID == "" {
			r.ContainerID = "none"
		}
	case before.StartedAt.After(written):
		progress(fmt.Sprintf("%s runs since %s and uses its new kubeconfig",
			r.Component, before.StartedAt.Format(time.RFC3339)))
		return protocol.RestartResult{ContainerID: before.ID}, nil
	default:
		r.ContainerID = before.ID
	}
	return c.Restart(ctx, r, components, progress)
}

// ended returns the containers of a component that have ended, the newest last.
func (c *Client) ended(ctx context.Context, component string) (ids []string) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.runtime.ListContainers(ctx, &runtime.ListContainersRequest{Filter: &runtime.ContainerFilter{
		State:         &runtime.ContainerStateValue{State: runtime.ContainerState_CONTAINER_EXITED},
		LabelSelector: map[string]string{labelNamespace: "kube-system", labelContainer: component},
	}})
	if err != nil {
		return nil // the kubelet then waits a little longer
	}
	found := list.GetContainers()
	slices.SortFunc(found, func(a, b *runtime.Container) int {
		if later(a, b) {
			return 1
		}
		return -1
	})
	for _, f := range found {
		if f.GetLabels()[labelContainer] == component && f.GetState() == runtime.ContainerState_CONTAINER_EXITED {
			ids = append(ids, f.GetId())
		}
	}
	return ids
}
