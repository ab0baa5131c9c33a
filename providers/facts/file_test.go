package facts

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sample() World {
	return World{
		ObservedAt: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC),
		Nodes: map[string]*Node{
			"cp1": {Name: "cp1", Host: "10.0.0.1", Certificates: Certificates{Layout: "kubeadm", Files: []CertificateFile{{
				Name: "apiserver", Kind: Leaf, Path: "/etc/kubernetes/pki/apiserver.crt",
				Blocks: []Certificate{{Serial: "0A", NotAfter: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}},
			}}}},
			"cp2": {Name: "cp2", Unknown: "no answer in 10s"},
		},
		Kubernetes: Kubernetes{Unknown: "connection refused"},
	}
}

func TestFactsSurviveAFile(t *testing.T) {
	data, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Errorf("world (-want +got):\n%s", diff)
	}
	again, err := Encode(got)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(data) {
		t.Error("the same world has two encodings")
	}
}

// A recording holds what a plan is made from, so that whoever plans from it opens no state; a world alone is what it
// was.
func TestRecordingsSurviveAFile(t *testing.T) {
	owner := Address{Type: "etcd_backup", Name: "daily", Key: "a b"}
	for name, r := range map[string]Recording{
		"a world alone": {World: sample()},
		"with a state": {
			World: sample(), Lineage: "11111111-2222-4333-8444-555555555555", Serial: 7,
			Memory: Memory{
				Durations: map[string]float64{"a.b": 3}, Cluster: Identity{Authority: "ca"},
				Sections: Sections{owner: []byte(`{"version":1,"proofs":[]}`)},
			},
			Seals: map[Address]map[string]string{{Type: "helm_release", Name: "x"}: {"auth.password": "hmac:00"}},
		},
		"with secrets and no state": {World: sample(), Seals: map[Address]map[string]string{owner: {"a": "hmac:00"}}},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodeRecording(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(r, got); diff != "" {
				t.Errorf("recording (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"nothing", "", "not a facts file"},
		{"something else", `{"a": 1}`, "unknown field"},
		{"a newer one with new words", `{"facts_version": 3, "weather": "fine"}`, "version 3"},
		{"another version", `{"facts_version": 9, "world": {"observed_at": "2026-11-22T09:00:00Z", "nodes": {}}}`, "version 9"},
		{"no time", `{"facts_version": 1, "world": {"nodes": {}}}`, "does not say when"},
		{"a node under another's name", `{"facts_version": 1, "world": {"observed_at": "2026-11-22T09:00:00Z", "nodes": {"a": {"name": "b"}}}}`, "not its own"},
		{"two documents", `{"facts_version": 1, "world": {"observed_at": "2026-11-22T09:00:00Z", "nodes": {}}} {}`, "something follows"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Decode([]byte(test.data)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want it to say %q", err, test.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	data, err := Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"facts_version": 1, "world": {"nodes": {"a": null}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		world, err := Decode(data)
		if err != nil {
			return
		}
		if _, err := Encode(world); err != nil {
			t.Errorf("decoded facts do not encode: %v", err)
		}
	})
}

func TestApplyReplacesWholePartsAndLeavesTheOriginal(t *testing.T) {
	before := sample()
	after := before.Clone()
	after.Apply(Update{Nodes: []Node{{Name: "cp2"}, {Name: "cp3"}}, Etcd: &Etcd{ClusterID: "c"}})
	if diff := cmp.Diff(sample(), before); diff != "" {
		t.Errorf("the original changed (-want +got):\n%s", diff)
	}
	if got := after.NodeNames(); !cmp.Equal(got, []string{"cp1", "cp2", "cp3"}) {
		t.Errorf("nodes after: %v", got)
	}
	if after.Node("cp2").Unknown != "" || after.Etcd.ClusterID != "c" {
		t.Errorf("parts were not replaced: %+v, %+v", after.Node("cp2"), after.Etcd)
	}
}

func TestANodeThatWasNeverAskedIsUnknown(t *testing.T) {
	if got := sample().Node("cp9"); got.Unknown == "" {
		t.Error("a node that was not observed looks observed")
	}
}
