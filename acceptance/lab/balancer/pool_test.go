package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// server is a backend that says its name, and whether it is ready.
func server(t *testing.T, name string, ready *atomic.Bool) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" && !ready.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, name)
	}))
	t.Cleanup(s.Close)
	return s
}

func address(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "https://") }

func TestBalancer(t *testing.T) {
	var aReady, bReady atomic.Bool
	a, b := server(t, "a", &aReady), server(t, "b", &bReady)
	dead := server(t, "dead", &bReady)
	dead.Close()
	p := newPool([]string{address(dead), address(a), address(b)})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.serve(ctx, listener) }()

	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	ask := func() string {
		response, err := client.Get("https://" + listener.Addr().String() + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	seen := func() map[string]bool {
		names := map[string]bool{}
		for range 12 {
			names[ask()] = true
		}
		return names
	}
	settle := func(a, b bool) {
		aReady.Store(a)
		bReady.Store(b)
		for end := time.Now().Add(10 * time.Second); p.backends[1].ready.Load() != a || p.backends[2].ready.Load() != b; {
			if time.Now().After(end) {
				t.Fatal("the balancer did not notice a change of readiness")
			}
			time.Sleep(5 * time.Millisecond)
		}
	}

	if got := seen(); len(got) == 0 || got["dead"] {
		t.Errorf("none is ready: %v answered, expected any that takes connections", got)
	}
	settle(false, true)
	if got := seen(); got["a"] || !got["b"] {
		t.Errorf("only b is ready: %v answered", got)
	}
	settle(true, true)
	if got := seen(); !got["a"] || !got["b"] {
		t.Errorf("both are ready: only %v answered", got)
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("serve: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("serve did not end with its context")
	}
}
