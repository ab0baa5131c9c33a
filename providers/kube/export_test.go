package kube

import (
	"context"
	"strings"
	"testing"
)

func TestExportProvider(t *testing.T) {
	list := map[string]any{"items": []any{map[string]any{"metadata": map[string]any{"name": "ns1"}}}}
	for name, test := range map[string]struct {
		objects map[string]any
		want    string
	}{
		"no provider": {map[string]any{"/api/v1/secrets": list}, ""},
		"a provider": {map[string]any{
			"/apis/akash.network/v2beta2/manifests": list, "/apis/akash.network/v2beta2/providerhosts": list, "/api/v1/secrets": list,
		}, "manifests.akash.network providerhosts.akash.network helm-releases"},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := Open(kubeconfig(t, apiServer(t, test.objects)), "")
			if err != nil {
				t.Fatal(err)
			}
			objects, failed := client.ExportProvider(context.Background())
			var names []string
			for _, o := range objects {
				names = append(names, o.Name)
				if !strings.Contains(string(o.Data), "ns1") {
					t.Errorf("%s: %s", o.Name, o.Data)
				}
			}
			if got := strings.Join(names, " "); got != test.want || len(failed) > 0 {
				t.Errorf("%q, %v", got, failed)
			}
		})
	}
	client, err := Open(kubeconfig(t, "http://127.0.0.1:1"), "")
	if err != nil {
		t.Fatal(err)
	}
	if objects, failed := client.ExportProvider(context.Background()); len(objects) > 0 || len(failed) != len(exports) {
		t.Errorf("an API that is down: %v, %v", objects, failed)
	}
}
