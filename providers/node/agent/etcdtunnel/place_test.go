package etcdtunnel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/node/agent/disk"
)

const kubespray = `# Environment file for etcd v3.5.21
ETCD_DATA_DIR=/var/lib/etcd
ETCD_ADVERTISE_CLIENT_URLS=https://10.0.0.11:2379
ETCD_LISTEN_CLIENT_URLS=https://10.0.0.11:2379,https://127.0.0.1:2379
ETCD_TRUSTED_CA_FILE=/etc/ssl/etcd/ssl/ca.pem
ETCD_CERT_FILE=/etc/ssl/etcd/ssl/member-node1.pem
ETCD_KEY_FILE=/etc/ssl/etcd/ssl/member-node1-key.pem
ETCDCTL_CACERT=/etc/ssl/etcd/ssl/ca.pem
ETCDCTL_KEY=/etc/ssl/etcd/ssl/admin-node1-key.pem
ETCDCTL_CERT=/etc/ssl/etcd/ssl/admin-node1.pem
`

func TestFind(t *testing.T) {
	admin := pair{"ETCDCTL_CERT", "/etc/ssl/etcd/ssl/admin-node1.pem", "/etc/ssl/etcd/ssl/admin-node1-key.pem"}
	member := pair{"ETCD_CERT_FILE", "/etc/ssl/etcd/ssl/member-node1.pem", "/etc/ssl/etcd/ssl/member-node1-key.pem"}
	for name, test := range map[string]struct {
		files map[string]string
		want  place
		err   string
	}{
		"kubespray": {map[string]string{"etc/etcd.env": kubespray},
			place{address: "127.0.0.1:2379", own: true, roots: "/etc/ssl/etcd/ssl/ca.pem", rootsKey: "/etc/ssl/etcd/ssl/ca-key.pem", pairs: []pair{admin, member}}, ""},
		"kubespray without loopback": {map[string]string{"etc/etcd.env": strings.Replace(kubespray, ",https://127.0.0.1:2379", "", 1)},
			place{address: "10.0.0.11:2379", own: true, roots: "/etc/ssl/etcd/ssl/ca.pem", rootsKey: "/etc/ssl/etcd/ssl/ca-key.pem", pairs: []pair{admin, member}}, ""},
		"everywhere": {map[string]string{"etc/etcd.env": "ETCD_LISTEN_CLIENT_URLS=\"https://0.0.0.0:2379\"\nETCDCTL_CACERT=/a\nETCDCTL_CERT=/b\nETCDCTL_KEY=/c\n"},
			place{address: "127.0.0.1:2379", own: true, roots: "/a", pairs: []pair{{"ETCDCTL_CERT", "/b", "/c"}}}, ""},
		"k3s": {map[string]string{"var/lib/rancher/k3s/server/tls/etcd/client.crt": "x"},
			place{address: "127.0.0.1:2379", own: true, roots: k3s + "server-ca.crt", rootsKey: k3s + "server-ca.key", pairs: []pair{{"client", k3s + "client.crt", k3s + "client.key"}}}, ""},
		"without TLS": {map[string]string{"etc/etcd.env": "ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:2379\n"}, place{}, "does not say where etcd takes clients"},
		"nothing":     {nil, place{}, "no etcd manifest, no /etc/etcd.env and no etcd of k3s"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for p, text := range test.files {
				p = filepath.Join(root, p)
				if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			d, err := disk.Open(root)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			got, err := find(d)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("%v, want %q", err, test.err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(place{}, pair{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzEnvironment: no text of the file is more than an error.
func FuzzEnvironment(f *testing.F) {
	f.Add([]byte(kubespray))
	f.Add([]byte("ETCD_LISTEN_CLIENT_URLS=https://[::]:2379,:,\n=\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := fromEnvironment(text)
		if err == nil && (p.address == "" || p.roots == "" || len(p.pairs) == 0) {
			t.Errorf("%+v", p)
		}
	})
}
