// Command deviceplugin offers the NVIDIA GPUs of a lab host to its kubelet, as NVIDIA's device plugin does: by the
// kubelet's own protocol, so that what the cluster calls capacity and allocatable is the kubelet's word.
//
// It is no device plugin for real devices: a container that gets one gets nothing. It counts the display controllers of
// NVIDIA on the PCI bus, and calls those unhealthy whose addresses stand in the file -unhealthy.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	plugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

func main() {
	unhealthy := flag.String("unhealthy", "/run/deviceplugin/unhealthy", "a `FILE` with PCI addresses, one a line")
	flag.Parse()
	for {
		// A kubelet that starts anew removes the sockets of all plugins: they register again.
		if err := serve(*unhealthy); err != nil {
			log.Print(err)
		}
		time.Sleep(time.Second)
	}
}

// serve offers the devices until the plugin's socket is gone.
func serve(unhealthy string) error {
	const endpoint = "lab-nvidia-gpu.sock"
	socket := filepath.Join(plugin.DevicePluginPath, endpoint)
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	defer server.Stop()
	plugin.RegisterDevicePluginServer(server, &gpus{unhealthy: unhealthy})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if err := register(endpoint); err != nil {
		return err
	}
	for {
		select {
		case err := <-served:
			return err
		case <-time.After(time.Second):
			if _, err := os.Stat(socket); err != nil {
				return fmt.Errorf("the kubelet has started anew: %w", err)
			}
		}
	}
}

func register(endpoint string) error {
	connection, err := grpc.NewClient("unix://"+plugin.KubeletSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = plugin.NewRegistrationClient(connection).Register(ctx, &plugin.RegisterRequest{
		Version: plugin.Version, Endpoint: endpoint, ResourceName: "nvidia.com/gpu", Options: &plugin.DevicePluginOptions{},
	})
	return err
}

type gpus struct {
	plugin.UnimplementedDevicePluginServer
	unhealthy string
}

func (*gpus) GetDevicePluginOptions(context.Context, *plugin.Empty) (*plugin.DevicePluginOptions, error) {
	return &plugin.DevicePluginOptions{}, nil
}

// ListAndWatch tells the kubelet of the devices, and again whenever they change.
func (g *gpus) ListAndWatch(_ *plugin.Empty, stream grpc.ServerStreamingServer[plugin.ListAndWatchResponse]) error {
	var told []*plugin.Device
	for first := true; ; first = false {
		now, err := devices(g.unhealthy)
		if err != nil {
			return err
		}
		same := slices.EqualFunc(told, now, func(a, b *plugin.Device) bool { return a.ID == b.ID && a.Health == b.Health })
		if first || !same {
			if err := stream.Send(&plugin.ListAndWatchResponse{Devices: now}); err != nil {
				return err
			}
			told = now
		}
		select {
		case <-stream.Context().Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func (*gpus) Allocate(_ context.Context, wanted *plugin.AllocateRequest) (*plugin.AllocateResponse, error) {
	answer := &plugin.AllocateResponse{}
	for range wanted.ContainerRequests {
		answer.ContainerResponses = append(answer.ContainerResponses, &plugin.ContainerAllocateResponse{})
	}
	return answer, nil
}

// devices are the display controllers of NVIDIA on the bus, by their addresses.
func devices(unhealthy string) ([]*plugin.Device, error) {
	text, err := os.ReadFile(unhealthy)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	bad := strings.Fields(string(text))
	const bus = "/sys/bus/pci/devices"
	entries, err := os.ReadDir(bus)
	if err != nil {
		return nil, err
	}
	var out []*plugin.Device
	for _, e := range entries {
		vendor, _ := os.ReadFile(filepath.Join(bus, e.Name(), "vendor"))
		class, _ := os.ReadFile(filepath.Join(bus, e.Name(), "class"))
		if strings.TrimSpace(string(vendor)) != "0x10de" || !strings.HasPrefix(string(class), "0x03") {
			continue
		}
		health := plugin.Healthy
		if slices.Contains(bad, e.Name()) {
			health = plugin.Unhealthy
		}
		out = append(out, &plugin.Device{ID: e.Name(), Health: health})
	}
	return out, nil
}
