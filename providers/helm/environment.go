package helm

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"

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
		printed, err := c.execute(ctx, pod, container.Name, command)
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

// execute runs a command in a container and returns what it prints.
func (c *Client) execute(ctx context.Context, pod corev1.Pod, container string, command []string) ([]byte, error) {
	if c.rest == nil {
		return nil, fmt.Errorf("no connection to the cluster")
	}
	ctx, cancel := context.WithTimeout(ctx, environmentTimeout)
	defer cancel()
	request := c.typed.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: container, Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	// Servers before 1.30 do not speak exec over WebSocket.
	socket, err := remotecommand.NewWebSocketExecutor(c.rest, http.MethodGet, request.URL().String())
	if err != nil {
		return nil, err
	}
	old, err := remotecommand.NewSPDYExecutor(c.rest, http.MethodPost, request.URL())
	if err != nil {
		return nil, err
	}
	executor, err := remotecommand.NewFallbackExecutor(socket, old, func(err error) bool {
		return strings.Contains(err.Error(), "unable to upgrade") || strings.Contains(err.Error(), "websocket")
	})
	if err != nil {
		return nil, err
	}
	stdout, stderr := &limited{}, &limited{}
	err = c.do(ctx, func() error {
		return executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: stdout, Stderr: stderr})
	})
	if err != nil {
		if said := strings.TrimSpace(stderr.String()); said != "" {
			return nil, fmt.Errorf("%w: %s", err, said)
		}
		return nil, err
	}
	return stdout.Bytes(), nil
}

// limited keeps the first environmentLimit bytes.
type limited struct{ bytes.Buffer }

func (l *limited) Write(data []byte) (int, error) {
	if room := environmentLimit - l.Len(); room > 0 {
		l.Buffer.Write(data[:min(room, len(data))])
	}
	return len(data), nil
}
