// Package critest is a container runtime for tests: a CRI server on a unix socket that holds a few static pods
// and starts a container anew when one is stopped, as the kubelet would have it: at once where the old one is
// removed, and later where it is still there.
package critest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Server is the runtime. Its methods may be called while it serves.
type Server struct {
	runtime.UnimplementedRuntimeServiceServer

	mu         sync.Mutex
	containers []*container
	stopped    []string
	startAfter time.Duration
	backOff    time.Duration
	made       int

	// Handlers are the names of the runtime's handlers, Config its configuration as containerd answers it. They are set
	// before anybody asks.
	Handlers []string
	Config   string
}

type container struct {
	id, component, pod, namespace string
	created                       time.Time
	attempt                       uint32
	running                       bool
	// next starts the container that takes over, once; nil while this one runs, or when none is to come.
	next *time.Timer
}

// Serve starts a runtime on the socket, whose directory it makes. Stop it with the returned function.
func Serve(socket string) (*Server, func(), error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, nil, err
	}
	s := &Server{}
	g := grpc.NewServer()
	runtime.RegisterRuntimeServiceServer(g, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.Serve(listener)
	}()
	return s, func() { g.Stop(); <-done }, nil
}

// Add adds a running container of a pod in a namespace and returns its id.
func (s *Server) Add(namespace, pod, component string, created time.Time, attempt uint32) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(namespace, pod, component, created, attempt)
}

func (s *Server) add(namespace, pod, component string, created time.Time, attempt uint32) string {
	s.made++
	id := fmt.Sprintf("%064x", s.made)
	s.containers = append(s.containers, &container{
		id: id, component: component, pod: pod, namespace: namespace, created: created, attempt: attempt, running: true,
	})
	return id
}

// RestartAfter makes a stopped container come back in a new one after d; a negative d: never. The default is at once.
func (s *Server) RestartAfter(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.startAfter = d
}

// BackOff makes a component whose ended container is still there wait for d before another one is started.
func (s *Server) BackOff(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backOff = d
}

// Stopped returns the ids of the containers that were stopped, in order.
func (s *Server) Stopped() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.stopped...)
}

// Kill ends a container as if its process had died; nothing comes back.
func (s *Server) Kill(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.find(id); c != nil {
		c.running = false
	}
}

func (s *Server) find(id string) *container {
	for _, c := range s.containers {
		if c.id == id {
			return c
		}
	}
	return nil
}

// ListContainers implements the CRI.
func (s *Server) ListContainers(_ context.Context, r *runtime.ListContainersRequest) (*runtime.ListContainersResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	res := &runtime.ListContainersResponse{}
	for _, c := range s.containers {
		labels := map[string]string{
			"io.kubernetes.container.name": c.component, "io.kubernetes.pod.name": c.pod, "io.kubernetes.pod.namespace": c.namespace,
		}
		state := runtime.ContainerState_CONTAINER_EXITED
		if c.running {
			state = runtime.ContainerState_CONTAINER_RUNNING
		}
		matches := r.GetFilter().GetState() == nil || r.GetFilter().GetState().GetState() == state
		for k, v := range r.GetFilter().GetLabelSelector() {
			matches = matches && labels[k] == v
		}
		if matches {
			res.Containers = append(res.Containers, &runtime.Container{
				Id: c.id, State: state, CreatedAt: c.created.UnixNano(), Labels: labels,
				Metadata: &runtime.ContainerMetadata{Name: c.component, Attempt: c.attempt},
			})
		}
	}
	return res, nil
}

// ContainerStatus implements the CRI. A container starts a millisecond after it was created.
func (s *Server) ContainerStatus(_ context.Context, r *runtime.ContainerStatusRequest) (*runtime.ContainerStatusResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(r.GetContainerId())
	if c == nil {
		return nil, status.Errorf(codes.NotFound, "no container %s", r.GetContainerId())
	}
	return &runtime.ContainerStatusResponse{Status: &runtime.ContainerStatus{
		Id: c.id, CreatedAt: c.created.UnixNano(), StartedAt: c.created.Add(time.Millisecond).UnixNano(),
	}}, nil
}

// StopContainer implements the CRI, and what the kubelet does then.
func (s *Server) StopContainer(_ context.Context, r *runtime.StopContainerRequest) (*runtime.StopContainerResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(r.GetContainerId())
	if c == nil {
		return nil, status.Errorf(codes.NotFound, "no container %s", r.GetContainerId())
	}
	s.stopped = append(s.stopped, c.id)
	if !c.running {
		return &runtime.StopContainerResponse{}, nil
	}
	s.end(c)
	return &runtime.StopContainerResponse{}, nil
}

// End ends a container as StopContainer does, without anybody's asking for it through the CRI.
func (s *Server) End(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.find(id); c != nil && c.running {
		s.end(c)
	}
}

// end ends a running container; the kubelet starts another one.
func (s *Server) end(c *container) {
	c.running = false
	if s.startAfter >= 0 {
		c.next = time.AfterFunc(s.startAfter+s.backOff, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.add(c.namespace, c.pod, c.component, time.Now(), c.attempt+1)
		})
	}
}

// RemoveContainer implements the CRI, and what the kubelet does then: it has nothing left to back off from.
func (s *Server) RemoveContainer(_ context.Context, r *runtime.RemoveContainerRequest) (*runtime.RemoveContainerResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.containers, func(c *container) bool { return c.id == r.GetContainerId() })
	if i < 0 {
		return &runtime.RemoveContainerResponse{}, nil
	}
	c := s.containers[i]
	if c.running {
		return nil, status.Errorf(codes.FailedPrecondition, "container %s runs", c.id)
	}
	s.containers = slices.Delete(s.containers, i, i+1)
	if c.next != nil && c.next.Stop() {
		c.next.Reset(s.startAfter)
	}
	return &runtime.RemoveContainerResponse{}, nil
}

// Version implements the CRI.
func (s *Server) Version(context.Context, *runtime.VersionRequest) (*runtime.VersionResponse, error) {
	return &runtime.VersionResponse{Version: "0.1.0", RuntimeName: "containerd", RuntimeVersion: "v2.0.2", RuntimeApiVersion: "v1"}, nil
}

// Status implements the CRI.
func (s *Server) Status(_ context.Context, r *runtime.StatusRequest) (*runtime.StatusResponse, error) {
	out := &runtime.StatusResponse{}
	for _, name := range s.Handlers {
		out.RuntimeHandlers = append(out.RuntimeHandlers, &runtime.RuntimeHandler{Name: name})
	}
	if r.GetVerbose() && s.Config != "" {
		out.Info = map[string]string{"config": s.Config}
	}
	return out, nil
}
