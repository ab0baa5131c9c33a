package node_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/node"
)

func TestTunnel(t *testing.T) {
	s := newSite(t)
	for _, target := range []node.Target{local("cp0"), remote("cp1")} {
		t.Run(target.Name, func(t *testing.T) {
			conn, err := s.client().Tunnel(t.Context(), target, "shout")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for range 3 {
				if _, err := io.WriteString(conn, "hello"); err != nil {
					t.Fatal(err)
				}
				answer := make([]byte, 5)
				if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HELLO" {
					t.Fatalf("answer %q, %v", answer, err)
				}
			}
			if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after the deadline: %v", err)
			}
			if err := conn.SetDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			done := make(chan error)
			go func() {
				_, err := conn.Read(make([]byte, 1))
				done <- err
			}()
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err == nil {
				t.Error("a closed tunnel could be read")
			}
			if got := conn.RemoteAddr().String(); got != target.Name+"/shout" {
				t.Errorf("remote address %q", got)
			}
		})
	}
}

func TestTunnelsThatDoNotOpen(t *testing.T) {
	s := newSite(t)
	for service, want := range map[string]string{
		"etcd":   "cp1: tunnel to etcd: connect: nobody listens",
		"-nonce": `cp1: "-nonce" is not the name of a service`,
		"a b":    `cp1: "a b" is not the name of a service`,
	} {
		_, err := s.client().Tunnel(t.Context(), remote("cp1"), service)
		if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", service, diff)
		}
	}
}

// Open tunnels take sessions of the jump host, and none of the places that observations share.
func TestTunnelsAndLimits(t *testing.T) {
	s := newSite(t)
	s.options.Parallelism, s.options.MutationTimeout = 1, 500*time.Millisecond
	c := s.client()
	target := remote("cp1")
	target.ProxyJump, target.MaxSessions = "bastion", 2
	for range 2 {
		conn, err := c.Tunnel(t.Context(), target, "shout")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if err := s.observe(local("cp2")); err != nil {
		t.Errorf("a node elsewhere: %v", err)
	}
	_, err := c.Tunnel(t.Context(), target, "shout")
	if err == nil || !strings.HasPrefix(err.Error(), "cp1: no session became free in 500ms (max_sessions = 2)") {
		t.Errorf("a third tunnel: %v", err)
	}
}
