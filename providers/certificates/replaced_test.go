package certificates_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
)

// TestWhatIsNotReplacedIsSaid: without the key of an authority a part of a node's certificates stays, and the plan names it.
func TestWhatIsNotReplacedIsSaid(t *testing.T) {
	w := worlds.ControlPlanes(1, now)
	worlds.File(w.Nodes["cp1"], "etcd-ca").Key = "missing"
	in := input(w, 1)
	in.Replace = []providers.Address{spec().Address().On("cp1")}
	var left []string
	for _, f := range spec().Diff(in).Findings {
		if f.ID == "CERT_NOT_REPLACED" && f.Waits {
			left = append(left, f.Object)
		}
	}
	want := []string{"apiserver-etcd-client", "etcd-healthcheck-client", "etcd-peer", "etcd-server"}
	if d := cmp.Diff(want, left); d != "" {
		t.Error(d)
	}
}
