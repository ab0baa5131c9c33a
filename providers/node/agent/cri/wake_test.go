package cri_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What ended over and over starts at once; what runs is left alone.
func TestWake(t *testing.T) {
	server, d := node(t, "run/containerd/containerd.sock")
	old := time.Now().Add(-time.Hour)
	ended := server.Add("kube-system", "kube-apiserver-cp1", "kube-apiserver", old, 4)
	runs := server.Add("kube-system", "kube-scheduler-cp1", "kube-scheduler", old, 0)
	server.BackOff(time.Hour)
	server.End(ended)
	client := dial(t, d)
	var said []string
	client.Wake(t.Context(), []string{"kube-apiserver", "kube-scheduler", "etcd"}, func(line string) { said = append(said, line) })
	if diff := cmp.Diff([]string{"kube-apiserver had ended; the kubelet starts it again now"}, said); diff != "" {
		t.Errorf("progress (-want +got)\n%s", diff)
	}
	deadline := time.Now().Add(5 * time.Minute)
	for {
		found, err := client.Running(t.Context(), []string{"kube-apiserver", "kube-scheduler"})
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 2 && found[0].ID != ended && found[1].ID == runs {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("running: %v", found)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
