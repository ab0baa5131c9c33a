package renew_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	fixture "upkeep/fixtures/pki"
)

// The test binary is four programs: the tests; kubeadm, as far as renewal needs it; and a renewal that dies, alone or
// as a unit.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "version":
		fmt.Println("v1.35.4")
		syscall.Exit(0)
	case len(os.Args) > 2 && os.Args[1] == "certs" && os.Args[2] == "renew":
		// Not os.Exit: under the race detector it sleeps for a second, and this one is run without GORACE.
		syscall.Exit(kubeadm(os.Args[3:]))
	case len(os.Args) > 1 && os.Args[1] == "renew-and-die":
		os.Exit(renewAndDie(os.Args[2], os.Args[3], os.Args[4]))
	case len(os.Args) > 5 && os.Args[1] == "perform-and-die":
		os.Exit(performAndDie(os.Args[2], os.Args[3], os.Args[5]))
	}
	os.Exit(m.Run())
}

const configuration = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
clusterName: kubernetes
certificatesDir: /etc/kubernetes/pki
certificateValidityPeriod: 8760h0m0s
kubernetesVersion: v1.35.4
`

// kubeadm does what `kubeadm certs renew NAME --config F --rootfs D` does. The cluster's name makes it misbehave.
func kubeadm(args []string) int {
	name, config, root := args[0], args[2], args[4]
	text, err := os.ReadFile(filepath.Join(root, config))
	if err != nil || !strings.Contains(string(text), "kind: InitConfiguration") || !strings.Contains(string(text), "advertiseAddress: 10.0.0.11") {
		fmt.Fprintln(os.Stderr, "error: no acceptable interface with global unicast address found on host")
		return 1
	}
	misbehave := func(how string) bool { return strings.Contains(string(text), "clusterName: "+how) }
	now, validity := time.Now(), 365*24*time.Hour
	switch {
	case misbehave("falls-back"):
		fmt.Println("[renew] Error reading configuration from the Cluster. Falling back to default configuration")
	case misbehave("does-nothing"):
		fmt.Println("certificate for serving the Kubernetes API renewed")
		return 0
	case misbehave("misses"):
		fmt.Println("MISSING! certificate for serving the Kubernetes API")
		return 0
	case misbehave("shortens"):
		validity = time.Hour
	case misbehave("dies"):
		fmt.Fprintln(os.Stderr, "error: disk on fire")
		return 1
	}
	if misbehave("signs-by-another-ca") {
		exchange(root, "pki/ca.crt", "pki/ca.key")
	}
	if err := fixture.Renew(root, name, now, validity); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	fmt.Println("certificate renewed")
	if misbehave("loses-names") {
		exchange(root, "pki/apiserver.key", "pki/apiserver.crt")
	}
	if misbehave("mixes-keys") {
		exchange(root, "pki/apiserver.key")
	}
	return 0
}

// exchange puts files of another cluster's node below root. One that has another name also gets its names wrong.
func exchange(root string, names ...string) {
	other, err := fixture.NewKubeadmTree(filepath.Join(root, "other"), fixture.Options{Name: "other"})
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(other.Dir, "etc/kubernetes", name))
		if err != nil {
			panic(err)
		}
		if err := os.WriteFile(filepath.Join(root, "etc/kubernetes", name), text, 0o600); err != nil {
			panic(err)
		}
	}
}
