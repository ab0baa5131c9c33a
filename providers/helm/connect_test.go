package helm

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/providers/facts"
	"upkeep/providers/helm/objects"
)

func kubeconfig(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := `{"apiVersion":"v1","kind":"Config","current-context":"lab","contexts":[{"name":"lab","context":{"cluster":"lab","user":"admin"}}],
"clusters":[{"name":"lab","cluster":{"server":"` + server + `"}}],"users":[{"name":"admin","user":{"token":"canary-token"}}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenExplains(t *testing.T) {
	path := kubeconfig(t, "http://127.0.0.1:1")
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, context, want string }{
		{filepath.Join(t.TempDir(), "none"), "", "does not exist; write its path as cluster.kubeconfig"},
		{path, "other", `has no context "other"`},
		{broken, "", "reading kubeconfig"},
	} {
		if _, err := Open(test.path, test.context); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v; want %q", err, test.want)
		}
	}
}

func TestObserveUnknownNamesTheServer(t *testing.T) {
	client, err := Open(kubeconfig(t, "http://127.0.0.1:1"), "")
	if err != nil {
		t.Fatal(err)
	}
	got := client.Observe(context.Background(), facts.ReleaseQuestion{Namespace: "n", Name: "r"}, nil)
	if !strings.Contains(got.Unknown, "127.0.0.1:1: ") || !strings.Contains(got.Unknown, "connection refused") {
		t.Errorf("%+v", got)
	}
	if strings.Contains(fmt.Sprint(got), "canary-token") {
		t.Error("the kubeconfig's token is in the facts")
	}
}

// Helm and client-go log on their own, values included; a plan's reader must not see it.
func TestLibrariesAreSilent(t *testing.T) {
	log.SetOutput(os.Stderr)
	NewCharts()
	if log.Writer() != io.Discard {
		t.Error("Helm's warnings go to the terminal")
	}
}

// container speaks Kubernetes' exec protocol over WebSocket (v5.channel.k8s.io: the first byte of a message is its
// stream) and answers as a container would.
func container(t *testing.T, stdout, stderr, status string) (url string, asked *http.Request) {
	t.Helper()
	asked = &http.Request{}
	upgrader := websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = *r.Clone(context.Background())
		connection, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = connection.Close() }()
		for stream, text := range map[byte]string{1: stdout, 2: stderr} {
			if err := connection.WriteMessage(websocket.BinaryMessage, append([]byte{stream}, text...)); err != nil {
				t.Error(err)
			}
		}
		if err := connection.WriteMessage(websocket.BinaryMessage, append([]byte{3}, status...)); err != nil {
			t.Error(err)
		}
		// The other side closes when it has read the status.
		_ = connection.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		_, _, _ = connection.ReadMessage()
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func TestEnvironmentIsReadFromTheContainer(t *testing.T) {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "akash-services", Name: "akash-provider-0"}}
	running := facts.Container{Name: "provider", Started: time.Unix(1, 0)}
	redaction := objects.Redaction{MAC: func([]byte) string { return "x" }, Secrets: []string{"hushhush"}}
	question := facts.ReleaseQuestion{Environment: []string{"PRICE_*", "*_TOKEN"}}
	for _, test := range []struct {
		name                   string
		command                []string
		container              facts.Container
		stdout, stderr, status string
		want                   map[string]string
		unknown                string
		wantCommand            []string
	}{
		{"it prints", nil, running, "PRICE_TARGET_CPU=1.60\nA_TOKEN=t\nHOME=/\n", "", `{"metadata":{},"status":"Success"}`, map[string]string{"PRICE_TARGET_CPU": "1.60", "A_TOKEN": "hmac:x"}, "", []string{"env"}},
		{"another command", []string{"/bin/show", "env"}, running, "PRICE_X=1\n", "", `{"metadata":{},"status":"Success"}`, map[string]string{"PRICE_X": "1"}, "", []string{"/bin/show", "env"}},
		{"it has no such program", nil, running, "", "no hushhush here", `{"metadata":{},"status":"Failure","message":"exec: \"env\": not found","reason":"InternalError","code":500}`, nil, `running "env" in it: exec: "env": not found: no (secret) here`, []string{"env"}},
		{"it does not run", nil, facts.Container{Name: "provider"}, "", "", "", nil, "it does not run", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			url, asked := container(t, test.stdout, test.stderr, test.status)
			client, err := Open(kubeconfig(t, url), "")
			if err != nil {
				t.Fatal(err)
			}
			f := facts.Pod{Containers: []facts.Container{test.container}}
			q := question
			q.EnvironmentCommand = test.command
			client.environment(context.Background(), pod, &f, q, redaction)
			if diff := cmp.Diff(test.want, f.Containers[0].Live); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
			if f.Containers[0].LiveUnknown != test.unknown {
				t.Errorf("unknown %q, want %q", f.Containers[0].LiveUnknown, test.unknown)
			}
			if test.wantCommand == nil {
				return
			}
			if asked.URL.Path != "/api/v1/namespaces/akash-services/pods/akash-provider-0/exec" || !slices.Equal(asked.URL.Query()["command"], test.wantCommand) {
				t.Errorf("asked %s", asked.URL)
			}
		})
	}
}

// Kubernetes' Go types write zeros that nobody wrote, and its server fills in what was left out: neither is drift.
func TestDefaultsOfTheServerAreNoDrift(t *testing.T) {
	list, err := parseManifest(`
apiVersion: v1
kind: Service
metadata: {name: s}
spec:
  ports: [{name: http, port: 80}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: s}
spec:
  template:
    spec:
      containers: [{name: c, resources: {limits: {cpu: 2000m, memory: 1024Mi}}}]
  volumeClaimTemplates: [{metadata: {name: home}, spec: {resources: {requests: {storage: 10Gi}}}}]
`)
	if err != nil {
		t.Fatal(err)
	}
	live, err := parseManifest(`
apiVersion: v1
kind: Service
metadata: {name: s, uid: u}
spec:
  clusterIP: 10.0.0.1
  ports: [{name: http, port: 80, protocol: TCP, targetPort: 80}]
status: {loadBalancer: {}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: s}
spec:
  replicas: 1
  template:
    metadata: {creationTimestamp: null}
    spec:
      restartPolicy: Always
      containers: [{name: c, terminationMessagePath: /dev/termination-log, resources: {limits: {cpu: "2", memory: 1Gi}}}]
  volumeClaimTemplates: [{metadata: {name: home}, spec: {volumeMode: Filesystem, resources: {requests: {storage: 10Gi}}}, status: {phase: Pending}}]
`)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		if got := objects.Drift(typed(list[i]), typed(live[i]), objects.Redaction{}); got != nil {
			t.Errorf("%s: %+v", objects.Kind(list[i]), got)
		}
	}
}
