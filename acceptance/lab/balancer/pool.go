package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// probeEvery is how often each backend is asked for /readyz; a backend that stops answering is left out of new
	// connections after at most probeEvery and probeLimit.
	probeEvery = 500 * time.Millisecond
	probeLimit = time.Second
	dialLimit  = 2 * time.Second
)

// pool is the set of backends and what is known of them.
type pool struct {
	backends []*backend
	next     atomic.Uint64
	client   *http.Client
}

type backend struct {
	address string
	ready   atomic.Bool
}

func newPool(addresses []string) *pool {
	p := &pool{client: &http.Client{
		Timeout: probeLimit,
		Transport: &http.Transport{
			// The probe sends no secret and believes nothing but "answers or not", so it need not know the CA.
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives: true,
		},
	}}
	for _, address := range addresses {
		p.backends = append(p.backends, &backend{address: address})
	}
	return p
}

// serve accepts connections until ctx ends.
func (p *pool) serve(ctx context.Context, listener net.Listener) error {
	var all sync.WaitGroup
	for _, b := range p.backends {
		all.Go(func() { p.watch(ctx, b) })
	}
	all.Go(func() {
		<-ctx.Done()
		_ = listener.Close()
	})
	for {
		client, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				all.Wait()
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			time.Sleep(10 * time.Millisecond) // out of descriptors, or a client already gone
			continue
		}
		go p.carry(ctx, client)
	}
}

// watch keeps one backend's readiness.
func (p *pool) watch(ctx context.Context, b *backend) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		b.ready.Store(p.probe(ctx, b))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *pool) probe(ctx context.Context, b *backend) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+b.address+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := p.client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// order lists the backends to try for one connection: the ready ones in turn, then the others, because while a cluster
// is being born none is ready and one must be reached.
func (p *pool) order() []*backend {
	start := int(p.next.Add(1) % uint64(len(p.backends)))
	var ready, others []*backend
	for i := range p.backends {
		b := p.backends[(start+i)%len(p.backends)]
		if b.ready.Load() {
			ready = append(ready, b)
		} else {
			others = append(others, b)
		}
	}
	return append(ready, others...)
}

// carry connects one client to the first backend that takes the connection.
func (p *pool) carry(ctx context.Context, client net.Conn) {
	defer client.Close()
	for _, b := range p.order() {
		dialer := net.Dialer{Timeout: dialLimit}
		server, err := dialer.DialContext(ctx, "tcp", b.address)
		if err != nil {
			continue
		}
		defer server.Close()
		splice(client, server)
		return
	}
}

// splice copies both ways until both are at their end.
func splice(a, b net.Conn) {
	var both sync.WaitGroup
	one := func(to, from net.Conn) {
		_, err := io.Copy(to, from)
		if half, ok := to.(*net.TCPConn); ok && err == nil {
			_ = half.CloseWrite()
			return
		}
		_ = to.Close()
		_ = from.Close()
	}
	both.Go(func() { one(a, b) })
	both.Go(func() { one(b, a) })
	both.Wait()
}
