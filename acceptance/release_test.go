package acceptance

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What the tests see of a provider without upkeep: Helm's own record, read as Helm writes it, and the pod, asked by kubectl.

// buildMain builds a program of the main module, once for all parts.
func (s *suite) buildMain(t *testing.T, pkg string) string {
	t.Helper()
	path := filepath.Join(s.programs, strings.ReplaceAll(pkg, "/", "-"))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	command := exec.CommandContext(s.ctx, "go", "build", "-o", path, "./"+pkg)
	command.Dir, command.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if text, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go build ./%s: %v\n%s", pkg, err, text)
	}
	return path
}

// run runs a program of the tests to its end.
func (s *suite) run(t *testing.T, program string, args ...string) {
	t.Helper()
	if text, err := exec.CommandContext(s.ctx, program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(program), err, text)
	}
}

// kubectl runs kubectl in the provider's namespace and returns what it prints.
func (s *suite) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.kubectlIn(s.ctx, providerNamespace, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *suite) kubectlIn(ctx context.Context, namespace string, args ...string) (string, error) {
	if namespace != "" {
		args = append([]string{"-n", namespace}, args...)
	}
	command := exec.CommandContext(ctx, s.lab.Program("kubectl"), append([]string{"--kubeconfig", s.kubeconfig}, args...)...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// podUID tells one pod of the provider from the next.
func (s *suite) podUID(t *testing.T) string {
	t.Helper()
	return s.kubectl(t, "get", "pod", providerPod, "-o", "jsonpath={.metadata.uid}")
}

// prices asks the running pod for its environment until it has these variables: the pod may be just starting.
func (s *suite) prices(t *testing.T, want map[string]string) {
	t.Helper()
	s.until(t, 30*time.Second, "the running pod's environment", func(ctx context.Context) error {
		printed, err := s.kubectlIn(ctx, providerNamespace, "exec", providerPod, "-c", "provider", "--", "env")
		if err != nil {
			return err
		}
		has := maps.Collect(func(yield func(string, string) bool) {
			for line := range strings.Lines(printed) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				if !yield(name, value) {
					return
				}
			}
		})
		for name, value := range want {
			if has[name] != value {
				return fmt.Errorf("%s is %q, want %q", name, has[name], value)
			}
		}
		return nil
	})
}

// releaseStatus is the status of the newest revision in Helm's record.
func (s *suite) releaseStatus(t *testing.T) string {
	t.Helper()
	return s.newestRevision(t).Info.Status
}

// releaseValues are the values of the newest revision in Helm's record.
func (s *suite) releaseValues(t *testing.T) map[string]any {
	t.Helper()
	return s.newestRevision(t).Config
}

type revision struct {
	Version int `json:"version"`
	Info    struct {
		Status string `json:"status"`
	} `json:"info"`
	Config map[string]any `json:"config"`
	Chart  struct {
		Metadata struct {
			Version string `json:"version"`
		} `json:"metadata"`
	} `json:"chart"`
}

// newestRevision is the provider's newest revision.
func (s *suite) newestRevision(t *testing.T) revision {
	t.Helper()
	return s.newestOf(t, providerRelease)
}

// newestOf reads Helm's record: a Secret of type helm.sh/release.v1 for each revision, whose field release is the
// base64 of compressed JSON (Helm v3, pkg/storage/driver/util.go).
func (s *suite) newestOf(t *testing.T, release string) revision {
	t.Helper()
	var list struct {
		Items []struct {
			Data struct {
				Release []byte `json:"release"`
			} `json:"data"`
		} `json:"items"`
	}
	text := s.kubectl(t, "get", "secret", "--field-selector", "type=helm.sh/release.v1", "-l", "name="+release, "-o", "json")
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	var newest revision
	for _, item := range list.Items {
		compressed, err := base64.StdEncoding.DecodeString(string(item.Data.Release))
		if err != nil {
			t.Fatal(err)
		}
		reader, err := gzip.NewReader(bytes.NewReader(compressed))
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		var r revision
		if err := json.Unmarshal(decoded, &r); err != nil {
			t.Fatal(err)
		}
		if r.Version > newest.Version {
			newest = r
		}
	}
	if newest.Version == 0 {
		t.Fatalf("Helm has no record of %s", release)
	}
	return newest
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
