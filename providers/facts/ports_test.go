package facts

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQuestionsMergePorts(t *testing.T) {
	for _, test := range []struct {
		name       string
		a, b, want []int
	}{
		{"nobody asks", nil, nil, nil},
		{"one asks", nil, []int{443, 80}, []int{80, 443}},
		{"both ask", []int{80, 8443}, []int{443, 80}, []int{80, 443, 8443}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(Question{Ports: test.want}, Question{Ports: test.a}.Merge(Question{Ports: test.b})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoopback(t *testing.T) {
	for address, want := range map[string]bool{"127.0.0.1": true, "127.0.0.53": true, "::1": true, "0.0.0.0": false, "::": false, "10.0.0.1": false, "fe80::1": false, "": false, "x": false} {
		if got := (Listener{Address: address}).Loopback(); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}
