package host_test

import (
	"encoding/json"
	"strings"
	"testing"

	"upkeep/providers/node/protocol"
)

// The host offers the session in which bundles are kept.
func TestBundlesSession(t *testing.T) {
	l := newLab(t)
	conn, err := l.host.Tunnel(t.Context(), protocol.ServiceBundles)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := protocol.NewChannel(conn, conn, nil)
	text, err := json.Marshal(protocol.BundlesRequest{Operation: protocol.BundlesGet, Directory: "/var/lib/missing", Name: "a.upkeep-bundle"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(text); err != nil {
		t.Fatal(err)
	}
	_, answer, err := protocol.RecvBundles(c)
	if err != nil || answer == nil || answer.Kind != protocol.BundlesMissing || !strings.HasPrefix(answer.Error, "/var/lib/missing") {
		t.Errorf("answer %+v, %v", answer, err)
	}
	if _, err := l.host.Tunnel(t.Context(), "ssh"); err == nil || err.Error() != `no tunnel to "ssh"; there are ["etcd" "endpoint" "bundles" "files" "cold" "sqlite"]` {
		t.Errorf("a tunnel to another service: %v", err)
	}
}
