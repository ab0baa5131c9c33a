package lab

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Reach says how to reach the lab by hand.
func (l *Lab) Reach() string {
	return fmt.Sprintf(`ssh            ssh -F %s n1          (root; n2 and n3 likewise)
as ops, jump   ssh -F %[1]s ops-n1
kubectl        %s --kubeconfig %s get nodes
known_hosts    %s
identity       %s
`, l.SSHConfig(), l.cache.at("bin", "kubectl"), l.Kubeconfig(), l.KnownHosts(), l.Identity())
}

// Status looks at every host and API server and says what it sees. It fails if any of it is not as it should be.
func (l *Lab) Status(ctx context.Context) (string, error) {
	var b strings.Builder
	var bad []string
	for _, n := range hosts() {
		state := hostState(n)
		if state == "running" {
			limited, cancel := context.WithTimeout(ctx, 5*time.Second)
			if _, err := l.SSH(limited, n.Name, "true"); err != nil {
				state = "running, no ssh"
			}
			cancel()
		}
		if state != "running" {
			bad = append(bad, n.Name)
		}
		fmt.Fprintf(&b, "%-8s %-12s %s\n", n.Name, n.IP, state)
	}
	config, err := l.ClientTLS()
	if err != nil {
		return b.String(), err
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	api := apiClient{http: &http.Client{Transport: transport, Timeout: 3 * time.Second}}
	for _, server := range l.APIServers() {
		state := "ready"
		if err := api.get(ctx, server, "/readyz", nil); err != nil {
			state = err.Error()
			bad = append(bad, server)
		}
		fmt.Fprintf(&b, "API      %s %s\n", server, state)
	}
	fmt.Fprintf(&b, "\n%s", l.Reach())
	if len(bad) > 0 {
		return b.String(), fmt.Errorf("not as it should be: %s (go run ./cmd/lab up repairs it)", strings.Join(bad, ", "))
	}
	return b.String(), nil
}

// hostState reads a host's state from its cgroups.
func hostState(n Node) string {
	if len(processes(n)) == 0 {
		return "stopped"
	}
	for _, group := range cgroupsOf(n) {
		v1, _ := os.ReadFile(filepath.Join(group, "freezer.state"))
		v2, _ := os.ReadFile(filepath.Join(group, "cgroup.freeze"))
		if strings.TrimSpace(string(v1)) == "FROZEN" || strings.TrimSpace(string(v2)) == "1" {
			return "paused"
		}
	}
	return "running"
}
