package certificates

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/worlds"
	"upkeep/providers/strict"
)

func TestReadPolicy(t *testing.T) {
	tests := []struct {
		name, configuration string
		want                policy
		err                 string
	}{
		{name: "as kubeadm writes it", configuration: worlds.ClusterConfiguration, want: policy{validity: 8760 * time.Hour, algorithm: "RSA-2048"}},
		{
			name:          "another policy",
			configuration: strings.NewReplacer("8760h0m0s", "720h0m0s", "RSA-2048", "ECDSA-P256").Replace(worlds.ClusterConfiguration),
			want:          policy{validity: 720 * time.Hour, algorithm: "ECDSA-P256"},
		},
		{name: "v1beta3 says nothing", configuration: "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n", want: policy{validity: 8760 * time.Hour}},
		{name: "quoted", configuration: "kind: \"ClusterConfiguration\"\ncertificateValidityPeriod: '48h'\n", want: policy{validity: 48 * time.Hour}},
		{name: "JSON", configuration: `{"kind": "ClusterConfiguration", "certificateValidityPeriod": "48h"}`, want: policy{validity: 48 * time.Hour}},
		{
			name:          "external etcd",
			configuration: "kind: ClusterConfiguration\netcd:\n  external:\n    caFile: /etc/etcd/ca.crt\n",
			want:          policy{validity: 8760 * time.Hour, externalEtcd: true},
		},
		{
			name:          "a flag called external is none",
			configuration: "kind: ClusterConfiguration\netcd:\n  local:\n    external:\n",
			want:          policy{validity: 8760 * time.Hour},
		},
		{name: "a comment behind the value", configuration: "kind: ClusterConfiguration # made by hand\ncertificateValidityPeriod: 48h # short\n", want: policy{validity: 48 * time.Hour}},
		{
			name: "another directory", configuration: "kind: ClusterConfiguration\ncertificatesDir: /etc/kubernetes/ssl\n",
			want: policy{validity: defaultValidity},
		},
		{name: "empty", configuration: "", err: `the ConfigMap kubeadm-config holds kind "", not a ClusterConfiguration`},
		{name: "another kind", configuration: "kind: InitConfiguration\n", err: `the ConfigMap kubeadm-config holds kind "InitConfiguration", not a ClusterConfiguration`},
		{
			name: "no duration", configuration: "kind: ClusterConfiguration\ncertificateValidityPeriod: 1y\n",
			err: `certificateValidityPeriod "1y" of the ClusterConfiguration is not a positive duration`,
		},
		{
			name: "a negative duration", configuration: "kind: ClusterConfiguration\ncertificateValidityPeriod: -1h\n",
			err: `certificateValidityPeriod "-1h" of the ClusterConfiguration is not a positive duration`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := readPolicy(test.configuration)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if text != test.err {
				t.Errorf("error %q, want %q", text, test.err)
			}
			if err == nil && got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// FuzzReadPolicy holds the quick reader to the YAML parser: where it answers, they agree.
func FuzzReadPolicy(f *testing.F) {
	f.Add(worlds.ClusterConfiguration)
	f.Add("kind: ClusterConfiguration\ncertificateValidityPeriod: 48h\netcd:\n  external:\n    endpoints: []\n")
	f.Add("kind: ClusterConfiguration\netcd:\n  local: {}\n  external:\n")
	f.Add("a: |\n kind: x\nkind: ClusterConfiguration\n")
	f.Add("kind: ClusterConfiguration\r\n")
	f.Add("kind: ClusterConfiguration\nkind: ClusterConfiguration\n")
	f.Add("---\nkind: ClusterConfiguration\n")
	f.Add("kind: ClusterConfiguration\netcd:\n  external:\n    endpoints: []\netcd:\n  local: {}\n")
	f.Fuzz(func(t *testing.T, configuration string) {
		if _, err := readPolicy(configuration); err != nil {
			return
		}
		quick, plain := plainFields(configuration)
		if !plain {
			return
		}
		full, err := yamlFields(configuration)
		if twice := new(strict.TwiceError); errors.As(err, &twice) && twice.Key == "etcd" {
			t.Errorf("%q: the quick reader passes what stands twice", configuration)
		}
		if err != nil {
			return // the quick reader is not a judge of YAML
		}
		if d := cmp.Diff(full, quick, cmp.AllowUnexported(policyFields{})); d != "" {
			t.Errorf("%q: %s", configuration, d)
		}
	})
}
