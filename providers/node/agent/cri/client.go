package cri

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"upkeep/providers/node/agent/disk"
)

// Labels that the kubelet puts on every container (pkg/kubelet/types/labels.go of Kubernetes).
const (
	labelPodName   = "io.kubernetes.pod.name"
	labelNamespace = "io.kubernetes.pod.namespace"
	labelContainer = "io.kubernetes.container.name"
)

// callTimeout bounds a question to the runtime; a stop has its own.
const callTimeout = 5 * time.Second

// Client is a connection to the runtime. Close it.
type Client struct {
	conn    *grpc.ClientConn
	runtime runtime.RuntimeServiceClient
	socket  string
}

// Container is one running container of a static pod.
type Container struct {
	ID        string
	Component string
	StartedAt time.Time
	Attempt   uint32
}

// Dial finds the runtime's socket and connects to it. That somebody answers is known only with the first call.
func Dial(d *disk.Disk) (*Client, error) {
	socket, err := Socket(d)
	if err != nil {
		return nil, err
	}
	real := d.Real(socket)
	if err := checkSocket(real); err != nil {
		return nil, fmt.Errorf("CRI socket %s: %w", socket, err)
	}
	conn, err := grpc.NewClient("passthrough:///cri",
		grpc.WithTransportCredentials(insecure.NewCredentials()), // a socket of this node that root alone may open
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", real)
		}),
		grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)), // as the kubelet allows
	)
	if err != nil {
		return nil, fmt.Errorf("CRI socket %s: %w", socket, err)
	}
	return &Client{conn: conn, runtime: runtime.NewRuntimeServiceClient(conn), socket: socket}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Running returns the newest running container of each component that has one, sorted by component.
func (c *Client) Running(ctx context.Context, components []string) ([]Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.runtime.ListContainers(ctx, &runtime.ListContainersRequest{Filter: &runtime.ContainerFilter{
		State:         &runtime.ContainerStateValue{State: runtime.ContainerState_CONTAINER_RUNNING},
		LabelSelector: map[string]string{labelNamespace: "kube-system"},
	}})
	if err != nil {
		return nil, fmt.Errorf("list containers through %s: %w", c.socket, err)
	}
	newest := map[string]*runtime.Container{}
	for _, found := range list.GetContainers() {
		component := found.GetLabels()[labelContainer]
		// A static pod is named after its manifest and its node: kube-scheduler-cp1.
		if !slices.Contains(components, component) || !strings.HasPrefix(found.GetLabels()[labelPodName], component+"-") {
			continue
		}
		if found.GetState() != runtime.ContainerState_CONTAINER_RUNNING {
			continue
		}
		if before := newest[component]; before == nil || later(found, before) {
			newest[component] = found
		}
	}
	var out []Container
	for component, found := range newest {
		answer, err := c.runtime.ContainerStatus(ctx, &runtime.ContainerStatusRequest{ContainerId: found.GetId()})
		if status.Code(err) == codes.NotFound {
			continue // ended and removed between the two questions
		}
		if err != nil {
			return nil, fmt.Errorf("status of %s container %.12s through %s: %w", component, found.GetId(), c.socket, err)
		}
		started := answer.GetStatus().GetStartedAt()
		if started == 0 {
			started = found.GetCreatedAt()
		}
		out = append(out, Container{
			ID: found.GetId(), Component: component, StartedAt: time.Unix(0, started).UTC(),
			Attempt: found.GetMetadata().GetAttempt(),
		})
	}
	slices.SortFunc(out, func(a, b Container) int { return cmp.Compare(a.Component, b.Component) })
	return out, nil
}

// later orders containers by their creation, then attempt, then id, so that the same answer always yields the same one.
func later(a, b *runtime.Container) bool {
	return cmp.Or(
		cmp.Compare(a.GetCreatedAt(), b.GetCreatedAt()),
		cmp.Compare(a.GetMetadata().GetAttempt(), b.GetMetadata().GetAttempt()),
		cmp.Compare(a.GetId(), b.GetId()),
	) > 0
}

// stop ends a container: SIGTERM, then SIGKILL after the grace period.
func (c *Client) stop(ctx context.Context, id string, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace+callTimeout)
	defer cancel()
	_, err := c.runtime.StopContainer(ctx, &runtime.StopContainerRequest{ContainerId: id, Timeout: int64(grace / time.Second)})
	if err != nil {
		return fmt.Errorf("stop container %.12s through %s: %w", id, c.socket, err)
	}
	return nil
}

// remove removes a container that has ended. One that is gone already is no error.
func (c *Client) remove(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := c.runtime.RemoveContainer(ctx, &runtime.RemoveContainerRequest{ContainerId: id})
	if err != nil && status.Code(err) != codes.NotFound {
		return fmt.Errorf("remove container %.12s through %s: %w", id, c.socket, err)
	}
	return nil
}

func ownedByRoot(info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("it is owned by user %d, not by root", st.Uid)
	}
	return nil
}
