package helm

import (
	"context"
	"fmt"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/release"

	"upkeep/providers/facts"
	"upkeep/providers/helm/objects"
	"upkeep/providers/plain"
)

// lookAfter bounds the look at the pods after a failure.
const lookAfter = 10 * time.Second

// explain says why an upgrade failed, with the pods that are not ready: Helm's own "context deadline exceeded" names
// nobody.
func (c *Client) explain(ctx context.Context, failure error, made *release.Release, redaction objects.Redaction) string {
	text := explain(failure)
	if made == nil || made.Manifest == "" || c.dynamic == nil {
		return text
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookAfter)
	defer cancel()
	var seen facts.Release
	c.live(ctx, &seen, made, facts.ReleaseQuestion{Namespace: made.Namespace, Name: made.Name}, redaction)
	var problems []string
	for _, w := range seen.Workloads {
		for _, pod := range w.Pods {
			switch {
			case pod.Problem != "":
				problems = append(problems, fmt.Sprintf("pod %s: %s", pod.Name, plain.Said(pod.Problem)))
			case !pod.Ready && !pod.Deleting:
				problems = append(problems, fmt.Sprintf("pod %s is %s and not ready", pod.Name, pod.Phase))
			}
		}
	}
	if len(problems) == 0 {
		return text
	}
	return text + " (" + strings.Join(problems, "; ") + ")"
}
