package cri

import "context"

// Wake has the kubelet start components at once that end over and over, since what they could not do without is there
// now: of each that does not run, the containers that have ended are removed. Without them the kubelet has nothing to
// count its pause by, which grows to five minutes (k8s.io/kubernetes pkg/kubelet, doBackOff). What cannot be removed
// starts later, by itself.
func (c *Client) Wake(ctx context.Context, components []string, progress func(string)) {
	for _, component := range components {
		if now, err := c.running(ctx, component); err != nil || now.ID != "" {
			continue
		}
		ended := c.ended(ctx, component)
		for _, id := range ended {
			c.forget(ctx, id, progress)
		}
		if len(ended) > 0 {
			progress(component + " had ended; the kubelet starts it again now")
		}
	}
}
