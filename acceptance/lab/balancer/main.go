// Command balancer is the load balancer in front of the lab's API servers: TCP, round robin over the servers that
// answer /readyz. It never looks into a connection and holds no key, like the balancer in front of a real cluster.
//
//	balancer LISTEN BACKEND...
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: balancer LISTEN BACKEND...")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "balancer:", err)
		os.Exit(1)
	}
	if err := newPool(os.Args[2:]).serve(ctx, listener); err != nil {
		fmt.Fprintln(os.Stderr, "balancer:", err)
		os.Exit(1)
	}
}
