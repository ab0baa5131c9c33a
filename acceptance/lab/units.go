package lab

import (
	"fmt"
	"strings"
)

// cgroupUnit makes the cgroup v1 controllers writable, which systemd-nspawn mounts read-only. A bind remount: a plain
// remount of a cgroup v1 hierarchy in use fails with "mount point is busy". With cgroup v2 there is nothing to do.
const cgroupUnit = `[Unit]
Description=Make cgroup v1 controllers writable for runc and kubelet
DefaultDependencies=no
Before=containerd.service kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'for c in cpu cpuacct cpuset memory devices freezer blkio pids; do if mountpoint -q /sys/fs/cgroup/$c; then mount -o remount,bind,rw /sys/fs/cgroup/$c || exit 1; fi; done'

[Install]
WantedBy=sysinit.target
`

// kubeletUnit and kubeletDropIn have the names and settings of the kubeadm package for Debian,
// https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/kubelet-integration/.
const kubeletUnit = `[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target containerd.service

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=2

[Install]
WantedBy=multi-user.target
`

const kubeletDropIn = `[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
`

// containerdConfig: restrict_oom_score_adj because without CAP_SYS_RESOURCE runc may not lower a process's
// oom_score_adj and fails with "can't get final child's PID from pipe"; bin_dir is where Debian's
// containernetworking-plugins lie.
func containerdConfig(pauseImage string) string {
	return fmt.Sprintf(`version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
`, pauseImage)
}

// cniConfig gives each host its own pod subnet on a bridge; there are no routes between hosts.
func cniConfig(n Node) string {
	last := n.IP[strings.LastIndexByte(n.IP, '.')+1:]
	return fmt.Sprintf(`{
  "cniVersion": "0.4.0",
  "name": "lab",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "cni0",
      "isGateway": true,
      "ipMasq": false,
      "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": "10.244.%s.0/24"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`, last)
}

// balancerUnit runs the load balancer on the bastion.
func balancerUnit(nodes []Node) string {
	var backends []string
	for _, n := range nodes {
		backends = append(backends, n.IP+":6443")
	}
	return fmt.Sprintf(`[Unit]
Description=Load balancer in front of the API servers
After=network.target

[Service]
ExecStart=/usr/local/bin/balancer :6443 %s
Restart=always
RestartSec=1
DynamicUser=yes

[Install]
WantedBy=multi-user.target
`, strings.Join(backends, " "))
}

// hostsFile is /etc/hosts of every host.
func hostsFile(nodes []Node) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n")
	fmt.Fprintf(&b, "%s %s %s\n", bastion.IP, bastion.Name, endpointName)
	for _, n := range nodes {
		fmt.Fprintf(&b, "%s %s\n", n.IP, n.Name)
	}
	return b.String()
}
