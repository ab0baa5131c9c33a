package renew_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	fixture "upkeep/fixtures/pki"
)

// A kubeadm of another minor than the API server's signs nothing; one that does not tell its release, and a patch release, do.
func TestKubeadmOfAnotherMinor(t *testing.T) {
	for release, refused := range map[string]bool{"v1.34.9": true, "v1.36.0-rc.1": true, "v1.35.0": false, "v0.0.0-master+x": false, "": false} {
		dir := node(t, fixture.Options{})
		script := filepath.Join(t.TempDir(), "kubeadm")
		text := "#!/bin/sh\nif [ \"$1\" = version ]; then echo '" + release + "'; exit; fi\nexec " + os.Args[0] + " \"$@\"\n"
		if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		r := renewer(t, dir)
		r.Kubeadm = script
		before := read(t, dir, "etc/kubernetes/pki/apiserver.crt")
		_, err := r.Run(t.Context(), request(t, dir, "apiserver"), func(string) {})
		switch {
		case refused && (err == nil || !strings.Contains(err.Error(), "the control plane is v1.35: install the kubeadm of v1.35")):
			t.Errorf("%s: %v", release, err)
		case refused && before != read(t, dir, "etc/kubernetes/pki/apiserver.crt"):
			t.Errorf("%s: refused, and the certificate was changed", release)
		case !refused && err != nil:
			t.Errorf("%s: %v", release, err)
		}
	}
}
