package helm

import (
	"context"
	"fmt"
	"time"

	"helm.sh/helm/v3/pkg/action"
	helmkube "helm.sh/helm/v3/pkg/kube"
)

// waiting is Helm's client of the cluster whose waits end with ctx. Helm's own take none, and would keep a person who
// pressed Ctrl-C for as long as the timeout.
type waiting struct {
	*helmkube.Client
	ctx      context.Context
	progress func(string)
}

func (w *waiting) Wait(resources helmkube.ResourceList, timeout time.Duration) error {
	w.progress(fmt.Sprintf("waiting until %d objects are ready, for %s at most", len(resources), timeout))
	return until(w.ctx, func() error { return w.Client.Wait(resources, timeout) })
}

func (w *waiting) WaitWithJobs(resources helmkube.ResourceList, timeout time.Duration) error {
	w.progress(fmt.Sprintf("waiting until %d objects are ready, for %s at most", len(resources), timeout))
	return until(w.ctx, func() error { return w.Client.WaitWithJobs(resources, timeout) })
}

func (w *waiting) WatchUntilReady(resources helmkube.ResourceList, timeout time.Duration) error {
	w.progress("waiting for a hook of the chart")
	return until(w.ctx, func() error { return w.Client.WatchUntilReady(resources, timeout) })
}

func (w *waiting) WaitForDelete(resources helmkube.ResourceList, timeout time.Duration) error {
	return until(w.ctx, func() error { return w.Client.WaitForDelete(resources, timeout) })
}

// until returns what wait returns, or ctx's cause when it ends first; wait then goes on reading until its own timeout.
func until(ctx context.Context, wait func() error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- wait() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("interrupted while waiting: %w", context.Cause(ctx))
	}
}

// acting prepares Helm for one act in a namespace.
func (c *Client) acting(ctx context.Context, namespace string, progress func(string)) (*action.Configuration, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	configuration, err := c.configuration(namespace)
	if err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(string) {}
	}
	if client, ok := configuration.KubeClient.(*helmkube.Client); ok {
		configuration.KubeClient = &waiting{Client: client, ctx: ctx, progress: progress}
	}
	return configuration, nil
}
