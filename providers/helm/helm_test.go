package helm_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http/httptest"
	"testing"

	"upkeep/fixtures/chartrepo"
	"upkeep/providers/facts"
	"upkeep/providers/helm"
	"upkeep/providers/helm/fakehelm"
)

const (
	namespace = "akash-services"
	name      = "akash-provider"
)

// mac is a keyed digest for tests.
func mac(data []byte) string {
	h := hmac.New(sha256.New, []byte("test key"))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// repository serves the project's charts over HTTP.
func repository(t *testing.T) *httptest.Server {
	t.Helper()
	list, err := chartrepo.All()
	if err != nil {
		t.Fatal(err)
	}
	handler, err := chartrepo.Handler(list)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func provider(server *httptest.Server) facts.ChartSource {
	return facts.ChartSource{Repository: server.URL, Name: "provider"}
}

// digestOf returns the digest of a chart of the project's own.
func digestOf(t *testing.T, directory, version string) string {
	t.Helper()
	list, err := chartrepo.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, chart := range list {
		if chart.Version == version && (chart.Name == directory) {
			return chart.Digest
		}
	}
	t.Fatalf("no chart %s %s", directory, version)
	return ""
}

// install installs the provider's chart and returns what is to be upgraded next.
func install(t *testing.T, fake *fakehelm.Fake, server *httptest.Server, version string, values map[string]any) helm.Upgrade {
	t.Helper()
	u := helm.Upgrade{
		Namespace: namespace, Release: name, Source: provider(server), Version: version, Values: values,
		Install: true, CreateNamespace: true, Wait: true, Mask: masked,
	}
	if _, err := fake.Upgrade(context.Background(), u, nil); err != nil {
		t.Fatal(err)
	}
	u.Install = false
	return u
}

// masked are the provider's secret values.
var masked = []string{"key", "keysecret"}

func question() facts.ReleaseQuestion {
	return facts.ReleaseQuestion{Namespace: namespace, Name: name, Mask: masked, Show: []string{"price_target_*"}}
}
