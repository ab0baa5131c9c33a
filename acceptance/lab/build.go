package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// KubernetesVersion is the version of every Kubernetes program of the lab. lab/kubernetes/go.mod pins it; a test keeps
// the two alike.
const KubernetesVersion = "v1.35.4"

const (
	componentVersion = "k8s.io/component-base/version"
	kubernetesCmd    = "k8s.io/kubernetes/cmd/"
)

// build is one `go build`: a directory of the acceptance module, what to build there, and the linker's flags.
type build struct {
	dir      string // below the acceptance module
	ldflags  string
	packages []string
	programs []string // the files that appear
}

// builds says how the programs are made. The linker flags give them the version that a release build would print;
// kubeadm refuses to work with programs that say v0.0.0. gitCommit and buildDate are constants, so that equal input gives
// equal programs.
func builds() []build {
	major, minor, _ := strings.Cut(strings.TrimPrefix(KubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	set := func(pkg, name, value string) string { return "-X " + pkg + "." + name + "=" + value }
	kubernetes := []string{
		"-s -w",
		set(componentVersion, "gitVersion", KubernetesVersion),
		set(componentVersion, "gitMajor", major),
		set(componentVersion, "gitMinor", minor),
		set(componentVersion, "gitCommit", strings.Repeat("0", 40)),
		set(componentVersion, "gitTreeState", "clean"),
		set(componentVersion, "buildDate", "2026-01-01T00:00:00Z"),
		set("k8s.io/client-go/pkg/version", "gitVersion", KubernetesVersion),
	}
	programs := []string{"kubeadm", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl"}
	packages := make([]string, len(programs))
	for i, program := range programs {
		packages[i] = kubernetesCmd + program
	}
	return []build{
		{dir: "lab/kubernetes", ldflags: strings.Join(kubernetes, " "), packages: packages, programs: programs},
		{
			dir:      "lab/etcd",
			ldflags:  "-s -w " + set("go.etcd.io/etcd/api/v3/version", "GitSHA", strings.Repeat("0", 7)),
			packages: []string{"./etcd", "go.etcd.io/etcd/etcdctl/v3", "go.etcd.io/etcd/etcdutl/v3"},
			programs: []string{"etcd", "etcdctl", "etcdutl"},
		},
		{
			dir:      ".",
			ldflags:  "-s -w",
			packages: []string{"./lab/pause", "./lab/balancer"},
			programs: []string{"pause", "balancer"},
		},
	}
}

// buildPrograms makes all programs in bin/ of the cache and returns a digest of what they were made from.
// The first time takes about ten minutes on two cores; afterwards a stamp, or else Go's build cache, makes it cheap.
func (c cache) buildPrograms(ctx context.Context, say func(string, ...any)) (string, error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(c.at("bin"), 0o755); err != nil {
		return "", err
	}
	var all []string
	for _, b := range builds() {
		stamp, err := b.stamp(source)
		if err != nil {
			return "", err
		}
		all = append(all, stamp)
		path := c.at("bin", "."+filepath.Base(b.programs[0])+".stamp")
		if stamped(path, stamp) && b.present(c.at("bin")) {
			continue
		}
		say("building %s", strings.Join(b.programs, " "))
		args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", b.ldflags, "-o", c.at("bin") + "/"}, b.packages...)
		// Static programs: they are the only file in their images. GOWORK off: the pinned go.mod decides alone.
		if _, err := (command{name: "go", args: args, dir: filepath.Join(source, b.dir), env: []string{"CGO_ENABLED=0", "GOWORK=off"}}).run(ctx); err != nil {
			return "", fmt.Errorf("building in %s: %w", b.dir, err)
		}
		if err := os.WriteFile(path, []byte(stamp), 0o644); err != nil {
			return "", err
		}
	}
	return digest(all...), nil
}

// stamp is a digest of everything that decides what the build gives.
func (b build) stamp(source string) (string, error) {
	parts := append([]string{runtime.Version(), runtime.GOARCH, b.ldflags}, b.packages...)
	var inputs []string
	switch b.dir {
	case ".": // our own two programs: their sources and no modules
		for _, pkg := range b.packages {
			files, err := filepath.Glob(filepath.Join(source, pkg, "*.go"))
			if err != nil {
				return "", err
			}
			for _, file := range files {
				if !strings.HasSuffix(file, "_test.go") {
					inputs = append(inputs, file)
				}
			}
		}
	default:
		inputs = []string{filepath.Join(source, b.dir, "go.mod"), filepath.Join(source, b.dir, "go.sum")}
	}
	for _, input := range inputs {
		text, err := os.ReadFile(input)
		if err != nil {
			return "", err
		}
		parts = append(parts, string(text))
	}
	return digest(parts...), nil
}

func (b build) present(bin string) bool {
	for _, program := range b.programs {
		if _, err := os.Stat(filepath.Join(bin, program)); err != nil {
			return false
		}
	}
	return true
}

// sourceDir finds the acceptance module. It asks the go command, for a program does not know where it was built.
func sourceDir(ctx context.Context) (string, error) {
	dir, err := output(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "upkeep/acceptance")
	if err != nil {
		return "", fmt.Errorf("run the lab inside the acceptance module, it builds its programs from there: %w", err)
	}
	return strings.TrimSpace(dir), nil
}
