package helm

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"upkeep/config"
	"upkeep/fixtures/chartrepo"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// TestPrivateRepositories: a repository and a registry that ask for a password get it, no other host does, and without
// one the error says what to write.
func TestPrivateRepositories(t *testing.T) {
	t.Setenv("HELM_CONFIG_HOME", t.TempDir())
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	list := packed(t)
	overHTTP, err := chartrepo.Handler(list)
	if err != nil {
		t.Fatal(err)
	}
	overOCI, err := chartrepo.Registry("charts", list)
	if err != nil {
		t.Fatal(err)
	}
	guarded := func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user != "ci" || password != "canary-hunter2" {
				w.Header().Set("WWW-Authenticate", `Basic realm="charts"`)
				http.Error(w, "who are you?", http.StatusUnauthorized)
				return
			}
			inner.ServeHTTP(w, r)
		})
	}
	repository, registry := httptest.NewServer(guarded(overHTTP)), httptest.NewServer(guarded(overOCI))
	defer repository.Close()
	defer registry.Close()
	for kind, address := range map[string]string{"repository": repository.URL, "registry": strings.Replace(registry.URL, "http://", "oci://", 1) + "/charts"} {
		t.Run(kind, func(t *testing.T) {
			source := facts.ChartSource{Repository: address, Name: "nvidia-device-plugin", Private: true}
			c := NewCharts()
			c.plain = true
			if _, err := c.Versions(t.Context(), source); err == nil || !strings.Contains(err.Error(), "write username and password") {
				t.Errorf("without credentials: %v", err)
			}
			c.Authorise([]providers.ChartAccess{{Repository: address, Username: "ci", Password: config.NewSecret("canary-wrong")}})
			if _, err := c.Versions(t.Context(), source); err == nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("with a wrong password: %v", err)
			}
			c.Authorise([]providers.ChartAccess{{Repository: address, Username: "ci", Password: config.NewSecret("canary-hunter2")}})
			found, err := c.Versions(t.Context(), source)
			if err != nil || len(found) == 0 {
				t.Fatalf("%v, %v", found, err)
			}
			if got, err := c.fetch(t.Context(), source, "0.16.2", ""); err != nil || got.Metadata.Name != "nvidia-device-plugin" {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

// TestPasswordStaysWithItsHost: an index that names an archive on another host gets no password sent there.
func TestPasswordStaysWithItsHost(t *testing.T) {
	sent := ""
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header.Get("Authorization")
		http.NotFound(w, r)
	}))
	defer elsewhere.Close()
	index := "apiVersion: v1\nentries:\n  plugin:\n  - name: plugin\n    version: 1.0.0\n    urls: [" + elsewhere.URL + "/plugin-1.0.0.tgz]\n"
	asked := false
	repository := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		asked = password == "canary-hunter2"
		_, _ = w.Write([]byte(index))
	}))
	defer repository.Close()
	source := facts.ChartSource{Repository: repository.URL, Name: "plugin", Private: true}
	c := NewCharts()
	c.Authorise([]providers.ChartAccess{{Repository: repository.URL, Username: "ci", Password: config.NewSecret("canary-hunter2")}})
	if _, err := c.fetch(t.Context(), source, "1.0.0", ""); err == nil {
		t.Fatal("an archive that is not there was fetched")
	}
	if !asked || sent != "" {
		t.Errorf("the repository got the password: %t; the other host got %q", asked, sent)
	}
}
