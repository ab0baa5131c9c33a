package acceptance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A release that upkeep installs itself, and the node that its pods run on: the lab's nodes are control planes, which take
// no pods until one of them is told to.
const (
	pluginNamespace = "upkeep-plugin"
	pluginRelease   = "nvdp"
	pluginSet       = "nvdp-nvidia-device-plugin"
	pluginNode      = "n3"
	controlPlane    = "node-role.kubernetes.io/control-plane"
	pluginToken     = "canary-plugin-token"
)

// chartDirectory is a configuration directory with one helm_release.
type chartDirectory struct {
	directory
	repository string
}

func (d chartDirectory) declare(t *testing.T, version, strategy, tag string) {
	t.Helper()
	name, _, _ := strings.Cut(providerImage, ":")
	text := fmt.Sprintf(`cluster {
  kubeconfig = %q
}

helm_release "device_plugin" {
  window = "always"
  release          = %q
  namespace        = %q
  create_namespace = true
  without          = { backup = "nothing in the lab needs its pods" }
  chart {
    repository = %q
    name       = "nvidia-device-plugin"
    version    = %q
  }
  values = {
    image              = { repository = %q, tag = %q }
    command            = ["env", "wait"]
    deviceListStrategy = %q
    apiToken           = %q
  }
}
`, d.s.kubeconfig, pluginRelease, pluginNamespace, d.repository, version, name, tag, strategy, pluginToken)
	if err := os.WriteFile(filepath.Join(d.path, "plugin.upkeep.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// strategy wants what a running pod of the release prints for one of its values.
func (d chartDirectory) strategy(t *testing.T, want string) {
	t.Helper()
	d.s.until(t, time.Minute, "the environment of the release's pod", func(ctx context.Context) error {
		pod, err := d.s.kubectlIn(ctx, pluginNamespace, "get", "pod", "-l", "app.kubernetes.io/instance="+pluginRelease, "--field-selector", "status.phase=Running", "-o", "jsonpath={.items[*].metadata.name}")
		if err != nil || len(strings.Fields(pod)) != 1 {
			return fmt.Errorf("pods %q: %w", pod, err)
		}
		printed, err := d.s.kubectlIn(ctx, pluginNamespace, "exec", pod, "--", "env")
		if err == nil && !strings.Contains(printed, "DEVICE_LIST_STRATEGY="+want+"\n") {
			err = fmt.Errorf("it is not %s:\n%s", want, printed)
		}
		return err
	})
}

// settled wants a plan that has nothing to do and finds nothing wrong.
func (d chartDirectory) settled(t *testing.T) {
	t.Helper()
	p, r := d.plan(t)
	bad := slices.ContainsFunc(p.Upkeep.Findings, func(f finding) bool { return f.Severity != "note" })
	if len(p.Upkeep.Steps) > 0 || !p.Complete || bad {
		t.Errorf("not settled:\n%s", r.stdout)
	}
}

// testHelmRelease takes a release from nothing through an upgrade, a change by somebody else's hand, a version that is
// known to be bad, and an upgrade that is killed.
func testHelmRelease(t *testing.T, s *suite) {
	d := chartDirectory{directory{s: s, path: t.TempDir()}, s.serveCharts(t)}
	clean := func(ctx context.Context) error {
		for _, args := range [][]string{{"delete", "namespace", pluginNamespace, "--ignore-not-found"}, {"taint", "node", pluginNode, controlPlane + "=:NoSchedule", "--overwrite"}} {
			if _, err := s.kubectlIn(ctx, "", args...); err != nil {
				return err
			}
		}
		return s.lab.RemoveImage(ctx, providerImage)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := clean(ctx); err != nil {
			t.Error("cleaning up:", err)
		}
	})
	if _, err := s.kubectlIn(s.ctx, "", "delete", "namespace", pluginNamespace, "--ignore-not-found"); err != nil {
		t.Fatal(err)
	}
	if err := s.lab.AddImage(s.ctx, providerImage, s.build(t, "env")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.kubectlIn(s.ctx, "", "taint", "node", pluginNode, controlPlane+":NoSchedule-"); err != nil && !strings.Contains(err.Error(), "not found") {
		t.Fatal(err)
	}

	t.Run("an install", func(t *testing.T) {
		d.declare(t, "0.15.0", "envvar", "1")
		p, _ := d.plan(t)
		if !p.has("RELEASE_MISSING") || !slices.Equal(p.operations(), []string{"release.upgrade"}) {
			t.Errorf("findings %+v, steps %q", p.Upkeep.Findings, p.operations())
		}
		d.run(t, "apply", "-auto-approve").want(t, 0)
		d.strategy(t, "envvar")
		d.settled(t)
	})
	t.Run("an upgrade with other values", func(t *testing.T) {
		d.declare(t, "0.16.2", "volume-mounts", "1")
		d.run(t, "apply", "-auto-approve").want(t, 0)
		d.strategy(t, "volume-mounts")
		d.settled(t)
	})
	t.Run("a change in the cluster", func(t *testing.T) {
		patch := `{"spec":{"template":{"spec":{"containers":[{"name":"nvidia-device-plugin-ctr","env":[{"name":"DEVICE_LIST_STRATEGY","value":"by-hand"}]}]}}}}`
		if _, err := s.kubectlIn(s.ctx, pluginNamespace, "patch", "daemonset", pluginSet, "-p", patch); err != nil {
			t.Fatal(err)
		}
		d.strategy(t, "by-hand")
		if p, r := d.plan(t); !p.has("RELEASE_DRIFT") {
			t.Errorf("nothing is found:\n%s", r.stdout)
		}
		d.run(t, "apply", "-auto-approve").want(t, 0)
		d.strategy(t, "volume-mounts")
		d.settled(t)
	})
	t.Run("a version that is known to be bad", func(t *testing.T) {
		d.declare(t, "0.16.1", "volume-mounts", "1")
		if r := d.run(t, "plan").want(t, 1); !strings.Contains(r.stderr, "Version 0.16.1 of nvidia-device-plugin is known to be bad") {
			t.Errorf("it is refused otherwise:\n%s", r.stderr)
		}
	})
	t.Run("an upgrade killed", func(t *testing.T) {
		d.declare(t, "0.16.2", "cdi-annotations", "absent") // an image that is nowhere, so that Helm waits until it is killed
		d.killedAt(t, "objects are ready", "apply", "-auto-approve")
		d.declare(t, "0.16.2", "cdi-annotations", "1")
		p, _ := d.plan(t)
		if !p.has("RELEASE_PENDING") || !slices.Equal(p.operations(), []string{"release.repair", "release.upgrade"}) {
			t.Errorf("findings %+v, steps %q", p.Upkeep.Findings, p.operations())
		}
		d.run(t, "apply", "-auto-approve").want(t, 0)
		d.strategy(t, "cdi-annotations")
		d.settled(t)
	})
	t.Run("secrets", func(t *testing.T) {
		d.declare(t, "0.16.2", "envvar", "1")
		d.run(t, "plan", "-json", "-out=last.plan").want(t, 0)
		for _, root := range []string{d.path, s.logs} {
			err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
				if err == nil && !entry.IsDir() && entry.Name() != "plugin.upkeep.hcl" && strings.Contains(string(readFile(t, path)), pluginToken) {
					t.Errorf("%s holds a secret", path)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
