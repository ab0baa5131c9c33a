package cri

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"upkeep/providers/node/protocol"
)

// grace is how long a component may take to end before it is killed. kube-apiserver took 47 s to drain on a real
// cluster, and etcd hands leadership over first; the other two hold nothing.
func grace(component string) time.Duration {
	switch component {
	case "kube-apiserver":
		return 90 * time.Second
	case "etcd":
		return 60 * time.Second
	}
	return 30 * time.Second
}

// DefaultTimeout bounds a restart whose request names no limit: the longest grace period, and time for the kubelet to
// notice and start another container.
const DefaultTimeout = 2 * time.Minute

// poll is how often the runtime is asked for the new container.
const poll = 200 * time.Millisecond

// Restart ends the container that the request names and waits until the kubelet has started another one for the same
// component. If that container no longer runs, nothing is ended: a newer one that runs is the answer, and where none
// runs yet one is waited for. Components are those that may be restarted; anything else is refused.
//
// The ended container is removed as well. The kubelet takes every container that has ended for one that crashed, and makes
// a component that is restarted again within ten minutes wait for 10 s, 20 s, 40 s, up to 5 min, counted from the end of
// its last container that is still there (doBackOff in pkg/kubelet/kuberuntime/kuberuntime_manager.go of Kubernetes
// v1.35): without one it starts the next at once. The log file stays.
func (c *Client) Restart(ctx context.Context, r protocol.RestartRequest, components []string, progress func(string)) (protocol.RestartResult, error) {
	if !slices.Contains(components, r.Component) {
		return protocol.RestartResult{}, fmt.Errorf("restart %q: not a static pod of the control plane; those are %v", r.Component, components)
	}
	if r.ContainerID == "" {
		return protocol.RestartResult{}, fmt.Errorf("restart %s: the request names no container", r.Component)
	}
	limit := time.Duration(r.TimeoutSeconds) * time.Second
	if limit <= 0 {
		limit = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	before, err := c.running(ctx, r.Component)
	if err != nil {
		return protocol.RestartResult{}, fmt.Errorf("restart %s: %w", r.Component, err)
	}
	switch before.ID {
	case r.ContainerID:
		progress(fmt.Sprintf("ending %s container %.12s, which runs since %s", r.Component, before.ID, before.StartedAt.Format(time.RFC3339)))
		if err := c.stop(ctx, before.ID, grace(r.Component)); err != nil {
			return protocol.RestartResult{}, fmt.Errorf("restart %s: %w", r.Component, c.explain(err, r.Component))
		}
		c.forget(ctx, r.ContainerID, progress)
	case "":
		progress(fmt.Sprintf("%s container %.12s does not run; waiting for the kubelet to start another", r.Component, r.ContainerID))
		c.forget(ctx, r.ContainerID, progress)
	default:
		progress(fmt.Sprintf("%s already runs in another container, %.12s since %s", r.Component, before.ID, before.StartedAt.Format(time.RFC3339)))
		return protocol.RestartResult{ContainerID: before.ID}, nil
	}
	for {
		now, err := c.running(ctx, r.Component)
		switch {
		// gRPC may find that the time is up a moment before the context says so.
		case err != nil && ctx.Err() == nil && status.Code(err) != codes.DeadlineExceeded:
			return protocol.RestartResult{}, fmt.Errorf("restart %s: %w", r.Component, err)
		case err == nil && now.ID != "" && now.ID != r.ContainerID && (before.ID == "" || now.StartedAt.After(before.StartedAt)):
			progress(fmt.Sprintf("%s runs in new container %.12s since %s", r.Component, now.ID, now.StartedAt.Format(time.RFC3339)))
			return protocol.RestartResult{ContainerID: now.ID}, nil
		}
		select {
		case <-ctx.Done():
			err := fmt.Errorf("no new container within %s (%w)", limit, context.Cause(ctx))
			return protocol.RestartResult{}, fmt.Errorf("restart %s: %w", r.Component, c.explain(err, r.Component))
		case <-time.After(poll):
		}
	}
}

// forget removes a container that has ended, and says so where it cannot: the kubelet then starts another one all the same,
// later.
func (c *Client) forget(ctx context.Context, id string, progress func(string)) {
	if err := c.remove(ctx, id); err != nil {
		progress(fmt.Sprintf("the kubelet may wait before it starts another container: %v", err))
	}
}

// running returns the component's newest running container; the zero value where none runs.
func (c *Client) running(ctx context.Context, component string) (Container, error) {
	found, err := c.Running(ctx, []string{component})
	if err != nil || len(found) == 0 {
		return Container{}, err
	}
	return found[0], nil
}

// explain adds to an error what runs now, asked again, since the request's own time may be up.
func (c *Client) explain(err error, component string) error {
	now, asked := c.running(context.Background(), component)
	switch {
	case asked != nil:
		return fmt.Errorf("%w; what runs now is unknown: %v", err, asked)
	case now.ID == "":
		return fmt.Errorf("%w; no container of it runs now: see `journalctl -u kubelet` on the node", err)
	}
	return fmt.Errorf("%w; container %.12s runs now, since %s", err, now.ID, now.StartedAt.Format(time.RFC3339))
}
