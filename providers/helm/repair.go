package helm

import (
	"context"
	"fmt"

	"helm.sh/helm/v3/pkg/release"

	"upkeep/providers/helm/pending"
)

// Repair does what pending.Decide chose, to that very revision. It changes Helm's record alone, nothing in the cluster;
// the next Upgrade brings the cluster to what is wanted. A release that is no longer in the state that was decided on
// is ErrMoved; one that is already repaired is no error.
func (c *Client) Repair(ctx context.Context, namespace, name string, m pending.Repair) error {
	at := namespace + "/" + name
	switch m.Action {
	case pending.None:
		return nil
	case pending.Wait:
		return fmt.Errorf("release %s: %w: %s", at, ErrPending, m.Why)
	case pending.Unlock:
	default:
		return fmt.Errorf("release %s: cannot repair by %q", at, m.Action)
	}
	configuration, err := c.acting(ctx, namespace, nil)
	if err != nil {
		return fmt.Errorf("release %s: %w", at, err)
	}
	last, _, err := lastAndDeployed(configuration, name)
	if err != nil {
		return fmt.Errorf("release %s: %w", at, err)
	}
	switch {
	case last == nil:
		return fmt.Errorf("release %s: %w: it is gone", at, ErrMoved)
	case last.Version == m.Revision && last.Info.Status == release.StatusFailed:
		return nil // unlocked before
	case last.Version != m.Revision || string(last.Info.Status) != m.Status:
		return fmt.Errorf("release %s: %w: revision %d is %s; revision %d was %s", at, ErrMoved, last.Version, last.Info.Status, m.Revision, m.Status)
	}
	last.SetStatus(release.StatusFailed, fmt.Sprintf("Interrupted in state %s; unlocked by upkeep", m.Status))
	if err := configuration.Releases.Update(last); err != nil {
		return fmt.Errorf("release %s: marking revision %d as failed: %w", at, m.Revision, err)
	}
	return nil
}
