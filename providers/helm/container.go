package helm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

var errNotConnected = errors.New("no connection to the cluster")

// Run runs a command in a container and returns what it prints, up to limit bytes; it takes until ctx ends. The error
// has what the command wrote to its standard error.
func (c *Client) Run(ctx context.Context, namespace, pod, container string, command []string, limit int) ([]byte, error) {
	printed, err := c.execute(ctx, namespace, pod, container, command, 0, limit)
	if err != nil {
		return nil, errors.New(explain(err))
	}
	return printed, nil
}

// Log opens the newest lines of a container's log; each begins with its time as RFC 3339 has it. The caller bounds and closes
// what it reads.
func (c *Client) Log(ctx context.Context, namespace, pod, container string, lines int64) (stream io.ReadCloser, err error) {
	options := &corev1.PodLogOptions{Container: container, TailLines: &lines, Timestamps: true}
	err = c.do(ctx, func() error {
		stream, err = c.typed.CoreV1().Pods(namespace).GetLogs(pod, options).Stream(ctx)
		return err
	})
	if err != nil {
		return nil, errors.New(explain(err))
	}
	return stream, nil
}

// execute runs a command in a container and returns what it prints, up to limit bytes. A timeout of zero is ctx's own.
func (c *Client) execute(ctx context.Context, namespace, pod, container string, command []string, timeout time.Duration, limit int) ([]byte, error) {
	if c.rest == nil {
		return nil, errNotConnected
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	request := c.typed.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: container, Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	connection := rest.CopyConfig(c.rest)
	connection.Timeout = 0 // the command has its own
	// Servers before 1.30 do not speak exec over WebSocket.
	socket, err := remotecommand.NewWebSocketExecutor(connection, http.MethodGet, request.URL().String())
	if err != nil {
		return nil, err
	}
	old, err := remotecommand.NewSPDYExecutor(connection, http.MethodPost, request.URL())
	if err != nil {
		return nil, err
	}
	executor, err := remotecommand.NewFallbackExecutor(socket, old, func(err error) bool {
		return strings.Contains(err.Error(), "unable to upgrade") || strings.Contains(err.Error(), "websocket")
	})
	if err != nil {
		return nil, err
	}
	stdout, stderr := &limited{most: limit}, &limited{most: errorLimit}
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

// errorLimit is how much is kept of what a command writes to its standard error.
const errorLimit = 4096

// limited keeps the first bytes that are written to it.
type limited struct {
	bytes.Buffer
	most int
}

func (l *limited) Write(data []byte) (int, error) {
	if room := l.most - l.Len(); room > 0 {
		l.Buffer.Write(data[:min(room, len(data))])
	}
	return len(data), nil
}
