package timer

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/node/protocol"
)

// What is still stopped under the timer's mark comes back; what anybody has changed stays as it is.
func TestRestore(t *testing.T) {
	const stopped = `{"metadata":{"annotations":{"upkeep.dev/stopped-by":"hold 1","upkeep.dev/replicas":"1"}},"spec":{"replicas":0}}`
	patched := []any{
		map[string]any{"op": "test", "path": "/metadata/annotations/upkeep.dev~1stopped-by", "value": "hold 1"},
		map[string]any{"op": "test", "path": "/spec/replicas", "value": float64(0)},
		map[string]any{"op": "replace", "path": "/spec/replicas", "value": float64(2)},
		map[string]any{"op": "remove", "path": "/metadata/annotations/upkeep.dev~1stopped-by"},
		map[string]any{"op": "remove", "path": "/metadata/annotations/upkeep.dev~1replicas"},
	}
	for name, test := range map[string]struct {
		status int
		answer string
		patch  int // the status of the answer to the patch
		done   string
		err    string
		sent   []any
	}{
		"stopped": {200, stopped, 200, "scaled to 2", "", patched},
		"stopped by another": {
			200, strings.Replace(stopped, "hold 1", "plan 2", 1), 200, "its mark is gone: somebody has started it", "", nil,
		},
		"started":                     {200, `{"metadata":{},"spec":{"replicas":1}}`, 200, "its mark is gone: somebody has started it", "", nil},
		"scaled under the mark":       {200, strings.Replace(stopped, `"replicas":0`, `"replicas":1`, 1), 200, "somebody has scaled it", "", nil},
		"deleted":                     {404, `{}`, 200, "the StatefulSet is gone", "", nil},
		"deleted in between":          {200, stopped, 404, "the StatefulSet is gone", "", patched},
		"changed in between":          {200, stopped, 422, "", "the API answers 422", patched},
		"refused":                     {403, `{}`, 200, "", "the API answers 403", nil},
		"an answer that is not JSON":  {200, `<html>`, 200, "", "invalid character", nil},
		"an API that is starting":     {503, ``, 200, "", "the API answers 503", nil},
		"a patch that is not allowed": {200, stopped, 403, "", "the API answers 403", patched},
	} {
		t.Run(name, func(t *testing.T) {
			var sent []any
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/apis/apps/v1/namespaces/akash-services/statefulsets/akash-provider" {
					t.Errorf("path %s", r.URL.Path)
				}
				if r.Method == http.MethodPatch {
					if got := r.Header.Get("Content-Type"); got != "application/json-patch+json" {
						t.Errorf("content type %s", got)
					}
					if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
						t.Error(err)
					}
					w.WriteHeader(test.patch)
					return
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.answer)
			}))
			defer server.Close()
			q := request(func(q *protocol.TimerRequest) { q.Replicas = 2 })
			done, err := client{server.URL, server.Client()}.restore(t.Context(), q)
			if done != test.done || (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q, %v; want %q, %q", done, err, test.done, test.err)
			}
			if diff := cmp.Diff(test.sent, sent); diff != "" {
				t.Errorf("patch (-want +got):\n%s", diff)
			}
		})
	}
}
