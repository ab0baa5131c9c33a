package helm

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"upkeep/providers/facts"
	"upkeep/providers/helm/objects"
)

// environmentTimeout bounds how long a container may take to print its environment, and environmentLimit how much of it
// is read.
const (
	environmentTimeout = 10 * time.Second
	environmentLimit   = 1 << 20
)

// environment asks the running containers of a pod for their environment: what they were really started with, which
// neither the pod's spec nor a ConfigMap can tell.
func (c *Client) environment(ctx context.Context, pod corev1.Pod, f *facts.Pod, question facts.ReleaseQuestion, redaction objects.Redaction) {
	command := question.EnvironmentCommand
	if len(command) == 0 {
		command = []string{"env"}
	}
	for i := range f.Containers {
		container := &f.Containers[i]
		if container.Started.IsZero() {
			container.LiveUnknown = "it does not run"
			continue
		}
		printed, err := c.execute(ctx, pod.Namespace, pod.Name, container.Name, command, environmentTimeout, environmentLimit)
		if err != nil {
			container.LiveUnknown = fmt.Sprintf("running %q in it: %s", strings.Join(command, " "), redaction.Scrub(explain(err)))
			continue
		}
		container.Live = parseEnvironment(printed, question.Environment, redaction)
	}
}

// parseEnvironment reads NAME=VALUE lines, and keeps the names that a pattern matches. A line without "=" continues the
// value before it.
func parseEnvironment(printed []byte, patterns []string, redaction objects.Redaction) map[string]string {
	all := map[string]string{}
	name := ""
	for line := range strings.Lines(string(printed)) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if before, after, ok := strings.Cut(line, "="); ok && before != "" && !strings.ContainsAny(before, " \t") {
			name = before
			all[name] = after
		} else if name != "" {
			all[name] += "\n" + line
		}
	}
	out := map[string]string{}
	for name, value := range all {
		for _, pattern := range patterns {
			if ok, err := path.Match(pattern, name); err == nil && ok {
				out[name] = redaction.Text(name, value)
			}
		}
	}
	return out
}
